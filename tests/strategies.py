"""Hypothesis strategies that several tests share."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from data.call import QUESTIONS, Call

words = st.text(
    st.characters(exclude_categories=["Cs"]),  # lone surrogates are no text
    min_size=1,
    max_size=40,
)
narratives = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
zones = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1968, 2, 18), datetime(2099, 12, 30), timezones=zones)
answers = st.dictionaries(st.sampled_from(QUESTIONS), st.sampled_from(["yes", "no", "unknown"]))
places = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Draw a valid call, every optional field given or not."""
    place = draw(places)
    return Call(
        call_id=draw(ids),
        received_at=draw(times),
        revision=draw(st.integers(1, 1_000_000)),
        narrative=draw(narratives),
        call_type=draw(st.none() | words),
        call_source=draw(st.sampled_from([None, "911", "988_transfer", "alarm", "other"])),
        priority=draw(st.none() | st.text(st.characters(codec="ascii"), min_size=1, max_size=32)),
        caller_role=draw(st.sampled_from([None, "self", "family", "staff"])),
        language=draw(st.sampled_from([None, "en", "es", "zh-Hant", "ht"])),
        neighborhood=draw(st.none() | words),
        latitude=None if place is None else place[0],
        longitude=None if place is None else place[1],
        premise_id=draw(st.none() | ids),
        answers=draw(answers),
    )
