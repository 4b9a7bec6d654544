"""What each cause hands to a report: a title, a few plain sentences, and tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from training.metrics import Figure

Cell = str | int | float | Figure | None
"""A cell of a table. None, or a figure whose value is NaN, is blank: nothing is known."""


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Parameters
    ----------
    caption : str
    columns : tuple of str
    rows : tuple of tuple of Cell
        Each as long as `columns`.
    unit : {"share", "figure", "log-odds", "points"}
        Of the figures: a share from 0 to 1, a plain figure, a difference in log-odds, or one of a
        score from 0 to 1.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    unit: str = "share"

    def markdown(self) -> str:
        """Write the table in Markdown, its caption above."""
        lines = [f"{self.caption}\n", _row(self.columns), _row(["---"] * len(self.columns))]
        lines += [_row([self.word(cell) for cell in row]) for row in self.rows]
        return "\n".join(lines)

    def html(self) -> str:
        """Write the table in HTML, its caption above; figures stand to the right."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        body = "".join(
            f"<tr>{''.join(self._cell(cell, first=not n) for n, cell in enumerate(row))}</tr>"
            for row in self.rows
        )
        return (
            f"<table><caption>{escape(self.caption)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def frame(self) -> pd.DataFrame:
        """Give the table for a CSV file: a figure becomes three columns, its ends beside it."""
        columns: dict[str, list[Any]] = {}
        for place, name in enumerate(self.columns):
            cells = [row[place] for row in self.rows]
            if not any(isinstance(cell, Figure) for cell in cells):
                columns[name] = cells
                continue
            for part, end in (("", "value"), (" low", "low"), (" high", "high")):
                columns[name + part] = [getattr(cell, end, None) for cell in cells]
        return pd.DataFrame(columns)

    def _cell(self, cell: Cell, *, first: bool) -> str:
        said = escape(self.word(cell))
        if first:
            return f'<th scope="row">{said}</th>'
        return f"<td>{said}</td>" if isinstance(cell, str) else f'<td class="number">{said}</td>'

    def word(self, cell: Cell) -> str:
        """Write one cell; a blank one as a dash."""
        if cell is None:
            return "–"
        if isinstance(cell, Figure):
            if math.isnan(cell.value):
                return "–"
            if math.isnan(cell.low):
                return self._number(cell.value)
            ends = f"{self._number(cell.low)} to {self._number(cell.high)}"
            return f"{self._number(cell.value)} ({ends})"
        if isinstance(cell, float):
            return "–" if math.isnan(cell) else self._number(cell)
        return f"{cell:,}" if isinstance(cell, int) else cell

    def _number(self, value: float) -> str:
        if self.unit == "share":
            return f"{value:.1%}"
        if self.unit == "figure":
            return f"{value:.3f}"
        return f"{value:+.3f}" if self.unit == "log-odds" else f"{value:+.4f}"


@dataclass(frozen=True)
class Section:
    """One cause, ready for a report.

    Parameters
    ----------
    title : str
    summary : tuple of str
        Plain sentences, the most important first.
    tables : tuple of Table
    """

    title: str
    summary: tuple[str, ...]
    tables: tuple[Table, ...]

    def as_json(self) -> dict[str, Any]:
        """Give the section as JSON holds it; what is not known is null."""
        return {
            "title": self.title,
            "summary": list(self.summary),
            "tables": [
                {
                    "caption": table.caption,
                    "unit": table.unit,
                    "columns": list(table.columns),
                    "rows": [[_plain(cell) for cell in row] for row in table.rows],
                }
                for table in self.tables
            ],
        }

    def html(self) -> str:
        """Write what stands below the title in HTML; every text is escaped."""
        words = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.summary)
        return words + "".join(table.html() for table in self.tables)

    def frames(self) -> dict[str, pd.DataFrame]:
        """Give the tables for CSV files, numbered from 1 in their order."""
        return {str(number): table.frame() for number, table in enumerate(self.tables, 1)}

    def markdown(self) -> str:
        """Write the section in Markdown."""
        parts = [f"## {self.title}", *self.summary, *(table.markdown() for table in self.tables)]
        return "\n\n".join(parts) + "\n"


def _row(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Figure):
        return cell.as_json()
    return None if isinstance(cell, float) and math.isnan(cell) else cell
