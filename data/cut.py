"""Narratives cut at dispatch: what was written after a unit was sent is no part of the call.

Remarks in CAD grow while the call lives, and an export holds them all: what the caller said, then
what the units found. A model that learns from the latter learns the answer. The cut works in two
ways, and either may be used alone:

- by time: lines that begin with a time later than that of dispatch are cut (where the export says
  when that was);
- by words: from the first segment on that a rule of `cut.yaml` finds, the rest is cut.

A cut can go wrong both ways: too little leaves a leak, too much loses the knife. So a mapping must
ask for it, and what was cut is counted by rule; its text is never reported.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, ValidationError

from data.document import DocumentError, read_document
from data.errors import InputError
from data.labelling import Part

AFTER_STAMP = "after dispatch by its time"
"""The name under which lines are counted that were cut by their time."""

_UNBOUNDED = re.compile(r"[*+]|\{\d{0,9},\}|\(\?[=!<P]|\)\{|\\[1-9]")
_CLASS_OR_ESCAPE = re.compile(r"\\[^1-9]|\[(?:\\.|[^\]\\])*\]")
_MOST = re.compile(r"\{(?:\d{1,9},)?(\d{1,9})\}")
MAX_REPEAT = 40


class CutError(InputError):
    """Rules of a cut that can't be used."""


def _bounded(pattern: str) -> str:
    """Refuse what could cost more than a bounded time at each character."""
    bare = _CLASS_OR_ESCAPE.sub("x", pattern)
    if _UNBOUNDED.search(bare) or any(int(n) > MAX_REPEAT for n in _MOST.findall(bare)):
        raise ValueError(
            "a pattern of a cut takes no *, +, {n,}, look-around or back-reference, no number "
            f"above {MAX_REPEAT}, and behind a group only ?"
        )
    return pattern


Bounded = Annotated[str, AfterValidator(_bounded)]


