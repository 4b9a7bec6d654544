"""What the service knows of premises: only if asked, only of the log, the same after a restart."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.call import Call, Outcome
from data.frame import to_frame
from data.history import history_frame
from data.labelling import from_outcomes
from model_service.model.scorer import HistoryTable, Scorer
from model_service.service.log.place import Place
from model_service.service.postgres import PostgresURL
from model_service.service.premises import Premises, is_crisis
from model_service.service.views import HISTORY, AssessmentRecord
from tests.builders import a_call, make_champion, make_scorer, release_files
from tests.harness import Service, running
from tests.stores import execute

pytestmark = pytest.mark.both_stores

START = datetime(2021, 10, 5, 12, tzinfo=UTC)

TABLE = HistoryTable(
    windows=(7, 30),
    crises={"clinician_finding": ("crisis",), "final_call_type": ("PSYCH",)},
    weights=((0.1, 0.0), (0.2, 0.1), (0.9, 0.1), (0.4, 0.0)),
    none=(-0.3, 0.1),
    means=((0.05, 0.0),) * 4,
    none_mean=(0.0, 0.0),
)


def with_past() -> Scorer:
    return replace(make_scorer(), history=TABLE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_champion(tmp_path, release_files(with_past()))
    return tmp_path


Serving = Callable[[], contextlib.AbstractContextManager[Service]]


@pytest.fixture
def serving(home: Path, log: PostgresURL | None) -> Serving:
    """Starts a service on what an earlier one left in its home; its users are made anew."""

    def start() -> contextlib.AbstractContextManager[Service]:
        (home / "accounts.db").unlink(missing_ok=True)
        return running(home, champion=False, log=log)

    return start


@pytest.fixture
def past(serving: Serving) -> Iterator[Service]:
    with serving() as started:
        yield started


def call(number: int, day: float, premise: str | None = "P1", **more: Any) -> dict[str, Any]:
    made = a_call(number, received_at=(START + timedelta(days=day)).isoformat(), **more)
    return made if premise is None else {**made, "premise_id": premise}


def outcome(day: float, **more: Any) -> dict[str, Any]:
    at = START + timedelta(days=day)
    return {"recorded_at": at.isoformat(), "clinician_finding": "crisis", **more}


def known(service: Service, made: dict[str, Any]) -> list[int] | None:
    """Assess a call; returns the counts that its record holds."""
    answer = service.assess(made)
    assert answer.status_code == 201, answer.text
    record = service.get(f"/v1/assessments/{answer.json()['assessment_id']}").json()
    AssessmentRecord.model_validate_json(json.dumps(record))
    history = record["history"]
    return None if history is None else [history[name] for name in TABLE.columns]


def learn(service: Service, number: int, told: dict[str, Any]) -> None:
    told = {"call_id": f"C-{number}", **told}
    assert service.post(f"/v1/calls/C-{number}/outcome", json=told).status_code == 201


def test_calls_and_outcomes_count_as_they_come_in(past: Service) -> None:
    assert known(past, call(1, 0)) == [0, 0, 0, 0]
    assert known(past, call(2, 1)) == [1, 1, 0, 0]
    assert known(past, call(3, 1, "P2")) == [0, 0, 0, 0]
    assert known(past, call(4, 1, None)) is None
    learn(past, 1, outcome(1.5))
    assert known(past, call(5, 1.2)) == [2, 2, 0, 0]  # not known yet at its time
    assert known(past, call(6, 2)) == [3, 3, 1, 1]
    assert known(past, call(7, 10)) == [0, 4, 0, 1]
    learn(past, 1, outcome(11, clinician_finding="no_crisis"))
    assert known(past, call(8, 12)) == [1, 5, 0, 0]


def test_a_further_revision_is_no_further_call(past: Service) -> None:
    assert known(past, call(1, 0)) == [0, 0, 0, 0]
    assert known(past, call(1, 0, revision=2)) == [0, 0, 0, 0]
    assert known(past, call(2, 1)) == [1, 1, 0, 0]


def test_a_restart_gives_the_same_counts(serving: Serving) -> None:
    def scene(service: Service) -> None:
        known(service, call(1, 0))
        known(service, call(2, 1))
        learn(service, 1, outcome(1.5))
        learn(service, 2, outcome(1.7, clinician_finding=None, final_call_type="PSYCH"))

    def asked(service: Service, first: int) -> list[list[int] | None]:
        premises: Premises = service.app.state.assessor._premises
        days = (1.2, 1.6, 3, 8, 20)
        return [
            premises.counts(TABLE, Call.model_validate_json(json.dumps(call(first + i, day))))  # type: ignore[misc]
            for i, day in enumerate(days)
        ]

    with serving() as service:
        scene(service)
        assert known(service, call(3, 3)) == [2, 2, 2, 2]
        before = asked(service, 10)
    with serving() as service:
        assert asked(service, 20) == before
        assert known(service, call(4, 3.5)) == [3, 3, 2, 2]


def test_the_record_replays_to_the_last_bit(past: Service) -> None:
    known(past, call(1, 0))
    learn(past, 1, outcome(0.5))
    for made in (call(2, 1), call(3, 1, None)):
        answer = past.assess(made).json()
        entry = past.log.read.assessment(answer["assessment_id"])
        assert entry is not None
        kept = json.loads(past.log.read.private(entry)[HISTORY])
        counts = None if kept is None else tuple(kept[name] for name in TABLE.columns)
        again = with_past().score(Call.model_validate_json(json.dumps(made)), counts)
        assert tuple(answer["prediction"].values()) == tuple(again.prediction)
    assert kept is None


def test_the_counts_stand_apart_from_the_chain(past: Service) -> None:
    known(past, call(1, 0))
    answer = past.assess(call(2, 1)).json()
    entry = past.log.read.assessment(answer["assessment_id"])
    assert entry is not None
    assert "history_calls" not in entry.body
    assert HISTORY in entry.content()["private"]  # its salted digest alone
    fields = {field["field"]: field["value"] for field in answer["explanation"]["fields"]}
    assert fields["history_calls_7d"] == "1"


def test_without_history_in_the_release_nothing_is_kept(service: Service) -> None:
    assert known(service, call(1, 0)) is None
    entry = service.log.read.page(kind="assessment")[0]
    assert HISTORY not in entry.content()["private"]
    premises: Premises = service.app.state.assessor._premises
    assert premises._history is None


def test_a_release_that_asks_for_it_finds_what_came_before(service: Service) -> None:
    assert known(service, call(1, 0)) is None
    learn(service, 1, outcome(0.5))
    make_champion(service.settings.home, release_files(with_past()))
    service.run(service.releases.check())
    assert known(service, call(2, 1)) == [1, 1, 1, 1]
    make_champion(service.settings.home, release_files(card="# Another card\n"))
    service.run(service.releases.check())
    assert known(service, call(3, 2)) is None
    assert service.app.state.assessor._premises._history is None


def test_what_was_erased_does_not_count_after_a_restart(serving: Serving, place: Place) -> None:
    with serving() as service:
        known(service, call(1, 0))
        known(service, call(2, 1))
        service.erase("C-1")
    with serving() as service:
        assert known(service, call(3, 2)) == [1, 1, 0, 0]


def test_what_was_erased_does_not_count_from_the_next_call_on(past: Service) -> None:
    known(past, call(1, 0))
    known(past, call(2, 1))
    learn(past, 1, outcome(1.5))
    learn(past, 2, outcome(1.6))
    assert known(past, call(3, 2)) == [2, 2, 2, 2]
    past.erase("C-1")
    assert known(past, call(4, 2.1)) == [2, 2, 1, 1]
    past.erase("C-2")
    assert known(past, call(5, 2.2)) == [2, 2, 0, 0]


def test_what_is_left_of_a_call_of_which_some_was_erased_still_counts(serving: Serving) -> None:
    with serving() as service:
        known(service, call(1, 0))
        learn(service, 1, outcome(1.5))
        known(service, call(2, 2))
        service.erase("C-1", kinds=["outcome"])
        running_on = known(service, call(3, 3))
    with serving() as service:
        assert known(service, call(4, 3)) == running_on == [2, 2, 0, 0]


def test_a_damaged_record_is_left_out_and_told(serving: Serving, place: Place) -> None:
    with serving() as service:
        known(service, call(1, 0))
        known(service, call(2, 1))
    execute(
        place,
        "UPDATE private SET content = x'7b7d' WHERE name = 'call'"
        " AND seq = (SELECT min(seq) FROM private)",
    )
    with serving() as service:
        assert known(service, call(3, 2)) == [1, 1, 0, 0]
        assert any("left out of the history" in line["event"] for line in service.lines())


def test_serving_counts_what_training_counts(past: Service) -> None:
    """The same calls and outcomes as a data set, in the order in which they came in."""
    days = [0, 0.5, 1, 1, 3, 6, 7, 7.5, 12, 20, 31, 40]
    calls, outcomes, served = [], [], []
    for number, day in enumerate(days):
        made = call(number, day, [None, "P1", "P1", "P2"][number % 4])
        served.append(known(past, made))
        calls.append(Call.model_validate_json(json.dumps(made)))
        if number % 3:
            told = outcome(day + 0.2, clinician_finding=["crisis", "no_crisis"][number % 2])
            learn(past, number, told)
            outcomes.append({"call_id": f"C-{number}", **told})
    import pandas as pd

    from data.dataset import OUTCOME_DTYPES

    frame = to_frame(calls)
    told_frame = pd.DataFrame(outcomes)
    told_frame["recorded_at"] = pd.to_datetime(told_frame["recorded_at"], utc=True)
    told_frame = told_frame.reindex(columns=list(OUTCOME_DTYPES)).astype(OUTCOME_DTYPES)
    labels = from_outcomes(told_frame, frame.set_index("call_id")["received_at"])
    trained = history_frame(frame, labels, windows=TABLE.windows)
    for row, counts in zip(trained.to_numpy(), served, strict=True):
        assert (counts is None and all(row != row)) or list(row) == counts


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"clinician_finding": "crisis", "final_call_type": "NOISE"}, True),
        ({"clinician_finding": "no_crisis", "final_call_type": "PSYCH"}, False),
        ({"final_call_type": "PSYCH"}, True),
        ({"final_call_type": "NOISE"}, False),
        ({"disposition": "PSYCH"}, None),
        ({}, None),
    ],
)
def test_an_outcome_is_a_crisis_by_what_the_release_says(
    told: dict[str, Any], expected: bool | None
) -> None:
    made = Outcome(call_id="a", recorded_at=START, **told)
    assert is_crisis(made, TABLE.crises) is expected
