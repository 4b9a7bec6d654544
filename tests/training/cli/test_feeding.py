"""Calls that come at a pace: each once, their notes growing, in order of time."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from data.call import Call
from training.cli.feeding import feed


class Enough(Exception):
    pass


def run(n: int, **more: object) -> tuple[list[Call], list[float]]:
    """Feed until so many were sent; returns them, and how long after the start each was."""
    sent: list[Call] = []
    at: list[float] = []
    clock = 0.0

    def send(call: Call) -> None:
        if len(sent) == n:
            raise Enough
        sent.append(call)
        at.append(clock)

    def sleep(seconds: float) -> None:
        nonlocal clock
        assert seconds > 0
        clock += seconds

    given = {"pace": 4.0, "at_once": 5, "seed": 1, **more}
    with contextlib.suppress(Enough):
        feed(send, sleep=sleep, **given)  # type: ignore[arg-type]
    return sent, at


def test_some_are_there_at_once_and_the_rest_comes_at_the_pace() -> None:
    sent, at = run(250)
    assert at[:5] == [0.0] * 5
    assert at[5] > 0
    assert at == sorted(at)
    calls = len({call.call_id for call in sent})
    assert 3.0 < at[-1] / calls < 5.0


def test_notes_grow_by_one_revision_and_never_shrink_in_number() -> None:
    sent, _ = run(250)
    revisions: dict[str, list[int]] = {}
    for call in sent:
        revisions.setdefault(call.call_id, []).append(call.revision)
        assert call.call_id.startswith("DEMO-")
        assert (datetime.now(UTC) - call.received_at).total_seconds() < 60
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in revisions.values())
    assert any(len(numbers) > 1 for numbers in revisions.values())


def test_the_same_seed_sends_the_same_words() -> None:
    words = [[call.narrative for call in run(40, seed=seed)[0]] for seed in (3, 3, 4)]
    assert words[0] == words[1] != words[2]
