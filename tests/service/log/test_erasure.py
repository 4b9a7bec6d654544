"""An erasure: on record, for good, beside a running service; and the log verifies after it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.service.log import Draft, verify
from model_service.service.log.erasure import erasable, erase
from model_service.service.log.keys import FileKeys, MasterKeys, RecordKeys, keys_beside
from model_service.service.log.place import Place
from model_service.service.log.reading import Reader
from model_service.service.log.store import LogUnavailable, Store, prepare
from model_service.service.postgres import PostgresURL
from model_service.service.views import AssessmentRecord
from tests.builders import a_call
from tests.harness import Service, assert_problem, running
from tests.stores import environment, execute, keys_of, open_store
from training.cli import cli

pytestmark = pytest.mark.both_stores

SAID = "the heron waits by the weir"
NOTE = "the kestrel was here before"
FOUND = "FOXGLOVE FOUND"


def run(service: Service, *arguments: str) -> Result:
    settings = service.settings
    return CliRunner(env=environment(settings.home, settings.log_path)).invoke(
        cli, ["log", *arguments]
    )


def a_closed_call(service: Service, number: int | str) -> dict[str, Any]:
    """Assess, decide and close a call, with words in each."""
    assessed: dict[str, Any] = service.assess(a_call(number, narrative=SAID)).json()
    path = f"/v1/assessments/{assessed['assessment_id']}/decision"
    decided = service.post(path, json={"action": "accept", "note": NOTE})
    outcome = {
        "call_id": f"C-{number}",
        "recorded_at": "2021-10-05T23:00:00-04:00",
        "final_call_type": FOUND,
    }
    learned = service.post(f"/v1/calls/C-{number}/outcome", json=outcome)
    assert (decided.status_code, learned.status_code) == (201, 201)
    return assessed


def record_of(service: Service, assessed: dict[str, Any]) -> dict[str, Any]:
    answer = service.get(f"/v1/assessments/{assessed['assessment_id']}", role="auditor")
    AssessmentRecord.model_validate_json(answer.content)
    record: dict[str, Any] = answer.json()
    return record


def whole(service: Service) -> bool:
    path = service.settings.log_path
    results = [verify(path, keys=keys) for keys in (None, keys_of(path))]
    assert results[0] == results[1], results
    return results[0].whole


def test_an_erased_call_says_so_and_the_others_stay(service: Service) -> None:
    gone, kept = a_closed_call(service, 1), a_closed_call(service, 2)
    before = record_of(service, gone)
    assert before["assessment"]["erased"] is None
    result = run(service, "erase", "--call", "C-1", "--reason", "court_order", "--by", "r.alvarez")
    assert result.output == "erased the text of 3 entries of 1 calls\n"
    record = record_of(service, gone)
    erased = record["assessment"]["erased"]
    assert (erased["reason"], erased["actor"]) == ("court_order", "r.alvarez")
    assert (record["call"], record["assessment"]["explanation"]) == (None, None)
    (decision,), outcome = record["decisions"], record["outcome"]
    assert (decision["note"], decision["erased"]) == (None, erased)
    assert (outcome["outcome"], outcome["erased"]) == (None, erased)
    assert decision["action"] == "accept"
    for name in ("prediction", "model", "plan", "log", "at"):
        assert record["assessment"][name] == before["assessment"][name]
    text = json.dumps(record)
    assert not any(words in text for words in (SAID, NOTE, FOUND, "Dorchester", "hallucinations"))
    other = record_of(service, kept)
    assert (other["call"]["narrative"], other["decisions"][0]["note"]) == (SAID, NOTE)
    assert whole(service)


def test_the_entry_of_an_erasure_names_what_went_and_holds_nothing_of_it(service: Service) -> None:
    a_closed_call(service, 1)
    run(service, "erase", "--call", "C-1", "--by", "r.alvarez")
    page = service.get("/v1/log?kind=erasure", role="auditor").json()["entries"]
    (entry,) = page
    assert (entry["actor"], entry["call_id"]) == ("r.alvarez", "C-1")
    of_call = [e.seq for e in service.log.read.page() if e.call_id == "C-1" and e.kind != "erasure"]
    assert len(entry["body"].pop("salt")) == 32
    assert entry["body"] == {"reason": "request", "rule": None, "entries": of_call}
    again = run(service, "erase", "--call", "C-1", "--by", "r.alvarez")
    assert again.output == "erased the text of 0 entries of 0 calls\n"
    assert len(service.get("/v1/log?kind=erasure", role="auditor").json()["entries"]) == 1


@pytest.mark.file_only
def test_nothing_that_remains_in_a_file_is_what_was_stored(service: Service) -> None:
    a_closed_call(service, 1)
    a_closed_call(service, 2)
    with service.log._store.reading() as connection:
        stored = connection.execute(
            "SELECT content FROM private JOIN entries USING (seq) WHERE call_id = 'C-1'"
        ).fetchall()
    home = service.settings.home
    files = [*home.glob("log.db*"), *home.glob("record-keys.db*")]
    assert all(any(text in file.read_bytes() for file in files) for (text,) in stored)
    service.erase("C-1")
    for (text,) in stored:
        assert not any(text[:32] in file.read_bytes() for file in files)


@pytest.mark.file_only
def test_a_copy_of_the_log_from_before_can_not_be_read(service: Service) -> None:
    a_closed_call(service, 1)
    home = service.settings.home
    copy = home / "copy"
    copy.mkdir()
    for file in home.glob("log.db*"):
        shutil.copy(file, copy)
    keys = FileKeys(home / "record-keys.db", MasterKeys(home / "keys" / "log.key"))
    store = Store(copy / "log.db", keys=keys)
    entry = store_entry(store, "C-1")
    assert Reader(store).private(entry)["call"]
    service.erase("C-1")
    with pytest.raises(ValueError, match="missing"):
        Reader(store).private(entry)
    store.close()
    found = verify(copy / "log.db", keys=keys).fault
    assert found is not None and (found.seq, found.what) == (
        entry.seq,
        "the key of its text is missing",
    )


def store_entry(store: Store, call_id: str) -> Any:
    return Reader(store).latest(call_id)


def test_once_its_record_is_written_an_erasure_is_finished_by_whoever_opens_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "log.db")
    (entry,) = store.write([prepare(Draft("outcome", "desk", {}, "C-1", private={"x": b"words"}))])

    def stops(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(RecordKeys, "destroy", stops)
    with pytest.raises(KeyboardInterrupt):
        erase(store, erasable(store), actor="auditor", reason="request")
    monkeypatch.undo()
    store.close()
    keys = keys_beside(tmp_path / "log.db")
    assert keys.get(entry.seq, entry.digest) is not None
    Store(tmp_path / "log.db").probe()
    assert keys.get(entry.seq, entry.digest) is None
    assert verify(tmp_path / "log.db", keys=keys).whole


@pytest.mark.file_only
def test_without_a_record_nothing_is_erased(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assessed = a_closed_call(service, 1)
    lock = apsw.Connection(str(service.settings.log_path))
    lock.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("model_service.service.erase_cli.PATIENCE_MS", 50)
    result = run(service, "erase", "--call", "C-1", "--by", "r.alvarez")
    lock.execute("ROLLBACK")
    lock.close()
    assert "try again" in str(result.exception)
    assert record_of(service, assessed)["call"]["narrative"] == SAID


@pytest.mark.file_only
def test_text_that_is_put_back_after_an_erasure_is_found(service: Service) -> None:
    a_closed_call(service, 1)
    path = service.settings.log_path
    rows = apsw.Connection(str(path)).execute("SELECT * FROM private").fetchall()
    service.erase("C-1")
    service.log.close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER private_append")
    connection.execute("INSERT INTO private VALUES (?, ?, ?, ?)", rows[0])
    connection.close()
    found = verify(path).fault
    assert found is not None
    assert (found.seq, found.what) == (rows[0][0], "its text was erased, and is there")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM erased WHERE seq = 1",
        "UPDATE erased SET seq = 2 WHERE seq = 1",
        "UPDATE erased SET by = 1 WHERE seq = 1",
        "INSERT INTO erased (seq, by) VALUES (2, 3)",
    ],
)
def test_a_note_of_an_erasure_that_was_changed_is_found(place: Place, statement: str) -> None:
    store = open_store(place)
    drafts = [Draft("outcome", "desk", {}, f"C-{n}", private={"x": b"words"}) for n in (1, 2)]
    store.write([prepare(draft) for draft in drafts])
    erase(store, erasable(store, call_id="C-1"), actor="auditor", reason="request")
    store.close()
    assert verify(place).whole
    execute(place, statement)
    found = verify(place).fault
    assert found is not None and "erasure" in found.what


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.binary(max_size=40)), min_size=1, max_size=12),
    st.lists(st.sampled_from("ABC"), max_size=4),
)
def test_whatever_is_erased_the_rest_is_there_and_the_chain_holds(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, bytes]],
    erasures: list[str],
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.db"
    store = Store(path)
    drafts = [
        Draft("outcome", "desk", {}, call, private={"x": text, "y": b""} if text else {})
        for call, text in entries
    ]
    written = store.write([prepare(draft) for draft in drafts])
    for call in erasures:
        erase(store, erasable(store, call_id=call), actor="auditor", reason="request")
    reader = Reader(store)
    for entry, draft in zip(written, drafts, strict=True):
        gone = draft.call_id in erasures
        assert reader.private(entry) == ({} if gone else draft.private)
        known = reader.erased(entry, reader.private(entry)) is not None
        assert known == (gone and bool(draft.private))
    store.close()
    assert verify(path, keys=keys_beside(path)).whole


def test_many_are_erased_in_several_entries(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_service.service.log.erasure.AT_ONCE", 4)
    store = open_store(place)
    drafts = [Draft("outcome", "d", {}, f"C-{n}", private={"x": b"words"}) for n in range(10)]
    store.write([prepare(draft) for draft in drafts])
    done = erase(store, erasable(store), actor="auditor", reason="other")
    assert (done.entries, done.calls, done.scrubbed) == (10, 10, True)
    sizes = [len(e.content()["entries"]) for e in Reader(store).page(kind="erasure")]
    assert sizes == [4, 4, 2]
    store.close()
    assert verify(place, keys=keys_of(place)).whole


def test_a_day_bounds_an_erasure_and_a_hold_keeps(service: Service) -> None:
    first, second = a_closed_call(service, 1), a_closed_call(service, 2)
    early = run(service, "erase", "--before", "2020-01-01", "--by", "r.alvarez")
    assert early.output.startswith("erased the text of 0 entries")
    late = run(service, "erase", "--before", "2090-01-01", "--hold", "C-2", "--by", "r.alvarez")
    assert late.output.startswith("erased the text of 3 entries of 1 calls")
    assert record_of(service, first)["call"] is None
    assert record_of(service, second)["call"]["narrative"] == SAID


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "r.alvarez"], "say what to erase"),
        (["--call", "C-1", "--before", "2021-01-01", "--by", "r.alvarez"], "say what to erase"),
        (["--call", "C-1", "--by", "Dr. Who?"], "a user's name"),
    ],
)
def test_what_is_not_clear_is_refused(service: Service, arguments: list[str], said: str) -> None:
    assert said in str(run(service, "erase", *arguments).exception)


def test_without_a_log_none_is_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["log", "erase", "--call", "C-1", "--by", "x", "--home", str(tmp_path)]
    )
    assert "nothing to erase" in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_an_erased_call_goes_out_in_no_export_and_no_document(service: Service) -> None:
    assessed = a_closed_call(service, 1)
    service.erase("C-1")
    out = service.settings.home / "export.jsonl"
    assert (
        run(service, "export", "--out", str(out), "--with-narratives", "--by", "x").exit_code == 0
    )
    row = orjson.loads(out.read_bytes())
    assert (row["call"], row["outcome"], row["decisions"][0]["note"]) == (None, None, None)
    problem = assert_problem(service.get(f"/v1/assessments/{assessed['assessment_id']}/eido"), 410)
    assert problem["title"] == "erased"


def test_a_note_on_a_switch_is_erased_too(service: Service) -> None:
    wanted = {"mode": "shadow", "note": NOTE}
    service.request("PUT", "/v1/mode", json=wanted, role="administrator")
    service.erase(reason="entered_by_mistake")
    switched = service.get("/v1/mode").json()["switched"]
    assert (switched["note"], switched["erased"]["reason"]) == (None, "entered_by_mistake")
    assert service.get("/v1/mode").json()["mode"] == "shadow"


def test_a_service_that_starts_after_an_erasure_goes_on(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    with running(tmp_path, log=log) as service:
        a_closed_call(service, 1)
        service.erase("C-1")
    (tmp_path / "accounts.db").unlink()
    with running(tmp_path, log=log) as service:
        assert service.assess(a_call(1, revision=2)).status_code == 201
        assert whole(service)


def test_entries_that_are_written_meanwhile_stay(service: Service) -> None:
    store = open_store(service.settings.log_path)
    a_closed_call(service, 1)
    found = erasable(store, call_id="C-1")
    later = service.assess(a_call(1, revision=2, narrative=SAID)).json()
    erase(store, found, actor="auditor", reason="request")
    store.close()
    assert record_of(service, later)["call"]["narrative"] == SAID
    assert service.get("/readyz").status_code == 200
    with pytest.raises(LogUnavailable), service.log._store.reading() as connection:
        connection.execute("DELETE FROM private")
    assert whole(service)
