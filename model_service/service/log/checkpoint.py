"""Checkpoints: signed statements of what the log was, for others to keep.

A checkpoint says how many entries the log had and what their Merkle root and last digest were. Who
kept one can tell whether a log that is shown later still begins with those very entries. It holds
nothing personal.

It is one line of canonical JSON with these fields, and no other way to write it:

    format     "crisiscall-checkpoint-1"
    head       digest of the last entry
    key        the public key (Ed25519) in hex
    marks      the first 8 digits of the digest of each of the last entries, up to `head`: not to
               prove anything, but to name the first entry that was rewritten
    root       Merkle root over the digests of all entries (`merkle.py`)
    signature  Ed25519 (RFC 8032) over the canonical JSON of all the other fields
    size       number of entries
    time       when it was taken (UTC)

In a folder the file of a checkpoint is named by its size with 12 digits. Files are made
exclusively, written once, without leave to write them again, and never opened for writing again.

What they protect from, and what not:

- Somebody who can write the log and neither the folder nor the key: whatever is changed, left out,
  put in, moved or cut off up to the last checkpoint shows, also where all later digests are made
  anew, and the first bad entry is named.
- Somebody with the rights of the service has the key as well, and can take the place of files in a
  folder of his own. So mount one in which the service can add and nothing else: a bucket with a
  retention lock, a share that grants creating alone, a folder that another user empties into his
  own. Better still, let others poll `GET /v1/log/checkpoint` and keep what they get: no log that
  was made anew fits what they hold, and two signed checkpoints that no proof of consistency joins
  show by themselves that there were two stories.
- Not from what is never written, or written falsely; not from the loss of the log; and not, for the
  entries since the last checkpoint, from cutting them off. Of those the `log` of an answer tells.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from data.errors import InputError
from model_service.service.log.entry import canonical

FORMAT = "crisiscall-checkpoint-1"
MARK = 8
"""Digits of a mark."""

MAX_MARKS = 4096
MAX_BYTES = 64 * 1024
SUFFIX = ".json"

_NAME = re.compile(r"[0-9]{12,19}" + re.escape(SUFFIX))
_SHAPES = {
    "format": re.compile(re.escape(FORMAT)),
    "head": re.compile("[0-9a-f]{64}"),
    "key": re.compile("[0-9a-f]{64}"),
    "marks": re.compile(f"(?:[0-9a-f]{{{MARK}}}){{0,{MAX_MARKS}}}"),
    "root": re.compile("[0-9a-f]{64}"),
    "signature": re.compile("[0-9a-f]{128}"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
}


class CheckpointError(InputError):
    """A checkpoint that can't be relied on."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement of what the log was; see the module.

    Parameters
    ----------
    size : int
    root, head, marks, time, key, signature : str
    """

    size: int
    root: str
    head: str
    marks: str
    time: str
    key: str
    signature: str

    @property
    def marked(self) -> int:
        """The first entry that has a mark, or the one after the last if none has."""
        return self.size - len(self.marks) // MARK + 1

    def content(self) -> bytes:
        """Write it as its file has it."""
        return canonical({"format": FORMAT, **asdict(self)}) + b"\n"

    def marks_by_entry(self) -> dict[int, str]:
        """Tell the mark of each entry that has one."""
        marks = self.marks
        parts = (marks[at : at + MARK] for at in range(0, len(marks), MARK))
        return dict(enumerate(parts, self.marked))


def sign(
    key: Ed25519PrivateKey, *, size: int, root: str, head: str, digests: Sequence[str], time: str
) -> Checkpoint:
    """Make a checkpoint.

    Parameters
    ----------
    key : Ed25519PrivateKey
    size : int
    root, head : str
    digests : sequence of str
        Of the last entries, the head's last; the marks are made of them.
    time : str
    """
    stated = {
        "size": size,
        "root": root,
        "head": head,
        "marks": "".join(digest[:MARK] for digest in digests[-MAX_MARKS:]),
        "time": time,
        "key": key.public_key().public_bytes_raw().hex(),
    }
    signature = key.sign(canonical({"format": FORMAT, **stated})).hex()
    return Checkpoint(**stated, signature=signature)  # type: ignore[arg-type]


def parse(content: bytes) -> Checkpoint:
    """Read a checkpoint, whoever signed it.

    Raises
    ------
    CheckpointError
        If it is none, or its signature does not fit.
    """
    fields: Any
    try:
        fields = orjson.loads(content) if len(content) <= MAX_BYTES else None
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict) or fields.keys() != {*_SHAPES, "size"}:
        raise CheckpointError("is no checkpoint")
    size = fields.pop("size")
    shaped = all(
        isinstance(value, str) and _SHAPES[name].fullmatch(value) for name, value in fields.items()
    )
    if not shaped or type(size) is not int or not 0 < size < 2**63:
        raise CheckpointError("is no checkpoint")
    del fields["format"]
    found = Checkpoint(size=size, **fields)
    if found.marked < 1 or found.content() != content:
        raise CheckpointError("is no checkpoint")
    stated = {"format": FORMAT, **asdict(found)}
    signature = bytes.fromhex(stated.pop("signature"))
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(found.key))
        key.verify(signature, canonical(stated))
    except (InvalidSignature, ValueError):
        raise CheckpointError("has a signature that does not fit") from None
    return found


@dataclass(frozen=True, slots=True)
class Kept:
    """Checkpoints that somebody kept, the smallest first, and what was wrong with others."""

    checkpoints: tuple[Checkpoint, ...] = ()
    faults: tuple[str, ...] = ()


def gather(paths: Iterable[Path], trusted: Collection[str]) -> Kept:
    """Read checkpoints from files, and from all files of folders.

    An empty file is what a crash leaves of one that was just being written, and is passed over.

    Parameters
    ----------
    paths : iterable of Path
    trusted : collection of str
        Public keys in hex, one of which must have signed.

    Raises
    ------
    CheckpointError
        If there is no such file or folder, or it can't be read.
    """
    found, faults = [], []
    for file in _files(paths):
        content = _read(file)
        if not content:
            continue
        try:
            checkpoint = parse(content)
            if checkpoint.key not in trusted:
                raise CheckpointError("is signed by a key that is not trusted")
            found.append(checkpoint)
        except CheckpointError as error:
            faults.append(f"checkpoint {file.name} {error}")
    return Kept(tuple(sorted(found, key=lambda one: (one.size, one.time))), tuple(faults))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _within(path)
        else:
            yield path


def _within(folder: Path) -> list[Path]:
    found = (path for path in folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: int(path.stem))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read ({error.strerror})") from None


def name_of(size: int) -> str:
    """Name the file of a checkpoint.

    Examples
    --------
    >>> name_of(1042)
    '000000001042.json'
    """
    return f"{size:012d}{SUFFIX}"


def write(folder: Path, checkpoint: Checkpoint) -> bool:
    """Write a checkpoint into a folder; it is on disk when this returns.

    One write into a new file makes it whole: a reader finds nothing in it, or all.

    Returns
    -------
    bool
        False if a file of that size is there already: it is left as it is.

    Raises
    ------
    OSError
    """
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(folder / name_of(checkpoint.size), flags, 0o444)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        content = checkpoint.content()
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            _undo(file, folder / name_of(checkpoint.size))
            raise
    parent = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
    return True


def _undo(file: FileIO, path: Path) -> None:
    """Leave nothing of a file that could not be written, or an empty one, which says nothing."""
    with contextlib.suppress(OSError):
        file.truncate(0)
    with contextlib.suppress(OSError):
        path.unlink()


def latest(folder: Path) -> Checkpoint | None:
    """Read the checkpoint of the most entries; what is empty is passed over.

    Raises
    ------
    CheckpointError
        If that file is there and is no checkpoint.
    """
    for file in reversed(_within(folder)):
        content = _read(file)
        if content:
            try:
                return parse(content)
            except CheckpointError as error:
                raise CheckpointError(f"checkpoint {file.name} {error}") from None
    return None


def of_size(folder: Path, size: int) -> Checkpoint | None:
    """Read the checkpoint of so many entries, if there is one.

    Raises
    ------
    CheckpointError
        If there is a file of that name, and it is no checkpoint.
    """
    path = folder / name_of(size)
    content = _read(path) if path.exists() else b""
    return parse(content) if content else None
