"""Synthetic calls that come to a running service as from a CAD system, at a set pace."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx

from data.call import Call
from data.frame import to_calls
from data.sources.synthetic import synthesize

DRAWN = 100
"""Calls that are made at a time."""

CRISES = 0.5
"""Share of crises: far more than a centre has, so that there is something to see."""

GROWS = 1.5
"""Gaps after which a call's notes grow."""


class Caller:
    """Somebody who is signed in to send calls.

    Parameters
    ----------
    base : str
        The service's address.
    user, password : str
    """

    def __init__(self, base: str, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=base, timeout=10)
        self._form = {"username": user, "password": password}

    def send(self, call: Call) -> None:
        """Send a call; one that the service can't take now is lost, as the next one comes."""
        try:
            answer = self._post(call)
            if answer.status_code == 401:
                token = self._client.post("/v1/token", data=self._form).raise_for_status().json()
                self._client.headers["Authorization"] = f"Bearer {token['access_token']}"
                self._post(call)
        except httpx.HTTPError:
            return

    def _post(self, call: Call) -> httpx.Response:
        return self._client.post(
            "/v1/assessments",
            content=call.model_dump_json(exclude_none=True),
            headers={"Content-Type": "application/json"},
        )


def invented(seed: int) -> Iterator[list[Call]]:
    """Make calls without end, each with the revisions in which its notes grow."""
    for number in itertools.count(seed):
        made = to_calls(synthesize(DRAWN, seed=number, crisis_share=CRISES).calls)
        revisions: dict[str, list[Call]] = {}
        for call in made:
            revisions.setdefault(call.call_id, []).append(call)
        for calls in revisions.values():
            yield sorted(calls, key=lambda call: call.revision)


def feed(
    send: Callable[[Call], None],
    *,
    pace: float,
    at_once: int,
    seed: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send calls until interrupted.

    Parameters
    ----------
    send : callable
    pace : float
        Seconds between two calls on average; their notes grow in between.
    at_once : int
        Calls that are there from the start.
    seed : int, optional
        The same seed, the same calls; the time of day if not given.
    sleep : callable
        Waits so many seconds.
    """
    stamp = datetime.now(UTC)
    drawn = int(stamp.timestamp()) % 1_000_000 if seed is None else seed
    chance = random.Random(drawn)
    moment = 0.0
    waiting: list[tuple[float, int, Call]] = []  # what is to be sent when
    count = itertools.count()
    for number, calls in enumerate(invented(drawn), 1):
        gap = 0.0 if number <= at_once else chance.expovariate(1 / pace)
        coming = moment + gap
        name = f"DEMO-{stamp:%Y%m%d%H%M%S}-{number}"
        for revision, call in enumerate(calls):
            grown = {"call_id": name, "revision": revision + 1}
            due = coming + revision * GROWS * pace
            heapq.heappush(waiting, (due, next(count), call.model_copy(update=grown)))
        while waiting and waiting[0][0] <= coming:
            due, _, call = heapq.heappop(waiting)
            if due > moment:
                sleep(due - moment)
                moment = due
            send(call.model_copy(update={"received_at": datetime.now(UTC)}))
