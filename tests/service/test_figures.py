"""Every figure of the supervisor's page is the number of calls that its link lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import QueryParams

from model_service.service.console.calls import names_of
from model_service.service.console.figures import Figures, figures_of
from model_service.service.console.ledger import find
from model_service.service.console.links import Figure
from model_service.service.console.period import Period
from model_service.service.console.tally import Tally, tally
from model_service.service.console.telling import UNSERVED
from model_service.service.log import Entry
from model_service.service.routes.pages.log import asked_in
from tests.builders import make_champion, make_settings
from tests.harness import Service, running
from tests.past import write_past

BOSTON = ZoneInfo("America/New_York")
UNTIL = datetime.now(UTC) - timedelta(hours=1)
PERIOD = Period("", "", UNTIL - timedelta(hours=10), UNTIL - timedelta(hours=1), BOSTON)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that looks back on twelve hours, of which the period is a part."""
    home: Path = tmp_path_factory.mktemp("home")
    make_champion(home)
    write_past(make_settings(home), calls=120, until=UNTIL, hours=12)
    with running(home) as started:
        started.erase("P-1-00060")
        yield started


def counted(service: Service, **more: Any) -> tuple[Tally, Figures]:
    found: Tally = service.run(tally(service.log.read, PERIOD, **more))
    release = service.releases.current
    assert release is not None
    return found, figures_of(found, PERIOD, names_of(release.plan), UNSERVED)


def listed(service: Service, href: str) -> list[Entry]:
    """Follow a link to the end of the list."""
    query = QueryParams(parse_qsl(urlsplit(href).query))
    asked = asked_in(query, UTC)
    entries: list[Entry] = []
    before = None
    while True:
        found = service.run(
            find(service.log.read, asked.filters, kind=asked.kind, before=before, limit=7)
        )
        entries += found.entries
        before = found.before
        if before is None:
            return entries


def figures_in(value: Any) -> Iterator[Figure]:
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, Figures):
        for one in fields(value):
            yield from figures_in(getattr(value, one.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from figures_in(item)


def test_every_figure_is_what_its_link_lists(service: Service) -> None:
    _, figures = counted(service)
    seen = {figure.href: figure.n for figure in figures_in(figures)}
    assert len(seen) > 100
    for href, n in seen.items():
        assert len(listed(service, href)) == n, href


def test_a_call_counts_once_at_its_latest_revision(service: Service) -> None:
    found, figures = counted(service)
    entries = listed(service, figures.calls.href)
    calls = [entry.call_id for entry in entries]
    assert len(calls) == len(set(calls)) == figures.calls.n == len(found.calls)
    assert max(entry.revision or 0 for entry in entries) > 1
    for entry in entries:
        latest = service.log.read.latest(str(entry.call_id))
        assert latest is not None
        assert latest.seq == entry.seq


def test_the_parts_make_the_whole(service: Service) -> None:
    found, figures = counted(service)
    rows = {series.title: series for series in figures.series}
    assert sum(figure.n for figure in rows["Calls"].figures) == figures.calls.n
    for group in ("recommended", "decided"):
        total = sum(row.total.n for row in figures.series if row.group == group)
        missing = sum(call.response is None for call in found.calls) if group != "decided" else 0
        assert total + missing == figures.calls.n
    assert sum(row.calls.n for row in figures.places) == figures.calls.n
    assert sum(rate.part.n for rate in figures.reasons) == figures.overridden.part.n
    assert figures.withheld_why
    assert figures.missed


def test_where_there_are_more_calls_than_are_counted_the_latest_are(service: Service) -> None:
    every, _ = counted(service)
    some, figures = counted(service, most=10)
    assert some.more
    assert not every.more
    assert some.calls == every.calls[:10]
    assert figures.calls.n == 10


def test_of_an_empty_period_there_are_no_figures(service: Service) -> None:
    empty = Period("", "", PERIOD.since - timedelta(days=9), PERIOD.since - timedelta(days=8), UTC)
    found = service.run(tally(service.log.read, empty))
    figures = figures_of(found, empty, {}, UNSERVED)
    assert figures.calls.n == 0
    assert figures.places == ()
    page = service.get("/supervisor?since=2020-01-01&until=2020-01-02", role="supervisor")
    assert "No call came in" in page.text


def test_no_link_holds_a_word_of_a_call(service: Service) -> None:
    page = service.get("/supervisor?period=24h", role="supervisor")
    assert page.status_code == 200
    assert "voices" not in page.text
    assert "P-1-" not in page.text
