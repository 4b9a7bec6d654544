"""A file of labelled calls, as somebody sends it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from data.errors import InputError
from data.sources.labelled import NO_TIME, read_labelled

SECRET = "the heron waits by the weir"


def written(folder: Path, text: str, name: str = "calls.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_of_narratives_and_labels_is_enough(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "narrative,mental_health_crisis,safety_risk\n"
        f"{SECRET},1,0\nanother,0,\nthird,,1.0\nfourth,false,TRUE\n",
    )
    dataset = read_labelled(path)
    assert dataset.calls["call_id"].tolist() == ["1", "2", "3", "4"]
    assert (dataset.calls["received_at"] == NO_TIME).all()
    targets = dataset.targets().astype(object)
    assert targets["mental_health_crisis"].tolist() == [True, False, pd.NA, False]
    assert targets["safety_risk"].tolist() == [False, pd.NA, True, True]
    assert dataset.labels is not None
    assert set(dataset.labels["source"]) == {"expert_review"}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_fields_of_a_call_come_along_in_every_format(tmp_path: Path, kind: str) -> None:
    call = {
        "call_id": "a-1",
        "received_at": "2026-01-05T10:00:00-05:00",
        "narrative": SECRET,
        "call_type": "CHECK WELFARE",
    }
    path = tmp_path / f"calls.{kind}"
    if kind == "jsonl":
        line = {**call, "answers": {"weapon": "no"}, "safety_risk": 0, "mental_health_crisis": None}
        path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    else:
        row = pd.DataFrame([{**call, "answer_weapon": "no", "safety_risk": 0.0}])
        row["mental_health_crisis"] = pd.array([None], dtype="Int64")
        if kind == "csv":
            row.to_csv(path, index=False)
        else:
            row["received_at"] = pd.to_datetime(row["received_at"], utc=True)
            row.to_parquet(path, index=False)
    dataset = read_labelled(path)
    assert dataset.calls.loc[0, "call_type"] == "CHECK WELFARE"
    assert dataset.calls.loc[0, "answer_weapon"] == "no"
    assert dataset.calls.loc[0, "received_at"].isoformat() == "2026-01-05T15:00:00+00:00"
    assert dataset.targets()["safety_risk"].tolist() == [False]
    assert dataset.targets()["mental_health_crisis"].isna().all()


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        (f"narrative\n{SECRET}\n", "a.csv", "labels no call"),
        (f"narrative,safety_risk\n{SECRET},\n", "a.csv", "labels no call"),
        (f"narrative,safety_risk\n{SECRET},maybe\n", "a.csv", "row 1: safety_risk must be 1, 0"),
        (f"narrative,safety_risk,final_type\n{SECRET},1,x\n", "a.csv", "not a field of a call"),
        (f"narrative,safety_risk\n{SECRET},1,1\n", "a.csv", "row 1: more or fewer cells"),
        (
            f"narrative,received_at,safety_risk\n{SECRET},yesterday,1\n",
            "a.csv",
            "row 1, received_at: ",
        ),
        (f'{{"narrative": "{SECRET}", "safety_risk": 1', "a.jsonl", "row 1: not a JSON object"),
        (f'["{SECRET}"]', "a.jsonl", "row 1: not a JSON object"),
        (f'{{"narrativ": "{SECRET}", "safety_risk": 1}}', "a.jsonl", "row 1: extra_forbidden"),
        (f"call_id,narrative,safety_risk\nx,{SECRET},1\nx,b,1\n", "a.csv", "stands twice"),
        (
            f"call_id,revision,narrative,safety_risk\nx,1,{SECRET},1\nx,2,b,0\n",
            "a.csv",
            "different labels",
        ),
        ("", "a.csv", "holds no calls"),
        (f"narrative\n{SECRET}\n", "a.txt", "ending must be"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_said_is_repeated(
    tmp_path: Path, text: str, name: str, problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read_labelled(written(tmp_path, text, name))
    assert "heron" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_labelled(tmp_path / "none.csv")
