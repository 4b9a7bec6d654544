"""Groups by column, by hour, and crossed."""

from __future__ import annotations

import pandas as pd
import pytest

from data.errors import InputError
from tests.training.audit.calls import some_calls
from training.audit.groups import NOT_KNOWN, grouping
from training.audit.period import Period


@pytest.fixture(scope="module")
def calls() -> pd.DataFrame:
    return Period(some_calls(2000)).calls


def test_what_is_not_known_is_a_group(calls: pd.DataFrame) -> None:
    made = grouping(calls, "language")
    assert made.names == ["en", "es", NOT_KNOWN]
    assert (made.codes == 2).sum() == calls["language"].isna().sum()


def test_two_columns_are_crossed(calls: pd.DataFrame) -> None:
    made = grouping(calls, "neighborhood×hours")
    assert len(made.names) == 12
    name = made.names[made.codes[5]]
    hour = int(calls.loc[5, "hour"])
    assert name.startswith(f"{calls.loc[5, 'neighborhood']} × {hour // 6 * 6:02d} to")
    assert made.title == "Neighbourhood × Hour of the day"


def test_every_call_is_in_one_group(calls: pd.DataFrame) -> None:
    for by in ("neighborhood", "hours", "language×neighborhood", "recommendation"):
        made = grouping(calls, by)
        assert len(made.codes) == len(calls)
        assert set(made.codes) == set(range(len(made.names)))


def test_columns_that_are_not_there_or_name_calls_are_refused(calls: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no column 'weather'"):
        grouping(calls, "weather")
    with pytest.raises(InputError, match="2,000 groups"):
        grouping(calls, "call_id")
    with pytest.raises(InputError, match="one column or two"):
        grouping(calls, "language×hours×neighborhood")
