"""A configuration is checked, and an error names the field in one line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.invented import invented_config
from training.config import ConfigError, load_config


def document() -> dict[str, Any]:
    return dict(invented_config().model_dump(mode="json"))


@pytest.mark.parametrize("name", ["synthetic", "seattle"])
def test_the_shipped_configurations(name: str) -> None:
    assert load_config(name).name == name


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(yaml.safe_dump(document()), encoding="utf-8")
    assert load_config(str(path)) == invented_config()


@pytest.mark.parametrize(
    ("path", "to", "named"),
    [
        (("name",), "Not A Name", "name"),
        (("seed",), "0", "seed"),
        (("seed",), 1.5, "seed"),
        (("warning",), None, "warning"),
        (("weather",), 1, "weather"),
        (("split", "validation_from"), 0.0, "split.validation_from"),
        (("split", "test_from"), 1, "split.test_from"),
        (("split", "test_from"), "tomorrow", "split.test_from"),
        (("split", "test_from"), 0, "split.test_from"),
        (("search", "C"), [], "search.C"),
        (("search", "C"), [0], "search.C.0"),
        (("search", "C"), [-1.0], "search.C.0"),
        (("search", "C"), [float("nan")], "search.C.0"),
        (("search", "C"), [float("inf")], "search.C.0"),
        (("search", "weights"), {"premise_id": []}, "search.weights.premise_id"),
        (("search", "weights"), {"premise_id": [0.0]}, "search.weights.premise_id"),
        (("search", "weights"), {"latitude": [1.0]}, "names what is no feature: latitude"),
        (("features", "timezone"), "Nowhere", "unknown time zone 'Nowhere'"),
        (("features", "categories"), ["disposition"], "disposition is known only after dispatch"),
        (("features", "categories"), ["final_call_type"], "final_call_type is known only after"),
        (("features", "categories"), ["safety_risk"], "safety_risk is known only after dispatch"),
        (("features", "texts"), [{"column": "disposition"}], "disposition is known only after"),
        (("features", "weights"), {"force_used": 1.0}, "force_used is known only after dispatch"),
        (("search", "weights"), {"recorded_at": [1.0]}, "recorded_at is known only after"),
        (("features", "categories"), ["hour", "hour"], "named twice: hour"),
        (("features", "texts"), [], "features.texts"),
        (("features", "min_calls"), 0, "features.min_calls"),
    ],
    ids=str,
)
def test_a_bad_configuration_is_refused_by_the_name_of_its_field(
    tmp_path: Path, path: tuple[str, ...], to: Any, named: str
) -> None:
    changed: Any = copy.deepcopy(document())
    place = changed
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump(changed), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(str(file))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"just words", b"a: [", b"\xff\xfe", b"name: a\nname: b", b"test_from: 2015-02-30"],
    ids=range(6),
)
def test_what_is_no_configuration(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ours.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "../training/cli", "/", "a\0b", ""])
def test_no_such_configuration(name: str) -> None:
    with pytest.raises(ConfigError, match="neither a file nor a shipped one"):
        load_config(name)
