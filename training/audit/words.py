"""What an audit found in plain sentences: the finding first, then how sure, then for whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from data.call import TARGETS
from training.audit.audit import Audit
from training.audit.groups import FIRST
from training.audit.measures import DECISION, MEASURES, RECOMMENDATION
from training.audit.verdicts import DIFFERS, INSUFFICIENT, NO_DIFFERENCE

CRISIS, RISK = TARGETS

LEAD: tuple[tuple[str, str], ...] = (
    (RISK, "false_negative_rate"),
    (CRISIS, "false_negative_rate"),
    (RECOMMENDATION, "police_without_need"),
    (DECISION, "police_without_need"),
    (RECOMMENDATION, "false_negative_rate"),
    (DECISION, "false_negative_rate"),
    (RECOMMENDATION, "crisis_without_team"),
    (DECISION, "crisis_without_team"),
    (RECOMMENDATION, "abstention_rate"),
    (RECOMMENDATION, "unserved_rate"),
    (RISK, "false_positive_rate"),
    (CRISIS, "false_positive_rate"),
    (DECISION, "override_rate"),
)
"""What the page speaks of first, in this order: whom the model misses, who is sent police without
need, who gets no team."""

QUESTIONS: dict[tuple[str, str], str] = {
    (RISK, "false_negative_rate"): "Safety risks that the model misses",
    (CRISIS, "false_negative_rate"): "Crises that the model misses",
    (RISK, "false_positive_rate"): "False alarms of a safety risk",
    (CRISIS, "false_positive_rate"): "False alarms of a crisis",
    (RECOMMENDATION, "police_without_need"): "Police recommended to crises without a safety risk",
    (DECISION, "police_without_need"): "Police sent to crises without a safety risk",
    (RECOMMENDATION, "false_negative_rate"): "Safety risks that are recommended no police",
    (DECISION, "false_negative_rate"): "Safety risks that were sent no police",
    (RECOMMENDATION, "crisis_without_team"): "Crises that are recommended no crisis team",
    (DECISION, "crisis_without_team"): "Crises that were sent no crisis team",
    (RECOMMENDATION, "abstention_rate"): "Calls on which the model says nothing",
    (RECOMMENDATION, "unserved_rate"): "Calls that a team fits that can't be sent",
    (DECISION, "override_rate"): "Recommendations that people override",
    (DECISION, "seconds_to_decide"): "Time that people take to decide",
}

_SENTENCES: dict[tuple[str, str], str] = {
    (RISK, "false_negative_rate"): "The model misses {more} safety risks {where}",
    (CRISIS, "false_negative_rate"): "The model misses {more} crises {where}",
    (RISK, "false_positive_rate"): "The model raises {more} false alarms of a risk {where}",
    (CRISIS, "false_positive_rate"): "The model raises {more} false alarms of a crisis {where}",
    (RECOMMENDATION, "police_without_need"): "{More} crises without a safety risk are recommended "
    "police {where}",
    (DECISION, "police_without_need"): "{More} crises without a safety risk were sent police "
    "{where}",
    (RECOMMENDATION, "false_negative_rate"): "{More} safety risks are recommended no police "
    "{where}",
    (DECISION, "false_negative_rate"): "{More} safety risks were sent no police {where}",
    (RECOMMENDATION, "crisis_without_team"): "{More} crises are recommended no crisis team {where}",
    (DECISION, "crisis_without_team"): "{More} crises were sent no crisis team {where}",
    (RECOMMENDATION, "abstention_rate"): "The model says nothing {more} often {where}",
    (RECOMMENDATION, "unserved_rate"): "A team fits and can't be sent {more} often {where}",
    (DECISION, "override_rate"): "People override {more} recommendations {where}",
    (DECISION, "seconds_to_decide"): "People take {longer} to decide {where}",
}

_WHERE = {
    FIRST: "in {group}",
    "language": "among calls in the language “{group}”",
    "caller_role": "where the caller is “{group}”",
    "call_source": "among calls by “{group}”",
    "hours": "in the hours {group}",
}

UNKNOWABLE: tuple[str, ...] = (
    "**Whether the labels are fair.** Every share is against what became known of a call. If "
    "crises of some neighbourhoods are recorded less often, because nobody was sent who could "
    "tell, their misses are not here. Only calls that experts reviewed at random can show it.",
    "**Why.** A gap may come from other kinds of calls, other words, other languages, other hours. "
    "Comparing groups as they are says that they fare unlike each other, not what does it.",
    "**Who the callers are.** Calls carry no race, income, disability or immigration status. A "
    "neighbourhood stands for none of its people.",
    "**Who does not call.** People who are afraid of what a call brings are in no table.",
    "**What came of it.** It counts whom a call is sent, not whether anybody was hurt or helped.",
    "**That groups are alike.** “No difference found” says that a gap as large as the one that "
    "matters is ruled out, no more. “Insufficient evidence” says nothing at all, and least of all "
    "that all is well.",
)


def number(value: float | None, unit: str) -> str:
    """Write a figure in its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return {"share": f"{value:.1%}", "number": f"{value:.2f}", "seconds": f"{value:.1f} s"}[unit]


def gap(value: float | None, unit: str) -> str:
    """Write a difference in its unit, with its sign; shares in points."""
    if value is None or not math.isfinite(value):
        return "–"
    said = {
        "share": f"{value * 100:+.1f}",
        "number": f"{value:+.2f}",
        "seconds": f"{value:+.1f}",
    }[unit]
    if not said.strip("+-0."):
        said = said[1:]  # nought has no sign
    return said.replace("-", "−") + (" s" if unit == "seconds" else "")


