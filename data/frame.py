"""`to_frame` and `to_calls`: the only way between records and a DataFrame, with declared dtypes.

One row is one `Call`. The answers are spread over one column per question, `answer_weapon` and so
on, so that the table fits Parquet and CSV alike; a question that was not asked is missing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

import pandas as pd

from data.call import ANSWER_PREFIX, QUESTIONS, Call

ANSWER_COLUMNS: tuple[str, ...] = tuple(ANSWER_PREFIX + question for question in QUESTIONS)

DTYPES: dict[str, str] = {
    "call_id": "str",
    "received_at": "datetime64[us, UTC]",
    "revision": "int64",
    "narrative": "str",
    "call_type": "str",
    "call_source": "str",
    "priority": "str",
    "caller_role": "str",
    "language": "str",
    "neighborhood": "str",
    "latitude": "float64",
    "longitude": "float64",
    "premise_id": "str",
    **dict.fromkeys(ANSWER_COLUMNS, "str"),
}
"""Column → dtype of a frame of calls. A missing value is NaN in every column that may miss one."""


def to_frame(calls: Iterable[Call]) -> pd.DataFrame:
    """Turn calls into a frame with the columns and dtypes of `DTYPES`.

    Parameters
    ----------
    calls : iterable of Call

    Returns
    -------
    pandas.DataFrame of shape (n_calls, n_columns)
        In the order of `calls`, with a fresh RangeIndex. Times are in UTC.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> call = Call(call_id="a", received_at=datetime(2026, 1, 1, tzinfo=UTC),
    ...             answers={"weapon": "no"})
    >>> to_frame([call]).loc[0, ["call_id", "answer_weapon"]].tolist()
    ['a', 'no']
    """
    columns: dict[str, list[Any]] = {name: [] for name in DTYPES}
    for call in calls:
        for name, column in columns.items():
            if name.startswith(ANSWER_PREFIX):
                column.append(call.answers.get(name[len(ANSWER_PREFIX) :]))  # type: ignore[call-overload]
            elif name == "received_at":
                column.append(call.received_at.astimezone(UTC))
            else:
                column.append(getattr(call, name))
    return with_dtypes(pd.DataFrame(columns))


def with_dtypes(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the columns, order and dtypes of `DTYPES`; absent columns come in as missing.

    Parameters
    ----------
    frame : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ValueError
        If a column is not one of a call's: nothing else may come in.
    """
    unknown = sorted(set(frame.columns) - set(DTYPES))
    if unknown:
        raise ValueError(f"not a field of a call: {', '.join(unknown)}")
    frame = frame.reindex(columns=list(DTYPES))
    frame["narrative"] = frame["narrative"].astype("str").fillna("")
    frame["revision"] = frame["revision"].fillna(1)
    return frame.astype(DTYPES)


def to_records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield one plain dictionary per row, as `Call` takes it; missing values are left out."""
    fields = [name for name in frame.columns if not name.startswith(ANSWER_PREFIX)]
    answers = [name for name in frame.columns if name.startswith(ANSWER_PREFIX)]
    columns = {
        name: frame[name].astype(object).where(frame[name].notna(), None).tolist()
        for name in frame.columns
    }
    for row in range(len(frame)):
        record = {name: columns[name][row] for name in fields if columns[name][row] is not None}
        if "received_at" in record:
            try:
                record["received_at"] = record["received_at"].to_pydatetime()
            except ValueError:
                record["received_at"] = None  # a year that Python does not have, and no call has
        given = {
            name[len(ANSWER_PREFIX) :]: columns[name][row]
            for name in answers
            if columns[name][row] is not None
        }
        if given:
            record["answers"] = given
        yield record


def to_calls(frame: pd.DataFrame) -> list[Call]:
    """Turn a frame back into calls, validating each.

    Raises
    ------
    pydantic.ValidationError
        At the first row that is not a valid call.
    """
    return [Call.model_validate(record) for record in to_records(frame)]
