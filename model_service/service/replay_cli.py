"""`crisiscall log replay`: logged assessments, recomputed."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data.errors import InputError
from model_service.service.asking import time_options
from model_service.service.cli import home_option
from model_service.service.settings import load_settings

if TYPE_CHECKING:
    from model_service.service.log.reading import Reader
    from model_service.service.log.replay import Replayed


@click.command(
    epilog="""\b
Examples:
  crisiscall log replay
  crisiscall log replay --since 2026-11-01 --until 2026-12-01
  crisiscall log replay --call C-1042 --releases /mnt/archive/releases
"""
)
@time_options
@click.option("--call", metavar="ID", help="Only the revisions of this call.")
@click.option("--assessment", metavar="ID", help="Only this one.")
@click.option(
    "--releases",
    "places",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where releases lie, beside those of the service: a folder of them, or one; repeatable.",
)
@home_option
def replay(
    since: datetime | None,
    until: datetime | None,
    call: str | None,
    assessment: str | None,
    places: tuple[Path, ...],
    home: Path | None,
) -> None:
    """Recompute logged assessments from their records and the releases that they name.

    Prints those that differ, with what differs, and those whose release is not there or was
    changed. Numbers agree to 1e-9, all else to the letter. What was erased can't be recomputed.
    It works while the service runs.

    Exits with 1 if any differs, or lacks its release.
    """
    from model_service.service.database import check_sqlite
    from model_service.service.log.reading import Reader, Snapshot
    from model_service.service.log.replay import Asked, Shelf
    from model_service.service.log.replay import replay as again
    from model_service.service.log.snapshot import snapshot
    from model_service.service.opening import open_keys

    check_sqlite()
    if missing := next((place for place in places if not place.is_dir()), None):
        raise InputError(f"{missing}: there is no such folder of releases")
    settings = load_settings(home=home)
    keys = open_keys(settings)

    @contextlib.contextmanager
    def opened() -> Iterator[Reader]:
        with snapshot(settings.log_path) as connection:
            yield Reader(Snapshot(connection, keys))

    asked = Asked(
        since=since,
        until=until,
        call_id=call,
        assessment_id=assessment,
    )
    with opened() as reader:
        newest = reader.last("assessment")
    shelf = Shelf([settings.home / "releases", settings.release_path.parent, *places])
    counts: Counter[str] = Counter()
    with contextlib.closing(keys):
        for one in _shown(again(opened, shelf, asked), 0 if newest is None else newest.seq):
            counts[one.verdict] += 1
            if one.verdict in ("differs", "no_release"):
                what = one.why or f"differs: {', '.join(one.parts)}"
                click.echo(f"{one.seq}\t{one.assessment_id}\t{one.call_id}\t{what}")
    if asked.few and not counts:
        raise InputError("there is no such assessment in the log")
    click.echo(
        f"{settings.log_path}: {counts.total():,} assessments: {counts['agrees']:,} agree, "
        f"{counts['differs']:,} differ, {counts['no_release']:,} without their release, "
        f"{counts['erased']:,} erased, {counts['not_asked']:,} with no model asked"
    )
    if counts["differs"] or counts["no_release"]:
        sys.exit(1)


def _shown(replayed: Iterator[Replayed], end: int) -> Iterator[Replayed]:
    """Draw a bar with the rate on standard error, if it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("replaying"),
        BarColumn(),
        TextColumn("{task.fields[done]:,} assessments, {task.fields[rate]:,.0f} a second"),
        TimeRemainingColumn(),
    )
    begun, n = time.monotonic(), 0
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("replaying", total=end, done=0, rate=0.0)
        for one in replayed:
            yield one
            n += 1
            rate = n / max(time.monotonic() - begun, 1e-9)
            bar.update(task, completed=one.seq, done=n, rate=rate)
