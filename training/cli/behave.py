"""`crisiscall behave`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from training.cli.options import home_option, open_release, release_option
from training.cli.progress import progress


@click.command(epilog="Example: crisiscall behave --out behaviour.json")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="File to write the report to, as JSON.",
)
@release_option
@home_option
def behave(out: Path | None, release: Path | None, home: Path) -> None:
    """Run a release on written cases: what it must see, and what must make no difference.

    Plain calls whose crisis or risk must be seen; pairs that mean the same and must get the same
    recommendation; pairs in which something is added that must, or must not, move a target. The
    exit code is 1 if fewer are kept than the goals ask for. The last column counts, without a goal,
    the plain calls that are in the band high, or low, as they should be, and the pairs whose bands
    are the same too.
    """
    import json

    from data.files import write_whole
    from training.behaviour import missed, run

    report = run(open_release(release, home), progress=progress)
    lines = [
        "| kind | group | cases | passed | share | goal | strict |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for kind, tally in report["kinds"].items():
        name = kind.replace("_", "-")
        lines.append(_row(f"**{name}**", "all", tally, f"{tally['goal']:.0%}"))
        lines += [_row(name, group, own, "") for group, own in tally["groups"].items()]
    click.echo("\n".join(lines))
    for kind, tally in report["kinds"].items():
        if tally["failed"]:
            click.echo(f"\nfailed, {kind.replace('_', '-')}:")
            click.echo("\n".join(f"  {case}" for case in tally["failed"]))
    if out is not None:
        write_whole(out, json.dumps(report, indent=2, allow_nan=False) + "\n")
        click.echo(f"\nwritten to {out}")
    if short := missed(report):
        kinds = ", ".join(kind.replace("_", "-") for kind in short)
        click.echo(f"fewer cases are kept than the goal asks for: {kinds}", err=True)
        sys.exit(1)


def _row(kind: str, group: str, tally: dict[str, Any], goal: str) -> str:
    strict = "" if tally["strict"] is None else f"{tally['strict']:,}"
    return (
        f"| {kind} | {group} | {tally['cases']:,} | {tally['passed']:,} "
        f"| {tally['share']:.1%} | {goal} | {strict} |"
    )
