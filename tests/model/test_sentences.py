"""The rules read sentences of many hands: what they must find, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_service.model.rules import parse_rules, rule_reader, rules_text
from tests.model.sentences import (
    FOLDER,
    Count,
    Sentence,
    evaluate,
    main,
    read_sentences,
    table,
)

FACTS = """
version: 1
sets: {}
scopes:
  reach: {denied: 3}
  before: {denied: ["no"]}
  after: {}
  breaks: [but]
  questions: [any]
  "yes": ["yes"]
  "no": [nope]
facts:
  weapon: {about: a test, phrases: [knife]}
  fire: {about: a test, phrases: [smoke]}
"""
FLOORS = {
    # File: recall of all pairs that is reached at least, false alarms at most. The goals are 0.98
    # and 0.05. Every file was read worse at first look than now and is held where it is: second
    # 0.81 and 0.19, third 0.57 and 0.33, fourth (adversaries) 0.76 and 0.19, fifth 0.97 and 0.12,
    # sixth 0.87 and 0.12, seventh 0.90 and 0.12, eighth 0.97 and 0.13 (ordinary shifts).
    # No rule was written from judge_d: 0.89 and 0.16 before the last round of rules, 0.92 and 0.11
    # after it. It has judged; the next round needs another.
    "development": (0.98, 0.05),
    "second": (0.97, 0.03),
    "third": (0.95, 0.12),
    "fourth": (0.94, 0.05),
    "fifth": (0.98, 0.05),
    "sixth": (0.97, 0.03),
    "seventh": (0.98, 0.03),
    "eighth": (0.98, 0.03),
    "judge_d": (0.92, 0.11),
}


def test_every_file_of_sentences_has_a_floor() -> None:
    assert {path.stem for path in FOLDER.glob("*.tsv")} == FLOORS.keys()


@pytest.mark.parametrize("name", FLOORS)
def test_the_shipped_rules_read_the_sentences(name: str) -> None:
    path = FOLDER / f"{name}.tsv"
    recall, alarms = FLOORS[name]
    reading = evaluate(read_sentences(path), rule_reader(rules_text()))
    assert reading.overall.share >= recall, table(path.name, reading)
    assert reading.alarms.share <= alarms, table(path.name, reading)


def test_recall_counts_pairs_and_alarms_count_sentences() -> None:
    sentences = [
        Sentence("true", ("weapon", "fire"), "speech", "a knife and smoke"),
        Sentence("true", ("weapon", "injury"), "speech", "a blade"),
        Sentence("alike", ("weapon",), "denied", "no knife"),
        Sentence("alike", ("fire",), "homonym", "smoke and knife"),
    ]
    reading = evaluate(sentences, rule_reader(FACTS))
    assert reading.recall == {"weapon": Count(1, 2), "fire": Count(1, 1)}
    assert reading.overall == Count(2, 3)
    assert reading.alarms == Count(1, 2)
    assert reading.missed == (("weapon", sentences[1]),)
    assert reading.wrong == (("fire", sentences[3]), ("weapon", sentences[3]))


def test_wilsons_interval() -> None:
    # Newcombe 1998 (Statist. Med. 17:857-872), table I: 81 of 263 and 0 of 20.
    assert Count(81, 263).interval() == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Count(0, 20).interval() == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert Count(0, 0).interval() == (0.0, 1.0)


@pytest.mark.parametrize("line", ["true\tweapon\ta knife", "maybe\tweapon\tspeech\ta knife"])
def test_a_line_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "some.tsv"
    path.write_text(f"true\tweapon\tspeech\ta knife\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"some\.tsv:2: expected half"):
        read_sentences(path)


def test_the_command_prints_the_table_and_the_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.tsv"
    path.write_text("true\tweapon\tspeech\tnothing of the kind\n", encoding="utf-8")
    main([str(path), "--missed"])
    printed = capsys.readouterr().out
    assert "recall, all pairs     0/1" in printed
    assert "missed\tweapon\tspeech\tnothing of the kind" in printed


def test_the_development_sentences_name_facts_of_the_list() -> None:
    codes = {
        "weapon",
        "violence",
        "threat_to_others",
        "injury",
        "overdose",
        "crime_in_progress",
        "barricaded",
        "fire",
    }
    named = {code for s in read_sentences(FOLDER / "development.tsv") for code in s.codes}
    assert named == codes
    assert set(parse_rules(rules_text()).facts) <= codes
