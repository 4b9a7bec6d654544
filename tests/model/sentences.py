"""How well the rules read sentences by hand: `python -m tests.model.sentences [--missed] [FILE…]`.

`sentences/*.tsv` hold one sentence a line with four columns: half (`true` or `alike`), codes of the
facts that hold (or that a look-alike looks like), kind, sentence. Recall counts pairs of a true
sentence and a fact that it holds; a false alarm is a look-alike in which any fact is read as
holding.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import click

from data.text import tokenize
from model_service.model.rules import RuleReader, rule_reader, rules_text

FOLDER = Path(__file__).parent / "sentences"


class Sentence(NamedTuple):
    """A line of a file of sentences."""

    half: str
    codes: tuple[str, ...]
    kind: str
    text: str


class Count(NamedTuple):
    """How many of how many."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """Give the share, in [0, 1]."""
        return self.hits / self.of if self.of else math.nan

    def interval(self) -> tuple[float, float]:
        """Give Wilson's interval of the share at 95 % (Wilson 1927, JASA 22:209-212)."""
        z = 1.959964
        if not self.of:
            return 0.0, 1.0
        middle = (self.share + z * z / (2 * self.of)) / (1 + z * z / self.of)
        spread = self.share * (1 - self.share) / self.of + (z / (2 * self.of)) ** 2
        half = z * math.sqrt(spread) / (1 + z * z / self.of)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Reading:
    """What the rules made of a file.

    Parameters
    ----------
    recall : dict
        Fact → its pairs that were read.
    alarms : Count
        Look-alikes in which any fact was said.
    missed, wrong : tuple of (str, Sentence)
        Facts that were not read; facts that were read wrongly.
    """

    recall: dict[str, Count]
    alarms: Count
    missed: tuple[tuple[str, Sentence], ...]
    wrong: tuple[tuple[str, Sentence], ...]

    @property
    def overall(self) -> Count:
        """Count all pairs together."""
        return Count(
            sum(c.hits for c in self.recall.values()), sum(c.of for c in self.recall.values())
        )


def read_sentences(path: Path) -> list[Sentence]:
    """Read a file of sentences.

    Raises
    ------
    ValueError
        If a line has not four columns, or its half is unknown.
    """
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        columns = line.split("\t")
        if len(columns) != 4 or columns[0] not in ("true", "alike"):
            raise ValueError(f"{path.name}:{number}: expected half, codes, kind, sentence")
        half, codes, kind, text = columns
        found.append(Sentence(half, tuple(codes.split(",")), kind, text))
    return found


def said(reader: RuleReader, text: str) -> set[str]:
    """Name the facts that a text says hold."""
    return {hit.fact for hit in reader.read(text, tokenize(text)) if hit.polarity == "said"}


def evaluate(sentences: Iterable[Sentence], reader: RuleReader) -> Reading:
    """Read sentences with the rules and count what was found."""
    pairs = {fact: [0, 0] for fact in reader.facts}
    missed: list[tuple[str, Sentence]] = []
    wrong: list[tuple[str, Sentence]] = []
    alike = alarms = 0
    for sentence in sentences:
        facts = said(reader, sentence.text)
        if sentence.half == "alike":
            alike += 1
            alarms += bool(facts)
            wrong += [(fact, sentence) for fact in sorted(facts)]
            continue
        for fact in pairs.keys() & set(sentence.codes):
            pairs[fact][0] += fact in facts
            pairs[fact][1] += 1
            if fact not in facts:
                missed.append((fact, sentence))
    recall = {fact: Count(*count) for fact, count in pairs.items()}
    return Reading(recall, Count(alarms, alike), tuple(missed), tuple(wrong))


def _line(name: str, count: Count) -> str:
    low, high = count.interval()
    return f"  {name:<18} {count.hits:>4}/{count.of:<4} {count.share:6.3f}  [{low:.3f}, {high:.3f}]"


def table(name: str, reading: Reading) -> str:
    """Write what was counted as lines of a table."""
    lines = [name, *(_line(fact, count) for fact, count in reading.recall.items())]
    lines += [_line("recall, all pairs", reading.overall), _line("false alarms", reading.alarms)]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of every file, and with `--missed` the lines that were read wrongly."""
    parser = argparse.ArgumentParser(description="How well the rules read the sentences.")
    parser.add_argument("files", nargs="*", type=Path, help="default: all of tests/model/sentences")
    parser.add_argument("--missed", action="store_true", help="print the lines read wrongly")
    options = parser.parse_args(arguments)
    reader = rule_reader(rules_text())
    for path in options.files or sorted(FOLDER.glob("*.tsv")):
        reading = evaluate(read_sentences(path), reader)
        click.echo(table(path.name, reading))
        if options.missed:
            for title, lines in (("missed", reading.missed), ("wrong", reading.wrong)):
                for fact, sentence in lines:
                    click.echo(f"{title}\t{fact}\t{sentence.kind}\t{sentence.text}")


if __name__ == "__main__":
    main()
