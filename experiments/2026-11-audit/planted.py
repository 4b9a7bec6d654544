"""Calls whose truth is known: a made-up city, scored and decided, with a gap in one neighbourhood.

Log-odds `z` are normal and `y` is drawn with probability `expit(z)`, so that scores are calibrated:
slope 1, intercept 0. The shares of misses and false alarms follow by integration. Calls of one
incident are copies of each other half the time, so that they are not independent while every share
stays what it is. A gap is planted by silence: in one neighbourhood some true cases that would be
flagged have their score replaced by that of a true case that was not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

CENTRE, SPREAD, LINE = -2.6, 1.8, 0.15
"""Of the log-odds of a safety risk, and the probability from which a call is flagged."""

CRISIS_CENTRE, CRISIS_LINE = -2.9, 0.10
PLANTED = "Northgate"
LANGUAGES = {"en": 0.8, "es": 0.12, "ht": 0.05, "zh": 0.03}
ROLES = {"self": 0.4, "bystander": 0.25, "family": 0.2, "staff": 0.15}
SOURCES = {"911": 0.8, "non_emergency": 0.15, "988_transfer": 0.05}


@dataclass(frozen=True)
class Truth:
    """Shares that hold in every neighbourhood without a planted gap."""

    base_rate: float
    false_negative_rate: float
    false_positive_rate: float
    selection_rate: float


def truth(centre: float = CENTRE, line: float = LINE) -> Truth:
    """Integrate the shares of one head."""
    z = np.linspace(centre - 9 * SPREAD, centre + 9 * SPREAD, 400_001)
    d = norm.pdf(z, centre, SPREAD)
    p, flag = expit(z), expit(z) >= line
    return Truth(
        float((p * d).sum() / d.sum()),
        float((p * d * ~flag).sum() / (p * d).sum()),
        float(((1 - p) * d * flag).sum() / ((1 - p) * d).sum()),
        float((d * flag).sum() / d.sum()),
    )


def calls(
    seed: int, *, n: int = 60_000, gap: float = 0.0, risk_calls: int = 800, groups: int = 25
) -> pd.DataFrame:
    """Make calls.

    Parameters
    ----------
    seed : int
    n : int
        Of all calls.
    gap : float
        What is added to the false-negative rate of the safety head in one neighbourhood.
    risk_calls : int
        Calls with a risk that this neighbourhood has, on average.
    groups : int
        Neighbourhoods; their sizes differ tenfold and more.

    Returns
    -------
    pandas.DataFrame of shape (n, n_columns)
        As `training.audit.period` takes it.
    """
    rng = np.random.default_rng(seed)
    fnr = truth().false_negative_rate
    share = risk_calls / truth().base_rate / n
    sizes = np.geomspace(1, 20, groups - 1)
    p = np.r_[share, (1 - share) * sizes / sizes.sum()]
    names = np.array([PLANTED, *(f"Ward {i:02d}" for i in range(1, groups))])
    # Incidents of one to three calls.
    size = rng.choice([1, 2, 3], n, p=[0.85, 0.1, 0.05])
    incident = np.repeat(np.arange(n), size)[:n]
    first = np.r_[True, incident[1:] != incident[:-1]]
    source = np.where(first | (rng.random(n) < 0.5), np.arange(n), -1)
    copy_of = np.where(source >= 0, source, np.flatnonzero(first)[np.cumsum(first) - 1])
    place = rng.choice(groups, n, p=p)[np.flatnonzero(first)[np.cumsum(first) - 1]]

    def head(centre: float) -> tuple[np.ndarray, np.ndarray]:
        z = rng.normal(centre, SPREAD, n)
        y = rng.random(n) < expit(z)
        return expit(z)[copy_of], y[copy_of]

    score, risk = head(CENTRE)
    crisis_score, crisis = head(CRISIS_CENTRE)
    if gap:
        silenced = rng.random(n)[copy_of] < gap / (1 - fnr)
        hit = (place == 0) & risk & (score >= LINE) & silenced
        missed = np.flatnonzero(risk & (score < LINE))
        taken = rng.choice(missed, n)[copy_of]
        score = np.where(hit, score[taken], score)
    abstained = rng.random(n) < 0.05
    flag, crisis_flag = score >= LINE, crisis_score >= CRISIS_LINE
    team = crisis_flag & ~flag & ~abstained
    recommendation = np.where(team, "emt_clinician", "protocol")
    override = rng.random(n) < 0.08
    decided_team = team ^ (override & (rng.random(n) < 0.7))
    asked = pd.array(np.where(abstained, None, flag), dtype="boolean")
    return pd.DataFrame(
        {
            "call_id": [f"C{i:07d}" for i in range(n)],
            "incident": [f"I{i:07d}" for i in incident],
            "received_at": pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta(rng.integers(0, 365 * 86400, n), unit="s"),
            "neighborhood": names[place],
            **{
                name: rng.choice(list(values), n, p=list(values.values()))
                for name, values in (
                    ("language", LANGUAGES),
                    ("caller_role", ROLES),
                    ("call_source", SOURCES),
                )
            },
            "hour": rng.integers(0, 24, n),
            "risk": risk.astype(float),
            "crisis": crisis.astype(float),
            "risk_score": score,
            "crisis_score": crisis_score,
            "risk_flag": asked,
            "crisis_flag": pd.array(np.where(abstained, None, crisis_flag), dtype="boolean"),
            "abstained": abstained,
            "recommendation": recommendation,
            "recommended_police": ~team,
            "unserved": rng.random(n) < 0.03,
            "decision": np.where(decided_team, "emt_clinician", "protocol"),
            "decided_police": ~decided_team,
            "advised": True,
            "overridden": decided_team != team,
            "override_towards": np.where(
                decided_team == team, None, np.where(decided_team, "no police", "police")
            ),
            "seconds_to_decide": rng.lognormal(2.5, 0.6, n),
        }
    )
