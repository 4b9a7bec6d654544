"""Reports on fairness that `crisiscall audit` left in the service's home.

Each lies in a folder of its own, `audits/NAME`: one page, which holds all it needs and no script,
and beside it the same as JSON, and tables as CSV.
"""

from __future__ import annotations

import contextlib
import html
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_HEAD = 64 * 1024
_PAGE = ".html"

TYPES = {
    _PAGE: "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
}
"""What is shown or given of a report, and what it is."""

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""Of a report: its own style and pictures, and nothing else; no script, and no part in ours."""


class Report(NamedTuple):
    """A report.

    Parameters
    ----------
    name : str
        Of its folder.
    title : str
    made : datetime
    page : str
        Name of the file of its page.
    files : tuple of str
        The others.
    """

    name: str
    title: str
    made: datetime
    page: str
    files: tuple[str, ...]


def reports(home: Path) -> list[Report]:
    """List the reports of a service's home, the latest first."""
    found = []
    with contextlib.suppress(OSError):
        for folder in (home / "audits").iterdir():
            one = report(home, folder.name)
            if one is not None:
                found.append(one)
    return sorted(found, key=lambda one: (one.made, one.name), reverse=True)


def report(home: Path, name: str) -> Report | None:
    """Find a report; None if there is none of that name, or it has no page."""
    if not _NAME.fullmatch(name):
        return None
    folder = home / "audits" / name
    try:
        there = (one.name for one in folder.iterdir() if one.suffix in TYPES)
        files = sorted(name for name in there if _NAME.fullmatch(name))
        page = next((one for one in files if one.endswith(_PAGE)), None)
        if page is None:
            return None
        with (folder / page).open(encoding="utf-8", errors="replace") as file:
            title = _TITLE.search(file.read(_HEAD))
        made = datetime.fromtimestamp((folder / page).stat().st_mtime, UTC)
    except OSError:
        return None
    told = html.unescape(title[1]).strip() if title else name
    return Report(name, told, made, page, tuple(one for one in files if one != page))


def read_file(home: Path, name: str, file: str) -> tuple[bytes, str] | None:
    """Read a file of a report, with what it is; None if there is none."""
    folder = home / "audits"
    path = folder / name / file
    kind = TYPES.get(path.suffix)
    if kind is None or not (_NAME.fullmatch(name) and _NAME.fullmatch(file)):
        return None
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return None
        return path.read_bytes(), kind
    except OSError:
        return None
