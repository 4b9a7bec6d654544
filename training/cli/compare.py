"""`crisiscall compare`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from training.cli.options import home_option, in_period, period_options
from training.cli.progress import progress


@click.command(
    epilog="Example: crisiscall compare champion 0f3a9c21d4e5b687 --data var/data/synthetic "
    "--config synthetic --out var/comparison"
)
@click.argument("a")
@click.argument("b")
@click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder of labelled calls, made by `crisiscall data`.",
)
@click.option(
    "--config",
    default=None,
    help="Compare on the test part of this training configuration's split.",
)
@period_options
@click.option("--by", default="neighborhood", show_default=True, help="Column of the groups.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder for comparison.json and comparison.md.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@home_option
def compare(
    a: str,
    b: str,
    folder: Path,
    config: str | None,
    since: datetime | None,
    until: datetime | None,
    by: str,
    out: Path | None,
    seed: int,
    home: Path,
) -> None:
    """Set release B beside release A on the same later calls.

    A and B are folders, names of releases under --home, or `champion`. Without --config or --since
    the calls are those from the day on which the test periods of both begin. Where the two
    recommend different responses, calls are named by their numbers; who may read them finds them
    on the console.
    """
    import json

    from data.dataset import Dataset
    from data.files import write_whole
    from training.cli.stores import named_release
    from training.compare import compare as measure
    from training.compare import judged_calls
    from training.compare_words import report

    first, second = (named_release(name, home) for name in (a, b))
    dataset = Dataset.read(folder)
    chosen = judged_calls(first, second, dataset, config, since)
    chosen &= in_period(dataset.calls["received_at"], since, until)
    compared = measure(first, second, dataset, chosen, by=by, seed=seed, progress=progress)
    text = report(compared, {"a": first.name, "b": second.name})
    click.echo(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "comparison.json", json.dumps(compared, indent=2) + "\n")
        write_whole(out / "comparison.md", text)
        click.echo(f"written to {out}")
