"""`crisiscall audit`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.cli.options import (
    home_option,
    in_period,
    open_release,
    period_options,
    release_option,
)
from training.cli.progress import progress

if TYPE_CHECKING:
    from data.dataset import Dataset
    from training.audit.period import Period

_PATH = click.Path(path_type=Path)


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  crisiscall audit --data var/data/synthetic --config synthetic --out var/audit\n"
    "  crisiscall audit --log export.jsonl --since 2026-10-01 --out var/audit\n"
    "  crisiscall audit --data var/data/ours --by neighborhood --by neighborhood,language --gate"
)
@click.option(
    "--data",
    "folder",
    type=_PATH,
    help="A folder of labelled calls, made by `crisiscall data`; or a CSV, JSONL or Parquet file "
    "of calls with the columns mental_health_crisis and safety_risk (1, 0 or blank).",
)
@click.option(
    "--log",
    type=_PATH,
    help="Instead: what `crisiscall log export --with-narratives` wrote, as JSONL.",
)
@click.option(
    "--scored",
    type=_PATH,
    help="Instead: Parquet or CSV of calls that were scored already, with the columns of "
    "training/audit/period.py.",
)
@click.option(
    "--config",
    default=None,
    help="With --data, only the test part of this training configuration's split.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN[,COLUMN]",
    help="Whom to compare; two columns with a comma are crossed; repeatable. Else neighborhood, "
    "language, caller_role, call_source and hours.",
)
@period_options
@click.option("--plan", default=None, help="A plan whose limits count instead of the release's.")
@click.option(
    "--mapping", type=_PATH, default=None, help="With --log: what outcomes say of a call, as YAML."
)
@click.option(
    "--boundaries",
    type=_PATH,
    default=None,
    help="GeoJSON of neighbourhoods: calls are counted where their points lie, and maps drawn.",
)
@click.option(
    "--name-property", default=None, help="With --boundaries: the property that holds a name."
)
@click.option(
    "--causes",
    is_flag=True,
    help="With --data and --out: also look for why groups differ (call mix, what drives scores, "
    "swaps of names, places, dialects and languages, what labels miss).",
)
@click.option(
    "--refit",
    is_flag=True,
    help="With --causes and --config: also train models with place and past as features, and "
    "models that never saw a place. Takes many trainings.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder for audit.html, audit.json and the tables as CSV.",
)
@click.option("--gate", is_flag=True, help="Exit with 1 if a group breaks a limit of the plan.")
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@release_option
@home_option
def audit(
    folder: Path | None,
    log: Path | None,
    scored: Path | None,
    config: str | None,
    by: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    plan: str | None,
    mapping: Path | None,
    boundaries: Path | None,
    name_property: str | None,
    causes: bool,
    refit: bool,
    out: Path | None,
    gate: bool,
    seed: int,
    release: Path | None,
    home: Path,
) -> None:
    """Audit the fairness of model, plan and decisions, group by group.

    Who is missed, who is sent police without need, and do people narrow or widen that? Every
    figure has a 95% interval, and every comparison one of three verdicts: differs, no difference
    found, or insufficient evidence with the number of calls that would suffice.

    Auditing on calls that the release was trained on flatters it: name the training
    configuration, or a period after it.

    Exits with 1 under --gate if a group differs by more than the plan allows; it says which, and
    by how much.
    """
    from data.errors import InputError
    from model_service.model.plan import AuditRule, load_plan
    from training.audit import options, people, places, why
    from training.audit.audit import audit as make
    from training.audit.boundaries import read_boundaries
    from training.audit.gate import breaches, unknown
    from training.audit.groups import DEFAULT
    from training.audit.report import summary, write_report
    from training.config import load_config

    if sum(given is not None for given in (folder, log, scored)) != 1:
        raise InputError("give one of --data, --log and --scored: the calls to audit")
    if config is not None and folder is None:
        raise InputError("--config goes with --data: only a folder of calls has a split")
    if causes and (folder is None or out is None):
        raise InputError("--causes goes with --data and --out")
    if refit and not (causes and config):
        raise InputError("--refit goes with --causes and --config: it trains as the release was")
    period, dataset = _period(folder, log, scored, config, since, until, mapping, release, home)
    drawn = None if boundaries is None else read_boundaries(boundaries, name_property)
    if drawn is not None:
        period, _ = places.located(period, drawn)
    if plan is not None:
        rule = load_plan(plan)[0].audit
    else:
        rule = AuditRule() if period.release is None else period.release.plan.audit
    columns = [column.replace(",", "×") for column in by] or list(DEFAULT)
    if gate:
        columns += rule.by
    made = make(period, by=columns, rule=rule, seed=seed, progress=progress)
    click.echo(summary(made))
    if out is not None:
        found = (
            people.section(period, made),
            places.section(period, made, drawn),
            options.section(period, made),
        )
        sections = [section for section in found if section is not None]
        if causes:
            assert dataset is not None
            sections += why.sections(
                period,
                dataset,
                refit=load_config(config) if refit and config else None,
                seed=seed,
                report=lambda words: click.echo(f"  {words}", err=True),
                progress=progress,
            )
        for path in write_report(made, out, sections):
            click.echo(f"written to {path}")
    if gate:
        broken = breaches(made)
        for breach in broken:
            click.echo(f"GATE  {breach}", err=True)
        open_ = unknown(made)
        if open_ and not rule.needs_evidence:
            click.echo(f"GATE  {open_} groups have too few calls to hold a limit to", err=True)
        if broken:
            sys.exit(1)
        click.echo("GATE  no group is known to break a limit of the plan", err=True)


def _period(
    folder: Path | None,
    log: Path | None,
    scored: Path | None,
    config: str | None,
    since: datetime | None,
    until: datetime | None,
    mapping: Path | None,
    release: Path | None,
    home: Path,
) -> tuple[Period, Dataset | None]:
    from data.dataset import Dataset
    from data.sources.labelled import read_labelled
    from training.audit.period import Period, from_dataset, from_log, read_table
    from training.config import load_config
    from training.fit import split

    if scored is not None:
        period = read_table(scored)
        if since is not None or until is not None:
            chosen = in_period(period.calls["received_at"], since, until)
            period = Period(period.calls[chosen], period.words)
        return period, None
    loaded = open_release(release, home)
    if log is not None:
        bounds = [None if day is None else day.replace(tzinfo=UTC) for day in (since, until)]
        period = from_log(
            loaded, log, mapping=mapping, since=bounds[0], until=bounds[1], progress=progress
        )
        return period, None
    assert folder is not None
    dataset = read_labelled(folder) if folder.is_file() else Dataset.read(folder)
    chosen = in_period(dataset.calls["received_at"], since, until)
    if config is not None:
        chosen &= split(dataset, load_config(config)) == "test"
    period = from_dataset(loaded, dataset, chosen, progress=progress)
    if config is not None:
        period.words["notes"].append(f"Only the test part of the configuration {config}.")
    return period, dataset
