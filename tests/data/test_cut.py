"""The cut: what units wrote goes, what callers told stays. Every text here is invented."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import cut as module
from data.cut import (
    AFTER_STAMP,
    CutCount,
    CutError,
    CutRule,
    CutSettings,
    compile_rules,
    cut,
    standard_rules,
)
from tests.strategies import narratives

CASES = (Path(__file__).parent / "cut_cases.txt").read_text(encoding="utf-8").splitlines()
"""`cut ` before a case in which ~~ stands where it is cut, `keep ` before one that is not; \\n is a
line break."""

CUT = [line[4:] for line in CASES if line.startswith("cut ")]
KEEP = [line[5:] for line in CASES if line.startswith("keep ")]


def test_there_are_enough_cases_and_half_must_not_be_cut() -> None:
    assert len(CUT) + len(KEEP) >= 120
    assert len(KEEP) >= (len(CUT) + len(KEEP)) / 2
    assert len(set(CUT + KEEP)) == len(CUT + KEEP)


@pytest.mark.parametrize("number", range(len(CUT)))
def test_what_was_written_after_dispatch_is_cut(number: int) -> None:
    before, after = CUT[number].replace("\\n", "\n").split("~~")
    result = cut(before + after, standard_rules())
    assert (result.kept, result.removed) == (before.rstrip(), after.strip()), CUT[number]
    assert len(result.rules) == 1


@pytest.mark.parametrize("number", range(len(KEEP)))
def test_what_the_caller_tells_is_not_cut(number: int) -> None:
    text = KEEP[number].replace("\\n", "\n")
    assert cut(text, standard_rules()) == module.Cut(text), KEEP[number]


RECEIVED = datetime(2026, 3, 1, 23, 50)
DISPATCHED = datetime(2026, 3, 2, 0, 4, 30)


def timed(text: str) -> str:
    rules = compile_rules("rules: []")
    return cut(text, rules, received_at=RECEIVED, dispatched_at=DISPATCHED).kept


def test_lines_stamped_after_dispatch_are_cut_with_what_hangs_on_them() -> None:
    text = "23:51 son has a knife\n  more of it\n00:04 in kitchen\n00:05 he put it down\n  calm now"
    assert timed(text) == "23:51 son has a knife\n  more of it\n00:04 in kitchen"


def test_stamps_with_seconds_dates_and_brackets() -> None:
    text = (
        "[03/01/2026 23:51:10] son has a knife\n[03/02/2026 00:04:30] in kitchen\n"
        "[03/02/2026 00:04:31] sleeping\n2026-03-02 00:06:00 gone\n3/1 23:58 back door"
    )
    assert timed(text) == (
        "[03/01/2026 23:51:10] son has a knife\n[03/02/2026 00:04:30] in kitchen\n"
        "3/1 23:58 back door"
    )


def test_newest_first_needs_no_word_for_stamped_lines() -> None:
    assert timed("00:09 calm now\n23:51 son has a knife") == "23:51 son has a knife"


def test_a_time_that_was_told_is_no_stamp() -> None:
    text = "son has a knife\n22:30 was when he last took his pills\n01:00 is when he goes to work"
    assert timed(text) == text


def test_without_the_time_of_dispatch_stamps_cut_nothing() -> None:
    text = "23:51 son has a knife\n09:00 calm"
    assert cut(text, compile_rules("rules: []"), received_at=RECEIVED).kept == text


def test_what_was_cut_by_time_is_named_and_words_are_looked_for_in_the_rest() -> None:
    text = "23:51 son has a knife\n23:59 2A12 enroute\n00:01 second line\n00:07 in custody"
    result = cut(text, standard_rules(), received_at=RECEIVED, dispatched_at=DISPATCHED)
    assert result.kept == "23:51 son has a knife"
    assert result.rules == (AFTER_STAMP, "unit status")


def test_newest_first_cuts_upwards() -> None:
    text = "ONE IN CUSTODY\n2A12 ON SCENE\nHAS A KNIFE\nSON IS SUICIDAL"
    result = cut(text, standard_rules(), newest_first=True)
    assert result.kept == "HAS A KNIFE\nSON IS SUICIDAL"
    assert cut(text, standard_rules()).kept == ""


def test_an_agency_adds_rules_and_leaves_some_out() -> None:
    own = CutRule(name="ours", starts="signal 5\\b")
    assert CutSettings(extra=[own]).compile().find("signal 5") == "ours"
    assert CutSettings(without=["unit status"]).compile().find("2a12 on scene") is None
    assert CutSettings(words="none", extra=[own]).compile().find("2a12 on scene") is None
    with pytest.raises(CutError, match="no rule 'x' to leave out"):
        CutSettings(without=["x"]).compile()


@pytest.mark.parametrize(
    "pattern",
    ["a*", "a+b", "a{3,}", "(?:ab){2}", "(?=a)", "(?<!a)", "(a)\\1", "a{1,99}", "(?P<n>a)"],
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="a pattern of a cut takes no"):
        CutRule(name="slow", pattern=pattern)
    with pytest.raises(CutError, match=r"rules\.0\.pattern: a pattern"):
        compile_rules(f"rules: [{{name: slow, pattern: '{pattern}'}}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [", "not valid YAML"),
        ("rulez: []", "rules: Field required"),
        ("rules: [{name: a}]", "a: give either starts or pattern"),
        ("rules: [{name: a, starts: '(b'}]", "a: not a regular expression"),
    ],
)
def test_rules_that_cannot_be_used_say_why(text: str, message: str) -> None:
    with pytest.raises(CutError, match=message):
        compile_rules(text)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(narratives, st.booleans())
def test_no_character_is_lost_or_made(text: str, newest_first: bool) -> None:
    result = cut(text, standard_rules(), newest_first=newest_first)
    bare = re.sub(r"\s", "", text)
    assert sorted(re.sub(r"\s", "", result.kept + result.removed)) == sorted(bare)
    if not result.rules:
        assert result.kept == text
    again = cut(result.kept, standard_rules(), newest_first=newest_first)
    assert again.kept == result.kept


@pytest.mark.parametrize("unit", ["a1", "unit ", "12:30:", "per 2a12 ", "male ", "[", "((", " - "])
def test_time_grows_with_the_length_alone(unit: str) -> None:
    rules = standard_rules()
    texts = [(unit * 20_000)[:size] for size in (5_000, 20_000)]
    spent = []
    for text in texts:
        begun = time.perf_counter()
        cut(text, rules)
        spent.append(time.perf_counter() - begun)
    assert spent[1] < 16 * max(spent[0], 0.005)


def test_counts_tell_no_words() -> None:
    count = CutCount(standard_rules().digest)
    for text in ("SON HAS A KNIFE\n2A12 ON SCENE", "2A12 ENRT", "nothing to cut", ""):
        count.add(cut(text, standard_rules()))
    told = count.as_manifest()
    assert told["narratives"] == 3
    assert told["narratives_cut"] == 2
    assert told["narratives_emptied"] == 1
    assert told["by_rule"] == {"unit status": 2}
    assert told["characters_cut"] == len("2A12 ON SCENE") + len("2A12 ENRT")
    assert "KNIFE" not in str(told)
