"""A thousand names and telephone numbers go through the service; no file and no output has any.

They are in narratives, notes, EIDO documents, outcomes and structured fields, and in requests that
are refused. They are found again where they should be: decrypted, by whoever may read them, until
they are erased.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw
import httpx
import pytest
from click.testing import CliRunner, Result

from model_service.service.log import verify
from model_service.service.log.keys import keys_beside
from model_service.service.routes.examples import EIDOS
from tests.builders import a_call
from tests.harness import Service, running
from tests.planted import COUNT, Person, Search, people
from training.cli import cli

AT_ONCE = 50
SEARCH = Search(people())


@dataclass
class Planted:
    """A service that has heard of everybody, and what it let out meanwhile."""

    service: Service
    out: Path
    kept: list[Person] = field(default_factory=list)
    """People in calls, notes and documents that were taken."""
    coded: list[Person] = field(default_factory=list)
    """People in fields that are meant for codes, which an export shows."""
    refused: list[Person] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)
    """Answers to whoever may read no call, and all refusals."""

    @property
    def home(self) -> Path:
        return self.service.settings.home

    def take(self, response: httpx.Response) -> httpx.Response:
        if response.status_code >= 400:
            self.told.append(response.content + str(response.headers).encode())
        return response

    def run(self, *arguments: str) -> Result:
        result = CliRunner().invoke(cli, ["log", *arguments, "--home", str(self.home)])
        self.told.append(result.output.encode() + str(result.exception or "").encode())
        return result


def decision(service: Service, number: int, note: str) -> Awaitable[httpx.Response]:
    entry = service.log.read.latest(f"C-{number}")
    assert entry is not None
    body = {"action": "accept", "note": note}
    return service.send("POST", f"/v1/assessments/{entry.assessment_id}/decision", json=body)


def an_eido(number: int, words: str) -> dict[str, Any]:
    document = copy.deepcopy(EIDOS["notes so far"])
    text = json.dumps(document).replace(document["$id"], f"{document['$id']}-{number}")
    document = json.loads(text)
    document["notesComponent"][0]["notesActionComments"] = words
    return document


def refusals(service: Service, person: Person) -> list[Awaitable[httpx.Response]]:
    """Requests that no route takes, with somebody in every place where there may be words."""
    words, send = person.words(), service.send
    path, text = "/v1/assessments", {"content-type": "application/json"}
    return [
        send("POST", path, json=a_call(1, narrative=[words])),
        send("POST", path, json={**a_call(1), words: 1}),
        send("POST", path, json=a_call(1, answers={words: words})),
        send("POST", path, json=a_call(1, language=words)),
        send("POST", path, content=f'{{"narrative": "{words}', headers=text),
        send("POST", path, content=words.encode("utf-16"), headers=text),
        send("POST", path, content=words, headers={"content-type": words}),
        send("POST", path, json=a_call(1), headers={"idempotency-key": words}),
        send("POST", path, json=a_call(1), headers={"authorization": f"Bearer {words}"}, role=None),
        send("POST", "/v1/eido", json={**an_eido(1, words), "$id": None}),
        send("GET", f"/v1/assessments/{quote(words)}"),
        send("GET", f"/v1/calls/{quote(words)}"),
        send("GET", f"/{quote(words)}"),
        send("GET", f"/v1/log?after={quote(words)}&kind={quote(words)}", role="auditor"),
        send("POST", "/v1/calls/C-1/outcome", json={"call_id": words, "recorded_at": words}),
        send("PUT", "/v1/mode", json={"mode": words, "note": [words]}, role="administrator"),
        send("POST", "/v1/assessments/x/decision", json={"action": words, "note": words}),
    ]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    home, out = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("out")
    with running(home, lockout_failures=10_000) as service:
        made = Planted(service, out)
        everybody = people()
        for start in range(0, COUNT, AT_ONCE):
            plant(made, everybody[start : start + AT_ONCE], start)
        some = made.refused[0].words()
        form = {"username": some, "password": some}
        made.take(service.post("/v1/token", data=form, role=None))
        fail_within(made, some)
        fail_without_a_record(made, some)
        service.request(
            "PUT", "/v1/mode", json={"mode": "shadow", "note": some}, role="administrator"
        )
        yield made


def plant(made: Planted, group: list[Person], start: int) -> None:
    """Send one request of each kind for each of some people."""
    service = made.service
    first, second = [], []
    for number, person in enumerate(group, start):
        words = f"{person.words()}, brother hearing voices"
        kind = number % 10
        call = a_call(number)
        if kind < 6:
            call["narrative"] = words
            made.kept.append(person)
        elif kind == 6:
            second.append((number, {"note": words}))
            made.kept.append(person)
        elif kind == 7:
            first.append(service.send("POST", "/v1/eido", json=an_eido(number, words)))
            made.kept.append(person)
            continue
        elif kind == 8:
            call |= {"call_type": words, "neighborhood": words, "premise_id": person.last}
            second.append((number, {"disposition": words}))
            made.coded.append(person)
        else:
            first.extend(refusals(service, person))
            made.refused.append(person)
            continue
        first.append(service.send("POST", "/v1/assessments", json=call))
    answers = [made.take(answer) for answer in service.gather(*first)]
    assert sum(answer.status_code == 201 for answer in answers) == 9 * len(group) // 10
    then = []
    for number, what in second:
        if "note" in what:
            then.append(decision(service, number, what["note"]))
        else:
            body = {"call_id": f"C-{number}", "recorded_at": "2021-10-05T23:00:00-04:00", **what}
            then.append(service.send("POST", f"/v1/calls/C-{number}/outcome", json=body))
    assert all(answer.status_code == 201 for answer in service.gather(*then))


def fail_within(made: Planted, words: str) -> None:
    """Make something fail inside with somebody in its message."""

    def breaks(*_: Any) -> Any:
        raise ValueError(f"can't do this for {words}")

    premises = made.service.app.state.assessor._premises
    premises.counts = breaks
    answer = made.take(made.service.assess(a_call("broken", narrative=words)))
    del premises.counts
    assert answer.status_code == 500


def fail_without_a_record(made: Planted, words: str) -> None:
    lock = apsw.Connection(str(made.service.settings.log_path))
    lock.execute("BEGIN IMMEDIATE")
    answer = made.take(made.service.assess(a_call("locked", narrative=words)))
    lock.execute("ROLLBACK")
    lock.close()
    assert answer.status_code == 503


def test_a_thousand_people_were_planted(planted: Planted) -> None:
    everybody = {*planted.kept, *planted.coded, *planted.refused}
    assert len(everybody) == len(people()) == COUNT
    assert all(len({getattr(p, part) for p in everybody}) == COUNT for part in Person._fields)
    assert SEARCH.found(" / ".join(p.words().upper() for p in everybody)) == everybody


def test_no_file_of_the_service_holds_any(planted: Planted) -> None:
    planted.service.request("GET", "/v1/log", role="auditor")
    assert SEARCH.in_files(planted.home) == {}


def test_no_log_line_and_no_refusal_holds_any(
    planted: Planted, capfd: pytest.CaptureFixture[str]
) -> None:
    output = planted.service.output.getvalue()
    assert output.count(b"\n") > COUNT
    assert SEARCH.found(output) == set()
    assert len(planted.told) > len(planted.refused) * 17
    assert SEARCH.found(b"\n".join(planted.told)) == set()
    assert SEARCH.found("".join(capfd.readouterr())) == set()


def test_who_may_read_no_call_is_told_of_nobody(planted: Planted) -> None:
    service = planted.service
    paths = ["/healthz", "/readyz", "/openapi.json", "/v1/model", "/v1/mode", "/metrics", "/"]
    read = service.log.read.latest("C-0")
    assert read is not None
    closed = [f"/v1/assessments/{read.assessment_id}", "/v1/calls/C-0"]
    for role in (None, "cad", "administrator"):
        for path in (*paths, *closed):
            answer = service.get(path, role=role)
            if path == "/v1/mode" and role is not None:
                continue  # a switch's note is for whoever signs in
            assert SEARCH.found(answer.content) == set(), (role, path)
            assert path not in closed or answer.status_code in (401, 403)


def test_the_pages_of_the_log_hold_nobody(planted: Planted) -> None:
    after, pages = 0, 0
    while after is not None:
        path = f"/v1/log?limit=1000&after={after}"
        page = planted.service.get(path, role="auditor")
        assert SEARCH.found(page.content) == set()
        after, pages = page.json()["next"], pages + 1
    assert pages >= 2


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_an_export_without_narratives_holds_nobody_but_in_the_fields_for_codes(
    planted: Planted, ending: str
) -> None:
    out = planted.out / f"plain.{ending}"
    assert planted.run("export", "--out", str(out)).exit_code == 0
    content = out.read_bytes()
    if ending == "parquet":  # compressed
        import pyarrow.parquet as pq

        content = repr(pq.read_table(out).to_pylist()).encode()
    assert SEARCH.found(content) == set(planted.coded)


def test_verbs_tell_of_nobody(planted: Planted) -> None:
    rules = planted.out / "rules.yaml"
    rules.write_text("rules: [{name: all, kinds: [assessment, decision, outcome], days: 1}]")
    verified = planted.run("verify")
    looked = planted.run("retain", "--rules", str(rules), "--dry-run")
    assert (verified.exit_code, looked.exit_code) == (0, 0)
    assert SEARCH.found(verified.output + looked.output) == set()


def test_erased_they_are_nowhere_for_anybody(planted: Planted) -> None:
    """Last: it erases everybody. The copy is one that somebody made before."""
    before, after = planted.out / "before.jsonl", planted.out / "after.jsonl"
    read = ("export", "--with-narratives", "--by", "r.alvarez", "--out")
    assert planted.run(*read, str(before)).exit_code == 0
    assert SEARCH.found(before.read_bytes()) == {*planted.kept, *planted.coded}
    copied = planted.out / "copy"
    copied.mkdir()
    for file in planted.home.glob("log.db*"):
        shutil.copy(file, copied)

    erased = planted.run("erase", "--before", "2090-01-01", "--by", "r.alvarez")
    # 900 assessments, 100 decisions, 100 outcomes, and the note on the switch
    assert erased.output == "erased the text of 1,101 entries of 900 calls\n"
    assert planted.run(*read, str(after)).exit_code == 0
    assert SEARCH.found(after.read_bytes()) == set()
    assert SEARCH.in_files(planted.home) == {}

    keys = keys_beside(planted.home / "log.db")
    connection = apsw.Connection(str(copied / "log.db"))
    rows = connection.execute("SELECT DISTINCT seq, digest FROM private JOIN entries USING (seq)")
    places = rows.fetchall()
    connection.close()
    assert len(places) == 1101
    assert not [place for place in places if keys.get(*place) is not None]  # type: ignore[arg-type]
    keys.close()
    assert SEARCH.in_files(copied) == {}
    assert verify(planted.home / "log.db", keys=keys_beside(planted.home / "log.db")).whole
