"""A small step between trainings: probabilities follow a base rate that has moved.

The log-odds z of a head become a z + b (Platt 1999; Cox 1958 for what slope and intercept mean),
fitted on calls whose labels are known by now, drawn towards a = 1 and b = 0 and kept within bounds:
what needs a larger step needs a training. The order of calls does not change, and thresholds move
along, so that no call changes its band and nothing else is recommended. What changes is what the
probabilities mean.

The step is fitted on the earlier two thirds of the calls and judged on the last third, for each
head on its own; a head that it does not help is left as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from scipy.optimize import minimize

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.classifier import as_labels
from model_service.model.plan import Thresholds
from model_service.model.promotion import Gate
from model_service.model.release import FILES, Release, canonical, scorer_files, write_release
from model_service.model.scorer import Pair, Scorer, expit
from training.evaluate import assess_frame
from training.history import with_history
from training.metrics import Floats, brier, calibration_error

SLOPES = (2 / 3, 3 / 2)
INTERCEPTS = (-math.log(2), math.log(2))
"""At most half or twice the odds."""

SPREAD = (0.25, 0.5)
"""Standard deviations of the normal priors of slope and intercept, around 1 and 0."""

FITTED = 2 / 3
MIN_POSITIVES = 30
"""Of each class, in either part: fewer say nothing of a calibration."""

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass(frozen=True)
class Step:
    """What is done to one head, and what it did on later calls.

    Parameters
    ----------
    slope, intercept : float
        1 and 0: nothing.
    calls, positives : int
        It was fitted on.
    judged : int
        Later calls it was judged on.
    before, after : dict of str to float
        `calibration_error`, `brier` and `mean_probability` on those, and `share`, what came true.
    taken : bool
        Whether the head was changed; if not, `why` says why not.
    why : str
    """

    slope: float
    intercept: float
    calls: int
    positives: int
    judged: int
    before: dict[str, float]
    after: dict[str, float]
    taken: bool
    why: str = ""


def fit_step(z: Floats, y: Floats) -> tuple[float, float]:
    """Fit slope and intercept of a head's log-odds.

    Parameters
    ----------
    z : ndarray of shape (n_calls,)
        Log-odds.
    y : ndarray of shape (n_calls,)
        1 or 0.

    Returns
    -------
    float, float
        Within `SLOPES` and `INTERCEPTS`: the mode of the posterior there.

    Examples
    --------
    >>> z = np.array([-2.0, -1.0, 0.0, 1.0, 2.0] * 400)
    >>> y = np.random.default_rng(0).random(2000) < 1 / (1 + np.exp(-(z + 0.5)))
    >>> slope, intercept = fit_step(z, y.astype(float))
    >>> bool(abs(slope - 1) < 0.1), bool(abs(intercept - 0.5) < 0.15)
    (True, True)
    """

    def loss(step: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, intercept = step
        x = slope * z + intercept
        away = np.array([(slope - 1) / SPREAD[0], intercept / SPREAD[1]])
        wrong = 1 / (1 + np.exp(-x)) - y
        value = float((np.logaddexp(0, x) - y * x).sum() + (away**2).sum() / 2)
        return value, np.array([(wrong * z).sum(), wrong.sum()]) + away / np.array(SPREAD)

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=[SLOPES, INTERCEPTS])
    return float(found.x[0]), float(found.x[1])


def steps(
    release: Release,
    dataset: Dataset,
    chosen: pd.Series,
    progress: Progress = lambda items, _: items,
) -> dict[str, Step]:
    """Fit and judge a step for both heads.

    Parameters
    ----------
    release : Release
    dataset : Dataset
    chosen : pandas.Series of bool, of shape (n_calls,)
        Its calls with labels known by now, from which the release has not learned.
    progress : callable

    Raises
    ------
    InputError
        If no call was chosen.
    """
    if not chosen.any():
        raise InputError("no call lies in the period that was asked for")
    calls = with_history(dataset.calls, release.scorer.history, dataset.labels)[chosen]
    order = np.argsort(calls["received_at"].to_numpy(), kind="stable")
    assessed = assess_frame(release, calls, progress)
    y = as_labels(dataset.targets()[chosen])
    found = {}
    for column, target in enumerate(TARGETS):
        rows = order[~np.isnan(y[order, column])]
        p = np.clip(assessed[target].to_numpy()[rows], 1e-12, 1 - 1e-12)
        found[target] = _step(np.log(p / (1 - p)), y[rows, column])
    return found


def _step(z: Floats, y: Floats) -> Step:
    cut = int(len(z) * FITTED)
    classes = [int(part.sum()) for part in (y[:cut], 1 - y[:cut], y[cut:], 1 - y[cut:])]
    counts = cut, classes[0], len(y) - cut
    if min(classes) < MIN_POSITIVES:
        why = f"fewer than {MIN_POSITIVES} calls of a class, in the fitted or the judged part"
        return Step(1.0, 0.0, *counts, before={}, after={}, taken=False, why=why)
    slope, intercept = fit_step(z[:cut], y[:cut])
    before, after = _figures(z[cut:], y[cut:]), _figures(slope * z[cut:] + intercept, y[cut:])
    worse = [name for name in ("calibration_error", "brier") if after[name] >= before[name]]
    if worse:
        why = f"on the later calls it does not better {' and '.join(worse)}".replace("_", " ")
        return Step(1.0, 0.0, *counts, before=before, after=after, taken=False, why=why)
    return Step(slope, intercept, *counts, before=before, after=after, taken=True)


def _figures(z: Floats, y: Floats) -> dict[str, float]:
    order = np.argsort(-z, kind="stable")
    p, y, one = 1 / (1 + np.exp(-z[order])), y[order], np.ones(len(z))
    return {
        "calibration_error": calibration_error(y, p, one),
        "brier": brier(y, p, one),
        "mean_probability": float(p.mean()),
        "share": float(y.mean()),
    }


def recalibrated(scorer: Scorer, slopes: Pair, intercepts: Pair) -> Scorer:
    """Make the scorer whose log-odds are `slopes` times those of another, plus `intercepts`.

    Contributions in log-odds are scaled likewise, so that explanations stay exact.
    """
    by = np.array(slopes)

    def scaled(pair: Pair) -> Pair:
        return pair[0] * slopes[0], pair[1] * slopes[1]

    history = scorer.history
    return replace(
        scorer,
        bias=(
            scorer.bias[0] * slopes[0] + intercepts[0],
            scorer.bias[1] * slopes[1] + intercepts[1],
        ),
        texts=tuple(replace(table, weights=table.weights * by) for table in scorer.texts),
        concepts=(
            None
            if scorer.concepts is None
            else replace(scorer.concepts, weights=scorer.concepts.weights * by)
        ),
        categories=tuple(
            replace(
                table,
                values={value: scaled(pair) for value, pair in table.values.items()},
                other=scaled(table.other),
                mean=scaled(table.mean),
            )
            for table in scorer.categories
        ),
        history=(
            None
            if history is None
            else replace(
                history,
                weights=tuple(map(scaled, history.weights)),
                none=scaled(history.none),
                means=tuple(map(scaled, history.means)),
                none_mean=scaled(history.none_mean),
            )
        ),
    )


def moved(thresholds: Thresholds, slope: float, intercept: float) -> Thresholds:
    """Move thresholds along with the probabilities, so that no call changes its band."""

    def move(threshold: float) -> float:
        if threshold <= 0 or threshold >= 1:  # everything, or never
            return threshold
        return expit(slope * math.log(threshold / (1 - threshold)) + intercept)

    low = None if thresholds.low is None else move(thresholds.low)
    return Thresholds(low=low, high=move(thresholds.high))


def write_recalibrated(
    release: Release,
    folder: Path,
    made: Mapping[str, Step],
    *,
    until: pd.Timestamp,
    store: Path,
    key: Ed25519PrivateKey,
) -> Path:
    """Write the release with its steps taken, beside the one that it comes from.

    Parameters
    ----------
    release : Release
    folder : Path
        Of the release.
    made : mapping of str to Step
        Target → step.
    until : pandas.Timestamp
        Time of the last call that was looked at.
    store : Path
    key : Ed25519PrivateKey

    Raises
    ------
    InputError
        If no step is taken.
    """
    if not any(step.taken for step in made.values()):
        raise InputError(
            "nothing to recalibrate: " + "; ".join(f"{t}: {s.why}" for t, s in made.items())
        )
    slopes = (made[TARGETS[0]].slope, made[TARGETS[1]].slope)
    intercepts = (made[TARGETS[0]].intercept, made[TARGETS[1]].intercept)
    thresholds: dict[str, Any] = {}
    for target in TARGETS:
        step = made[target]
        at = moved(release.thresholds[target], step.slope, step.intercept)
        evidence = release.metrics.get("thresholds", {}).get(target, {}).get("evidence")
        thresholds[target] = {"low": at.low, "high": at.high, "evidence": evidence}
    told = telling(release, made, until)
    kept = {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}
    files = {
        **kept,
        **scorer_files(recalibrated(release.scorer, slopes, intercepts)),
        "thresholds.json": canonical(thresholds),
        "metrics.json": canonical({**release.metrics, "recalibrated": told}),
        "card.md": (release.card + section(told)).encode(),
    }
    return write_release(store, files, key)


def telling(release: Release, made: Mapping[str, Step], until: pd.Timestamp) -> dict[str, Any]:
    """Say what was done to a release, on calls up to which time, as metrics.json holds it."""
    return {
        "from": release.digest,
        "until": until.isoformat(),
        "steps": {target: asdict(step) for target, step in made.items()},
    }


def section(told: Mapping[str, Any]) -> str:
    """Write the card's section on a recalibration."""
    rows = [
        "| head | slope | intercept | fitted on | judged on | calibration error, before and after "
        "| Brier score, before and after |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for target, step in told["steps"].items():
        figures = [
            f"{step['before'][name]:.4f} → {step['after'][name]:.4f}" if step["before"] else "–"
            for name in ("calibration_error", "brier")
        ]
        taken = "" if step["taken"] else f" (left as it was: {step['why']})"
        rows.append(
            f"| {target}{taken} | {step['slope']:.3f} | {step['intercept']:+.3f} "
            f"| {step['calls']:,} | {step['judged']:,} | {figures[0]} | {figures[1]} |"
        )
    return (
        "\n## Recalibrated\n\n"
        f"From release `{told['from'][:16]}`, on calls up to {told['until'][:10]}. Log-odds were "
        "scaled and shifted; thresholds moved along, so that no call changed its band. The figures "
        "above are those of the release it comes from.\n\n" + "\n".join(rows) + "\n"
    )


def gates(made: Mapping[str, Step]) -> list[Gate]:
    """Tell the steps that were taken as gates that were passed, for the record."""
    return [
        Gate(
            name=f"recalibration, {target}",
            passed=True,
            figure=f"slope {step.slope:.3f}, intercept {step.intercept:+.3f}; calibration error "
            f"{step.before['calibration_error']:.4f} to {step.after['calibration_error']:.4f}",
            limit="calibration error and Brier score better on later calls",
        )
        for target, step in made.items()
        if step.taken
    ]
