"""Which release is in force, and its replacement while calls come in.

The release in force is a folder, or a small text file that names a folder beside it (the
`champion`), which training replaces in one step. A release that can't be used never takes the
place of one that can.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from model_service.model.release import (
    FILES,
    MANIFEST,
    SIGNATURE,
    Release,
    ReleaseError,
    load_release,
)
from model_service.service.log import LogUnavailable
from model_service.service.settings import Settings
from model_service.service.telemetry import whereabouts

MAX_POINTER = 256
"""Bytes of the largest file that names a release."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def resolve(path: Path) -> Path:
    """Find the folder of the release in force.

    Parameters
    ----------
    path : Path
        A release's folder, or a file that holds the name of a folder beside it.

    Raises
    ------
    ReleaseError
        If there is neither, or the file holds no name.
    """
    if path.is_dir():
        return path
    try:
        with path.open("rb") as file:
            content = file.read(MAX_POINTER + 1)
    except OSError:
        raise ReleaseError(
            f"no release is in force: {path.name} is not there; make one with `crisiscall train`"
        ) from None
    name = content.decode("ascii", "replace").strip()
    if len(content) > MAX_POINTER or not _NAME.fullmatch(name):
        raise ReleaseError(f"{path.name} does not hold the name of a release")
    return path.parent / name


def trusted_keys(settings: Settings) -> tuple[str, ...]:
    """List the public keys one of which must have signed a release.

    Raises
    ------
    ReleaseError
        If there is none.
    """
    if settings.trusted_keys is not None:
        return settings.trusted_keys
    try:
        keys = tuple(settings.key_path.read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        keys = ()
    if not keys:
        raise ReleaseError(
            "no key is trusted: set CRISISCALL_TRUSTED_KEYS, or put one into keys/release.pub"
        )
    return keys


class Releases:
    """The release in force.

    Parameters
    ----------
    settings : Settings
    record : callable
        Awaited with a release before it comes into force; raises `LogUnavailable` if that can't
        be recorded, and the release waits.
    load : callable, optional
        `load_release`, unless a test says otherwise.

    Attributes
    ----------
    current : Release or None
    error : str or None
        Why the release that should be in force is not; no path in it.
    """

    def __init__(
        self,
        settings: Settings,
        record: Callable[[Release], Awaitable[Any]],
        *,
        load: Callable[..., Release] = load_release,
    ) -> None:
        self._settings = settings
        self._record = record
        self._load = load
        self._seen: object = None
        self._wake = asyncio.Event()
        self.current: Release | None = None
        self.error: str | None = "no release was loaded yet"

    def wake(self) -> None:
        """Ask for a fresh look now, whether or not anything seems to have changed."""
        self._seen = None
        self._wake.set()

    async def watch(self) -> None:
        """Look for another release at intervals, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.reload_seconds)
            self._wake.clear()
            await self.check()

    async def check(self) -> None:
        """Bring the release into force that should be, if it is another one."""
        seen = self._look()
        if seen == self._seen:
            return
        log = structlog.get_logger()
        try:
            # In a thread: a large release takes longer to read than a call may wait.
            release = await asyncio.to_thread(self._read)
            if self.current is None or release.digest != self.current.digest:
                await self._record(release)
        except ReleaseError as error:
            self.error = self._without_paths(str(error))
            log.error("release refused", reason=self.error)
        except LogUnavailable:
            self.error = "a release waits until its coming into force can be recorded"
            return  # not seen: the next look tries again
        except Exception as error:
            self.error = "the release can't be read"
            log.error("release refused", reason=self.error, **whereabouts(error))
        else:
            self.current, self.error = release, None
            gc.freeze()  # a large vocabulary is not worth walking at every collection
            log.info("release in force", release=release.name, plan=release.plan.plan)
        self._seen = seen

    def _read(self) -> Release:
        folder = resolve(self._settings.release_path)
        return self._load(folder, trusted=trusted_keys(self._settings))

    def _look(self) -> object:
        """Fingerprint what decides on the release in force, without reading it."""
        path = self._settings.release_path
        found = []
        try:
            folder = resolve(path)
        except ReleaseError:
            folder = path
        files = [folder / name for name in (*FILES, MANIFEST, SIGNATURE)]
        for file in (path, self._settings.key_path, *files):
            try:
                status = os.stat(file)
                found.append((status.st_ino, status.st_mtime_ns, status.st_size))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def _without_paths(self, message: str) -> str:
        path = self._settings.release_path
        for folder in {str(path.parent), str(path.parent.resolve())}:
            message = message.replace(f"{folder}/", "")
        return " ".join(message.split())
