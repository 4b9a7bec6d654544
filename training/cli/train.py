"""`crisiscall train`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from training.cli.options import home_option
from training.cli.progress import progress


@click.command(epilog="Example: crisiscall train --data var/data/synthetic --config synthetic")
@click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of calls, made by `crisiscall data`.",
)
@click.option(
    "--config",
    default="synthetic",
    show_default=True,
    help="A shipped configuration (synthetic, seattle) or a YAML file.",
)
@click.option(
    "--no-champion",
    is_flag=True,
    help="Leave the release beside the others even if none is in force yet.",
)
@home_option
def train(folder: Path, config: str, no_champion: bool, home: Path) -> None:
    """Fit both heads, set thresholds, evaluate, log to MLflow, write a release.

    The first release is put in force; a later one has to pass the gates of `crisiscall promote`.
    """
    from data.dataset import Dataset
    from model_service.model.release import ReleaseError
    from model_service.model.store import champion
    from training import pipeline
    from training.card import head_table, unkept_promise
    from training.config import load_config
    from training.keys import signing_key
    from training.promote import first_in_force
    from training.registry import register

    settings = load_config(config)
    dataset = Dataset.read(folder)
    store = home / "releases"
    try:
        champion(store)
        first = False
    except ReleaseError:
        first = not no_champion
    key = signing_key(home / "keys")
    try:
        trained = pipeline.train(
            dataset,
            settings,
            store=store,
            key=key,
            report=lambda words: click.echo(f"  {words}", err=True),
            progress=progress,
        )
    except pipeline.ParityError as error:
        click.echo(f"crisiscall: {error}", err=True)
        sys.exit(1)
    click.echo("  logging the run to MLflow", err=True)
    registered = register(trained, dataset, settings, home=home, champion=first)
    if first:
        first_in_force(store, trained.release, key=key)
    click.echo(head_table(trained.metrics["test"]))
    click.echo()
    for target, thresholds in trained.metrics["thresholds"].items():
        if thresholds["low"] is None:
            click.echo(f"PROMISE   {unkept_promise(target, thresholds['evidence']['low'])}")
    click.echo(f"release   {trained.folder}" + ("  (champion)" if first else ""))
    click.echo(f"parity    {trained.parity:.1e} between pipeline and scorer")
    click.echo(
        f"MLflow    {registered.model} version {registered.version}, run {registered.run_id}"
    )
