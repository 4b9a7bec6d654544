"""What an audit found, written down: one HTML page, the same as JSON, tables as CSV.

Other parts of an audit - causes, places, mitigation - come in as sections: each with a title, a
summary in plain words, a body in HTML and the same as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from data.files import drafted, inert, write_whole
from training.audit.audit import Audit
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
        + ", ".join(f"{counts.get(v, 0):,} {v}" for v in (DIFFERS, NO_DIFFERENCE, INSUFFICIENT))
    ]
    lines += [f"  {line}" for line in _told(differing(made).to_dict("records"))]
    return "\n".join(lines)


def differing(made: Audit) -> pd.DataFrame:
    """Give the findings that differ, the surest first."""
    found = made.findings[made.findings["verdict"] == DIFFERS]
    return found.sort_values("p_adjusted", kind="stable")


def _told(rows: Iterable[Mapping[Any, Any]]) -> Iterator[str]:
    for row in rows:
        measure = MEASURES[row["subject"]][row["measure"]]
        yield (
            f"{row['by']} {row['group']}: {SUBJECTS[row['subject']]}, {measure.title.lower()}: "
            f"{figure(row['value'], measure.unit)} against {figure(row['rest'], measure.unit)} "
            "elsewhere"
        )


def figure(value: float, unit: str) -> str:
    """Write a figure in its unit; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    return {"share": f"{value:.1%}", "number": f"{value:.2f}", "seconds": f"{value:.1f} s"}[unit]
