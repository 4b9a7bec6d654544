"""A leak of each kind, planted into sound calls, fails `crisiscall data check` by its name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from data.dataset import Dataset
from data.sources.synthetic import synthesize
from tests.invented import invented_config, invented_dataset
from training.cli import main


def final_type(calls: Dataset) -> None:
    assert calls.outcomes is not None
    final = calls.outcomes.set_index("call_id")["final_call_type"]
    calls.calls["call_type"] = calls.calls["call_id"].map(final).fillna(calls.calls["call_type"])


def disposition(calls: Dataset) -> None:
    assert calls.outcomes is not None
    told = calls.outcomes.set_index("call_id")["disposition"]
    codes = {value: f"D{number}" for number, value in enumerate(sorted(told.dropna().unique()))}
    calls.calls["priority"] = calls.calls["call_id"].map(told).map(codes).astype("str")


def remarks_of_units(calls: Dataset) -> None:
    half = calls.calls.index % 2 == 0
    calls.calls.loc[half, "narrative"] += "\n3B41 ON SCENE\nMALE CALM, SPOKE WITH HIM"


def future_of_the_premise(calls: Dataset) -> None:
    positive = calls.targets()["mental_health_crisis"].fillna(False).astype(bool)
    ever = calls.calls["premise_id"].isin(set(calls.calls.loc[positive, "premise_id"].dropna()))
    calls.calls["priority"] = pd.Series(np.where(ever, "flag", "none"), calls.calls.index)


def copies_across_the_split(calls: Dataset) -> None:
    order = calls.calls["received_at"].sort_values().index
    n = len(order) // 8
    told = calls.calls["narrative"]
    long = [row for row in order[: 4 * n] if len(told[row].split()) > 8][:n]
    calls.calls.loc[order[-len(long) :], "narrative"] = told[long].to_numpy()


LEAKS: dict[str, Callable[[Dataset], None]] = {
    "type_is_final": final_type,
    "field_tells_outcome": disposition,
    "narrative_tells_outcome": remarks_of_units,
    "field_tells_future": future_of_the_premise,
    "text_on_both_sides": copies_across_the_split,
}


@pytest.fixture(scope="module")
def sound() -> Dataset:
    """Make synthetic calls from few enough premises that some call again."""
    calls = synthesize(3000, seed=9, days=300)
    random = np.random.default_rng(2)
    calls.calls["premise_id"] = [f"P{n}" for n in random.integers(600, size=len(calls.calls))]
    return calls


def checked(calls: Dataset, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    calls.write(folder)
    with pytest.raises(SystemExit) as end:
        main(["data", "check", str(folder)])
    return int(end.value.code or 0), capsys.readouterr().out


def test_sound_calls_pass(
    sound: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = checked(copy.deepcopy(sound), tmp_path / "calls", capsys)
    assert code == 0, out


@pytest.mark.parametrize("kind", LEAKS)
def test_a_planted_leak_is_found(
    sound: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    calls = copy.deepcopy(sound)
    LEAKS[kind](calls)
    code, out = checked(calls, tmp_path / "calls", capsys)
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.endswith(f"[{kind}]")][:1]
    assert line.startswith("error")
    assert "SPOKE WITH" not in out


@pytest.mark.parametrize("name", ["final_call_type", "disposition", "clinician_finding"])
def test_a_configuration_that_asks_for_an_outcome_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    invented_dataset(30).write(tmp_path / "calls")
    document = invented_config().model_dump(mode="json")
    document["features"]["categories"].append(name)
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    arguments = ["train", "--data", str(tmp_path / "calls"), "--home", str(tmp_path / "home")]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--config", str(tmp_path / "ours.yaml")])
    assert end.value.code == 2
    assert f"{name} is known only after dispatch" in capsys.readouterr().err
