"""Writes what is taken from the code: openapi.json, the plan's schema and parts of README.md.

`make docs` runs it; `test_generated.py` fails when it would change anything. It stands under
`tests/` because it needs both the command line and the service, which never import each other.

In README.md it fills what stands between `<!-- generated: NAME -->` and `<!-- /generated -->`, for
the names in `PARTS`, and leaves the rest alone.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from fastapi import FastAPI
from starlette.routing import Mount

from data.sources.synthetic import synthesize
from data.sources.synthetic.generate import (
    CALLERS,
    CRISIS_RISK,
    OTHER_RISK,
    REVISIONS,
    STYLE_SHARES,
    WRITTEN,
)
from data.sources.synthetic.library import shipped
from model_service.model.plan import plan_schema
from model_service.service.accounts import ROLES
from model_service.service.app import create_app
from model_service.service.auth import ACCESS, PUBLIC
from model_service.service.routes import pages
from model_service.service.settings import PREFIX, Settings
from tests.builders import make_settings
from training.cli import cli

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DATASHEET = ROOT / "data" / "README.md"
OPENAPI = ROOT / "model_service" / "service" / "openapi.json"
PLAN_SCHEMA = ROOT / "model_service" / "model" / "plan.schema.json"

WIDTH = 96
"""Characters of a line of help; a README shows no more without scrolling."""

_PART = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[a-z]+) -->\n).*?(?P<end><!-- /generated -->)", re.DOTALL
)


def an_app() -> FastAPI:
    """Make an application, which opens no file until it is started."""
    with tempfile.TemporaryDirectory() as home:
        return create_app(make_settings(Path(home)))


def openapi() -> str:
    """The description of the API, as a file."""
    return json.dumps(an_app().openapi(), indent=1, ensure_ascii=False) + "\n"


def plan_schema_text() -> str:
    """The JSON Schema of a response plan, as a file."""
    return json.dumps(plan_schema(), indent=1, ensure_ascii=False) + "\n"


# --- the command line ------------------------------------------------------------------------


def verbs(
    group: click.Group = cli, path: tuple[str, ...] = ("crisiscall",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb that does something, with the words that call it, in the order of `--help`."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from verbs(command, (*path, name))
        else:
            yield (*path, name), command


def help_of(path: tuple[str, ...], command: click.Command) -> str:
    """What `--help` prints, whatever the terminal and the environment."""
    context = click.Context(
        command,
        info_name=" ".join(path),
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "\n".join(lines)


def cli_part() -> str:
    """Each verb with its purpose, and its help to unfold."""
    parts = []
    for path, command in verbs():
        words = " ".join(path)
        parts.append(
            f"<details><summary><code>{words}</code>: {_html(purpose(command))}</summary>\n\n"
            f"```text\n{help_of(path, command)}\n```\n\n</details>\n"
        )
    return "".join(parts)


def purpose(command: click.Command) -> str:
    """A verb's purpose: the first paragraph of its help."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- roles -----------------------------------------------------------------------------------


