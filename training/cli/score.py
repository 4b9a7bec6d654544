"""`crisiscall score`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from training.cli.options import home_option, release_folder, release_option
from training.cli.progress import progress


@click.command(epilog="Example: crisiscall score calls.jsonl -o scored.jsonl")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .jsonl, .csv or .parquet.",
)
@click.option("--jobs", default=-1, show_default=True, help="Worker processes; -1 is every core.")
@release_option
@home_option
def score(file: Path, out: Path, jobs: int, release: Path | None, home: Path) -> None:
    """Score a file of calls (JSONL, CSV or Parquet): one line per call out.

    Rows that are no valid call are listed in OUT.rejected.jsonl by number, field and reason; the
    exit code is then 1.

    A release that uses the history of premises takes it from the calls of the file, in order of
    time; a file holds no labels, so that earlier calls count and no crisis is known.
    """
    from training.batch import score_file

    begun = time.monotonic()
    tally = score_file(
        file, out, release=release_folder(release, home), jobs=jobs, progress=progress
    )
    if tally.history:
        click.echo(
            "history of premises: earlier calls of the file count; it holds no labels, so no "
            "crisis is known, and scores differ from those of the service",
            err=True,
        )
    took = time.monotonic() - begun
    click.echo(
        f"{tally.scored:,} calls scored in {took:.1f} s ({tally.scored / took:,.0f} a second), "
        f"written to {out}"
    )
    if tally.rejected:
        click.echo(f"{tally.rejected:,} rows are no valid call: see {out}.rejected.jsonl", err=True)
        sys.exit(1)
