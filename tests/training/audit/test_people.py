"""Whether decisions narrow or widen a gap of the recommendation."""

from __future__ import annotations

import numpy as np

from tests.training.audit.calls import some_calls
from training.audit.audit import audit
from training.audit.people import NARROWS, NO_CHANGE, WIDENS, changes, section
from training.audit.period import Period


def decided(*, west_recommended: float, west_decided: float, n: int = 30_000) -> Period:
    """Make calls; elsewhere three of ten crises without a risk get police either way."""
    calls = some_calls(n, crisis=1.0, risk=0.0)
    rng = np.random.default_rng(9)
    west = calls["neighborhood"] == "West"
    for column, share in (
        ("recommended_police", west_recommended),
        ("decided_police", west_decided),
    ):
        calls[column] = rng.random(n) < np.where(west, share, 0.3)
    return Period(calls)


def verdict(period: Period, group: str = "West") -> str:
    found = changes(period, "neighborhood", resamples=200)
    mine = found[(found["group"] == group) & (found["share"] == "police_without_need")]
    return str(mine["verdict"].iloc[0])


def test_decisions_that_send_more_police_where_more_was_recommended_widen() -> None:
    assert verdict(decided(west_recommended=0.4, west_decided=0.6)) == WIDENS


def test_decisions_that_undo_a_gap_narrow_it() -> None:
    assert verdict(decided(west_recommended=0.6, west_decided=0.32)) == NARROWS


def test_a_gap_that_stays_is_no_change() -> None:
    assert verdict(decided(west_recommended=0.6, west_decided=0.6)) == NO_CHANGE


def test_the_change_is_of_the_same_calls() -> None:
    period = decided(west_recommended=0.5, west_decided=0.4)
    found = changes(period, "neighborhood", resamples=50).dropna(subset="change")
    assert np.allclose(found["change"], found["gap_decided"] - found["gap_recommended"])
    assert ((found["low"] <= found["change"]) & (found["change"] <= found["high"])).all()


def test_without_decisions_there_is_nothing_to_say() -> None:
    period = Period(some_calls(500).assign(decision=None, decided_police=None))
    made = audit(period, by=["neighborhood"], resamples=20)
    assert section(period, made) is None
    alone = Period(some_calls(500, advised=False))
    assert section(alone, audit(alone, by=["neighborhood"], resamples=20)) is None
