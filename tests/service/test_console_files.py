"""What the console ships: other people's code as it came, and nothing inline."""

from __future__ import annotations

import hashlib
import re
from importlib import resources

import pytest

CONSOLE = resources.files("model_service.service.console")
VENDOR = CONSOLE / "static" / "vendor"
TEMPLATES = sorted(
    file.name for file in (CONSOLE / "templates").iterdir() if file.name.endswith(".html")
)


def test_other_peoples_code_is_as_it_came() -> None:
    sums = dict(
        reversed(line.split("  ")) for line in (VENDOR / "SHA256SUMS").read_text().splitlines()
    )
    scripts = {file.name for file in VENDOR.iterdir() if file.name.endswith(".js")}
    assert sums.keys() == scripts
    for name, digest in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_other_peoples_code_says_its_version_and_licence() -> None:
    told = (VENDOR / "README.md").read_text()
    assert "Zero-Clause BSD" in (VENDOR / "htmx.LICENSE.txt").read_text()
    version = re.search(r'this\.version="([\d.]+)"', (VENDOR / "htmx.min.js").read_text())
    assert version
    assert f"| {version[1]} |" in told


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_hold_nothing_that_the_policy_forbids(name: str) -> None:
    text = (CONSOLE / "templates" / name).read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on|javascript:", text)
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", text)
    assert "|safe" not in text.replace(" ", "")
