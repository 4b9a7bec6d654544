"""Counterfactual swaps: what changes when only a name, a place, a dialect or a language does.

Every call is written twice, the same but for what is swapped, and both are assessed as they would
be in service. What is counted is the share of recommendations that change; where that share is of
calls, it is of those that the swap could be made in. Scores are compared as probabilities.

A call in a language that the release was not trained on is another matter: there the model must
abstain, and what is counted is whether it does (`Language`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from data.call import Call
from model_service.model.assess import Assessment, assess
from model_service.model.plan import PROTOCOL
from model_service.model.release import Release
from training.audit.causes.estimates import weighted_share
from training.audit.causes.lists import Lists, Name, shipped
from training.audit.causes.rewrite import in_dialect, sex_in, with_name, with_place
from training.audit.causes.section import Cell, Section, Table
from training.history import calls_and_counts
from training.metrics import Figure

LIMIT = 0.01
"""Share of recommendations that a kind of swap may change."""

PLACES_EACH = 3
"""Other places that each call is put in."""

EXAMPLES = 20

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


class Pair(NamedTuple):
    """Two versions of one call; what they are compared for must make no difference."""

    kind: str
    variant: str
    first: Call
    then: Call


@dataclass(frozen=True)
class Swap:
    """What a swap changes.

    Parameters
    ----------
    kind : str
    variant : str
        What was swapped in; empty for the kind as a whole.
    calls : int
        That it could be made in.
    pairs : int
        Versions compared.
    changed : Figure
        Share of the pairs whose recommendation changes: the response, or whether the model
        abstains. Clustered by incident.
    teams : Figure
        The same share of those pairs alone whose first version is recommended a team: where most
        calls are left to the centre's own protocol, most can't change.
    bands : Figure
        Share of the pairs of which a band changes, be the recommendation the same or not.
    crisis, risk : Figure
        Mean change of the two probabilities.
    by_plan : int
        Pairs with the same bands for which the plan has another team because of the place; not
        among `changed`.
    examples : tuple of str
        Numbers of calls that change, never their text.
    """

    kind: str
    variant: str
    calls: int
    pairs: int
    changed: Figure
    teams: Figure
    bands: Figure
    crisis: Figure
    risk: Figure
    by_plan: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Language:
    """What becomes of calls in another language.

    Parameters
    ----------
    what : str
        What was in the other language: `tag` (only the stated language), `sentence, stated`,
        `sentence, not stated` or `sentence, stated as English`.
    language : str
    pairs : int
    abstained : Figure
        Share that the model abstains from.
    quiet : Figure
        Share that it does not abstain from and for which it recommends something else, or sees
        other bands, than for the same in English.
    """

    what: str
    language: str
    pairs: int
    abstained: Figure
    quiet: Figure


class _Row(NamedTuple):
    """What became of a pair: each 1 or 0, but for the changes of the two probabilities."""

    changed: float
    bands: float
    crisis: float
    risk: float
    by_plan: float
    team: float


@dataclass
class _Tally:
    """Rows of one kind and variant, as they come."""

    incident: list[str] = field(default_factory=list)
    call: list[str] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)


def names(call: Call, lists: Lists) -> Iterator[Pair]:
    """Give the person of a call a name of each set, and compare with one of the reference set."""
    sex = sex_in(call.narrative) or ("f" if _drawn(call, "sex", 2) else "m")

    def version(of: str) -> Call:
        own = lists.names.sets[of]
        firsts = getattr(own, sex)
        name = Name(
            firsts[_drawn(call, f"first {of}", len(firsts))],
            own.last[_drawn(call, f"last {of}", len(own.last))],
        )
        return _with_text(call, with_name(call.narrative, name, lists))

    first = version(lists.names.reference)
    for of in lists.names.sets:
        if of != lists.names.reference:
            yield Pair("name", of, first, version(of))


def places_said(call: Call, places: Sequence[str]) -> Iterator[Pair]:
    """Say a call's text of one place, and of some others."""
    chosen = _some(call, "said", places)
    first, *others = (
        _with_text(call, with_place(call.narrative, place, places)) for place in chosen
    )
    for then in others:
        yield Pair("place in the text", "", first, then)


