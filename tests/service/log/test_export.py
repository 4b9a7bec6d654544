"""The log as rows: what is in them, what is left out, and that they are of one moment."""

from __future__ import annotations

import csv
import json
import stat
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from data.call import Call
from data.files import FORMULA, inert
from data.logged import FLAT, LoggedAssessment, flat
from model_service.service.holdback import HoldBack
from model_service.service.log import Draft, verify
from model_service.service.log.export import cells, export_rows
from model_service.service.log.filters import Filters
from model_service.service.log.place import Place
from model_service.service.log.reading import Reader, Snapshot
from model_service.service.log.snapshot import snapshot
from model_service.service.log.store import prepare
from model_service.service.postgres import PostgresURL
from tests import strategies
from tests.builders import a_call, make_champion, release_files
from tests.harness import Service, running
from tests.stores import database, environment, keys_of, open_store
from training.cli import cli

pytestmark = pytest.mark.both_stores

SHARE = 0.5
NOTE = "the heron waits by the weir"
COMMIT = {"action": "commit", "response": "emt_clinician"}
OVERRIDE = {"action": "override", "response": "protocol", "reason": "medical_first"}


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, store_kind: str, request: pytest.FixtureRequest
) -> Iterator[Service]:
    """A service that holds advice back on half of the calls, with a history to export."""
    home = tmp_path_factory.mktemp("home")
    files = release_files()
    plan = {**yaml.safe_load(files["plan.yaml"]), "hold_back": SHARE}
    make_champion(home, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})
    with running(home, champion=False, log=database(store_kind, request)) as started:
        shown, held = numbers(home, held=False), numbers(home, held=True)
        first = started.assess(a_call(call_id=next(shown))).json()
        decide(started, first, {"action": "accept"})
        decide(started, first, {**OVERRIDE, "note": NOTE}, role="supervisor")
        second = started.assess(a_call(call_id=next(held), neighborhood="=Roxbury")).json()
        grown = a_call(call_id=second["call_id"], revision=2, narrative=NOTE)
        decide(started, second, COMMIT)
        third = started.assess(grown).json()
        decide(started, third, {"action": "accept"})
        outcome = {
            "call_id": second["call_id"],
            "recorded_at": "2021-10-05T23:00:00-04:00",
            "clinician_finding": "crisis",
        }
        started.post(f"/v1/calls/{second['call_id']}/outcome", json=outcome, role="cad")
        started.request("PUT", "/v1/mode", json={"mode": "shadow"}, role="administrator")
        started.assess(a_call(call_id=next(shown)))
        fourth = started.assess({**a_call(call_id=first["call_id"]), "revision": 2}).json()
        decide(started, fourth, COMMIT)
        yield started


def numbers(home: Path, *, held: bool) -> Iterator[str]:
    holdback = HoldBack(home / "keys" / "holdback.key")
    names = (f"N-{number}" for number in range(1000))
    return (name for name in names if holdback.holds(name, SHARE) == held)


def decide(
    service: Service, assessed: dict[str, Any], decision: dict[str, Any], **more: Any
) -> None:
    path = f"/v1/assessments/{assessed['assessment_id']}/decision"
    assert service.post(path, json=decision, **more).status_code == 201


def export(service: Service, out: Path, *arguments: str) -> Result:
    settings = service.settings
    return CliRunner(env=environment(settings.home, settings.log_path)).invoke(
        cli, ["log", "export", "--out", str(out), *arguments]
    )


