from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_service.model.release import ReleaseError, write_release
from model_service.service.loading import resolve
from model_service.service.settings import load_settings
from tests.builders import (
    PUBLIC_KEY,
    a_call,
    make_champion,
    make_scorer,
    release_files,
)
from tests.harness import Service, assert_problem, running


def other_files(card: str = "# Another card\n") -> dict[str, bytes]:
    return release_files(make_scorer(bias=(2.0, 2.0)), card=card)


def test_a_new_champion_comes_into_force_while_calls_come_in(service: Service) -> None:
    before = service.assess(a_call(1)).json()
    folder = make_champion(service.settings.home, other_files())
    service.run(service.releases.check())
    after = service.assess(a_call(2)).json()
    assert after["model"]["release"] == folder.name != before["model"]["release"]
    assert after["prediction"]["safety_risk"] > before["prediction"]["safety_risk"]
    entries = service.log.read.page(kind="release")
    assert [entry.content()["model"]["release"] for entry in entries] == [
        before["model"]["release"],
        folder.name,
    ]
    # What was assessed by the earlier release stays as it was.
    record = service.get(f"/v1/assessments/{before['assessment_id']}").json()
    assert record["assessment"] == before


def test_it_is_looked_for_by_itself(tmp_path: Path) -> None:
    import asyncio

    with running(tmp_path, reload_seconds=0.02) as service:
        folder = make_champion(tmp_path, other_files())

        async def wait() -> None:
            while service.releases.current is None or service.releases.current.name != folder.name:
                await asyncio.sleep(0.01)

        service.run(asyncio.wait_for(wait(), 10))


def damage(folder: Path, how: str) -> None:
    if how == "changed weights":
        content = bytearray((folder / "weights.npz").read_bytes())
        content[40] ^= 1
        (folder / "weights.npz").write_bytes(content)
    elif how == "no card":
        (folder / "card.md").unlink()
    elif how == "cut manifest":
        (folder / "release.json").write_bytes((folder / "release.json").read_bytes()[:-9])
    elif how == "no signature":
        (folder / "signature.json").unlink()


@pytest.mark.parametrize("how", ["changed weights", "no card", "cut manifest", "no signature"])
def test_a_damaged_champion_does_not_take_the_place_of_a_good_one(
    service: Service, how: str
) -> None:
    before = service.releases.current
    damage(make_champion(service.settings.home, other_files()), how)
    service.run(service.releases.check())
    assert service.releases.current is before
    ready = service.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["warning"]
    assert str(service.settings.home) not in ready.text
    assert service.assess(a_call()).status_code == 201
    assert service.lines()[-3]["event"] == "release refused"


def test_a_champion_that_nobody_trusted_signed_is_refused(service: Service) -> None:
    store = service.settings.home / "releases"
    folder = write_release(store, other_files(), Ed25519PrivateKey.generate())
    (store / "champion").write_text(folder.name)
    service.run(service.releases.check())
    assert "not among the trusted" in str(service.releases.error)
    assert service.assess(a_call()).status_code == 201


@pytest.mark.parametrize("content", [b"", b"../../etc", b"a/b", b"x" * 300, b"\xff", b"nowhere"])
def test_a_pointer_to_nowhere_is_refused(service: Service, content: bytes) -> None:
    (service.settings.home / "releases" / "champion").write_bytes(content)
    service.run(service.releases.check())
    assert service.releases.error
    assert service.assess(a_call()).status_code == 201


def follow_protocol(response: Any) -> None:
    assert assert_problem(response, 503)["title"] == "follow protocol"


def test_without_a_release_the_service_stays_up_and_says_so(tmp_path: Path) -> None:
    with running(tmp_path, champion=False) as service:
        assert service.get("/healthz", role=None).status_code == 200
        ready = service.get("/readyz", role=None)
        follow_protocol(ready)
        assert "crisiscall train" in ready.json()["detail"]
        follow_protocol(service.assess(a_call()))
        follow_protocol(service.get("/v1/model"))
        assert service.log.read.page() == []
        make_champion(tmp_path)  # it heals by itself
        service.run(service.releases.check())
        assert service.get("/readyz", role=None).status_code == 200
        assert service.assess(a_call()).status_code == 201


def test_decisions_are_taken_while_the_model_is_down(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assessed = service.assess(a_call()).json()
    (tmp_path / "releases" / "champion").unlink()
    with_users = {"accounts": tmp_path / "accounts2.db"}
    with running(tmp_path, champion=False, **with_users) as service:
        follow_protocol(service.assess(a_call(2)))
        assert service.assess(a_call()).json() == assessed  # from the record
        path = f"/v1/assessments/{assessed['assessment_id']}/decision"
        override = {"action": "override", "response": "community", "reason": "other"}
        assert service.post(path, json=override).status_code == 201
        assert_problem(service.post(path, json={**override, "response": "nobody"}), 422)


def test_no_key_is_trusted_unless_it_is_named(tmp_path: Path) -> None:
    make_champion(tmp_path)
    (tmp_path / "keys" / "release.pub").unlink()
    with running(tmp_path, champion=False) as service:
        assert "no key is trusted" in str(service.releases.error)
    with running(
        tmp_path, champion=False, trusted_keys=(PUBLIC_KEY,), accounts=tmp_path / "other.db"
    ) as service:
        assert service.releases.error is None


def test_the_release_may_also_be_a_folder(tmp_path: Path) -> None:
    folder = make_champion(tmp_path)
    assert resolve(folder) == folder == resolve(tmp_path / "releases" / "champion")
    with pytest.raises(ReleaseError, match="crisiscall train"):
        resolve(tmp_path / "missing")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRISISCALL_TRUSTED_KEYS", f"{'a' * 64}, {'b' * 64}")
    monkeypatch.setenv("CRISISCALL_PORT", "9000")
    monkeypatch.setenv("CRISISCALL_HOME", "/srv/centre")
    settings = load_settings(port=None, host="::1")
    assert settings.trusted_keys == ("a" * 64, "b" * 64)
    assert (settings.host, settings.port) == ("::1", 9000)
    assert settings.log_path == Path("/srv/centre/log.db")


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("TRUSTED_KEYS", "no-key"), ("BUSY_TIMEOUT_MS", "5000")]
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    from data.errors import InputError

    monkeypatch.setenv(f"CRISISCALL_{name}", value)
    with pytest.raises(InputError, match=f"CRISISCALL_{name}") as error:
        load_settings()
    assert value not in str(error.value)
