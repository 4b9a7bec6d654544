"""A clock that a test sets."""

from __future__ import annotations


class Clock:
    """Tells the time that it was given.

    Parameters
    ----------
    now : float
        Seconds; a test may set it anew.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell it."""
        return self.now
