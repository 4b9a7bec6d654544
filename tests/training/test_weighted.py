"""Weighted figures stand for all calls, whichever were drawn; and their intervals hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from data import review
from data.call import TARGETS, Call
from data.dataset import Dataset
from data.errors import InputError
from data.frame import to_frame
from model_service.model.plan import Thresholds
from training.weighted import (
    CRISIS,
    missed_by_model,
    missed_by_people,
    reviewed_calls,
    weighted_share,
    weighted_table,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
MEANINGS = {"emt_clinician": {CRISIS: True}}
N = 400


def reviewed(answered: int = 150, **manifest: str) -> Dataset:
    """Make calls with labels that miss some crises, and a review that was not finished."""
    random = np.random.default_rng(8)
    truth = random.random(N) < 0.3
    labelled = truth & (random.random(N) < 0.6)
    calls = [
        Call(call_id=f"c{i}", received_at=START + timedelta(hours=i), narrative=f"words {i}")
        for i in range(N)
    ]
    labels = pd.DataFrame(
        {
            "call_id": [call.call_id for call in calls for _ in TARGETS],
            "target": [*TARGETS] * N,
            "value": np.repeat(labelled, len(TARGETS)),
            "source": "disposition",
            "as_of": START + timedelta(days=40),
            "confidence": 0.9,
        }
    )
    dataset = Dataset(to_frame(calls), labels=labels, manifest=dict(manifest))
    suspects = {target: [f"c{i}" for i in range(0, N, 5)] for target in TARGETS}
    of = review.draw(dataset, suspects, sample=120, seed=1)
    dataset.manifest["review_rounds"] = [of.as_manifest(START)]
    rows = []
    for number, call_id in enumerate(of.queue()[:answered]):
        yes = "yes" if truth[int(call_id[1:])] else "no"
        rows += [
            {
                "round": 1,
                "call_id": call_id,
                "target": target,
                "verdict": "unsure" if number % 11 == 0 else yes,
                "by": "R. Alvarez",
                "reviewed_at": START + timedelta(days=50),
            }
            for target in TARGETS
        ]
    return Dataset(
        dataset.calls, labels=labels, reviews=pd.DataFrame(rows), manifest=dataset.manifest
    )


# --- the estimator --------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.01, 1))
def test_equal_chances_give_the_exact_interval(hits: list[bool], chance: float) -> None:
    figure = weighted_share(np.array(hits), np.full(len(hits), chance))
    exact = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="exact")
    expected = (sum(hits) / len(hits), exact.low, exact.high)
    np.testing.assert_allclose(tuple(figure), expected, rtol=0, atol=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 1)), min_size=1, max_size=40))
def test_an_interval_holds_its_figure_and_misses_mirror_hits(
    drawn: list[tuple[bool, float]],
) -> None:
    hits, chances = np.array([h for h, _ in drawn]), np.array([c for _, c in drawn])
    figure, mirror = weighted_share(hits, chances), weighted_share(~hits, chances)
    assert 0 <= figure.low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= figure.high <= 1
    mirrored = (1 - mirror.value, 1 - mirror.high, 1 - mirror.low)
    np.testing.assert_allclose(tuple(figure), mirrored, rtol=0, atol=1e-9)


def test_unequal_draws_are_undone_and_the_interval_holds() -> None:
    random = np.random.default_rng(911)
    n, repeats = 1500, 600
    chances = random.choice([0.02, 0.1, 0.5], n)
    hits = random.random(n) < np.where(chances > 0.2, 0.9, 0.4)  # what is drawn often is found
    truth = hits.mean()
    figures, plain = [], []
    for _ in range(repeats):
        drawn = random.random(n) < chances
        figures.append(weighted_share(hits[drawn], chances[drawn]))
        plain.append(hits[drawn].mean())
    error = float(np.std([f.value for f in figures])) / np.sqrt(repeats)
    assert abs(np.mean([f.value for f in figures]) - truth) < max(4 * error, 0.01)
    assert abs(np.mean(plain) - truth) > 0.15  # unweighted, the draw would flatter
    assert np.mean([f.low <= truth <= f.high for f in figures]) >= 0.94


@pytest.mark.parametrize("chance", [0.0, -0.1, 1.1, float("nan")])
def test_what_could_never_be_drawn_stands_for_nothing(chance: float) -> None:
    with pytest.raises(ValueError, match="chance"):
        weighted_share(np.array([True]), np.array([chance]))


# --- the model, by a review -----------------------------------------------------------------------


def test_labels_as_a_model_miss_what_the_review_says() -> None:
    dataset = reviewed()
    (of,) = review.rounds(dataset)
    labels = dataset.targets().set_index(dataset.calls["call_id"]).astype(float)
    thresholds = {target: Thresholds(low=0.5, high=0.9) for target in TARGETS}
    made = missed_by_model(labels, reviewed_calls(dataset), thresholds)
    for target in TARGETS:
        expected = review.estimate(dataset, of, target).missed_share.value
        assert expected is not None and 0 < expected < 1
        assert made[target]["missed"]["value"] == pytest.approx(expected, abs=1e-12)
        assert made[target]["sensitivity"]["value"] == pytest.approx(1 - expected, abs=1e-12)
    off = {**thresholds, CRISIS: Thresholds(low=None, high=2.0)}
    assert CRISIS not in missed_by_model(labels, reviewed_calls(dataset), off)


def test_calls_that_were_not_drawn_at_random_are_refused() -> None:
    with pytest.raises(InputError, match="no random review"):
        reviewed_calls(Dataset(reviewed().calls))
    for filters in ("decision=override", "since=2026-01-01T00:00:00.000Z reason=other"):
        with pytest.raises(InputError, match="by what was decided"):
            reviewed_calls(reviewed(filters=filters))
    with pytest.raises(InputError, match="answer more calls"):
        reviewed_calls(reviewed(answered=5))
    assert reviewed_calls(reviewed(filters="neighborhood=decision=odd"))  # a place, and no filter


# --- people, by the draw --------------------------------------------------------------------------


def test_people_are_compared_on_the_same_calls() -> None:
    random = np.random.default_rng(5)
    n = 60_000
    hard = random.random(n) < 0.5
    chance = np.where(hard, 0.3, 0.1)  # plans with other shares, at harder and easier times
    advised = random.random(n) >= chance
    missed = random.random(n) < np.where(hard, 0.5, 0.1) * np.where(advised, 0.5, 1.0)
    known = np.where(hard, 0.8, 0.2)
    drawn = random.random(n) < known
    ids = [f"c{i}" for i in range(n)]
    assessed = pd.DataFrame(
        {
            "call_id": ids,
            "chance_unadvised": chance,
            "advised": pd.array(advised, dtype="boolean"),
            "response": np.where(missed, "protocol", "emt_clinician"),
        }
    )
    truth = pd.DataFrame({"truth": True, "chance": known}, index=ids)[drawn]
    made = missed_by_people(assessed, truth, MEANINGS)
    assert made["without advice"]["missed"]["value"] == pytest.approx(0.30, abs=0.03)
    assert made["with advice"]["missed"]["value"] == pytest.approx(0.15, abs=0.015)
    for name, share in (("without advice", 0.30), ("with advice", 0.15)):
        assert made[name]["missed"]["low"] < share < made[name]["missed"]["high"]


def test_only_calls_that_could_go_either_way_are_compared() -> None:
    assessed = pd.DataFrame(
        {
            "call_id": ["shadow", "everyone", "mixed", "open", "quiet", "held", "shown"],
            "chance_unadvised": [1.0, 0.0, np.nan, 0.5, 0.5, 0.5, 0.5],
            "advised": pd.array([False, True, True, None, False, False, True], dtype="boolean"),
            "response": ["protocol"] * 3 + [None] + ["protocol"] * 3,
        }
    )
    ids = assessed["call_id"]
    truth = pd.DataFrame({"truth": ids != "quiet", "chance": 1.0}).set_axis(ids)
    made = missed_by_people(assessed, truth, MEANINGS)
    assert {name: told["crises"] for name, told in made.items()} == {
        "without advice": 1,
        "with advice": 1,
    }
    nobody = missed_by_people(assessed, truth.iloc[:0], MEANINGS)
    assert nobody["with advice"] == {
        "crises": 0,
        "missed": {"value": None, "low": None, "high": None},
    }
    table = weighted_table({"model": {}, "people": {**made, "nobody": nobody["with advice"]}})
    assert "| 100.0% | 2.5% to 100.0% | 1 |" in table
    assert table.endswith("nobody | - | - | 0 |")
