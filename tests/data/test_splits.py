"""A split keeps time's order, and nothing that belongs together lies on two sides of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from data.splits import PARTS, PURGED, temporal_split

START = datetime(2021, 1, 1, 12, tzinfo=UTC)


def calls(*days: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"received_at": pd.to_datetime([START + timedelta(days=d) for d in days], utc=True)}
    )


def split(frame: pd.DataFrame, *groups: pd.Series, **cuts: Any) -> list[str]:
    made = temporal_split(
        frame,
        **{
            "validation_from": date(2021, 1, 11),
            "test_from": date(2021, 1, 21),
            "timezone": "UTC",
            **cuts,
        },
        groups=groups,
    )
    assert made.index.equals(frame.index)
    return made.tolist()


def test_by_days() -> None:
    frame = calls(0, 9, 9.4999, 9.5, 15, 19.5, 40)
    assert split(frame) == ["train", "train", "train", *["validation"] * 2, *["test"] * 2]


def test_a_day_begins_at_midnight_of_the_agency() -> None:
    frame = calls(0, 9.5, 9.5 + 4.99 / 24, 9.5 + 5 / 24, 30)
    assert split(frame, timezone="America/New_York") == [
        *["train"] * 3,
        "validation",
        "test",
    ]


def test_by_shares_in_order_of_time_whatever_the_order_of_rows() -> None:
    frame = calls(*range(10)).sample(frac=1, random_state=0)
    parts = pd.Series(split(frame, validation_from=0.6, test_from=0.8), frame.index).sort_index()
    assert parts.tolist() == ["train"] * 6 + ["validation"] * 2 + ["test"] * 2


def test_what_shares_a_group_with_an_earlier_part_is_purged() -> None:
    frame = calls(0, 1, 11, 12, 13, 22, 23, 24)
    incidents = pd.Series(["a", "b", "b", "c", "d", "c", "e", "a"])
    assert split(frame, incidents) == [
        *("train", "train", PURGED, "validation", "validation"),
        *(PURGED, "test", PURGED),
    ]


def test_missing_groups_tie_nothing_together() -> None:
    frame = calls(0, 11, 22)
    assert split(frame, pd.Series([None, None, None], dtype="str")) == list(PARTS)


def test_what_was_purged_still_purges() -> None:
    # The second is purged by its incident; the third shares its family and goes too.
    frame = calls(0, 11, 12, 22, 23)
    incidents = pd.Series(["a", "a", "b", "c", "d"])
    families = pd.Series([None, "f", "g", "f", "h"], dtype="str")
    assert split(frame, incidents, families) == ["train", PURGED, "validation", PURGED, "test"]


rows = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([None, *"abcdefgh"]),
        st.sampled_from([None, *"pqrstuvwxyz"]),
    ),
    min_size=1,
    max_size=60,
)
cuts = st.floats(0.05, 0.95) | st.integers(1, 29).map(lambda n: date(2021, 1, 1 + n))


@settings(max_examples=300)
@given(rows, cuts, cuts)
def test_no_group_on_two_sides_and_time_in_order(
    made: list[tuple[int, str | None, str | None]], first: Any, second: Any
) -> None:
    frame = calls(*(day for day, _, _ in made))
    groups = [pd.Series([row[column] for row in made], dtype="str") for column in (1, 2)]
    try:
        part = temporal_split(
            frame, validation_from=first, test_from=second, timezone="UTC", groups=groups
        )
    except InputError:
        return
    assert set(part) <= {*PARTS, PURGED}
    times = frame["received_at"]
    for earlier, later in (("train", "validation"), ("validation", "test"), ("train", "test")):
        assert times[part == earlier].max() < times[part == later].min()
        for group in groups:
            shared = set(group[part == earlier].dropna()) & set(group[part == later].dropna())
            assert not shared
    # Purging takes nothing from the training part, and only what is tied to something earlier.
    alone = temporal_split(frame, validation_from=first, test_from=second, timezone="UTC")
    assert (part[alone == "train"] == "train").all()
    for row in part.index[part == PURGED]:
        earlier_parts = PARTS[: PARTS.index(alone[row])]
        assert any(
            group.notna()[row] and (group[alone.isin(earlier_parts)] == group[row]).any()
            for group in groups
        )


@pytest.mark.parametrize(
    ("frame", "changes", "why"),
    [
        (calls(), {}, "no calls to split"),
        (calls(), {"validation_from": 0.5, "test_from": 0.8}, "no calls to split"),
        (calls(0, 11), {}, "no call is left for test"),
        (calls(11, 22), {}, "no call is left for train"),
        (calls(0, 1), {}, "no call is left for validation and test"),
        (calls(0, 11, 22), {"test_from": date(2021, 1, 11)}, "must begin before"),
        (calls(0, 11, 22), {"validation_from": 0.9, "test_from": 0.1}, "must begin before"),
        (calls(5, 5, 5), {"validation_from": 0.3, "test_from": 0.7}, "must begin before"),
    ],
    ids=range(8),
)
def test_a_split_that_can_t_be_made(frame: pd.DataFrame, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        split(frame, **changes)


def test_a_part_that_is_purged_away_is_missed() -> None:
    with pytest.raises(InputError, match="no call is left for test"):
        split(calls(0, 11, 22), pd.Series(["a", "b", "a"]))
