"""Whether assessments can be made and recorded now, and if not, why."""

from __future__ import annotations

import time
from collections.abc import Callable

from model_service.service.accounts import Accounts, AccountsUnavailable
from model_service.service.loading import Releases
from model_service.service.log import DecisionLog, LogUnavailable


class Readiness:
    """Looks at the log, the users and the release.

    Anyone may ask, so the answer is looked up at most once a second.

    Parameters
    ----------
    log : DecisionLog
    accounts : Accounts
    releases : Releases
    seconds : float
        How old an answer may be.
    clock : callable
        Seconds on any steady clock.
    """

    def __init__(
        self,
        log: DecisionLog,
        accounts: Accounts,
        releases: Releases,
        *,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._accounts = accounts
        self._releases = releases
        self._seconds = seconds
        self._clock = clock
        self._stored: tuple[float, str | None] | None = None

    def reason(self) -> str | None:
        """Say why nothing can be assessed and recorded now; None if it can."""
        if self._releases.current is None:
            return self._releases.error or "no release is in force"
        if self._stored is None or self._clock() - self._stored[0] >= self._seconds:
            self._stored = self._clock(), self._look()
        return self._stored[1]

    def summary(self) -> dict[str, str | None]:
        """Tell which release is in force, and why a newer one is not."""
        release = self._releases.current
        return {
            "release": "" if release is None else release.name,
            "warning": self._releases.error,
        }

    def _look(self) -> str | None:
        try:
            self._log.probe()
            self._accounts.probe()
        except (LogUnavailable, AccountsUnavailable) as error:
            return str(error)
        return None
