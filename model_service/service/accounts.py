"""Who there is: users with their passwords, and the tokens of those who signed in.

The consoles' sessions lie in the same file (`sessions.py`).

Passwords are kept as Argon2 hashes, tokens as SHA-256: neither can be read back from the file.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import apsw
from pwdlib import PasswordHash

from data.errors import InputError
from model_service.service.database import connect

Role = Literal["dispatcher", "supervisor", "auditor", "data_scientist", "cad", "administrator"]
ROLES: tuple[str, ...] = get_args(Role)

TOKEN_BYTES = 32
MAX_PASSWORD = 1024
"""Characters that are looked at; no password that was made here is as long."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PASSWORD_BYTES = 15
_CACHED_TOKENS = 10_000
_WAITING_SIGN_INS = 64

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    name     TEXT PRIMARY KEY,
    role     TEXT NOT NULL,
    password TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created  REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    digest  TEXT PRIMARY KEY,
    name    TEXT NOT NULL REFERENCES users (name),
    created REAL NOT NULL,
    expires REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS tokens_name ON tokens (name);
CREATE TABLE IF NOT EXISTS sessions (
    digest  TEXT PRIMARY KEY,
    name    TEXT NOT NULL REFERENCES users (name),
    expires REAL NOT NULL,
    used    REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_name ON sessions (name);
CREATE TABLE IF NOT EXISTS failures (name TEXT NOT NULL, at REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_name ON failures (name, at);
"""


class AccountError(InputError):
    """A user that can't be added or is not there."""


class AccountsUnavailable(Exception):
    """The users can't be read or written now."""


class LockedOut(Exception):
    """Too many failed sign-ins of one name.

    Attributes
    ----------
    seconds : int
        Until the next attempt is heard.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"locked for {seconds} s")
        self.seconds = seconds


class SignInBusy(Exception):
    """Too many sign-ins wait for their turn."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has signed in."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class User:
    """A user as the list shows one."""

    name: str
    role: Role
    disabled: bool
    locked: bool


def check_name(name: str) -> None:
    """Refuse what can be no user's name.

    Raises
    ------
    AccountError
    """
    if not _NAME.fullmatch(name):
        raise AccountError(
            "a user's name is 1 to 64 lower-case letters, digits, dots, dashes or underscores"
        )


def token_digest(token: str) -> str:
    """Digest a token: what is stored of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _name_digest(name: str) -> str:
    # People type passwords into the field for the name; no such thing may stay in a file.
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


class Accounts:
    """Users and tokens, in one SQLite file.

    Parameters
    ----------
    path : Path
    lifetime : float
        Seconds that a token is good for.
    cache_seconds : float
        A verified token is not looked up again for this long.
    failures, window : int, float
        So many failed sign-ins of a name within so many seconds lock it.
    busy_timeout_ms : int
    hasher : PasswordHash, optional
        Argon2 with its recommended cost if not given.
    clock : callable
        Seconds since the epoch.

    Raises
    ------
    AccountsUnavailable
        By every method, if the file can't be read or written.
    """

    def __init__(
        self,
        path: Path,
        *,
        lifetime: float = 12 * 3600,
        cache_seconds: float = 2.0,
        failures: int = 5,
        window: float = 15 * 60,
        busy_timeout_ms: int = 500,
        hasher: PasswordHash | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._lifetime = lifetime
        self._cache_seconds = cache_seconds
        self._failures = failures
        self._window = window
        self._busy_timeout_ms = busy_timeout_ms
        self._hasher = hasher or PasswordHash.recommended()
        self._clock = clock
        self._connection: apsw.Connection | None = None
        self._cache: dict[str, tuple[Identity, float]] = {}
        self._decoy: str | None = None
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    def add(self, name: str, role: str) -> str:
        """Add a user and return the password that was made, which can't be shown again.

        Raises
        ------
        AccountError
            If the name or the role can't be used, or the name is taken.
        """
        check_name(name)
        if role not in ROLES:
            raise AccountError(f"no such role; the roles are {', '.join(ROLES)}")
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        hashed = self._hasher.hash(password)
        if self.execute("SELECT 1 FROM users WHERE name = ?", name):
            raise AccountError(f"user {name} is there already; `crisiscall users reset {name}`")
        self.execute(
            "INSERT INTO users (name, role, password, created) VALUES (?, ?, ?, ?)",
            name,
            role,
            hashed,
            self._clock(),
        )
        return password

    def users(self) -> list[User]:
        """List the users by name."""
        rows = self.execute("SELECT name, role, disabled FROM users ORDER BY name")
        return [
            User(name, role, bool(disabled), self._locked_for(name) > 0)
            for name, role, disabled in rows
        ]

    def disable(self, name: str) -> None:
        """Shut a user out and end all their sessions.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        self._require(name)
        self.execute("UPDATE users SET disabled = 1 WHERE name = ?", name)
        self._end_sessions(name)

    def reset(self, name: str) -> str:
        """Give a user a new password, end their sessions, and lift a lock or a disabling.

        Raises
        ------
        AccountError
            If there is no such user.
        """
        self._require(name)
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self.execute(
            "UPDATE users SET password = ?, disabled = 0 WHERE name = ?",
            self._hasher.hash(password),
            name,
        )
        self.execute("DELETE FROM failures WHERE name = ?", _name_digest(name))
        self._end_sessions(name)
        return password

    async def sign_in(self, name: str, password: str) -> Identity | None:
        """Check a password; it costs the same whether or not there is such a user.

        Slow on purpose (tens of milliseconds and 64 MiB), so that it happens in a thread, and for
        one sign-in at a time. An attempt counts as failed from its start until it has succeeded.

        Raises
        ------
        LockedOut
            After too many failures, whatever the password, whether or not there is such a user.
        SignInBusy
            If too many others wait.
        """
        if self._waiting >= _WAITING_SIGN_INS:
            raise SignInBusy
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await self._sign_in(name, password)
        finally:
            self._waiting -= 1

    async def _sign_in(self, name: str, password: str) -> Identity | None:
        locked = self._locked_for(name)
        if locked > 0:
            raise LockedOut(locked)
        now = self._clock()
        self.execute("DELETE FROM failures WHERE at <= ?", now - self._window)
        self.execute("INSERT INTO failures VALUES (?, ?)", _name_digest(name), now)
        active = "SELECT role, password FROM users WHERE name = ? AND NOT disabled"
        rows = self.execute(active, name)
        role, hashed = rows[0] if rows else (None, None)
        right = await asyncio.to_thread(self._verify, password, hashed)
        if not right or role is None:
            return None
        self.execute("DELETE FROM failures WHERE name = ?", _name_digest(name))
        return Identity(name, role)

    def _verify(self, password: str, hashed: str | None) -> bool:
        if hashed is None:
            if self._decoy is None:
                self._decoy = self._hasher.hash(secrets.token_urlsafe(_PASSWORD_BYTES))
            hashed = self._decoy
        return self._hasher.verify(password[:MAX_PASSWORD], hashed)

    def issue(self, identity: Identity) -> tuple[str, float]:
        """Make a token.

        Returns
        -------
        str, float
            The token, and the seconds that it is good for.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock()
        self.execute("DELETE FROM tokens WHERE expires <= ?", now)
        self.execute(
            "INSERT INTO tokens VALUES (?, ?, ?, ?)",
            token_digest(token),
            identity.name,
            now,
            now + self._lifetime,
        )
        return token, self._lifetime

    def identify(self, token: str) -> Identity | None:
        """Say whose token it is, if it is good; a few seconds old an answer may be."""
        key = token_digest(token)
        now = self._clock()
        cached = self._cache.get(key)
        if cached is not None and cached[1] > now:
            return cached[0]
        self._cache.pop(key, None)
        rows = self.execute(
            "SELECT users.name, users.role, tokens.expires FROM tokens JOIN users USING (name)"
            " WHERE digest = ? AND expires > ? AND NOT disabled",
            key,
            now,
        )
        if not rows:
            return None
        name, role, expires = rows[0]
        if len(self._cache) >= _CACHED_TOKENS:
            self._cache.clear()
        identity = Identity(name, role)
        self._cache[key] = identity, min(now + self._cache_seconds, expires)
        return identity

    def revoke(self, token: str) -> None:
        """Make a token worthless, at once."""
        key = token_digest(token)
        self._cache.pop(key, None)
        self.execute("DELETE FROM tokens WHERE digest = ?", key)

    def probe(self) -> None:
        """Find out whether the users can be read."""
        self.execute("SELECT 1 FROM users LIMIT 1")

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(force=True)

    def execute(self, sql: str, *values: str | float) -> list[tuple[Any, ...]]:
        """Run a statement on the file; for what keeps its own table there."""
        try:
            if self._connection is None:
                connection = connect(self._path, busy_timeout_ms=self._busy_timeout_ms, create=True)
                connection.execute(_SCHEMA)
                self._connection = connection
            return self._connection.execute(sql, values).fetchall()
        except (apsw.Error, OSError) as error:
            self.close()
            kind = type(error).__name__.removesuffix("Error").lower()
            raise AccountsUnavailable(f"the users can't be read ({kind})") from error

    def _require(self, name: str) -> None:
        if not self.execute("SELECT 1 FROM users WHERE name = ?", name):
            raise AccountError("no such user; `crisiscall users list` shows those there are")

    def _end_sessions(self, name: str) -> None:
        self.execute("DELETE FROM tokens WHERE name = ?", name)
        self.execute("DELETE FROM sessions WHERE name = ?", name)
        self._cache = {k: v for k, v in self._cache.items() if v[0].name != name}

    def _locked_for(self, name: str) -> int:
        now = self._clock()
        times = self.execute(
            "SELECT at FROM failures WHERE name = ? AND at > ? ORDER BY at DESC LIMIT ?",
            _name_digest(name),
            now - self._window,
            self._failures,
        )
        if len(times) < self._failures:
            return 0
        oldest: float = times[-1][0]
        return max(1, math.ceil(oldest + self._window - now))
