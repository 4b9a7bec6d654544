"""Reports on fairness: found, framed, and given no leave to do anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_service.service.console.audits import report, reports
from tests.harness import Service

PAGE = """<!doctype html><html><head><title>Fairness audit: Roxbury &amp; more</title>
<style>p { color: red }</style></head><body><p>figures</p></body></html>"""


@pytest.fixture
def home(service: Service) -> Path:
    home = service.settings.home
    for name in ("2026-10", "2026-11"):
        folder = home / "audits" / name
        folder.mkdir(parents=True)
        (folder / "audit.html").write_text(PAGE)
        (folder / "audit.json").write_text("{}")
        (folder / "measures.csv").write_text("a,b\n")
        (folder / ".draft.html").write_text("no")
        (folder / "notes.txt").write_text("no")
    (home / "audits" / "empty").mkdir()
    (home / "audits" / "secret.html").symlink_to(home / "keys")
    (home / "audits" / "2026-11" / "key.json").symlink_to(home / "keys" / "release.pub")
    return home


def test_without_a_report_the_page_says_how_one_is_made(service: Service) -> None:
    page = service.get("/audits", role="auditor").text
    assert "There is no report yet" in page
    assert "crisiscall audit" in page


def test_reports_are_found_by_name_with_their_titles(home: Path, service: Service) -> None:
    assert {one.name for one in reports(home)} == {"2026-10", "2026-11"}
    found = report(home, "2026-10")
    assert found is not None
    assert (found.title, found.page) == ("Fairness audit: Roxbury & more", "audit.html")
    assert found.files == ("audit.json", "measures.csv")
    assert "Roxbury &amp; more" in service.get("/audits", role="auditor").text


def test_a_report_is_framed_without_leave_to_run_anything(home: Path, service: Service) -> None:
    page = service.get("/audits/2026-10", role="auditor")
    assert 'src="/audits/2026-10/audit.html"' in page.text
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    document = service.get("/audits/2026-10/audit.html", role="auditor")
    assert document.text == PAGE
    policy = document.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert document.headers["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    "path",
    ["empty", "nowhere", "%2e%2e/2026-10", ".hidden", "2026-10/notes.txt", "2026-10/.draft.html",
     "2026-10/nothing.html", "2026-11/key.json", "2026-10/..%2f..%2fkeys%2frelease.pub",
     "secret.html/release.pub", "../keys/release.pub"],
)  # fmt: skip
def test_nothing_else_is_given(home: Path, service: Service, path: str) -> None:
    assert service.get(f"/audits/{path}", role="auditor").status_code == 404