def neighborhoods(call: Call, known: Sequence[str]) -> Iterator[Pair]:
    """Let a call come from one neighbourhood, and from some others; its point is taken off."""
    chosen = _some(call, "field", known)
    first, *others = (
        call.model_copy(update={"neighborhood": name, "latitude": None, "longitude": None})
        for name in chosen
    )
    for then in others:
        yield Pair("neighbourhood of the call", "", first, then)


def dialects(call: Call, lists: Lists) -> Iterator[Pair]:
    """Say a call's text in each dialect whose rules apply to it."""
    for dialect, rules in lists.dialects.items():
        said = in_dialect(call.narrative, rules)
        if said != call.narrative:
            yield Pair("dialect", dialect, call, _with_text(call, said))


def languages(call: Call, lists: Lists) -> Iterator[Pair]:
    """Write a call's language otherwise, and put a courtesy of another language into its text."""
    first, *others = (call.model_copy(update={"language": tag}) for tag in lists.languages.same)
    for then in others:
        yield Pair("way to write that it is English", then.language or "not stated", first, then)
    courtesies = lists.languages.courtesies
    place = _drawn(call, "courtesy", len(courtesies["en"]))
    versions = {
        tag: _with_text(call, f"{said[place]}. {call.narrative}")
        for tag, said in courtesies.items()
    }
    for tag, then in versions.items():
        if tag != "en":
            yield Pair("courtesy in another language", tag, versions["en"], then)


def pairs(call: Call, lists: Lists, known: Sequence[str]) -> Iterator[Pair]:
    """Make all swaps of a call.

    Parameters
    ----------
    call : Call
    lists : Lists
    known : sequence of str
        Neighbourhoods of the calls.
    """
    if call.narrative.strip():
        yield from names(call, lists)
        yield from places_said(call, [*known, *lists.places.said])
        yield from dialects(call, lists)
        yield from languages(call, lists)
    if len(known) > 1:
        yield from neighborhoods(call, known)


def swap(
    release: Release,
    calls: pd.DataFrame,
    clusters: pd.Series,
    *,
    lists: Lists | None = None,
    progress: Progress = lambda items, _: items,
) -> tuple[Swap, ...]:
    """Make every swap in every call that could change by it, and say what does.

    Calls stated to be in a language that the release was not trained on are left out: the model
    abstains from them, whatever is swapped.

    Parameters
    ----------
    release : Release
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        One row per call, with the history of premises where the release uses one. Some thousands
        are enough: each is assessed some thirty times.
    clusters : pandas.Series of shape (n_calls,)
        Incident of each call, on the index of `calls`.
    lists : Lists, optional
        Else those that the project ships.
    progress : callable

    Returns
    -------
    tuple of Swap
        Per kind, first the kind as a whole, then its variants.
    """
    lists = shipped() if lists is None else lists
    known = sorted(set(calls["neighborhood"].dropna()))
    calls = calls[_understood(calls["language"], release)]
    asked = calls_and_counts(calls, release.scorer.history)
    incidents = clusters.loc[calls.index].astype("str").tolist()
    tallies: dict[tuple[str, str], _Tally] = {}
    rows = list(zip(asked, incidents, strict=True))
    for (call, counts), incident in progress(rows, "swapping"):
        first: Call | None = None
        for pair in pairs(call, lists, known):
            if pair.first is not first:  # once, however many others it is compared with
                first = pair.first
                before = assess(release, first, counts, explained=False)
            after = assess(release, pair.then, counts, explained=False)
            row = _row(before, after, place=pair.kind == "neighbourhood of the call")
            for variant in {"", pair.variant}:
                tally = tallies.setdefault((pair.kind, variant), _Tally())
                tally.incident.append(incident)
                tally.call.append(call.call_id)
                tally.rows.append(row)
    order = list(dict.fromkeys(kind for kind, _ in tallies))
    return tuple(
        _swap(kind, variant, tallies[kind, variant])
        for kind in order
        for variant in sorted(v for k, v in tallies if k == kind)
    )


