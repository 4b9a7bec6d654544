"""What a lower safety threshold costs: needless police sends per missed risk avoided.

A threshold that is lowered by a step catches some calls with a risk that were missed before, and
takes in some without one. The price of the step is the second number over the first. The figures
are of the threshold alone: of all labelled calls, whomever the plan would send to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import Figure, Floats, drawn_weights, with_interval

SENSITIVITIES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)
"""At which the curve is drawn, besides the threshold in force."""


def price_curve(
    y: Floats,
    p: Floats,
    clusters: NDArray[np.object_],
    low: float | None,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Compute the steps of the curve, from the highest threshold down.

    Parameters
    ----------
    y : ndarray of shape (n_calls,)
        1 where there was a risk, else 0; both occur.
    p : ndarray of shape (n_calls,)
        Probabilities.
    clusters : ndarray of shape (n_calls,)
        What the bootstrap draws whole.
    low : float or None
        The threshold in force; it has its own step.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        `threshold`, `in_force`, `missed` (risks below it), `needless` (calls without a risk at or
        above it), and as figures with 95% intervals `sensitivity`, `needless_share` (of the calls
        without a risk) and `price`, against the step before; the first has no step before it.
    """
    positive = np.sort(p[y == 1])[::-1]
    caught = [max(1, int(np.ceil(s * len(positive) - 1e-9))) for s in SENSITIVITIES]
    steps = {float(positive[n - 1]) for n in caught}
    thresholds = np.array(sorted(steps | ({low} if low is not None else set()), reverse=True))
    # Calls at or above the first threshold are of step 0, those below the last of none.
    step = np.searchsorted(-thresholds, -p, side="left")
    point = _rates(y, step, np.ones(len(p)), len(thresholds))
    draws = (
        [_rates(y, step, w, len(thresholds)) for w in drawn_weights(clusters, rng)]
        if len(set(clusters)) > 1
        else []
    )
    risks, others = int((y == 1).sum()), int((y == 0).sum())

    def figure(row: int, at: int) -> dict[str, float | None]:
        found = with_interval(float(point[row, at]), [float(draw[row, at]) for draw in draws])
        return _as_json(found)

    return [
        {
            "threshold": float(threshold),
            "in_force": bool(threshold == low),
            "missed": risks - round(float(point[0, at]) * risks),
            "needless": round(float(point[1, at]) * others),
            "sensitivity": figure(0, at),
            "needless_share": figure(1, at),
            "price": figure(2, at),
        }
        for at, threshold in enumerate(thresholds)
    ]


def _rates(y: Floats, step: NDArray[np.intp], w: Floats, steps: int) -> NDArray[np.float64]:
    """Compute sensitivity, share of needless sends and price per step; rows of three."""
    caught = np.bincount(step[y == 1], w[y == 1], steps + 1)
    taken = np.bincount(step[y == 0], w[y == 0], steps + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        price = taken[:steps] / caught[:steps]
        price[(caught[:steps] == 0) | (np.arange(steps) == 0)] = np.nan
        return np.array(
            [
                np.cumsum(caught)[:steps] / caught.sum(),
                np.cumsum(taken)[:steps] / taken.sum(),
                price,
            ]
        )


def _as_json(figure: Figure) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in figure._asdict().items()}


def price_table(curve: list[dict[str, Any]]) -> str:
    """Tabulate the curve, in Markdown."""
    rows = [
        "| threshold | risks missed | sensitivity | police sent without a risk "
        "| needless sends per missed risk avoided |",
        "|--:|--:|--:|--:|--:|",
    ]
    for step in curve:
        mark = " **in force**" if step["in_force"] else ""
        rows.append(
            f"| {step['threshold']:.3f}{mark} | {step['missed']:,} "
            f"| {_words(step['sensitivity'], '.3f')} "
            f"| {step['needless']:,}: {_words(step['needless_share'], '.3f')} "
            f"| {_words(step['price'], '.1f')} |"
        )
    return "\n".join(rows)


def _words(figure: dict[str, float | None], form: str) -> str:
    if figure["value"] is None:
        return "–"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:{form}}"
    return f"{figure['value']:{form}} ({figure['low']:{form}}–{figure['high']:{form}})"
