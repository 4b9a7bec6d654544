"""What README.md tells one to type exists, what it points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.docs.commands import ROOT, commands, make_targets, parse

README = (ROOT / "README.md").read_text(encoding="utf-8")
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_PATH = re.compile(r"^[\w.-]+(/[\w.-]+)*/?$")


def prose(markdown: str) -> str:
    return _FENCED.sub("", markdown)


def anchors(markdown: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(markdown), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def named_paths(tree: str) -> list[str]:
    """Paths of a drawn tree: indentation is the folder, the first words of a line are names."""
    paths, folders = [], [(-1, "")]
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip(" "))
        names = []
        for word in line.split():
            if not _PATH.match(word) or not ("/" in word or "." in word.strip(".")):
                break
            names.append(word)
        while folders[-1][0] >= indent:
            folders.pop()
        paths += [folders[-1][1] + name for name in names]
        if len(names) == 1 and names[0].endswith("/"):
            folders.append((indent, folders[-1][1] + names[0]))
    return paths


def test_the_names_of_a_tree() -> None:
    tree = (
        "data/     calls, e.g. these\n  call.py   one\n"
        "model/\n  a.py b.py  both\n  c/\n    d.py\nX.md\n"
    )
    assert named_paths(tree) == [
        *("data/", "data/call.py", "model/", "model/a.py", "model/b.py", "model/c/"),
        *("model/c/d.py", "X.md"),
    ]


def test_commands_are_found_in_blocks() -> None:
    text = (
        "```console\n$ A=1 make run && crisiscall data check \\\n  var/x  # so\n```\n"
        "```text\nmake nothing\n```\n```sh\nX=$(crisiscall card | head) | cat 'a\nb'\n```\n"
    )
    assert [words for words in commands(text) if words[0] in ("make", "crisiscall")] == [
        ["make", "run"],
        ["crisiscall", "data", "check", "var/x"],
        ["crisiscall", "card"],
    ]


@pytest.mark.parametrize(
    "line",
    ["crisiscall dat", "crisiscall data", "crisiscall train --no-such", "crisiscall data check"],
)
def test_a_wrong_command_is_seen(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line.split())


def test_every_command_exists_with_its_options() -> None:
    ours = [words for words in commands(README) if words[0] in ("make", "crisiscall")]
    assert ["make", "run"] in ours
    assert ["make", "test"] in ours
    known = make_targets()
    for words in ours:
        if words[0] == "crisiscall":
            parse(words)
        else:
            for word in words[1:]:
                assert re.sub(r"=.*", "=", word) in known, f"make {word}"


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(README))
    assert links
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = ROOT / path if path else ROOT / "README.md"
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_layout_is_the_layout() -> None:
    (section,) = re.findall(r"^##+ Layout\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    named = [
        path
        for tree in re.findall(r"```\w*\n(.*?)```", section, re.DOTALL)
        for path in named_paths(tree)
    ]
    named += [path for path in re.findall(r"`([^`\s]+)`", prose(section)) if "/" in path]
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []
    shown = {Path(path).parts[0] for path in named}
    assert {"data", "model_service", "training", "experiments", "tests"} <= shown


def test_nothing_is_left_to_fill_in() -> None:
    assert re.findall(r"@@\w*|\bX{3}\b|\?\?\?", README) == []
