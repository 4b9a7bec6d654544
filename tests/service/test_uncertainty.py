"""Intervals and quartiles against those of SciPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from model_service.service.console.uncertainty import quartiles, wilson


@given(st.integers(1, 5000), st.data())
def test_wilsons_interval_is_scipys(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    due = binomtest(k, n).proportion_ci(0.95, method="wilson")
    share = wilson(k, n)
    assert (share.low, share.high) == pytest.approx((due.low, due.high), abs=1e-12)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_of_little_nothing_is_told() -> None:
    assert wilson(1, 3).wide
    assert not wilson(20, 200).wide
    assert wilson(0, 0).words() == "none"
    assert wilson(0, 0).wide


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_quartiles_are_numpys(values: list[float]) -> None:
    found = quartiles(values)
    assert found is not None
    due = np.quantile(values, [0.25, 0.5, 0.75])
    assert (found.lower, found.median, found.upper) == pytest.approx(tuple(due))
