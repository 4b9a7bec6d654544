"""Judge how many slips of the keys are mended, and how many right words are mistaken for slips.

With --words the list of real words is made anew (model_service/model/real_words.yaml): the words
of the given files, first on their line, that lie one slip from a word of the concepts or of the
rules and are none. With --keep those that it has stay.
Writes results.md.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.text import tokenize
from model_service.model.concepts import concepts_text, parse_concepts
from model_service.model.matching import PhraseMatcher
from model_service.model.rules import parse_rules, rules_text
from model_service.model.spelling import SHORTEST, Spelling
from training.behaviour.cases import read_cases

HERE = Path(__file__).parent
REAL = HERE.parents[1] / "model_service" / "model" / "real_words.yaml"
HEAD = """\
# Words and names that lie one slip from a listed word and are none: "stubbing" is not "stabbing".
# Made by experiments/2026-11-spelling/run.py; its README says from what.
"""
NEIGHBOURS = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxfwghjoklknmpowtdyicesux", strict=True))
"""A key beside each on an American keyboard."""


def matcher_of(real_words: Sequence[str]) -> PhraseMatcher:
    """Make the matcher of the shipped concepts with another list of real words."""
    concepts = parse_concepts(concepts_text())
    return PhraseMatcher(concepts.concepts, concepts.sets, concepts.scopes, real_words)


def make(files: Iterable[Path], kept: Iterable[str]) -> None:
    """Write the list of real words."""
    lines = (line for path in files for line in path.read_text("utf-8-sig").splitlines())
    known = {line.split()[0].lower() for line in lines if line.strip()}
    rules = parse_rules(rules_text())
    near = set(kept)
    for matcher in (matcher_of(()), PhraseMatcher(rules.facts, rules.sets, rules.scopes)):
        spelling = Spelling(matcher.automaton.words, ())
        near |= {w for w in known if not matcher.automaton.knows(w) and spelling.meant(w)}
    # In quotes: YAML takes some words for truth values.
    REAL.write_text(f"{HEAD}real_words: [{', '.join(map(repr, sorted(near)))}]\n", encoding="utf-8")


def slips(word: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Make one slip of each kind somewhere behind the first letter."""
    at = rng.randrange(1, len(word) - 1)
    yield "left out", word[:at] + word[at + 1 :]
    yield "doubled", word[:at] + word[at] + word[at:]
    yield "neighbouring key", word[:at] + NEIGHBOURS[word[at]] + word[at + 1 :]
    yield "swapped", word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def mended(texts: Sequence[str], real: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Count, per kind of slip, concepts found without it, and those still found with it.

    Returns
    -------
    dict
        Kind → concepts found before, found after with the list of real words, and without it.
    """
    rng = random.Random(0)
    plain, mending = matcher_of(()), matcher_of(real)
    counts: dict[str, list[int]] = {}
    for text in texts:
        before = {(h.concept, h.polarity): h for h in plain.find(text, tokenize(text))}
        for found in before.values():
            tokens = tokenize(text)
            places = [
                t
                for t in tokens[found.first : found.last]
                if len(t.text) > SHORTEST and t.text.isalpha() and t.end - t.start == len(t.text)
            ]
            if not places:
                continue
            token = rng.choice(places)
            for kind, slip in slips(token.text, rng):
                if slip == token.text:
                    continue
                there = text[: token.start] + slip + text[token.end :]
                tally = counts.setdefault(kind, [0, 0, 0])
                tally[0] += 1
                for place, matcher in enumerate((mending, plain), 1):
                    again = matcher.find(there, tokenize(there))
                    tally[place] += any((h.concept, h.polarity) == found[:2] for h in again)
    return {kind: (a, b, c) for kind, (a, b, c) in counts.items()}


def taken(texts: Sequence[str], real: Sequence[str]) -> tuple[int, int, Counter[tuple[str, str]]]:
    """Count the words of texts, those that are taken for slips, and for what."""
    automaton = matcher_of(()).automaton
    spelling = Spelling(automaton.words, real)
    words = 0
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        for token in tokenize(text):
            words += 1
            if not automaton.knows(token.text) and (meant := spelling.meant(token.text)):
                pairs[token.text, " or ".join(sorted(meant))] += 1
    return words, pairs.total(), pairs


def main() -> None:
    """Make the list where asked to, judge it and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=Path, nargs="*", help="files of words and names")
    parser.add_argument("--keep", action="store_true", help="add to the list that is there")
    parser.add_argument("--texts", type=Path, help="CSV with a column narrative, real calls")
    args = parser.parse_args()
    if args.words:
        make(args.words, parse_concepts(concepts_text()).real_words if args.keep else ())
    real = parse_concepts(concepts_text()).real_words
    cases = [call.narrative for case in read_cases() for call in case.calls]
    rows = [
        f"| {kind} | {n} | {without / n:.1%} | {with_ / n:.1%} |"
        for kind, (n, with_, without) in mended(cases, real).items()
    ]
    report = [
        "<!-- Written by run.py; do not edit. -->",
        "# Results",
        "",
        f"{len(real):,} real words. One slip in a word of more than {SHORTEST} letters of what was "
        f"found in the texts of `crisiscall behave`; is it still found, spoken of in the same way?",
        "",
        "| slip | concepts | slips not mended | mended |",
        "|---|--:|--:|--:|",
        *rows,
        "",
    ]
    words, slipped, _ = taken(cases, real)
    report += [f"In these texts {slipped} of {words:,} words are taken for slips."]
    if args.texts:
        with args.texts.open(encoding="utf-8", newline="") as file:
            calls = [row["narrative"] for row in csv.DictReader(file)]
        words, slipped, _ = taken(calls, real)
        report += [f"In real calls, machine-transcribed, {slipped:,} of {words:,} are."]
    (HERE / "results.md").write_text("\n".join(report) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
