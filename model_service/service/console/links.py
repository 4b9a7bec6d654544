"""Where a figure leads: to the log page, with the filters in the URL that list what it counts.

Filters hold codes, names of places and users, and times; never what was said.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

LOG = "/log"

Asked = str | tuple[str, ...]


class Figure(NamedTuple):
    """A number, and where what it counts is listed."""

    n: int
    href: str


def short(at: datetime) -> str:
    """Write a time for a URL, as short as it can be told.

    Examples
    --------
    >>> short(datetime(2026, 11, 24, 10, tzinfo=UTC))
    '2026-11-24T10Z'
    """
    at = at.astimezone(UTC)
    form = "seconds" if at.second or at.microsecond else "minutes" if at.minute else "hours"
    if at.microsecond:
        form = "milliseconds"
    return at.isoformat(timespec=form).replace("+00:00", "Z")


def log_url(
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    calls: bool = False,
    **asked: Asked,
) -> str:
    """Write the address of the log page.

    Parameters
    ----------
    since, until : datetime, optional
    calls : bool
        Whether each call is listed once, as its latest revision.
    **asked
        Filters; several values let any of them through.

    Examples
    --------
    >>> log_url(calls=True, decision=("accept", "none"))
    '/log?calls=1&decision=accept&decision=none'
    """
    query: list[tuple[str, str]] = []
    if since is not None:
        query.append(("since", short(since)))
    if until is not None:
        query.append(("until", short(until)))
    if calls:
        query.append(("calls", "1"))
    for name, values in asked.items():
        query += [(name, one) for one in ((values,) if isinstance(values, str) else values)]
    return f"{LOG}?{urlencode(query, safe=':')}" if query else LOG
