"""Place and past switched on, and each place left out: on invented calls with a planted place."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.call import TARGETS
from data.dataset import Dataset
from model_service.model.features import PLACES
from model_service.model.plan import ResponsePlan, load_plan
from tests.invented import PLAN, invented_config, invented_dataset
from training.audit.causes import left_out as places_out
from training.audit.causes import switched_on as more
from training.audit.causes.estimates import paired_change
from training.audit.causes.left_out import left_out, without
from training.audit.causes.refit import by_estimate, qualities
from training.audit.causes.switched_on import BOTH, OFF, PAST, PLACE, switched_on, variants
from training.config import TrainingConfig


@pytest.fixture(scope="module")
def planted() -> Dataset:
    """Calls without words; nearly all crises come from one place."""
    dataset = invented_dataset(600)
    assert dataset.labels is not None
    dataset.calls["narrative"] = "caller states " + dataset.calls["narrative"].str[-9:]
    home = dataset.calls.set_index("call_id")["neighborhood"]
    crisis = dataset.labels["target"] == TARGETS[0]
    there = dataset.labels["call_id"].map(home) == "Mattapan"
    kept = np.random.default_rng(3).random(len(dataset.labels)) < 0.9
    dataset.labels.loc[crisis, "value"] = (there == kept)[crisis]
    return dataset


@pytest.fixture(scope="module")
def plan() -> ResponsePlan:
    return load_plan("boston")[0]


@pytest.fixture(scope="module")
def config() -> TrainingConfig:
    made = invented_config(plan=PLAN)
    plain = tuple(name for name in made.features.categories if not name.startswith("answer_"))
    features = made.features.model_copy(update={"categories": plain, "history": None})
    return made.model_copy(update={"features": features})


def test_variants_differ_in_place_and_past_alone(config: TrainingConfig) -> None:
    made = variants(config)
    assert list(made) == [OFF, PLACE, PAST, BOTH]
    for name, one in made.items():
        assert ("neighborhood" in one.features.categories) == (name in (PLACE, BOTH))
        assert (one.features.history is not None) == (name in (PAST, BOTH))
        assert "premise_id" not in one.features.categories
        rest = [field for field in one.features.categories if field not in PLACES]
        assert rest == [field for field in config.features.categories if field not in PLACES]


def test_only_the_estimate_is_promised(plan: ResponsePlan) -> None:
    assert {bands.low.of for bands in by_estimate(plan).bands.values()} == {"estimate"}
    assert plan.bands["safety_risk"].low.of == "lower_bound"


def test_a_place_that_tells_all_gains_rank_and_moves_its_group(
    planted: Dataset, config: TrainingConfig, plan: ResponsePlan
) -> None:
    found = switched_on(planted, config, plan)
    gain = {
        q.model: q.change for q in found.quality if q.target == TARGETS[0] and q.measure == "AUROC"
    }
    assert gain[OFF].value == 0 and gain[PLACE].low > 0.05
    score = {
        m.group: m.score_change for m in found.moved if m.target == TARGETS[0] and m.model == PLACE
    }
    assert score["Mattapan"].low > 0.2 and score["Roxbury"].high < 0
    told = more.section(found)
    assert "Mattapan" in told.summary[1] and len(told.tables) == 7


def test_a_place_left_out_is_learned_from_in_nothing(
    planted: Dataset, config: TrainingConfig, plan: ResponsePlan
) -> None:
    seeing = variants(config)[PLACE]
    found = left_out(planted, seeing, plan, most=2)
    assert len(found) == 2 and all(one.learned > 50 for one in found)
    (whole,) = [one for one in left_out(planted, seeing, plan) if one.group == "Mattapan"]
    seen, unseen, change = whole.missed[TARGETS[0]]
    assert unseen.value > seen.value and change.low > 0.3
    told = places_out.section([whole])
    assert told.tables[0].rows[0][0] == "Mattapan"


def test_incidents_go_with_the_place_that_they_touch() -> None:
    groups = pd.Series(["A", "B", "B", "A", None])
    clusters = pd.Series(["1", "1", "2", "3", "4"])
    learned = np.array([True, True, True, True, True])
    made = {name: rest.tolist() for name, rest in without(groups, clusters, learned)}
    assert made == {"A": [False, False, True, False, True], "B": [False, False, False, True, True]}


bits = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


@given(bits)
def test_a_change_is_the_difference_of_the_shares_and_mirrors(
    rows: list[tuple[bool, bool]],
) -> None:
    first, then = (np.array(side) for side in zip(*rows, strict=True))
    w, member = np.ones(len(rows)), np.arange(len(rows))
    change, back = paired_change(first, then, w, member), paired_change(then, first, w, member)
    assert change.value == pytest.approx(then.mean() - first.mean())
    np.testing.assert_allclose(change, (-back.value, -back.high, -back.low), atol=1e-12)
    assert change.low < change.value < change.high or not 0 < abs(change.value) < 1
    assert change.high - change.low > 0


def test_qualities_need_both_classes_and_two_clusters() -> None:
    y = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, np.nan]])
    p = np.array([[0.9, 0.1], [0.2, 0.3], [0.8, 0.4]])
    same = np.array(["a", "a", "a"], dtype=object)
    found = qualities({"one": p, "other": p}, y, same, resamples=20)
    assert {q.target for q in found} == {TARGETS[0]}
    assert all(math.isnan(q.figure.low) for q in found)
    assert [q.figure.value for q in found if q.measure == "AUROC"] == [1.0, 1.0]
