"""`crisiscall log erase`, `retain` and `rotate-key`: personal text and the keys to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.errors import InputError
from data.logged import ERASURE_REASONS
from model_service.service.cli import home_option
from model_service.service.settings import load_settings

if TYPE_CHECKING:
    from model_service.service.log.erasure import Erasable, Erased
    from model_service.service.log.store import LogStore

PATIENCE_MS = 5000
"""A verb waits longer for a lock than a service may."""

_by = click.option("--by", required=True, metavar="NAME", help="Who erases; it is on record.")
_hold = click.option(
    "--hold", multiple=True, metavar="CALL", help="A call of which nothing is erased; repeatable."
)


@click.command(
    epilog="""\b
Examples:
  crisiscall log erase --call C-1042 --reason request --by r.alvarez
  crisiscall log erase --before 2025-01-01 --reason retention --hold C-77 --by r.alvarez
"""
)
@click.option("--call", metavar="ID", help="Everything that was said in this call.")
@click.option(
    "--before",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    metavar="DATE",
    help="Everything that was written before this day (UTC).",
)
@click.option("--reason", type=click.Choice(ERASURE_REASONS), default="request", show_default=True)
@_hold
@_by
@home_option
def erase(
    call: str | None,
    before: datetime | None,
    reason: Any,
    hold: tuple[str, ...],
    by: str,
    home: Path | None,
) -> None:
    """Destroy personal text in the log for ever: what was said, where, the notes, the outcome.

    The entries stay, and the log verifies as before. That it was done is written into the log
    first. It works while the service runs. Nobody can undo it.
    """
    from model_service.service.log import erasure

    if (call is None) == (before is None):
        raise InputError("say what to erase: --call ID or --before DATE")
    with _store(home, by) as store:
        day = before and before.replace(tzinfo=UTC)
        found = [
            entry
            for entry in erasure.erasable(store, call_id=call, before=day)
            if entry.call_id not in hold
        ]
        _tell(erasure.erase(store, found, actor=by, reason=reason))


@click.command(
    epilog="""\b
Examples:
  crisiscall log retain --rules retention.yaml --dry-run
  crisiscall log retain --rules retention.yaml --hold C-77 --by r.alvarez
"""
)
@click.option(
    "--rules",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="YAML: `rules`, each with `name`, `kinds`, `days` and perhaps `unless_overridden`, a list "
    "of override reasons; and perhaps `holds`, a list of calls.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and let it be.")
@_hold
@click.option("--by", metavar="NAME", help="Who erases; it is on record.")
@home_option
def retain(
    rules: Path, dry_run: bool, hold: tuple[str, ...], by: str | None, home: Path | None
) -> None:
    """Erase the personal text whose time is over, by rules.

    The first rule that takes an entry counts; its age is that of the entry. Prints each rule's
    number of entries and calls, and with --dry-run every entry that would go.
    """
    from model_service.service.log import erasure
    from model_service.service.log.entry import now
    from model_service.service.retention import due, load_rules

    known = load_rules(rules)
    if by is None and not dry_run:
        raise InputError("say who erases: --by NAME; or look first: --dry-run")
    with _store(home, by) as store:
        found = due(store, known.rules, holds={*known.holds, *hold}, at=now())
        for name, entries in found.items():
            click.echo(f"{name}: {len(entries):,} entries of {_calls(entries):,} calls")
        if dry_run:
            for name, entries in found.items():
                for one in entries:
                    click.echo(f"{name}\t{one.seq}\t{one.kind}\t{one.call_id or ''}\t{one.at}")
            return
        for name, entries in found.items():
            if entries:
                _tell(erasure.erase(store, entries, actor=str(by), reason="retention", rule=name))


@click.command("rotate-key", epilog="\b\nExample:\n  crisiscall log rotate-key\n")
@home_option
def rotate_key(home: Path | None) -> None:
    """Encrypt the record keys anew under a new key, and let go of the old one.

    Afterwards a backup of the record keys is worthless to whoever has not kept the old key too. It
    works while the service runs, and can be run again if it was stopped. A key from the
    environment is changed there first: the new one, a comma, the old one; then restart the
    service, run this, and take the old one out. With PostgreSQL every host is given the new key
    first, in its environment or as the first line of its key file, and this runs as the owner of
    the keys' tables.
    """
    from model_service.service.database import check_sqlite
    from model_service.service.log import LogUnavailable
    from model_service.service.opening import open_keys, open_spool

    check_sqlite()
    settings = load_settings(home=home)
    keys = open_keys(settings, busy_timeout_ms=PATIENCE_MS)
    spool = open_spool(settings)

    def nothing_waits() -> None:
        try:
            waits = bool(spool.read().lines)
        except LogUnavailable as error:
            raise InputError(f"{error}: nothing was let go of; try again") from None
        if waits:
            raise InputError(
                f"decisions wait in {spool.path} under the old key: run the service until they are "
                "in the log, then try again"
            )

    if not keys.there():
        raise InputError(f"{settings.record_keys_path}: there are no record keys yet")
    with contextlib.closing(keys):
        nothing_waits()
        n = keys.rotate(before_letting_go=nothing_waits)
    click.echo(f"crisiscall: {n:,} record keys are encrypted under a new key")


@contextlib.contextmanager
def _store(home: Path | None, by: str | None) -> Iterator[LogStore]:
    from model_service.service.accounts import check_name
    from model_service.service.database import check_sqlite
    from model_service.service.log import LogUnavailable
    from model_service.service.opening import open_store

    check_sqlite()
    if by is not None:
        check_name(by)
    settings = load_settings(home=home)
    place = settings.log_path
    if isinstance(place, Path) and not place.exists():
        raise InputError(f"{place} is not there: there is nothing to erase")
    store = open_store(settings, busy_timeout_ms=PATIENCE_MS)
    try:
        yield store
    except LogUnavailable as error:
        raise InputError(f"{error}: what was erased so far is on record; try again") from None
    finally:
        store.close()


def _calls(entries: list[Erasable]) -> int:
    return len({entry.call_id for entry in entries if entry.call_id is not None})


def _tell(erased: Erased) -> None:
    click.echo(f"erased the text of {erased.entries:,} entries of {erased.calls:,} calls")
    if not erased.scrubbed:
        click.echo(
            "crisiscall: somebody was reading: what is left in the write-ahead logs goes when the "
            "service is next started",
            err=True,
        )
