"""Progress bars: on a terminal, once a job takes over two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
DELAY = 2.0
"""Seconds before a bar is drawn."""


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and draw a bar on standard error if it is a terminal.

    Parameters
    ----------
    items : iterable
    what : str
        What is being done, in a few words.
    total : int, optional
        The number of items, if `items` has no length.
    """
    console = Console(stderr=True)
    if total is None and isinstance(items, Sized):
        total = len(items)
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(what, total=total)
    begun, shown = time.monotonic(), False
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not shown and time.monotonic() - begun > DELAY:
                bar.start()
                shown = True
    finally:
        if shown:
            bar.stop()
