"""Train a model anew for a question of the audit, and compare models on the same calls.

Nothing made here is a release. The thresholds keep the plan's promises by the estimate alone: a
bound asks for more calls than a study of one place or one feature has, and all models that are
compared are treated alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.call import TARGETS
from model_service.model.plan import BandPromises, ResponsePlan
from training.audit.causes.estimates import Floats
from training.metrics import Figure, auroc, average_precision, drawn_weights, with_interval

Report = Callable[[str], None]

QUALITY: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    "AUROC": auroc,
    "average precision": average_precision,
}
RESAMPLES = 400


@dataclass(frozen=True)
class Quality:
    """How well a model ranks the calls of a target, and how much better than the first one.

    Parameters
    ----------
    model, target, measure : str
    calls, positive : int
    figure, change : Figure
        `change` is against the first model, over the same draws; 0 for itself.
    """

    model: str
    target: str
    measure: str
    calls: int
    positive: int
    figure: Figure
    change: Figure


def by_estimate(plan: ResponsePlan) -> ResponsePlan:
    """Return a plan that promises its sensitivities by the estimate, not by a bound of it."""
    bands: dict[str, BandPromises] = {
        target: promises.model_copy(
            update={"low": promises.low.model_copy(update={"of": "estimate"})}
        )
        for target, promises in plan.bands.items()
    }
    return plan.model_copy(update={"bands": bands})


def qualities(
    scores: Mapping[str, NDArray[np.float64]],
    y: NDArray[np.float64],
    clusters: NDArray[np.object_],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[Quality, ...]:
    """Compare how well models rank the same calls.

    Parameters
    ----------
    scores : mapping of str to ndarray of shape (n_calls, 2)
        Model → probabilities of calls that it has not learned from; the first is the one that the
        others are measured against.
    y : ndarray of shape (n_calls, 2)
        1, 0 or NaN.
    clusters : ndarray of shape (n_calls,)
    seed : int
        Of the bootstrap, which draws whole clusters.
    resamples : int

    Returns
    -------
    tuple of Quality
        Of the targets that have both classes.
    """
    made = []
    for column, target in enumerate(TARGETS):
        there = ~np.isnan(y[:, column])
        known = y[there, column]
        if not 0 < known.sum() < len(known):
            continue
        own = clusters[there]
        ps = {model: p[there, column] for model, p in scores.items()}
        orders = {model: np.argsort(-p, kind="stable") for model, p in ps.items()}

        def measured(
            w: Floats,
            ps: dict[str, Floats] = ps,
            known: Floats = known,
            orders: dict[str, NDArray[np.int64]] = orders,
        ) -> dict[tuple[str, str], float]:
            return {
                (model, name): measure(known[order], ps[model][order], w[order])
                for model, order in orders.items()
                for name, measure in QUALITY.items()
            }

        point = measured(np.ones(len(known)))
        draws: list[dict[tuple[str, str], float]] = []
        if len(set(own)) > 1:
            rng = np.random.default_rng(seed)
            draws = [measured(w) for w in drawn_weights(own, rng, resamples)]
        base = next(iter(scores))
        for (model, name), value in point.items():
            key, first = (model, name), (base, name)
            change = with_interval(value - point[first], [d[key] - d[first] for d in draws])
            made.append(
                Quality(
                    model=model,
                    target=target,
                    measure=name,
                    calls=len(known),
                    positive=int(known.sum()),
                    figure=with_interval(value, [draw[key] for draw in draws]),
                    change=Figure(0.0, 0.0, 0.0) if model == base else change,
                )
            )
    return tuple(made)


def rows_of(found: Sequence[Quality]) -> tuple[tuple[str | int | Figure, ...], ...]:
    """Write qualities as the rows of a table."""
    return tuple(
        (
            q.model,
            q.target.replace("_", " "),
            q.measure,
            q.calls,
            q.positive,
            q.figure,
            q.change,
        )
        for q in found
    )


QUALITY_COLUMNS = ("model", "head", "measure", "calls", "positive", "value", "change")
