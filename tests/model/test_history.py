"""A history of premises in the model: pipeline and scorer agree, and every count is explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.frame import to_calls, to_frame
from data.premise import Counts
from model_service.model.explanation import explain
from model_service.model.features import HistoryFeature
from model_service.model.release import ReleaseError, load_release, scorer_files, write_release
from model_service.model.scorer import HISTORY, MISSING, HistoryTable, Scorer
from tests.builders import KEY, release_files
from tests.model.test_parity import odd_calls
from training.history import calls_and_counts, with_history
from training.pipeline import ParityError, Trained, check_parity

TOLERANCE = 1e-9

counts = st.none() | st.tuples(*[st.integers(0, 10**6)] * 4)


def table_of(trained: Trained) -> HistoryTable:
    table = trained.release.scorer.history
    assert table is not None
    return table


def asked(call: Call, known: Counts | None, table: HistoryTable) -> Any:
    """Make the row that the pipeline takes."""
    frame = to_frame([call])
    frame[table.columns] = [np.nan] * len(table.columns) if known is None else list(known)
    return frame


def test_every_call_with_its_history(remembering: tuple[Dataset, Trained]) -> None:
    dataset, trained = remembering
    scorer = trained.release.scorer
    calls = with_history(dataset.calls, scorer.history, dataset.labels)
    expected = trained.fitted.classifier.predict_proba(calls)
    pairs = calls_and_counts(calls, scorer.history)
    assert {known is None for _, known in pairs} == {True, False}
    assert max(max(known) for _, known in pairs if known is not None) > 3
    scored = np.array([scorer.score(call, known).prediction for call, known in pairs])
    assert np.abs(scored - expected).max() <= TOLERANCE
    assert trained.parity <= TOLERANCE


@settings(max_examples=60)
@given(call=odd_calls(), known=counts)
def test_any_call_with_any_history(
    remembering: tuple[Dataset, Trained], call: Call, known: Counts | None
) -> None:
    trained = remembering[1]
    scorer = trained.release.scorer
    expected = trained.fitted.classifier.predict_proba(asked(call, known, table_of(trained)))[0]
    scored = scorer.score(call, known)
    assert np.abs(np.array(scored.prediction) - expected).max() <= TOLERANCE
    explanation = explain(scorer, scored)
    for column, target in enumerate(TARGETS):
        total = explanation.baseline[column]
        total += sum(getattr(word, target) for word in explanation.words)
        total += sum(getattr(field, target) for field in explanation.fields)
        assert total == pytest.approx(explanation.log_odds[column], abs=TOLERANCE)


def test_each_count_is_a_field_of_the_explanation(remembering: tuple[Dataset, Trained]) -> None:
    dataset, trained = remembering
    table, scorer = table_of(trained), trained.release.scorer
    call = to_calls(dataset.calls.head(1))[0]
    fields = {f.field: f for f in explain(scorer, scorer.score(call, (1, 2, 0, 3))).fields}
    assert [fields[name].value for name in [*table.columns, HISTORY]] == [*"1203", "known"]
    for place, (name, count) in enumerate(zip(table.columns, (1, 2, 0, 3), strict=True)):
        for column, target in enumerate(TARGETS):
            expected = np.log1p(count) * table.weights[place][column] - table.means[place][column]
            assert getattr(fields[name], target) == pytest.approx(expected)
    without = explain(scorer, scorer.score(call)).fields[-len(table.columns) - 1 :]
    assert {field.value for field in without} == {MISSING}


def test_the_average_training_call_has_the_average_history(
    remembering: tuple[Dataset, Trained],
) -> None:
    dataset, trained = remembering
    scorer = trained.release.scorer
    calls = with_history(dataset.calls, scorer.history, dataset.labels)
    learned = calls[trained.fitted.part.isin(["train", "validation"])]
    contributions = [
        [(f.mental_health_crisis, f.safety_risk) for f in explain(scorer, scored).fields]
        for scored in (scorer.score(*pair) for pair in calls_and_counts(learned, scorer.history))
    ]
    assert np.abs(np.mean(contributions, axis=0)).max() < 1e-12


def test_no_history_is_not_a_history_of_nothing(remembering: tuple[Dataset, Trained]) -> None:
    dataset, trained = remembering
    scorer = trained.release.scorer
    call = to_calls(dataset.calls.head(1))[0]
    assert scorer.score(call).prediction != scorer.score(call, (0, 0, 0, 0)).prediction


@pytest.mark.parametrize("known", [(), (1, 2), (1, 2, 3, 4, 5)])
def test_other_counts_than_the_windows_ask_for_are_refused(
    remembering: tuple[Dataset, Trained], known: Counts
) -> None:
    dataset, trained = remembering
    with pytest.raises(ValueError):
        trained.release.scorer.score(to_calls(dataset.calls.head(1))[0], known)


def test_a_scorer_with_another_weight_of_the_history_is_refused(
    remembering: tuple[Dataset, Trained],
) -> None:
    dataset, trained = remembering
    table = table_of(trained)
    calls = with_history(dataset.calls, table, dataset.labels)
    first, *others = table.weights
    for changed in (
        replace(table, weights=((first[0] + 1e-4, first[1]), *others)),
        replace(table, none=(table.none[0] + 1e-4, table.none[1])),
        replace(table, windows=(7, 61)),
    ):
        tampered = replace(trained.release.scorer, history=changed)
        with pytest.raises((ParityError, KeyError)):
            check_parity(trained.fitted.classifier, tampered, calls, seed=0)


def test_a_release_holds_it_to_the_last_bit(
    remembering: tuple[Dataset, Trained], tmp_path: Path
) -> None:
    scorer = remembering[1].release.scorer
    folder = write_release(tmp_path, release_files(scorer), KEY)
    assert load_release(folder, trusted=None).scorer.history == scorer.history


def test_a_release_of_before_there_was_history_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_service.model import release

    monkeypatch.setattr(release, "FORMAT", 2)
    monkeypatch.setattr(release, "RULES_SINCE", 2)  # the rules came later, and are not tried here
    files = release_files()
    files["model.json"] = files["model.json"].replace(b'"history":null,', b"")
    assert b"history" not in files["model.json"]
    folder = write_release(tmp_path, files, KEY)
    assert load_release(folder, trusted=None).scorer.history is None


@pytest.mark.parametrize(
    "changed",
    [
        {"windows": [7]},
        {"windows": [60, 7]},
        {"windows": []},
        {"weights": [[0.0, 0.0]]},
        {"none": [0.0]},
        {"means": [[0.0, None]] * 4},
        {"crises": {"narrative": ["x"]}},
        {"crises": None},
    ],
    ids=str,
)
def test_a_table_that_fits_no_history_is_no_release(
    remembering: tuple[Dataset, Trained], tmp_path: Path, changed: dict[str, Any]
) -> None:
    import json

    from model_service.model.release import canonical

    files = release_files(remembering[1].release.scorer)
    model = json.loads(files["model.json"])
    model["history"].update(changed)
    folder = write_release(tmp_path, {**files, "model.json": canonical(model)}, KEY)
    with pytest.raises(ReleaseError):
        load_release(folder, trusted=None)


def test_without_history_the_counts_are_not_looked_at(small: tuple[Dataset, Trained]) -> None:
    dataset, trained = small
    call = to_calls(dataset.calls.head(1))[0]
    scorer: Scorer = trained.release.scorer
    assert scorer.history is None
    assert scorer.score(call, (9, 9)).log_odds == scorer.score(call).log_odds
    assert b'"history":null' in scorer_files(scorer)["model.json"]


@pytest.mark.parametrize(
    "settings",
    [
        {"windows": [30, 7]},
        {"windows": [0]},
        {"windows": []},
        {"windows": [7.5]},
        {"crises": {"narrative": ["x"]}},
        {"crises": {}},
        {"crises": {"disposition": []}},
        {"place": "premise"},
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HistoryFeature.model_validate(settings)