def where(by: str, group: str) -> str:
    """Say of which calls a group is."""
    parts = zip(by.split("×"), group.split(" × "), strict=False)
    return ", ".join(
        _WHERE.get(part, f"where {part} is “{{group}}”").format(group=name) for part, name in parts
    )


def sentence(row: Mapping[Any, Any]) -> str:
    """Say in a sentence how a group differs from the rest."""
    key = (row["subject"], row["measure"])
    up = row["gap"] > 0
    often = row["measure"] in ("abstention_rate", "unserved_rate")
    words = {
        "more": "more" if up else "less" if often else "fewer",
        "More": "More" if up else "Fewer",
        "longer": "longer" if up else "less time",
        "where": where(row["by"], row["group"]),
    }
    measure = MEASURES[row["subject"]][row["measure"]]
    if key in _SENTENCES:
        said = _SENTENCES[key].format(**words)
    else:
        head = {CRISIS: "Crisis head", RISK: "Safety head"}.get(row["subject"], "")
        kind = head or ("Recommended" if row["subject"] == RECOMMENDATION else "Decided")
        level = "higher" if up else "lower"
        said = f"{kind}: “{measure.title.lower()}” is {level} {words['where']}"
    return f"{said}: {against(row['value'], row['rest'], measure.unit)}."


def against(value: float, other: float, unit: str) -> str:
    """Hold a figure against that of the rest, shares as so many of a hundred calls."""
    if unit != "share":
        return f"{number(value, unit)} against {number(other, unit)} elsewhere"
    digits = 0 if round(value * 100) != round(other * 100) else 1
    return f"{value * 100:.{digits}f} of 100, against {other * 100:.{digits}f} elsewhere"


def differing(made: Audit) -> pd.DataFrame:
    """Give the findings that differ: lead measures and neighbourhoods first, the worst first."""
    found = made.findings[made.findings["verdict"] == DIFFERS]
    order = {key: place for place, key in enumerate(LEAD)}
    rank = [
        (
            order.get((row["subject"], row["measure"]), len(order)),
            row["gap"] < 0,
            row["by"] != FIRST,
            row["p_adjusted"],
        )
        for row in found.to_dict("records")
    ]
    places = sorted(range(len(found)), key=lambda place: rank[place])
    return found.iloc[places]


def headline(made: Audit) -> str:
    """Say the finding in a sentence."""
    found = differing(made)
    leading = found[[key in LEAD for key in zip(found["subject"], found["measure"], strict=True)]]
    if len(leading):
        return sentence(leading.iloc[0].to_dict())
    if len(found):
        return sentence(found.iloc[0].to_dict())
    tested = made.findings["verdict"].dropna()
    if not len(tested):
        return "Nothing could be compared: no outcome of these calls is known."
    if (tested == INSUFFICIENT).sum() > (tested == NO_DIFFERENCE).sum():
        return "There are too few calls to say whether anybody is treated unlike the others."
    return "Nobody was found to be treated unlike the others, as far as these calls can tell."


def how_sure(made: Audit) -> list[str]:
    """Say how sure the finding is, in a few sentences."""
    counts = made.findings["verdict"].value_counts()
    said = []
    found = differing(made)
    if len(found):
        row = found.iloc[0]
        measure = MEASURES[row["subject"]][row["measure"]]
        points = " points" if measure.unit == "share" else ""
        said.append(
            f"The gap is {gap(row['gap'], measure.unit)}{points}, and with 95% confidence between "
            f"{gap(row['gap_low'], measure.unit)} and {gap(row['gap_high'], measure.unit)}; "
            f"it stands on {row['among']:,.0f} {measure.among}."
        )
    said.append(
        f"{made.words['tests']:,} comparisons were made, each of a group with all other calls. At "
        "most one in twenty of the differences that are called so is expected to be chance, "
        "however the comparisons hang together."
    )
    said.append(
        f"In {counts.get(DIFFERS, 0):,} of all the group differs; in "
        f"{counts.get(NO_DIFFERENCE, 0):,} no difference was found, and one that matters is ruled "
        f"out; in {counts.get(INSUFFICIENT, 0):,} there is too little evidence to say either, "
        "which is no equality."
    )
    return said


def for_whom(made: Audit, by: str) -> list[dict[str, Any]]:
    """Tell of each lead measure which groups differ, which don't, and of which too little is known.

    Returns
    -------
    list of dict
        `question`; `differs`, `alike` and `unknown`, lists of findings; `needed`, the fewest and
        the most calls that the unknown ones would take, or None.
    """
    told = []
    for subject, name in LEAD:
        rows = made.of(by, subject, name)
        rows = rows[rows["verdict"].notna()]
        if rows.empty:
            continue
        needed = rows["calls_needed"].dropna()
        told.append(
            {
                "question": QUESTIONS[subject, name],
                "anchor": anchor(by, subject, name),
                "differs": _part(rows, DIFFERS),
                "alike": _part(rows, NO_DIFFERENCE),
                "unknown": _part(rows, INSUFFICIENT),
                "needed": None if needed.empty else (needed.min(), needed.max()),
            }
        )
    return told


def _part(rows: pd.DataFrame, verdict: str) -> Sequence[Mapping[Any, Any]]:
    part = rows[rows["verdict"] == verdict]
    return part.sort_values("gap", ascending=False).to_dict("records")


def anchor(by: str, subject: str, measure: str) -> str:
    """Name the place of a figure on the page."""
    return "-".join("".join(c if c.isalnum() else "_" for c in p) for p in (by, subject, measure))
