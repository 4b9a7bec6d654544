"""From the service through the log to a folder of calls: what was posted comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from data.call import Call
from data.dataset import Dataset
from data.frame import to_frame
from model_service.service.holdback import drawn
from tests.builders import a_call, make_champion, release_files
from tests.harness import running
from training.cli import main

SHARE = 0.4
COMMIT = {"action": "commit", "response": "emt_clinician"}


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 0


@pytest.mark.parametrize("mode", ["advisory", "shadow", "off"])
def test_the_calls_come_back_as_they_were_posted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.delenv("CRISISCALL_LOG", raising=False)
    files = release_files()
    plan = {**yaml.safe_load(files["plan.yaml"]), "hold_back": SHARE, "mode": mode}
    make_champion(tmp_path, {**files, "plan.yaml": yaml.safe_dump(plan).encode()})
    known: list[dict[str, Any]] = []
    with running(tmp_path, champion=False) as service:
        for number in range(24):
            first = a_call(number, narrative=f"hears voices; caller {number} \u2028 \x00 =1+1")
            grown = {**first, "revision": 2, "narrative": first["narrative"] + ", a knife"}
            assessed = service.assess(first).json()
            if number % 3:
                assessed = service.assess(grown).json()
            known.append(grown if number % 3 else first)
            action = {"action": "accept"} if assessed["withheld"] is None else COMMIT
            path = f"/v1/assessments/{assessed['assessment_id']}/decision"
            assert service.post(path, json=action).status_code == 201
            service.assess({**first, "revision": 3, "narrative": "medics on scene: unfounded"})
        outcome = {
            "call_id": "C-5",
            "recorded_at": "2021-10-06T08:00:00Z",
            "clinician_finding": "no_crisis",
        }
        assert service.post("/v1/calls/C-5/outcome", json=outcome, role="cad").status_code == 201
        out, folder = str(tmp_path / "export.jsonl"), str(tmp_path / "calls")
        export = ["log", "export", "--home", str(tmp_path), "--out", out]
        run(*export, "--with-narratives", "--by", "r.alvarez")  # the service runs meanwhile
    run(
        *("data", "import", "--source", "log", "--input", out, "--out", folder),
        *("--decisions", "before_advice"),
    )
    dataset = Dataset.read(Path(folder))
    posted = to_frame(Call.model_validate_json(json.dumps(call)) for call in known)
    pd.testing.assert_frame_equal(dataset.calls, posted)

    assert dataset.assessed is not None and dataset.labels is not None
    assessed_table = dataset.assessed.set_index("call_id")
    key = (
        bytes.fromhex((tmp_path / "keys" / "holdback.key").read_text())
        if mode == "advisory"
        else b""
    )
    unadvised = {
        call_id
        for call_id in posted["call_id"]
        if mode != "advisory" or drawn(key, call_id) < SHARE
    }
    assert set(assessed_table.index[~assessed_table["advised"].astype(bool)]) == unadvised
    assert (assessed_table["chance_unadvised"] == (SHARE if mode == "advisory" else 1.0)).all()
    assert mode != "advisory" or 0 < len(unadvised) < len(posted)
    labelled = dataset.labels.groupby("source")["call_id"].agg(set).to_dict()
    assert labelled == {"clinician_finding": {"C-5"}, "decision_unadvised": unadvised}
    # The clinician's finding goes before whatever was decided.
    value = dataset.targets().set_index(posted["call_id"])["mental_health_crisis"]
    assert value["C-5"] is False or not value["C-5"]


def test_refusals_are_one_line_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, out = tmp_path / "export.jsonl", str(tmp_path / "calls")
    export.write_text('{"call": {"disposition": "the heron waits by the weir"}}\n')
    given = ["data", "import", "--input", str(export), "--out", out]
    for arguments, words in (
        ([*given, "--source", "log"], "disposition within the call"),
        ([*given, "--source", "log", "--input", str(export)], "one export"),
        ([*given, "--source", "seattle", "--decisions", "before_advice"], "--source log"),
        ([*given, "--source", "log", "--decisions", "all"], "before_advice"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        errors = capsys.readouterr().err
        assert caught.value.code == 2
        assert words in errors and "heron" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["export.jsonl"]
