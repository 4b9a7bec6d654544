"""`crisiscall promote`, `crisiscall rollback` and `crisiscall releases`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from training.cli.options import home_option, in_period, period_options
from training.cli.progress import progress

BY = click.option("--by", required=True, help="Who signs for it.")
REASON = click.option("--reason", required=True, help="Why, in a sentence.")


@click.command(
    epilog="Example: crisiscall promote 0f3a9c21 --data var/data/synthetic --config synthetic "
    "--by ana.data --reason 'autumn calls learned'"
)
@click.argument("release")
@click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder of labelled calls from which neither release has learned.",
)
@click.option("--config", default=None, help="Take the test part of this configuration's split.")
@period_options
@click.option(
    "--log",
    "export",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="Export of the decision log on which the release ran in shadow (`crisiscall log export`).",
)
@click.option("--override", is_flag=True, help="Promote although gates are not passed; on record.")
@click.option("--dry-run", is_flag=True, help="Measure the gates and change nothing.")
@BY
@REASON
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@home_option
def promote(
    release: str,
    folder: Path,
    config: str | None,
    since: datetime | None,
    until: datetime | None,
    export: Path | None,
    override: bool,
    dry_run: bool,
    by: str,
    reason: str,
    seed: int,
    home: Path,
) -> None:
    """Put a release in force, if it passes its gates.

    Quality against the release in force, the safety promise, calibration, written cases, parity,
    speed, and a time in shadow; limits stand in the plan in force, under `promotion`. The figures,
    the person and the reason are signed and kept, and the service writes them into the decision log
    when the release comes into force. Exit code 1: a gate was not passed, and nothing was changed.
    """
    from data.dataset import Dataset
    from model_service.model.store import CHAMPION
    from training import promote as promotion
    from training.card import gates_table
    from training.cli.stores import named_release
    from training.compare import judged_calls
    from training.gates import not_passed
    from training.keys import signing_key
    from training.registry import name_alias
    from training.shadow import read_shadow

    before, after = named_release(CHAMPION, home), named_release(release, home)
    dataset = Dataset.read(folder)
    chosen = judged_calls(before, after, dataset, config, since)
    chosen &= in_period(dataset.calls["received_at"], since, until)
    found, _ = promotion.examine(
        before,
        after,
        dataset,
        chosen,
        shadow=None if export is None else read_shadow(export),
        seed=seed,
        progress=progress,
    )
    click.echo(gates_table(found) + "\n")
    stopped = not_passed(found)
    if stopped and (dry_run or not override):
        names = ", ".join(gate.name for gate in stopped)
        click.echo(f"not promoted: {names}", err=True)
        sys.exit(1)
    if dry_run:
        click.echo("every gate is passed; nothing was changed")
        return
    store = home / "releases"
    key = signing_key(home / "keys")
    promotion.promote(store, after, found, by=by, reason=reason, key=key, override=override)
    click.echo(f"{after.name} is in force; before it: {before.name}")
    name_alias(home, after)


@click.command(
    epilog="Example: crisiscall rollback --by night.lead --reason 'missed two risks in an hour'"
)
@BY
@REASON
@home_option
def rollback(by: str, reason: str, home: Path) -> None:
    """Bring back the release that was in force before, at once.

    The service takes it within seconds (`CRISISCALL_RELOAD_SECONDS`). Going back again goes one
    promotion further back.
    """
    from model_service.model.release import NAME_LENGTH
    from training import promote as promotion
    from training.cli.stores import named_release
    from training.keys import signing_key
    from training.registry import name_alias

    made = promotion.roll_back(
        home / "releases", by=by, reason=reason, key=signing_key(home / "keys")
    )
    back, before = (str(digest)[:NAME_LENGTH] for digest in (made.release, made.before))
    click.echo(f"{back} is in force again; before it: {before}")
    name_alias(home, named_release(back, home))


@click.command(epilog="Example: crisiscall releases")
@home_option
def releases(home: Path) -> None:
    """List releases and promotions, and check that no record of a promotion was changed."""
    from model_service.model.promotion import promotions
    from model_service.model.release import NAME_LENGTH, ReleaseError, load_release
    from model_service.model.store import champion
    from training.cli.stores import folders

    store = home / "releases"
    try:
        in_force = champion(store).name
    except ReleaseError:
        in_force = ""
    rows = ["| release | configuration | plan | trained on calls from | |", "|---|---|---|---|---|"]
    for path in folders(store):
        try:
            release = load_release(path, trusted=None)
        except ReleaseError:
            rows.append(f"| {path.name} | – | – | – | damaged |")
            continue
        since = release.metrics.get("data", {}).get("source") or "–"
        mark = "**in force**" if path.name == in_force else ""
        rows.append(
            f"| {release.name} | {release.metrics.get('configuration', '–')} "
            f"| {release.plan.plan} {release.plan.version} | {since} | {mark} |"
        )
    click.echo("\n".join(rows))
    made = promotions(store)
    if made:
        click.echo("\n| at | | release | by | reason | overridden |\n|---|---|---|---|---|---|")
    for one in made:
        overridden = ", ".join(one.overridden) or "–"
        click.echo(
            f"| {one.at} | {one.kind} | {one.release[:NAME_LENGTH]} | {one.by} | {one.reason} "
            f"| {overridden} |"
        )
