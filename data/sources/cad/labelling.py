"""From rows of an export to label rows: what fits no condition has no label."""

from __future__ import annotations

import pandas as pd

from data.sources.cad.convert import fits
from data.sources.cad.rules import LabelRule


def label(rules: list[LabelRule], table: pd.DataFrame, about: pd.DataFrame) -> pd.DataFrame:
    """Label rows by the rules of a mapping.

    Parameters
    ----------
    rules : list of LabelRule
    table : pandas.DataFrame of shape (n_rows, n_columns)
        Texts as they came.
    about : pandas.DataFrame of shape (n_rows, 4)
        `call_id`, `revision`, `received_at` and `as_of` (when the outcome was recorded) of each
        row, on the same index. A row without `as_of` is not labelled.

    Returns
    -------
    pandas.DataFrame
        As `data.labels.DTYPES` declares, and `revision`; one row per label.
    """
    made = []
    for rule in rules:
        missing = fits(rule.missing, table) | about["as_of"].isna()
        positive = fits(rule.positive, table) & ~missing
        negative = fits(rule.negative, table) & ~missing & ~positive
        chosen = about[positive | negative]
        as_of = chosen["as_of"]
        if rule.known_after is not None:
            later = chosen["received_at"] + rule.known_after
            as_of = as_of.where(as_of >= later, later)
        made.append(
            pd.DataFrame(
                {
                    "call_id": chosen["call_id"],
                    "revision": chosen["revision"],
                    "target": rule.target,
                    "value": positive[chosen.index],
                    "source": rule.source,
                    "as_of": as_of,
                    "confidence": rule.confidence,
                }
            )
        )
    return pd.concat(made, ignore_index=True)
