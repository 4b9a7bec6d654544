"""A browser and a service for a module; both end with it.

Not for the session: while Playwright's synchronous interface is in use, no other event loop can
run in its thread, and the tests of the service need theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from model_service.model.release import canonical
from tests.browser.desk import Desk, find_chromium, launch
from tests.browser.reason import NO_BROWSER
from tests.builders import add_users, make_champion, make_settings, release_files
from tests.harness import Process

OpenDesk = Callable[..., Desk]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    metrics = canonical({"warning": "A release made by hand, for the tests alone."})
    make_champion(folder, {**release_files(), "metrics.json": metrics})
    return folder


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    return {"desk": "dispatcher", "auditor": "auditor"}


@pytest.fixture(scope="module")
def users(home: Path, roles: dict[str, str]) -> dict[str, str]:
    return add_users(make_settings(home), roles)


@pytest.fixture(scope="module")
def process(browser: Browser, home: Path, users: dict[str, str]) -> Iterator[Process]:
    started = Process(home)
    started.wait_ready()
    yield started
    started.stop()


@pytest.fixture
def open_desk(browser: Browser, process: Process, users: dict[str, str]) -> Iterator[OpenDesk]:
    """Opens windows, which are closed and looked through at the end."""
    windows: list[Desk] = []

    def opened(**context: object) -> Desk:
        windows.append(Desk(browser, process.url, users, **context))
        return windows[-1]

    yield opened
    for window in windows:
        window.close()


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """A window with a dispatcher signed in, on the form in which a call is typed."""
    return open_desk().ready()
