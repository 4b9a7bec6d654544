"""Hours: shifts of weekdays and holidays, on the clock on the wall."""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"

ShiftDay = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]


def _clock(value: Any) -> time:
    """Read HH:MM; a number would pass for seconds since midnight."""
    try:
        if isinstance(value, time):
            return value
        return datetime.strptime(value, "%H:%M").time()
    except (TypeError, ValueError):
        raise ValueError("write an hour as HH:MM, such as 07:30; the end of a day is 00:00") from (
            None
        )


Clock = Annotated[
    time,
    BeforeValidator(_clock),
    PlainSerializer(lambda clock: f"{clock:%H:%M}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]?\d$"}),
]


class Shift(BaseModel):
    """Hours of some days, in the plan's time zone.

    `to` before `from` spans midnight; `to` equal to `from` is a whole day from that hour on. On a
    day that the plan lists as a holiday only shifts that name `holiday` begin.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    days: Annotated[tuple[ShiftDay, ...], Field(strict=False, min_length=1)]
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")

    def begins(self, day: date, holidays: Container[date]) -> bool:
        """Say whether the shift begins on a day."""
        return (HOLIDAY if day in holidays else DAYS[day.weekday()]) in self.days

    def covers(self, local: datetime, holidays: Container[date] = ()) -> bool:
        """Say whether a local time lies in the shift.

        Parameters
        ----------
        local : datetime
            In the plan's time zone.
        holidays : container of date
        """
        now, today = local.time(), local.date()
        if self.start < self.end:
            return self.start <= now < self.end and self.begins(today, holidays)
        return (now >= self.start and self.begins(today, holidays)) or (
            now < self.end and self.begins(today - timedelta(days=1), holidays)
        )
