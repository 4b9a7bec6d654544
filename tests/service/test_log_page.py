"""The log as a page: what the filters let through, on pages that stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_service.service.console import ledger
from model_service.service.console.ledger import find
from model_service.service.log.filters import Filters
from tests.builders import a_call, make_champion, make_settings
from tests.harness import Service, running
from tests.past import write_past

UNTIL = datetime.now(UTC) - timedelta(minutes=5)
HOURS = 10.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home: Path = tmp_path_factory.mktemp("home")
    make_champion(home)
    write_past(make_settings(home), calls=60, until=UNTIL, hours=HOURS)
    with running(home) as started:
        yield started


def numbers(service: Service, query: str, role: str = "auditor") -> list[int]:
    """List the entries of all pages, from the first link on."""
    found: list[int] = []
    path: str | None = f"/log?{query}"
    while path is not None:
        page = service.get(path, role=role)
        assert page.status_code == 200, page.text
        found += map(int, re.findall(r'<td class="number" title="[0-9a-f]{64}">(\d+)<', page.text))
        further = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = None if further is None else further[1].replace("&amp;", "&")
    return found


offsets = st.floats(-1, HOURS + 1).map(lambda hours: UNTIL - timedelta(hours=hours))


@given(offsets, offsets)
def test_a_span_leaves_nothing_out(service: Service, since: datetime, until: datetime) -> None:
    read = service.log.read
    every = [entry for entry in read.page(limit=1000) if since <= _at(entry.at) < until]
    after, end = read.span(since, until)
    assert all(after < entry.seq <= end for entry in every)
    found = service.run(find(read, Filters(since=since, until=until), limit=10_000))
    assert [entry.seq for entry in found.entries] == [entry.seq for entry in reversed(every)]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_pages_go_back_to_the_first_entry_and_repeat_none(service: Service) -> None:
    found = numbers(service, "")
    newest = service.log.read.newest()
    assert found[-1] == 1
    assert found == sorted(set(found), reverse=True)
    assert len(found) >= newest - 1


def test_a_page_stays_as_it_is_while_entries_arrive(service: Service) -> None:
    before = service.log.read.newest()
    first = numbers(service, f"before={before}")
    service.assess(a_call("later"))
    assert numbers(service, f"before={before}") == first
    assert numbers(service, "")[0] > before


def test_a_search_that_takes_long_stops_and_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LOOKED_AT", 40)
    monkeypatch.setattr(ledger, "PART", 10)
    page = service.get("/log?unserved=busy", role="auditor")
    assert "The search stopped at entry" in page.text
    assert "Search on" in page.text
    assert numbers(service, "unserved=busy") == []
    monkeypatch.undo()
    every = numbers(service, "kind=assessment&withheld=shadow")
    monkeypatch.setattr(ledger, "LOOKED_AT", 40)
    monkeypatch.setattr(ledger, "PART", 10)
    assert numbers(service, "kind=assessment&withheld=shadow") == every != []


@pytest.mark.parametrize(
    "query",
    ["decision=perhaps", "kind=rumour", "unserved=rain", "withheld=no", "before=-1", "since=soon",
     "since=0001-01-01T00:00Z", "until=9999-12-31T23:59Z",
     "neighborhood=" + "x" * 201, "before=99999999999999999999"],
)  # fmt: skip
def test_what_can_not_be_asked_for_is_refused(service: Service, query: str) -> None:
    assert service.get(f"/log?{query}", role="auditor").status_code == 422


def test_what_the_form_leaves_empty_asks_for_nothing(service: Service) -> None:
    empty = "since=&until=&kind=&decision=&neighborhood=&actor="
    assert numbers(service, empty) == numbers(service, "")


def test_a_value_that_is_markup_stays_text(service: Service) -> None:
    page = service.get('/log?neighborhood="><script>harm</script>', role="auditor")
    assert page.status_code == 200
    assert "<script>harm" not in page.text


def test_somebody_at_a_desk_reads_no_advice_that_is_held_back(service: Service) -> None:
    service.request("PUT", "/v1/mode", json={"mode": "shadow"}, role="supervisor")
    try:
        service.assess(a_call("shadowed"))
        first = re.compile(r"C-shadowed.*?</tr>", re.DOTALL)
        for role, told in (("supervisor", False), ("auditor", True)):
            row = first.search(service.get("/log", role=role).text)
            assert row is not None
            assert ("EMTs with" in row[0]) is told
            assert "recorded, not shown" in row[0]
    finally:
        service.request("PUT", "/v1/mode", json={"mode": "advisory"}, role="supervisor")
