"""The service stops although consoles listen."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.builders import add_users, make_champion, make_settings
from tests.harness import Process


def test_open_consoles_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    make_champion(tmp_path)
    users = add_users(make_settings(tmp_path), {"desk": "dispatcher"})
    process = Process(tmp_path)
    process.wait_ready()
    form = {"username": "desk", "password": users["desk"]}
    token = httpx.post(f"{process.url}/v1/token", data=form).json()["access_token"]
    head = {"authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{process.url}/queue/events", headers=head, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: beat"
        process.stop()
        assert "event: row" not in list(lines)  # the line ends, it is not broken
