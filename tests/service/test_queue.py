"""The queue's rows and events: from the log, in its order, nothing missed, nothing withheld."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from model_service.service.console.board import SIZE
from model_service.service.console.hub import BACKLOG, Hub
from model_service.service.log import DecisionLog, Draft, LogUnavailable
from model_service.service.opening import open_store
from tests.builders import a_call
from tests.harness import Service

CRISIS = "brother hearing voices, suicidal, no weapons"


def events(service: Service, after: int | None = None, **more: Any) -> list[dict[str, str]]:
    """Ask for what there is to tell; beats are left out."""
    headers = {} if after is None else {"last-event-id": str(after)}
    answer = service.get("/queue/events?stay=false", headers=headers, **more)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in answer.text.split("\n\n")
        if block
    ]
    return [one for one in found if one["event"] != "beat"]


def seen(service: Service) -> int:
    hub: Hub = service.app.state.hub
    return hub.seen


def decide(service: Service, assessment: dict[str, Any], **decision: Any) -> None:
    path = f"/v1/assessments/{assessment['assessment_id']}/decision"
    service.post(path, json=decision).raise_for_status()


def test_whoever_comes_back_is_told_what_was_missed_once_a_call(service: Service) -> None:
    first = service.assess(a_call(1, narrative=CRISIS)).json()
    known = seen(service)
    service.assess(a_call(2, narrative=CRISIS))
    decide(service, first, action="accept")
    service.assess(a_call(2, narrative=f"{CRISIS} knife", revision=2))
    told = events(service, known)
    assert [one["event"] for one in told] == ["row", "row"]
    assert "accepted · dispatcher" in told[0]["data"]
    assert "knife" in told[1]["data"]
    assert int(told[0]["id"]) < int(told[1]["id"]) == seen(service)
    assert events(service, seen(service)) == []
    # Cut off between two events, one comes back to the second.
    assert [one["id"] for one in events(service, int(told[0]["id"]))] == [told[1]["id"]]


def test_whoever_missed_too_much_or_comes_from_another_log_asks_anew(service: Service) -> None:
    service.assess(a_call(1))
    known = seen(service)
    boss = {"role": "supervisor"}
    service.request("PUT", "/v1/mode", json={"mode": "shadow"}, **boss).raise_for_status()
    assert [one["event"] for one in events(service, known)] == ["reset"]
    assert [one["event"] for one in events(service, 10_000)] == ["reset"]


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_what_is_withheld_from_a_desk_is_in_no_row(service: Service, mode: str) -> None:
    before = service.assess(a_call(1, narrative=CRISIS)).json()
    boss = {"role": "supervisor"}
    service.request("PUT", "/v1/mode", json={"mode": mode}, **boss).raise_for_status()
    service.assess(a_call(2, narrative=CRISIS))
    rows = service.get("/queue/rows").text
    assert rows.count('class="call"') == 2
    words = {"off": "Switched off", "shadow": "Not shown"}[mode]
    assert rows.count(f"<strong>{words}") == 2
    detail = service.get(f"/calls/{before['assessment_id']}").text
    for text in (rows, detail):
        for advice in ("likely", "EMTs with a mental-health clinician</", "<mark", "Ask"):
            assert advice not in text


def test_what_was_erased_is_in_no_row(service: Service) -> None:
    service.assess(a_call(1, narrative="zebra voices"))
    assert "zebra" in service.get("/queue/rows").text
    known = seen(service)
    service.erase("C-1")
    assert "zebra" not in service.get("/queue/rows").text
    assert [one["event"] for one in events(service, known)] == ["reset"]


def test_narratives_can_end_no_event_and_open_no_tag(service: Service) -> None:
    known = seen(service)
    narrative = (
        "voices\r\n\r\nevent: reset\ndata: x\u2028\x85</li><script>alert(1)</script> {{ 7*7 }}"
    )
    service.assess(a_call(1, narrative=narrative)).raise_for_status()
    (told,) = events(service, known)
    assert told["event"] == "row"
    assert "<script>" not in told["data"]
    assert "{{ 7*7 }}" in told["data"]


def test_the_newest_calls_come_first_and_earlier_ones_on_request(service: Service) -> None:
    for number in range(60):
        service.assess(a_call(number)).raise_for_status()
    page = service.get("/queue/rows").text
    assert page.count('class="call') == 50
    before = page.rpartition("before=")[2].partition('"')[0]
    rest = service.get(f"/queue/rows?before={before}").text
    assert rest.count('class="call') == 10
    assert "before=" not in rest
    assert SIZE >= 60


def test_entries_of_another_process_are_told_too(service: Service) -> None:
    service.assess(a_call(1, narrative=CRISIS))
    known = seen(service)
    store = open_store(service.settings, busy_timeout_ms=5000)

    async def listen() -> bytes:
        hub: Hub = service.app.state.hub
        lines = hub.listen(known)
        assert b"beat" in await anext(lines)
        other = DecisionLog(store)
        body = {"mode": "shadow"}
        await other.append(Draft("mode", "elsewhere", body))
        told = await asyncio.wait_for(anext(lines), 5)
        await lines.aclose()  # type: ignore[attr-defined]
        return told

    try:
        assert b"event: reset" in service.run(listen())
    finally:
        store.close()


def test_a_console_that_does_not_listen_is_let_go_and_holds_up_nobody(service: Service) -> None:
    async def flood() -> list[bytes]:
        hub: Hub = service.app.state.hub
        lines = hub.listen(hub.seen)
        await anext(lines)
        for _ in range(BACKLOG + 5):
            hub._tell(b"event: row\n\n")
        return [line async for line in lines]

    assert len(service.run(flood())) <= 5


def test_the_hub_lives_through_a_log_that_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = seen(service)

    def fails(**_: Any) -> Any:
        raise LogUnavailable("the decision log can't be used (full)")

    with monkeypatch.context() as patch:
        patch.setattr(service.log.read, "page", fails)
        assert service.get("/queue/events?stay=false").status_code == 503
        assert service.get("/").status_code == 503
        assert "follow protocol" in service.get("/").text.lower()
    service.assess(a_call(1, narrative=CRISIS)).raise_for_status()
    assert [one["event"] for one in events(service, known)] == ["row"]


def test_a_stream_ends_with_the_session(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_service.service.routes.pages.queue.BEAT", 0.0)
    monkeypatch.setattr("model_service.service.console.hub.BEAT", 0.01)
    cookie = service.cookie("dispatcher")

    async def outlive() -> str:
        asked = service.send("GET", "/queue/events", role=None, headers={"cookie": cookie})
        stream = asyncio.ensure_future(asked)
        await asyncio.sleep(0.1)
        assert not stream.done()
        service.app.state.sessions.close(cookie.partition("=")[2])
        return str((await asyncio.wait_for(stream, 5)).text)

    with contextlib.suppress(TimeoutError):
        assert "event: beat" in service.run(outlive())
