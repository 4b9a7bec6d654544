"""Requests that are sent again: one key, one entry, one answer.

A client that does not know whether its request arrived sends it again with the same
`Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header). The key's digest is part of the
entry, so that it holds across restarts and for as long as the log. A key is its user's: the same
key of another user is another key. It is digested under a secret that lies with the record keys,
since it may be anything, a phone number too, that could be guessed from a bare digest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple
from weakref import WeakValueDictionary

from model_service.service.accounts import Identity
from model_service.service.log import DecisionLog, Entry
from model_service.service.problems import Problem


class Asked(NamedTuple):
    """What is known of a request's key.

    Parameters
    ----------
    part : dict of str to str
        What the entry of the request's body holds of the key; empty without one.
    first : Entry or None
        The entry that the key was used for before.
    """

    part: dict[str, str]
    first: Entry | None


class Retries:
    """The idempotency keys that were used.

    Parameters
    ----------
    log : DecisionLog
    """

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def once(self, who: Identity, key: str | None) -> AsyncIterator[Asked]:
        """Keep the requests of one key apart: the second waits for what the first leaves.

        Parameters
        ----------
        who : Identity
        key : str or None
            As it stands in the header; quotes around it make no other key.

        Raises
        ------
        LogUnavailable
        """
        if key is None:
            yield Asked({}, None)
            return
        name = self._log.digest_of_key(who.name, key.strip('"'))
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield Asked({"idempotency": name}, self._log.read.asked(name))


def reused() -> Problem:
    """Make the 422 for a key that came with another request before."""
    return Problem(
        422,
        "idempotency-key-reused",
        "idempotency key reused",
        "this Idempotency-Key came with another request before; make a new one for each",
    )
