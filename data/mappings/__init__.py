"""One YAML file per agency and schema: its columns and codes, in the terms of `Call`.

`example.yaml` explains every key. A second agency needs such a file and no Python.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the mappings that ship with the project lie."""


def paths() -> list[Path]:
    """List the mappings that ship with the project, by name.

    Examples
    --------
    >>> "example" in [path.stem for path in paths()]
    True
    """
    return sorted(FOLDER.glob("*.yaml"))
