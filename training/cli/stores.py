"""Releases by the name that a person types."""

from __future__ import annotations

from pathlib import Path

from model_service.model.release import Release, ReleaseError, load_release
from model_service.model.store import CHAMPION, champion


def folders(store: Path) -> list[Path]:
    """List the folders of a store's releases."""
    return sorted(path for path in store.glob("[0-9a-f]*") if path.is_dir())


def named_folder(name: str, home: Path) -> Path:
    """Find the folder of a release: a path, a name (or its beginning) under home, or `champion`.

    Raises
    ------
    ReleaseError
        If there is none, or more than one.
    """
    store = home / "releases"
    if name == CHAMPION:
        return champion(store)
    if name and Path(name).is_dir():
        return Path(name)
    found = [path for path in folders(store) if path.name.startswith(name)]
    if len(found) == 1 and len(name) >= 4:
        return found[0]
    what = "more than one release" if len(found) > 1 else "no release"
    raise ReleaseError(f"{what} is called {name!r} under {store}; `crisiscall releases` lists them")


def named_release(name: str, home: Path) -> Release:
    """Load a release by its name; digests are checked.

    Raises
    ------
    ReleaseError
        If there is none, or it is damaged.
    """
    return load_release(named_folder(name, home), trusted=None)
