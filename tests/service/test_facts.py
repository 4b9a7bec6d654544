"""Facts and questions in the answer and on record; the same by every way to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from data.call import Call
from model_service.model.release import load_release
from model_service.service.views import AssessmentView
from tests.builders import a_call
from tests.harness import Service
from training.batch import score_file
from training.plan_words import explained

KNIFE = "brother hearing voices, not sleeping, he has a knife"
CALLS: list[dict[str, Any]] = [
    a_call("known"),
    a_call("open", narrative="brother hearing voices, not sleeping", answers={}),
    a_call("said", narrative=KNIFE, answers={}, neighborhood="Roxbury"),
    a_call("torn", narrative=KNIFE, answers={"weapon": "no"}),
    a_call("asked", answers={"weapon": "unknown"}, narrative="brother hearing voices, not"),
    a_call("hurt", answers={"injury": "yes"}, narrative="brother hearing voices, not sleeping"),
    a_call("empty", narrative="", answers={}),
    a_call("unknown", narrative="zzyzx qwfpgj", answers={}),
    a_call("spanish", language="es"),
    a_call("mixed", narrative="brother hay un hombre gritando en la calle, no se calma, voices"),
    {"call_id": "C-bare", "received_at": "2021-10-05T21:14:00-04:00"},
]


def test_the_answer_tells_what_is_known_by_what_and_what_to_ask(service: Service) -> None:
    answer = service.assess(a_call(narrative=KNIFE, answers={"hallucinations": "yes"})).json()
    AssessmentView.model_validate(answer)
    recommendation = answer["recommendation"]
    (hit,) = recommendation["disqualifiers"]
    assert (hit["code"], hit["evidence"]) == ("weapon", "narrative")
    (span,) = hit["spans"]
    assert (span["column"], span["polarity"]) == ("narrative", "said")
    assert "knife" in KNIFE[span["start"] : span["end"]]
    facts = {fact["code"]: fact for fact in recommendation["facts"]}
    assert facts["weapon"]["value"] == "yes" and facts["weapon"]["spans"] == [span]
    assert facts["fire"] == {
        **{"code": "fire", "value": "unknown", "answer": None},
        **{"spans": [], "contradictory": False},
    }
    reasons = {reason["code"]: reason["text"] for reason in recommendation["reasons"]}
    assert reasons["disqualifier:weapon"] == "possible weapon mentioned"


def test_the_question_is_asked_anew_at_each_revision(service: Service) -> None:
    call = a_call(narrative="brother hearing voices, not sleeping", answers={})
    first = service.assess(call).json()
    AssessmentView.model_validate(first)
    assert first["recommendation"]["awaiting"] == [{"response": "emt_clinician", "fact": "weapon"}]
    question = first["questions"][0]
    assert (question["question"], question["if_no"]["response"]) == ("weapon", "emt_clinician")
    second = service.assess({**call, "revision": 2, "answers": {"weapon": "no"}}).json()
    assert second["recommendation"]["response"] == "emt_clinician"
    assert second["recommendation"]["awaiting"] == []
    assert "weapon" not in [asked["question"] for asked in second["questions"]]


def test_the_chain_holds_neither_the_words_nor_what_is_known(service: Service) -> None:
    answer = service.assess(a_call(narrative=KNIFE, answers={})).json()
    entry = service.log.read.assessment(answer["assessment_id"])
    assert entry is not None
    body = entry.content()
    assert not {"facts", "awaiting", "reasons", "disqualifiers"} & body["recommendation"].keys()
    assert "questions" not in body
    lines = json.dumps(service.lines())
    for word in ("knife", "brother", "sleeping"):
        assert word not in entry.body
        assert word not in lines
    again = service.get(f"/v1/assessments/{answer['assessment_id']}").json()["assessment"]
    assert again == answer


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_what_is_withheld_withholds_the_questions_too(service: Service, mode: str) -> None:
    service.request("PUT", "/v1/mode", json={"mode": mode}, role="administrator")
    answer = service.assess(a_call(narrative=KNIFE, answers={})).json()
    AssessmentView.model_validate(answer)
    assert (answer["recommendation"], answer["questions"]) == (None, None)
    path = f"/v1/assessments/{answer['assessment_id']}"
    seen = service.get(path, role="auditor").json()["assessment"]
    assert (seen["questions"] is not None) == (mode == "shadow")


def test_service_batch_and_explanation_say_the_same(service: Service, tmp_path: Path) -> None:
    source, target = tmp_path / "calls.jsonl", tmp_path / "scored.jsonl"
    source.write_bytes(b"".join(orjson.dumps(call) + b"\n" for call in CALLS))
    folder = service.settings.home / "releases"
    folder = folder / (folder / "champion").read_text(encoding="ascii").strip()
    score_file(source, target, release=folder, jobs=1)
    release = load_release(folder, trusted=None)
    lines = [orjson.loads(line) for line in target.read_bytes().splitlines()]
    responses = set()
    for call, line in zip(CALLS, lines, strict=True):
        answer = service.assess(call).json()
        made = answer["recommendation"]
        codes = [reason["code"] for reason in made["reasons"]]
        assert line["recommendation"] == made["response"]
        assert line["abstained"] == made["abstained"]
        assert line["reasons"] == codes
        told = explained(release, release.plan, Call.model_validate_json(json.dumps(call)))
        assert f"5. recommendation    {made['name']} [{made['response']}]" in told
        for code in [*codes, *(asked["why"]["code"] for asked in answer["questions"])]:
            assert f"[{code}]" in told
        for asked in answer["questions"]:
            assert asked["text"] in told
        responses.add(made["response"])
    assert responses == {"emt_clinician", "police_clinician", "protocol"}
