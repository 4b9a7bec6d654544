"""`crisiscall log`, its part on the chain: the checkpoints' key, proofs, a dump."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.errors import InputError
from model_service.service.cli import F, home_option
from model_service.service.settings import Settings, load_settings

if TYPE_CHECKING:  # loading them is what makes a command line slow
    from model_service.service.log.checkpoint import Kept
    from model_service.service.log.merkle import Tree
    from model_service.service.log.place import Place
    from model_service.service.log.reading import Reader

_KEY = re.compile("[0-9a-f]{64}")


def keys_option(command: F) -> F:
    """Add `--key`: public keys that are trusted."""
    return click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="HEX|FILE",
        help="Public key that must have signed the checkpoints, or a file of them; what "
        "home/keys/checkpoint.pub holds if not given. Keep a copy out of the log's keeper's reach.",
    )(command)


def checkpoints_option(*, required: bool) -> Callable[[F], F]:
    """Add `--checkpoints`: files of checkpoints, and folders of them."""
    return click.option(
        "--checkpoints",
        "places",
        multiple=True,
        required=required,
        metavar="DIR|FILE",
        type=click.Path(path_type=Path),
        help="Checkpoints that were kept"
        + ("." if required else "; those of the service's own folder if not given."),
    )


@click.command(epilog="Example: crisiscall log key")
@home_option
def key(home: Path | None) -> None:
    """Print the public key of the log's checkpoints; it is made if there is none."""
    from model_service.model.keys import signing_key

    found = signing_key(load_settings(home=home).checkpoint_key_path)
    click.echo(found.public_key().public_bytes_raw().hex())


@click.command(
    epilog="""\b
Examples:
  crisiscall log proof 1042
  crisiscall log proof 1042 --size 2000
"""
)
@click.argument("sequence", type=click.IntRange(min=1))
@click.option(
    "--size",
    type=click.IntRange(min=1),
    help="Entries of the checkpoint to prove it by; those of the latest one if not given.",
)
@home_option
def proof(sequence: int, size: int | None, home: Path | None) -> None:
    """Prove that an entry is in the log, to somebody who holds only a checkpoint.

    The proof holds the entry without its personal text; `crisiscall log check` checks it.
    """
    from model_service.service.log.proof import prove_entry

    settings = load_settings(home=home)
    size = _latest_size(settings) if size is None else size
    with _reader(settings) as (reader, tree):
        entry = reader.entry(sequence)
        if entry is None or sequence > size:
            raise InputError(f"entry {sequence} is not among the first {size}")
        _print(_or_error(lambda: prove_entry(tree, entry, size)))


@click.command(epilog="Example: crisiscall log consistency 1000 2000")
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1))
@home_option
def consistency(old: int, new: int, home: Path | None) -> None:
    """Prove that the log of NEW entries begins with all it had when they were OLD.

    To somebody who holds only the checkpoints of these sizes; `crisiscall log check` checks it.
    """
    from model_service.service.log.proof import prove_growth

    with _reader(load_settings(home=home)) as (_, tree):
        _print(_or_error(lambda: prove_growth(tree, old, new)))


@click.command(
    epilog="Example: crisiscall log check entry-1042.json --checkpoints kept/ --key checkpoint.pub"
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@checkpoints_option(required=True)
@keys_option
@home_option
def check(file: Path, places: tuple[Path, ...], keys: tuple[str, ...], home: Path | None) -> None:
    """Check a proof against checkpoints; no log is needed.

    Exits with 1 if it proves nothing.
    """
    from model_service.service.log.proof import ProofError
    from model_service.service.log.proof import check as check_proof

    kept = gather(places, keys, load_settings(home=home))
    try:
        given = file.read_bytes()
    except OSError:
        raise InputError(f"{file}: there is no such file, or it can't be read") from None
    try:
        proved = check_proof(given, kept.checkpoints)
    except ProofError as error:
        click.echo(f"{file}: {error}", err=True)
        sys.exit(1)
    click.echo(f"{file}: {proved}")


@click.command(epilog="Example: crisiscall log dump --out chain.jsonl")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, .jsonl; it must not be there yet.",
)
@home_option
def dump(out: Path, home: Path | None) -> None:
    """Write the chain itself, an entry a line, for others to verify; no personal text is in it.

    Each line is the canonical JSON of an entry: the SHA-256 of its bytes is the entry's digest,
    which the next line repeats as `previous`.
    """
    from data.files import drafted
    from model_service.service.log.entry import Entry, content
    from model_service.service.log.snapshot import snapshot

    path, n = load_settings(home=home).log_path, 0
    if out.exists():
        raise InputError(f"{out} is there already; name a new file")
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        progress("writing", entries(path)) as tell,
        snapshot(path) as connection,
        drafted(out, mode=0o600) as draft,
        draft.open("wb") as file,
    ):
        for row in connection.execute("SELECT * FROM entries ORDER BY seq"):
            file.write(content(Entry(*row)) + b"\n")
            n += 1
            tell(1)
    click.echo(f"{out}: {n:,} entries")


@contextlib.contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar where there is a terminal."""
    quiet = not sys.stderr.isatty()
    with click.progressbar(length=length, label=label, file=sys.stderr, hidden=quiet) as shown:
        yield shown.update


def entries(place: Place) -> int:
    """Tell about how many entries there are: the number of the last one, 0 if it can't be read."""
    from model_service.service.log.snapshot import UnreadableLog, snapshot

    with contextlib.suppress(UnreadableLog), snapshot(place) as connection:
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()
        return int(row[0])
    return 0


def gather(places: Iterable[Path], keys: tuple[str, ...], settings: Settings) -> Kept:
    """Read checkpoints; `keys` are public keys or files of them, the log's own if none is given."""
    from model_service.service.log import checkpoint

    trusted = set()
    for given in keys or (str(settings.checkpoint_key_path.with_suffix(".pub")),):
        trusted |= {given} if _KEY.fullmatch(given) else _keys_in(Path(given))
    return checkpoint.gather(places, trusted)


def _keys_in(path: Path) -> set[str]:
    try:
        found = set(path.read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        found = set()
    if not found or not all(_KEY.fullmatch(key) for key in found):
        raise InputError(
            f"{path} holds no public key, and checkpoints count only with one: give --key"
        )
    return found


def _latest_size(settings: Settings) -> int:
    from model_service.service.log.checkpoint import latest

    found = latest(settings.checkpoints_path)
    if found is None:
        raise InputError("there is no checkpoint yet: say with --size by how many entries to prove")
    return found.size


@contextlib.contextmanager
def _reader(settings: Settings) -> Iterator[tuple[Reader, Tree]]:
    from model_service.service.log.proof import tree_over
    from model_service.service.log.reading import Reader, Snapshot
    from model_service.service.log.snapshot import snapshot

    with snapshot(settings.log_path) as connection:
        reader = Reader(Snapshot(connection))
        yield reader, tree_over(reader)


def _or_error(prove: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return prove()
    except ValueError as error:
        raise InputError(f"that can't be proved: {error}") from None


def _print(document: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(document).decode())


COMMANDS = (key, proof, consistency, check, dump)
