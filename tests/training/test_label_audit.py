"""The audit names labels that were turned round, and scores no call by what it learned from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS
from data.dataset import Dataset
from tests.invented import CRISIS, invented_dataset
from training.label_audit import _groups, out_of_fold, suspects


@pytest.fixture(scope="module")
def turned() -> tuple[Dataset, set[str]]:
    """Turn round the crisis label of 25 calls whose words leave no doubt."""
    dataset = invented_dataset(600, seed=4)
    assert dataset.labels is not None
    words = dataset.calls.set_index("call_id")["narrative"]
    hits = words.str.count("|".join(CRISIS))
    mine = dataset.labels["target"] == "mental_health_crisis"
    clear = mine & (dataset.labels["call_id"].map(hits) >= 2) & dataset.labels["value"]
    rows = dataset.labels.index[clear][:25]
    dataset.labels.loc[rows, "value"] = False
    return dataset, set(dataset.labels.loc[rows, "call_id"])


def test_labels_that_were_turned_round_are_found(turned: tuple[Dataset, set[str]]) -> None:
    dataset, wrong = turned
    found = suspects(dataset)
    assert set(found) == set(TARGETS)
    first = found["mental_health_crisis"][: len(wrong)]
    assert len(wrong & set(found["mental_health_crisis"])) >= 0.7 * len(wrong)
    assert len(wrong & set(first)) >= 0.5 * len(first)
    assert suspects(dataset) == found


def test_with_too_few_labels_nothing_is_suspected() -> None:
    dataset = invented_dataset(60, seed=1)
    assert dataset.labels is not None
    dataset.labels = dataset.labels[dataset.labels["value"]]
    assert suspects(dataset) == {target: [] for target in TARGETS}


def test_calls_of_one_incident_or_one_text_are_one_group() -> None:
    groups = _groups(pd.Series(["a", "b", "b", "c"]), pd.Series(["1", "1", "2", "3"]))
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_a_call_is_scored_by_what_others_taught() -> None:
    # Every call is a word of its own: out of the fold nothing can be known of it.
    labels = np.array([0, 1] * 20)
    p = out_of_fold(np.eye(40), labels, pd.Series(range(40)))
    assert np.ptp(p) < 0.2
    assert (out_of_fold(np.eye(2), np.array([0, 1]), pd.Series([1, 1])) == 0.5).all()
