"""A section says the same in Markdown, HTML, JSON and CSV, and what is not known is blank."""

from __future__ import annotations

import json
import math

from training.audit.causes.section import Section, Table
from training.metrics import Figure

NAN = math.nan
TABLE = Table(
    "Missed & found",
    ("place", "calls", "missed", "like"),
    (
        ("<Here>", 1200, Figure(0.25, 0.2, 0.31), 0.9),
        ("There", 0, Figure(NAN, NAN, NAN), None),
        ("Alone", 1, Figure(1.0, NAN, NAN), NAN),
    ),
)
SECTION = Section("A title", ("First.", "Then <b>."), (TABLE,))


def test_markdown_holds_figures_with_their_intervals() -> None:
    told = SECTION.markdown()
    assert "| <Here> | 1,200 | 25.0% (20.0% to 31.0%) | 90.0% |" in told
    assert "| There | 0 | – | – |" in told and "| Alone | 1 | 100.0% | – |" in told


def test_html_is_escaped() -> None:
    told = SECTION.html()
    assert "&lt;Here&gt;" in told and "Then &lt;b&gt;." in told and "Missed &amp; found" in told
    assert "<Here>" not in told and told.count("<tr>") == 4


def test_json_has_null_for_what_is_not_known() -> None:
    told = json.loads(json.dumps(SECTION.as_json(), allow_nan=False))
    rows = told["tables"][0]["rows"]
    assert rows[0][2] == {"value": 0.25, "low": 0.2, "high": 0.31}
    assert rows[1][2:] == [{"value": None, "low": None, "high": None}, None]
    assert rows[2][3] is None


def test_csv_has_the_ends_of_an_interval_beside_the_figure() -> None:
    frame = SECTION.frames()["1"]
    assert list(frame.columns) == ["place", "calls", "missed", "missed low", "missed high", "like"]
    assert frame.loc[0, ["missed", "missed low", "missed high"]].tolist() == [0.25, 0.2, 0.31]
    assert frame["missed"].isna().tolist() == [False, True, False]


def test_units_are_written_as_what_they_are() -> None:
    cell = Figure(0.5, -0.25, 1.0)
    said = {
        unit: Table("", ("a",), ((cell,),), unit=unit).word(cell)
        for unit in ("share", "figure", "log-odds", "points")
    }
    assert said == {
        "share": "50.0% (-25.0% to 100.0%)",
        "figure": "0.500 (-0.250 to 1.000)",
        "log-odds": "+0.500 (-0.250 to +1.000)",
        "points": "+0.5000 (-0.2500 to +1.0000)",
    }
