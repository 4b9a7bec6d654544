"""Recomputes logged assessments from their records and the releases that they name.

An entry holds what was predicted and recommended, and names its release by digest; its personal
text holds the call as it was, what was known of its premise, and the grounds. A release is data and
its digest covers all of it, so that the two give the same assessment again, however many releases
came after. Numbers agree to 1e-9, which leaves room for another processor's arithmetic and for
nothing else; codes, sentences and places agree to the letter.

What a record of old does not hold can't be compared: it knew no facts, or no questions. What only
the log knows as a whole is taken from the record: whether the revision led, the mode, and what was
withheld.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from data.call import Call
from data.errors import InputError
from model_service.model.assess import assess
from model_service.model.release import (
    MANIFEST,
    MAX_MANIFEST,
    NAME_LENGTH,
    Release,
    ReleaseError,
    load_release,
)
from model_service.service import views
from model_service.service.log.entry import Entry, canonical, stamp
from model_service.service.log.private import Broken
from model_service.service.log.reading import MAX_PAGE, Reader

TOLERANCE = 1e-9
"""What numbers may differ by."""

Verdict = Literal["agrees", "differs", "no_release", "erased", "not_asked"]
"""What came of an assessment.

`agrees` the record and the release give the same again; `differs` they do not, or the record does
not fit itself; `no_release` the release that it names is not there, or is not what it was; `erased`
what was said is gone, so that nobody can recompute it; `not_asked` the service was off and no model
was asked, and what the entry says of its release is right.
"""

_MAY_LACK = frozenset(["awaiting", "facts", "questions", "eido"])
"""Parts that records of old do not hold."""

_KEPT = 3  # releases; a large one takes a hundred megabytes

Open = Callable[[], contextlib.AbstractContextManager[Reader]]


class Replayed(NamedTuple):
    """What came of one assessment; nothing personal.

    Parameters
    ----------
    seq : int
    assessment_id, call_id : str or None
    verdict : str
    parts : tuple of str
        What differs, where something does.
    why : str or None
        Why its release can't be used, where it can't.
    """

    seq: int
    assessment_id: str | None
    call_id: str | None
    verdict: Verdict
    parts: tuple[str, ...] = ()
    why: str | None = None


@dataclass(frozen=True)
class Asked:
    """Which assessments to recompute; whatever is None lets every one through.

    Parameters
    ----------
    since, until : datetime, optional
        Bounds of the time of the assessment; `until` is left out itself.
    call_id, assessment_id : str, optional
    """

    since: datetime | None = None
    until: datetime | None = None
    call_id: str | None = None
    assessment_id: str | None = None

    @property
    def few(self) -> bool:
        """Whether one call or one assessment is asked for."""
        return self.call_id is not None or self.assessment_id is not None

    def takes(self, entry: Entry) -> bool:
        """Say whether an assessment is asked for."""
        return (
            (self.since is None or entry.at >= stamp(self.since))
            and (self.until is None or entry.at < stamp(self.until))
            and self.call_id in (None, entry.call_id)
            and self.assessment_id in (None, entry.assessment_id)
        )


class Shelf:
    """Releases, found by digest.

    Their digests are checked and not who signed them: the record that names a release says what is
    in it to the byte.

    Parameters
    ----------
    places : sequence of Path
        Folders that hold releases, or are one; what is not there is passed over.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = tuple(places)
        self._folders: dict[str, list[Path]] | None = None
        self._loaded: OrderedDict[str, Release] = OrderedDict()
        self._refused: dict[str, str] = {}

    def release(self, digest: str) -> Release:
        """Find a release, whole and as it was.

        Parameters
        ----------
        digest : str
            All of it, in hex.

        Raises
        ------
        ReleaseError
            If it is nowhere, or was changed.
        """
        if digest in self._refused:
            raise ReleaseError(self._refused[digest])
        if digest not in self._loaded:
            try:
                self._loaded[digest] = self._load(digest)
            except ReleaseError as error:
                self._refused[digest] = str(error)
                raise
            if len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(digest)
        return self._loaded[digest]

    def _load(self, digest: str) -> Release:
        if self._folders is None:
            self._folders = self._find()
        name = digest[:NAME_LENGTH]
        reason = f"release {name} is not there"
        if any((place / name).is_dir() for place in self._places):
            reason = f"release {name} was changed: its manifest is another one"
        for folder in self._folders.get(digest, []):
            try:
                return load_release(folder, trusted=None)
            except ReleaseError as error:
                reason = str(error)
        raise ReleaseError(reason)

    def _find(self) -> dict[str, list[Path]]:
        """Digest every manifest at hand, whatever its folder is called."""
        found: dict[str, list[Path]] = {}
        for place in self._places:
            for manifest in [place / MANIFEST, *sorted(place.glob(f"*/{MANIFEST}"))]:
                with contextlib.suppress(OSError), manifest.open("rb") as file:
                    digest = hashlib.sha256(file.read(MAX_MANIFEST + 1)).hexdigest()
                    found.setdefault(digest, []).append(manifest.parent)
        return found


