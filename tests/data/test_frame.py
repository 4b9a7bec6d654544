"""A frame holds calls without losing or inventing anything."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data.call import Call
from data.frame import ANSWER_COLUMNS, DTYPES, to_calls, to_frame, to_records, with_dtypes
from tests.strategies import calls

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(calls(), max_size=4))
def test_calls_come_back_as_they_went_in(given_calls: list[Call]) -> None:
    frame = to_frame(given_calls)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    assert to_calls(frame) == given_calls


def test_an_empty_frame_has_every_column_and_dtype() -> None:
    frame = to_frame([])
    assert len(frame) == 0
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES


def test_a_question_that_was_not_asked_is_missing_and_unknown_is_not() -> None:
    frame = to_frame([Call(call_id="a", received_at=NOW, answers={"weapon": "unknown"})])
    assert frame.loc[0, "answer_weapon"] == "unknown"
    assert frame[[c for c in ANSWER_COLUMNS if c != "answer_weapon"]].isna().all(axis=None)


def test_absent_columns_come_in_as_missing() -> None:
    frame = with_dtypes(pd.DataFrame({"call_id": ["a"], "received_at": [NOW]}))
    assert next(to_records(frame)) == {
        "call_id": "a",
        "received_at": NOW,
        "revision": 1,
        "narrative": "",
    }


def test_nothing_else_may_come_in() -> None:
    with pytest.raises(ValueError, match="disposition"):
        with_dtypes(pd.DataFrame({"call_id": ["a"], "disposition": ["x"]}))


def test_a_row_that_is_no_call_is_refused_on_the_way_back() -> None:
    frame = with_dtypes(pd.DataFrame({"call_id": ["a"], "received_at": [NOW], "latitude": [1.0]}))
    with pytest.raises(ValidationError, match="come together"):
        to_calls(frame)
