"""`crisiscall recalibrate`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from training.cli.options import home_option, in_period, period_options
from training.cli.progress import progress


@click.command(
    epilog="Example: crisiscall recalibrate --data var/data/log --by ana.data "
    "--reason 'crises doubled since spring'"
)
@click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder of labelled calls from which the release in force has not learned.",
)
@period_options
@click.option("--dry-run", is_flag=True, help="Fit and judge the step, and change nothing.")
@click.option("--by", required=True, help="Who signs for it.")
@click.option("--reason", required=True, help="Why, in a sentence.")
@home_option
def recalibrate(
    folder: Path,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    by: str,
    reason: str,
    home: Path,
) -> None:
    """Let the probabilities of the release in force follow a base rate that has moved.

    A small step within bounds: at most twice or half the odds. No call changes its band. It is
    fitted on the earlier two thirds of the calls, judged on the last third, signed, recorded, and
    undone by `crisiscall rollback`. Exit code 1: it helps neither head, and nothing was changed.
    """
    from data.dataset import Dataset
    from model_service.model.release import load_release
    from model_service.model.store import champion
    from training import recalibrate as work
    from training.compare import judged_calls
    from training.keys import signing_key
    from training.promote import promote

    store = home / "releases"
    now = champion(store)
    release = load_release(now, trusted=None)
    dataset = Dataset.read(folder)
    received_at = dataset.calls["received_at"]
    chosen = judged_calls(release, release, dataset, None, since)
    chosen &= in_period(received_at, since, until)
    made = work.steps(release, dataset, chosen, progress)
    last = received_at[chosen].max()
    click.echo(work.section(work.telling(release, made, last)).strip() + "\n")
    if not any(step.taken for step in made.values()):
        click.echo("nothing was changed", err=True)
        sys.exit(1)
    if dry_run:
        return
    key = signing_key(home / "keys")
    written = work.write_recalibrated(release, now, made, until=last, store=store, key=key)
    after = load_release(written, trusted=None)
    promote(store, after, work.gates(made), by=by, reason=reason, key=key)
    click.echo(f"{after.name} is in force; before it: {release.name}")
