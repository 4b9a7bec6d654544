"""What an audit found, written down: one HTML page, the same as JSON, tables as CSV.

Other parts of an audit - causes, places, mitigation - come in as sections: each with a title, a
summary in plain words, a body in HTML and the same as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from data.files import drafted, inert, write_whole
from training.audit import words
from training.audit.audit import Audit
from training.audit.drawing import scale, whisker
from training.audit.gate import breaches, unknown
from training.audit.groups import TITLES
from training.audit.measures import MEASURES, SUBJECTS
from training.audit.verdicts import DIFFERS, INSUFFICIENT, NO_DIFFERENCE

FORMAT = 1


@dataclass(frozen=True)
class Section:
    """A further part of the report.

    Parameters
    ----------
    key : str
        Its name in the JSON and as an anchor, such as `causes`.
    title : str
    summary : str
        One or two sentences in plain words, for the page's head.
    html : str
        The body, safe to put in as it is.
    data : mapping
        The same as JSON; NaN becomes null.
    tables : mapping of str to pandas.DataFrame
        Name of a CSV file → its table.
    """

    key: str
    title: str
    summary: str
    html: str
    data: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def write_report(made: Audit, folder: Path, sections: Sequence[Section] = ()) -> Iterator[Path]:
    """Write an audit into a folder; yields the files that were written.

    Parameters
    ----------
    made : Audit
    folder : Path
        Made if it is not there.
    sections : sequence of Section
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "audit.html", as_html(made, sections))
    yield folder / "audit.html"
    text = json.dumps(as_json(made, sections), indent=1, allow_nan=False, ensure_ascii=False)
    write_whole(folder / "audit.json", text + "\n")
    yield folder / "audit.json"
    tables = {"measures": made.findings, "overall": made.overall}
    for section in sections:
        tables |= {f"{section.key}_{name}": table for name, table in section.tables.items()}
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        write_csv(table, path)
        yield path


def as_json(made: Audit, sections: Sequence[Section] = ()) -> dict[str, Any]:
    """Give an audit as JSON has it; what can't be told is null."""
    return {
        "format": FORMAT,
        "audited": plain(made.words),
        "limits": made.rule.model_dump(mode="json"),
        "definitions": {
            subject: {
                name: {"title": one.title, "meaning": one.meaning, "among": one.among}
                for name, one in MEASURES[subject].items()
            }
            for subject in made.words["subjects"]
        },
        "overall": plain(made.overall.to_dict("records")),
        "findings": plain(made.findings.to_dict("records")),
        "sections": {
            one.key: {"title": one.title, "summary": one.summary, **plain(one.data)}
            for one in sections
        },
    }


def plain(value: Any) -> Any:
    """Turn what NumPy and pandas hold into what JSON has; NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value is pd.NA else value


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table for spreadsheets: no cell is taken for a formula, what is missing is empty."""
    safe = table.copy()
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            there = safe[name].notna()
            safe[name] = safe[name].astype(object).where(there, None)
            safe.loc[there, name] = [inert(str(text)) for text in safe.loc[there, name]]
    with drafted(path) as draft:
        safe.to_csv(draft, index=False)


def summary(made: Audit) -> str:
    """Say in a few lines what was found, for a terminal."""
    counts = made.findings["verdict"].value_counts()
    lines = [
        f"{made.words['calls']:,} calls, {made.words['tests']:,} comparisons: "
        + ", ".join(f"{counts.get(v, 0):,} {v}" for v in (DIFFERS, NO_DIFFERENCE, INSUFFICIENT)),
        words.headline(made),
    ]
    lines += [f"  {words.sentence(row)}" for row in words.differing(made).to_dict("records")[1:]]
    return "\n".join(lines)


# --- the page -------------------------------------------------------------------------------------

MANY = 8
"""Of further differences that stand on the first page."""


