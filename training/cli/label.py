"""`crisiscall data label`: an expert reads calls in the terminal and says what they were."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from data.errors import InputError

if TYPE_CHECKING:
    from data.dataset import Dataset
    from data.review import Estimate, Round

ENTER, LEAVE = "\x1b[?1049h\x1b[H", "\x1b[?1049l"
"""The terminal's second screen: what was shown there is not in its history afterwards."""


@click.command(epilog='Example: crisiscall data label var/data/ours --by "R. Alvarez"')
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--by", metavar="NAME", help="The reviewer's name; it stands at every label.")
@click.option(
    "--suspects",
    "most",
    default=50,
    show_default=True,
    type=click.IntRange(0),
    help="Per target, at most so many calls whose label is likely wrong.",
)
@click.option(
    "--sample",
    default=100,
    show_default=True,
    type=click.IntRange(0),
    help="Per target, so many of the other calls at random, to estimate what is missed.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--new-round", is_flag=True, help="Draw anew, though the last round has open calls.")
@click.option("--estimate", "only", is_flag=True, help="Show what the last round says, and end.")
def label(
    folder: Path,
    by: str | None,
    most: int,
    sample: int,
    seed: int,
    new_round: bool,
    only: bool,
) -> None:
    """Review the labels of a FOLDER of calls, one call after another.

    A round mixes calls whose label is likely wrong with a random sample of all others, and shows
    neither label nor score. Answers are added to the folder as labels of the source expert_review
    with your name and the time; a round can be left and taken up again. At the end stands what
    share of the positive calls the labels miss, with a 95% interval.
    """
    from data import review
    from data.dataset import Dataset

    dataset = Dataset.read(folder)
    known = review.rounds(dataset)
    if only:
        if not known:
            raise InputError(f"{folder} has had no review; begin one with --by NAME")
        _tell(dataset, known[-1])
        return
    if by is None:
        raise InputError("say who reviews: --by NAME")
    session = review.Session(folder, dataset, by)
    with _screen() as screen:
        if new_round or not known or not session.open_calls(known[-1]):
            current = review.draw(dataset, _suspects(dataset, most), sample=sample, seed=seed)
            session.begin(current)
        else:
            current = known[-1]
        left = len(session.open_calls(current))
        screen.write(f"round {current.number}: {left} calls to review. {review.HELP}\n\n")
        answered = review.work(
            session, current, show=lambda text: _put(screen, text), ask=lambda q: _ask(screen, q)
        )
    click.echo(f"{answered} calls answered, {left - answered} left in round {current.number}")
    _tell(session.dataset, current)


def _suspects(dataset: Dataset, most: int) -> dict[str, list[str]]:
    if not most:
        return {}
    from training.label_audit import suspects

    found = suspects(dataset, report=lambda words: click.echo(f"  {words}", err=True))
    return {target: ids[:most] for target, ids in found.items()}


@contextmanager
def _screen() -> Iterator[IO[str]]:
    """Open the reviewer's screen; narratives are never written to a file or a pipe."""
    if sys.stdout.isatty():
        screen: IO[str] = sys.stdout
        close = False
    else:
        try:
            screen, close = open("/dev/tty", "w", encoding="utf-8"), True  # noqa: SIM115
        except OSError:
            raise InputError(
                "calls are shown on a terminal only, and there is none; run it in a terminal"
            ) from None
    try:
        _put(screen, ENTER)
        yield screen
    finally:
        _put(screen, LEAVE)
        if close:
            screen.close()


def _put(screen: IO[str], text: str) -> None:
    screen.write(text)
    screen.flush()


def _ask(screen: IO[str], question: str) -> str | None:
    """Ask on the screen; the answer is a line of standard input, whatever that is."""
    _put(screen, question)
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        return None
    return line if line else None


def _tell(dataset: Dataset, of: Round) -> None:
    from data.call import TARGETS
    from data.review import estimate

    for target in TARGETS:
        made = estimate(dataset, of, target)
        click.echo(f"\n{target}, round {of.number}")
        click.echo(f"{'':<20}{'calls':>9}{'drawn':>9}{'answered':>10}{'yes':>6}{'unsure':>8}")
        for name, row in made.strata.iterrows():
            click.echo(
                f"{str(name).replace('_', ' '):<20}{row['size']:>9,}{row['drawn']:>9,}"
                f"{row['answered']:>10,}{row['yes']:>6,}{row['unsure']:>8,}"
            )
        click.echo(f"missed, of all positive calls        {_figure(made.missed_share)}")
        click.echo(f"positive, of those not labelled so   {_figure(made.missed)}")
        click.echo(f"not positive, of those labelled so   {_figure(made.wrong)}")


def _figure(of: Estimate) -> str:
    value = "not yet known" if of.value is None else f"{of.value:.1%}"
    return f"{value} (95% interval {of.low:.1%} to {of.high:.1%})"
