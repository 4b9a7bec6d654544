"""Why groups differ, as sections of the report: what `training.audit.causes` finds in a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from data.dataset import Dataset
from data.errors import InputError
from training.audit.causes import drive, label_bias, left_out, standardised, swaps, switched_on
from training.audit.causes.section import Section as Cause
from training.audit.groups import FIRST
from training.audit.period import Period
from training.audit.report import Section
from training.config import TrainingConfig
from training.history import with_history

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

SWAPPED = 2000
"""Calls in which names, places, dialects and languages are swapped: each is assessed some thirty
times."""

TAGGED = 300
"""Calls that are said to be in another language."""

PLACES = 6
"""Places that a model is made without, those with the most calls first."""


def sections(
    period: Period,
    dataset: Dataset,
    *,
    refit: TrainingConfig | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda items, _: items,
) -> Iterator[Section]:
    """Look for the causes of the gaps between neighbourhoods.

    Parameters
    ----------
    period : Period
        With its release.
    dataset : Dataset
        Of which the period is made.
    refit : TrainingConfig, optional
        Also make models with place and past as features, and models that never saw a place: several
        trainings.
    seed : int
        Of the samples.
    report : callable
        Told in a few words what is being done.
    progress : callable
        Wraps an iterable and draws its progress.

    Raises
    ------
    InputError
        If the period has no release: calls that were scored elsewhere say nothing of why.
    """
    release = period.release
    if release is None:
        raise InputError("causes are looked for with a release: give --data, not --scored")
    last = dataset.calls.sort_values("revision", kind="stable").drop_duplicates(
        "call_id", keep="last"
    )
    calls = with_history(last, release.scorer.history, dataset.labels)
    calls = calls[calls["call_id"].isin(period.calls["call_id"])]
    incidents = dataset.incidents().loc[calls.index]
    types = calls.set_index("call_id")["call_type"]
    table = period.calls.assign(call_type=period.calls["call_id"].map(types))
    yield _section("mix", standardised.section(standardised.standardised(table, FIRST), FIRST))
    found = drive.drive(release, calls, calls[FIRST], incidents, seed=seed, progress=progress)
    yield _section("drive", drive.section(found, FIRST))
    some = calls.sample(min(SWAPPED, len(calls)), random_state=seed)
    few = some.head(TAGGED)
    yield _section(
        "swaps",
        swaps.section(
            swaps.swap(release, some, incidents.loc[some.index], progress=progress),
            swaps.unsupported(release, few, incidents.loc[few.index]),
        ),
    )
    try:
        bias = label_bias.label_bias(dataset, FIRST)
    except InputError:
        report("no random review: nothing is known of what the labels miss")
    else:
        yield _section("labels", label_bias.section(bias, FIRST))
    if refit is not None:
        made = switched_on.switched_on(dataset, refit, release.plan, report=report)
        yield _section("switched_on", switched_on.section(made, FIRST))
        without = left_out.left_out(dataset, refit, release.plan, most=PLACES, report=report)
        yield _section("left_out", left_out.section(without, FIRST))


def _section(key: str, cause: Cause) -> Section:
    summary = " ".join(cause.summary)
    tables = "".join(f'<div class="wide">{table.html()}</div>' for table in cause.tables)
    return Section(key, cause.title, summary, tables, cause.as_json(), cause.frames())
