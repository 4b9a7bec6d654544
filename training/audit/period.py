"""The period that is audited: one row per call, as it stood before anybody decided.

Of each call the last revision counts that was known before the decision; of labelled calls without
decisions, the last one. Four words stay apart: the two probabilities are the model's, the
recommendation is the plan's, the decision is a person's, the labels are what became known later.

Where the model abstained, its prediction is not used, and so its flags are missing: neither a hit
nor a miss. What the centre then does stands in the recommendation, which is its own protocol, and
the protocol counts as police: that is what happens today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.call import TARGETS
from data.dataset import Dataset
from data.errors import InputError
from model_service.model.assess import assess
from model_service.model.plan import PROTOCOL, ResponsePlan, ThresholdSet
from model_service.model.release import Release
from training.history import calls_and_counts, with_history

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

DTYPES: dict[str, str] = {
    "call_id": "str",
    "incident": "str",
    "received_at": "datetime64[us, UTC]",
    "neighborhood": "str",
    "language": "str",
    "caller_role": "str",
    "call_source": "str",
    "hour": "Int64",
    "latitude": "float64",
    "longitude": "float64",
    "weight": "float64",
    "crisis": "float64",
    "risk": "float64",
    "crisis_score": "float64",
    "risk_score": "float64",
    "crisis_flag": "boolean",
    "risk_flag": "boolean",
    "recommendation": "str",
    "recommended_police": "boolean",
    "abstained": "boolean",
    "decision": "str",
    "decided_police": "boolean",
    "advised": "boolean",
    "overridden": "boolean",
    "override_towards": "str",
    "unserved": "boolean",
    "seconds_to_decide": "float64",
}
"""Column → dtype. `crisis` and `risk` are labels (1, 0 or missing), the scores are calibrated
probabilities, the flags say whether these reach the release's lower threshold."""

TOWARDS_POLICE, FROM_POLICE, ALIKE = "police", "no police", "same"
"""Which way an override went."""

_HEADS = dict(zip(("crisis", "risk"), TARGETS, strict=True))


@dataclass
class Period:
    """What is audited.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        As `DTYPES` declares; further columns may stand beside them, to group by.
    words : dict
        What was audited, ready for JSON: source, digest, first and last day, release, notes.
    release : Release, optional
        What made the scores; None where they came ready-made.
    dataset : Dataset, optional
        The calls themselves, with their narratives, where they are at hand.
    """

    calls: pd.DataFrame
    words: dict[str, Any] = field(default_factory=dict)
    release: Release | None = None
    dataset: Dataset | None = None

    def __post_init__(self) -> None:
        self.calls = table(self.calls)
        if self.calls.empty:
            raise InputError("no call lies in the period that was asked for")
        if self.calls["call_id"].duplicated().any():
            raise InputError("a call stands twice in the period; give one row for each")
        received = self.calls["received_at"].dropna()
        days = [] if received.empty else [received.min(), received.max()]
        self.words = {
            "source": "unknown",
            "release": None if self.release is None else self.release.digest,
            "notes": [],
            **self.words,
            "calls": len(self.calls),
            "incidents": int(self.calls["incident"].nunique()),
            "days": [day.date().isoformat() for day in days],
        }


