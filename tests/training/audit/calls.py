"""A small period for the tests of the audit, made without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from training.audit.audit import Audit
from training.audit.period import Period


def some_calls(n: int = 3000, seed: int = 0, **columns: Any) -> pd.DataFrame:
    """Make calls of three neighbourhoods with labels, scores, recommendations and decisions."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.5, 1.5, (2, n))
    crisis, risk = rng.random((2, n)) < expit(z)
    abstained = rng.random(n) < 0.1
    flags = expit(z) >= 0.2
    team = flags[0] & ~flags[1] & ~abstained
    turned = rng.random(n) < 0.1
    made = {
        "call_id": [f"c{i}" for i in range(n)],
        "received_at": pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(n), "min"),
        "neighborhood": rng.choice(["East", "North", "West"], n, p=[0.6, 0.3, 0.1]),
        "language": rng.choice(["en", "es", None], n, p=[0.7, 0.2, 0.1]),
        "hour": np.arange(n) // 60 % 24,
        "crisis": np.where(rng.random(n) < 0.1, np.nan, crisis),
        "risk": np.where(rng.random(n) < 0.1, np.nan, risk),
        "crisis_score": expit(z[0]),
        "risk_score": expit(z[1]),
        "crisis_flag": pd.array(np.where(abstained, None, flags[0]), dtype="boolean"),
        "risk_flag": pd.array(np.where(abstained, None, flags[1]), dtype="boolean"),
        "abstained": abstained,
        "recommendation": np.where(team, "emt_clinician", "protocol"),
        "recommended_police": ~team,
        "unserved": rng.random(n) < 0.1,
        "decision": np.where(team ^ turned, "emt_clinician", "protocol"),
        "decided_police": ~(team ^ turned),
        "advised": True,
        "overridden": turned,
        "override_towards": np.where(turned, np.where(team, "police", "no police"), None),
        "seconds_to_decide": rng.lognormal(2.0, 0.5, n),
    }
    return pd.DataFrame({**made, **columns})


def a_period(n: int = 3000, seed: int = 0, **columns: Any) -> Period:
    """Make a period of `some_calls`."""
    return Period(some_calls(n, seed, **columns))


def of_group(made: Audit, subject: str, measure: str, group: str) -> pd.Series:
    """Give what was found of a neighbourhood."""
    found = made.of("neighborhood", subject, measure).set_index("group")
    return found.loc[group]
