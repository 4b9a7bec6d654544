"""`crisiscall evaluate`."""

from __future__ import annotations

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


@click.command(
    epilog="Example: crisiscall evaluate --data var/data/seattle --config seattle "
    "--out var/evaluation/seattle"
)
@click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder of labelled calls, made by `crisiscall data`; or a CSV, JSONL or Parquet file "
    "of calls with the columns mental_health_crisis and safety_risk (1, 0 or blank).",
)
@click.option(
    "--config",
    default=None,
    help="Evaluate only the test part of this training configuration's split.",
)
@period_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder for evaluation.json, evaluation.md and the plots.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@click.option(
    "--weighted",
    is_flag=True,
    help="Also estimate what is missed of all calls, from the calls of the last random review "
    "(`crisiscall data label`), weighted by how they were drawn; of a decision log also what "
    "people missed, with advice and without.",
)
@release_option
@home_option
def evaluate(
    folder: Path,
    config: str | None,
    since: datetime | None,
    until: datetime | None,
    out: Path | None,
    seed: int,
    weighted: bool,
    release: Path | None,
    home: Path,
) -> None:
    """Measure a release on labelled calls, with 95% intervals.

    Evaluating on calls that the release was trained on flatters it: name the training
    configuration, or a period after it. If the release uses the history of premises, it is
    computed from all calls of the folder and the labels that were known by each call's time.
    """
    import json

    from data.dataset import Dataset
    from data.errors import InputError
    from data.files import write_whole
    from data.sources.labelled import read_labelled
    from training.card import head_table, recommendation_tables
    from training.config import load_config
    from training.evaluate import evaluate as measure
    from training.fit import split
    from training.history import with_history
    from training.weighted import reviewed_calls, weigh, weighted_table

    loaded = open_release(release, home)
    dataset = read_labelled(folder) if folder.is_file() else Dataset.read(folder)
    chosen = in_period(dataset.calls["received_at"], since, until)
    if config is not None:
        chosen &= split(dataset, load_config(config)) == "test"
    if not chosen.any():
        raise InputError("no call lies in the period that was asked for")
    reviewed = reviewed_calls(dataset) if weighted else None  # refuse before the work
    calls = with_history(dataset.calls, loaded.scorer.history, dataset.labels)
    clusters = dataset.families().fillna(dataset.incidents())
    evaluation = {
        "release": loaded.digest,
        "data": {"source": dataset.manifest.get("source"), "digest": dataset.digest},
        **measure(
            loaded,
            calls[chosen],
            dataset.targets()[chosen],
            clusters[chosen],
            seed=seed,
            progress=progress,
        ),
    }
    tables = head_table(evaluation) + "\n\n" + recommendation_tables(evaluation["recommendation"])
    if reviewed is not None:
        evaluation["weighted"] = weigh(loaded, dataset, calls[chosen], reviewed, progress)
        tables += "\n\n" + weighted_table(evaluation["weighted"])
    click.echo(tables)
    if out is not None:
        from training.plots import draw

        out.mkdir(parents=True, exist_ok=True)
        plots = draw(evaluation, out)
        text = json.dumps(evaluation, indent=2, allow_nan=False)
        write_whole(out / "evaluation.json", text + "\n")
        heading = (
            f"# Release {loaded.name} on {evaluation['calls']:,} calls of "
            f"{evaluation['data']['source']}\n\n"
            f"{evaluation['received_at'][0][:10]} to {evaluation['received_at'][1][:10]}; "
            "95% intervals from a bootstrap of whole clusters.\n\n"
        )
        images = "".join(f"\n![{plot.stem}]({plot.name})\n" for plot in plots)
        write_whole(out / "evaluation.md", heading + tables + "\n" + images)
        click.echo(f"\nwritten to {out}")
