"""The words by which entries of the log are asked for, on the command line and over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args

import click

from model_service.model.decision import OVERRIDE_REASONS

F = TypeVar("F", bound=Callable[..., Any])

DecisionAsked = Literal["accept", "override", "commit", "none"]
NO_DECISION: DecisionAsked = "none"

NO_NEIGHBORHOOD = "none"
"""Where a call is from if nothing tells it, or no longer."""

TIMES: dict[str, str] = {
    "since": "First day, or moment such as 2026-11-01T14:30 (UTC).",
    "until": "Day or moment (UTC) before which to stop.",
}
WORDS: dict[str, str] = {
    "recommendation": "Only where this response was recommended.",
    "release": "Only of the release of this name or digest.",
    "decision": "Only where this was decided last.",
    "reason": "Only what was overridden last for this reason.",
    "actor": "Only what this user did, or decided on.",
    "neighborhood": "Only calls from here.",
}
"""What can be asked for, and what it means; what costs least to find out stands first."""

CHOICES: dict[str, tuple[str, ...]] = {
    "decision": get_args(DecisionAsked),
    "reason": OVERRIDE_REASONS,
}

_MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


def _utc(_: Any, __: Any, moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


def time_options(command: F) -> F:
    """Add `--since` and `--until`, as times in UTC."""
    for name, about in reversed(TIMES.items()):
        command = click.option(f"--{name}", type=_MOMENT, metavar="DAY", callback=_utc, help=about)(
            command
        )
    return command


def filter_options(command: F) -> F:
    """Add an option for everything that can be asked for; all but the times can be repeated."""
    for name, about in reversed(WORDS.items()):
        kind = click.Choice(CHOICES[name]) if name in CHOICES else None
        command = click.option(f"--{name}", multiple=True, type=kind, help=about)(command)
    return time_options(command)
