"""`crisiscall card`."""

from __future__ import annotations

from pathlib import Path

import click

from data.files import write_whole
from training.cli.options import home_option, open_release, release_option


@click.command(epilog="Example: crisiscall card --out card.md")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="File to write; else the card is printed.",
)
@release_option
@home_option
def card(out: Path | None, release: Path | None, home: Path) -> None:
    """Show a release's model card.

    It is as it was written when the release was made; if the release was ever put in force under
    --home, who did so, why, and what its gates said stands at the end.
    """
    from model_service.model.promotion import promotions
    from training.card import in_force_section

    shown = open_release(release, home)
    own = [one for one in promotions(home / "releases") if one.release == shown.digest]
    text = shown.card + in_force_section(own)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_whole(out, text)
        click.echo(f"written to {out}")