def exported(service: Service, folder: Path, *arguments: str) -> list[dict[str, Any]]:
    out = folder / "export.jsonl"
    result = export(service, out, *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_row_says_what_was_shown_drawn_and_decided(service: Service, tmp_path: Path) -> None:
    rows = exported(service, tmp_path)
    for row in rows:
        LoggedAssessment.model_validate_json(json.dumps(row))
    told = [
        (
            row["withheld"],
            row["hold_back"],
            row["drawn"],
            [(d["action"], d["advice_shown"], d["advised"]) for d in row["decisions"]],
        )
        for row in rows
    ]
    assert told == [
        (None, SHARE, False, [("accept", True, True), ("override", True, True)]),
        ("held_back", SHARE, True, [("commit", False, False)]),
        (None, SHARE, True, [("accept", True, True)]),  # shown, for the call was decided
        ("shadow", None, None, []),
        # Nothing of this revision was shown, but its caller's first one was.
        ("shadow", None, None, [("commit", False, True)]),
    ]
    override = rows[0]["decisions"][1]
    assert (override["reason"], override["actor"]) == ("medical_first", "supervisor")
    assert [row["first_decision"] for row in rows[1:3]] == [rows[1]["decisions"][0]["sequence"]] * 2
    assert rows[1]["outcome"]["clinician_finding"] == "crisis"
    assert rows[0]["recommendation"] == "emt_clinician"


def test_a_row_says_which_team_fitted_and_could_not_be_sent(tmp_path: Path) -> None:
    with running(tmp_path) as started:
        for place in ("Roxbury", "Mattapan"):
            call = a_call(
                call_id=place,
                neighborhood=place,
                answers={"violence": "yes"},
                received_at="2021-10-05T22:00:00-04:00",
            )
            started.assess(call)
        rows = exported(started, tmp_path)
    assert [row["recommendation"] for row in rows] == ["police_clinician", "protocol"]
    assert [row["unserved"] for row in rows] == [[], ["police_clinician:out_of_area"]]
    assert flat(rows[1])["unserved"] == "police_clinician:out_of_area"


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_narratives_and_notes_stay_out_unless_asked_for(
    service: Service, tmp_path: Path, ending: str
) -> None:
    before = len(service.log.read.page(kind="narratives_read"))
    out = tmp_path / f"export.{ending}"
    assert export(service, out).exit_code == 0
    text = pq.read_table(out).to_pylist() if ending == "parquet" else out.read_text()
    assert "voices" not in str(text) and NOTE not in str(text)
    assert len(service.log.read.page(kind="narratives_read")) == before


def test_taking_narratives_is_on_record(service: Service, tmp_path: Path) -> None:
    nobody = export(service, tmp_path / "export.jsonl", "--with-narratives")
    assert nobody.exit_code == 1 and "--by NAME" in str(nobody.exception)
    assert not list(tmp_path.iterdir())
    rows = exported(
        service, tmp_path, "--with-narratives", "--by", "r.alvarez", "--decision", "accept"
    )
    assert [row["call"]["narrative"] for row in rows] == [NOTE]
    entry = service.log.read.page(kind="narratives_read")[-1]
    assert entry.actor == "r.alvarez"
    body = entry.content()
    assert len(body.pop("salt")) == 32
    assert body == {"filters": "decision=accept", "format": "jsonl"}
    assert stat.S_IMODE((tmp_path / "export.jsonl").stat().st_mode) == 0o600
    assert verify(service.settings.log_path).whole


def test_the_service_goes_on_after_another_process_has_written(
    service: Service, tmp_path: Path
) -> None:
    exported(service, tmp_path, "--with-narratives", "--by", "r.alvarez")
    assert service.assess(a_call("after-export")).status_code == 201
    assert verify(service.settings.log_path).whole


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--decision", "override"], lambda row: row["decisions"][-1:] and row["drawn"] is False),
        (["--decision", "none"], lambda row: not row["decisions"]),
        (["--reason", "medical_first"], lambda row: len(row["decisions"]) == 2),
        (["--reason", "other"], lambda row: False),
        (["--actor", "supervisor"], lambda row: len(row["decisions"]) == 2),
        (["--neighborhood", "=Roxbury"], lambda row: row["call"]["neighborhood"] == "=Roxbury"),
        (["--recommendation", "protocol"], lambda row: row["recommendation"] == "protocol"),
        (
            ["--decision", "commit", "--decision", "none"],
            lambda row: not row["decisions"] or row["decisions"][-1]["action"] == "commit",
        ),
        (["--release", "no such"], lambda row: False),
        (["--since", "2100-01-01"], lambda row: False),
        (["--until", "2100-01-01"], lambda row: True),
    ],
)
def test_filters(service: Service, tmp_path: Path, arguments: list[str], wanted: Any) -> None:
    everything = exported(service, tmp_path)
    (tmp_path / "export.jsonl").unlink()
    some = exported(service, tmp_path, *arguments)
    assert [row["sequence"] for row in some] == [r["sequence"] for r in everything if wanted(r)]
    assert all(row["filters"] for row in some)


def test_a_release_is_named_by_name_or_digest(service: Service, tmp_path: Path) -> None:
    release = service.releases.current
    assert release is not None
    everything = exported(service, tmp_path)
    for number, name in enumerate((release.name, release.digest)):
        folder = tmp_path / str(number)
        assert len(exported(service, folder, "--release", name)) == len(everything)


def test_times_bound_an_export(service: Service, tmp_path: Path) -> None:
    rows = exported(service, tmp_path)
    between = datetime.fromisoformat(rows[2]["at"])
    with snapshot(service.settings.log_path) as connection:
        reader = Reader(Snapshot(connection, service.log._store.keys))
        later = list(export_rows(reader, Filters(since=between), narratives=False))
        earlier = list(export_rows(reader, Filters(until=between), narratives=False))
    assert [r["sequence"] for r in (*earlier, *later)] == [r["sequence"] for r in rows]
    assert all(row["at"] < rows[2]["at"] for row in earlier)