def unsupported(
    release: Release,
    calls: pd.DataFrame,
    clusters: pd.Series,
    *,
    lists: Lists | None = None,
) -> tuple[Language, ...]:
    """Say whether the model abstains from calls in languages that it was not trained on.

    Parameters
    ----------
    release : Release
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        As `swap` takes them.
    clusters : pandas.Series of shape (n_calls,)
    lists : Lists, optional

    Returns
    -------
    tuple of Language
        Of the languages that the release's plan does not name.
    """
    lists = shipped() if lists is None else lists
    trained = release.plan.languages
    made = []
    asked = calls_and_counts(calls, release.scorer.history)
    english = [
        assess(release, call.model_copy(update={"language": "en"}), counts, explained=False)
        for call, counts in asked
    ]
    for tag in (tag for tag in lists.languages.tags if tag not in trained):
        then = [
            assess(release, call.model_copy(update={"language": tag}), counts, explained=False)
            for call, counts in asked
        ]
        made.append(_language("tag", tag, english, then, clusters.astype("str").tolist()))
    sentences = lists.languages.sentences
    base = Call(call_id="sentence", received_at=calls["received_at"].iloc[0].to_pydatetime())

    def said(tag: str, stated: str | None) -> list[Assessment]:
        return [
            assess(
                release,
                base.model_copy(update={"narrative": words[tag], "language": stated}),
                explained=False,
            )
            for words in sentences.values()
        ]

    first = said("en", "en")
    for tag in (tag for tag in next(iter(sentences.values())) if tag not in trained):
        for what, stated in (("stated", tag), ("not stated", None), ("stated as English", "en")):
            then = said(tag, stated)
            made.append(_language(f"sentence, {what}", tag, first, then, list(sentences)))
    return tuple(made)


def _language(
    what: str,
    tag: str,
    first: Sequence[Assessment],
    then: Sequence[Assessment],
    incidents: Sequence[str],
) -> Language:
    abstained = np.array([a.recommendation.abstained for a in then], dtype=np.float64)
    other = np.array(
        [
            not b.recommendation.abstained and _outcome(a) != _outcome(b)
            for a, b in zip(first, then, strict=True)
        ],
        dtype=np.float64,
    )
    member = pd.factorize(pd.Series(incidents))[0].astype(np.int64)
    weight = np.ones(len(then))
    return Language(
        what,
        tag,
        len(then),
        weighted_share(abstained, weight, member),
        weighted_share(other, weight, member),
    )


def _outcome(assessment: Assessment) -> tuple[Any, ...]:
    made = assessment.recommendation
    return made.response, made.abstained, made.bands


def _drawn(call: Call, what: str, n: int) -> int:
    """Draw a number below `n` by the call's number: the same call is always swapped alike."""
    return crc32(f"{what}/{call.call_id}".encode()) % n


def _some(call: Call, what: str, of: Sequence[str]) -> list[str]:
    """Draw one place and `PLACES_EACH` others, all different where there are so many."""
    random = np.random.default_rng(crc32(f"{what}/{call.call_id}".encode()))
    return [of[i] for i in random.permutation(len(of))[: 1 + PLACES_EACH]]


def _understood(language: pd.Series, release: Release) -> pd.Series:
    """Say which calls are in a language that the release was trained on, or in one not stated."""
    known = [
        not isinstance(tag, str) or tag.split("-")[0].lower() in release.plan.languages
        for tag in language
    ]
    return pd.Series(known, index=language.index, dtype=bool)


def _with_text(call: Call, text: str) -> Call:
    return call.model_copy(update={"narrative": text})


