"""Labels with their source, and the rule that makes one value per call and target of them.

A label is a row: call, target, value, source, as-of time, confidence, and who gave it where that
is a person. Rows are never changed; a better source adds a row. A target without a row is missing,
which is not the same as negative.

Sources are ranked, not averaged: a label model (Dawid-Skene, as in crowd-kit) needs three or more
sources that err independently and overlap on many calls, and ours are few, overlap little and are
mostly written by the same officer; besides, an auditor can follow a rank by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

import pandas as pd

from data.call import TARGETS

SOURCES: tuple[str, ...] = (
    "expert_review",
    "clinician_finding",
    "force_or_weapon_flag",
    "disposition",
    "final_call_type",
    "free_text_rule",
    "decision_unadvised",
    "scenario",
    "decision_advised",
)
"""Where a label may come from, most trusted first.

`decision_unadvised` is what a person decided without having seen the score, `decision_advised`
after having seen it; `scenario` is the synthetic generator's."""

DEFAULT_SOURCES: frozenset[str] = frozenset(SOURCES) - {"decision_advised"}
"""The sources that count as labels. A decision that the score has swayed tells what the model
said before, and a model trained on it would learn itself; it is kept, and used only on demand."""

DTYPES: dict[str, str] = {
    "call_id": "str",
    "target": "str",
    "value": "bool",
    "source": "str",
    "as_of": "datetime64[us, UTC]",
    "confidence": "float64",
    "by": "str",
}
"""Column → dtype. `by` is the name of the person who reviewed, missing for all other sources."""

OPTIONAL = ("by",)


def check_labels(labels: pd.DataFrame) -> pd.DataFrame:
    """Return the labels with their declared dtypes.

    Raises
    ------
    ValueError
        If a column is missing, or a target, source or confidence is not one of those known.
    """
    missing = [name for name in DTYPES if name not in labels.columns and name not in OPTIONAL]
    if missing:
        raise ValueError(f"labels lack the column {', '.join(missing)}")
    labels = labels.reindex(columns=list(DTYPES)).astype(DTYPES)
    for column, allowed in (("target", TARGETS), ("source", SOURCES)):
        unknown = sorted(set(labels[column].unique()) - set(allowed))
        if unknown:
            raise ValueError(f"unknown {column} of a label: {', '.join(unknown)}")
    if not labels["confidence"].between(0, 1).all():
        raise ValueError("the confidence of a label lies between 0 and 1")
    if labels["as_of"].isna().any():
        raise ValueError("a label has no as_of: nobody could tell when it was known")
    return labels


def resolve(
    labels: pd.DataFrame,
    call_ids: pd.Series,
    *,
    known_by: datetime | None = None,
    sources: Collection[str] = DEFAULT_SOURCES,
) -> pd.DataFrame:
    """Reduce labels to one value per call and target.

    The most trusted source wins (`SOURCES`); within one source the latest as-of time, so that a
    correction replaces what it corrects; at the same time the most confident. What equally good
    labels disagree on is missing.

    Parameters
    ----------
    labels : pandas.DataFrame
        Rows with the columns of `DTYPES`.
    call_ids : pandas.Series of shape (n_calls,)
    known_by : datetime, optional
        Use only labels that were known by then.
    sources : collection of str
        Use only labels of these.

    Returns
    -------
    pandas.DataFrame of shape (n_calls, 2)
        One column per target with dtype "boolean", on the index of `call_ids`; `NA` is missing.

    Examples
    --------
    >>> labels = pd.DataFrame({
    ...     "call_id": ["a", "a"], "target": ["safety_risk"] * 2, "value": [False, True],
    ...     "source": ["final_call_type", "expert_review"],
    ...     "as_of": pd.to_datetime(["2026-02-01", "2026-01-01"], utc=True),
    ...     "confidence": [0.8, 1.0]})
    >>> resolve(labels, pd.Series(["a", "b"]))["safety_risk"].tolist()
    [True, <NA>]
    """
    labels = labels[labels["source"].isin(list(sources))]
    if known_by is not None:
        labels = labels[labels["as_of"] <= known_by]
    key = ["call_id", "target"]
    ranked = labels.assign(trust=labels["source"].map(_TRUST)).sort_values(
        ["trust", "as_of", "confidence"], ascending=[True, False, False], kind="stable"
    )
    best = ranked.drop_duplicates(key)
    several = ranked[ranked.duplicated(key, keep=False)]
    equal = several.merge(best[[*key, "trust", "as_of", "confidence"]])
    torn = equal.groupby(key)["value"].nunique()
    wide = best.pivot(index="call_id", columns="target", values="value").astype("boolean")
    for call_id, target in torn.index[torn > 1]:
        wide.loc[call_id, target] = pd.NA
    resolved = wide.reindex(index=call_ids, columns=list(TARGETS)).astype("boolean")
    resolved.index = call_ids.index
    resolved.columns.name = None
    return resolved


_TRUST = {source: rank for rank, source in enumerate(SOURCES)}


class Learned(NamedTuple):
    """A moment at which the label of a call took on a value; None is missing again."""

    as_of: int
    call_id: str
    value: bool | None


def learned(
    labels: pd.DataFrame, target: str, *, sources: Collection[str] = DEFAULT_SOURCES
) -> Iterator[Learned]:
    """Tell in order of time how the value of each call's label came about and changed.

    After the last moment up to some time the values are those of `resolve` with that `known_by`.

    Parameters
    ----------
    labels : pandas.DataFrame
        Rows with the columns of `DTYPES`.
    target : str
    sources : collection of str
        Use only labels of these.

    Yields
    ------
    Learned
        With times in microseconds since 1970, UTC.
    """
    mine = labels[(labels["target"] == target) & labels["source"].isin(list(sources))]
    mine = mine.sort_values("as_of", kind="stable")
    rows = zip(
        mine["as_of"].dt.tz_localize(None).to_numpy("datetime64[us]").astype("int64").tolist(),
        mine["call_id"].tolist(),
        mine["value"].tolist(),
        mine["source"].map(_TRUST).tolist(),
        mine["confidence"].tolist(),
        strict=True,
    )
    best: dict[str, tuple[int, int, float]] = {}
    values: dict[str, bool | None] = {}
    for as_of, call_id, value, trust, confidence in rows:
        if call_id in best:
            rank, when, sure = best[call_id]
            if trust > rank or (trust == rank and as_of == when and confidence < sure):
                continue
            if (trust, as_of, confidence) == best[call_id] and value != values[call_id]:
                value = None
        best[call_id] = (trust, as_of, confidence)
        if call_id not in values or values[call_id] is not value:
            values[call_id] = value
            yield Learned(as_of, call_id, value)
