"""The command line, `crisiscall`.

Each verb lives in a module that is imported only when it is called, so that `crisiscall serve`
loads nothing of training, and `--help` answers at once. Verbs of the service are named here as
text: training and service never import each other.

Exit codes: 0 done; 1 done, and what was checked failed; 2 could not be done, with one line of why.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from data.errors import InputError

VERBS: dict[str, str] = {
    "data": "training.cli.data:data",
    "train": "training.cli.train:train",
    "evaluate": "training.cli.evaluate:evaluate",
    "compare": "training.cli.compare:compare",
    "promote": "training.cli.promote:promote",
    "recalibrate": "training.cli.recalibrate:recalibrate",
    "rollback": "training.cli.promote:rollback",
    "releases": "training.cli.promote:releases",
    "audit": "training.cli.audit:audit",
    "behave": "training.cli.behave:behave",
    "card": "training.cli.card:card",
    "score": "training.cli.score:score",
    "plan": "training.cli.plan:plan",
    "serve": "model_service.service.cli:serve",
    "users": "model_service.service.cli:users",
    "log": "model_service.service.log_cli:log",
    "demo": "training.cli.demo:demo",
}
"""Verb → the module and the command in it, in the order of `--help`."""


class LazyGroup(click.Group):
    """A group of commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in their order."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        module, attribute = VERBS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crisiscall")
def cli() -> None:
    """Decision support for 911 centres that can send more than police.

    A model says how likely a call is a mental-health crisis and how likely it carries a safety
    risk; a written response plan turns that into a recommendation; a person decides.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; the entry point of `crisiscall`."""
    try:
        cli.main(args=arguments, prog_name="crisiscall", standalone_mode=True)
    except InputError as error:
        click.echo(f"crisiscall: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except OSError as error:
        # A full disk, a folder that may not be written: the user's to mend, and no defect.
        where = "" if error.filename is None else f"{error.filename}: "
        click.echo(f"crisiscall: {where}{error.strerror or type(error).__name__}", err=True)
        sys.exit(2)
