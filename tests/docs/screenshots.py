"""Pictures of every page in light and dark, for the README: `make screenshots`.

A service of its own, on a copy of the release in force (`make run` trains one), filled with the
same synthetic calls each time. WebP of few colours, since a page has few.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import cast

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from data.call import Call
from model_service.service.accounts import ROLES, Role
from model_service.service.routes.pages import NAVIGATION
from tests.browser.desk import Desk, find_chromium, launch
from tests.browser.reason import NO_BROWSER
from tests.builders import add_users, make_settings
from tests.harness import Process
from training.cli.demo import FIRST_CALLS
from training.cli.feeding import Caller, invented

FOLDER = Path(__file__).parent / "pictures"
SIZE = {"width": 1280, "height": 800}
SEED = 23
CALLS = 24
LARGEST = 100_000
"""Bytes of the largest picture."""

COLOURS = 40
"""Enough for a page; text stays as sharp as it was."""


def queue(page: Page) -> None:
    """Calls some of which were decided, one of them open."""
    teams = page.locator("#rows li.call:has-text('clinician')")
    for row, keys in ((teams.nth(2), "F8"), (teams.nth(0), "F9 6"), (teams.nth(1), "")):
        row.get_by_role("button").click()
        page.wait_for_timeout(400)
        for key in keys.split():
            page.keyboard.press(key)
            page.wait_for_timeout(400)


def typed(page: Page) -> None:
    """A call that was typed and assessed."""
    page.get_by_label("Neighbourhood").fill("Roxbury")
    page.get_by_label("What was said or typed so far").fill(
        "My brother hasn't slept in four days, he says the radio is talking to him. He's pacing "
        "and crying. He threw a plate at the wall. He's not violent to us, no weapons."
    )
    page.keyboard.press("Control+Enter")


def supervisor(page: Page) -> None:
    """A period in which there were calls."""
    page.get_by_role("link", name="24 hours").click()


def verification(page: Page) -> None:
    """A log that was found whole."""
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("Whole: every entry is as it was written.")).to_be_visible()


SCENES: dict[str, Callable[[Page], None]] = {
    "queue": queue,
    "type_a_call": typed,
    "supervisor": supervisor,
    "verification": verification,
}
"""What happens on a page before its picture is taken."""


def some_calls() -> Iterator[Call]:
    """Give the calls that the pictures show; those of `make run` are the last ones."""
    now = datetime.now(UTC)
    for revisions in islice(invented(SEED), CALLS):
        for call in revisions:
            yield call.model_copy(update={"received_at": now})
    for number, given in enumerate(FIRST_CALLS[:2]):
        yield Call.model_validate({"call_id": f"FIRST-{number}", "received_at": now, **given})


@contextmanager
def a_service(home: Path) -> Iterator[tuple[Process, dict[str, str]]]:
    """Start a service on a copy of a home's release, with a user of every role and some calls."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("releases", "keys"):
            shutil.copytree(home / part, Path(folder) / part)
        users = add_users(make_settings(Path(folder)), dict(zip(ROLES, ROLES, strict=True)))
        process = Process(Path(folder))
        try:
            process.wait_ready()
            caller = Caller(process.url, "cad", users["cad"])
            for call in some_calls():
                caller.send(call)
            yield process, users
        finally:
            process.stop()


def picture(png: bytes) -> bytes:
    """Make a picture small."""
    small = BytesIO()
    few = Image.open(BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.convert("RGB").save(small, "WEBP", lossless=True, method=6)
    return small.getvalue()


def take(home: Path, folder: Path = FOLDER) -> None:
    """Take a picture of every page that the navigation offers, and of where one signs in."""
    folder.mkdir(exist_ok=True)
    with a_service(home) as (process, users), sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            desk = Desk(browser, process.url, users, color_scheme=scheme, viewport=SIZE)
            desk.open()
            keep(desk, folder, f"sign-in-{scheme}")
            desk.close()
            for page in NAVIGATION:
                role = next(role for role in ROLES if page.open_to(cast(Role, role)))
                desk = Desk(browser, process.url, users, color_scheme=scheme, viewport=SIZE)
                desk.enter(page.path, role)
                expect(desk.page.get_by_role("heading", level=1)).to_be_visible()
                desk.page.wait_for_timeout(500)
                SCENES.get(page.name, lambda _: None)(desk.page)
                desk.page.wait_for_timeout(800)
                keep(desk, folder, f"{page.name.replace('_', '-')}-{scheme}")
                desk.close()
        browser.close()


def keep(desk: Desk, folder: Path, name: str) -> None:
    """Take a picture and write it."""
    small = picture(desk.page.screenshot())
    if len(small) > LARGEST:
        raise SystemExit(f"{name} takes {len(small):,} bytes, more than {LARGEST:,}")
    (folder / f"{name}.webp").write_bytes(small)
    print(f"{name}.webp  {len(small):,} bytes")


if __name__ == "__main__":
    if find_chromium() is None:
        raise SystemExit(NO_BROWSER)
    take(Path(sys.argv[1] if len(sys.argv) > 1 else "var"))
