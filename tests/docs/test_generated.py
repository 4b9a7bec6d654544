"""Nothing that can be called, set or run is without its description, and none of those is stale."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click
import pytest

from model_service.service.app import route_names
from model_service.service.auth import ACCESS, PAGES
from model_service.service.settings import PREFIX, Settings
from tests.docs import generate
from tests.docs.commands import parse

VERBS = {" ".join(path): command for path, command in generate.verbs()}
STALE = "stale: run `make docs`"


@pytest.fixture(scope="module")
def readme() -> str:
    return generate.README.read_text(encoding="utf-8")


def test_openapi_is_as_committed() -> None:
    assert generate.OPENAPI.read_text(encoding="utf-8") == generate.openapi(), STALE


def test_the_plans_schema_is_as_committed() -> None:
    committed = generate.PLAN_SCHEMA.read_text(encoding="utf-8")
    assert committed == generate.plan_schema_text(), STALE


def test_openapi_is_the_same_every_time() -> None:
    assert generate.openapi() == generate.openapi()


def test_there_is_room_for_every_part(readme: str) -> None:
    datasheet = generate.DATASHEET.read_text(encoding="utf-8")
    parts = generate.parts_in(readme) + generate.parts_in(datasheet)
    assert sorted(parts) == sorted(generate.PARTS)


def test_the_datasheets_parts_are_fresh() -> None:
    datasheet = generate.DATASHEET.read_text(encoding="utf-8")
    assert datasheet == generate.filled(datasheet), STALE


def test_the_readmes_parts_are_fresh(readme: str) -> None:
    assert readme == generate.filled(readme), STALE


def test_filling_leaves_everything_else_alone() -> None:
    text = "a\n<!-- generated: roles -->\nold\n<!-- /generated -->\nb <!-- generated -->\n"
    filled = generate.filled(text)
    assert filled.startswith("a\n<!-- generated: roles -->\n\n|")
    assert filled.endswith("\n<!-- /generated -->\nb <!-- generated -->\n")
    assert "old" not in filled
    assert generate.filled(filled) == filled
    with pytest.raises(KeyError):
        generate.filled("<!-- generated: unknown -->\n<!-- /generated -->")


def test_every_route_is_described(readme: str) -> None:
    document: dict[str, Any] = json.loads(generate.OPENAPI.read_text(encoding="utf-8"))
    operations = generate.operations(document)
    unlisted = {"openapi", "docs", "docs_static", *PAGES}
    assert operations.keys() == set(route_names(generate.an_app())) - unlisted
    assert operations.keys() | unlisted == ACCESS.keys()
    for name, (place, operation) in operations.items():
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert f"`{place}`" in readme


def test_every_setting_is_described(readme: str) -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{PREFIX}{name.upper()}` |" in readme


@pytest.mark.parametrize("words", VERBS)
def test_every_verb_is_described_with_an_example(words: str, readme: str) -> None:
    command = VERBS[words]
    assert generate.purpose(command).endswith(".")
    assert f"<code>{words}</code>" in readme
    examples = [
        line.strip().removeprefix("Example: ")
        for line in (command.epilog or "").replace("\b", "").splitlines()
        if "crisiscall " in line
    ]
    own = [line for line in examples if line == words or line.startswith(f"{words} ")]
    assert own, "its help has no example of it"
    for line in own:
        parse(shlex.split(line.split("  ")[0]))


def test_help_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = generate.cli_part()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("CRISISCALL_HOME", "elsewhere")
    assert generate.cli_part() == before
    assert max(map(len, generate.help_of(("x",), click.Command("x")).splitlines())) < 100
