"""The audit names labels that were turned round, and scores no call by what it learned from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS
from data.dataset import Dataset
from data.review import reviewable
from data.sources.synthetic import synthesize
from data.sources.synthetic.library import shipped
from tests.invented import invented_dataset
from training.label_audit import _groups, out_of_fold, suspects

TURNED = 40


@pytest.fixture(scope="module")
def turned() -> tuple[Dataset, set[str]]:
    """Turn round the crisis label of 40 of 3,000 calls of kinds that come again and again.

    Of calls that were written out whole no two are of a kind: 3,000 of those teach a plain model
    too little to doubt a label by.
    """
    library = shipped()
    told = {name: family for name, family in library.families.items() if not family.written}
    dataset = synthesize(
        3000,
        seed=4,
        label_noise=0.0,
        missing_labels=0.05,
        library=replace(library, families=told),
    )
    assert dataset.labels is not None
    readable = set(reviewable(dataset)["call_id"])
    mine = dataset.labels["target"] == "mental_health_crisis"
    mine &= dataset.labels["call_id"].isin(readable)
    rows = np.random.default_rng(6).choice(dataset.labels.index[mine], TURNED, replace=False)
    dataset.labels.loc[rows, "value"] = ~dataset.labels.loc[rows, "value"]
    return dataset, set(dataset.labels.loc[rows, "call_id"])


def test_labels_that_were_turned_round_are_found(turned: tuple[Dataset, set[str]]) -> None:
    dataset, wrong = turned
    found = suspects(dataset)["mental_health_crisis"]
    assert len(wrong & set(found)) >= 0.5 * TURNED
    # Of six drawings 10 to 17 of the first 20 were turned round; by chance it would be one in three
    # drawings of 20.
    assert len(wrong & set(found[:20])) >= 9
    given = dataset.targets()["mental_health_crisis"].groupby(dataset.calls["call_id"]).first()
    assert given[found[:6]].astype(bool).tolist() == [False, True] * 3


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
