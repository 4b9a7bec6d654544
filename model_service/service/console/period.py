"""A period that somebody asks about, and its pieces for a chart over time.

Days and hours are those of the centre; what is asked of the log is in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from model_service.service.problems import FieldError, invalid

DEFAULT = "last_shift"
LONGEST = timedelta(days=366)
_YEARS = (1970, 2999)

_WIDTHS = (
    (timedelta(hours=26), timedelta(hours=1), "hour"),
    (timedelta(days=3), timedelta(hours=3), "3 hours"),
    (timedelta(days=8), timedelta(hours=6), "6 hours"),
    (timedelta(days=40), timedelta(days=1), "day"),
    (LONGEST, timedelta(days=14), "14 days"),
)
"""How long a period is at most, how wide its pieces are then, and what they are called."""


class Piece(NamedTuple):
    """A piece of a period; `until` is left out itself."""

    since: datetime
    until: datetime
    title: str


class Period(NamedTuple):
    """A period, in UTC; `until` is left out itself."""

    name: str
    title: str
    since: datetime
    until: datetime
    zone: tzinfo

    @property
    def _width(self) -> tuple[timedelta, str]:
        length = self.until - self.since
        return next((width, word) for longest, width, word in _WIDTHS if length <= longest)

    @property
    def piece_word(self) -> str:
        """What a piece is called: `hour`, `6 hours`, `day`."""
        return self._width[1]

    def pieces(self) -> list[Piece]:
        """Cut the period into pieces that begin at round hours where the centre is."""
        width, _ = self._width
        return list(self._cut(width))

    def _cut(self, width: timedelta) -> Iterator[Piece]:
        edge = self.since.astimezone(self.zone)
        begin = edge.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if width < timedelta(days=1):
            hours = width // timedelta(hours=1)
            begin = edge.replace(hour=edge.hour // hours * hours, minute=0, second=0, microsecond=0)
        at = begin
        while at.astimezone(UTC) < self.until:
            # By the clock of the wall for days, whatever their length; by that of the world else.
            if width < timedelta(days=1):
                after = (at.astimezone(UTC) + width).astimezone(self.zone)
            else:
                after = at + width
            form = "%a %d %b" if width >= timedelta(days=1) else "%a %H:%M"
            yield Piece(
                max(at.astimezone(UTC), self.since),
                min(after.astimezone(UTC), self.until),
                at.strftime(form),
            )
            at = after


NAMES: Mapping[str, str] = {
    "shift": "This shift",
    "last_shift": "Last shift",
    "24h": "24 hours",
    "7d": "7 days",
}


def period_of(
    name: str | None,
    since: str | None,
    until: str | None,
    *,
    now: datetime,
    zone: tzinfo,
    shifts: Sequence[time],
) -> Period:
    """Read the period that somebody asks for.

    Parameters
    ----------
    name : str, optional
        One of `NAMES`; not looked at if a time is given.
    since, until : str, optional
        Times, where the centre is if they tell no zone.
    now : datetime
    zone : tzinfo
        The centre's.
    shifts : sequence of time
        When shifts begin.

    Raises
    ------
    Problem
        422 if it is none, or too long.
    """
    if since or until:
        end = moment(until, zone, "until") if until else now
        begin = moment(since, zone, "since") if since else end - timedelta(hours=24)
        if not begin < end:
            raise invalid([FieldError("until", "must lie after `since`")], what="period")
        if end - begin > LONGEST:
            raise invalid([FieldError("since", "not more than 366 days before")], what="period")
        return _named("", f"{_told(begin, zone)} to {_told(end, zone)}", begin, end, zone)
    name = name or DEFAULT
    if name not in NAMES:
        raise invalid([FieldError("period", f"one of {', '.join(NAMES)}")], what="period")
    if name in ("24h", "7d"):
        length = timedelta(hours=24) if name == "24h" else timedelta(days=7)
        return _named(name, NAMES[name], now - length, now, zone)
    before, begin = last_shifts(now, zone, shifts)
    if name == "shift":
        return _named(name, NAMES[name], begin, now, zone)
    return _named(name, NAMES[name], before, begin, zone)


def last_shifts(now: datetime, zone: tzinfo, shifts: Sequence[time]) -> tuple[datetime, datetime]:
    """Tell when the shift before this one began, and when this one did, in UTC."""
    today = now.astimezone(zone).date()
    begins = sorted(
        datetime.combine(today - timedelta(days=back), at, zone).astimezone(UTC)
        for back in range(3)
        for at in shifts
    )
    past = [begin for begin in begins if begin <= now]
    return past[-2], past[-1]


def moment(text: str, zone: tzinfo, name: str) -> datetime:
    """Read a time, where the centre is if it tells no zone.

    Raises
    ------
    Problem
        422 if it is none.
    """
    try:
        read = datetime.fromisoformat(text)
        if not _YEARS[0] <= read.year <= _YEARS[1]:
            raise ValueError("no year of any log")
        return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
    except ValueError:
        raise invalid([FieldError(name, "must be a day or a time")], what="request") from None


def _named(name: str, title: str, since: datetime, until: datetime, zone: tzinfo) -> Period:
    return Period(name, title, since, until, zone)


def _told(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%d %b %Y %H:%M")
