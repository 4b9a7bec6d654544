"""Figures and findings in plain words."""

from __future__ import annotations

import math

import pytest

from training.audit.words import against, gap, number, sentence, where


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.1234, "share", "12.3%"),
        (1.056, "number", "1.06"),
        (12.34, "seconds", "12.3 s"),
        (math.nan, "share", "–"),
        (None, "share", "–"),
    ],
)
def test_a_figure_has_its_unit_and_a_missing_one_is_a_dash(
    value: float | None, unit: str, said: str
) -> None:
    assert number(value, unit) == said


def test_a_gap_has_a_sign_unless_it_is_nought() -> None:
    assert gap(0.051, "share") == "+5.1"
    assert gap(-0.051, "share") == "−5.1"
    assert gap(-0.0001, "share") == "0.0"
    assert gap(-3.21, "seconds") == "−3.2 s"
    assert gap(math.nan, "share") == "–"


def test_shares_are_told_as_so_many_of_a_hundred() -> None:
    assert against(0.318, 0.216, "share") == "32 of 100, against 22 elsewhere"
    assert against(0.321, 0.318, "share") == "32.1 of 100, against 31.8 elsewhere"


def test_whom_a_group_is_of_is_said_in_words() -> None:
    assert where("neighborhood", "East") == "in East"
    assert where("neighborhood×hours", "East × 00 to 05") == "in East, in the hours 00 to 05"
    assert where("tract", "12") == "where tract is “12”"


@pytest.mark.parametrize(
    ("subject", "measure", "begins"),
    [
        ("safety_risk", "false_negative_rate", "The model misses {} safety risks in East: "),
        ("decision", "police_without_need", "{} crises without a safety risk were sent police"),
        ("recommendation", "abstention_rate", "The model says nothing {} often in East"),
    ],
)
def test_a_sentence_says_more_or_less(subject: str, measure: str, begins: str) -> None:
    row = {"by": "neighborhood", "group": "East", "subject": subject, "measure": measure}
    more = sentence({**row, "gap": 0.1, "value": 0.3, "rest": 0.2})
    less = sentence({**row, "gap": -0.1, "value": 0.2, "rest": 0.3})
    few = "less" if measure == "abstention_rate" else "fewer"
    capital = begins.startswith("{")
    assert more.startswith(begins.format("More" if capital else "more"))
    assert less.startswith(begins.format("Fewer" if capital else few))
    assert more.endswith("30 of 100, against 20 elsewhere.")