def table(calls: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the columns and dtypes of `DTYPES`; what is absent comes in as missing.

    Parameters
    ----------
    calls : pandas.DataFrame
        `call_id` at least. A call without an incident is one of its own, without a weight it
        stands for itself alone. Other columns are kept.

    Raises
    ------
    InputError
        If `call_id` is missing, a label is not 1, 0 or blank, a score is no probability, or a
        weight is not above 0.
    """
    if "call_id" not in calls:
        raise InputError("the calls of an audit need a column call_id")
    others = [name for name in calls if name not in DTYPES]
    try:
        made = calls.reindex(columns=[*DTYPES, *others]).astype(DTYPES)
    except (TypeError, ValueError):
        raise InputError("the calls of an audit: a column holds values of another kind") from None
    made["incident"] = made["incident"].fillna(made["call_id"])
    made["weight"] = made["weight"].fillna(1.0)
    for name in ("abstained", "advised"):
        made[name] = made[name].fillna(False)
    for name in _HEADS:
        if not made[name].dropna().isin((0.0, 1.0)).all():
            raise InputError(f"{name}: a label is 1, 0 or blank")
        if not made[f"{name}_score"].dropna().between(0, 1).all():
            raise InputError(f"{name}_score: a probability lies between 0 and 1")
    if not (np.isfinite(made["weight"]) & (made["weight"] > 0)).all():
        raise InputError("weight: a call stands for more than no call")
    return made.reset_index(drop=True)


def read_table(path: Path) -> Period:
    """Read a period whose calls were scored already, by whatever means.

    Parameters
    ----------
    path : Path
        Parquet or CSV with the columns of `DTYPES`, those that there are.

    Raises
    ------
    InputError
        If it can't be read, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix.lower() == ".csv":
            calls = pd.read_csv(path, dtype={"call_id": "str", "incident": "str"})
        else:
            calls = pd.read_parquet(path)
    except (ValueError, OSError):
        raise InputError(f"{path}: can't be read as Parquet or CSV") from None
    return Period(calls, {"source": f"file:{path.name}"})


def from_dataset(
    release: Release,
    dataset: Dataset,
    chosen: pd.Series | None = None,
    *,
    rescore: bool = False,
    progress: Progress = lambda items, _: items,
) -> Period:
    """Make a period of labelled calls, scored with a release.

    Parameters
    ----------
    release : Release
    dataset : Dataset
        Calls of a decision log keep the probabilities and recommendations that were logged.
    chosen : pandas.Series of shape (n_revisions,), optional
        Which rows of `dataset.calls` may count; all if not given.
    rescore : bool
        Score calls of a decision log anew, as if the release had been asked at the time.
    progress : callable

    Returns
    -------
    Period

    Raises
    ------
    InputError
        If no call is left.
    """
    assert dataset.assessed is not None
    calls = with_history(dataset.calls, release.scorer.history, dataset.labels)
    calls = calls if chosen is None else calls[chosen]
    last = calls.sort_values("revision", kind="stable").drop_duplicates("call_id", keep="last")
    last = last.sort_index()
    if last.empty:
        raise InputError("no call lies in the period that was asked for")
    plan, notes = release.plan, []
    logged = dataset.assessed.set_index("call_id").reindex(last["call_id"]).set_index(last.index)
    made = _about(last, dataset, plan)
    if dataset.assessed.empty or rescore:
        made = made.join(_scored(release, last, progress))
    else:
        made = made.join(_as_logged(logged))
        others = logged["release"].dropna().ne(release.name)
        if others.any():
            notes.append(
                f"{int(others.sum()):,} calls were assessed by another release than "
                f"{release.name}; whether a score is above the line is told by its thresholds."
            )
    made = made.join(_flags(made, release.thresholds))
    made["recommended_police"] = _police(made["recommendation"], plan)
    made = made.join(_decided(logged, made, plan))
    for target in TARGETS:
        if release.thresholds[target].low is None:
            notes.append(f"{target}: no threshold keeps the plan's promise, so nothing is flagged.")
    return Period(
        made,
        {
            "source": dataset.manifest.get("source", "unknown"),
            "digest": dataset.manifest.get("digest"),
            "plan": f"{plan.plan} {plan.version}",
            "notes": notes,
        },
        release,
        dataset,
    )


def from_log(
    release: Release,
    path: Path,
    *,
    mapping: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress = lambda items, _: items,
) -> Period:
    """Make a period of an export of the decision log.

    Parameters
    ----------
    release : Release
        Its thresholds say which logged probabilities are above the line.
    path : Path
        What `crisiscall log export --with-narratives` wrote, as JSONL.
    mapping : Path, optional
        What outcomes say of a call (`data.sources.log`).
    since, until : datetime, optional
        In UTC; calls received before `since`, or not before `until`, are left out.
    progress : callable

    Raises
    ------
    InputError
        If the file is no such export, or no call is left.
    """
    from data.sources.log import MAPPING, read_log

    dataset = read_log(
        path, mapping=mapping or MAPPING, progress=lambda lines: progress(lines, "reading the log")
    )
    received = dataset.calls["received_at"]
    chosen = pd.Series(True, index=received.index)
    if since is not None:
        chosen &= received >= since
    if until is not None:
        chosen &= received < until
    period = from_dataset(release, dataset, chosen, progress=progress)
    period.words["digest"] = dataset.manifest["inputs"][path.name]
    if dataset.manifest["filters"]:
        period.words["notes"].append(
            f"The export was narrowed to {dataset.manifest['filters']}: nothing here speaks of "
            "other calls."
        )
    return period


def _about(calls: pd.DataFrame, dataset: Dataset, plan: ResponsePlan) -> pd.DataFrame:
    """Say what a call is, when, where and whose, and what became known of it."""
    targets = dataset.targets().loc[calls.index].astype("float64")
    kept = ["call_id", "received_at", "neighborhood", "language", "caller_role", "call_source"]
    return calls[[*kept, "latitude", "longitude", "call_type", "priority"]].assign(
        incident=dataset.incidents()[calls.index],
        hour=calls["received_at"].dt.tz_convert(plan.zone).dt.hour,
        **{name: targets[target] for name, target in _HEADS.items()},
    )


def _scored(release: Release, calls: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    rows = []
    asked = calls_and_counts(calls, release.scorer.history)
    for call, counts in progress(asked, "assessing calls"):
        made = assess(release, call, counts, explained=False)
        recommendation = made.recommendation
        rows.append(
            (
                *made.prediction,
                recommendation.response,
                recommendation.abstained,
                bool(recommendation.unserved),
            )
        )
    names = [*(f"{name}_score" for name in _HEADS), "recommendation", "abstained", "unserved"]
    return pd.DataFrame(rows, columns=names, index=calls.index)


def _as_logged(logged: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{f"{name}_score": logged[f"probability_{t}"] for name, t in _HEADS.items()},
            "recommendation": logged["recommendation"],
            "abstained": logged["abstained"],
            "unserved": logged["unserved"],
        }
    )


def _flags(made: pd.DataFrame, thresholds: ThresholdSet) -> pd.DataFrame:
    asked = ~made["abstained"].fillna(False).astype(bool)
    flags = {}
    for name, target in _HEADS.items():
        score, low = made[f"{name}_score"], thresholds[target].low
        flag = pd.Series(pd.NA, index=made.index, dtype="boolean")
        if low is not None:
            known = asked & score.notna()
            flag[known] = score[known] >= low
        flags[f"{name}_flag"] = flag
    return pd.DataFrame(flags)


def _police(responses: pd.Series, plan: ResponsePlan) -> pd.Series:
    """Say whether a response includes police; missing where the plan does not know it."""
    told: Mapping[str, bool] = {
        PROTOCOL: True,
        **{response.id: response.police for response in plan.responses},
    }
    return responses.map(told).astype("boolean")


def _decided(logged: pd.DataFrame, made: pd.DataFrame, plan: ResponsePlan) -> pd.DataFrame:
    """Say what a person decided, and how that stands to what was recommended."""
    action = logged["action"]
    overridden = pd.Series(pd.NA, index=made.index, dtype="boolean")
    answered = action.isin(("accept", "override"))  # who commits before advice overrides nothing
    overridden[answered] = action[answered] == "override"
    decided, recommended = _police(logged["response"], plan), made["recommended_police"]
    towards = pd.Series(None, index=made.index, dtype="str")
    known = overridden.fillna(False) & decided.notna() & recommended.notna()
    towards[known] = np.select(
        [decided[known] & ~recommended[known], ~decided[known] & recommended[known]],
        [TOWARDS_POLICE, FROM_POLICE],
        ALIKE,
    )
    return pd.DataFrame(
        {
            "decision": logged["response"],
            "decided_police": decided,
            "advised": logged["advised"],
            "overridden": overridden,
            "override_towards": towards,
            "seconds_to_decide": logged["time_to_decide_ms"] / 1000,
        }
    )