def _row(before: Assessment, after: Assessment, *, place: bool) -> _Row:
    """Tell what changed; of a changed place, whether by the plan alone."""
    first, then = before.recommendation, after.recommendation
    differs = (first.response, first.abstained) != (then.response, then.abstained)
    bands = first.bands != then.bands
    by_plan = place and differs and not bands and first.abstained == then.abstained
    return _Row(
        changed=float(differs and not by_plan),
        bands=float(bands),
        crisis=after.prediction[0] - before.prediction[0],
        risk=after.prediction[1] - before.prediction[1],
        by_plan=float(by_plan),
        team=float(first.response != PROTOCOL),
    )


def _swap(kind: str, variant: str, tally: _Tally) -> Swap:
    columns = _Row(*np.array(tally.rows).T)
    member = pd.factorize(pd.Series(tally.incident))[0].astype(np.int64)
    weight = np.ones(len(member))
    served = np.asarray(columns.team) == 1

    def figure(values: Any, *, binary: bool = True) -> Figure:
        return weighted_share(values, weight, member, binary=binary)

    changed = [call for call, row in zip(tally.call, tally.rows, strict=True) if row.changed]
    return Swap(
        kind=kind,
        variant=variant,
        calls=len(set(tally.call)),
        pairs=len(member),
        changed=figure(columns.changed),
        teams=weighted_share(np.asarray(columns.changed)[served], weight[served], member[served]),
        bands=figure(columns.bands),
        crisis=figure(columns.crisis, binary=False),
        risk=figure(columns.risk, binary=False),
        by_plan=int(np.sum(columns.by_plan)),
        examples=tuple(dict.fromkeys(changed))[:EXAMPLES],
    )


def section(swaps: Sequence[Swap], languages: Sequence[Language] = ()) -> Section:
    """Put the swaps into words and tables: kinds, their variants, and unsupported languages."""
    kinds = [one for one in swaps if not one.variant]
    over = [one for one in kinds if one.changed.value > LIMIT]
    told = "no kind of swap changes more than"
    if over:
        named = ", ".join(f"{one.kind} ({one.changed.value:.1%})" for one in over)
        told = f"these kinds of swap change more than allowed, {named}; the limit is"
    summary = [
        "The same call, written again with another name, place, dialect or language: a "
        "recommendation that changes then has changed for the wrong reason.",
        f"Of the recommendations, {told} {LIMIT:.0%}.",
    ]
    served = [one for one in kinds if not math.isnan(one.teams.value)]
    if served:
        worst = max(served, key=lambda one: one.teams.value)
        share = worst.teams
        ends = "" if math.isnan(share.low) else f" ({share.low:.1%} to {share.high:.1%})"
        summary.append(
            "Calls that are left to the centre's own protocol hardly can change. Of those for "
            f"which a team was recommended, {share.value:.1%}{ends} change by the kind that "
            f"changes most, {worst.kind}."
        )
    quiet = [one for one in languages if one.quiet.value > 0]
    if languages:
        summary.append(
            "From calls in languages that it was not trained on the model abstains, or says the "
            "same as in English."
            if not quiet
            else "Some calls in languages that the model was not trained on are not abstained "
            "from and come out otherwise than in English: see the last table."
        )
    columns = (
        *("swap", "variant", "calls", "pairs", "recommendation changes"),
        *("where a team was recommended", "a band changes", "by the plan alone"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *(one.kind, one.variant or "all", one.calls, one.pairs, one.changed),
            *(one.teams, one.bands, one.by_plan),
        )
        for one in swaps
    ]
    scores: list[tuple[Cell, ...]] = [
        (one.kind, one.variant or "all", one.crisis, one.risk) for one in swaps
    ]
    tables = [
        Table("What changes", columns, tuple(rows)),
        Table(
            "Mean change of the scores",
            ("swap", "variant", "crisis score", "safety score"),
            tuple(scores),
            unit="points",
        ),
    ]
    if languages:
        tables.append(
            Table(
                "Languages that the model was not trained on",
                ("what", "language", "pairs", "abstained", "quietly another result"),
                tuple((o.what, o.language, o.pairs, o.abstained, o.quiet) for o in languages),
            )
        )
    return Section("The same call in other words", tuple(summary), tuple(tables))
