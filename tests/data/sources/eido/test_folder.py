"""A folder of EIDO files as a dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError
from data.sources.eido.folder import find_documents, read_documents
from tests.data.sources.eido.test_read import a_call, a_document, an_incident, note, part


def write(folder: Path, **documents: Any) -> Path:
    for name, document in documents.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def an_update(minute: int, *notes: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = a_document(callComponent=[a_call()], notesComponent=list(notes), **more)
    return {**document, "lastUpdateTimeStamp": f"2021-10-05T21:{minute}:00-04:00"}


def test_updates_of_an_incident_are_its_revisions_in_order(tmp_path: Path) -> None:
    second = an_update(20, note("a", 12), note("b", 15))
    write(
        tmp_path,
        a=second,
        b=an_update(13, note("a", 12)),
        c=json.dumps(second, indent=2),
        d={**an_update(13), "$id": "incident-2"},
        e="{",
        f={**second, "eidoVersion": "9"},
    )
    dataset = read_documents(find_documents([tmp_path]))
    calls = dataset.calls
    assert calls["call_id"].tolist() == ["incident-1", "incident-1", "incident-2"]
    assert calls["revision"].tolist() == [1, 2, 1]
    assert calls["narrative"].tolist()[:2] == ["words of a", "words of a\nwords of b"]
    rejected = dataset.rejected
    assert rejected is not None
    assert dict(zip(rejected["row"], rejected["reason"], strict=True)) == {
        3: "exact duplicate",
        5: "the document: not JSON",
        6: "eidoVersion: this is read in version 1.0 alone",
    }
    assert json.loads(rejected["record"][0]) == {"file": "e.json"}
    assert [one["file"] for one in dataset.manifest["inputs"]] == [
        f"{name}.json" for name in "abcd"
    ]


def test_words_of_after_dispatch_are_cut_and_counted(tmp_path: Path) -> None:
    told = note("a", 12, "MALE W KNIFE, SUICIDAL<br>2A12 ON SCENE<br>MALE IN CUSTODY")
    dataset = read_documents(find_documents([write(tmp_path, a=an_update(20, told))]))
    assert dataset.calls["narrative"].tolist() == ["MALE W KNIFE, SUICIDAL"]
    assert dataset.manifest["narrative_cut"]["narratives_cut"] == 1


def test_what_was_learned_later_is_the_outcome_and_no_feature(tmp_path: Path) -> None:
    incident = an_incident(
        40,
        incidentTypeInternalText="ASSAULT",
        dispositionComponent=[
            part("x", 41, dispositionCommonRegistryCode="REPORT"),
            part(
                "y",
                42,
                dispositionCommonRegistryCode="ARREST",
                dispositionPrimaryIndicator=True,
                dispositionDescriptionText="one in custody",
            ),
        ],
    )
    closed = an_update(
        50, note("a", 12), incidentComponent=incident, dispatchComponent=[part("d", 30)]
    )
    dataset = read_documents(find_documents([write(tmp_path, a=closed)]))
    assert dataset.calls["call_type"].isna().all()
    (outcome,) = dataset.outcomes.to_dict("records")  # type: ignore[union-attr]
    assert outcome["call_id"] == "incident-1"
    assert outcome["final_call_type"] == "ASSAULT"
    assert outcome["disposition"] == "ARREST / one in custody / REPORT"
    assert outcome["recorded_at"].isoformat() == "2021-10-06T01:42:00+00:00"
    dataset.write(tmp_path / "out")


def test_nothing_to_read_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        find_documents([tmp_path / "gone"])
    with pytest.raises(InputError, match="no .json file"):
        find_documents([tmp_path])
    write(tmp_path, a="[]", b="{}")
    with pytest.raises(InputError) as caught:
        read_documents(find_documents([tmp_path]))
    assert str(caught.value) == (
        "none of the 2 files could be kept: the document: not a JSON object; $id: missing"
    )
