"""Two releases on the same calls: paired figures, blanks instead of zeros, and honest words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.release import Release
from tests.invented import invented_dataset
from training.compare import compare, judged_calls, later_calls
from training.compare_words import report, words
from training.evaluate import evaluate
from training.history import with_history
from training.pipeline import Trained

LATER = datetime.fromisoformat("2021-12-01T00:00:00+00:00")


def worse(release: Release) -> Release:
    """Make a release that has forgotten most of what words say."""
    scorer = release.scorer
    texts = tuple(replace(table, weights=table.weights * 0.05) for table in scorer.texts)
    return replace(release, digest="f" * 64, scorer=replace(scorer, texts=texts))


@pytest.fixture(scope="module")
def later() -> Dataset:
    dataset = invented_dataset(900, seed=7)
    return replace(dataset, manifest={**dataset.manifest, "digest": "d" * 64})


def chosen(dataset: Dataset) -> pd.Series:
    return dataset.calls["received_at"].notna()


def test_a_release_is_not_told_apart_from_itself(
    small: tuple[Dataset, Trained], later: Dataset
) -> None:
    release = small[1].release
    compared = compare(release, release, later, chosen(later))
    for target in TARGETS:
        for figure in ("auroc", "average_precision", "brier", "calibration_error"):
            pair = compared["heads"][target][figure]
            assert pair["a"] == pair["b"]
            assert pair["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert compared["recommendation"]["same"] == compared["calls"]
    assert compared["parted"] == []
    assert "do not tell the two apart" in compared["words"][-1]
    assert not any("better" in line or "worse" in line for line in compared["words"][:-1])


def test_point_figures_are_those_of_evaluate(
    small: tuple[Dataset, Trained], later: Dataset
) -> None:
    release = small[1].release
    other = worse(release)
    compared = compare(release, other, later, chosen(later))
    calls = with_history(later.calls, release.scorer.history, later.labels)
    for side, one in (("a", release), ("b", other)):
        alone = evaluate(one, calls, later.targets(), later.incidents())
        for target in TARGETS:
            for figure in ("auroc", "average_precision", "brier"):
                expected = alone["heads"][target][figure]["value"]
                assert compared["heads"][target][figure][side]["value"] == pytest.approx(expected)


def test_a_release_that_forgot_is_worse(small: tuple[Dataset, Trained], later: Dataset) -> None:
    release = small[1].release
    compared = compare(release, worse(release), later, chosen(later))
    for target in TARGETS:
        assert compared["heads"][target]["average_precision"]["difference"]["high"] < 0
    assert compared["words"][-1] == "B is worse and in no way better: keep A."
    back = compare(worse(release), release, later, chosen(later))
    assert "may be put to the gates" in back["words"][-1]
    change = [c["heads"]["safety_risk"]["auroc"]["difference"]["value"] for c in (compared, back)]
    assert change[0] == pytest.approx(-change[1])


def test_a_group_without_risks_is_blank_and_not_zero(
    small: tuple[Dataset, Trained], later: Dataset
) -> None:
    release = small[1].release
    labels = later.labels
    assert labels is not None
    downtown = set(later.calls.loc[later.calls["neighborhood"] == "Downtown", "call_id"])
    none = (labels["target"] == "safety_risk") & labels["call_id"].isin(downtown)
    quiet = Dataset(
        later.calls,
        labels=labels.assign(value=labels["value"].where(~none, False)),
        groups=later.groups,
        manifest=later.manifest,
    )
    groups = compare(release, worse(release), quiet, chosen(quiet))["groups"]["neighborhood"]
    assert groups["Downtown"]["n"] == 0
    assert groups["Downtown"]["a"] == {"value": None, "low": None, "high": None}
    assert groups["Roxbury"]["a"]["value"] is not None
    assert set(groups) == {"Downtown", "Roxbury", "Dorchester", "Mattapan", "not known"}


def test_an_interval_of_nothing_missed_is_exact(
    small: tuple[Dataset, Trained], later: Dataset
) -> None:
    """A bootstrap of a share that is 0 everywhere says 0 to 0, which is no interval."""
    release = small[1].release
    rates = compare(release, release, later, chosen(later))["recommendation"]["rates"]
    for pair in rates.values():
        for side in ("a", "b"):
            if pair["k"][side] in (0, pair["n"]) and pair["n"]:
                assert pair[side]["low"] < pair[side]["high"]
                assert pair["difference"]["low"] is None


def test_it_is_json_and_holds_no_narrative(small: tuple[Dataset, Trained], later: Dataset) -> None:
    release = small[1].release
    compared = compare(release, worse(release), later, chosen(later))
    text = json.dumps(compared, allow_nan=False) + report(compared, {"a": "one", "b": "two"})
    for narrative in later.calls["narrative"].dropna().head(200):
        if len(narrative) > 20:
            assert narrative not in text
    assert compared["parted"], "a release that forgot recommends otherwise somewhere"
    assert sum(kind["calls"] for kind in compared["parted"]) == (
        compared["calls"] - compared["recommendation"]["same"]
    )


def test_the_same_seed_gives_the_same_figures(
    small: tuple[Dataset, Trained], later: Dataset
) -> None:
    release = small[1].release
    twice = [compare(release, worse(release), later, chosen(later), seed=3) for _ in range(2)]
    assert twice[0] == twice[1]


def test_calls_that_were_learned_from_are_left_out(
    small: tuple[Dataset, Trained], later: Dataset
) -> None:
    release = small[1].release
    begins = pd.Timestamp(release.metrics["test"]["received_at"][0])
    received_at = later.calls["received_at"]
    judged = judged_calls(release, release, later, None, None)
    assert (judged == (received_at >= begins)).all()
    after = replace(release, metrics={"test": {"received_at": ["2021-12-20T00:00:00+00:00"]}})
    assert later_calls(release, after, received_at).sum() < judged.sum()
    assert judged_calls(release, release, later, None, LATER).all(), "the person names the period"
    silent = replace(release, metrics={})
    with pytest.raises(InputError, match="--since"):
        judged_calls(release, silent, later, None, None)


def test_no_call_is_an_error(small: tuple[Dataset, Trained], later: Dataset) -> None:
    release = small[1].release
    with pytest.raises(InputError, match="no call"):
        compare(release, release, later, chosen(later) & False)


def test_one_class_alone_can_t_be_measured(small: tuple[Dataset, Trained], later: Dataset) -> None:
    release = small[1].release
    labels = later.labels
    assert labels is not None
    flat = Dataset(
        later.calls,
        labels=labels.assign(value=np.zeros(len(labels), dtype=bool)),
        groups=later.groups,
        manifest=later.manifest,
    )
    compared = compare(release, release, flat, chosen(flat))
    assert "only one class" in compared["heads"]["safety_risk"]["note"]
    assert any("only one class" in line for line in words(compared))
