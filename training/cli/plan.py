"""`crisiscall plan`: check, show, explain and simulate a response plan."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from training.cli.options import (
    home_option,
    in_period,
    open_release,
    period_options,
    release_option,
)
from training.cli.progress import progress


@click.group(
    epilog="""\b
Examples:
  crisiscall plan check our-plan.yaml
  crisiscall plan show boston
"""
)
def plan() -> None:
    """Check a response plan, read it in words, and try it on calls.

    A PLAN is a YAML file, or the name of one that ships: boston, seattle.
    """


@plan.command(epilog="Example: crisiscall plan check our-plan.yaml")
@click.argument("plan", metavar="PLAN")
def check(plan: str) -> None:
    """Say whether a PLAN can be used, and what in it is worth a look.

    Exits with 1 if it can't be used; every mistake is one line that names its field.
    """
    import hashlib
    from datetime import date

    from model_service.model.plan import mistakes_in, parse_plan, read_plan
    from training.plan_words import notes

    text, name = read_plan(plan)
    mistakes = mistakes_in(text)
    for mistake in mistakes:
        click.echo(f"{name}: {mistake}", err=True)
    if mistakes:
        sys.exit(1)
    read = parse_plan(text, name=name)
    for note in notes(read, date.today()):
        click.echo(f"note: {note}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    click.echo(
        f"{name}: plan {read.plan}, version {read.version}, can be used; "
        f"{len(read.responses)} responses, mode {read.mode}, digest {digest[:16]}"
    )


@plan.command(epilog="Example: crisiscall plan show boston")
@click.argument("plan", metavar="PLAN")
def show(plan: str) -> None:
    """Write a PLAN in words, for people who read no YAML."""
    from model_service.model.plan import load_plan
    from training.plan_words import plan_in_words

    click.echo(plan_in_words(load_plan(plan)[0]), nl=False)


@plan.command(epilog="Example: crisiscall plan explain call.json")
@click.argument("call", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--plan", default=None, help="Another plan than the release's own.")
@click.option("--quote", is_flag=True, help="Repeat the words that state a fact.")
@release_option
@home_option
def explain(call: str, plan: str | None, quote: bool, release: Path | None, home: Path) -> None:
    """Say step by step why a CALL (a JSON file, or -) is recommended what it is, and what to ask.

    The history of premises is not known here; a release that uses it takes the call for the first
    one of its premise. Nothing of the narrative is repeated, unless --quote asks for it.
    """
    from pydantic import ValidationError

    from data.call import Call
    from data.document import first_mistake
    from data.errors import InputError
    from model_service.model.plan import load_plan
    from training.plan_words import explained

    loaded = open_release(release, home)
    applied = loaded.plan if plan is None else load_plan(plan)[0]
    try:
        with click.open_file(call, "rb") as file:
            made = Call.model_validate_json(file.read())
    except ValidationError as error:
        raise InputError(f"{call}: {first_mistake(error, 'the call')}") from None
    click.echo(explained(loaded, applied, made, quoting=quote), nl=False)


@plan.command(epilog="Example: crisiscall plan simulate var/data/synthetic --against our-plan.yaml")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--plan", default=None, help="Another plan than the release's own.")
@click.option("--against", default=None, help="A second plan, to show the differences.")
@period_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder for simulation.md and calls.parquet, a line per call.",
)
@release_option
@home_option
def simulate(
    folder: Path,
    plan: str | None,
    against: str | None,
    since: datetime | None,
    until: datetime | None,
    out: Path | None,
    release: Path | None,
    home: Path,
) -> None:
    """Run a plan over a FOLDER of past calls: who would have been sent where, and when.

    By neighbourhood and hour, with what fitted and could not be sent. Probabilities and thresholds
    are the release's, whichever plan is applied; calls that it was trained on flatter it. Units are
    not asked for.
    """
    from data.dataset import Dataset
    from data.errors import InputError
    from data.files import write_whole
    from model_service.model.plan import load_plan
    from training.history import with_history
    from training.simulate import report
    from training.simulate import simulate as run

    loaded = open_release(release, home)
    plans = {"plan": loaded.plan if plan is None else load_plan(plan)[0]}
    if against is not None:
        plans["against"] = load_plan(against)[0]
    dataset = Dataset.read(folder)
    chosen = in_period(dataset.calls["received_at"], since, until)
    if not chosen.any():
        raise InputError("no call lies in the period that was asked for")
    calls = with_history(dataset.calls, loaded.scorer.history, dataset.labels)
    simulated = run(loaded, plans, calls[chosen], progress)
    tables = report(simulated, plans)
    click.echo(tables, nl=False)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        heading = f"# Release {loaded.name} on {dataset.manifest.get('source')}\n\n"
        write_whole(out / "simulation.md", heading + tables)
        simulated.to_parquet(out / "calls.parquet", index=False)
        click.echo(f"\nwritten to {out}")
