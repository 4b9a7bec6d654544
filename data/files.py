"""Files that appear whole or not at all, and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet computes (OWASP, "CSV Injection")."""


@contextlib.contextmanager
def drafted(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Give an empty file to write, which takes the place of `path` at the end.

    A reader finds the old file or the new one, never a part; after an error, the old one.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    mode : int
        Permissions of the new file, less the process's mask.

    Yields
    ------
    Path
    """
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode))
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader finds the old one or the new one, never a part.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    text : str
    """
    with drafted(path) as draft:
        draft.write_text(text, encoding="utf-8")


def sync_folder(folder: Path) -> None:
    """Make sure that the files that were made in a folder, or took another name, are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def inert(text: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula.

    Examples
    --------
    >>> inert("=1+1"), inert("1+1")
    ("'=1+1", '1+1')
    """
    return "'" + text if text.startswith(FORMULA) else text
