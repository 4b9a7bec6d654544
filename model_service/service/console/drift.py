"""The drift lights: what `crisiscall monitor` found, as it left it for this page.

A small file in the service's home, which the verb writes whole and the page reads:

    {"format": "crisiscall-drift-1",
     "lights": [{"name": "words", "state": "ok", "words": "…", "measured_at": "2026-11-24T06:00Z"}]}

`state` is `ok`, `watch`, `alarm` or `unknown`; `words` says in a sentence what was found, and holds
nothing of any call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from data.call import Record

FORMAT = "crisiscall-drift-1"
LARGEST = 64 * 1024

State = Literal["ok", "watch", "alarm", "unknown"]


class Light(Record):
    """One thing that may drift."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    state: State
    words: Annotated[str, StringConstraints(max_length=400)]
    measured_at: AwareDatetime


class Lights(Record):
    """The file."""

    format: Literal["crisiscall-drift-1"]
    lights: Annotated[tuple[Light, ...], Field(max_length=50)]


def lights_path(home: Path) -> Path:
    """Tell where the lights lie in a service's home."""
    return home / "monitor" / "lights.json"


def read_lights(home: Path) -> tuple[tuple[Light, ...], str | None]:
    """Read the lights.

    Parameters
    ----------
    home : Path

    Returns
    -------
    tuple of Light, str or None
        And why there are none, in words.
    """
    path = lights_path(home)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return (), "Not measured: the verb “monitor” has left nothing here yet."
    except OSError:
        return (), "Not known: what was measured can’t be read."
    try:
        lights = Lights.model_validate_json(content if len(content) <= LARGEST else b"").lights
    except ValidationError:
        return (), "Not known: what was measured is not of a form that this page can read."
    return lights, None if lights else "Not measured: nothing was looked at."
