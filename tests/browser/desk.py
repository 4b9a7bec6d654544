"""Debian's Chromium on the console, with an eye on what it asks for and complains of."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Page, Playwright, expect

FLAGS = (
    "--no-sandbox",  # Chromium's own sandbox does not start as root
    "--disable-dev-shm-usage",  # small in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE = 10_000
"""Milliseconds that a page may take on a busy machine."""

expect.set_options(timeout=PATIENCE)


def find_chromium() -> str | None:
    """Where Chromium is, if it is; none is ever downloaded."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def launch(playwright: Playwright) -> Browser:
    path = find_chromium()
    assert path is not None
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


class Desk:
    """One browser window on the console."""

    def __init__(self, browser: Browser, url: str, users: dict[str, str], **context: Any) -> None:
        self.url = url
        self.users = users
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.bytes = 0
        self._context = browser.new_context(**context)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._context.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def expected(self, pattern: str) -> None:
        """Take a complaint off the list that the test provoked; there must be one."""
        left = [text for text in self.complaints if not re.search(pattern, text)]
        assert len(left) < len(self.complaints), self.complaints
        self.complaints = left

    def close(self) -> None:
        """Close the window; nothing may have gone wrong in it, or gone elsewhere."""
        self._context.close()
        assert self.complaints == [], self.complaints
        assert self.hosts <= {urlsplit(self.url).netloc}

    def open(self, path: str = "/") -> Desk:
        self.page.goto(f"{self.url}{path}")
        return self

    def sign_in(self, name: str = "desk", password: str | None = None) -> Desk:
        """Sign in by keyboard alone: the name has the focus."""
        expect(self.page.get_by_label("Name")).to_be_focused()
        self.page.keyboard.type(name)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(password or self.users[name])
        self.page.keyboard.press("Enter")
        return self

    def enter(self, path: str = "/", name: str = "desk") -> Desk:
        """Sign in and go to a page."""
        self.open("/sign-in").sign_in(name)
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()
        if path != "/":
            self.open(path)
        self.page.wait_for_load_state("load")
        return self

    def queue(self, name: str = "desk") -> Desk:
        """Sign in, which leads to the queue, and wait until its line is there."""
        with self.page.expect_response("**/queue/events*"):
            self.enter(name=name)
        return self

    def ready(self) -> Desk:
        """Sign in and wait for the form in which a call is typed."""
        self.enter("/type")
        expect(self.narrative).to_be_focused()
        expect(self.page.locator("#call-id")).to_contain_text("TYPED-")
        return self

    def unlock(self, name: str = "desk") -> None:
        """Give the password again, where the page asks for it in place."""
        expect(self.page.locator("#unlock [name=password]")).to_be_focused()
        self.page.keyboard.type(self.users[name])
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#locked")).to_be_hidden()

    def assess(self, narrative: str | None = None) -> dict[str, Any]:
        """Type a narrative, assess by keyboard and return the answer once it is shown."""
        if narrative is not None:
            self.narrative.fill(narrative)
        with self.page.expect_response("**/v1/assessments") as answer:
            self.page.keyboard.press("Control+Enter")
        assessment: dict[str, Any] = answer.value.json()
        expect(self.page.locator("#assess")).to_have_attribute("aria-disabled", "false")
        if answer.value.ok:
            expect(self.article).to_have_attribute("data-assessment", assessment["assessment_id"])
        return assessment

    def press(self, key: str) -> dict[str, Any]:
        """Press a key that sends a decision, and return the answer."""
        with self.page.expect_response("**/decision") as answer:
            self.page.keyboard.press(key)
        decision: dict[str, Any] = answer.value.json()
        return decision

    def api(self, name: str = "auditor") -> httpx.Client:
        """A client of the interface, signed in as another user."""
        form = {"username": name, "password": self.users[name]}
        token = httpx.post(f"{self.url}/v1/token", data=form).raise_for_status().json()
        head = {"authorization": f"Bearer {token['access_token']}"}
        return httpx.Client(base_url=self.url, headers=head)

    def record(self, assessment: dict[str, Any]) -> dict[str, Any]:
        """Read an assessment back through the interface, as the auditor."""
        with self.api() as client:
            answer = client.get(f"/v1/assessments/{assessment['assessment_id']}")
        record: dict[str, Any] = answer.raise_for_status().json()
        return record

    @property
    def article(self) -> Any:
        """What the pane shows of a call."""
        return self.page.locator("#detail article")

    @property
    def narrative(self) -> Any:
        return self.page.get_by_label("What was said or typed so far")

    @property
    def alarm(self) -> Any:
        return self.page.locator("#alarm")

    @property
    def decisions(self) -> Any:
        return self.page.locator("#decisions li")
