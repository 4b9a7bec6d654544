"""Periods where the centre is, and their pieces: nothing is left out and nothing counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.service.console.period import LONGEST, Period, last_shifts, period_of
from model_service.service.problems import Problem

BOSTON = ZoneInfo("America/New_York")
SHIFTS = (time(7), time(19))
NOW = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)  # half past eleven in Boston


def asked(name: str | None = None, since: str | None = None, until: str | None = None) -> Period:
    return period_of(name, since, until, now=NOW, zone=BOSTON, shifts=SHIFTS)


def test_the_last_shift_is_the_one_before_this() -> None:
    period = asked()
    assert period.since == datetime(2026, 11, 23, 19, tzinfo=BOSTON)
    assert period.until == datetime(2026, 11, 24, 7, tzinfo=BOSTON)
    assert (asked("shift").since, asked("shift").until) == (period.until, NOW)


def test_times_without_a_zone_are_the_centres() -> None:
    period = asked(since="2026-11-20T08:00", until="2026-11-20T14:00Z")
    assert period.since == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert period.until == datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("yesterday", None),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-21", "2026-11-20"),
        ("2020-01-01", None),
        ("0001-01-01", "0001-01-03"),
        ("9999-12-31T23:59", "0001-01-01"),
    ],
)
def test_what_is_no_period_is_refused(since: str, until: str | None) -> None:
    with pytest.raises(Problem) as refused:
        asked(since=since, until=until)
    assert refused.value.status_code == 422


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(Problem):
        asked("fortnight")


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(
    lambda at: at.replace(tzinfo=UTC)
)


@given(moments, st.timedeltas(timedelta(minutes=1), LONGEST))
def test_pieces_cover_the_period_without_gaps(begin: datetime, length: timedelta) -> None:
    pieces = Period("", "", begin, begin + length, BOSTON).pieces()
    assert pieces[0].since == begin
    assert pieces[-1].until == begin + length
    for one, after in zip(pieces, pieces[1:], strict=False):
        assert one.since < one.until == after.since
    assert len(pieces) <= 42


def test_an_hour_that_comes_twice_is_two_pieces_and_a_long_day_one() -> None:
    begin = datetime(2026, 11, 1, 4, tzinfo=UTC)  # midnight in Boston; clocks go back at two
    day = Period("", "", begin, begin + timedelta(hours=25), BOSTON)
    assert len(day.pieces()) == 25
    days = Period("", "", begin, begin + timedelta(days=10, hours=1), BOSTON).pieces()
    assert days[0].until - days[0].since == timedelta(hours=25)
    assert all(piece.since.astimezone(BOSTON).hour == 0 for piece in days)


@given(moments, st.lists(st.times(), min_size=1, max_size=4, unique=True))
def test_shifts_follow_upon_each_other(now: datetime, shifts: list[time]) -> None:
    before, begin = last_shifts(now, BOSTON, shifts)
    assert before < begin <= now
    assert begin.astimezone(BOSTON).replace(tzinfo=None).time() in shifts or len(shifts) < 5
