"""Labels with their source, and the rule that makes one value per call and target of them.

A label is a row: call, target, value, source, as-of time, confidence. Rows are never changed; a
better source adds a row. A target without a row is missing, which is not the same as negative.
"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from data.call import TARGETS

SOURCES: tuple[str, ...] = (
    "expert_review",
    "clinician_finding",
    "force_or_weapon_flag",
    "disposition",
    "final_call_type",
    "free_text_rule",
    "scenario",
)
"""Where a label may come from, most trusted first; `scenario` is the synthetic generator's."""

DTYPES: dict[str, str] = {
    "call_id": "str",
    "target": "str",
    "value": "bool",
    "source": "str",
    "as_of": "datetime64[us, UTC]",
    "confidence": "float64",
}


def check_labels(labels: pd.DataFrame) -> pd.DataFrame:
    """Return the labels with their declared dtypes.

    Raises
    ------
    ValueError
        If a column is missing, or a target, source or confidence is not one of those known.
    """
    missing = [name for name in DTYPES if name not in labels.columns]
    if missing:
        raise ValueError(f"labels lack the column {', '.join(missing)}")
    labels = labels.reindex(columns=list(DTYPES)).astype(DTYPES)
    for column, allowed in (("target", TARGETS), ("source", SOURCES)):
        unknown = sorted(set(labels[column].unique()) - set(allowed))
        if unknown:
            raise ValueError(f"unknown {column} of a label: {', '.join(unknown)}")
    if not labels["confidence"].between(0, 1).all():
        raise ValueError("the confidence of a label lies between 0 and 1")
    return labels


def resolve(
    labels: pd.DataFrame, call_ids: pd.Series, *, known_by: datetime | None = None
) -> pd.DataFrame:
    """Reduce labels to one value per call and target.

    The most trusted source wins (`SOURCES`); within one source the latest as-of time wins, so that
    a correction replaces what it corrects.

    Parameters
    ----------
    labels : pandas.DataFrame
        Rows with the columns of `DTYPES`.
    call_ids : pandas.Series of shape (n_calls,)
    known_by : datetime, optional
        Use only labels that were known by then.

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
    if known_by is not None:
        labels = labels[labels["as_of"] <= known_by]
    trust = labels["source"].map({source: rank for rank, source in enumerate(SOURCES)})
    best = (
        labels.assign(trust=trust)
        .sort_values(["trust", "as_of"], ascending=[True, False], kind="stable")
        .drop_duplicates(["call_id", "target"])
    )
    wide = best.pivot(index="call_id", columns="target", values="value").astype("boolean")
    resolved = wide.reindex(index=call_ids, columns=list(TARGETS)).astype("boolean")
    resolved.index = call_ids.index
    resolved.columns.name = None
    return resolved
