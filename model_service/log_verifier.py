r"""A second verifier of the decision log, written from the description below and nothing else.

It imports nothing of the project, needs Python and the package `cryptography`, and may be copied
to wherever the log is to be checked:

    python -m model_service.log_verifier LOG --checkpoints DIR --key PUB
    python -m model_service.log_verifier PROOF.json --checkpoints DIR --key PUB

LOG is the log's SQLite file, opened read-only, or what `crisiscall log dump` wrote of it. DIR is a
folder of checkpoints, or the file of one. PUB is the public key in hex, or a file that holds it;
take it from somebody you trust, not from beside the log. It exits with 0 if all is well, with 1 and
the first bad entry if it is not, and with 2 if it can't tell.

The format, precise enough for a third one
------------------------------------------
*Canonical JSON* is JSON in UTF-8 with no space between tokens and the keys of an object in the
order of their code points. In strings `"` and `\` are escaped with a backslash, U+0008, U+0009,
U+000A, U+000C and U+000D as `\b`, `\t`, `\n`, `\f` and `\r`, and other characters below U+0020
as `\u00xx` with lower-case digits; nothing else is escaped. Hex is lower-case.

*An entry* has the fields `actor` (string), `assessment_id` (string or null), `at` (string, the UTC
time), `body` (an object), `call_id` (string or null), `kind` (string), `previous` (hex),
`revision` (number or null) and `seq` (number). Its *bytes* are the canonical JSON of the object of
these nine, where the body stands as it was stored. Its *digest* is the SHA-256 of its bytes. The
first entry has `seq` 1 and as `previous` 64 zeros; each other one the `seq` after, and as
`previous` the digest of the one before. Entries are never changed and never removed.

*The SQLite file* has a table `entries` with the columns `seq`, `at`, `kind`, `call_id`, `revision`,
`assessment_id`, `actor`, `body` (the stored JSON text), `previous` and `digest`. A table `private`
with the columns `seq` and `name` holds personal text. The body of an entry with personal text has a
key `private`, an object of name → digest in hex. There is a row for each of these names and for no
other, unless the text was erased: then there is no row, and a later entry of kind `erasure` has the
number of the first one in the list `entries` of its body. Where the table has a column `salt`, the
digest is the SHA-256 of the bytes of `salt` and then those of `content`; where it has none the text
is encrypted, and can only be compared by who holds its key. Then there is a table `erased` too: for
each entry whose text was erased it has a row with its number `seq` and, as `by`, that of the first
entry of kind `erasure` that names it, and no other row.

*A dump* has a line for each entry, in order: its bytes.

*The Merkle tree* is that of RFC 9162, section 2.1, with SHA-256. The data of leaf n, from 0, is the
digest of entry n + 1 as 32 bytes.

*A checkpoint* is an object with the fields `format` (`crisiscall-checkpoint-1`), `head` (digest of
the last entry), `key` (public key, hex), `marks`, `root` (root of the tree, hex), `signature`
(hex), `size` (number of entries) and `time`. It is written as its canonical JSON and a newline. The
signature is Ed25519 (RFC 8032) over the canonical JSON of the object without `signature`. `marks`
holds the first 8 hex digits of the digests of the last entries, in order, up to that of `head`; it
may be empty. A log fits a checkpoint if its first `size` entries have that root and that head. In a
folder, checkpoints are the files whose names are 12 to 19 digits and `.json`; an empty one says
nothing, for a crash may leave it.

*A proof of inclusion* is an object with `format` (`crisiscall-inclusion-1`), `entry` (the bytes of
the entry, as text), `seq`, `size` (of the checkpoint) and `path` (hashes in hex, RFC 9162, 2.1.3).
*A proof of consistency* has `format` (`crisiscall-consistency-1`), `from` and `to` (sizes of two
checkpoints) and `path` (2.1.4).

*The first bad entry* of a log is the lowest at which any of this fails; a missing one counts where
it should be. If only the root of a checkpoint fails, it is one after the last checkpoint that fits.
What text is there and what was erased are compared once all entries are good, for any later one may
be an erasure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LAST = 2**63
"""More than the number of any entry."""

HEX64 = re.compile("[0-9a-f]{64}")
HEX128 = re.compile("[0-9a-f]{128}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
CHECKPOINT_FIELDS = {"format", "head", "key", "marks", "root", "signature", "size", "time"}


class Unusable(Exception):
    """What was given can't be read as what it should be."""


