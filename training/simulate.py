"""What a response plan would have recommended for calls of the past, and another beside it.

The model's probabilities and thresholds are one release's; the plans alone differ. Of a call with
several revisions the last one counts. Units are not asked for: nobody knows any more who was free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from model_service.model.assess import advise
from model_service.model.plan import PROTOCOL, ResponsePlan
from model_service.model.release import Release
from training.history import calls_and_counts

UNKNOWN = "(not known)"


def simulate(
    release: Release,
    plans: Mapping[str, ResponsePlan],
    calls: pd.DataFrame,
    progress: Callable[[Iterable[Any], str], Iterable[Any]] = lambda items, _: items,
) -> pd.DataFrame:
    """Run plans over calls.

    Parameters
    ----------
    release : Release
    plans : mapping of str to ResponsePlan
        Name of the columns → plan; hours are those of the first one's time zone.
    calls : pandas.DataFrame of shape (n_revisions, n_columns)
        With the history of premises where the release uses one (`training.history`).
    progress : callable
        Wraps an iterable and draws its progress.

    Returns
    -------
    pandas.DataFrame of shape (n_calls, 4 + 3 * n_plans)
        `call_id`, `received_at`, `neighborhood`, `hour`; per plan its `<name>` (the response),
        `<name> unserved` (responses that fitted and could not be sent, as `response:reason`) and
        `<name> awaiting` (those that fitted but for a fact that was not known, `response:fact`).
    """
    latest = calls.sort_values("revision", kind="stable").drop_duplicates("call_id", keep="last")
    latest = latest.sort_index()
    zone = next(iter(plans.values())).zone
    rows = []
    for call, counts in progress(calls_and_counts(latest, release.scorer.history), "calls"):
        scored = release.scorer.score(call, counts)
        row: dict[str, Any] = {
            "call_id": call.call_id,
            "received_at": call.received_at,
            "neighborhood": call.neighborhood or UNKNOWN,
            "hour": call.received_at.astimezone(zone).hour,
        }
        for name, plan in plans.items():
            made, _ = advise(release, plan, call, scored, asking=False)
            row[name] = made.response
            row[f"{name} unserved"] = [f"{u.response}:{u.reason}" for u in made.unserved]
            row[f"{name} awaiting"] = [f"{a.response}:{a.fact}" for a in made.awaiting]
        rows.append(row)
    return pd.DataFrame(rows)


def report(simulated: pd.DataFrame, plans: Mapping[str, ResponsePlan]) -> str:
    """Tabulate a simulation: who, where, when, what could not be sent, and the differences.

    Parameters
    ----------
    simulated : pandas.DataFrame
        What `simulate` returned.
    plans : mapping of str to ResponsePlan
        One or two.

    Returns
    -------
    str
        Markdown.
    """
    parts = [f"{len(simulated):,} calls."]
    for name, plan in plans.items():
        order = [*(response.id for response in plan.responses), PROTOCOL]
        parts.append(f"## {plan.title} (`{plan.plan}` {plan.version})")
        parts.append(_counts(simulated, name, order))
        parts.append(_cross(simulated, "neighborhood", name, order))
        parts.append(_cross(simulated, "hour", name, order))
        unserved = _missed(simulated[f"{name} unserved"], "fitted, and could not be sent", "why")
        parts.append(unserved or "Every response that fitted could be sent.")
        awaiting = _missed(simulated[f"{name} awaiting"], "fitted, but for what was not known", "")
        parts += [awaiting] if awaiting else []
    if len(plans) == 2:
        parts.append(_differences(simulated, *plans))
    return "\n\n".join(parts) + "\n"


def _counts(simulated: pd.DataFrame, name: str, order: list[str]) -> str:
    n = simulated[name].value_counts()
    rows = [
        [response, f"{n.get(response, 0):,}", f"{n.get(response, 0) / len(simulated):.1%}"]
        for response in order
    ]
    return _table(["recommended", "calls", "share"], rows)


def _cross(simulated: pd.DataFrame, by: str, name: str, order: list[str]) -> str:
    counts = pd.crosstab(simulated[by], simulated[name])
    rows = [
        [str(group), *(f"{counts.loc[group].get(response, 0):,}" for response in order)]
        for group in counts.index
    ]
    return _table([by, *order], rows)


def _missed(column: pd.Series, what: str, why: str) -> str:
    counts = column.explode().dropna().value_counts()
    if counts.empty:
        return ""
    rows = [[*str(key).split(":"), f"{n:,}"] for key, n in sorted(counts.items())]
    return _table([what, why, "calls"], rows)


def _differences(simulated: pd.DataFrame, first: str, second: str) -> str:
    changed = simulated[simulated[first] != simulated[second]]
    share = len(changed) / len(simulated)
    said = [f"## Differences\n\n{len(changed):,} calls ({share:.1%}) are recommended another."]
    if len(changed):
        moves = changed.groupby([first, second]).size().sort_values(ascending=False, kind="stable")
        pairs = moves.index.to_frame().itertuples(index=False)
        rows = [[str(a), str(b), f"{n:,}"] for (a, b), n in zip(pairs, moves, strict=True)]
        said.append(_table([f"by {first}", f"by {second}", "calls"], rows))
        for by in ("neighborhood", "hour"):
            counts, all_calls = changed[by].value_counts(), simulated[by].value_counts()
            rows = [
                [str(group), f"{counts[group]:,}", f"{all_calls[group]:,}"]
                for group in sorted(counts.index)
            ]
            said.append(_table([by, "another", "of"], rows))
    return "\n\n".join(said)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