class CutRule(Part):
    """One kind of words that are only written after dispatch.

    Parameters
    ----------
    name : str
        Under which it is counted.
    starts : str, optional
        Pattern that a segment begins with.
    pattern : str, optional
        Pattern that may stand anywhere in it.
    unless : str, optional
        Pattern that keeps the segment after all.
    despite_report : bool
        Cut even where `unless_anywhere` or `unless_before` would keep the segment.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    starts: Bounded | None = None
    pattern: Bounded | None = None
    unless: Bounded | None = None
    despite_report: bool = False


class CutDocument(Part):
    """What `cut.yaml` holds."""

    words: dict[Annotated[str, Field(pattern=r"^[a-z]{1,20}$")], Bounded] = {}
    unless_anywhere: list[Bounded] = []
    unless_before: list[Bounded] = []
    rules: list[CutRule]


class _Compiled(NamedTuple):
    name: str
    find: re.Pattern[str]
    unless: re.Pattern[str] | None
    despite_report: bool


@dataclass(frozen=True)
class CutRules:
    """Rules ready for use, with the SHA-256 of what they were read from."""

    digest: str
    rules: tuple[_Compiled, ...]
    anywhere: tuple[re.Pattern[str], ...]
    before: tuple[re.Pattern[str], ...]

    def find(self, segment: str) -> str | None:
        """Name the rule that finds a segment to be written after dispatch, or None."""
        for rule in self.rules:
            match = rule.find.search(segment)
            if match is None or (rule.unless is not None and rule.unless.search(segment)):
                continue
            if not rule.despite_report and (
                any(pattern.search(segment) for pattern in self.anywhere)
                or any(pattern.search(segment, 0, match.start()) for pattern in self.before)
            ):
                continue
            return rule.name
        return None


def compile_rules(
    text: str, *, extra: Sequence[CutRule] = (), without: Sequence[str] = ()
) -> CutRules:
    """Make rules of a YAML document.

    Parameters
    ----------
    text : str
        As `cut.yaml`.
    extra : sequence of CutRule
        An agency's own, asked first.
    without : sequence of str
        Names of rules of the document to leave out.

    Raises
    ------
    CutError
        If the document can't be used; the message names the rule.
    """
    try:
        document = CutDocument.model_validate(read_document(text))
    except DocumentError as error:
        raise CutError(f"the rules of the cut are {error}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        raise CutError(f"the rules of the cut: {where}: {what}") from None
    unknown = sorted(set(without) - {rule.name for rule in document.rules})
    if unknown:
        raise CutError(f"the rules of the cut: there is no rule {unknown[0]!r} to leave out")

    def regex(pattern: str, name: str) -> re.Pattern[str]:
        for word, meaning in document.words.items():
            pattern = pattern.replace(f"<{word}>", f"(?:{meaning})")
        try:
            return re.compile(pattern)
        except re.error:
            raise CutError(f"the rules of the cut: {name}: not a regular expression") from None

    compiled = []
    for rule in (*extra, *document.rules):
        if rule.name in without and rule not in extra:
            continue
        if (rule.starts is None) == (rule.pattern is None):
            raise CutError(f"the rules of the cut: {rule.name}: give either starts or pattern")
        find = f"^(?:{rule.starts})" if rule.starts is not None else str(rule.pattern)
        unless = None if rule.unless is None else regex(rule.unless, rule.name)
        compiled.append(_Compiled(rule.name, regex(find, rule.name), unless, rule.despite_report))
    told = [text, *(rule.model_dump_json() for rule in extra), *sorted(without)]
    return CutRules(
        hashlib.sha256("\0".join(told).encode()).hexdigest(),
        tuple(compiled),
        tuple(regex(pattern, "unless_anywhere") for pattern in document.unless_anywhere),
        tuple(regex(pattern, "unless_before") for pattern in document.unless_before),
    )


def _standard_text() -> str:
    return (resources.files("data") / "cut.yaml").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def standard_rules() -> CutRules:
    """Read the rules that the project ships."""
    return compile_rules(_standard_text())


class CutSettings(Part):
    """What a mapping says of the cut of its narratives."""

    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    words: Literal["standard", "none"] = "standard"
    without: list[str] = []
    extra: list[CutRule] = []

    def compile(self) -> CutRules:
        """Make the rules; `words: none` leaves only the extra ones and the times."""
        if self.words == "none":
            return compile_rules("rules: []", extra=self.extra)
        return compile_rules(_standard_text(), extra=self.extra, without=self.without)


@dataclass(frozen=True)
class Cut:
    """A narrative in two parts.

    Parameters
    ----------
    kept : str
        What was written before dispatch.
    removed : str
        The rest. It tells the outcome: of use for a label, never for a feature.
    rules : tuple of str
        What found it.
    """

    kept: str
    removed: str = ""
    rules: tuple[str, ...] = ()


@dataclass
class CutCount:
    """What was cut of many narratives, in figures alone."""

    digest: str
    narratives: int = 0
    cut: int = 0
    emptied: int = 0
    characters: int = 0
    removed: int = 0
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, result: Cut) -> None:
        """Count one narrative."""
        whole = len(result.kept) + len(result.removed)
        self.narratives += whole > 0
        self.characters += whole
        if result.rules:
            self.cut += 1
            self.emptied += not result.kept.strip()
            self.removed += len(result.removed)
            self.rules.update(result.rules)

    def as_manifest(self) -> dict[str, Any]:
        """Give the figures as the manifest holds them."""
        return {
            "rules_sha256": self.digest,
            "narratives": self.narratives,
            "narratives_cut": self.cut,
            "narratives_emptied": self.emptied,
            "characters": self.characters,
            "characters_cut": self.removed,
            "by_rule": dict(self.rules.most_common()),
        }


_DATE = r"(?:(?P<a>\d{1,4})[/-](?P<b>\d{1,2})(?:[/-](?P<c>\d{2,4}))?[ T,]{1,2})?"
_STAMP = re.compile(
    rf"[ \t\[(]{{0,3}}{_DATE}(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?(?!\d)"
)
_HEAD = re.compile(r"[\s\])>:;,.|/-]{0,8}")
_AUTHOR = re.compile(r"[\[(][^\])\n]{1,24}[\])][\s:;,-]{0,4}")
_BREAK = re.compile(r"(?<=[.;!?])\s|//|\||\n|\s--?\s|(?=[\[(]?(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)")


def cut(
    text: str,
    rules: CutRules,
    *,
    received_at: datetime | None = None,
    dispatched_at: datetime | None = None,
    newest_first: bool = False,
) -> Cut:
    r"""Cut a narrative at dispatch.

    Parameters
    ----------
    text : str
    rules : CutRules
    received_at, dispatched_at : datetime, optional
        In the agency's local time. With both, lines stamped later than dispatch are cut; a line
        without a stamp is as old as the one before it. Stamps count only if the first line that is
        not empty has one: then the narrative is a log, and a time is not something that was told.
    newest_first : bool
        Whether the newest line stands first.

    Returns
    -------
    Cut

    Examples
    --------
    >>> result = cut("MALE W KNIFE, SUICIDAL\n2A12 ON SCENE\nMALE IN CUSTODY", standard_rules())
    >>> result.kept, result.rules
    ('MALE W KNIFE, SUICIDAL', ('unit status',))
    >>> cut("caller says police were on scene yesterday", standard_rules()).rules
    ()
    """
    lines = text.splitlines(keepends=True)
    late: list[bool] = [False] * len(lines)
    found: list[str] = []
    if received_at is not None and dispatched_at is not None:
        late = _late(lines, received_at, dispatched_at)
        if any(late):
            found.append(AFTER_STAMP)
    order = range(len(lines) - 1, -1, -1) if newest_first else range(len(lines))
    # Of each line the first so many characters are kept.
    kept = [0 if late[number] else len(line) for number, line in enumerate(lines)]
    for position, number in enumerate(order):
        if late[number]:
            continue
        hit = _first(lines[number], rules)
        if hit is not None:
            kept[number], name = hit
            found.append(name)
            for other in order[position + 1 :]:
                kept[other] = 0
            break
    if not found:
        return Cut(text)
    left = "".join(line[:end] for line, end in zip(lines, kept, strict=True)).rstrip()
    gone = "".join(line[end:] for line, end in zip(lines, kept, strict=True)).strip()
    return Cut(left, gone, tuple(found))


def _first(line: str, rules: CutRules) -> tuple[int, str] | None:
    """Find the first segment of a line that was written after dispatch."""
    begin = 0
    ends = [match.span() for match in _BREAK.finditer(line)] + [(len(line), len(line))]
    for end, after in ends:
        segment = line[begin:end]
        if segment.strip():
            name = rules.find(_plain(segment))
            if name is not None:
                return begin, name
        begin = after
    return None


def _plain(segment: str) -> str:
    """Lower a segment and drop its time and author, as rules read it."""
    stamp = _STAMP.match(segment)
    begin = stamp.end() if stamp else 0
    for pattern in (_HEAD, _AUTHOR, _HEAD):
        match = pattern.match(segment, begin)
        begin = match.end() if match else begin
    words = segment[begin:].replace("\u2019", "'").casefold().split()
    return " ".join(words)


def _late(lines: list[str], received_at: datetime, dispatched_at: datetime) -> list[bool]:
    """Tell of each line whether it was written after dispatch, by its time."""
    first = next((line for line in lines if line.strip()), "")
    if _STAMP.match(first) is None:
        return [False] * len(lines)
    late, now = [], False
    # A stamp without seconds stands for its whole minute: that of dispatch itself is not later.
    minute = dispatched_at.replace(second=59, microsecond=0, tzinfo=None)
    to_second = dispatched_at.replace(microsecond=0, tzinfo=None)
    begin = received_at.replace(tzinfo=None)
    for line in lines:
        stamp = _STAMP.match(line)
        if stamp is not None:
            when = _when(stamp, begin)
            now = when is not None and when > (minute if stamp["s"] is None else to_second)
        late.append(now)
    return late


def _when(stamp: re.Match[str], begin: datetime) -> datetime | None:
    """Give the time of a stamp; without a date it is that within a day from just before `begin`."""
    clock = timedelta(hours=int(stamp["h"]), minutes=int(stamp["m"]), seconds=int(stamp["s"] or 0))
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    if stamp["a"] is None:
        when = midnight + clock
        # An hour's grace: clocks of telephone and CAD differ a little.
        return when if when >= begin - timedelta(hours=1) else when + timedelta(days=1)
    a, b = int(stamp["a"]), int(stamp["b"])
    c = None if stamp["c"] is None else int(stamp["c"])
    year, month, day = (a, b, c) if a > 31 else (c if c is not None else begin.year, a, b)
    if year is None or day is None:
        return None
    try:
        return datetime(year + 2000 if year < 100 else year, month, day) + clock
    except ValueError:
        return None
