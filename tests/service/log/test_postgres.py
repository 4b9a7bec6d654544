"""The log on a server: who may do what, and which schema it must have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from model_service.service.log import Draft, LogUnavailable, verify
from model_service.service.log.erasure import erasable, erase
from model_service.service.log.keys import MasterKeys
from model_service.service.log.migrate import MigrationError, migrate
from model_service.service.log.postgres import REVISION, PostgresStore, wrong_guards
from model_service.service.log.server_keys import ServerKeys
from model_service.service.log.session import ServerError, Session
from model_service.service.log.store import prepare
from model_service.service.postgres import PostgresURL, PostgresURLError
from model_service.service.settings import SettingsError, load_settings
from tests.builders import a_call
from tests.harness import running
from tests.stores import ROLE, Server, keys_of, open_store
from training.cli import cli


def draft(number: int = 1) -> Draft:
    private = {"call": b"words"}
    about = {"call_id": f"C-{number}", "revision": 1, "assessment_id": f"A-{number}"}
    return Draft("assessment", "desk", {"n": number}, private=private, **about)  # type: ignore[arg-type]


@pytest.fixture
def url(postgres: Server) -> PostgresURL:
    """A log of two entries."""
    made = postgres.database()
    store = open_store(made)
    store.write([prepare(draft(1)), prepare(draft(2))])
    store.close()
    return made


@pytest.fixture
def role(url: PostgresURL) -> Iterator[Session]:
    """A session of the service's role."""
    session = Session(url, seconds=10)
    yield session
    session.close()


@pytest.fixture
def owner(url: PostgresURL, postgres: Server) -> Iterator[Session]:
    """A session of whom the tables belong to."""
    session = Session(postgres.owner(url), seconds=10)
    yield session
    session.close()


CHANGES = [
    "UPDATE entries SET actor = 'x' WHERE seq = 1",
    "DELETE FROM entries WHERE seq = 2",
    "TRUNCATE entries CASCADE",
    "UPDATE private SET content = ''",
    "TRUNCATE private",
    "INSERT INTO entries SELECT * FROM entries WHERE seq = 2"
    " ON CONFLICT (seq) DO UPDATE SET actor = 'x'",
]

BAD_ENTRIES = [
    "INSERT INTO entries SELECT 9, at, kind, NULL, NULL, NULL, actor, body, digest, digest"
    " FROM entries WHERE seq = 2",
    "INSERT INTO entries SELECT 3, at, kind, NULL, NULL, NULL, actor, body, previous, digest"
    " FROM entries WHERE seq = 2",
    "INSERT INTO entries SELECT 3, at, kind, call_id, revision, assessment_id, actor, body,"
    " digest, digest FROM entries WHERE seq = 2",
    "INSERT INTO entries SELECT * FROM entries WHERE seq = 2 ON CONFLICT DO NOTHING",
    "INSERT INTO private VALUES (1, 'more', '', '')",
    "INSERT INTO private VALUES (2, 'more', '', '')",
    "INSERT INTO private VALUES (3, 'more', '', '')",
]

OWNERS = [
    "ALTER TABLE entries DISABLE TRIGGER ALL",
    "DROP TRIGGER entries_no_change ON entries",
    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NEW; END'",
    "SET session_replication_role = replica",
    "UPDATE log_version SET version_num = '0000'",
    "SELECT * FROM entries FOR UPDATE",
]


@pytest.mark.parametrize("statement", [*CHANGES, *OWNERS])
def test_the_services_role_may_add_and_nothing_else(
    role: Session, url: PostgresURL, statement: str
) -> None:
    with pytest.raises(ServerError) as caught:
        role.run(statement)
    assert caught.value.code == "42501"
    assert verify(url).entries == 2


@pytest.mark.parametrize("statement", BAD_ENTRIES)
def test_what_does_not_follow_is_not_added(role: Session, url: PostgresURL, statement: str) -> None:
    with pytest.raises(ServerError) as caught:
        role.run(statement)
    assert caught.value.code in ("23000", "23505")
    assert verify(url).entries == 2


