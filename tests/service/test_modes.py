"""What is shown to whom: the kill switch, shadow, and advice that is held back."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_service.service.holdback import HoldBack, drawn
from model_service.service.log.store import LogUnavailable
from model_service.service.postgres import PostgresURL
from model_service.service.problems import Problem
from model_service.service.views import AssessmentRecord, AssessmentView, DecisionView, ModeView
from tests.builders import a_call, make_champion, release_files
from tests.harness import Service, assert_problem, running

pytestmark = pytest.mark.both_stores

COMMIT = {"action": "commit", "response": "emt_clinician"}


def with_plan(home: Path, **changes: Any) -> dict[str, bytes]:
    """A release whose plan is Boston's but for some keys."""
    files = release_files()
    plan = {**yaml.safe_load(files["plan.yaml"]), **changes}
    return {**files, "plan.yaml": yaml.safe_dump(plan).encode()}


@pytest.fixture
def started(tmp_path: Path, log: PostgresURL | None) -> Iterator[Any]:
    """Starts services on one home, with a plan that is Boston's but for some keys."""
    running_now: list[Any] = []

    def start(**changes: Any) -> Service:
        while running_now:
            running_now.pop().__exit__(None, None, None)
        if changes:
            make_champion(tmp_path, with_plan(tmp_path, **changes))
        for name in ("accounts.db", "accounts.db-wal", "accounts.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        context = running(tmp_path, champion=not (tmp_path / "releases").exists(), log=log)
        running_now.append(context)
        return context.__enter__()

    yield start
    while running_now:
        running_now.pop().__exit__(None, None, None)


def switch(service: Service, mode: str, role: str = "administrator", **more: Any) -> Any:
    return service.request("PUT", "/v1/mode", json={"mode": mode, **more}, role=role)


def decide(service: Service, assessed: dict[str, Any], **decision: Any) -> Any:
    path = f"/v1/assessments/{assessed['assessment_id']}/decision"
    return service.post(path, json=decision)


def record(service: Service, assessed: dict[str, Any], role: str = "dispatcher") -> dict[str, Any]:
    answer = service.get(f"/v1/assessments/{assessed['assessment_id']}", role=role)
    AssessmentRecord.model_validate_json(answer.content)
    content: dict[str, Any] = answer.json()
    return content


def assert_withheld(assessed: dict[str, Any], why: str) -> None:
    AssessmentView.model_validate(assessed)
    assert assessed["withheld"] == why
    assert (assessed["prediction"], assessed["recommendation"]) == (None, None)
    assert (assessed["explanation"], assessed["questions"]) == (None, None)
    assert "emt_clinician" in assessed["plan"]["responses"]  # what can be committed to


# The switch


def test_advice_is_shown_unless_somebody_says_otherwise(service: Service) -> None:
    answer = service.get("/v1/mode").json()
    ModeView.model_validate(answer)
    assert answer == {"mode": "advisory", "plan": "advisory", "switched": None}
    assessed = service.assess(a_call()).json()
    assert (assessed["mode"], assessed["withheld"]) == ("advisory", None)
    assert decide(service, assessed, action="accept").json()["advice_shown"] is True


def test_the_kill_switch_holds_for_the_next_request_and_is_on_record(service: Service) -> None:
    before = service.assess(a_call(1)).json()
    pressed = switch(service, "off", note="a name that was typed")
    assert pressed.status_code == 200
    ModeView.model_validate(pressed.json())
    assert pressed.json()["mode"] == "off"
    assert pressed.json()["switched"]["actor"] == "administrator"
    assert pressed.json()["switched"]["note"] == "a name that was typed"
    (entry,) = service.log.read.page(kind="mode")
    assert entry.content()["mode"] == "off"
    assert "a name" not in entry.body

    assessed = service.assess(a_call(2)).json()
    assert_withheld(assessed, "off")
    assert assessed["mode"] == "off"
    body = service.log.read.assessment(assessed["assessment_id"]).content()  # type: ignore[union-attr]
    assert (body["prediction"], body["recommendation"], body["mode"]) == (None, None, "off")
    assert record(service, assessed, "auditor")["assessment"]["withheld"] == "off"
    # What was shown before is shown no more, and a repeated call brings it back to nobody.
    assert_withheld(service.assess(a_call(1)).json(), "off")
    assert_withheld(record(service, before)["assessment"], "off")
    # Decisions go on: on what had been shown, and on what was not.
    accepted = decide(service, before, action="accept").json()
    assert (accepted["advice_shown"], accepted["recommended"]) == (True, None)
    committed = decide(service, assessed, **COMMIT)
    assert committed.status_code == 201
    DecisionView.model_validate(committed.json())
    assert committed.json()["response"] == "emt_clinician"
    assert (committed.json()["advice_shown"], committed.json()["recommended"]) == (False, None)

    assert switch(service, "advisory", role="supervisor").json()["mode"] == "advisory"
    assert record(service, before)["assessment"]["recommendation"] == before["recommendation"]
    assert record(service, assessed)["assessment"]["withheld"] == "off"


def test_a_switch_outlives_a_restart_and_another_release(started: Any) -> None:
    service = started()
    switch(service, "off")
    assert started(version="3").get("/v1/mode").json()["mode"] == "off"
    assert_withheld(started().assess(a_call()).json(), "off")


def test_the_plan_is_the_ceiling(started: Any) -> None:
    service = started(mode="shadow")
    answer = switch(service, "advisory").json()
    assert (answer["mode"], answer["plan"]) == ("shadow", "shadow")
    assert answer["switched"]["mode"] == "advisory"
    assert switch(service, "off").json()["mode"] == "off"
    assert started(mode="off").get("/v1/mode").json()["mode"] == "off"


def test_less_is_in_force_even_where_it_can_t_be_recorded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(draft: Any) -> Any:
        raise LogUnavailable("full")

    with monkeypatch.context() as broken:
        broken.setattr(service.log, "append", refuse)
        assert_problem(switch(service, "off"), 503)
        assert service.get("/v1/mode").json()["mode"] == "off"
        assert_problem(switch(service, "advisory"), 503)  # and more is not
        assert service.get("/v1/mode").json()["mode"] == "off"
    assert_withheld(service.assess(a_call()).json(), "off")
    assert switch(service, "advisory").json()["mode"] == "advisory"


@pytest.mark.parametrize("body", [{}, {"mode": "on"}, {"mode": "off", "until": "later"}])
def test_what_is_no_switch(service: Service, body: dict[str, Any]) -> None:
    assert_problem(service.request("PUT", "/v1/mode", json=body, role="administrator"), 422)
    assert service.log.read.last("mode") is None


# Shadow


def test_in_shadow_a_call_is_scored_and_shown_to_nobody_at_a_desk(service: Service) -> None:
    switch(service, "shadow")
    assessed = service.assess(a_call()).json()
    assert_withheld(assessed, "shadow")
    entry = service.log.read.assessment(assessed["assessment_id"])
    assert entry is not None
    assert entry.content()["recommendation"]["response"] == "emt_clinician"
    assert_problem(decide(service, assessed, action="accept"), 422)
    committed = decide(service, assessed, action="commit", response="protocol").json()
    assert (committed["recommended"], committed["advice_shown"]) == (None, False)
    assert record(service, assessed, "supervisor")["decisions"][0]["recommended"] is None
    for role in ("dispatcher", "supervisor"):
        assert_withheld(record(service, assessed, role)["assessment"], "shadow")
    seen = record(service, assessed, "auditor")
    assert seen["assessment"]["recommendation"]["response"] == "emt_clinician"
    assert seen["assessment"]["explanation"] is not None
    assert seen["decisions"][0]["recommended"] == "emt_clinician"
    switch(service, "advisory")  # what was in shadow stays there
    assert_withheld(record(service, assessed)["assessment"], "shadow")


# Held back


def a_number(home: Path, *, held: bool, share: float) -> str:
    holdback = HoldBack(home / "keys" / "holdback.key")
    names = (f"N-{number}" for number in range(1000))
    return next(name for name in names if holdback.holds(name, share) == held)


def test_advice_is_held_back_until_a_decision_is_in(started: Any, tmp_path: Path) -> None:
    service = started(hold_back=0.5)
    shown = a_call(call_id=a_number(tmp_path, held=False, share=0.5))
    assert service.assess(shown).json()["withheld"] is None
    call = a_call(call_id=a_number(tmp_path, held=True, share=0.5))
    assessed = service.assess(call).json()
    assert_withheld(assessed, "held_back")
    assert_withheld(service.assess(call).json(), "held_back")
    assert_withheld(record(service, assessed)["assessment"], "held_back")
    grown = {**call, "revision": 2, "narrative": "voices, and a knife"}
    assert_withheld(service.assess(grown).json(), "held_back")
    for action in ({"action": "accept"}, {**COMMIT, "action": "override", "reason": "other"}):
        problem = assert_problem(decide(service, assessed, **action), 422)
        assert problem["errors"][0]["path"] == "action"
    committed = decide(service, assessed, **COMMIT).json()
    assert (committed["advice_shown"], committed["recommended"]) == (False, "emt_clinician")
    after = record(service, assessed)["assessment"]
    assert after["withheld"] is None
    assert after["recommendation"]["response"] == "emt_clinician"
    accepted = decide(service, assessed, action="accept").json()
    assert accepted["advice_shown"] is True
    # Whoever has committed on a call is shown what is said of its later revisions.
    later = service.assess({**call, "revision": 3, "narrative": "voices, a knife, a car"}).json()
    assert later["withheld"] is None
    flags = [e.content()["advice_shown"] for e in service.log.read.page(kind="decision")]
    assert flags == [False, True]


def test_a_commitment_is_for_advice_that_was_withheld(service: Service) -> None:
    problem = assert_problem(decide(service, service.assess(a_call()).json(), **COMMIT), 422)
    assert problem["errors"][0]["path"] == "action"


@pytest.mark.parametrize(
    "decision",
    [
        {"action": "commit"},
        {**COMMIT, "reason": "other"},
        {"action": "commit", "response": "helicopter"},
    ],
)
def test_a_commitment_names_a_response_and_no_reason(
    service: Service, decision: dict[str, Any]
) -> None:
    switch(service, "shadow")
    assert_problem(decide(service, service.assess(a_call()).json(), **decision), 422)


def test_an_auditor_with_the_key_can_check_every_draw(started: Any, tmp_path: Path) -> None:
    service = started(hold_back=0.3)
    answers = [service.assess(a_call(number)).json() for number in range(40)]
    path = tmp_path / "keys" / "holdback.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = bytes.fromhex(path.read_text())
    held = 0
    for answer in answers:
        digest = hmac.new(key, answer["call_id"].encode(), hashlib.sha256).hexdigest()
        expected = int(digest[:16], 16) / 2**64 < 0.3
        assert (answer["withheld"] == "held_back") == expected
        held += expected
    assert 3 < held < 25
    body = service.log.read.page(kind="assessment")[0].content()
    assert body["hold_back"] == {"share": 0.3, "key": hashlib.sha256(key).hexdigest()[:16]}


def test_the_share_is_the_share() -> None:
    draws = [drawn(b"k" * 32, f"2026-{number}") for number in range(20_000)]
    assert min(draws) >= 0 and max(draws) < 1
    for share in (0.05, 0.2, 0.5):
        assert sum(draw < share for draw in draws) / len(draws) == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize("content", ["", "zz", "ab" * 31])
def test_without_a_good_key_nothing_is_drawn(tmp_path: Path, content: str) -> None:
    path = tmp_path / "holdback.key"
    path.write_text(content)
    assert not HoldBack(path).holds("C-1", 0.0)
    with pytest.raises(Problem, match="key"):
        HoldBack(path).holds("C-1", 0.1)


def test_records_of_before_there_were_modes_are_still_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries whose body has none of the newer keys are read as advice that was shown."""
    assessed = service.assess(a_call()).json()
    entry = service.log.read.assessment(assessed["assessment_id"])
    assert entry is not None
    newer = ("mode", "withheld", "hold_back", "free")
    body = {key: value for key, value in entry.content().items() if key not in newer}
    old = entry._replace(body=json.dumps(body))
    monkeypatch.setattr(service.log.read, "assessment", lambda _: old)
    assert record(service, assessed)["assessment"] == assessed
    assert decide(service, assessed, action="accept").json()["advice_shown"] is True


def test_a_promise_that_is_not_kept_is_seen_everywhere(started: Any, tmp_path: Path) -> None:
    files = release_files()
    limits = json.loads(files["thresholds.json"])
    limits["safety_risk"]["low"] = None
    make_champion(tmp_path, {**files, "thresholds.json": json.dumps(limits).encode()})
    service = started()
    assert service.get("/v1/model").json()["thresholds"]["safety_risk"]["low"] is None
    call = a_call(narrative="brother hearing voices", answers={"weapon": "yes"})
    recommendation = service.assess(call).json()["recommendation"]
    assert (recommendation["response"], recommendation["abstained"]) == ("protocol", True)
    codes = [reason["code"] for reason in recommendation["reasons"]]
    assert codes == ["disqualifier:weapon", "unsupported:safety_risk"]


def test_processes_that_start_together_draw_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "holdback.key"
    first = HoldBack(path).key_name()
    monkeypatch.setattr(Path, "exists", lambda _: False)  # the other one looked before
    assert HoldBack(path).key_name() == first
    assert [file.name for file in tmp_path.iterdir()] == ["holdback.key"]
