"""What the labels of a group miss is found by the review, and blank where nothing was drawn."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from data import review
from data.call import TARGETS, Call
from data.dataset import Dataset
from data.errors import InputError
from data.frame import to_frame
from training.audit.causes.label_bias import label_bias, section

START = datetime(2026, 1, 1, tzinfo=UTC)


def reviewed(
    n: int = 3000, sample: int = 900, seed: int = 0, *, places: tuple[str, ...] = ("Here", "There")
) -> Dataset:
    """Make calls whose labels miss half of the crises of the first place, a tenth elsewhere."""
    random = np.random.default_rng(seed)
    home = random.choice(places, n)
    truth = random.random(n) < 0.3
    found = truth & (random.random(n) < np.where(home == places[0], 0.5, 0.9))
    calls = [
        Call(
            call_id=f"c{i}",
            received_at=START + timedelta(hours=i),
            narrative=f"words {i}",
            neighborhood=str(home[i]),
        )
        for i in range(n)
    ]
    labels = pd.DataFrame(
        {
            "call_id": [call.call_id for call in calls for _ in TARGETS],
            "target": [*TARGETS] * n,
            "value": np.repeat(found, len(TARGETS)),
            "source": "disposition",
            "as_of": START + timedelta(days=200),
            "confidence": 0.9,
        }
    )
    dataset = Dataset(to_frame(calls), labels=labels)
    of = review.draw(dataset, dict.fromkeys(TARGETS, ()), sample=sample, seed=seed)
    reviews = pd.DataFrame(
        [
            {
                "round": 1,
                "call_id": call_id,
                "target": target,
                "verdict": "yes" if truth[int(call_id[1:])] else "no",
                "by": "R. Alvarez",
                "reviewed_at": START + timedelta(days=201),
            }
            for call_id in of.queue()
            for target in TARGETS
        ]
    )
    manifest = {"review_rounds": [of.as_manifest(START)]}
    return Dataset(to_frame(calls), labels=labels, reviews=reviews, manifest=manifest)


def test_the_place_whose_crises_are_not_labelled_is_found() -> None:
    found = [one for one in label_bias(reviewed()) if one.target == TARGETS[0]]
    here, there = found
    assert here.group == "Here" and here.unlabelled.low < 0.5 < here.unlabelled.high
    assert here.gap.low > 0.1 and there.gap.high < -0.1
    assert there.unlabelled.low < 0.1 < there.unlabelled.high
    assert here.hidden.value > there.hidden.value and here.wrong.value == 0
    assert math.isnan(here.missed.value)
    told = section(found)
    assert "Here (mental health crisis" in told.summary[1]


def test_intervals_cover_what_is_true() -> None:
    covered = [
        one.unlabelled.low <= 0.5 <= one.unlabelled.high
        for seed in range(25)
        for one in label_bias(reviewed(1200, 400, seed))
        if one.group == "Here" and one.target == TARGETS[0]
    ]
    assert np.mean(covered) >= 0.9


def test_a_group_of_which_nothing_was_drawn_is_blank() -> None:
    dataset = reviewed(300, 60)
    dataset.calls.loc[:4, "neighborhood"] = "Nowhere"
    dataset.reviews = dataset.reviews[~dataset.reviews["call_id"].isin([f"c{i}" for i in range(5)])]
    nowhere = [one for one in label_bias(dataset) if one.group == "Nowhere"]
    assert nowhere and all(
        one.reviewed == 0 and math.isnan(one.unlabelled.value) for one in nowhere
    )
    assert "| Nowhere | 0 | 0 | – |" in section(label_bias(dataset)).markdown()


def test_what_the_model_misses_is_weighed_alike() -> None:
    dataset = reviewed()
    ids = dataset.calls["call_id"]
    flags = {
        target: pd.Series(dataset.calls["neighborhood"].to_numpy() == "Here", index=ids)
        for target in TARGETS
    }
    here, there = (one for one in label_bias(dataset, flags=flags) if one.target == TARGETS[1])
    assert here.missed.value == 0 and there.missed.value == 1


def test_without_a_review_nothing_can_be_said() -> None:
    dataset = reviewed(300, 60)
    dataset.manifest = {}
    with pytest.raises(InputError, match="no random review"):
        label_bias(dataset)
