"""What an entry is, its canonical bytes and its digest.

The digest of an entry is the SHA-256 of its canonical JSON: keys sorted, no spaces, UTF-8, the
body as the bytes that are stored. It covers the digest of the entry before, so that no entry can
be changed, left out, put in or moved without every later digest changing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args

import orjson

Kind = Literal[
    "assessment",
    "decision",
    "decision_refused",
    "outcome",
    "release",
    "mode",
    "units",
    "sign_in",
    "sign_out",
    "narratives_read",
    "erasure",
]
"""What happened.

`assessment` the model and the plan were asked; `decision` a person decided; `decision_refused` a
decision that was kept while the log could not be written turned out not to fit its assessment;
`outcome` the world's verdict came in; `release` a release came into force; `mode` somebody switched
what the service may do; `units` it was reported how many units of a response are free; `sign_in`
and `sign_out` of a person; `narratives_read` somebody takes narratives out of the log; `erasure`
personal text of entries was destroyed.
"""

KINDS: tuple[str, ...] = get_args(Kind)

GENESIS = "0" * 64
"""What stands for the digest before the first entry."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has a place in the log.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    actor : str
        User that caused it, or `service`.
    body : mapping
        What happened; nothing personal. Digests of `private` are added under that name.
    call_id, revision, assessment_id
        What it is about.
    private : mapping of name to bytes
        Personal text, kept apart from the chain.
    at : datetime, optional
        Now, if not given.
    """

    kind: Kind
    actor: str
    body: Mapping[str, Any]
    call_id: str | None = None
    revision: int | None = None
    assessment_id: str | None = None
    private: Mapping[str, bytes] = field(default_factory=dict)
    at: datetime | None = None


class Entry(NamedTuple):
    """An entry as it is stored; the fields are the columns."""

    seq: int
    at: str
    kind: str
    call_id: str | None
    revision: int | None
    assessment_id: str | None
    actor: str
    body: str
    previous: str
    digest: str

    def content(self) -> dict[str, Any]:
        """Parse the body."""
        content: dict[str, Any] = orjson.loads(self.body)
        return content


def now() -> datetime:
    """Tell the UTC time, to the millisecond."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def stamp(time: datetime) -> str:
    """Write a UTC time as the log does.

    Examples
    --------
    >>> stamp(datetime(2021, 8, 1, 9, 30, tzinfo=UTC))
    '2021-08-01T09:30:00.000Z'
    """
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def content(entry: Entry) -> bytes:
    """Write the canonical JSON of an entry: the bytes that its digest is made of."""
    fields: dict[str, Any] = entry._asdict()
    del fields["digest"]
    fields["body"] = orjson.Fragment(entry.body)
    return canonical(fields)


def canonical(value: Any) -> bytes:
    """Write JSON with sorted keys and no spaces: the same value gives the same bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(
    seq: int,
    at: str,
    kind: str,
    call_id: str | None,
    revision: int | None,
    assessment_id: str | None,
    actor: str,
    body: str | bytes,
    previous: str,
) -> str:
    """Digest an entry, as 64 hexadecimal digits.

    Examples
    --------
    >>> digest(1, "2021-08-01T09:30:00.000Z", "release", None, None, None, "service", "{}",
    ...        GENESIS)[:16]
    'caaf2068ffc73d48'
    """
    entry = {
        "seq": seq,
        "at": at,
        "kind": kind,
        "call_id": call_id,
        "revision": revision,
        "assessment_id": assessment_id,
        "actor": actor,
        "body": orjson.Fragment(body),
        "previous": previous,
    }
    return hashlib.sha256(canonical(entry)).hexdigest()