class Part(NamedTuple):
    """One part of an assessment: as the record has it, and as it was made again.

    Parameters
    ----------
    name : str
    recorded, made
        As JSON has them; None where there is none.
    agrees : bool
        To `TOLERANCE`, all else to the letter; also where a record of old lacks the part.
    """

    name: str
    recorded: Any
    made: Any
    agrees: bool


class Compared(NamedTuple):
    """One assessment beside what its record and its release give again.

    Parameters
    ----------
    verdict : str
    parts : tuple of Part
        None of what was erased, or lacks its release.
    why : str or None
        Why its release can't be used, where it can't.
    """

    verdict: Verdict
    parts: tuple[Part, ...] = ()
    why: str | None = None


def compare(entry: Entry, private: Mapping[str, bytes], shelf: Shelf, *, erased: bool) -> Compared:
    """Recompute one assessment, and put it beside its record; the log is not asked.

    Parameters
    ----------
    entry : Entry
    private : mapping of str to bytes
        Its personal text that is still there.
    shelf : Shelf
    erased : bool
        Whether the log tells that text of it was erased.
    """
    if erased and views.CALL not in private:
        return Compared("erased")
    try:
        parts = _side_by_side(entry.content(), private, shelf)
    except ReleaseError as error:
        return Compared("no_release", why=str(error))
    except (ValueError, TypeError, LookupError, AttributeError):
        return Compared("differs", (Part("record", None, None, False),))
    return Compared(_verdict(entry.content(), parts), parts)


def replay(opened: Open, shelf: Shelf, asked: Asked | None = None) -> Iterator[Replayed]:
    """Recompute assessments, in the order of the log; those that come in meanwhile are left out.

    The log is read a page at a time, each with a connection of its own moment, so that a service
    that writes to it is never held up, however long this takes.

    Parameters
    ----------
    opened : callable
        Opens the log for reading, again and again.
    shelf : Shelf
    asked : Asked, optional
        All, if not given.

    Yields
    ------
    Replayed

    Raises
    ------
    LogUnavailable, UnreadableLog
        If the log can't be read.
    """
    asked = asked or Asked()
    after, end = 0, None
    while end is None or after < end:
        with opened() as reader:
            page = _page(reader, asked, after)
            if end is None:
                newest = reader.last("assessment")
                end = 0 if newest is None else newest.seq
            for entry in page:
                if entry.seq <= end and asked.takes(entry):
                    yield _replayed(reader, entry, shelf, opened)
        after = page[-1].seq if page and not asked.few else end


def _page(reader: Reader, asked: Asked, after: int) -> list[Entry]:
    if asked.assessment_id is not None:
        one = reader.assessment(asked.assessment_id)
        return [] if one is None else [one]
    if asked.call_id is not None:
        return sorted(reader.assessments(asked.call_id))
    return reader.page(after=after, limit=MAX_PAGE, kind="assessment")


def _replayed(reader: Reader, entry: Entry, shelf: Shelf, opened: Open) -> Replayed:
    about = (entry.seq, entry.assessment_id, entry.call_id)
    try:
        try:
            return Replayed(*about, *_compared(reader, entry, shelf))
        except Broken:  # unless it was erased since this page was opened
            with opened() as fresh:
                return Replayed(*about, *_compared(fresh, entry, shelf))
    except ReleaseError as error:
        return Replayed(*about, "no_release", why=str(error))
    except Broken:
        return Replayed(*about, "differs", ("text",))
    except InputError:  # the log or its keys can't be read at all
        raise
    except (ValueError, TypeError, LookupError, AttributeError):
        # No entry of ours: whatever a changed record holds must not stop the others.
        return Replayed(*about, "differs", ("record",))


