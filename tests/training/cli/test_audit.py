"""`crisiscall audit`: what it says, writes and exits with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from data.dataset import Dataset
from data.errors import InputError
from tests.invented import plan_document
from tests.training.audit.calls import some_calls
from training.cli import cli
from training.pipeline import Trained


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)])


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls of which the model misses more risks in the West."""
    calls = some_calls(12_000)
    silent = (calls["neighborhood"] == "West") & (np.random.default_rng(1).random(12_000) < 0.25)
    calls.loc[silent & calls["risk_flag"].notna(), "risk_flag"] = False
    path = tmp_path_factory.mktemp("scored") / "calls.parquet"
    calls.to_parquet(path)
    return path


def test_labelled_calls_are_audited_with_a_release(
    small: tuple[Dataset, Trained], invented_home: Path, tmp_path: Path
) -> None:
    dataset, trained = small
    dataset.write(tmp_path / "calls")
    ran = run(
        *("--data", tmp_path / "calls", "--release", trained.folder, "--by", "call_source,hours"),
        *("--by", "neighborhood", "--out", tmp_path / "audit"),
    )
    assert ran.exit_code == 0, ran.output
    assert f"{dataset.calls['call_id'].nunique():,} calls" in ran.output
    page = (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")
    assert "The way the call came in × Hour of the day" in page
    assert trained.release.digest[:16] in page
    assert not any(text and text in page for text in dataset.calls["narrative"])


def test_the_gate_fails_and_names_the_group(scored: Path) -> None:
    ran = run("--scored", scored, "--by", "hours", "--gate")
    assert ran.exit_code == 1
    assert "GATE  Neighbourhood West: safety head, missed: " in ran.output
    assert "the plan allows 5.0" in ran.output


def test_without_the_gate_a_gap_is_told_and_nothing_fails(scored: Path) -> None:
    ran = run("--scored", scored, "--by", "neighborhood")
    assert ran.exit_code == 0
    assert "The model misses more safety risks in West" in ran.output


def test_the_limits_of_another_plan_count(scored: Path, tmp_path: Path) -> None:
    limit = {"subject": "safety_risk", "measure": "false_negative_rate", "gap": 0.9}
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump(plan_document(audit={"limits": [limit]})), encoding="utf-8")
    ran = run("--scored", scored, "--by", "neighborhood", "--gate", "--plan", plan)
    assert ran.exit_code == 0, ran.output
    assert "no group is known to break a limit" in ran.output


def test_the_calls_must_be_named_once(scored: Path) -> None:
    for arguments in ((), ("--scored", scored, "--log", scored)):
        ran = run(*arguments)
        assert isinstance(ran.exception, InputError)
        assert "one of --data, --log and --scored" in str(ran.exception)


def test_a_period_without_calls_says_so(scored: Path) -> None:
    ran = run("--scored", scored, "--since", "2030-01-01")
    assert isinstance(ran.exception, InputError)
    assert "no call lies in the period" in str(ran.exception)
