"""What a comparison of two releases supports, in sentences and tables; a person decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.call import TARGETS

CRISIS, RISK = TARGETS
HIGHER_IS_BETTER = {
    "auroc": True,
    "average_precision": True,
    "brier": False,
    "calibration_error": False,
}
TITLES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}


def words(compared: Mapping[str, Any]) -> list[str]:
    """Say in sentences what the figures support, and what they do not.

    Returns
    -------
    list of str
        The last is a recommendation; a person decides.
    """
    said, better, worse = [], 0, 0
    for target, head in compared["heads"].items():
        if "note" in head:
            said.append(f"{_spoken(target)}: {head['note']}.")
            continue
        for name, title in (("average_precision", "ranks"), ("calibration_error", "calibration")):
            verdict = _verdict(head[name]["difference"], higher=HIGHER_IS_BETTER[name])
            better, worse = better + (verdict == "better"), worse + (verdict == "worse")
            what = "order of calls" if title == "ranks" else "calibration"
            said.append(f"{_spoken(target)}: {what} {_said(verdict)} {_change(head[name])}.")
        if low := head["bands"].get("low"):
            verdict = _verdict(low["sensitivity"]["difference"], higher=True)
            better, worse = better + (verdict == "better"), worse + (verdict == "worse")
            said.append(
                f"{_spoken(target)}: share found at its threshold {_said(verdict)} "
                f"{_change(low['sensitivity'])}."
            )
    for name, title in (
        ("missed risks", "risks that are recommended a team without police"),
        ("needless police", "crises without risk that are recommended police"),
    ):
        pair = compared["recommendation"]["rates"][name]
        verdict = _verdict(pair["difference"], higher=False)
        better, worse = better + (verdict == "better"), worse + (verdict == "worse")
        said.append(f"Share of {title}: {_said(verdict)} {_change(pair)}.")
    if worse and better:
        end = (
            "B is better in some ways and worse in others: weigh what each costs before promoting."
        )
    elif worse:
        end = "B is worse and in no way better: keep A."
    elif better:
        end = (
            "B is better and in no way shown to be worse: it may be put to the gates of promotion."
        )
    else:
        end = (
            "These calls do not tell the two apart. That is not the same as being equal: the "
            "intervals say what may still lie between them."
        )
    return [*said, end]


def _verdict(difference: Mapping[str, float | None], *, higher: bool) -> str:
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return "unknown"
    if low > 0:
        return "better" if higher else "worse"
    if high < 0:
        return "worse" if higher else "better"
    return "unknown"


def _said(verdict: str) -> str:
    return {"better": "is better with B", "worse": "is worse with B"}.get(
        verdict, "is not told apart"
    )


def _change(pair: Mapping[str, Any]) -> str:
    a, b, d = (pair[name] for name in ("a", "b", "difference"))
    if a["value"] is None or b["value"] is None:
        return "(no call to measure it on)"
    interval = "" if d["low"] is None else f", {d['low']:+.3f} to {d['high']:+.3f}"
    return f"({a['value']:.3f} and {b['value']:.3f}; {d['value']:+.3f}{interval})"


def _spoken(target: str) -> str:
    return {CRISIS: "Crisis", RISK: "Safety risk"}[target]


def report(compared: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write a comparison as Markdown.

    Parameters
    ----------
    compared : mapping
        As `training.compare.compare` gives it.
    names : mapping
        `a` and `b` → how the two are called.
    """
    first, last = (day[:10] for day in compared["received_at"])
    parts = [
        f"# {names['b']} beside {names['a']}",
        f"A is `{names['a']}`, B is `{names['b']}`. {compared['calls']:,} revisions of calls, "
        f"{first} to {last}, {compared['clusters']:,} clusters. 95% intervals; those of "
        "differences are paired.",
        "## What it says",
        "\n".join(f"- {line}" for line in compared["words"]),
        "## Both heads",
        _heads(compared["heads"]),
        "## Recommendations",
        _rates(compared["recommendation"]),
        _table(compared["recommendation"]["table"]),
    ]
    for by, groups in compared["groups"].items():
        parts += [f"## Risks that are called low, by {by}", _groups(by, groups)]
    parts += ["## Where they part", _parted(compared["parted"])]
    return "\n\n".join(parts) + "\n"


def _heads(heads: Mapping[str, Any]) -> str:
    rows = ["| head | figure | A | B | B less A |", "|---|---|--:|--:|--:|"]
    for target, head in heads.items():
        for name, title in TITLES.items():
            if name in head:
                rows.append(f"| {target} | {title} | {_pair(head[name])} |")
        for band, label in (("low", "medium or high"), ("high", "high")):
            for rate, pair in head.get("bands", {}).get(band, {}).items():
                if rate != "thresholds":
                    rows.append(f"| {target} | {rate}, {label} | {_pair(pair)} |")
    return "\n".join(rows)


def _rates(recommendation: Mapping[str, Any]) -> str:
    rows = ["| share of calls | A | B | B less A | of |", "|---|--:|--:|--:|--:|"]
    rows += [
        f"| {name} | {_pair(pair)} | {pair['n']:,} |"
        for name, pair in recommendation["rates"].items()
    ]
    return "\n".join(rows)


def _table(table: Mapping[str, Mapping[str, int]]) -> str:
    names = list(table)
    rows = ["| A recommends, B recommends | " + " | ".join(names) + " |"]
    rows.append("|---|" + "--:|" * len(names))
    rows += [
        f"| {name} | " + " | ".join(f"{row[other]:,}" for other in names) + " |"
        for name, row in table.items()
    ]
    return "\n".join(rows)


def _groups(by: str, groups: Mapping[str, Any]) -> str:
    rows = [f"| {by} | risks | A | B | B less A |", "|---|--:|--:|--:|--:|"]
    rows += [f"| {name} | {pair['n']:,} | {_pair(pair)} |" for name, pair in groups.items()]
    return "\n".join(rows)


def _parted(parted: list[dict[str, Any]]) -> str:
    if not parted:
        return "Nowhere: every call is recommended the same."
    rows = ["| A recommends | B recommends | calls | such as |", "|---|---|--:|---|"]
    for kind in parted:
        examples = ", ".join(
            f"{one['call_id']} rev. {one['revision']}" for one in kind["examples"][:5]
        )
        rows.append(f"| {kind['a']} | {kind['b']} | {kind['calls']:,} | {examples} |")
    return "\n".join(rows)


def _pair(pair: Mapping[str, Any]) -> str:
    return " | ".join(
        [_figure(pair["a"], ""), _figure(pair["b"], ""), _figure(pair["difference"], "+")]
    )


def _figure(figure: Mapping[str, float | None], sign: str) -> str:
    if figure["value"] is None:
        return "–"
    value = format(figure["value"], f"{sign}.3f")
    if figure["low"] is None:
        return value
    return (
        f"{value} ({format(figure['low'], f'{sign}.3f')} to {format(figure['high'], f'{sign}.3f')})"
    )
