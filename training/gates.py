"""What a release must show before it comes into force, one gate after the other.

Each gate has a figure and a limit, both in words that stay with the release's promotion. A gate
that can't be measured has not been passed. The limits stand in the response plan, under
`promotion`: a plan is what a centre has agreed upon.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from data.call import TARGETS
from model_service.model.assess import assess
from model_service.model.plan import Promotions
from model_service.model.promotion import Gate
from model_service.model.release import Release
from training.behaviour import GOALS, missed, run
from training.history import calls_and_counts

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

SPEED_CALLS = 300
SPEED_ROUNDS = 3


def quality(compared: Mapping[str, Any], limits: Promotions) -> list[Gate]:
    """Ask that no head be worse than the one in force: the paired lower bound decides.

    Parameters
    ----------
    compared : mapping
        As `training.compare.compare` gives it, a being in force.
    limits : Promotions
    """
    gates = []
    for target in TARGETS:
        head = compared["heads"][target]
        for figure, title in (("auroc", "AUROC"), ("average_precision", "average precision")):
            limit = f"lower bound of the change at least {-limits.quality_margin:+.3f}"
            name = f"quality: {title}, {target}"
            pair = head.get(figure)
            change = None if pair is None else pair["difference"]
            if change is None or change["low"] is None:
                gates.append(_unmeasured(name, limit, head.get("note", "too few calls")))
                continue
            words = f"{change['value']:+.4f} ({change['low']:+.4f} to {change['high']:+.4f})"
            passed = change["low"] >= -limits.quality_margin
            gates.append(Gate(name=name, passed=passed, figure=words, limit=limit))
    return gates


def promise(compared: Mapping[str, Any], release: Release) -> Gate:
    """Ask that the safety threshold keep its promise on these calls too.

    The bound is the lower end of the 95% interval of the sensitivity.
    """
    asked = release.plan.bands["safety_risk"].low.sensitivity
    name, limit = "safety promise", f"lower bound of the sensitivity at least {asked:.2f}"
    low = compared["heads"]["safety_risk"].get("bands", {}).get("low")
    if low is None or low["sensitivity"]["b"]["low"] is None:
        return _unmeasured(name, limit, "no threshold, or too few risks to bound it")
    figure = low["sensitivity"]["b"]
    words = f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
    return Gate(name=name, passed=figure["low"] >= asked, figure=words, limit=limit)


def calibration(compared: Mapping[str, Any], limits: Promotions) -> list[Gate]:
    """Ask that probabilities mean what they say: expected calibration error of each head."""
    gates = []
    for target in TARGETS:
        limit = f"calibration error at most {limits.calibration_error:.3f}"
        pair = compared["heads"][target].get("calibration_error")
        if pair is None or pair["b"]["value"] is None:
            gates.append(_unmeasured(f"calibration, {target}", limit, "too few calls"))
            continue
        figure = pair["b"]
        words = f"{figure['value']:.4f}" + (
            "" if figure["low"] is None else f" ({figure['low']:.4f} to {figure['high']:.4f})"
        )
        passed = figure["value"] <= limits.calibration_error
        gates.append(Gate(name=f"calibration, {target}", passed=passed, figure=words, limit=limit))
    return gates


def behaviour(release: Release, progress: Progress = lambda items, _: items) -> Gate:
    """Ask that the written cases be kept (`crisiscall behave`)."""
    report = run(release, progress=progress)
    shares = {kind: tally["share"] for kind, tally in report["kinds"].items()}
    words = ", ".join(f"{kind.replace('_', '-')} {share:.1%}" for kind, share in shares.items())
    limit = ", ".join(f"{kind.replace('_', '-')} {goal:.0%}" for kind, goal in GOALS.items())
    return Gate(name="behaviour", passed=not missed(report), figure=words, limit=limit)


def parity(release: Release) -> Gate:
    """Ask that the release was checked against the fitted pipeline when it was made."""
    limit = "compiled weights say what the fitted pipeline says, to 1e-9"
    checked = release.metrics.get("parity")
    if checked is None:
        return _unmeasured("parity", limit, "the release does not say that it was checked")
    words = f"within {checked['tolerance']:g} on {checked['calls']:,} calls"
    return Gate(name="parity", passed=checked["tolerance"] <= 1e-9, figure=words, limit=limit)


def speed(
    before: Release,
    after: Release,
    calls: Mapping[str, pd.DataFrame],
    limits: Promotions,
) -> Gate:
    """Ask that a call be assessed about as fast: both take turns on the same calls.

    Parameters
    ----------
    before, after : Release
    calls : mapping
        `before` and `after` → the same calls, with the history that each uses.
    limits : Promotions
    """
    asked = {
        "before": (before, list(calls_and_counts(calls["before"], before.scorer.history))),
        "after": (after, list(calls_and_counts(calls["after"], after.scorer.history))),
    }
    took: dict[str, list[float]] = {side: [] for side in asked}
    for _ in range(SPEED_ROUNDS):
        for side, (release, several) in asked.items():
            for call, counts in several:
                began = time.perf_counter()
                assess(release, call, counts)
                took[side].append(time.perf_counter() - began)
    ratio = statistics.median(took["after"]) / statistics.median(took["before"])
    return Gate(
        name="speed",
        passed=ratio <= limits.speed_ratio,
        figure=f"median of an assessment {ratio:.2f} times that of the one in force",
        limit=f"at most {limits.speed_ratio:g} times",
    )


def shadow(seen: pd.DataFrame | None, release: Release, limits: Promotions) -> Gate:
    """Ask that the release ran beside the one in force for a while, shown to nobody.

    Parameters
    ----------
    seen : pandas.DataFrame or None
        Assessments of a decision log on which a challenger was scored: `at`, `challenger` (its
        digest), `response` and `challenger_response`.
    release : Release
    limits : Promotions
    """
    limit = f"at least {limits.shadow_days:g} days and {limits.shadow_calls:,} calls"
    own = None if seen is None else seen[seen["challenger"] == release.digest]
    if own is None or own.empty:
        return _unmeasured("shadow", limit, "no call of the log was scored by it in shadow")
    days = (own["at"].max() - own["at"].min()).total_seconds() / 86400
    same = float((own["response"] == own["challenger_response"]).mean())
    return Gate(
        name="shadow",
        passed=days >= limits.shadow_days and len(own) >= limits.shadow_calls,
        figure=f"{len(own):,} calls in {days:.1f} days, the same response on {same:.1%}",
        limit=limit,
    )


def not_passed(gates: Sequence[Gate]) -> list[Gate]:
    """List the gates that stand in the way."""
    return [gate for gate in gates if gate.passed is not True]


def _unmeasured(name: str, limit: str, why: str) -> Gate:
    return Gate(name=name, passed=None, figure=f"not measured: {why}", limit=limit)
