"""The consoles' sessions: what a cookie proves, until the shift ends or nobody uses it any more.

They lie in the file of the users, so that whoever is shut out there is out of the console too. Of
a session's token only the SHA-256 is stored.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from model_service.service.accounts import TOKEN_BYTES, Accounts, Identity, token_digest

_STEP = 60.0
"""Seconds between two notes of when a session was used; a request costs no write."""


class Sessions:
    """Sessions, each opened with a password.

    Parameters
    ----------
    accounts : Accounts
    lifetime : float
        Seconds after which a session ends.
    idle : float
        Seconds without use after which it ends before.
    cache_seconds : float
        A session that was found good is not looked up again for this long.
    clock : callable
        Seconds since the epoch.

    Raises
    ------
    AccountsUnavailable
        By every method, if the file of the users can't be read or written.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        lifetime: float,
        idle: float,
        cache_seconds: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts
        self._lifetime = lifetime
        self._idle = idle
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._cache: dict[str, tuple[Identity, float, float]] = {}

    @property
    def lifetime(self) -> float:
        """Seconds that a session can last."""
        return self._lifetime

    def open(self, identity: Identity) -> str:
        """Open a session and return its token."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock()
        self._accounts.execute(
            "DELETE FROM sessions WHERE expires <= ? OR used <= ?", now, now - self._idle
        )
        self._cache.clear()  # of those that have ended; the others are read again
        self._accounts.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?)",
            token_digest(token),
            identity.name,
            now + self._lifetime,
            now,
        )
        return token

    def identify(self, token: str, *, use: bool = True) -> Identity | None:
        """Say whose session it is, if it is good.

        Parameters
        ----------
        token : str
        use : bool
            Whether somebody does something; what the page asks by itself keeps no session alive.
        """
        key, now = token_digest(token), self._clock()
        cached = self._cache.get(key)
        if cached is not None and cached[2] > now and not (use and now - cached[1] >= _STEP):
            return cached[0]
        self._cache.pop(key, None)
        rows = self._accounts.execute(
            "SELECT users.name, users.role, expires, used FROM sessions JOIN users USING (name)"
            " WHERE digest = ? AND expires > ? AND used > ? AND NOT disabled",
            key,
            now,
            now - self._idle,
        )
        if not rows:
            return None
        name, role, expires, used = rows[0]
        if use and now - used >= _STEP:
            self._accounts.execute("UPDATE sessions SET used = ? WHERE digest = ?", now, key)
            used = now
        identity = Identity(name, role)
        until = min(now + self._cache_seconds, expires, used + self._idle)
        self._cache[key] = identity, used, until
        return identity

    def close(self, token: str) -> None:
        """End a session, at once."""
        key = token_digest(token)
        self._cache.pop(key, None)
        self._accounts.execute("DELETE FROM sessions WHERE digest = ?", key)
