"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_service.model.release import Release, load_release
from model_service.model.store import champion

if TYPE_CHECKING:
    import pandas as pd

HOME = "var"
DAY = click.DateTime(formats=["%Y-%m-%d"])


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--home`: where calls, runs, releases and keys are kept."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=HOME,
        envvar="CRISISCALL_HOME",
        show_default=True,
        show_envvar=True,
        help="Folder of calls, runs, releases and keys.",
    )(command)


def release_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--release`: a release's folder; the champion where it is not given."""
    return click.option(
        "--release",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        help="A release's folder; else the champion under --home.",
    )(command)


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--since` and `--until`: the days of the calls that are looked at."""
    until = click.option("--until", type=DAY, help="Day (UTC) before which to stop.")
    return click.option("--since", type=DAY, help="First day (UTC).")(until(command))


def in_period(received_at: pd.Series, since: datetime | None, until: datetime | None) -> pd.Series:
    """Mark the calls of a period, whose bounds are days in UTC and may be open."""
    chosen = received_at.notna()
    if since is not None:
        chosen &= received_at >= since.replace(tzinfo=UTC)
    if until is not None:
        chosen &= received_at < until.replace(tzinfo=UTC)
    return chosen


def open_release(release: Path | None, home: Path) -> Release:
    """Load the release that was asked for, or the champion; digests are checked.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    return load_release(release_folder(release, home), trusted=None)


def release_folder(release: Path | None, home: Path) -> Path:
    """Folder of the release that was asked for, or of the champion."""
    return champion(home / "releases") if release is None else release
