"""Verifies the log beside the service, and remembers when that was done last, and what came of it.

It is `crisiscall log verify` itself, in a process of its own: a walk over a million entries takes
minutes, and must not take the service's turns. What came of it is kept in a small file of the
home; it vouches for nothing, and says who can be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import structlog
from pydantic import AwareDatetime, SecretStr, ValidationError

from data.call import Record
from data.errors import InputError
from data.files import write_whole
from model_service.service.accounts import Identity
from model_service.service.settings import PREFIX, Settings
from model_service.service.telemetry import whereabouts

Result = Literal["whole", "broken", "failed"]
"""`whole` every entry is as it was written; `broken` one is not, or what protects them; `failed`
it could not be found out."""

_RESULTS: Mapping[int, Result] = {0: "whole", 1: "broken"}
_MOST = 4000
_NICE = 10
"""Calls go first."""


class Verified(Record):
    """A verification that came to its end."""

    began: AwareDatetime
    ended: AwareDatetime
    actor: str
    result: Result
    words: str


class Running(NamedTuple):
    """A verification under way."""

    began: datetime
    actor: str


class Verifier:
    """Verifies the log when somebody asks for it, one at a time.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = settings.home / "verification.json"
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.running: Running | None = None

    def last(self) -> Verified | None:
        """Tell of the last verification; None if there was none, or nothing tells of it."""
        try:
            return Verified.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

    def start(self, who: Identity) -> None:
        """Begin, unless it is under way."""
        if self.running is None:
            self.running = Running(datetime.now(UTC), who.name)
            self._task = asyncio.create_task(self._run(self.running))

    async def stop(self) -> None:
        """Give up what is under way."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, running: Running) -> None:
        try:
            result, words = await self._verify()
            ended = datetime.now(UTC)
            found = Verified(
                began=running.began,
                ended=ended,
                actor=running.actor,
                result=result,
                words=words[:_MOST],
            )
            await asyncio.to_thread(write_whole, self._path, found.model_dump_json() + "\n")
        except Exception as error:  # whatever it is, calls go on
            structlog.get_logger().error("no verification", **whereabouts(error))
        finally:
            self.running = None

    async def _verify(self) -> tuple[Result, str]:
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            env=environment(self._settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        out, err = await process.communicate()
        words = (out + err).decode("utf-8", "replace").strip()
        return _RESULTS.get(int(process.returncode or 0), "failed"), words


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment in which another process has the same settings."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if value is not None:
            found[PREFIX + name.upper()] = _written(value)
    return found


def _written(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.absolute())
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def main() -> None:
    """Verify, with the settings of the environment."""
    from model_service.service.log_cli import verify

    try:
        verify([], standalone_mode=False)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