class Bad(Exception):
    """Something is not as it was written: `first` (to `last`) is the bad entry, 0 if none is."""

    def __init__(self, first: int, what: str, last: int = 0) -> None:
        super().__init__(what)
        self.first = first
        self.last = max(first, last)


class Leftover(Bad):
    """Something stands beside the chain that fits none of its entries."""


class Link(NamedTuple):
    """An entry as the chain sees it.

    `digest` is made of it, `stored` the one that is stored beside it, if any is, and `texts` what
    is wrong with its personal text.
    """

    seq: Any
    previous: bytes
    digest: bytes
    stored: bytes | None
    texts: str | None


class Stated(NamedTuple):
    """What a checkpoint says."""

    size: int
    root: str
    head: str
    marks: list[str]
    time: str


def plain(value: Any) -> bytes:
    """Write canonical JSON of what holds no fractions: checkpoints do not."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


# --- checkpoints and keys --------------------------------------------------------------------


def read_keys(given: Iterable[str]) -> set[bytes]:
    """Read public keys, each in hex or from a file."""
    keys: set[bytes] = set()
    for one in given:
        try:
            words = [one] if HEX64.fullmatch(one) else Path(one).read_text("ascii").split()
        except (OSError, UnicodeDecodeError):
            raise Unusable(f"no public key can be read from {one}") from None
        if not words or not all(HEX64.fullmatch(word) for word in words):
            raise Unusable(f"{one} holds no public key")
        keys.update(bytes.fromhex(word) for word in words)
    return keys


def read_checkpoint(content: bytes, keys: set[bytes]) -> Stated:
    """Read a checkpoint and check its signature."""
    try:
        stated = json.loads(content)
        if not isinstance(stated, dict) or stated.keys() != CHECKPOINT_FIELDS:
            raise ValueError
        if stated["format"] != "crisiscall-checkpoint-1" or plain(stated) + b"\n" != content:
            raise ValueError
        size, marks = stated["size"], stated["marks"]
        if type(size) is not int or not 0 < size < LAST:
            raise ValueError
        if len(marks) % 8 or len(marks) // 8 > size:
            raise ValueError
        if not re.fullmatch("[0-9a-f]*", marks):
            raise ValueError
        for name in ("root", "head", "key"):
            if not HEX64.fullmatch(stated[name]):
                raise ValueError
        if not TIME.fullmatch(stated["time"]) or not HEX128.fullmatch(stated["signature"]):
            raise ValueError
        signature = bytes.fromhex(stated.pop("signature"))
        public = bytes.fromhex(stated["key"])
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Bad(0, "is no checkpoint") from None
    if public not in keys:
        raise Bad(0, "is signed by a key that is not trusted")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, plain(stated))
    except (InvalidSignature, ValueError):
        raise Bad(0, "has a signature that does not fit") from None
    parts = [marks[at : at + 8] for at in range(0, len(marks), 8)]
    return Stated(size, stated["root"], stated["head"], parts, stated["time"])


def read_checkpoints(places: Iterable[Path], keys: set[bytes]) -> tuple[list[Stated], list[str]]:
    """Read checkpoints from files and folders; what is wrong with others comes second."""
    found, wrong = [], []
    for place in places:
        files = [place]
        if place.is_dir():
            named = (file for file in place.iterdir() if file.suffix == ".json")
            files = sorted(file for file in named if re.fullmatch("[0-9]{12,19}", file.stem))
        for file in files:
            try:
                content = file.read_bytes()
            except OSError:
                raise Unusable(f"{file} can't be read") from None
            try:
                if content:
                    found.append(read_checkpoint(content, keys))
            except Bad as bad:
                wrong.append(f"checkpoint {file.name} {bad}")
    return sorted(found, key=lambda one: (one.size, one.time)), wrong


# --- the Merkle tree -------------------------------------------------------------------------


class Roots:
    """Merkle roots over the digests that went by: a stack of (leaves, hash) of perfect trees."""

    def __init__(self) -> None:
        self.stack: list[tuple[int, bytes]] = []

    def push(self, digest: bytes, sha256: Any = hashlib.sha256) -> None:
        """Take the next digest."""
        leaves, node, stack = 1, sha256(b"\0" + digest).digest(), self.stack
        while stack and stack[-1][0] == leaves:
            node = sha256(b"\1" + stack.pop()[1] + node).digest()
            leaves *= 2
        stack.append((leaves, node))

    def root(self) -> str:
        """Tell the root, in hex."""
        nodes = [node for _, node in self.stack]
        right = nodes.pop()
        while nodes:
            right = hashlib.sha256(b"\1" + nodes.pop() + right).digest()
        return right.hex()


def split(leaves: int) -> int:
    """Tell how many leaves are left: the largest power of two below `leaves`."""
    power = 1
    while power * 2 < leaves:
        power *= 2
    return power


def both(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_by_path(place: int, leaves: int, leaf: bytes, path: list[bytes]) -> bytes:
    """Compute the root from a leaf's hash and its path, downwards by the RFC's own recursion."""
    if leaves == 1:
        if path:
            raise Bad(0, "the path is too long")
        return leaf
    if not path:
        raise Bad(0, "the path is too short")
    left = split(leaves)
    if place < left:
        return both(root_by_path(place, left, leaf, path[:-1]), path[-1])
    return both(path[-1], root_by_path(place - left, leaves - left, leaf, path[:-1]))


def roots_by_path(
    old: int, new: int, old_root: bytes, path: list[bytes], whole: bool = True
) -> tuple[bytes, bytes]:
    """Compute the roots of the old and the new tree from their proof (RFC 9162, 2.1.4.1)."""
    if old == new:
        if whole:
            if path:
                raise Bad(0, "the path is too long")
            return old_root, old_root
        if len(path) != 1:
            raise Bad(0, "the path has not the right length")
        return path[0], path[0]
    if not path:
        raise Bad(0, "the path is too short")
    left = split(new)
    if old <= left:
        before, after = roots_by_path(old, left, old_root, path[:-1], whole)
        return before, both(after, path[-1])
    before, after = roots_by_path(old - left, new - left, old_root, path[:-1], False)
    return both(path[-1], before), both(path[-1], after)


# --- reading a log ---------------------------------------------------------------------------


def quoted(text: bytes | None) -> bytes:
    """Write a string, or null."""
    return b"null" if text is None else encode_basestring(text.decode()).encode()


def links_of_database(connection: sqlite3.Connection) -> Iterator[Link]:
    """Give the entries of an SQLite log, in order."""
    columns = [name.decode() for _, name, *_ in connection.execute("PRAGMA table_info(private)")]
    erased: dict[int, int] = {}
    lacking: set[int] = set()
    held = "salt, content" if "salt" in columns else "NULL, NULL"
    private = texts_of(readable(connection, f"SELECT seq, name, {held} FROM private", "seq, name"))
    text = next(private, None)
    names = "seq, at, kind, call_id, revision, assessment_id, actor, body, previous, digest"
    texts = " || ".join(f"typeof({name})" for name in ("at", "kind", "actor", "body", "previous"))
    kinds = f"{texts} || typeof(coalesce(call_id, '')) || typeof(coalesce(assessment_id, ''))"
    done = 0
    for row in readable(connection, f"SELECT {names}, {kinds} FROM entries", "seq"):
        if row is None:
            raise Bad(done + 1, "can't be read")
        seq, at, kind, call, revision, assessment, actor, body, previous, stored, types = row
        there = {}
        while text is not None and text[0] == seq:
            there[text[1]] = text[2:]
            text = next(private, None)
        try:
            if types != b"text" * 7 or type(revision) not in (int, type(None)):
                raise TypeError
            written = b"".join(
                (
                    b'{"actor":', quoted(actor), b',"assessment_id":', quoted(assessment),
                    b',"at":', quoted(at), b',"body":', body, b',"call_id":', quoted(call),
                    b',"kind":', quoted(kind), b',"previous":"', previous, b'","revision":',
                    b"null" if revision is None else b"%d" % revision, b',"seq":', b"%d" % seq,
                    b"}",
                )
            )  # fmt: skip
        except (TypeError, AttributeError, UnicodeDecodeError):
            raise Bad(done + 1, "changed") from None
        wrong = None
        if text is not None and text[0] < seq:
            wrong = "there is text of no entry before it"
        elif there or b'"private":' in body:
            wrong = wrong_text(body, there)
            if wrong == MISSING:
                lacking.add(seq)
                wrong = None
        digest = hashlib.sha256(written).hexdigest().encode()
        yield Link(seq, previous, digest, stored, wrong)
        done = seq
        if kind == b"erasure":  # a good one, or nobody would ask for more
            with suppress(ValueError, TypeError, KeyError, RecursionError):
                for number in json.loads(body)["entries"]:
                    erased.setdefault(int(number), seq)
    found = dict.fromkeys(lacking - erased.keys(), MISSING)
    if "salt" not in columns:
        unfit = {number for number, _ in notes(connection).items() ^ erased.items()}
        found |= dict.fromkeys(unfit, "the note of its erasure fits no entry")
        found |= dict.fromkeys(erased.keys() & still_there(connection), "it has too much text")
    if found:
        raise Leftover(min(found), found[min(found)])
    if text is not None:
        raise Leftover(text[0] if text[0] < LAST else done + 1, "text of no entry")


def readable(connection: sqlite3.Connection, select: str, key: str) -> Iterator[Any]:
    """Give rows in the order of their key, whose columns come first; None where one can't be read.

    A cursor of `sqlite3` fails one row early, for it looks ahead; from there on each row is asked
    for by itself.
    """
    columns = key.split(", ")
    marks = ", ".join("?" for _ in columns)
    single = f"{select} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT 1"
    before: Any = (-LAST, b"")
    rows: Iterator[Any] | None = None
    with suppress(sqlite3.Error):
        rows = connection.execute(f"{select} ORDER BY {key}")
    while True:
        try:
            if rows is None:
                last = [text_if_bytes(value) for value in before[: len(columns)]]
                row = next(connection.execute(single, last), None)
            else:
                row = next(rows, None)
        except sqlite3.Error:
            if rows is None:
                yield None
                return
            rows = None
            continue
        if row is None:
            return
        yield row
        before = row


def text_if_bytes(value: Any) -> Any:
    """Give what SQLite compares as text: it takes all bytes to be after all text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def texts_of(rows: Iterator[Any]) -> Iterator[Any]:
    """Give the rows of personal text; what can't be read stands after all entries."""
    last = -LAST
    for row in rows:
        if row is None or type(row[0]) is not int or row[0] < last:
            yield (LAST, b"", None, None)
            return
        last = row[0]
        yield row


