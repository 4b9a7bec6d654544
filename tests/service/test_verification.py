"""Whether the log is whole, found out while the service runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from model_service.service.settings import Settings, load_settings
from model_service.service.verifying import Verifier, environment
from tests.builders import a_call
from tests.harness import OURS, Service, running


def verified(service: Service) -> str:
    """Ask for a verification as the page does, wait for its end, and give the page."""
    headers = {**OURS, "cookie": service.cookie("auditor")}
    answer = service.request("POST", "/verification", role=None, headers=headers)
    assert "Under way" in answer.text

    async def ended() -> None:
        while service.app.state.verifier.running is not None:
            await asyncio.sleep(0.05)

    service.run(ended())
    return service.get("/verification", role="auditor").text


def test_a_whole_log_is_found_whole_and_that_is_remembered(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        page = service.get("/verification", role="auditor").text
        assert "never verified" in page
        service.assess(a_call())
        page = verified(service)
        assert "Whole: every entry is as it was written." in page
        assert "entries, whole" in page
        assert "<dd>auditor</dd>" in page
        service.run(service.app.state.checkpoints.check(final=True))
        checkpoint = service.app.state.checkpoints.latest
        assert checkpoint.root in service.get("/verification", role="auditor").text
    last = Verifier(Settings(home=tmp_path)).last()
    assert last is not None
    assert (last.actor, last.result) == ("auditor", "whole")


def test_calls_are_taken_meanwhile_and_two_ask_for_one(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        headers = {**OURS, "cookie": service.cookie("auditor")}
        service.request("POST", "/verification", role=None, headers=headers)
        running_one = service.app.state.verifier.running
        service.request("POST", "/verification", role=None, headers=headers)
        assert service.app.state.verifier.running is running_one is not None
        assert service.assess(a_call()).status_code == 201
    assert Verifier(Settings(home=tmp_path)).last() is None  # it was given up at the end


def test_a_changed_entry_is_named(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.assess(a_call())
        connection = apsw.Connection(str(service.settings.log_path))
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET actor = 'nobody' WHERE kind = 'assessment'")
        connection.close()
        page = verified(service)
        assert "Not whole." in page
        assert "changed" in page


def test_what_can_not_be_found_out_is_not_said_to_be_whole(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.run(service.app.state.checkpoints.check(final=True))
        (tmp_path / "keys" / "checkpoint.pub").unlink()
        page = verified(service)
        assert "It could not be found out." in page
        assert "Whole:" not in page


def test_another_process_has_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRISISCALL_LOG", "/not/this")
    given = Settings(
        home=tmp_path,
        trusted_keys="0" * 64,  # type: ignore[arg-type]
        key_encryption_key="1" * 64,  # type: ignore[arg-type]
        shift_starts="06:00,14:00,22:00",  # type: ignore[arg-type]
        log=None,
    )
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CRISISCALL_LOG")
    read = load_settings()
    assert read == given.model_copy(update={"home": tmp_path.absolute()})
    assert "CRISISCALL_LOG" not in environment(given)
    assert os.environ["CRISISCALL_HOME"] == str(tmp_path)