def test_a_table_of_the_same_name_deceives_no_guard(role: Session, url: PostgresURL) -> None:
    role.run("CREATE TEMP TABLE entries AS SELECT * FROM public.entries WHERE seq = 1")
    with pytest.raises(ServerError):
        role.run(
            "INSERT INTO public.entries SELECT 2, at, kind, NULL, NULL, NULL, actor, body, digest,"
            " digest FROM public.entries WHERE seq = 1"
        )
    assert verify(url).entries == 2


@pytest.mark.parametrize("statement", CHANGES)
def test_the_owner_is_stopped_by_the_guards(
    owner: Session, url: PostgresURL, statement: str
) -> None:
    with pytest.raises(ServerError) as caught:
        owner.run(statement)
    assert caught.value.code == "23000"
    assert verify(url).entries == 2


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER entries_no_change ON entries",
        "ALTER TABLE private DISABLE TRIGGER private_append",
        "ALTER TABLE entries DISABLE TRIGGER USER",
    ],
)
def test_without_a_guard_nothing_is_written_until_it_is_back(
    owner: Session, url: PostgresURL, postgres: Server, statement: str
) -> None:
    owner.run(statement)
    store = open_store(url)
    with pytest.raises(LogUnavailable, match="guard .* is gone: run `crisiscall log migrate`"):
        store.write([prepare(draft(3))])
    migrate(postgres.owner(url))
    assert store.write([prepare(draft(3))])[0].seq == 3
    store.close()


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("DROP TRIGGER entries_no_change ON entries", "trigger entries_no_change"),
        ("ALTER TABLE erased DISABLE TRIGGER erased_append", "trigger erased_append"),
        (
            "CREATE OR REPLACE TRIGGER entries_no_change BEFORE UPDATE ON entries"
            " FOR EACH ROW EXECUTE FUNCTION refuse()",
            "trigger entries_no_change",
        ),
        (
            "CREATE TRIGGER more BEFORE INSERT ON private FOR EACH ROW EXECUTE FUNCTION refuse()",
            "trigger more",
        ),
        ("CREATE RULE more AS ON DELETE TO entries DO INSTEAD NOTHING", "rule more"),
        (
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'",
            "function refuse",
        ),
        ("ALTER FUNCTION append_entry() SET search_path = elsewhere", "function append_entry"),
        ("ALTER FUNCTION lock_head() RESET ALL", "function lock_head"),
    ],
)
def test_a_guard_that_is_another_one_is_told_and_put_back(
    owner: Session, url: PostgresURL, postgres: Server, statement: str, wrong: str
) -> None:
    assert wrong_guards(owner) == ()
    owner.run(statement)
    assert wrong_guards(owner) == (wrong,)
    found = verify(url)
    assert (found.fault, found.beside) == (None, (f"the {wrong} is not as it should be",))
    migrate(postgres.owner(url))
    assert wrong_guards(owner) == (() if "more" not in wrong else (wrong,))


def test_a_role_that_may_change_the_log_is_refused(url: PostgresURL, postgres: Server) -> None:
    store = open_store(postgres.owner(url))
    with pytest.raises(LogUnavailable, match="may change the decision log"):
        store.probe()
    assert verify(postgres.owner(url)).entries == 2  # whoever may read may verify


