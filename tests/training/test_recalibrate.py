"""A small step: it follows the base rate, keeps its bounds, and moves no call out of its band."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from data.call import TARGETS, Call
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.assess import assess
from model_service.model.plan import Thresholds
from model_service.model.release import load_release
from tests.builders import KEY, a_call, make_scorer
from tests.invented import invented_dataset
from training.history import calls_and_counts
from training.pipeline import Trained
from training.promote import first_in_force, promote, roll_back
from training.recalibrate import (
    INTERCEPTS,
    SLOPES,
    Step,
    fit_step,
    gates,
    moved,
    recalibrated,
    steps,
    write_recalibrated,
)

slopes = st.floats(*SLOPES)
intercepts = st.floats(*INTERCEPTS)


def draw(
    n: int, slope: float, intercept: float, spread: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    z = rng.normal(-1, spread, n)
    y = rng.random(n) < 1 / (1 + np.exp(-(slope * z + intercept)))
    return z, y.astype(np.float64)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.5), (0.8, 0.0), (1.3, -0.4)])
def test_a_shift_is_found(slope: float, intercept: float) -> None:
    found = fit_step(*draw(20_000, slope, intercept))
    assert found == pytest.approx((slope, intercept), abs=0.08)


def test_a_large_shift_is_bounded() -> None:
    assert fit_step(*draw(20_000, 1.0, 3.0))[1] == pytest.approx(INTERCEPTS[1])
    assert fit_step(*draw(20_000, 0.2, 0.0))[0] == pytest.approx(SLOPES[0])


def test_few_calls_move_little() -> None:
    z, y = draw(20, 1.0, 0.6)
    few, many = fit_step(z, y), fit_step(np.tile(z, 500), np.tile(y, 500))
    assert abs(few[1]) < abs(many[1]) or abs(few[0] - 1) < abs(many[0] - 1)


@seed(0)
@settings(max_examples=50, deadline=None)
@given(
    a=slopes,
    b=intercepts,
    low=st.floats(0.001, 0.5),
    more=st.floats(0, 0.49),
    p=st.floats(1e-6, 1 - 1e-6),
)
def test_no_call_changes_its_band(a: float, b: float, low: float, more: float, p: float) -> None:
    before = Thresholds(low=low, high=low + more)
    after = moved(before, a, b)
    if min(abs(p - low), abs(p - low - more)) < 1e-9:
        return  # at the very threshold rounding decides
    then = 1 / (1 + np.exp(-(a * np.log(p / (1 - p)) + b)))
    assert after.band(float(then)) == before.band(p)


def test_never_stays_never() -> None:
    after = moved(Thresholds(low=None, high=1.5), 1.2, 0.3)
    assert (after.low, after.high) == (None, 1.5)


@seed(0)
@settings(max_examples=25, deadline=None)
@given(a=slopes, b=intercepts)
def test_log_odds_and_every_contribution_are_scaled(a: float, b: float) -> None:
    scorer = make_scorer()
    other = recalibrated(scorer, (a, 1.0), (b, 0.0))
    narrative = "my brother is hearing voices, no weapons"
    call = Call.model_validate_json(json.dumps(a_call(narrative=narrative, call_source="911")))
    before, after = scorer.score(call, None), other.score(call, None)
    z = np.log(before.prediction[0] / (1 - before.prediction[0]))
    expected = 1 / (1 + np.exp(-(a * z + b)))
    assert after.prediction[0] == pytest.approx(expected, abs=1e-12)
    assert after.prediction[1] == pytest.approx(before.prediction[1], abs=1e-12)


@pytest.fixture(scope="module")
def later() -> Dataset:
    dataset = invented_dataset(3000, seed=5)
    return replace(dataset, manifest={**dataset.manifest, "digest": "d" * 64})


@pytest.fixture(scope="module")
def shifted(small: tuple[Dataset, Trained], later: Dataset, tmp_path_factory):  # type: ignore[no-untyped-def]
    """A store whose champion says too little: its log-odds of a crisis are 0.6 too low."""
    home = tmp_path_factory.mktemp("home")
    trained = small[1]
    step = Step(1.0, -0.6, 1, 1, 1, {}, {}, taken=True)
    nothing = Step(1.0, 0.0, 1, 1, 1, {}, {}, taken=False, why="left")
    folder = write_recalibrated(
        trained.release,
        trained.folder,
        dict(zip(TARGETS, (step, nothing), strict=True)),
        until=pd.Timestamp("2021-09-20", tz="UTC"),
        store=home / "releases",
        key=KEY,
    )
    return home / "releases", folder


def test_the_step_is_found_judged_written_and_taken_back(
    shifted: tuple[Path, Path], later: Dataset
) -> None:
    store, folder = shifted
    release = load_release(folder, trusted=None)
    first_in_force(store, release, key=KEY)
    chosen = later.calls["received_at"].notna()
    made = steps(release, later, chosen)
    crisis = made[TARGETS[0]]
    assert crisis.taken
    assert 0.3 < crisis.intercept <= INTERCEPTS[1]
    assert crisis.after["calibration_error"] < crisis.before["calibration_error"]
    assert crisis.after["brier"] < crisis.before["brier"]

    written = write_recalibrated(
        release, folder, made, until=later.calls["received_at"].max(), store=store, key=KEY
    )
    after = load_release(written, trusted=None)
    assert "## Recalibrated" in after.card
    assert after.metrics["recalibrated"]["from"] == release.digest
    for call, counts in calls_and_counts(later.calls.head(200), None):
        first, then = (assess(r, call, counts).recommendation for r in (release, after))
        assert (first.response, first.bands) == (then.response, then.bands)
    promote(store, after, gates(made), by="ana", reason="followed", key=KEY)
    assert roll_back(store, by="ana", reason="back", key=KEY).release == release.digest


def test_too_few_calls_say_so(small: tuple[Dataset, Trained], later: Dataset) -> None:
    release = small[1].release
    chosen = later.calls.index.to_series() < 60
    made = steps(release, later, chosen)
    assert not any(step.taken for step in made.values())
    assert all("fewer than" in step.why for step in made.values())
    with pytest.raises(InputError, match="nothing to recalibrate"):
        write_recalibrated(
            release,
            small[1].folder,
            made,
            until=pd.Timestamp("2021-10-01", tz="UTC"),
            store=small[1].folder.parent,
            key=KEY,
        )
