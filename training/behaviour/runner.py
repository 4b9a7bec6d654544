"""Run the cases on a release and say which it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from data.call import TARGETS
from model_service.model.assess import Assessment, assess
from model_service.model.release import Release
from training.behaviour.cases import (
    KINDS,
    Case,
    Expectation,
    Kind,
    MoveCase,
    PlainCase,
    SameCase,
    read_cases,
)

GOALS: dict[Kind, float] = {"must_have": 0.98, "invariance": 0.99, "direction": 0.95}
"""Share of each kind that a release must keep."""

STEP = 0.1
"""Log-odds. A target rises or falls if its odds change by more than a tenth; less is no move."""

BANDS = ("low", "medium", "high")


class Outcome(NamedTuple):
    """What became of a case.

    Parameters
    ----------
    case : Case
    passed : bool
    strict : bool or None
        Whether it would pass a stricter reading, which no goal asks for: a plain call in the last
        band of the right side, `high` or `low`; a pair with the same bands, not only the same
        recommendation. None where there is no such reading.
    """

    case: Case
    passed: bool
    strict: bool | None


def run(
    release: Release,
    cases: Sequence[Case] | None = None,
    *,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> dict[str, Any]:
    """Run the cases on a release.

    Parameters
    ----------
    release : Release
    cases : sequence of Case, optional
        Else those that the project ships.
    progress : callable
        Wraps an iterable and draws its progress.

    Returns
    -------
    dict
        Ready for JSON: per kind the goal, cases, passed and share, the same for each of its groups,
        and the names of the cases that failed; `strict` counts those of `Outcome.strict`. No text
        of a call is in it.
    """
    cases = read_cases() if cases is None else cases
    outcomes = [_judge(release, case) for case in progress(cases, "running cases")]
    return {
        "release": release.digest,
        "kinds": {
            kind: _kind(kind, own)
            for kind in KINDS
            if (own := [outcome for outcome in outcomes if outcome.case.kind == kind])
        },
    }


def missed(report: dict[str, Any]) -> list[str]:
    """Name the kinds of a report that fall short of their goals."""
    return [name for name, kind in report["kinds"].items() if kind["share"] < kind["goal"]]


def _kind(kind: Kind, outcomes: list[Outcome]) -> dict[str, Any]:
    groups = dict.fromkeys(outcome.case.group for outcome in outcomes)
    return {
        "goal": GOALS[kind],
        **_tally(outcomes),
        "groups": {
            group: _tally([outcome for outcome in outcomes if outcome.case.group == group])
            for group in groups
        },
        "failed": [outcome.case.id for outcome in outcomes if not outcome.passed],
    }


def _tally(outcomes: list[Outcome]) -> dict[str, Any]:
    passed = sum(outcome.passed for outcome in outcomes)
    strict = [outcome.strict for outcome in outcomes if outcome.strict is not None]
    return {
        "cases": len(outcomes),
        "passed": passed,
        "share": passed / len(outcomes),
        "strict": sum(strict) if strict else None,
    }


def _judge(release: Release, case: Case) -> Outcome:
    made = [assess(release, call, explained=False) for call in case.calls]
    match case:
        case PlainCase():
            return Outcome(case, *_as_expected(case.expect, made[0]))
        case SameCase():
            first, then = (m.recommendation for m in made)
            passed = (first.response, first.abstained) == (then.response, then.abstained)
            return Outcome(case, passed, passed and first.bands == then.bands)
        case MoveCase():
            return Outcome(case, _moved(release, case, made), None)


def _as_expected(expect: Expectation, made: Assessment) -> tuple[bool, bool]:
    """Compare with what was expected; where the model abstained, nothing was seen: low."""
    recommendation = made.recommendation
    bands = recommendation.bands or dict.fromkeys(TARGETS, "low")
    passed = not (expect.never_without_police and recommendation.police is False)
    strict = passed
    for target in TARGETS:
        allowed = getattr(expect, target)
        if allowed:
            passed &= bands[target] in allowed
            strict &= bands[target] == (allowed[-1] if "low" not in allowed else "low")
    return passed, strict


def _moved(release: Release, case: MoveCase, made: list[Assessment]) -> bool:
    first, then = (float(getattr(m.prediction, case.target)) for m in made)
    change = _log_odds(then) - _log_odds(first)
    match case.must:
        case "rise":
            return change > STEP
        case "fall":
            return change < -STEP
        case "not_rise":
            return change <= STEP
        case "not_move_up":
            thresholds = release.thresholds[case.target]
            if thresholds.low is None:
                return True  # the head is not used, so there is no band to move to
            return BANDS.index(thresholds.band(then)) <= BANDS.index(thresholds.band(first))


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1e-12), 1 - 1e-12)
    return math.log(p / (1 - p))
