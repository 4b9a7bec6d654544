"""The price curve counts what it says it counts."""

from __future__ import annotations

import numpy as np
import pytest

from training.price import price_curve, price_table


def made(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.2).astype(float)
    p = np.clip(0.15 + 0.5 * y + rng.normal(0, 0.2, n), 0, 1).round(2)  # with ties
    return y, p, (np.arange(n) // 4).astype(object)


def test_every_step_is_counted_by_hand() -> None:
    y, p, clusters = made()
    curve = price_curve(y, p, clusters, 0.33, np.random.default_rng(1))
    thresholds = [step["threshold"] for step in curve]
    assert thresholds == sorted(set(thresholds), reverse=True)
    assert [step["threshold"] for step in curve if step["in_force"]] == [0.33]
    before: tuple[int, int] | None = None
    for step in curve:
        above = p >= step["threshold"]
        caught, needless = int((above & (y == 1)).sum()), int((above & (y == 0)).sum())
        assert step["missed"] == (y == 1).sum() - caught
        assert step["needless"] == needless
        assert step["sensitivity"]["value"] == pytest.approx(caught / (y == 1).sum())
        assert step["needless_share"]["value"] == pytest.approx(needless / (y == 0).sum())
        if before is None or caught == before[0]:
            assert step["price"]["value"] is None
        else:
            price = (needless - before[1]) / (caught - before[0])
            assert step["price"]["value"] == pytest.approx(price)
        before = caught, needless
    assert curve[-1]["missed"] == 0


def test_intervals_surround_and_one_cluster_has_none() -> None:
    y, p, clusters = made()
    for step in price_curve(y, p, clusters, None, np.random.default_rng(1))[1:]:
        for name in ("sensitivity", "needless_share", "price"):
            if step[name]["low"] is not None:
                assert step[name]["low"] <= step[name]["value"] <= step[name]["high"]
    alone = price_curve(y, p, np.zeros(len(y), dtype=object), None, np.random.default_rng(1))
    assert {step["sensitivity"]["low"] for step in alone} == {None}


def test_the_table_marks_the_threshold_in_force() -> None:
    y, p, clusters = made()
    curve = price_curve(y, p, clusters, 0.33, np.random.default_rng(1))
    rows = price_table(curve).splitlines()
    assert len(rows) == len(curve) + 2
    assert sum("in force" in row for row in rows) == 1
    assert rows[2].endswith("| – |")
    assert "nan" not in price_table(curve)
