"""`crisiscall log`: verify, prove, export and replay the decision log; erase text; make tables."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click

from data.errors import InputError
from model_service.service.asking import filter_options
from model_service.service.chain_cli import (
    COMMANDS,
    checkpoints_option,
    entries,
    gather,
    keys_option,
    progress,
)
from model_service.service.cli import home_option
from model_service.service.erase_cli import erase, retain, rotate_key
from model_service.service.postgres import PostgresURL
from model_service.service.replay_cli import replay
from model_service.service.settings import load_settings


@click.group(
    epilog="""\b
Examples:
  crisiscall log verify
  crisiscall log proof 1042 > entry-1042.json
  crisiscall log export --out log.csv --since 2026-11-01
  crisiscall log erase --call C-1042 --by r.alvarez
"""
)
def log() -> None:
    """Verify, prove, export and replay the decision log, and erase text from it.

    It works whether or not the service runs. The log is the file or the
    PostgreSQL database that CRISISCALL_LOG names, or log.db in the service's home.
    """


for command in (*COMMANDS, erase, retain, rotate_key, replay):
    log.add_command(command)


@log.command(
    epilog="""\b
Examples:
  crisiscall log verify
  crisiscall log verify --checkpoints /mnt/witness --key checkpoint.pub
  crisiscall log verify --expect 1042:9f0c…
"""
)
@checkpoints_option(required=False)
@keys_option
@click.option(
    "--expect",
    metavar="SEQUENCE:DIGEST",
    help="An entry that somebody was given, such as the `log` of an answer.",
)
@home_option
def verify(
    places: tuple[Path, ...], keys: tuple[str, ...], expect: str | None, home: Path | None
) -> None:
    """Check every entry of the log against the chain and against checkpoints.

    A log whose last entries were cut off, or that was made anew from some entry on, shows against
    what somebody else kept: checkpoints, best from outside, or an entry of an answer.

    Exits with 1 and names the first bad entry if there is one. Personal text is checked too where
    the record keys are at hand.
    """
    from model_service.service.log import verify as walk
    from model_service.service.log.checkpoint import Kept
    from model_service.service.opening import keys_at_hand

    settings = load_settings(home=home)
    path, own = settings.log_path, settings.checkpoints_path
    used = places or ((own,) if own.is_dir() else ())
    kept = gather(used, keys, settings) if used else Kept()
    with keys_at_hand(settings) as record_keys, progress("verifying", entries(path)) as tell:
        found = walk(
            path,
            expected=None if expect is None else _head(expect),
            kept=kept,
            keys=record_keys,
            progress=tell,
        )
    for what in [*([] if found.fault is None else [found.fault.words()]), *found.beside]:
        click.echo(f"{path}: {what}", err=True)
    if not found.whole:
        sys.exit(1)
    sequence, digest = found.head
    click.echo(
        f"{path}: {found.entries:,} entries, whole; the last is {sequence}:{digest}; "
        f"{len(kept.checkpoints):,} checkpoints vouch for the first {found.covered:,}"
    )


def _head(text: str) -> tuple[int, str]:
    sequence, _, digest = text.partition(":")
    if not sequence.isdecimal() or len(digest) != 64:
        raise InputError("--expect takes SEQUENCE:DIGEST, the digest with its 64 digits")
    return int(sequence), digest


@log.command(
    epilog="""\b
Examples:
  crisiscall log export --out overridden.csv --decision override --since 2026-11-01
  crisiscall log export --out export.jsonl --with-narratives --by r.alvarez
  crisiscall data import --source log --input export.jsonl --out var/data/log
"""
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, .jsonl, .csv or .parquet; it must not be there yet.",
)
@filter_options
@click.option(
    "--with-narratives",
    is_flag=True,
    help="With narratives and notes; that they were read is written into the log.",
)
@click.option("--by", metavar="NAME", help="With --with-narratives: the user who reads them.")
@home_option
def export(
    out: Path,
    with_narratives: bool,
    by: str | None,
    home: Path | None,
    **asked: Any,
) -> None:
    """Write the log as rows, one per assessment, as it is at this moment.

    With its call, prediction, recommendation, decisions and outcome. Filters that are given several
    times let any of theirs through. JSONL with narratives is what `crisiscall data import` reads.
    """
    from model_service.service.accounts import check_name
    from model_service.service.log import export as exporting
    from model_service.service.log.filters import Filters
    from model_service.service.log.reading import Reader, Snapshot
    from model_service.service.log.snapshot import snapshot
    from model_service.service.opening import open_keys, open_store

    settings = load_settings(home=home)
    path = settings.log_path
    kind = exporting.format_of(out)
    if out.exists():
        raise InputError(f"{out} is there already; name a new file")
    filters = Filters(**asked)
    if with_narratives:
        if by is None:
            raise InputError("say who reads the narratives: --by NAME")
        check_name(by)
        with snapshot(path):  # there is a log, and none is made
            pass
        exporting.record_reading(open_store(settings, busy_timeout_ms=5000), by, filters, kind)
    with snapshot(path) as connection, contextlib.closing(open_keys(settings)) as keys:
        reader = Reader(Snapshot(connection, keys))
        rows = exporting.export_rows(reader, filters, narratives=with_narratives)
        quiet = not sys.stderr.isatty()
        with click.progressbar(rows, label="exporting", file=sys.stderr, hidden=quiet) as shown:
            n = exporting.write_rows(out, iter(shown))
    click.echo(f"{out}: {n:,} assessments")


@log.command(
    epilog="""\b
Example, with the databases' owner in the URLs:
  CRISISCALL_LOG=postgresql://owner:…@db/log \\
  CRISISCALL_RECORD_KEYS=postgresql://owner:…@keys/keys \\
  crisiscall log migrate --grant-to crisiscall
"""
)
@click.option(
    "--grant-to",
    metavar="ROLE",
    help="With PostgreSQL: the role of the service, which may then read and add rows, and nothing "
    "else.",
)
@click.option(
    "--may-erase", is_flag=True, help="That role may also erase personal text and its keys."
)
@home_option
def migrate(grant_to: str | None, may_erase: bool, home: Path | None) -> None:
    """Make the tables of the log, or bring them to this version.

    With PostgreSQL it is done as the owner of the tables, whom the service must not be; the record
    keys have tables in the database that CRISISCALL_RECORD_KEYS names, which are made too. A file
    is brought to this version whenever it is opened.
    """
    from model_service.service.log import LogUnavailable
    from model_service.service.opening import open_store

    settings = load_settings(home=home)
    place = settings.log_path
    if isinstance(place, Path):
        if grant_to is not None:
            raise InputError("--grant-to is for PostgreSQL; a file is its owner's alone")
        store = open_store(settings)
        try:
            store.probe()
        except LogUnavailable as error:
            raise InputError(f"{place}: {error}") from None
        finally:
            store.close()
    else:
        from model_service.service.log.migrate import migrate as run
        from model_service.service.log.migrate import migrate_keys

        if isinstance(settings.record_keys, PostgresURL):
            migrate_keys(settings.record_keys, grant_to=grant_to, may_erase=may_erase)
        run(place, grant_to=grant_to, may_erase=may_erase)
    click.echo(f"{place}: the tables of the log are of this version")