def test_every_format_holds_the_same(service: Service, tmp_path: Path) -> None:
    rows = [flat(row) for row in exported(service, tmp_path)]
    assert export(service, tmp_path / "export.csv").exit_code == 0
    assert export(service, tmp_path / "export.parquet").exit_code == 0
    with (tmp_path / "export.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    assert table[0] == list(FLAT)
    assert table[1:] == [cells(row) for row in rows]
    assert "'=Roxbury" in {row[table[0].index("neighborhood")] for row in table}
    columnar = pq.read_table(tmp_path / "export.parquet").to_pylist()
    for row, other in zip(rows, columnar, strict=True):
        for name, kind in FLAT.items():
            time = kind == "time" and row[name] is not None
            assert other[name] == (datetime.fromisoformat(row[name]) if time else row[name])


def test_nothing_is_written_over_and_nothing_half(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "export.csv"
    there.write_text("mine")
    assert "is there already" in str(export(service, there).exception)
    assert there.read_text() == "mine"

    def breaks(*_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        with snapshot(service.settings.log_path) as connection:
            reader = Reader(Snapshot(connection, service.log._store.keys))
            yield next(export_rows(reader, Filters(), narratives=False))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model_service.service.log.export.export_rows", breaks)
    for ending in ("jsonl", "csv", "parquet"):
        assert isinstance(export(service, tmp_path / f"new.{ending}").exception, OSError)
    assert [path.name for path in tmp_path.iterdir()] == ["export.csv"]


@pytest.mark.parametrize("name", ["export.txt", "export"])
def test_another_ending_is_refused(service: Service, tmp_path: Path, name: str) -> None:
    assert "must be .jsonl" in str(export(service, tmp_path / name).exception)


def test_without_a_log_none_is_made(tmp_path: Path) -> None:
    arguments = ["log", "export", "--out", str(tmp_path / "x.jsonl"), "--home", str(tmp_path)]
    for more in ([], ["--with-narratives", "--by", "desk"]):
        result = CliRunner().invoke(cli, [*arguments, *more])
        assert "can't be read" in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_call_that_was_erased_is_a_row_without_it(
    tmp_path: Path, log: PostgresURL | None
) -> None:
    with running(tmp_path, log=log) as service:
        service.assess(a_call())
        service.erase()
        (row,) = exported(service, tmp_path)
    assert row["call"] is None
    assert row["recommendation"] == "emt_clinician"


def test_an_export_is_of_one_moment_while_entries_arrive(place: Place) -> None:
    body = {
        "leads": True,
        "withheld": None,
        "hold_back": None,
        "prediction": None,
        "recommendation": None,
        "model": {"release": "r", "digest": "d"},
        "plan": {"plan": "p", "version": "1"},
    }

    def an_assessment(number: int) -> Any:
        call = Call.model_validate_json(json.dumps(a_call(number)))
        private = {"call": call.model_dump_json(exclude_none=True).encode()}
        draft = Draft("assessment", "cad", body, f"C-{number}", 1, f"A-{number}", private)
        return prepare(draft)

    store = open_store(place)
    store.write([an_assessment(number) for number in range(1, 1501)])
    stop, written = threading.Event(), 1500

    def go_on() -> None:
        nonlocal written
        while not stop.is_set():
            written += 1
            store.write([an_assessment(written)])

    writer = threading.Thread(target=go_on)
    with snapshot(place) as connection:
        reader = Reader(Snapshot(connection, keys_of(place)))
        rows = export_rows(reader, Filters(), narratives=False)
        first = next(rows)
        writer.start()
        while written < 1520:
            pass
        exported = [first, *rows]
        stop.set()
        writer.join()
    store.close()
    assert [row["sequence"] for row in exported] == list(range(1, 1501))
    assert verify(place).entries == written > 1500


@given(
    strategies.calls(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["", *FORMULA]),
)
def test_no_cell_of_a_csv_is_a_formula(call: Call, words: str, start: str) -> None:
    words = start + words
    row = {
        **dict.fromkeys(FLAT),
        **{name: words for name, kind in FLAT.items() if kind == "text"},
        "decisions": [{"note": words}],
        "prediction": None,
        "outcome": {"disposition": words, "weapon_found": True},
        "call": json.loads(call.model_dump_json(exclude_none=True)),
    }
    written = dict(zip(FLAT, cells(flat(row)), strict=True))
    for name, cell in written.items():
        if FLAT[name] != "number":
            assert not cell.startswith(FORMULA)
        elif cell:
            float(cell)  # a number and nothing else
    assert written["decision_note"] == inert(words)
    assert inert(words).removeprefix("'") == words or words.startswith("'")


def test_a_log_is_verified_from_the_command_line(
    tmp_path: Path, log: PostgresURL | None, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, log=log) as service:
        answer = service.assess(a_call()).json()["log"]
    for name, value in environment(tmp_path, place).items():
        monkeypatch.setenv(name, value)
    arguments = ["log", "verify"]
    expect = f"{answer['sequence']}:{answer['digest']}"
    whole = CliRunner().invoke(cli, [*arguments, "--expect", expect])
    assert whole.exit_code == 0 and "whole" in whole.output
    other = CliRunner().invoke(cli, [*arguments, "--expect", expect[:-64] + "0" * 64])
    assert other.exit_code == 1
    assert f"entry {answer['sequence']}: not the entry that was expected" in other.output
    assert "SEQUENCE:DIGEST" in str(
        CliRunner().invoke(cli, [*arguments, "--expect", "12"]).exception
    )
