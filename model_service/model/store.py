"""A store of releases: a folder of release folders, and the file that names the champion."""

from __future__ import annotations

import re
from pathlib import Path

from data.files import write_whole
from model_service.model.release import NAME_LENGTH, ReleaseError

CHAMPION = "champion"
"""The file in a store that names the folder of the release in force."""


def name_champion(store: Path, folder: Path) -> None:
    """Write which release of a store is in force, at once or not at all."""
    write_whole(store / CHAMPION, folder.name + "\n")


def champion(store: Path) -> Path:
    """Folder of the release in force.

    Raises
    ------
    ReleaseError
        If none is named, or the name is not that of a folder in the store.
    """
    try:
        name = (store / CHAMPION).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ReleaseError(
            f"no release is in force under {store}: train one with `crisiscall train`"
        ) from None
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ReleaseError(f"{store / CHAMPION} does not name a release of {store}")
    return store / name


def release_folder(store: Path, digest: str) -> Path:
    """Folder of a release of a store, by its digest."""
    return store / digest[:NAME_LENGTH]
