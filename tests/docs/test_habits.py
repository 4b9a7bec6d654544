"""Habits that a linter does not know."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("data", "model_service", "training", "tests")

# Put together, so that this file does not hold what it looks for.
HOME_PATH = re.compile(
    "|".join(["/ho" + r"me/\w", "/Us" + r"ers/\w", "/ro" + "ot/", r"[A-Z]:\\Us" + "ers"])
)
LATER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "HA" + "CK"]) + r")\b")

TEXTS = {".py", ".md", ".toml", ".yaml", ".js", ".css", ".html", ".json"}

UNPICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "skops"}


def ours() -> list[Path]:
    """Files that are or would be committed."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def lines(paths: list[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def imported(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", name


def test_no_path_of_somebodys_machine() -> None:
    assert [where for where, line in lines(ours()) if HOME_PATH.search(line)] == []


def test_nothing_is_put_off_in_a_comment() -> None:
    assert [where for where, line in lines(ours()) if LATER.search(line)] == []


def test_every_text_ends_with_one_newline() -> None:
    texts = [
        path
        for path in ours()
        if path.suffix in TEXTS and path.stat().st_size and "vendor" not in path.parts
    ]
    ends = {path: path.read_bytes()[-2:] for path in texts}
    assert [str(path) for path, end in ends.items() if end[-1:] != b"\n" or end == b"\n\n"] == []


def test_the_service_unpickles_nothing() -> None:
    wrong = []
    for path in sorted((ROOT / "model_service").rglob("*.py")):
        wrong += [
            f"{where} imports {name}"
            for where, name in imported(path)
            if name.split(".")[0] in UNPICKLING
        ]
        for where, call in calls(path):
            for keyword in call.keywords:
                if keyword.arg == "allow_pickle" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    wrong.append(f"{where} allows pickle")
    assert wrong == []


COMMANDS = [ROOT / "tests" / "docs" / name for name in ("generate.py", "screenshots.py")]
"""Commands, whose output is for people."""


def test_nothing_prints_but_experiments_and_generators() -> None:
    wrong = [
        where
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path not in COMMANDS
        for where, call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert wrong == []


def test_the_changelogs_first_version_is_the_projects() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## \[?v?(\d+\.\d+\.\d+\S*?)\]?(\s|$)", changelog, re.MULTILINE)
    assert first is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert first[1] == project["version"]
