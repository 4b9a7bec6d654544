"""What is counted: four subjects, and for each the measures that it has.

The rates are defined as Fairlearn's `fairlearn.metrics` defines them (`false_negative_rate`,
`false_positive_rate`, `selection_rate`, `true_positive_rate`; Bird et al. 2020, Microsoft
MSR-TR-2020-32); a test holds them to `MetricFrame`. The counting is the project's own: it goes
through a million calls in a moment, knows incidents and weights, and leaves the rate of a group
without positives blank, where Fairlearn says 0.

Calibration: with `z` the log-odds of a score, the slope is `b` of the logistic regression
`y ~ a + b z`, 1 where scores are neither too sure nor too cautious; the intercept is `a` of
`y ~ a + z`, above 0 where scores are too low (Cox 1958; Van Calster et al. 2019, BMC Medicine 17).
The expected calibration error is the mean distance between score and share of positives over ten
bins of equal size, the same bins for all groups. It is never 0 and larger in smaller groups even if
nothing is wrong, so that it gets no verdict; slope and intercept do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.call import TARGETS
from model_service.model.plan import PROTOCOL
from training.audit.period import FROM_POLICE, TOWARDS_POLICE

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RECOMMENDATION, DECISION = "recommendation", "decision"
CRISIS, RISK = TARGETS
SUBJECTS: dict[str, str] = {
    CRISIS: "Crisis head",
    RISK: "Safety head",
    RECOMMENDATION: "Recommendation",
    DECISION: "Person's decision",
}

Unit = Literal["share", "number", "seconds"]


@dataclass(frozen=True)
class Measure:
    """A figure and what it means.

    Parameters
    ----------
    title : str
    meaning : str
        In a sentence for people who read no formulas.
    among : str
        Of which calls it is.
    unit : str
    tested : bool
        Whether groups are compared. What describes calls and no conduct is not; nor is what
        repeats another.
    matters : float or None
        The smallest gap that matters; None: the plan's, for shares.
    """

    title: str
    meaning: str
    among: str
    unit: Unit = "share"
    tested: bool = True
    matters: float | None = None


_HEAD = {
    "base_rate": Measure(
        "Base rate", "How many calls were what the head looks for.", "labelled calls", tested=False
    ),
    "selection_rate": Measure(
        "Flagged",
        "How many calls the head flags, rightly or not. It may differ because calls differ.",
        "calls on which the model did not abstain",
    ),
    "false_negative_rate": Measure(
        "Missed",
        "Of the calls that were what the head looks for, how many it did not flag.",
        "true cases on which the model did not abstain",
    ),
    "sensitivity": Measure(
        "Found",
        "Of the calls that were what the head looks for, how many it flagged: all less the missed.",
        "true cases on which the model did not abstain",
        tested=False,
    ),
    "false_positive_rate": Measure(
        "False alarms",
        "Of the calls that were not what the head looks for, how many it flagged all the same.",
        "calls that were no true case, on which the model did not abstain",
    ),
    "ppv": Measure(
        "Right when flagged",
        "Of the flagged calls, how many were what the head looks for.",
        "flagged calls",
    ),
    "npv": Measure(
        "Right when not flagged",
        "Of the calls that were not flagged, how many were indeed not what the head looks for.",
        "calls that were not flagged",
    ),
    "mean_score": Measure(
        "Mean score",
        "The mean of the probabilities. Beside the base rate it tells whether they are too high.",
        "labelled calls on which the model did not abstain",
        "share",
        tested=False,
    ),
    "calibration_slope": Measure(
        "Calibration slope",
        "1 is right. Below 1 high probabilities are too high and low ones too low.",
        "labelled calls on which the model did not abstain",
        "number",
        matters=0.25,
    ),
    "calibration_intercept": Measure(
        "Calibration intercept",
        "0 is right. Above 0 the probabilities are too low for these calls, in log-odds.",
        "labelled calls on which the model did not abstain",
        "number",
        matters=0.5,
    ),
    "ece": Measure(
        "Calibration error",
        "How far probabilities lie from what happened, on average. Larger in small groups by "
        "chance alone, so it gets no verdict.",
        "labelled calls on which the model did not abstain",
        tested=False,
    ),
}

_SENT = {
    "base_rate": Measure(
        "Base rate of risk",
        "How many calls carried a safety risk.",
        "calls with a label",
        tested=False,
    ),
    "selection_rate": Measure(
        "Police",
        "How often police are part of it: a team with police, or the centre's own protocol.",
        "calls",
    ),
    "police_without_need": Measure(
        "Police without need",
        "Of the crises that carried no safety risk, how many got police or the protocol.",
        "crises without a safety risk",
    ),
    "false_negative_rate": Measure(
        "Risk without police",
        "Of the calls that carried a safety risk, how many got a team without police.",
        "calls with a safety risk",
    ),
    "false_positive_rate": Measure(
        "Police where no risk was",
        "Of the calls without a safety risk, how many got police or the protocol. Most are no "
        "crises, and police are what they get today.",
        "calls without a safety risk",
    ),
    "ppv": Measure(
        "Risk where police were",
        "Of the calls that got police or the protocol, how many carried a safety risk.",
        "calls that got police or the protocol",
    ),
    "npv": Measure(
        "No risk where no police were",
        "Of the calls that got a team without police, how many carried no safety risk.",
        "calls that got a team without police",
    ),
    "crisis_without_team": Measure(
        "Crisis without a team",
        "Of the crises, how many were left to the centre's own protocol.",
        "crises",
    ),
}

MEASURES: dict[str, dict[str, Measure]] = {
    CRISIS: _HEAD,
    RISK: _HEAD,
    RECOMMENDATION: {
        **_SENT,
        "abstention_rate": Measure(
            "Abstained",
            "How often the model said nothing: too few words, or a language it does not know.",
            "calls",
        ),
        "unserved_rate": Measure(
            "Fitted but not served",
            "How often a team fitted and could not be sent, by hours, area, date or units.",
            "calls",
        ),
    },
    DECISION: {
        **_SENT,
        "override_rate": Measure(
            "Overridden", "How often people chose otherwise than was recommended.", "calls answered"
        ),
        "override_to_police": Measure(
            "Overridden towards police",
            "How often people sent police where none were recommended.",
            "calls answered",
        ),
        "override_from_police": Measure(
            "Overridden away from police",
            "How often people sent no police where they were recommended.",
            "calls answered",
        ),
        "seconds_to_decide": Measure(
            "Seconds to decide",
            "The median time from the recommendation to the decision.",
            "decisions",
            "seconds",
            matters=10.0,
        ),
    },
}
"""Subject → name of a measure → what it is."""


class Rate:
    """A share: hits among some calls."""

    def __init__(self, hits: Flags, among: Flags) -> None:
        self.hits = hits
        self.among = among


def rates(calls: pd.DataFrame, subject: str) -> dict[str, Rate]:
    """Give the shares of a subject as hits among calls, call by call.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        As `training.audit.period.DTYPES` declares.
    subject : str
        A key of `SUBJECTS`.

    Returns
    -------
    dict of str to Rate
        Name of a measure → hits and among, each of shape (n_calls,).
    """
    if subject in TARGETS:
        name = "crisis" if subject == CRISIS else "risk"
        return confusion(_floats(calls[name]), _floats(calls[f"{name}_flag"]))
    crisis, risk = _floats(calls["crisis"]), _floats(calls["risk"])
    recommended = subject == RECOMMENDATION
    police = _floats(calls["recommended_police" if recommended else "decided_police"])
    response = calls["recommendation" if recommended else "decision"]
    made = confusion(risk, police)
    del made["sensitivity"]
    sent = response.notna().to_numpy()
    made["police_without_need"] = Rate(police == 1, (crisis == 1) & (risk == 0) & ~np.isnan(police))
    made["crisis_without_team"] = Rate(
        (response == PROTOCOL).fillna(False).to_numpy(dtype=bool), (crisis == 1) & sent
    )
    if recommended:
        abstained = calls["abstained"].to_numpy(dtype=bool)
        unserved = _floats(calls["unserved"])
        made["abstention_rate"] = Rate(abstained, sent)
        made["unserved_rate"] = Rate(unserved == 1, ~np.isnan(unserved))
        return made
    overridden = _floats(calls["overridden"])
    answered = ~np.isnan(overridden)
    towards = calls["override_towards"]
    made["override_rate"] = Rate(overridden == 1, answered)
    for name, way in (
        ("override_to_police", TOWARDS_POLICE),
        ("override_from_police", FROM_POLICE),
    ):
        went = (towards == way).fillna(False).to_numpy(dtype=bool)
        made[name] = Rate(went & (overridden == 1), answered)
    return made


def confusion(truth: Floats, flag: Floats) -> dict[str, Rate]:
    """Give the shares that follow from truth and flag.

    Parameters
    ----------
    truth, flag : ndarray of shape (n_calls,)
        1, 0 or NaN where it is not known.
    """
    labelled, flagged = ~np.isnan(truth), ~np.isnan(flag)
    positive, negative = truth == 1, truth == 0
    return {
        "base_rate": Rate(positive, labelled),
        "selection_rate": Rate(flag == 1, flagged),
        "false_negative_rate": Rate(flag == 0, positive & flagged),
        "sensitivity": Rate(flag == 1, positive & flagged),
        "false_positive_rate": Rate(flag == 1, negative & flagged),
        "ppv": Rate(positive, (flag == 1) & labelled),
        "npv": Rate(negative, (flag == 0) & labelled),
    }


def scored(calls: pd.DataFrame, subject: str) -> tuple[Floats, Floats]:
    """Give truth and score of a head; NaN where either is not known or the model abstained.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
    subject : str
        A target.

    Returns
    -------
    ndarray, ndarray of shape (n_calls,)
    """
    name = "crisis" if subject == CRISIS else "risk"
    truth, score = _floats(calls[name]), _floats(calls[f"{name}_score"])
    there = ~(np.isnan(truth) | np.isnan(score) | calls["abstained"].to_numpy(dtype=bool))
    return np.where(there, truth, np.nan), np.where(there, score, np.nan)


def subjects(calls: pd.DataFrame) -> Mapping[str, str]:
    """Name the subjects of which the calls tell anything."""
    told = {
        CRISIS: calls["crisis_score"],
        RISK: calls["risk_score"],
        RECOMMENDATION: calls["recommended_police"],
        DECISION: calls["decided_police"],
    }
    return {name: SUBJECTS[name] for name, column in told.items() if column.notna().any()}


def _floats(column: pd.Series) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
