"""The report: one page without a script, the same as JSON, tables as CSV."""

from __future__ import annotations

import csv
import json
import math
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from tests.training.audit.calls import some_calls
from tests.training.audit.test_verdicts import planted
from training.audit.audit import audit
from training.audit.drawing import scale, whisker
from training.audit.people import section
from training.audit.period import Period
from training.audit.report import Section, as_html, as_json, plain, summary, write_report
from training.audit.words import for_whom, headline

VOID = {"meta", "link", "line", "circle", "path", "br"}


class Page(HTMLParser):
    """Checks that what is opened is closed, and collects words, anchors and outside addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "src"):
                self.targets.append(str(value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(as_html(planted()))


def test_the_page_is_whole_and_needs_nothing_else(page: Page) -> None:
    assert page.open == []
    assert "script" not in page.tags
    assert all(target.startswith("#") for target in page.targets)
    assert {target[1:] for target in page.targets} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


def test_the_finding_stands_first(page: Page) -> None:
    said = headline(planted())
    assert said.startswith("The model misses more safety risks in West: ")
    text = "".join(page.words).replace("\u00a0", " ")
    assert text.index(said) < text.index("How sure") < text.index("What this audit cannot tell")


def test_too_little_evidence_is_not_shown_as_equality() -> None:
    made = audit(Period(some_calls(120)), by=["neighborhood"], resamples=20)
    assert headline(made).startswith("There are too few calls to say")
    rows = for_whom(made, "neighborhood")
    missed = next(row for row in rows if row["question"].startswith("Safety risks that the model"))
    assert not missed["alike"] and missed["unknown"]
    html = as_html(made)
    assert 'class="insufficient"' in html
    assert "insufficient evidence" in html


def test_names_of_groups_are_text_and_no_markup(tmp_path: Path) -> None:
    calls = some_calls(400)
    calls["neighborhood"] = "<b>=East</b>"
    calls.loc[:100, "neighborhood"] = "=1+1"
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    assert "<b>=East" not in as_html(made)
    list(write_report(made, tmp_path))
    with (tmp_path / "measures.csv").open(encoding="utf-8") as file:
        assert {row["group"] for row in csv.DictReader(file)} == {"<b>=East</b>", "'=1+1"}


def test_the_json_says_the_same_and_blank_is_null(tmp_path: Path) -> None:
    calls = some_calls()
    calls.loc[calls["neighborhood"] == "West", "risk"] = 0.0
    made = audit(Period(calls), by=["neighborhood"], resamples=20)
    written = {path.name for path in write_report(made, tmp_path)}
    assert written == {"audit.html", "audit.json", "measures.csv", "overall.csv"}
    told = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert len(told["findings"]) == len(made.findings)
    blank = [
        row
        for row in told["findings"]
        if (row["group"], row["subject"], row["measure"])
        == ("West", "safety_risk", "false_negative_rate")
    ]
    assert blank[0]["value"] is None and blank[0]["among"] == 0
    table = pd.read_csv(tmp_path / "measures.csv", keep_default_na=False, na_values=[""])
    values = [math.nan if row["value"] is None else row["value"] for row in told["findings"]]
    assert table["value"].tolist() == pytest.approx(values, nan_ok=True)
    assert told["audited"]["calls"] == 3000
    assert told["limits"]["smallest_gap"] == 0.1


def test_a_section_comes_in_with_its_words_and_tables(tmp_path: Path) -> None:
    period = Period(some_calls())
    made = audit(period, by=["neighborhood"], resamples=20)
    own = section(period, made)
    assert own is not None
    other = Section("why", "Why?", "Because.", "<p>So.</p>", {"x": float("nan")})
    written = {path.name for path in write_report(made, tmp_path, [own, other])}
    assert "people_changes.csv" in written
    html = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert Page(html).open == []
    assert "<p>So.</p>" in html and 'id="why"' in html and "Because." in html
    assert as_json(made, [other])["sections"]["why"] == {
        "title": "Why?",
        "summary": "Because.",
        "x": None,
    }


def test_the_summary_tells_all_that_differs() -> None:
    made = planted()
    lines = summary(made).splitlines()
    assert len(lines) == 1 + (made.findings["verdict"] == "differs").sum()


def test_what_json_does_not_have_becomes_null() -> None:
    assert plain({"a": [float("inf"), pd.NA, 1.0], 2: (True, "x")}) == {
        "a": [None, None, 1.0],
        "2": [True, "x"],
    }


def test_whiskers_lie_on_the_axis() -> None:
    on = scale([0.12, 0.31, 0.05], unit="share")
    assert (on.low, on.high) == (0.0, pytest.approx(0.35))
    assert on(0.0) < on(0.2) < on(0.35)
    assert scale([], unit="share").high == 1.0
    wide = scale([0.4, 1.9, 0.9], unit="number")
    assert wide.low <= 0.4 and wide.high >= 1.9
    assert "circle" not in whisker(math.nan, math.nan, math.nan, 0.2, on, "")
    assert "path" in whisker(0.2, 0.1, 0.3, 0.2, on, "differs")