def as_html(made: Audit, sections: Sequence[Section] = ()) -> str:
    """Write the page: one file, no script, nothing from elsewhere."""
    environment = Environment(
        loader=PackageLoader("training.audit", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    first = made.words["by"][0]
    told = [words.sentence(row) for row in words.differing(made).to_dict("records")]
    css = (resources.files("training.audit") / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        css=Markup(css),
        headline=words.headline(made).replace(" of 100", "\u00a0of\u00a0100"),
        how_sure=words.how_sure(made),
        audited=_audited(made),
        gate=[str(breach) for breach in breaches(made)] if _covered(made) else None,
        gate_unknown=unknown(made),
        others=told[1 : MANY + 1],
        others_more=max(0, len(told) - MANY - 1),
        first_title=TITLES.get(first, first),
        for_whom=[_whom(row) for row in words.for_whom(made, first)],
        unknowable=[_bold(line) for line in words.UNKNOWABLE],
        notes=made.words["notes"],
        smallest=f"{made.rule.smallest_gap * 100:g} points",
        groupings=[_grouping(made, by) for by in made.words["by"]],
        sections=[{**vars(one), "html": Markup(one.html)} for one in sections],
    )


def _covered(made: Audit) -> bool:
    """Say whether the audit is by the columns that the plan's limits are for."""
    return bool(made.rule.limits) and set(made.rule.by) <= set(made.words["by"])


def _audited(made: Audit) -> dict[str, Any]:
    said = made.words
    release = said.get("release")
    return {
        "days": " to ".join(dict.fromkeys(said["days"])) or "days not known",
        "release": release and release[:16],
        "plan": said.get("plan"),
        "source": said["source"],
        "digest": (said.get("digest") or "")[:16],
        "seed": said["seed"],
        **{
            name: f"{said[name]:,}"
            for name in ("calls", "incidents", "tests", "named", "resamples")
        },
    }


def _bold(line: str) -> Markup:
    """Set the first words of a fixed line in bold."""
    _, first, rest = line.split("**", 2)
    return Markup("<strong>{}</strong>{}").format(first, rest)


def _whom(row: dict[str, Any]) -> dict[str, Any]:
    said = [
        {
            **one,
            "words": f"{words.number(one['value'], 'share')} against "
            f"{words.number(one['rest'], 'share')}",
        }
        for one in row["differs"]
    ]
    return {**row, "differs": said}


def _grouping(made: Audit, by: str) -> dict[str, Any]:
    title = " × ".join(TITLES.get(part, part) for part in by.split("×"))
    parts = []
    for subject in made.words["subjects"]:
        figures = [
            _figure(made, by, title, subject, name)
            for name in MEASURES[subject]
            if len(made.of(by, subject, name))
        ]
        lead = [one for one in figures if (subject, one["name"]) in words.LEAD]
        rest = [one for one in figures if one not in lead]
        parts.append(
            {
                "title": SUBJECTS[subject],
                "lead": lead,
                "rest": rest,
                "rest_titles": ", ".join(
                    one["title"].lower() for one in (rest if by == made.words["by"][0] else figures)
                ),
            }
        )
    return {
        "anchor": words.anchor("by", by, ""),
        "title": title,
        "first": by == made.words["by"][0],
        "subjects": parts,
    }


def _figure(made: Audit, by: str, title: str, subject: str, name: str) -> dict[str, Any]:
    measure = MEASURES[subject][name]
    unit = measure.unit
    found = made.of(by, subject, name)
    rows: list[dict[Any, Any]] = found.assign(verdict=found["verdict"].fillna("")).to_dict(
        "records"
    )
    mine = (made.overall["subject"] == subject) & (made.overall["measure"] == name)
    whole = made.overall[mine]
    everybody = float(whole["value"].iloc[0])
    ends = [row[end] for row in rows for end in ("value", "low", "high")]
    on = scale([*ends, everybody], unit=unit)
    counts = unit == "share" and name not in ("mean_score", "ece")
    shown = [
        {
            **row,
            "counted": _counted(row, counts),
            "svg": whisker(row["value"], row["low"], row["high"], everybody, on, row["verdict"]),
            "text": _interval(row["value"], row["low"], row["high"], unit),
            "pooled_text": words.number(row["pooled"], unit),
            "gap_text": _gap(row, unit),
        }
        for row in rows
    ]
    return {
        "name": name,
        "anchor": words.anchor(by, subject, name),
        "title": words.QUESTIONS.get((subject, name), measure.title),
        "meaning": measure.meaning,
        "among": measure.among,
        "all": words.number(everybody, unit) if math.isfinite(everybody) else "",
        "unit": unit,
        "by_title": title,
        "ends": [words.number(end, unit) for end in (on.low, on.high)],
        "tested": measure.tested,
        "pooled": any(math.isfinite(row["pooled"]) for row in rows),
        "rows": shown,
    }


def _counted(row: Mapping[Any, Any], hits: bool) -> str:
    if not math.isfinite(row["among"]):
        return "–"
    if hits and math.isfinite(row["hits"]):
        return f"{row['hits']:,.0f} of {row['among']:,.0f}"
    return f"{row['among']:,.0f}"


def _interval(value: float, low: float, high: float, unit: str) -> str:
    if not math.isfinite(value):
        return "–"
    if not math.isfinite(low):
        return words.number(value, unit)
    bare = [words.number(end, unit).rstrip("% s") for end in (low, high)]
    return f"{words.number(value, unit)} ({bare[0]} to {bare[1]})"


def _gap(row: Mapping[Any, Any], unit: str) -> str:
    if not math.isfinite(row["gap"]):
        return "–"
    ends = [words.gap(row[end], unit).removesuffix(" s") for end in ("gap_low", "gap_high")]
    return f"{words.gap(row['gap'], unit)} ({ends[0]} to {ends[1]})"
