"""The decision log as a source of calls: as they were known then, and nothing that leaks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.dataset import Dataset
from data.errors import InputError
from data.known import LeakError
from data.labels import SOURCES, resolve
from data.quality import check
from data.sources.log import read_log
from data.splits import temporal_split

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SECRET = "the heron waits by the weir"
WORDS = "caller says her brother hears voices and will not come out of his room"


def decision(sequence: int, **more: Any) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "at": (START + timedelta(minutes=sequence)).isoformat(),
        "actor": "desk",
        "action": "commit",
        "response": "emt_clinician",
        "reason": None,
        "note": None,
        "advice_shown": False,
        "advised": False,
        "time_to_decide_ms": 900,
        **more,
    }


ADVISED = {"action": "accept", "advice_shown": True, "advised": True}


def row(call_id: str, sequence: int, revision: int = 1, **more: Any) -> dict[str, Any]:
    """Make a row of an export; held back unless told otherwise."""
    call = {
        "call_id": call_id,
        "received_at": START.isoformat(),
        "revision": revision,
        "narrative": f"{WORDS}, revision {revision}",
        **more.pop("call", {}),
    }
    made = {
        "sequence": sequence,
        "digest": "d" * 64,
        "at": (START + timedelta(minutes=sequence)).isoformat(),
        "actor": "cad",
        "assessment_id": f"A-{sequence}",
        "call_id": call_id,
        "revision": revision,
        "leads": True,
        "mode": "advisory",
        "withheld": "held_back",
        "hold_back": 0.1,
        "drawn": True,
        "release": "spring",
        "release_digest": "r" * 64,
        "plan": "boston",
        "plan_version": "1",
        "prediction": {"mental_health_crisis": 0.8, "safety_risk": 0.1},
        "recommendation": "emt_clinician",
        "abstained": False,
        "narratives": True,
        "call": call,
        "decisions": [],
        "outcome": None,
        "filters": "",
        **more,
    }
    made.setdefault("first_decision", min((d["sequence"] for d in made["decisions"]), default=None))
    return made


SHOWN = {"withheld": None, "drawn": False}


def read(folder: Path, *rows: dict[str, Any], **options: Any) -> Dataset:
    path = folder / "export.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return read_log(path, **options)


def outcome(call_id: str, **more: Any) -> dict[str, Any]:
    at = (START + timedelta(hours=2)).isoformat()
    return {"call_id": call_id, "recorded_at": at, "clinician_finding": "crisis", **more}


def levels(dataset: Dataset) -> dict[str, str]:
    return {finding.code: finding.level for finding in check(dataset).findings}


# --- the join -------------------------------------------------------------------------------------


def test_a_call_is_taken_as_it_was_before_its_first_decision(tmp_path: Path) -> None:
    rows = [
        row("a", 1, 1, first_decision=4),
        row("a", 3, 2, decisions=[decision(4)]),
        row("a", 5, 3, first_decision=4, call={"narrative": "medics: gone on arrival"}, **SHOWN),
        row("b", 2, 1),
        row("b", 6, 2),
    ]
    dataset = read(tmp_path, *rows)
    taken = dataset.calls.set_index("call_id")
    assert taken["revision"].to_dict() == {"a": 2, "b": 2}
    assert taken.loc["a", "narrative"] == f"{WORDS}, revision 2"
    first = read(tmp_path, *rows, revision="first").calls.set_index("call_id")
    assert first["revision"].to_dict() == {"a": 1, "b": 1}


def test_what_was_not_known_before_the_decision_is_rejected_with_the_reason(tmp_path: Path) -> None:
    erased = {**row("b", 3), "call": None}
    late = row("a", 5, 2, first_decision=4, **SHOWN)
    dataset = read(tmp_path, late, erased, row("c", 6))
    assert dataset.calls["call_id"].tolist() == ["c"]
    assert dataset.rejected is not None
    assert dict(zip(dataset.rejected["row"], dataset.rejected["reason"], strict=True)) == {
        1: "no revision from before the decision",
        2: "the call was erased",
    }


def test_outcomes_are_labels_and_decisions_are_not(tmp_path: Path) -> None:
    rows = (
        row("a", 1, decisions=[decision(2)]),
        row("b", 3, decisions=[decision(4, **ADVISED)], **SHOWN),
        row("c", 5, outcome=outcome("c")),
    )
    dataset = read(tmp_path, *rows)
    assert dataset.labels is not None and dataset.assessed is not None
    assert dataset.labels[["call_id", "source"]].to_numpy().tolist() == [["c", "clinician_finding"]]
    assert dataset.labels["as_of"].tolist() == [pd.Timestamp(START + timedelta(hours=2))]
    assert dataset.assessed["advised"].tolist() == [False, True, pd.NA]
    assert dataset.assessed["response"].tolist()[:2] == ["emt_clinician"] * 2


def test_only_decisions_before_advice_become_labels_on_demand(tmp_path: Path) -> None:
    off = {"mode": "off", "withheld": "off", "hold_back": None, "drawn": None}
    shadow = {"mode": "shadow", "withheld": "shadow", "hold_back": None, "drawn": None}
    rows = (
        row("held", 1, decisions=[decision(2), decision(3, **ADVISED)]),
        row("shown", 4, decisions=[decision(5, **ADVISED)], **SHOWN),
        row("off", 6, decisions=[decision(7, response="police_clinician")], **off),
        row("shadow", 8, decisions=[decision(9)], **shadow),
        row("protocol", 10, decisions=[decision(11, response="protocol")], **shadow),
    )
    dataset = read(tmp_path, *rows, decisions="before_advice")
    assert dataset.labels is not None
    labels = dataset.labels
    assert labels["call_id"].tolist() == ["held", "shadow", "off"]
    assert set(labels["source"]) == {"decision_unadvised"}
    assert set(labels["target"]) == {"mental_health_crisis"}  # a choice says nothing of safety
    assert labels["confidence"].tolist() == [0.6] * 3
    assert labels["as_of"].tolist()[0] == pd.Timestamp(START + timedelta(minutes=2))
    swayed = resolve(labels, pd.Series(["shown", "protocol"]), sources=SOURCES)
    assert swayed.isna().all(axis=None)  # not even where every source counts
    assert "label_after_advice" not in levels(dataset)


def test_what_a_choice_says_is_the_mappings_to_say(tmp_path: Path) -> None:
    mapping = tmp_path / "ours.yaml"
    mapping.write_text(
        "standard_labels: false\n"
        "labels: [{target: safety_risk, source: disposition, confidence: 0.7,\n"
        "          positive: {disposition: [ARREST]}}]\n"
        "decisions: {confidence: 0.4, meanings: {emt_clinician: {safety_risk: false}}}\n"
    )
    learned = outcome("a", disposition="ARREST")
    held = row("a", 1, decisions=[decision(2)], outcome=learned)
    dataset = read(tmp_path, held, mapping=mapping, decisions="before_advice")
    assert dataset.labels is not None
    told = dataset.labels[["target", "value", "source", "confidence"]].to_numpy().tolist()
    assert told == [
        ["safety_risk", True, "disposition", 0.7],
        ["safety_risk", False, "decision_unadvised", 0.4],
    ]
    mapping.write_text("decisions: {meanings: {emt_clinician: {shoe_size: true}}}\n")
    with pytest.raises(InputError, match="shoe_size"):
        read(tmp_path, held, mapping=mapping)


def test_the_chance_of_a_decision_without_advice(tmp_path: Path) -> None:
    shadow = {"mode": "shadow", "withheld": "shadow", "hold_back": None, "drawn": None}
    everyone = {"hold_back": None, "drawn": None, "withheld": None}
    dataset = read(
        tmp_path,
        row("drawn", 1, decisions=[decision(2)]),
        row("not", 3, decisions=[decision(4, **ADVISED)], **SHOWN),
        row("shadow", 5, **shadow),
        row("everyone", 6, **everyone),
        row("mixed", 7, 1, **SHOWN, first_decision=9),
        row("mixed", 8, 2, decisions=[decision(9, advised=True)], **shadow),
        # The revision that was shown is not in this export; only the decision tells.
        row("cut", 11, 2, decisions=[decision(12, advised=True)], **shadow),
    )
    assert dataset.assessed is not None
    chances = dataset.assessed.set_index("call_id")["chance_unadvised"]
    assert chances.dropna().to_dict() == {"drawn": 0.1, "not": 0.1, "shadow": 1.0, "everyone": 0.0}
    assert set(chances.index[chances.isna()]) == {"mixed", "cut"}


def test_it_is_written_and_read_like_any_folder(tmp_path: Path) -> None:
    dataset = read(tmp_path, row("a", 1, decisions=[decision(2)], outcome=outcome("a")))
    dataset.write(tmp_path / "folder")
    again = Dataset.read(tmp_path / "folder")
    pd.testing.assert_frame_equal(again.assessed, dataset.assessed)
    assert again.manifest["decision_meanings"]["emt_clinician"] == {"mental_health_crisis": True}


# --- planted leaks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["disposition", "clinician_finding", "safety_risk", "outcome", "response", "advised"]
)
def test_an_outcome_within_the_call_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LeakError, match=f"line 2: {name} within the call") as caught:
        read(tmp_path, row("a", 1), row("b", 2, call={name: SECRET}))
    assert SECRET not in str(caught.value)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "advice that was shown": {**SHOWN, "decisions": [decision(2)]},
    "an acceptance of nothing": {"decisions": [decision(2, action="accept")]},
    "shown and not advised": {"decisions": [decision(2, action="accept", advice_shown=True)]},
    "decided before assessed": {"decisions": [decision(1)]},
    "decided before the first decision": {"decisions": [decision(2)], "first_decision": 3},
    "decided, but never first": {"decisions": [decision(2)], "first_decision": None},
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_decision_after_advice_can_not_pass_for_one_before(tmp_path: Path, what: str) -> None:
    with pytest.raises(LeakError):
        read(tmp_path, row("a", 1, **CONTRADICTIONS[what]), decisions="before_advice")


def test_advice_on_an_earlier_revision_counts_as_seen(tmp_path: Path) -> None:
    shadow = {"mode": "shadow", "withheld": "shadow", "hold_back": None, "drawn": None}
    with pytest.raises(LeakError, match="advice on the call had been shown"):
        read(
            tmp_path,
            row("a", 1, 1, **SHOWN, first_decision=3),
            row("a", 2, 2, decisions=[decision(3)], **shadow),
        )
    with pytest.raises(LeakError, match="advice on the call had been shown"):
        read(
            tmp_path,
            row("a", 1, 1, decisions=[decision(2)]),
            row("a", 3, 2, decisions=[decision(4)], first_decision=2, **shadow),
        )


def test_check_finds_a_later_revision_and_a_swayed_label(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        row("a", 1, decisions=[decision(2, **ADVISED)], **SHOWN),
        row("b", 3, decisions=[decision(4)]),
        decisions="before_advice",
    )
    assert not {"revision_after_decision", "label_after_advice"} & set(levels(dataset))
    assert dataset.labels is not None
    dataset.labels = pd.concat([dataset.labels, dataset.labels.assign(call_id="a")])
    later = dataset.calls[dataset.calls["call_id"] == "a"].assign(revision=2)
    dataset.calls = pd.concat([dataset.calls, later], ignore_index=True)
    found = levels(dataset)
    assert found["revision_after_decision"] == found["label_after_advice"] == "error"


def test_copies_under_two_numbers_are_not_parted_by_a_split(tmp_path: Path) -> None:
    def at(hours: float, narrative: str) -> dict[str, Any]:
        when = (START + timedelta(hours=hours)).isoformat()
        return {"call": {"received_at": when, "narrative": narrative}}

    others = [
        row(f"o{i}", 10 + i, **at(i, f"caller number {chr(97 + i) * 5} tells of {chr(97 + i)}"))
        for i in range(20)
    ]
    planted = row("first", 100, **at(1.5, WORDS)), row("copy", 101, **at(19.5, WORDS.upper()))
    weeks_later = row("again", 102, **at(24 * 30, WORDS))
    calls = read(tmp_path, *others, *planted, weeks_later)
    parts = temporal_split(
        calls.calls,
        validation_from=0.4,
        test_from=0.7,
        timezone="UTC",
        groups=[calls.incidents()],
    )
    by_call = dict(zip(calls.calls["call_id"], parts, strict=True))
    assert (by_call["first"], by_call["copy"]) == ("train", "purged")
    assert by_call["again"] == "test"  # a month later it is another one


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"narratives": False}, "--with-narratives"),
        ({"mode": "shadow"}, "mode"),
        ({"call_id": "b"}, "another one"),
        ({"outcome": outcome("b")}, "of another call"),
        ({"shoe_size": SECRET}, "not a row"),
        ({"at": SECRET}, "line 1, at: "),
        ({"call": {SECRET: 1}}, "line 1, call: "),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, {**row("a", 1, call=change.pop("call", {})), **change})
    assert SECRET not in str(caught.value)
    assert not isinstance(caught.value, LeakError)


def test_one_export_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stands twice"):
        read(tmp_path, row("a", 1), row("a", 2))
    with pytest.raises(InputError, match="several exports"):
        read(tmp_path, row("a", 1), row("b", 2, filters="decision=none"))
    with pytest.raises(InputError, match="several exports"):
        read(tmp_path, row("a", 1), row("a", 2, 2, decisions=[decision(3)]))
    with pytest.raises(InputError, match="holds no assessment"):
        read(tmp_path)
    with pytest.raises(InputError, match="CSV is for people"):
        (tmp_path / "export.csv").write_text("a,b\n")
        read_log(tmp_path / "export.csv")
    with pytest.raises(InputError, match="no such file"):
        read_log(tmp_path / "none.jsonl")
