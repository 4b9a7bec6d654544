"""What could be done about it, as a section to decide by; nothing of it is ever applied."""

from __future__ import annotations

from html import escape
from typing import Any

from data.errors import InputError
from training.audit.audit import Audit
from training.audit.groups import FIRST
from training.audit.mitigation import ALL, Mitigation, mitigations
from training.audit.period import Period
from training.audit.report import Section


def section(period: Period, made: Audit) -> Section | None:
    """Make the section of the report.

    Parameters
    ----------
    period : Period
        With the release whose safety threshold is weighed.
    made : Audit

    Returns
    -------
    Section or None
        None where no release, no threshold in use, or no group with enough risks to choose by.
    """
    release = period.release
    low = None if release is None else release.thresholds["safety_risk"].low
    if low is None or FIRST not in made.words["by"]:
        return None
    try:
        weighed = mitigations(period.calls, low, group=FIRST, seed=made.words["seed"])
    except InputError:
        return None
    return Section(
        "options",
        "What could be done about it",
        _summary(weighed),
        _html(weighed),
        {
            "target": weighed.target,
            "worst": weighed.worst,
            "options": weighed.options,
            "table": weighed.table.to_dict("records"),
        },
        {"mitigation": weighed.table},
    )


def _summary(weighed: Mitigation) -> str:
    return (
        f"Chosen on {weighed.chosen:,} calls and judged on {weighed.judged:,} others: what each "
        "way of setting the safety threshold would gain and cost. Risks are missed most in "
        f"{weighed.worst}. None of this is applied: a person decides."
    )


def _html(weighed: Mitigation) -> str:
    meanings = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>"
        for name, meaning in weighed.options.items()
    )
    whole = weighed.table[weighed.table["group"] == ALL]
    parts = [
        f'<dl class="whom">{meanings}</dl>',
        _table("All calls", "option", whole.to_dict("records")),
    ]
    for name in weighed.options:
        rows = weighed.table[(weighed.table["option"] == name) & (weighed.table["group"] != ALL)]
        body = _table(name, "group", rows.to_dict("records"))
        parts.append(
            f"<details><summary>{escape(name)}, by neighbourhood</summary>{body}</details>"
        )
    return "".join(parts)


def _table(caption: str, first: str, rows: list[dict[Any, Any]]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(str(row[first]))}</th>'
        f'<td class="n">{row["risks"]:,}</td>'
        f'<td class="n">{_share(row, "sensitivity")}</td>'
        f'<td class="n">{_share(row, "needless")}</td>'
        f'<td class="n">{_count(row, "more_caught")}</td>'
        f'<td class="n">{_count(row, "more_needless")}</td>'
        f'<td class="n">{_count(row, "price")}</td></tr>'
        for row in rows
    )
    heads = (
        "risks",
        "risks found",
        "police sent to calls without a risk",
        "risks found more, of 1,000 calls",
        "needless sends more, of 1,000 calls",
        "needless sends for each risk found more",
    )
    columns = "".join(f'<th scope="col" class="n">{head}</th>' for head in heads)
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>'
        f'<th scope="col">{first}</th>{columns}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _share(row: dict[Any, Any], name: str) -> str:
    return _interval(row, name, lambda x: f"{x:.1%}")


def _count(row: dict[Any, Any], name: str) -> str:
    return _interval(row, name, lambda x: f"{x:+.1f}" if name != "price" else f"{x:.1f}")


def _interval(row: dict[Any, Any], name: str, write: Any) -> str:
    value, low, high = (row.get(name + end) for end in ("", "_low", "_high"))
    if value is None or value != value:
        return "–"
    if low is None or low != low:
        return str(write(value))
    return f"{write(value)} <small>{write(low)} to {write(high)}</small>"