def _compared(reader: Reader, entry: Entry, shelf: Shelf) -> tuple[Verdict, tuple[str, ...]]:
    body, private = entry.content(), reader.private(entry)
    if views.CALL not in private and reader.erased(entry, private) is not None:
        return "erased", ()
    parts = _side_by_side(body, private, shelf)
    return _verdict(body, parts), tuple(part.name for part in parts if not part.agrees)


def _verdict(body: Mapping[str, Any], parts: Sequence[Part]) -> Verdict:
    if not all(part.agrees for part in parts):
        return "differs"
    return "not_asked" if body.get("mode") == "off" else "agrees"


def _side_by_side(
    body: Mapping[str, Any], private: Mapping[str, bytes], shelf: Shelf
) -> tuple[Part, ...]:
    release = shelf.release(body["model"]["digest"])
    recorded, made = _parts(body, private), _parts(*_made(body, private, release))
    return tuple(
        Part(
            name,
            value,
            made[name],
            (value is None and name in _MAY_LACK) or agree(value, made[name]),
        )
        for name, value in recorded.items()
    )


def _made(
    body: Mapping[str, Any], private: Mapping[str, bytes], release: Release
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Make the body and the personal text of an entry anew, from the call in its record."""
    call = Call.model_validate_json(private[views.CALL])
    made: dict[str, bytes] = {}
    assessment = None
    if body.get("mode") != "off":
        history = release.scorer.history
        counts = None
        if history is not None:
            known = orjson.loads(private[views.HISTORY])
            counts = known and tuple(known[column] for column in history.columns)
            made[views.HISTORY] = views.history_bytes(history, counts)
        assessment = assess(release, call, counts, free=body.get("free"))
        assert assessment.explanation is not None
        made[views.GROUNDS] = views.grounds_bytes(assessment)
        made[views.EXPLANATION] = views.explanation_bytes(assessment.explanation)
    again = views.assessment_body(
        release,
        assessment,
        leads=body["leads"],
        mode=body.get("mode", "advisory"),
        withheld=body.get("withheld"),
        hold_back=body.get("hold_back"),
        free=body.get("free", {}),
    )
    return orjson.loads(canonical(again)), made


def _parts(body: Mapping[str, Any], private: Mapping[str, bytes]) -> dict[str, Any]:
    """Take an assessment apart into what is compared."""
    given = views.recommendation_view(body, private) or {}
    texts = {
        name: orjson.loads(private[name])
        for name in (views.GROUNDS, views.EXPLANATION, views.HISTORY)
        if name in private
    }
    grounds = ("bands", "unserved", "reasons", "disqualifiers", "awaiting", "facts")
    return {
        "prediction": body["prediction"],
        "recommendation": {name: value for name, value in given.items() if name not in grounds},
        **{name: given.get(name) for name in grounds},
        "questions": texts.get(views.GROUNDS, {}).get("questions"),
        "explanation": texts.get(views.EXPLANATION),
        "history": texts.get(views.HISTORY),
        **{name: body.get(name) for name in ("thresholds", "model", "plan", "eido")},
    }


def agree(recorded: Any, made: Any) -> bool:
    """Say whether what a record holds is what was made again, in all that it holds.

    Numbers agree to `TOLERANCE`, everything else to the letter. Fields that only the newer of the
    two has are passed over: records of old know less.

    Examples
    --------
    >>> agree({"a": [0.1, "x"]}, {"a": [0.1 + 1e-12, "x"], "b": 1})
    True
    >>> agree([1], [1, 2]), agree(1, True)
    (False, False)
    """
    if isinstance(recorded, dict):
        return isinstance(made, dict) and all(
            name in made and agree(value, made[name]) for name, value in recorded.items()
        )
    if isinstance(recorded, list):
        return (
            isinstance(made, list)
            and len(recorded) == len(made)
            and all(agree(one, other) for one, other in zip(recorded, made, strict=True))
        )
    if isinstance(recorded, float) and isinstance(made, float):
        return abs(recorded - made) <= TOLERANCE
    return type(recorded) is type(made) and bool(recorded == made)
