"""The drift lights: read as they were left, or told in words not to be there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_service.service.console.drift import FORMAT, lights_path, read_lights
from tests.harness import Service

LIGHT = {
    "name": "words of the calls",
    "state": "watch",
    "words": "A tenth of the words were never seen in training.",
    "measured_at": "2026-11-24T06:00:00Z",
}


def write(home: Path, content: object) -> None:
    path = lights_path(home)
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_what_was_never_measured_is_said_to_be(service: Service) -> None:
    lights, why = read_lights(service.settings.home)
    assert lights == ()
    assert why is not None
    assert why.startswith("Not measured")
    assert "Not measured" in service.get("/supervisor", role="supervisor").text


def test_lights_are_told_in_words_and_signs(service: Service) -> None:
    write(service.settings.home, {"format": FORMAT, "lights": [LIGHT]})
    page = service.get("/supervisor", role="supervisor").text
    assert "words of the calls: watch" in page
    assert str(LIGHT["words"]) in page


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", {"format": "other", "lights": []}, {"format": FORMAT, "lights": [{}]},
     {"format": FORMAT, "lights": [{**LIGHT, "state": "fine"}]}, "x" * 100_000],
)  # fmt: skip
def test_what_can_not_be_read_lights_nothing(tmp_path: Path, content: object) -> None:
    write(tmp_path, content)
    lights, why = read_lights(tmp_path)
    assert lights == ()
    assert why is not None
    assert why.startswith("Not known")
