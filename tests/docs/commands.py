"""Command lines as they stand in the documentation, and whether they could be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click

from training.cli import cli

ROOT = Path(__file__).resolve().parents[2]

SHELLS = {"", "sh", "bash", "shell", "console"}
"""Languages of the code blocks that hold commands."""

_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ENDS = re.compile(r"^[();<>|&]+$")
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")


def commands(markdown: str) -> Iterator[list[str]]:
    """Every single command of a document's shell blocks, split into its words."""
    for language, block in _BLOCK.findall(markdown):
        if language in SHELLS:
            yield from _split(block)


def _split(block: str) -> Iterator[list[str]]:
    for line in _whole_lines(block):
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for token in [*lexer, "|"]:
            if _ENDS.match(token):
                while words and _ASSIGNMENT.match(words[0]):
                    del words[0]
                if words:
                    yield words
                words = []
            else:
                words.append(token)


def _whole_lines(block: str) -> Iterator[str]:
    """Lines, put together where one ends within quotes or with a backslash."""
    held = ""
    for line in block.splitlines():
        held = f"{held}\n{line}" if held else line
        if held.endswith("\\"):
            held = held[:-1].rstrip("\n")
            continue
        try:
            shlex.split(held, comments=True)
        except ValueError:
            continue
        yield held
        held = ""
    if held:
        raise ValueError(f"a quotation that does not end: {held.splitlines()[0]}")


def parse(words: list[str]) -> None:
    """Parse a command line of `crisiscall` as click does, without running it.

    Raises
    ------
    click.UsageError
        If there is no such verb or option, or a value does not fit.
    """
    invoke = click.Command.invoke

    def parsed(command: click.Command, context: click.Context) -> Any:
        return invoke(command, context) if isinstance(command, click.Group) else None

    with mock.patch.object(click.Command, "invoke", parsed):
        cli.main(words[1:], prog_name=words[0], standalone_mode=False)


def make_targets() -> dict[str, str]:
    """Targets of the Makefile; its variables are there too, as `NAME=`."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = dict.fromkeys(re.findall(r"^([a-z-]+):", text, re.MULTILINE), "target")
    variables = re.findall(r"^([A-Z_]+)\s*[?:]?=|\$\{([A-Z_]+):-", text, re.MULTILINE)
    return targets | {f"{a or b}=": "variable" for a, b in variables}