MISSING = "its text is missing"


def wrong_text(body: bytes, there: dict[bytes, Any]) -> str | None:
    """Say what is wrong with the personal text of an entry, unless it was erased."""
    try:
        named = json.loads(body).get("private", {})
        due = {name.encode(): digest for name, digest in named.items()}
        if there.keys() - due.keys():
            return "it has too much text"
        if due.keys() - there.keys():
            return MISSING
        for name, (salt, content) in there.items():
            if salt is not None and hashlib.sha256(salt + content).hexdigest() != due[name]:
                return "its text was changed"
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "changed"
    return None


def notes(connection: sqlite3.Connection) -> dict[int, Any]:
    """Read the notes of what was erased, up to the first that can't be read."""
    found = {}
    for row in readable(connection, "SELECT seq, by FROM erased", "seq"):
        if row is None or type(row[0]) is not int:
            break
        found[row[0]] = row[1]
    return found


def still_there(connection: sqlite3.Connection) -> set[Any]:
    """List the entries that have text and a note that it was erased, as far as can be read."""
    found = set()
    with suppress(sqlite3.Error):
        for (seq,) in connection.execute("SELECT seq FROM private JOIN erased USING (seq)"):
            found.add(seq)
    return found


def links_of_dump(lines: Iterable[bytes]) -> Iterator[Link]:
    """Give the entries of a dump."""
    for number, line in enumerate(lines, 1):
        written = line.removesuffix(b"\n")
        try:
            fields = json.loads(written)
            seq, previous = fields["seq"], fields["previous"].encode()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Bad(number, "can't be read") from None
        yield Link(seq, previous, hashlib.sha256(written).hexdigest().encode(), None, None)