def test_text_may_be_erased_only_by_a_role_that_was_told_so(
    url: PostgresURL, postgres: Server
) -> None:
    store = open_store(url)
    first = erase(store, erasable(store, call_id="C-1"), actor="auditor", reason="request")
    assert (first.entries, first.scrubbed) == (1, True)
    migrate(postgres.owner(url), grant_to=ROLE)
    with pytest.raises(LogUnavailable, match="the role may not"):
        erase(store, erasable(store), actor="auditor", reason="request")
    store.close()
    assert verify(url, keys=keys_of(url)).entries == 3


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM private WHERE seq = 2",
        "INSERT INTO erased (seq, by) VALUES (2, 1)",
        "INSERT INTO erased (seq, by) VALUES (2, 3)",
        "INSERT INTO erased (seq, by) VALUES (1, 3) ON CONFLICT (seq) DO NOTHING",
        "UPDATE erased SET by = 2",
        "DELETE FROM erased",
        "TRUNCATE erased",
    ],
)
def test_nothing_is_erased_without_its_entry(
    role: Session, owner: Session, url: PostgresURL, statement: str
) -> None:
    store = open_store(url)
    erase(store, erasable(store, call_id="C-1"), actor="auditor", reason="request")
    store.close()
    for session in (role, owner):
        with pytest.raises(ServerError) as caught:
            session.run(statement)
        assert caught.value.code in ("23000", "42501")
    assert verify(url, keys=keys_of(url)).whole


def test_no_file_of_the_server_holds_what_was_said(tmp_path: Path, postgres: Server) -> None:
    planted = ["Wilhelmina Quarrington", "617-555-0142", "the heron waits by the weir"]
    with running(tmp_path, log=postgres.database()) as service:
        said = f"{planted[0]} says: call me on {planted[1]}"
        assessed = service.assess(a_call(narrative=said)).json()
        path = f"/v1/assessments/{assessed['assessment_id']}/decision"
        assert service.post(path, json={"action": "accept", "note": planted[2]}).status_code == 201
        assert service.assess(a_call(narrative=said)).status_code == 200
    postgres.run("CHECKPOINT")
    files = [file for file in postgres.data.rglob("*") if file.is_file()]
    content = [file.read_bytes() for file in files]
    assert any(assessed["assessment_id"].encode() in found for found in content)
    for words in planted:
        assert not any(words.encode() in found for found in content)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE log_version", "no decision log is there yet: run `crisiscall log migrate`"),
        ("UPDATE log_version SET version_num = '0000'", "older: run `crisiscall log migrate`"),
        ("UPDATE log_version SET version_num = '9999'", "newer: update this crisiscall"),
    ],
)
def test_another_schema_is_refused(
    owner: Session, url: PostgresURL, statement: str, message: str
) -> None:
    owner.run(statement)
    store = open_store(url)
    with pytest.raises(LogUnavailable, match=message):
        store.probe()
    with pytest.raises(InputError, match=message):
        verify(url)


def test_a_migration_makes_everything_and_changes_nothing_twice(
    postgres: Server, tmp_path: Path
) -> None:
    made = postgres.database(template="template0")
    owner = postgres.owner(made)
    with pytest.raises(InputError, match="run `crisiscall log migrate`"):
        verify(owner)
    keys = postgres.owner(postgres.database(template="template0"))
    environment = {"CRISISCALL_LOG": str(owner), "CRISISCALL_RECORD_KEYS": str(keys)}
    for _ in range(2):
        arguments = ["log", "migrate", "--grant-to", ROLE]
        result = CliRunner(env=environment).invoke(cli, arguments)
        assert result.exit_code == 0, result.output
    masters = MasterKeys(tmp_path / "log.key")
    store = PostgresStore(made, ServerKeys(replace(keys, user=ROLE), masters))
    assert store.write([prepare(draft(1))])[0].seq == 1
    store.close()
    session = Session(owner, seconds=10)
    assert session.execute("SELECT version_num FROM log_version").fetchall() == [(REVISION,)]
    session.close()


def test_a_migration_that_fails_leaves_nothing(postgres: Server) -> None:
    owner = postgres.owner(postgres.database(template="template0"))
    with pytest.raises(MigrationError, match="no such role"):
        migrate(owner, grant_to="nobody'; --")
    with pytest.raises(InputError, match="run `crisiscall log migrate`"):
        verify(owner)


