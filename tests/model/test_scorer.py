"""The scorer adds up plain weights."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit as reference

from data.call import Call
from model_service.model.features import CATEGORIES
from model_service.model.scorer import FIELDS, CategoryTable, Scorer, TextTable, expit, runs
from tests.builders import TERMS, make_scorer

NOON = datetime(2021, 10, 5, 16, tzinfo=UTC)


def call(**fields: Any) -> Call:
    return Call(**{"call_id": "a-1", "received_at": NOON, **fields})


def words_alone(scorer: Scorer) -> Scorer:
    return replace(scorer, categories=())


def test_a_text_is_added_up_by_hand() -> None:
    scorer = words_alone(make_scorer())
    # voices twice, knife once; zzyzx is not known.
    voices, knife = (1 + math.log(2)) * TERMS["voices"][0], TERMS["knife"][0]
    length = math.hypot(voices, knife)
    expected = [
        scorer.bias[column]
        + voices / length * TERMS["voices"][1 + column]
        + knife / length * TERMS["knife"][1 + column]
        for column in (0, 1)
    ]
    scored = scorer.score(call(narrative="Voices, zzyzx! KNIFE voices"))
    assert scored.log_odds == pytest.approx(expected, abs=1e-12)
    assert scored.prediction == pytest.approx([1 / (1 + math.exp(-x)) for x in expected])
    assert scored.known_words == 3


def test_a_run_of_words_is_a_term_of_its_own() -> None:
    scorer = words_alone(make_scorer())
    apart = scorer.score(call(narrative="no car weapons"))
    together = scorer.score(call(narrative="no weapons"))
    assert [term[:2] for term in together.texts[0].terms] == [(1, [0]), (1, [1]), (2, [0])]
    assert together.prediction.safety_risk < apart.prediction.safety_risk


def test_nothing_said_is_the_bias() -> None:
    scorer = words_alone(make_scorer())
    assert scorer.score(call()).log_odds == scorer.bias
    assert scorer.score(call(narrative="zzyzx")).log_odds == scorer.bias


def test_a_category_adds_its_weight_the_others_or_that_of_the_missing() -> None:
    scorer = replace(
        make_scorer(),
        texts=(),
        bias=(0.0, 0.0),
        categories=(
            CategoryTable(
                "priority", {"1": (1.0, 2.0), "(missing)": (3.0, 4.0)}, (5.0, 6.0), (0, 0)
            ),
        ),
    )
    assert scorer.score(call(priority="1")).log_odds == (1.0, 2.0)
    assert scorer.score(call()).log_odds == (3.0, 4.0)
    assert scorer.score(call(priority="unheard of")).log_odds == (5.0, 6.0)


@given(st.floats(-1e300, 1e300))
def test_expit_never_overflows(x: float) -> None:
    assert 0 <= expit(x) <= 1
    assert expit(x) == pytest.approx(float(reference(x)), abs=1e-15)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.integers(1, 3))
def test_runs_are_every_run_of_words(words: list[str], n: int) -> None:
    expected = [" ".join(words[at : at + n]) for at in range(len(words) - n + 1)]
    assert list(runs(words, n)) == expected


def test_every_category_of_a_configuration_is_a_field_that_the_scorer_knows() -> None:
    assert set(CATEGORIES) <= FIELDS


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Nowhere/Land"},
        {"timezone": "../../etc/passwd"},
        {"texts": (TextTable("call_id", 1, ["a"], np.ones(1), np.ones((1, 2))),)},
        {"texts": (TextTable("narrative", 0, ["a"], np.ones(1), np.ones((1, 2))),)},
        {"categories": (CategoryTable("answers", {}, (0, 0), (0, 0)),)},
        {"categories": (CategoryTable("answer_nothing", {}, (0, 0), (0, 0)),)},
    ],
)
def test_tables_that_fit_no_call_are_found_before_the_first_call(wrong: dict[str, Any]) -> None:
    make_scorer().prepare()
    with pytest.raises(ValueError, match="time zone|table is for"):
        replace(make_scorer(), **wrong).prepare()