# --- verifying -------------------------------------------------------------------------------


def complete(links: Iterator[Link], size: int) -> Iterator[Link]:
    """Give the links, and see that there are at least so many."""
    last, leftover = 0, None
    try:
        for link in links:
            yield link
            last += 1
    except Leftover as found:
        leftover = found
    if last < size:
        raise Bad(last + 1, "missing")
    if leftover is not None:
        raise leftover


def walk(links: Iterator[Link], checkpoints: list[Stated]) -> tuple[int, str, int]:
    """Follow the chain from its first entry.

    Returns
    -------
    (int, str, int)
        Number of entries, digest of the last one, and how many entries checkpoints vouch for.

    Raises
    ------
    Bad
        With the first bad entry.
    """
    size, head, fitting = 0, b"0" * 64, 0
    roots = Roots()
    at_size: dict[int, list[Stated]] = {}
    for one in checkpoints:
        at_size.setdefault(one.size, []).append(one)
    starts = sorted(checkpoints, key=lambda one: one.size - len(one.marks), reverse=True)
    marks: dict[int, bytes] = {}
    most = max(at_size, default=0)
    for seq, previous, digest, stored, texts in complete(links, most):
        size += 1
        if seq != size:
            raise Bad(size, "missing or out of place")
        if previous != head:
            raise Bad(size, "does not follow the entry before it")
        if stored is not None and stored != digest:
            raise Bad(size, "changed")
        if texts:
            raise Bad(size, texts)
        while starts and starts[-1].size - len(starts[-1].marks) < size:
            one = starts.pop()
            first = one.size - len(one.marks) + 1
            marks.update((first + place, mark.encode()) for place, mark in enumerate(one.marks))
        if marks and marks.pop(size, digest[:8]) != digest[:8]:
            raise Bad(size, "not the entry that was checkpointed")
        if checkpoints:
            roots.push(bytes.fromhex(digest.decode()))
            for one in at_size.get(size, ()):
                if one.head != digest.decode() or one.root != roots.root():
                    raise Bad(fitting + 1, "not what was checkpointed", size)
                fitting = size
        head = digest
    return size, head.decode(), fitting


