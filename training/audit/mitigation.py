"""What it would cost and gain to treat groups differently: a table to decide by, never applied.

Thresholds are chosen on one half of the incidents and judged on the other, so that no figure stands
on the calls that set it. Everything is of the safety threshold alone, as in `training.price`: a
call at or above it counts as one that police are sent to, whomever the plan would send. Fairlearn's
ThresholdOptimizer is not used: it may toss a coin over a call, and chooses and judges on the same
calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from data.errors import InputError
from model_service.model.classifier import CallClassifier
from training.confidence import interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALL = "all calls"
NOWHERE = "no group known"

LEAST = 20
"""A group gets a threshold of its own only with so many risks in the half that chooses."""

NOW = "one threshold, as now"
LOWER = "one lower threshold for all"
WORST = "a lower threshold for the worst group"
EQUAL = "a threshold for each group"
REWEIGHED = "reweighed training, one threshold"


@dataclass(frozen=True)
class Mitigation:
    """Options and what each would do.

    Parameters
    ----------
    options : dict of str to str
        Name → what it means, in plain words.
    table : pandas.DataFrame
        A row for each option and group, and for `ALL`. On the half that judges: `option`, `group`,
        `threshold` (NaN where groups differ); `risks` and `others` (calls); `sensitivity` and
        `needless` (share of the calls without a risk that police are sent to); of every 1,000 calls
        of the row, against the first option, `more_caught` (risks) and `more_needless` (sends); and
        `price`, needless sends for each risk more that is caught (NaN unless more are caught
        beyond doubt). Figures have 95% intervals in columns of their name with `_low` and `_high`.
    target : float
        The sensitivity that options aim at: that of all calls now, in the half that chooses.
    worst : str
        The group with the lowest sensitivity in that half.
    chosen, judged : int
        Labelled calls of either half.
    unlabelled : int
        Calls without a label or a score, left out.
    """

    options: dict[str, str]
    table: pd.DataFrame
    target: float
    worst: str
    chosen: int
    judged: int
    unlabelled: int


def mitigations(
    calls: pd.DataFrame,
    threshold: float,
    *,
    group: str = "neighborhood",
    seed: int = 0,
    refit: Callable[[], Floats] | None = None,
) -> Mitigation:
    """Weigh what can be done for the groups whose risks are missed most.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With `incident`, `risk` (1, 0 or missing), `risk_score`, the groups' column, and `weight`
        where calls were drawn with unequal chances.
    threshold : float
        In force.
    group : str
        Column of the groups; missing values are a group of their own, `NOWHERE`.
    seed : int
        Of the halves.
    refit : callable, optional
        Gives scores of shape (n_calls,) for `calls` by a model that learned with `reweighing`
        (see `reweighed_scores`). Left out, that option is.

    Returns
    -------
    Mitigation

    Raises
    ------
    InputError
        If no group has `LEAST` risks in the half that chooses, or the other half has no risk.
    """
    scores = calls["risk_score"].to_numpy(dtype=np.float64, na_value=np.nan)
    labels = calls["risk"].to_numpy(dtype=np.float64, na_value=np.nan)
    there = ~(np.isnan(scores) | np.isnan(labels))
    given = calls[there]
    names = given[group].astype(object)
    data = _Calls(
        group=names.where(names.notna(), NOWHERE).astype(str).to_numpy(dtype=object),
        incident=pd.factorize(given["incident"].astype(str), sort=True)[0],
        risk=labels[there] == 1,
        score=scores[there],
        weight=(
            given["weight"].to_numpy(dtype=np.float64) if "weight" in given else np.ones(len(given))
        ),
    )
    first = _half(data.incident, np.random.default_rng(seed))
    choosing, judging = data.at(first), data.at(~first)
    if not judging.risk.any():
        raise InputError("mitigation: too few calls with a safety risk to choose and judge by")
    target, worst, options = _options(choosing, threshold)
    now = options[NOW].flags(judging)
    rows = [
        row
        for name, option in options.items()
        for row in _rows(name, option, judging, now, option.ways(judging, threshold))
    ]
    if refit is not None:
        anew = replace(data, score=refit()[there])
        options[REWEIGHED] = _Option(
            "The model learns anew, its training calls weighed so that no group has a larger share "
            "of risks than another (Kamiran and Calders 2012); one threshold for all, at which it "
            f"caught {target:.1%} of the risks in the half that chose.",
            _reaching(anew.at(first), target),
        )
        either = np.ones((2, len(judging.risk)), dtype=bool)
        rows += _rows(REWEIGHED, options[REWEIGHED], anew.at(~first), now, either)
    return Mitigation(
        options={name: option.meaning for name, option in options.items()},
        table=pd.DataFrame(rows),
        target=target,
        worst=worst,
        chosen=len(choosing.risk),
        judged=len(judging.risk),
        unlabelled=int((~there).sum()),
    )


def reweighing(group: NDArray[np.object_], y: Floats) -> Floats:
    """Weigh training calls so that label and group are independent.

    A call of group g and label y counts P(g) P(y) / P(g, y) times (Kamiran and Calders, "Data
    preprocessing techniques for classification without discrimination", Knowledge and Information
    Systems 33, 2012, section 5.3).

    Parameters
    ----------
    group : ndarray of shape (n_calls,)
    y : ndarray of shape (n_calls,)
        1, 0 or NaN.

    Returns
    -------
    ndarray of shape (n_calls,)
        1 where there is no label.

    Examples
    --------
    >>> reweighing(np.array(["a", "a", "a", "b"], dtype=object), np.array([1.0, 1.0, 0.0, 0.0]))
    array([0.75, 0.75, 1.5 , 0.5 ])
    """
    weights = np.ones(len(y))
    there = ~np.isnan(y)
    member = np.unique(group[there].astype(str), return_inverse=True)[1]
    label = (y[there] == 1).astype(int)
    both = np.zeros((member.max(initial=0) + 1, 2))
    np.add.at(both, (member, label), 1)
    expected = both.sum(axis=1)[member] * both.sum(axis=0)[label] / max(1, len(label))
    weights[there] = expected / both[member, label]
    return weights


def reweighed_scores(
    learn: pd.DataFrame,
    y: Floats,
    calls: pd.DataFrame,
    classifier: CallClassifier,
    *,
    group: str = "neighborhood",
) -> Floats:
    """Score calls by a safety head that learned from reweighed calls.

    Parameters
    ----------
    learn : pandas.DataFrame of shape (n_learned, n_columns)
        Calls as the classifier takes them, with the groups' column; none of them among `calls`.
    y : ndarray of shape (n_learned, 2)
        1, 0 or NaN, in the order of `TARGETS`.
    calls : pandas.DataFrame of shape (n_calls, n_columns)
    classifier : CallClassifier
        Its settings are used; it is not changed.
    group : str

    Returns
    -------
    ndarray of shape (n_calls,)
        Scores before calibration: they order the calls, which is all that a threshold asks for.
    """
    column = TARGETS.index("safety_risk")
    names = learn[group].astype(object)
    weights = reweighing(names.where(names.notna(), NOWHERE).to_numpy(dtype=object), y[:, column])
    anew = CallClassifier(classifier.settings, C=classifier.C).fit(learn, y, weights=weights)
    scores: Floats = anew.scores(calls)[:, column]
    return scores


@dataclass(frozen=True)
class _Calls:
    """Labelled calls, a row each."""

    group: NDArray[np.object_]
    incident: NDArray[np.int64]
    risk: Flags
    score: Floats
    weight: Floats

    def at(self, rows: Flags) -> _Calls:
        return _Calls(
            self.group[rows],
            self.incident[rows],
            self.risk[rows],
            self.score[rows],
            self.weight[rows],
        )


@dataclass(frozen=True)
class _Option:
    """A threshold, and those of the groups that have their own."""

    meaning: str
    common: float
    own: Mapping[str, float] = field(default_factory=dict)

    def thresholds(self, calls: _Calls) -> Floats:
        """Give the threshold of each call."""
        codes, names = pd.factorize(calls.group)
        own: Floats = np.array([self.own.get(name, self.common) for name in names])[codes]
        return own

    def flags(self, calls: _Calls) -> Flags:
        """Mark the calls at or above their threshold."""
        flags: Flags = calls.score >= self.thresholds(calls)
        return flags

    def ways(self, calls: _Calls, threshold: float) -> Flags:
        """Mark the calls that could be flagged no longer, and those that could be anew."""
        own = self.thresholds(calls)
        return np.array([own > threshold, own < threshold])


def _half(incident: NDArray[np.int64], rng: np.random.Generator) -> Flags:
    """Draw half of the incidents; a call is of the half that its incident is of."""
    count = int(incident.max(initial=-1)) + 1
    half: Flags = (rng.permutation(count) < count / 2)[incident]
    return half


def _sensitivity(calls: _Calls, threshold: float) -> float:
    caught = calls.weight[calls.risk & (calls.score >= threshold)]
    return float(caught.sum() / calls.weight[calls.risk].sum())


def _reaching(calls: _Calls, target: float) -> float:
    """Find the highest threshold at which a sensitivity is reached."""
    score, weight = calls.score[calls.risk], calls.weight[calls.risk]
    order = np.argsort(-score, kind="stable")
    caught = np.cumsum(weight[order]) / weight.sum()
    at = int(np.searchsorted(caught, min(target, caught[-1]) - 1e-12))
    return float(score[order][at])


def _options(calls: _Calls, threshold: float) -> tuple[float, str, dict[str, _Option]]:
    """Choose thresholds; give the sensitivity aimed at, the worst group and the options."""
    groups = {
        str(name): calls.at(calls.group == name)
        for name, risks in pd.Series(calls.group[calls.risk]).value_counts().items()
        if risks >= LEAST and name != NOWHERE
    }
    if not groups:
        raise InputError(
            f"mitigation: no group has {LEAST} calls with a safety risk in the half that chooses; "
            "take a longer period or larger groups"
        )
    target = _sensitivity(calls, threshold)
    worst = min(sorted(groups), key=lambda name: _sensitivity(groups[name], threshold))
    lowered = min(threshold, _reaching(groups[worst], target))
    few = f"; groups with fewer than {LEAST} risks there keep the one for all"
    return (
        target,
        worst,
        {
            NOW: _Option("What is in force.", threshold),
            LOWER: _Option(
                f"Low enough for {worst} to reach {target:.1%}, which all calls together reach "
                "now, in the half that chose. Nobody is treated differently.",
                lowered,
            ),
            WORST: _Option(
                f"{worst}, whose risks were missed most in the half that chose, gets that lower "
                "threshold and all others keep theirs.",
                threshold,
                {worst: lowered},
            ),
            EQUAL: _Option(
                f"Each group gets the threshold at which it reached {target:.1%} in the half that "
                f"chose, lower or higher than now{few}. More risks are missed where it is higher.",
                threshold,
                {name: _reaching(group, target) for name, group in groups.items()},
            ),
        },
    )


def _rows(
    name: str, option: _Option, calls: _Calls, now: Flags, ways: Flags
) -> Iterator[dict[str, Any]]:
    """Judge an option, for all calls and for each group."""
    flags = option.flags(calls)
    # 1 for a call that is flagged anew, -1 for one that no longer is.
    change = flags.astype(np.int64) - now.astype(np.int64)
    for group in (ALL, *sorted(set(calls.group))):
        mine = calls.group == group if group != ALL else np.ones(len(flags), dtype=bool)
        threshold = option.own.get(group, np.nan if group == ALL and option.own else option.common)
        yield {
            "option": name,
            "group": group,
            "threshold": threshold,
            **_row(calls.at(mine), flags[mine], change[mine], (ways & mine).any(axis=1)),
        }


def _row(calls: _Calls, flags: Flags, change: NDArray[np.int64], ways: Any) -> dict[str, Any]:
    risk = calls.risk
    row: dict[str, Any] = {"risks": int(risk.sum()), "others": int((~risk).sum())}
    for figure, among in (("sensitivity", risk), ("needless", ~risk)):
        row |= _figure(figure, *_rate(calls.at(among), flags[among]))
    caught, sent = np.where(risk, change, 0), np.where(risk, 0, change)
    more = _per_thousand(calls, caught, ways)
    row |= _figure("more_caught", *more)
    row |= _figure("more_needless", *_per_thousand(calls, sent, ways))
    return row | _figure("price", *(_price(calls, caught, sent) if more[1] > 0 else _NONE))


_NONE = (np.nan, np.nan, np.nan)


def _figure(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _rate(calls: _Calls, flags: Flags) -> tuple[float, float, float]:
    """Give a weighted share with its interval; blank where there are no calls."""
    if not len(flags):
        return _NONE
    share = float((calls.weight * flags).sum() / calls.weight.sum())
    return share, *interval(flags, calls.incident, calls.weight)


def _per_thousand(
    calls: _Calls, change: NDArray[np.int64], ways: Any
) -> tuple[float, float, float]:
    """Give a mean change per 1,000 calls with its interval.

    Where some calls are gained and others lost, the mean over incidents is taken as normal, with
    the variance of a ratio of sums over them (Cochran, "Sampling Techniques", 3rd edition 1977,
    section 6.3). Where all that changed did so one way it is a share, and the other way counts as a
    share of which none was seen, if it was open at all.
    """
    value = float((calls.weight * change).sum() / calls.weight.sum())
    lost, gained = change < 0, change > 0
    if lost.any() and gained.any():
        error = _error(calls, change - value, calls.weight.sum())
        low, high = value - 1.96 * error, value + 1.96 * error
    else:
        least_lost, most_lost = _rate(calls, lost)[1:] if ways[0] else (0.0, 0.0)
        least_gained, most_gained = _rate(calls, gained)[1:] if ways[1] else (0.0, 0.0)
        low, high = least_gained - most_lost, most_gained - least_lost
    return 1000 * value, 1000 * low, 1000 * high


def _price(
    calls: _Calls, caught: NDArray[np.int64], sent: NDArray[np.int64]
) -> tuple[float, float, float]:
    """Give needless sends per risk more that is caught, a ratio of sums over incidents."""
    gained = float((calls.weight * caught).sum())
    price = float((calls.weight * sent).sum()) / gained
    error = _error(calls, sent - price * caught, gained)
    return price, price - 1.96 * error, price + 1.96 * error


def _error(calls: _Calls, residual: NDArray[Any], total: float) -> float:
    """Give the standard error of a ratio by its residuals, incidents counted as one."""
    member = np.unique(calls.incident, return_inverse=True)[1]
    sums = np.bincount(member, calls.weight * residual)
    m = len(sums)
    return float("nan") if m < 2 else float((m / (m - 1) * (sums**2).sum()) ** 0.5 / total)