def test_a_newer_schema_is_not_migrated(owner: Session, url: PostgresURL, postgres: Server) -> None:
    owner.run("UPDATE log_version SET version_num = '9999'")
    with pytest.raises(MigrationError, match="newer: update this crisiscall"):
        migrate(postgres.owner(url))


def test_a_file_is_migrated_where_it_is_opened(tmp_path: Path) -> None:
    arguments = ["log", "migrate", "--home", str(tmp_path)]
    refused = CliRunner().invoke(cli, [*arguments, "--grant-to", "desk"])
    assert "is for PostgreSQL" in str(refused.exception)
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert verify(tmp_path / "log.db").entries == 0


def test_two_logs_of_one_server_have_nothing_to_do_with_each_other(
    url: PostgresURL, postgres: Server
) -> None:
    other = open_store(postgres.database())
    assert other.write([prepare(draft(1))])[0].seq == 1
    other.close()
    assert verify(url).entries == 2


# URLs

WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@given(user=WORDS, password=st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_a_password_is_read_and_never_shown(user: str, password: str) -> None:
    from urllib.parse import quote

    text = f"postgresql://{quote(user)}:{quote('pw~' + password, safe='')}@db.centre.example/log"
    url = PostgresURL.parse(text)
    assert (url.user, url.password, url.host) == (user, "pw~" + password, "db.centre.example")
    assert "pw~" not in str(url) + repr(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u@h.example/log", ("h.example", 5432, "verify-full")),
        ("postgresql://u@h.example:6000/log?sslmode=require", ("h.example", 6000, "require")),
        ("postgresql://u@localhost/log", ("localhost", 5432, "disable")),
        ("postgresql://u@[::1]:6000/log", ("::1", 6000, "disable")),
        ("postgresql://u@/log?host=/run/postgresql", ("/run/postgresql", 5432, "disable")),
    ],
)
def test_a_url_names_a_database(text: str, expected: tuple[str, int, str]) -> None:
    url = PostgresURL.parse(text)
    assert (url.host, url.port, url.tls) == expected
    assert (url.user, url.database) == ("u", "log")
    again = PostgresURL.parse(str(url))
    assert (again.host, again.port) == expected[:2]


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://",
        "postgresql://h.example/log",
        "postgresql://u:pw~@/log",
        "postgresql://u:pw~@h.example/",
        "postgresql://u:pw~@h.example:port/log",
        "postgresql://u:pw~@h.example/log?sslmode=prefer",
        "postgresql://u:pw~@h.example/log?options=-csynchronous_commit=off",
        "postgresql://u:pw~@[h.example/log",
    ],
)
def test_a_bad_url_is_one_line_without_its_password(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PostgresURLError) as caught:
        PostgresURL.parse(text)
    assert "pw~" not in str(caught.value)
    monkeypatch.setenv("CRISISCALL_LOG", text)
    with pytest.raises(SettingsError, match="CRISISCALL_LOG") as refused:
        load_settings()
    assert "pw~" not in str(refused.value) and "\n" not in str(refused.value)


def test_the_log_is_a_file_or_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRISISCALL_LOG", "postgresql://u:secret@h.example/log")
    monkeypatch.setenv("PGPASSWORD", "another")
    place = load_settings().log_path
    assert isinstance(place, PostgresURL) and place.password == "secret"
    assert "secret" not in repr(load_settings())
    monkeypatch.setenv("CRISISCALL_LOG", "/srv/centre/log.db")
    assert load_settings().log_path == Path("/srv/centre/log.db")
    assert PostgresURL.parse("postgresql://u@h.example/log").password == "another"


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    url = PostgresURL.parse(f"postgresql://u:secret@/log?host={tmp_path}")
    with pytest.raises(InputError, match=r"can't be read \(no connection\)") as caught:
        verify(url)
    assert "secret" not in str(caught.value)
    with pytest.raises(MigrationError, match="no connection"):
        migrate(url)
    with pytest.raises(LogUnavailable, match="no connection"):
        open_store(replace(url, host="127.0.0.1", port=1)).probe()