def verify(log: Path, checkpoints: list[Stated]) -> tuple[int, str, int]:
    """Verify an SQLite log or a dump; as `walk`."""
    try:
        with log.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                file.seek(0)
                return walk(links_of_dump(file), checkpoints)
    except OSError:
        raise Unusable(f"{log} can't be read") from None
    uri = f"{log.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            connection.text_factory = bytes
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM entries LIMIT 1").fetchall()
            return walk(links_of_database(connection), checkpoints)
    except (sqlite3.Error, UnicodeDecodeError):
        raise Unusable(f"{log} is no decision log, or damaged") from None


def verify_proof(proof: Any, checkpoints: list[Stated]) -> str:
    """Check a proof and say what it proves."""
    try:
        path = [bytes.fromhex(node) for node in proof["path"]]
        if any(len(node) != 32 for node in path):
            raise ValueError
        if proof["format"] == "crisiscall-inclusion-1":
            seq, size, entry = proof["seq"], proof["size"], proof["entry"].encode()
            if json.loads(entry)["seq"] != seq or not 1 <= seq <= size:
                raise ValueError
        else:
            old, new = proof["from"], proof["to"]
            if proof["format"] != "crisiscall-consistency-1" or not 1 <= old <= new:
                raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Bad(0, "is no proof") from None
    if proof["format"] == "crisiscall-inclusion-1":
        digest = hashlib.sha256(entry)
        root = root_by_path(seq - 1, size, hashlib.sha256(b"\0" + digest.digest()).digest(), path)
        if {one.root for one in of_size(size, checkpoints)} != {root.hex()}:
            raise Bad(0, f"does not prove that entry {seq} is in the log of {size} entries")
        return f"entry {seq}:{digest.hexdigest()} is in the log of {size} entries"
    old_roots = {one.root for one in of_size(old, checkpoints)}
    new_roots = {one.root for one in of_size(new, checkpoints)}
    made = roots_by_path(old, new, bytes.fromhex(min(old_roots)), path)
    if (old_roots, new_roots) != ({made[0].hex()}, {made[1].hex()}):
        raise Bad(0, f"does not prove that the log of {new} entries grew out of that of {old}")
    return f"the log of {new} entries begins with the {old} that it had before"


