"""Pipeline, scorer and `assess` say the same of any call, to 1e-9."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.call import QUESTIONS, Call
from data.dataset import Dataset
from data.frame import to_calls, to_frame
from model_service.model.assess import assess
from model_service.model.scorer import MISSING, CategoryTable, Scorer
from tests import strategies
from tests.builders import KEY, PUBLIC_KEY
from tests.invented import invented_config
from training import pipeline
from training.pipeline import ParityError, Trained, check_parity, train

TOLERANCE = 1e-9

# Known words, unknown ones, repeats, other scripts, invisible characters, numbers, nothing.
pieces = st.sampled_from(
    [
        *("voices", "suicidal", "KNIFE", "gun", "café", "cafe\u0301", "überdrüssig", "noise"),
        *("car", "alarm", "unit", "617-555-0123", "5150", "kn\u200bife", "ﬁghting", "½", "刀"),
        *("zzyzx", "don’t", "'quoted'", "_", "\n", "\u202e", "🙂", "ǅungla", "İstanbul", "ß"),
        *("no", "denies", "any", "?", ".", ",", "hears voices", "has a gun", "used to", "yes"),
    ]
)
narratives = st.one_of(
    st.just(""),
    st.lists(pieces, max_size=40).map(" ".join),
    st.tuples(pieces, st.integers(1, 300)).map(lambda it: " ".join([it[0]] * it[1])),
    strategies.narratives,
)


@st.composite
def odd_calls(draw: st.DrawFn) -> Call:
    """Draw a call of known, rare, unseen and missing values alike."""
    base = draw(strategies.calls())
    values = {
        "narrative": draw(narratives),
        "call_type": draw(st.sampled_from([None, "EDP", "CHECK WELFARE", "unheard of", "½"])),
        "priority": draw(st.sampled_from([None, "1", "p3", "p7", "99", MISSING, "nan", "None"])),
        "premise_id": draw(st.sampled_from([None, "P1", "P59", "P60", MISSING])),
        "language": draw(st.sampled_from([None, "en", "es", "EN-us", "tlh"])),
        "answers": draw(
            st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(["yes", "no", "unknown"]))
        ),
    }
    return base.model_copy(update=values)


def differences(trained: Trained, calls: list[Call]) -> float:
    expected = trained.fitted.classifier.predict_proba(to_frame(calls))
    scored = np.array([trained.release.scorer.score(call).prediction for call in calls])
    return float(np.abs(scored - expected).max())


def test_every_call_of_the_synthetic_data(synthetic: tuple[Dataset, Trained]) -> None:
    dataset, trained = synthetic
    assert differences(trained, to_calls(dataset.calls)) <= TOLERANCE
    assert trained.parity <= TOLERANCE


def test_every_invented_call(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    assert differences(trained, to_calls(dataset.calls)) <= TOLERANCE


@settings(max_examples=150)
@given(calls=st.lists(odd_calls(), min_size=1, max_size=6))
def test_any_call(small: tuple[Dataset, Trained], calls: list[Call]) -> None:
    assert differences(small[1], calls) <= TOLERANCE


@settings(max_examples=40)
@given(calls=st.lists(odd_calls(), min_size=1, max_size=6))
def test_any_call_by_the_shipped_configuration(
    synthetic: tuple[Dataset, Trained], calls: list[Call]
) -> None:
    assert differences(synthetic[1], calls) <= TOLERANCE


@settings(max_examples=100)
@given(at=strategies.times)
@example(at=datetime(2021, 11, 7, 5, 59, 59, 999_999, tzinfo=UTC))  # the last of summer time
@example(at=datetime(2021, 11, 7, 6, 30, tzinfo=UTC))  # the hour that comes twice
@example(at=datetime(2022, 3, 13, 6, 59, 59, 999_999, tzinfo=UTC))
@example(at=datetime(2022, 3, 13, 7, tzinfo=UTC))  # the hour that is left out
@example(at=datetime(1974, 1, 6, 12, tzinfo=UTC))  # summer time in winter
@example(at=datetime(2098, 7, 1, 4, 30, tzinfo=UTC))  # past the tables of the zone files
def test_any_time(small: tuple[Dataset, Trained], at: datetime) -> None:
    assert differences(small[1], [Call(call_id="t", received_at=at)]) <= TOLERANCE


def test_hour_and_weekday_are_those_of_the_agency_through_a_change_of_clocks(
    small: tuple[Dataset, Trained],
) -> None:
    scorer = small[1].release.scorer

    def read(at: datetime) -> tuple[str, str]:
        evidence = {
            e.field: e.value for e in scorer.score(Call(call_id="t", received_at=at)).categories
        }
        return evidence["hour"], evidence["weekday"]

    assert read(datetime(2021, 11, 7, 5, 30, tzinfo=UTC)) == ("1", "6")
    assert read(datetime(2021, 11, 7, 6, 30, tzinfo=UTC)) == ("1", "6")
    assert read(datetime(2022, 3, 13, 7, 0, tzinfo=UTC)) == ("3", "6")
    assert read(datetime(2021, 10, 5, 3, 59, tzinfo=UTC)) == ("23", "0")


def test_the_same_instant_in_any_zone_is_the_same_call(small: tuple[Dataset, Trained]) -> None:
    from datetime import timezone

    scorer = small[1].release.scorer
    instant = datetime(2021, 11, 7, 5, 30, tzinfo=UTC)
    predictions = {
        scorer.score(
            Call(
                call_id="t",
                received_at=instant.astimezone(timezone(timedelta(hours=hours))),
                narrative="voices",
            )
        ).prediction
        for hours in (-12, -4, 0, 5, 14)
    }
    assert len(predictions) == 1


def test_assess_says_what_the_scorer_says(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    for call in to_calls(dataset.calls.head(100)):
        scored = trained.release.scorer.score(call)
        for explained in (True, False):
            assessed = assess(trained.release, call, explained=explained)
            assert assessed.prediction == scored.prediction
            assert (assessed.explanation is not None) == explained


def test_a_reloaded_release_says_bit_for_bit_the_same(small: tuple[Dataset, Trained]) -> None:
    from model_service.model.release import load_release

    dataset, trained = small
    loaded = load_release(trained.folder, trusted=[PUBLIC_KEY])
    for call in to_calls(dataset.calls.head(50)):
        assert loaded.scorer.score(call).log_odds == trained.release.scorer.score(call).log_odds


def _other_bias(scorer: Scorer) -> Scorer:
    return replace(scorer, bias=(scorer.bias[0] + 1e-7, scorer.bias[1]))


def _not_a_number(scorer: Scorer) -> Scorer:
    return replace(scorer, bias=(float("nan"), scorer.bias[1]))


def _one_weight(scorer: Scorer) -> Scorer:
    text = scorer.texts[0]
    weights = text.weights.copy()
    weights[text.terms.index("unit")] *= 1.001
    return replace(scorer, texts=(replace(text, weights=weights), *scorer.texts[1:]))


def _rare_values_forgotten(scorer: Scorer) -> Scorer:
    def forget(table: CategoryTable) -> CategoryTable:
        return replace(table, other=(0.0, 0.0))

    return replace(scorer, categories=tuple(map(forget, scorer.categories)))


def _two_fields_swapped(scorer: Scorer) -> Scorer:
    first, second, *others = scorer.categories
    swapped = (replace(first, field=second.field), replace(second, field=first.field), *others)
    return replace(scorer, categories=swapped)


def _another_zone(scorer: Scorer) -> Scorer:
    return replace(scorer, timezone="Asia/Tokyo")


@pytest.mark.parametrize(
    "tamper",
    [
        *(_other_bias, _not_a_number, _one_weight, _rare_values_forgotten),
        *(_two_fields_swapped, _another_zone),
    ],
)
def test_a_scorer_that_differs_is_refused(
    small: tuple[Dataset, Trained], tamper: Callable[[Scorer], Scorer]
) -> None:
    dataset, trained = small
    calls = dataset.calls
    assert check_parity(trained.fitted.classifier, trained.release.scorer, calls, seed=0) < 1e-12
    with pytest.raises(ParityError, match="no release was written"):
        check_parity(trained.fitted.classifier, tamper(trained.release.scorer), calls, seed=0)


def test_training_writes_nothing_where_the_scorer_differs(
    small: tuple[Dataset, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, trained = small
    compiled = pipeline.compile_scorer

    def fitted(*_: Any, **__: Any) -> Any:
        return trained.fitted

    monkeypatch.setattr(pipeline, "fit", fitted)
    monkeypatch.setattr(pipeline, "compile_scorer", lambda c, X: _one_weight(compiled(c, X)))
    with pytest.raises(ParityError):
        train(dataset, invented_config(), store=tmp_path / "releases", key=KEY)
    assert list(tmp_path.iterdir()) == []
