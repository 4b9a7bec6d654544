"""`crisiscall data label` in a terminal and without one: narratives go to the screen alone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from data.dataset import Dataset
from tests.invented import invented_dataset
from training.cli import main

MARK = "unit 17."  # of the narrative of one call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    invented_dataset(40, seed=2).write(tmp_path / "calls")
    return tmp_path / "calls"


def in_terminal(typed: str, *arguments: str) -> tuple[int, str, str]:
    """Run with answers from a pipe and the output on a terminal; give exit code, screen, errors."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "training.cli", "data", "label", *arguments],
        stdin=subprocess.PIPE,
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        os.close(slave)
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(typed)
        process.stdin.close()
        screen = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not part:
                break
            screen += part
        errors = process.stderr.read()
    os.close(master)
    return process.returncode, screen.decode(), errors


def test_a_person_reviews_ten_calls_and_the_estimate_follows(folder: Path) -> None:
    answers = "y\nn\n" * 9 + "?\n?\nq\n"
    options = ("--by", "R. Alvarez", "--suspects", "0", "--sample", "30")
    code, screen, errors = in_terminal(answers, str(folder), *options)
    assert (code, errors) == (0, "")
    assert "10 calls answered" in screen
    assert "missed, of all positive calls" in screen
    assert screen.index("\x1b[?1049h") < screen.index("--- call 1 of") < screen.index("\x1b[?1049l")
    dataset = Dataset.read(folder)
    assert dataset.labels is not None and dataset.reviews is not None
    expert = dataset.labels[dataset.labels["source"] == "expert_review"]
    assert len(expert) == 18
    assert set(expert["by"]) == {"R. Alvarez"}
    assert (dataset.reviews["verdict"] == "unsure").sum() == 2

    code, screen, _ = in_terminal("", str(folder), "--by", "S. Okafor", "--suspects", "0")
    assert code == 0
    assert "round 1: " in screen  # taken up again


def test_without_a_terminal_no_narrative_is_written_anywhere(folder: Path) -> None:
    before = Dataset.read(folder).digest
    done = subprocess.run(
        [sys.executable, "-m", "training.cli", "data", "label", str(folder), "--by", "R. Alvarez"],
        input="y\n" * 50,
        capture_output=True,
        text=True,
        start_new_session=True,  # no controlling terminal either
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("crisiscall: calls are shown on a terminal only")
    assert done.stdout == ""
    assert Dataset.read(folder).digest == before


def test_the_estimate_needs_no_terminal_and_shows_no_narrative(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["data", "label", str(folder), "--estimate"])
    assert end.value.code == 2
    assert "has had no review" in capsys.readouterr().err
    in_terminal("y\nn\n" * 50, str(folder), "--by", "R. Alvarez", "--suspects", "0")
    with pytest.raises(SystemExit) as end:
        main(["data", "label", str(folder), "--estimate"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "positive, of those not labelled so" in out
    assert MARK not in out


def test_a_review_asks_for_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["data", "label", str(folder)])
    assert end.value.code == 2
    assert "--by NAME" in capsys.readouterr().err
