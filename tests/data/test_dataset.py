"""A folder of calls is written whole, comes back the same, and is not believed when changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import dataset as module
from data.call import Call
from data.dataset import MANIFEST, Dataset, DatasetError
from data.frame import to_calls, to_frame
from tests.strategies import calls

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def small(n: int = 3, **parts: Any) -> Dataset:
    made = [Call(call_id=f"c{i}", received_at=NOW, narrative=f"text {i}") for i in range(n)]
    return Dataset(to_frame(made), **parts)


def labels() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "call_id": ["c2", "c0"],
            "target": ["safety_risk", "mental_health_crisis"],
            "value": [True, False],
            "source": ["final_call_type", "expert_review"],
            "as_of": [NOW, NOW],
            "confidence": [0.8, 1.0],
        }
    )


def test_a_folder_comes_back_as_it_was_written(tmp_path: Path) -> None:
    groups = pd.DataFrame({"call_id": ["c0", "c1"], "incident_id": ["i", "i"]})
    outcomes = pd.DataFrame({"call_id": ["c1"], "recorded_at": [NOW], "weapon_found": [True]})
    rejected = pd.DataFrame(
        {"row": [4], "field": ["call_id"], "reason": ["call_id: no value"], "record": ["{}"]}
    )
    made = small(labels=labels(), groups=groups, outcomes=outcomes, rejected=rejected)
    made.manifest["source"] = "test"
    made.write(tmp_path / "calls")
    read = Dataset.read(tmp_path / "calls")
    for name in ("calls", "outcomes", "labels", "groups", "rejected"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(made, name))
    assert read.manifest == json.loads(json.dumps(made.manifest))
    assert read.manifest["rejected"] == {"call_id: no value": 1}
    assert read.manifest["labels"]["safety_risk"] == {"positive": 1, "negative": 0, "missing": 2}
    assert read.digest == made.digest


@settings(
    deadline=None,
    max_examples=15,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(calls(), min_size=1, max_size=3))
def test_any_calls_survive_parquet(tmp_path: Path, given_calls: list[Call]) -> None:
    Dataset(to_frame(given_calls)).write(tmp_path / "calls")
    assert to_calls(Dataset.read(tmp_path / "calls").calls) == given_calls


def test_the_same_calls_have_the_same_digest(tmp_path: Path) -> None:
    one, two = small(labels=labels()), small(labels=labels())
    one.write(tmp_path / "one")
    two.write(tmp_path / "two")
    assert one.digest == two.digest


def test_targets_and_incidents_are_aligned_with_the_calls() -> None:
    groups = pd.DataFrame({"call_id": ["c0", "c1"], "incident_id": ["i", "i"], "family": ["f", ""]})
    made = small(labels=labels(), groups=groups)
    assert made.targets()["safety_risk"].tolist() == [pd.NA, pd.NA, True]
    assert made.targets()["mental_health_crisis"].tolist() == [False, pd.NA, pd.NA]
    assert made.incidents().tolist() == ["i", "i", "c2"]
    assert made.families().isna().tolist() == [False, False, True]


def test_an_earlier_folder_is_replaced(tmp_path: Path) -> None:
    small(3).write(tmp_path / "calls")
    small(1).write(tmp_path / "calls")
    assert len(Dataset.read(tmp_path / "calls").calls) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["calls"]


def test_a_folder_of_other_things_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="other files"):
        small().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(3).write(tmp_path / "calls")

    def full(table: pd.DataFrame, path: Path) -> str:
        if path.name == "labels.parquet":
            raise OSError("no space left")
        path.write_bytes(b"half")
        return ""

    monkeypatch.setattr(module, "_write_table", full)
    with pytest.raises(OSError, match="no space"):
        small(1).write(tmp_path / "calls")
    assert len(Dataset.read(tmp_path / "calls").calls) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["calls"]


def test_no_folder_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(DatasetError, match="crisiscall data"):
            Dataset.read(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {}}', '{"files": 1}', "\udcff"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: str) -> None:
    small().write(tmp_path / "calls")
    (tmp_path / "calls" / MANIFEST).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DatasetError, match="damaged"):
        Dataset.read(tmp_path / "calls")


@pytest.mark.parametrize("change", ["changed", "missing"])
def test_a_table_that_is_not_what_the_manifest_says_is_refused(tmp_path: Path, change: str) -> None:
    small().write(tmp_path / "calls")
    table = tmp_path / "calls" / "labels.parquet"
    if change == "missing":
        table.unlink()
    else:
        table.write_bytes(table.read_bytes() + b"\0")
    with pytest.raises(DatasetError, match="labels.parquet"):
        Dataset.read(tmp_path / "calls")


def test_a_label_of_an_unknown_source_never_gets_in() -> None:
    with pytest.raises(ValueError, match="hearsay"):
        small(labels=labels().assign(source="hearsay"))
