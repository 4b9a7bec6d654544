"""Two heads, each learning from the calls whose label it has; Platt's calibration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from data.call import TARGETS, Call
from data.frame import to_frame
from model_service.model.classifier import CallClassifier, TooFewLabels, as_labels, labelled
from model_service.model.features import CONCEPTS, FeatureSettings, concept_prior

SETTINGS = FeatureSettings.model_validate(
    {
        "timezone": "America/New_York",
        "texts": [{"column": "narrative", "ngrams": 1, "min_calls": 1}],
        "categories": ["priority"],
        "min_calls": 1,
    }
)
BOTH = dict.fromkeys(TARGETS, 1.0)


def calls_and_labels(n: int = 80) -> tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.float64]]]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (n, 2)).astype(float)
    calls = [
        Call(
            call_id=str(row),
            received_at=datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=row),
            narrative=" ".join(
                [
                    *rng.choice(["a", "b", "c"], 3),
                    "v" if y[row, 0] else "u",
                    "k" if y[row, 1] else "l",
                ]
            ),
            priority=str(rng.integers(1, 4)),
        )
        for row in range(n)
    ]
    return to_frame(calls), y


def heads(y: np.ndarray[Any, Any], C: dict[str, float] = BOTH) -> dict[str, tuple[Any, Any]]:
    frame, _ = calls_and_labels(len(y))
    fitted = CallClassifier(SETTINGS, C=C).fit(frame, y)
    return {t: (h.coef_.copy(), h.intercept_.copy()) for t, h in fitted.heads_.items()}


def same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return bool(np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1]))


def test_a_head_does_not_see_the_labels_of_the_other() -> None:
    _, y = calls_and_labels()
    flipped = y.copy()
    flipped[:, 1] = 1 - flipped[:, 1]
    before, after = heads(y), heads(flipped)
    assert same(before["mental_health_crisis"], after["mental_health_crisis"])
    assert not same(before["safety_risk"], after["safety_risk"])


def test_a_missing_label_leaves_the_row_out_of_that_head_alone() -> None:
    frame, y = calls_and_labels()
    holes = y.copy()
    holes[::3, 0] = np.nan
    before, after = heads(y), heads(holes)
    assert same(before["safety_risk"], after["safety_risk"])
    assert not same(before["mental_health_crisis"], after["mental_health_crisis"])
    # What the missing label would have been changes nothing: the head sees the other rows alone.
    whole = CallClassifier(SETTINGS, C=BOTH).fit(frame, y)
    kept = ~np.isnan(holes[:, 0])
    whole.fit_heads(whole.features_.transform(frame)[kept], y[kept])
    head = whole.heads_["mental_health_crisis"]
    np.testing.assert_allclose(head.coef_, after["mental_health_crisis"][0], atol=1e-12)
    # Rows without this label may say what they like of the other target.
    other = holes.copy()
    other[::3, 1] = 1 - other[::3, 1]
    assert same(heads(other)["mental_health_crisis"], after["mental_health_crisis"])


def test_each_head_has_its_own_penalty() -> None:
    _, y = calls_and_labels()
    before = heads(y)
    after = heads(y, {**BOTH, "safety_risk": 0.01})
    assert same(before["mental_health_crisis"], after["mental_health_crisis"])
    assert np.abs(after["safety_risk"][0]).max() < np.abs(before["safety_risk"][0]).max()


@pytest.mark.parametrize("values", [[1, 1, 1], [0, 0, 1], [1, 1, 0], [], [np.nan] * 9])
def test_too_few_labels_are_told_with_their_numbers(values: list[float]) -> None:
    y = np.array(values, dtype=float)
    with pytest.raises(TooFewLabels) as caught:
        labelled(y, "safety_risk")
    positive, negative = int((y == 1).sum()), int((y == 0).sum())
    assert str(caught.value).startswith(
        f"safety_risk: {positive} positive and {negative} negative labels"
    )


def test_missing_values_become_nan() -> None:
    targets = pd.DataFrame(
        {TARGETS[1]: [True, None, False], TARGETS[0]: [None, False, True]}, dtype="boolean"
    )
    np.testing.assert_array_equal(as_labels(targets), [[np.nan, 1], [0, np.nan], [1, 0]])


def fitted() -> CallClassifier:
    return CallClassifier(SETTINGS, C=BOTH).fit(*calls_and_labels())


def test_calibration_is_the_likeliest_for_platt_s_targets() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(400, 2))
    y = (rng.random((400, 2)) < expit(2 * scores - 1)).astype(float)
    y[:50, 1] = np.nan
    model = fitted().calibrate(scores, y)
    for column, target in enumerate(TARGETS):
        known = ~np.isnan(y[:, column])
        s, t = scores[known, column], y[known, column]
        n1, n0 = t.sum(), len(t) - t.sum()
        goal = np.where(t == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

        def loss(ab: Any, s: Any = s, goal: Any = goal) -> float:
            p = expit(ab[0] * s + ab[1])
            return -float((goal * np.log(p) + (1 - goal) * np.log(1 - p)).sum())

        best = minimize(loss, [1.0, 0.0]).x
        assert model.calibration_[target] == pytest.approx(best, abs=1e-2)


def test_scores_that_separate_the_classes_still_have_a_finite_slope() -> None:
    y = np.repeat([[0.0, 0.0], [1.0, 1.0]], 20, axis=0)
    scores = np.where(y == 1, 3.0, -3.0) + np.random.default_rng(0).normal(size=y.shape) / 4
    model = fitted().calibrate(scores, y)
    p = model.calibrated(scores)
    assert (p[y == 1] > 0.9).all()
    # Nobody is certain after forty calls.
    assert p.max() < 0.995
    assert p.min() > 0.005


def test_calibration_keeps_the_order_of_scores() -> None:
    model = fitted()
    frame, y = calls_and_labels()
    scores = model.scores(frame)
    model.calibrate(scores, y)
    calibrated = model.predict_proba(frame)
    for column in (0, 1):
        assert (np.argsort(scores[:, column]) == np.argsort(calibrated[:, column])).all()


def test_calibration_needs_both_classes() -> None:
    model = fitted()
    with pytest.raises(TooFewLabels):
        model.calibrate(np.zeros((4, 2)), np.ones((4, 2)))


def test_it_says_whether_it_is_fitted() -> None:
    with pytest.raises(NotFittedError):
        check_is_fitted(CallClassifier(SETTINGS, C=BOTH))
    check_is_fitted(fitted())


def concept_settings(prior_calls: float) -> FeatureSettings:
    return FeatureSettings.model_validate(
        {**SETTINGS.model_dump(), "concepts": {"prior_calls": prior_calls}}
    )


def test_a_concept_that_no_training_call_holds_counts_as_its_list_judges() -> None:
    X, y = calls_and_labels()
    said = X.head(2).assign(narrative=["he wants to kill himself", "he has a gun"])
    learned = CallClassifier(concept_settings(0), C=BOTH).fit(X, y)
    judged = CallClassifier(concept_settings(100), C=BOTH).fit(X, y)
    before, after = learned.scores(said), judged.scores(said)
    assert before[0] == pytest.approx(before[1], abs=0.5)
    assert after[0, 0] > after[1, 0] + 1  # a crisis rather than a gun
    assert after[1, 1] > after[0, 1] + 1  # a risk rather than suicidal words


def test_a_call_of_which_only_a_concept_is_known_is_else_the_average_call() -> None:
    X, y = calls_and_labels()
    model = CallClassifier(concept_settings(2), C=BOTH).fit(X, y)
    matrix = model.features_.transform(X)
    prior = concept_prior(model.features_, model.settings, matrix)
    assert prior is not None
    blocks = model.features_.named_steps["columns"].output_indices_
    rows, usual = prior.matrix.toarray(), np.asarray(matrix.mean(axis=0)).ravel()
    for name, block in blocks.items():
        if name == CONCEPTS:
            assert (rows[:, block].sum(axis=1) == 1).all()
        elif name in {text.column for text in model.settings.texts}:
            assert not rows[:, block].any()
        else:
            assert rows[:, block] == pytest.approx(np.tile(usual[block], (len(rows), 1)))


def test_a_prior_of_two_calls_is_two_calls_more() -> None:
    X, y = calls_and_labels()
    model = CallClassifier(concept_settings(2), C=BOTH, tol=1e-9).fit(X, y)
    matrix = model.features_.transform(X)
    prior = concept_prior(model.features_, model.settings, matrix)
    assert prior is not None
    share = prior.share[:, 0]
    head = model.heads_["mental_health_crisis"]

    def loss(head_weights: np.ndarray[Any, Any]) -> float:
        *w, b = head_weights
        s, p = matrix @ w + b, prior.matrix @ w + b
        own = np.logaddexp(0, -s * (2 * y[:, 0] - 1)).sum()
        judged = 2 * (share * np.logaddexp(0, -p) + (1 - share) * np.logaddexp(0, p)).sum()
        return float(own + judged + 0.5 * np.dot(w, w))

    found = np.r_[head.coef_[0], head.intercept_]
    best = loss(found)
    rng = np.random.default_rng(0)
    assert all(loss(found + 1e-3 * rng.normal(size=len(found))) > best for _ in range(20))


def test_a_call_that_counts_twice_is_two_calls() -> None:
    frame, y = calls_and_labels()
    y[3, 0] = np.nan
    twice = np.arange(80) % 3 == 0
    fitted = CallClassifier(SETTINGS, C=BOTH).fit(frame, y)
    matrix = fitted.features_.transform(frame)
    weighted = CallClassifier(SETTINGS, C=BOTH).fit_heads(matrix, y, weights=1.0 + twice)
    rows = np.r_[np.arange(80), np.flatnonzero(twice)]
    repeated = CallClassifier(SETTINGS, C=BOTH).fit_heads(matrix[rows], y[rows])
    for target in TARGETS:
        assert weighted.heads_[target].coef_ == pytest.approx(
            repeated.heads_[target].coef_, abs=1e-6
        )
    once = CallClassifier(SETTINGS, C=BOTH).fit(frame, y, weights=np.ones(80))
    assert same(*((h.heads_[TARGETS[0]].coef_, h.heads_[TARGETS[0]].intercept_)
                  for h in (fitted, once)))  # fmt: skip