def operations(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name of each operation of the API → its method and path, and its description."""
    return {
        operation["operationId"]: (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def roles_part() -> str:
    """Who may call what."""
    app = an_app()
    places = {name: place for name, (place, _) in operations(app.openapi()).items()}
    for route in (*app.routes, *(route for router in pages.ROUTERS for route in router.routes)):
        name, path = getattr(route, "name", None), getattr(route, "path", None)
        if name and path and name not in places:
            method = next(iter(getattr(route, "methods", None) or ["GET"]))
            places[str(name)] = f"{method} {path}" + ("/…" if isinstance(route, Mount) else "")
    rows = [["", *ROLES], ["---", *(":-:" for _ in ROLES)]]
    public = []
    for name, place in places.items():  # in the order of the API's description
        allowed = ACCESS.get(name, PUBLIC)
        if allowed is PUBLIC:
            public.append(f"`{place}`")
        else:
            rows.append([f"`{place}`", *("✓" if role in allowed else "" for role in ROLES)])
    return _table(rows) + f"\nAnyone, signed in or not: {', '.join(public)}.\n"


# --- settings --------------------------------------------------------------------------------


def settings_part() -> str:
    """What can be set, and what holds if it is not."""
    rows = [["variable", "default", "what it does"], ["---", "---", "---"]]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        about = field.description or ""
        if get_origin(field.annotation) is Literal:
            about += " " + ", ".join(f"`{choice}`" for choice in get_args(field.annotation)) + "."
        rows.append([f"`{PREFIX}{name.upper()}`", default, about.strip()])
    return _table(rows)


STUDIES: dict[str, tuple[str, int]] = {
    "2026-11-synthetic-release": ("The shipped release, on scenario families it never saw", 3),
    "2026-11-seattle-2015": ("A real city: Seattle's calls of 2015, trained on Jan-Sep", 5),
    "2026-11-speed": ("Speed", 4),
}
"""Study → its heading in the README, and how many of the first blocks of its results are shown."""


def measured_part() -> str:
    """What the studies found, as their own results tell it."""
    parts = []
    for study, (heading, shown) in STUDIES.items():
        folder = ROOT / "experiments" / study
        blocks = (folder / "results.md").read_text(encoding="utf-8").strip().split("\n\n")[1:]
        parts.append(
            f"### {heading}\n\n`python experiments/{study}/run.py` "
            f"([what was asked and found](experiments/{study}/README.md), "
            f"[all results](experiments/{study}/results.md))\n\n" + "\n\n".join(blocks[:shown])
        )
    return "\n\n".join(parts)


def calls_part() -> str:
    """Twenty calls, what is recommended for each, and why."""
    study = ROOT / "experiments" / "2026-11-synthetic-release"
    return (study / "calls.md").read_text(encoding="utf-8").split("\n\n", 1)[1].rstrip("\n")


def shares_part() -> str:
    """What the synthetic calls are made of, and why in these shares."""
    percent = "{:.0%}".format
    counts: dict[tuple[bool, bool], int] = {}
    for family in shipped().families.values():
        if family.written:
            texts = sum(len(parts) for parts in family.templates.values())
            counts[family.stratum] = counts.get(family.stratum, 0) + texts
    total = sum(counts.values())
    strata = {
        "crisis, no risk": (True, False),
        "crisis and risk": (True, True),
        "risk alone": (False, True),
        "neither": (False, False),
    }
    defaults = {
        name: parameter.default for name, parameter in signature(synthesize).parameters.items()
    }
    rows = [
        ["what", "share", "why"],
        ["---", "--:", "---"],
        [
            "incidents that are crises",
            percent(defaults["crisis_share"]),
            "a centre codes 1-3%, several times that are so by content; richer, to learn from",
        ],
        [
            "crises with a safety risk",
            percent(CRISIS_RISK),
            "below Detroit's 70% (violent or armed) and New York's 61% (ineligible), which count "
            "more than the call itself tells",
        ],
        ["other incidents with a safety risk", percent(OTHER_RISK), "our choice"],
        ["incidents in words written out whole", percent(WRITTEN), "our choice"],
        *(
            [f"grammar's calls in the style {style}", percent(share), "our choice"]
            for style, share in STYLE_SHARES.items()
        ),
        ["calls of incidents with several callers", percent(1 - CALLERS[1]), "our choice"],
        ["calls with more than one revision, at most", percent(1 - REVISIONS[1]), "our choice"],
        ["wrong labels", percent(defaults["label_noise"]), "set it to try the audit of labels"],
        ["missing labels", percent(defaults["missing_labels"]), "records are never complete"],
        *(
            [
                f"written texts: {name}",
                percent(counts[stratum] / total),
                f"{counts[stratum]:,} of {total:,}; drawn so that the shares above hold",
            ]
            for name, stratum in strata.items()
        ),
    ]
    return _table(rows)


def _table(rows: list[list[str]]) -> str:
    return "".join("| " + " | ".join(cell for cell in row) + " |\n" for row in rows)


# --- README.md -------------------------------------------------------------------------------

PARTS: dict[str, Callable[[], str]] = {
    "calls": calls_part,
    "cli": cli_part,
    "measured": measured_part,
    "roles": roles_part,
    "settings": settings_part,
    "shares": shares_part,
}
"""Name of a generated part → what writes it."""


def parts_in(readme: str) -> list[str]:
    """Name the generated parts that a README has room for."""
    return [match["name"] for match in _PART.finditer(readme)]


def filled(readme: str) -> str:
    """Give a README with its generated parts renewed.

    Raises
    ------
    KeyError
        If it has room for a part that nothing writes.
    """
    return _PART.sub(
        lambda match: f"{match['begin']}\n{PARTS[match['name']]()}\n{match['end']}", readme
    )


def main() -> int:
    """Write what is stale; say what was written and what README.md has no room for."""
    readme = README.read_text(encoding="utf-8")
    datasheet = DATASHEET.read_text(encoding="utf-8")
    renewed = (
        (OPENAPI, openapi()),
        (PLAN_SCHEMA, plan_schema_text()),
        (README, filled(readme)),
        (DATASHEET, filled(datasheet)),
    )
    for path, text in renewed:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            fresh = path.with_name(path.name + ".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
            print(f"crisiscall: wrote {path.relative_to(ROOT)}")
    missing = sorted(set(PARTS) - set(parts_in(readme)) - set(parts_in(datasheet)))
    if missing:
        print(f"crisiscall: README.md lacks <!-- generated: {' / '.join(missing)} -->")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
