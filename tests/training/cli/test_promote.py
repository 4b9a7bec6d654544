"""`compare`, `promote`, `rollback` and `releases`, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from data.dataset import Dataset
from model_service.model.promotion import promotions
from tests.invented import invented_config
from tests.training.cli.test_main import fails, run
from training.pipeline import Trained, train

SIGNED = ("--by", "ana", "--reason", "autumn calls")


@pytest.fixture(scope="module")
def home(
    small: tuple[Dataset, Trained], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, str]:
    """A home with a champion and another release, trained on the same calls."""
    from training.keys import signing_key
    from training.promote import first_in_force

    home = tmp_path_factory.mktemp("home")
    dataset, _ = small
    dataset.write(home / "data")
    key = signing_key(home / "keys")
    made = [
        train(dataset, invented_config(search={"C": [c]}), store=home / "releases", key=key)
        for c in (1.0, 0.01)
    ]
    first_in_force(home / "releases", made[0].release, key=key)
    config = home / "invented.yaml"
    config.write_text(yaml.safe_dump(invented_config().model_dump(mode="json")), encoding="utf-8")
    return home, made[0].release.name, made[1].release.name


def test_the_whole_way(
    capsys: pytest.CaptureFixture[str], home: tuple[Path, str, str], tmp_path: Path
) -> None:
    folder, first, second = home
    data = ["--data", folder / "data", "--config", folder / "invented.yaml", "--home", folder]

    code, out, err = run(capsys, "compare", "champion", second[:6], *data, "--out", tmp_path)
    assert (code, err) == (0, "")
    assert f"# {second} beside {first}" in out
    assert (tmp_path / "comparison.md").read_text() in out
    assert (tmp_path / "comparison.json").exists()

    code, out, err = run(capsys, "promote", second, *data, *SIGNED)
    assert code == 1
    assert "not promoted" in err and "shadow" in err
    assert len(promotions(folder / "releases")) == 1

    code, out, _ = run(capsys, "promote", second, *data, *SIGNED, "--override", "--dry-run")
    assert code == 1
    assert len(promotions(folder / "releases")) == 1

    code, out, _ = run(capsys, "promote", second, *data, *SIGNED, "--override")
    assert code == 0
    assert f"{second} is in force; before it: {first}" in out

    code, out, _ = run(capsys, "releases", "--home", folder)
    assert code == 0
    assert "autumn calls" in out and "shadow" in out
    assert [line for line in out.splitlines() if "in force" in line and second in line]

    code, out, _ = run(capsys, "card", "--home", folder)
    assert code == 0
    assert "Gates that a person overrode" in out and "autumn calls" in out

    code, out, _ = run(capsys, "rollback", "--home", folder, "--by", "lead", "--reason", "worse")
    assert code == 0
    assert out.startswith(f"{first} is in force again")
    assert (folder / "releases" / "champion").read_text().strip() == first


def test_names_of_releases(capsys: pytest.CaptureFixture[str], home: tuple[Path, str, str]) -> None:
    folder = home[0]
    data = ["--data", folder / "data", "--home", folder]
    assert "no release is called 'beef'" in fails(capsys, "compare", "champion", "beef", *data)
    assert "more than one release is called ''" in fails(capsys, "compare", "champion", "", *data)