def of_size(size: int, checkpoints: list[Stated]) -> list[Stated]:
    """Find the checkpoints of a size."""
    found = [one for one in checkpoints if one.size == size]
    if not found:
        raise Unusable(f"the checkpoint of {size} entries is needed, and not given")
    return found


def read_proof(path: Path) -> Any:
    """Read a proof, if the file is one and no log."""
    try:
        with path.open("rb") as file:
            content = file.read(1 << 24)
        document = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "format" in document else None


def main(arguments: list[str] | None = None) -> int:
    """Run as a command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="log_verifier", description="Verify a decision log, or a proof, without the project."
    )
    parser.add_argument("log", type=Path, help="SQLite log, dump of one, or proof")
    parser.add_argument("--checkpoints", type=Path, action="append", default=[])
    parser.add_argument("--key", action="append", default=[], help="public key, or a file of it")
    given = parser.parse_args(arguments)
    try:
        if given.checkpoints and not given.key:
            raise Unusable("checkpoints count only with a key: give --key")
        checkpoints, wrong = read_checkpoints(given.checkpoints, read_keys(given.key))
        proof = read_proof(given.log)
        if proof is not None:
            sys.stdout.write(f"{given.log}: {verify_proof(proof, checkpoints)}\n")
        else:
            size, head, fitting = verify(given.log, checkpoints)
            if not wrong:
                sys.stdout.write(
                    f"{given.log}: {size:,} entries, whole; the last is {size}:{head}; "
                    f"{len(checkpoints):,} checkpoints vouch for the first {fitting:,}\n"
                )
    except Bad as bad:
        place = f"entry {bad.first}: " if bad.first else ""
        if bad.last > bad.first:
            place = f"one of the entries {bad.first} to {bad.last}: "
        wrong = [f"{place}{bad}", *wrong]
    except Unusable as error:
        sys.stderr.write(f"log_verifier: {error}\n")
        return 2
    for what in wrong:
        sys.stderr.write(f"{given.log}: {what}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
