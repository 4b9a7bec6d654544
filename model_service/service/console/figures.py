"""What the supervisor's page shows of a period: every figure with the calls behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from model_service.model.decision import OVERRIDE_REASONS
from model_service.service.asking import NO_DECISION, NO_NEIGHBORHOOD
from model_service.service.console.links import Asked, Figure, log_url
from model_service.service.console.period import Period, Piece
from model_service.service.console.tally import Counted, Tally
from model_service.service.console.uncertainty import Share, Spread, quartiles, wilson
from model_service.service.console.words import spoken
from model_service.service.log.entry import stamp

PLACES = 40
"""Neighbourhoods that are shown, those with most calls; it is told how many are left out."""

DECIDED = ("accept", "override", "commit")
ADVISED = ("accept", "override")
"""What can be decided where advice was shown."""

Takes = Callable[[Counted], bool]


class Rate(NamedTuple):
    """A part of some calls, with its interval, and where both are listed."""

    title: str
    part: Figure
    of: Figure
    share: Share


class Timed(NamedTuple):
    """How long the decisions took that ended in one way."""

    title: str
    of: Figure
    spread: Spread | None


class Series(NamedTuple):
    """One row of bars: a figure for each piece of the period."""

    title: str
    total: Figure
    figures: tuple[Figure, ...]
    group: str


class Row(NamedTuple):
    """One neighbourhood: its calls, what was recommended, and how often that was overridden."""

    title: str
    calls: Figure
    responses: tuple[Figure, ...]
    overridden: Rate


@dataclass(frozen=True)
class Figures:
    """Everything that is counted of a period."""

    calls: Figure
    decided: Rate
    overridden: Rate
    withheld: Rate
    unserved: Rate
    times: Timed
    pieces: tuple[Piece, ...]
    series: tuple[Series, ...]
    most: int
    responses: tuple[tuple[str, str], ...]
    places: tuple[Row, ...]
    places_left_out: int
    by_response: tuple[Rate, ...]
    reasons: tuple[Rate, ...]
    by_action: tuple[Timed, ...]
    longest: float
    missed: tuple[Rate, ...]
    withheld_why: tuple[Rate, ...]


class _Counting:
    """Counts calls of a period, and says where they are listed."""

    def __init__(self, calls: Sequence[Counted], period: Period) -> None:
        self.calls = calls
        self._period = period

    def figure(self, takes: Takes, **asked: Asked) -> Figure:
        n = sum(map(takes, self.calls))
        return Figure(n, self.href(**asked))

    def href(self, **asked: Asked) -> str:
        return log_url(self._period.since, self._period.until, calls=True, **asked)

    def rate(
        self,
        title: str,
        takes: Takes,
        asked: Mapping[str, Asked],
        of: Takes,
        of_asked: Mapping[str, Asked],
    ) -> Rate:
        whole = self.figure(of, **of_asked)
        part = self.figure(lambda call: of(call) and takes(call), **{**of_asked, **asked})
        return Rate(title, part, whole, wilson(part.n, whole.n))

    def timed(self, title: str, takes: Takes, **asked: Asked) -> Timed:
        times = [
            call.decided_ms / 1000
            for call in self.calls
            if takes(call) and call.decided_ms is not None
        ]
        return Timed(title, self.figure(takes, **asked), quartiles(times))


def figures_of(
    found: Tally, period: Period, names: Mapping[str, str], reasons: Mapping[str, str]
) -> Figures:
    """Count a period.

    Parameters
    ----------
    found : Tally
    period : Period
    names : mapping of str to str
        Responses of the plan in force → their names, in its order.
    reasons : mapping of str to str
        Why a response could not be sent → the same in words.
    """
    count = _Counting(found.calls, period)
    responses = _responses(found, names)
    overridden = _override_rate(count, "Overridden", _all)
    by_response = tuple(
        _override_rate(count, name, _recommended(code), recommendation=code)
        for code, name in responses
    )
    actions = (("Accepted", "accept"), ("Overridden", "override"), ("Committed", "commit"))
    by_action = tuple(
        timed
        for title, action in actions
        for timed in [count.timed(title, _decided(action), decision=action)]
        if timed.of.n
    )
    pieces = tuple(period.pieces())
    series = _series(found.calls, pieces, responses)
    places, left_out = _places(count, period, responses)
    return Figures(
        calls=count.figure(_all),
        decided=count.rate("Decided", _decided(*DECIDED), {"decision": DECIDED}, _all, {}),
        overridden=overridden,
        withheld=_withheld(count, "Withheld", *WITHHELD),
        unserved=_unserved(count, "Not served", reasons),
        times=count.timed("All", _decided(*DECIDED), decision=DECIDED),
        pieces=pieces,
        series=series,
        most=max((one.n for row in series for one in row.figures), default=0),
        responses=responses,
        places=places,
        places_left_out=left_out,
        by_response=tuple(rate for rate in by_response if rate.of.n),
        reasons=_reasons(count),
        by_action=by_action,
        longest=max((one.spread.upper for one in by_action if one.spread), default=0.0),
        missed=_missed(count, found.calls, dict(responses) | dict(names), reasons),
        withheld_why=tuple(
            rate
            for why, title in WITHHELD.items()
            for rate in [_withheld(count, title, why)]
            if rate.part.n
        ),
    )


WITHHELD = {
    "held_back": "Held back until decided",
    "shadow": "Shadow: recorded, not shown",
    "off": "Off: the model was not asked",
}


def _all(_: Counted) -> bool:
    return True


def _decided(*actions: str) -> Takes:
    return lambda call: call.action in actions


def _recommended(code: str) -> Takes:
    return lambda call: call.response == code


def _responses(found: Tally, names: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """List the responses that were recommended, in the order of the plan in force."""
    there = {call.response for call in found.calls} - {None}
    order = [*names, *sorted(found.names.keys() - names.keys())]
    return tuple((code, names.get(code) or found.names[code]) for code in order if code in there)


def _override_rate(count: _Counting, title: str, among: Takes, **asked: Asked) -> Rate:
    advised = _decided(*ADVISED)
    return count.rate(
        title,
        _decided("override"),
        {**asked, "decision": "override"},
        lambda call: among(call) and advised(call),
        {**asked, "decision": ADVISED},
    )


def _reasons(count: _Counting) -> tuple[Rate, ...]:
    override = _decided("override")
    found = Counter(call.reason for call in count.calls if override(call))
    return tuple(
        count.rate(
            spoken(reason),
            lambda call, reason=reason: call.reason == reason,  # type: ignore[misc]
            {"reason": reason},
            override,
            {"decision": "override"},
        )
        for reason in sorted(OVERRIDE_REASONS, key=lambda reason: -found[reason])
        if found[reason]
    )


def _withheld(count: _Counting, title: str, *why: str) -> Rate:
    return count.rate(title, lambda call: call.withheld in why, {"withheld": why}, _all, {})


def _unserved(count: _Counting, title: str, reasons: Iterable[str]) -> Rate:
    return count.rate(
        title, lambda call: bool(call.unserved), {"unserved": tuple(reasons)}, _all, {}
    )


def _missed(
    count: _Counting,
    calls: Sequence[Counted],
    names: Mapping[str, str],
    reasons: Mapping[str, str],
) -> tuple[Rate, ...]:
    """Tell for which reason which response could not be sent, the most frequent first."""
    found = Counter(missed for call in calls for missed in call.unserved)
    return tuple(
        count.rate(
            f"{names.get(response, response)}: {reasons[why]}",
            lambda call, missed=(response, why): missed in call.unserved,  # type: ignore[misc]
            {"unserved": f"{response}:{why}"},
            _all,
            {},
        )
        for (response, why), _ in found.most_common()
    )


def _series(
    calls: Sequence[Counted], pieces: Sequence[Piece], responses: Sequence[tuple[str, str]]
) -> tuple[Series, ...]:
    """Count every piece of the period, in one row of bars for each thing that is counted."""
    rows: list[tuple[str, str, Takes, dict[str, Asked]]] = [("Calls", "calls", _all, {})]
    rows += [
        (name, "recommended", _recommended(code), {"recommendation": code})
        for code, name in responses
    ]
    rows += [
        (title, "decided", _decided(action), {"decision": action})
        for title, action in (
            ("Accepted", "accept"),
            ("Overridden", "override"),
            ("Committed without advice", "commit"),
            ("Undecided", NO_DECISION),
        )
    ]
    edges = [(stamp(piece.since), stamp(piece.until)) for piece in pieces]
    within: list[list[Counted]] = [[] for _ in pieces]
    at = len(pieces) - 1
    for call in calls:  # the latest first, but for what came in at once
        while at > 0 and call.at < edges[at][0]:
            at -= 1
        while at < len(pieces) - 1 and call.at >= edges[at][1]:
            at += 1
        within[at].append(call)
    made = []
    for title, group, takes, asked in rows:
        figures = tuple(
            Figure(sum(map(takes, inside)), log_url(piece.since, piece.until, calls=True, **asked))
            for piece, inside in zip(pieces, within, strict=True)
        )
        total = sum(figure.n for figure in figures)
        whole = log_url(pieces[0].since, pieces[-1].until, calls=True, **asked)
        if total or group == "calls":
            made.append(Series(title, Figure(total, whole), figures, group))
    return tuple(made)


def _places(
    count: _Counting, period: Period, responses: Sequence[tuple[str, str]]
) -> tuple[tuple[Row, ...], int]:
    by_place: dict[str, list[Counted]] = {}
    for call in count.calls:
        by_place.setdefault(call.neighborhood, []).append(call)
    order = sorted(by_place, key=lambda place: (place == NO_NEIGHBORHOOD, -len(by_place[place])))
    rows = []
    for place in order[:PLACES]:
        here = _Counting(by_place[place], period)
        where: dict[str, Asked] = {"neighborhood": place}
        rows.append(
            Row(
                "not known" if place == NO_NEIGHBORHOOD else place,
                here.figure(_all, **where),
                tuple(
                    here.figure(_recommended(code), **where, recommendation=code)
                    for code, _ in responses
                ),
                _override_rate(here, "Overridden", _all, **where),
            )
        )
    return tuple(rows), max(0, len(order) - PLACES)
