from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_service.service.accounts import (
    AccountError,
    Accounts,
    AccountsUnavailable,
    Identity,
    LockedOut,
)
from tests.builders import CHEAP
from tests.clock import Clock
from tests.harness import Service, assert_problem


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock) -> Iterator[Accounts]:
    opened = Accounts(tmp_path / "accounts.db", hasher=CHEAP, clock=clock)
    yield opened
    opened.close()


def sign_in(accounts: Accounts, name: str, password: str) -> Identity | None:
    return asyncio.run(accounts.sign_in(name, password))


def test_a_password_lets_in_and_no_other_does(accounts: Accounts) -> None:
    password = accounts.add("desk", "dispatcher")
    assert len(password) == 20
    assert sign_in(accounts, "desk", password) == Identity("desk", "dispatcher")
    assert sign_in(accounts, "desk", password + "x") is None
    assert sign_in(accounts, "nobody", password) is None
    assert sign_in(accounts, "DESK", password) is None


def test_nothing_secret_can_be_read_from_the_file(accounts: Accounts, tmp_path: Path) -> None:
    password = accounts.add("desk", "dispatcher")
    token, _ = accounts.issue(Identity("desk", "dispatcher"))
    sign_in(accounts, "a password in the wrong field", "x")
    accounts.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"$argon2id$" in content
    for secret in (password, token, "a password in the wrong field"):
        assert secret.encode() not in content
    assert (tmp_path / "accounts.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "Desk", "a b", "-x", "x" * 65, "é", "a/b"])
def test_a_name_must_be_plain(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="lower-case"):
        accounts.add(name, "dispatcher")


def test_users_are_added_once_and_in_a_known_role(accounts: Accounts) -> None:
    accounts.add("desk", "dispatcher")
    with pytest.raises(AccountError, match="there already"):
        accounts.add("desk", "auditor")
    with pytest.raises(AccountError, match="no such role"):
        accounts.add("boss", "king")


@pytest.mark.parametrize("name", ["desk", "nobody"])
def test_five_failures_lock_a_name_for_a_while(accounts: Accounts, clock: Clock, name: str) -> None:
    password = accounts.add("desk", "dispatcher")
    for _ in range(5):
        assert sign_in(accounts, name, "wrong") is None
        clock.now += 60
    with pytest.raises(LockedOut) as locked:
        sign_in(accounts, name, password)
    assert locked.value.seconds == 10 * 60
    clock.now += 10 * 60 + 1
    assert sign_in(accounts, name, "wrong") is None  # the first failure has lapsed
    with pytest.raises(LockedOut):
        sign_in(accounts, name, "wrong")
    clock.now += 15 * 60 + 1
    found = sign_in(accounts, name, password)
    assert (found is not None) == (name == "desk")


def test_a_success_forgets_the_failures(accounts: Accounts) -> None:
    password = accounts.add("desk", "dispatcher")
    for _ in range(3):
        for _ in range(4):
            assert sign_in(accounts, "desk", "wrong") is None
        assert sign_in(accounts, "desk", password) is not None


def test_guesses_made_together_count_one_by_one(accounts: Accounts) -> None:
    accounts.add("desk", "dispatcher")

    async def guess() -> list[object]:
        return await asyncio.gather(
            *(accounts.sign_in("desk", f"guess {n}") for n in range(20)), return_exceptions=True
        )

    results = asyncio.run(guess())
    assert results[:5] == [None] * 5
    assert all(isinstance(result, LockedOut) for result in results[5:])


def test_a_token_lasts_a_shift(accounts: Accounts, clock: Clock) -> None:
    accounts.add("desk", "dispatcher")
    token, seconds = accounts.issue(Identity("desk", "dispatcher"))
    clock.now += seconds - 1
    assert accounts.identify(token) == Identity("desk", "dispatcher")
    clock.now += 1
    assert accounts.identify(token) is None


def test_who_is_disabled_is_out_within_seconds(
    accounts: Accounts, clock: Clock, tmp_path: Path
) -> None:
    password = accounts.add("desk", "dispatcher")
    token, _ = accounts.issue(Identity("desk", "dispatcher"))
    assert accounts.identify(token) is not None
    elsewhere = Accounts(tmp_path / "accounts.db", hasher=CHEAP, clock=clock)
    elsewhere.disable("desk")
    clock.now += 2.1
    assert accounts.identify(token) is None
    assert sign_in(accounts, "desk", password) is None
    again = elsewhere.reset("desk")
    elsewhere.close()
    assert sign_in(accounts, "desk", password) is None
    assert sign_in(accounts, "desk", again) is not None
    assert accounts.identify(token) is None  # old sessions stay ended


def test_a_revoked_token_is_worth_nothing_at_once(accounts: Accounts) -> None:
    accounts.add("desk", "dispatcher")
    token, _ = accounts.issue(Identity("desk", "dispatcher"))
    assert accounts.identify(token) is not None
    accounts.revoke(token)
    assert accounts.identify(token) is None


def test_the_list_says_who_is_locked_and_who_disabled(accounts: Accounts) -> None:
    for name in ("a", "b", "c"):
        accounts.add(name, "auditor")
    accounts.disable("a")
    for _ in range(5):
        sign_in(accounts, "b", "wrong")
    assert [(user.name, user.disabled, user.locked) for user in accounts.users()] == [
        ("a", True, False),
        ("b", False, True),
        ("c", False, False),
    ]
    with pytest.raises(AccountError, match="no such user"):
        accounts.disable("d")


def test_a_file_that_can_not_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "accounts.db").write_bytes(b"not a database" * 100)
    accounts = Accounts(tmp_path / "accounts.db", hasher=CHEAP)
    with pytest.raises(AccountsUnavailable):
        accounts.identify("token")
    (tmp_path / "accounts.db").unlink()
    assert accounts.identify("token") is None  # and heals by itself
    accounts.close()


def test_signing_in_over_http(service: Service) -> None:
    form = {"username": "dispatcher", "password": service.passwords["dispatcher"]}
    answer = service.post("/v1/token", data=form, role=None)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert answer.json()["expires_in"] == 12 * 3600
    head = {"authorization": f"Bearer {token}"}
    assert service.get("/v1/model", headers=head).status_code == 200
    (entry,) = service.log.read.page(kind="sign_in")
    assert (entry.actor, entry.content()["role"]) == ("dispatcher", "dispatcher")
    for secret in (token, form["password"]):
        assert secret not in service.output.getvalue().decode()


def test_failing_to_sign_in_over_http(service: Service) -> None:
    for name in ("dispatcher", "nobody"):
        form = {"username": name, "password": "wrong"}
        answers = [service.post("/v1/token", data=form, role=None) for _ in range(6)]
        for answer in answers[:5]:
            assert_problem(answer, 401)
        assert_problem(answers[5], 429)
        assert 0 < int(answers[5].headers["retry-after"]) <= 15 * 60
    assert service.log.read.page(kind="sign_in") == []


def test_a_password_is_not_read_from_json(service: Service) -> None:
    form = {"username": "dispatcher", "password": service.passwords["dispatcher"]}
    assert_problem(service.post("/v1/token", json=form, role=None), 415)
    assert_problem(service.post("/v1/token", params=form, role=None), 415)
