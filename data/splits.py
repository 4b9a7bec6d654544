"""Splits that do not flatter: by time, and never through an incident or a scenario family."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd

from data.errors import InputError

PARTS = ("train", "validation", "test")
PURGED = "purged"

Cut = float | date
"""Where a part begins: a day in the agency's time zone, or a share of the calls in time order."""


def temporal_split(
    calls: pd.DataFrame,
    *,
    validation_from: Cut,
    test_from: Cut,
    timezone: str,
    groups: Iterable[pd.Series] = (),
) -> pd.Series:
    """Split calls by time into train, validation and test, and purge what would tie them together.

    A call is purged from a part if it shares a group with a call of an earlier part: an incident
    must not be learned from one of its calls and tested on another, and a scenario family that was
    seen in training says nothing about unseen ones. Missing group values tie nothing together.

    Parameters
    ----------
    calls : pandas.DataFrame
        As `data.frame.to_frame` makes it.
    validation_from, test_from : date or float
        Where the parts begin.
    timezone : str
        IANA name, for the days.
    groups : iterable of pandas.Series
        Each aligned with `calls`.

    Returns
    -------
    pandas.Series of shape (n_calls,)
        "train", "validation", "test" or "purged", aligned with `calls`.

    Raises
    ------
    InputError
        If a part is empty, or validation does not begin before test.
    """
    if calls.empty:
        raise InputError("there are no calls to split")
    times = calls["received_at"]
    first = _instant(times, validation_from, timezone)
    second = _instant(times, test_from, timezone)
    if not first < second:
        raise InputError("the validation part must begin before the test part")
    part = pd.Series("train", index=calls.index, dtype="str")
    part[times >= first] = "validation"
    part[times >= second] = "test"
    purged = pd.Series(False, index=calls.index)
    for group in groups:
        for position in (1, 2):
            earlier = part.isin(PARTS[:position]) & group.notna()
            purged |= (part == PARTS[position]) & group.isin(set(group[earlier]))
    part[purged] = PURGED
    empty = [name for name in PARTS if not (part == name).any()]
    if empty:
        raise InputError(
            f"no call is left for {' and '.join(empty)}: choose other days for the split, "
            "or give more calls"
        )
    return part


def _instant(times: pd.Series, cut: Cut, timezone: str) -> pd.Timestamp:
    if isinstance(cut, float):
        return pd.Timestamp(times.sort_values().iloc[int(cut * len(times))])
    return pd.Timestamp(datetime(cut.year, cut.month, cut.day, tzinfo=ZoneInfo(timezone)))
