"""How long the pages that look back take over a long log, and what calls wait meanwhile.

Writes results.md beside this. Run from the project's root; 200,000 entries take about 700 MB in the
folder of temporary files:

    python experiments/2026-11-pages/run.py
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from data.call import Call
from model_service.model.assess import assess
from model_service.model.decision import OVERRIDE_REASONS
from model_service.model.release import load_release
from model_service.service import views
from model_service.service.ids import new_id
from model_service.service.log.entry import Draft
from model_service.service.log.store import prepare
from model_service.service.opening import open_store
from tests.builders import a_call, add_users, make_champion, make_settings
from tests.harness import Process
from tests.past import PLACES, TEXTS
from training.machine import machine

HERE = Path(__file__).parent
ENTRIES, DAYS, BATCH = 200_000, 60, 2000
ROLES = {"boss": "supervisor", "auditor": "auditor", "cad": "cad"}


def make_log(home: Path, count: int, days: float, until: datetime) -> None:
    """Write a log of `count` entries, spread over some days: half of them assessments."""
    chosen = random.Random(7)
    settings = make_settings(home)
    release = load_release(make_champion(home), trusted=None)
    made = {}
    for text in TEXTS:
        for weapon in ("no", "yes", "unknown"):
            call = Call.model_validate_json(
                views.orjson.dumps(a_call(narrative=text, answers={"weapon": weapon}))
            )
            made[text, weapon] = assess(release, call, None, free={})
    kinds = list(made)
    store = open_store(settings, busy_timeout_ms=5000)
    step = timedelta(days=days) / count
    drafts: list[Draft] = []
    number, at = 0, until - timedelta(days=days)
    written = 0
    while written < count:
        number += 1
        kind = chosen.choice(kinds)
        assessment = made[kind]
        place = chosen.choice(PLACES)
        body = views.assessment_body(
            release, assessment, leads=True, mode="advisory", withheld=None, hold_back=None, free={}
        )
        for revision in range(1, chosen.choice((1, 1, 2)) + 1):
            at += step
            call = a_call(
                f"L-{number}",
                call_id=f"L-{number}",
                revision=revision,
                narrative=kind[0],
                neighborhood=place,
                received_at=at.isoformat(),
                answers={"weapon": kind[1]},
            )
            assert assessment.explanation is not None
            drafts.append(
                Draft(
                    "assessment",
                    "cad",
                    body,
                    call_id=f"L-{number}",
                    revision=revision,
                    assessment_id=new_id(at),
                    private={
                        views.CALL: Call.model_validate_json(views.orjson.dumps(call))
                        .model_dump_json(exclude_none=True)
                        .encode(),
                        views.GROUNDS: views.grounds_bytes(assessment),
                        views.EXPLANATION: views.explanation_bytes(assessment.explanation),
                    },
                    at=at,
                )
            )
        for _ in range(chosen.choice((1, 1, 2))):
            at += step
            drafts.append(_decision(drafts[-1], body, chosen, at))
        if len(drafts) >= BATCH:
            store.write([prepare(draft) for draft in drafts])
            written += len(drafts)
            drafts = []
    store.close()


def _decision(about: Draft, body: dict[str, Any], chosen: random.Random, at: datetime) -> Draft:
    recommended = body["recommendation"]["response"]
    override = chosen.random() < 0.2
    return Draft(
        "decision",
        "desk",
        {
            "action": "override" if override else "accept",
            "response": "protocol" if override else recommended,
            "recommended": recommended,
            "advice_shown": True,
            "reason": chosen.choice(OVERRIDE_REASONS) if override else None,
            "time_to_decide_ms": chosen.randrange(1000, 60_000),
            "superseded_by": None,
        },
        call_id=about.call_id,
        revision=about.revision,
        assessment_id=about.assessment_id,
        at=at,
    )


class Caller(threading.Thread):
    """Posts calls at a set pace, and notes how long each waits."""

    def __init__(self, client: httpx.Client, each: float) -> None:
        super().__init__(daemon=True)
        self._client, self._each = client, each
        self._ended = threading.Event()
        self.waited: list[float] = []

    def run(self) -> None:
        """Post calls until asked to stop."""
        number, due = 0, time.perf_counter()
        while not self._ended.is_set():
            number += 1
            began = time.perf_counter()
            body = a_call(f"N-{id(self)}-{number}", received_at=datetime.now(UTC).isoformat())
            self._client.post("/v1/assessments", json=body).raise_for_status()
            self.waited.append(time.perf_counter() - began)
            due += self._each
            time.sleep(max(0.0, due - time.perf_counter()))

    def finish(self) -> list[float]:
        """Stop, and tell how long each call waited, in seconds."""
        self._ended.set()
        self.join()
        return self.waited


def _client(url: str, users: dict[str, str], name: str) -> httpx.Client:
    form = {"username": name, "password": users[name]}
    token = httpx.post(f"{url}/v1/token", data=form).raise_for_status().json()["access_token"]
    head = {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=url, headers=head, timeout=120)


def measure(home: Path, users: dict[str, str], repeats: int) -> list[tuple[str, str, str, str]]:
    """Ask for each page some times while calls come in; returns rows of the table."""
    process = Process(home)
    process.wait_ready(60)
    rows = []
    try:
        boss, auditor = _client(process.url, users, "boss"), _client(process.url, users, "auditor")
        cad = _client(process.url, users, "cad")
        now = datetime.now(UTC)
        month = (now - timedelta(days=30)).strftime("%Y-%m-%dT%HZ")
        old = (now - timedelta(days=55)).strftime("%Y-%m-%dT%HZ")
        newer = (now - timedelta(days=54)).strftime("%Y-%m-%dT%HZ")
        one = auditor.get("/v1/log", params={"kind": "assessment", "after": 150_000, "limit": 1})
        record = one.json()["entries"][0]["assessment_id"]
        pages = (
            ("nothing: calls alone", None, ""),
            ("supervision, last shift", boss, "/supervisor"),
            ("supervision, 24 hours", boss, "/supervisor?period=24h"),
            ("supervision, 7 days", boss, "/supervisor?period=7d"),
            ("supervision, 30 days (20,000 calls)", boss, f"/supervisor?since={month}"),
            ("supervision, a day 55 days ago", boss, f"/supervisor?since={old}&until={newer}"),
            ("log, newest", auditor, "/log"),
            ("log, overridden in one place", auditor,
             "/log?calls=1&decision=override&neighborhood=Mattapan"),
            ("log, of a day 55 days ago", auditor, f"/log?calls=1&since={old}&until={newer}"),
            ("log, a reason that never was (cut short)", auditor, "/log?unserved=busy"),
            ("record of a call", auditor, f"/records/{record}"),
            ("replay", auditor, f"/records/{record}/replay"),
        )  # fmt: skip
        for title, client, path in pages:
            caller = Caller(cad, 0.05)
            caller.start()
            took, size = [], 0
            if client is None:
                time.sleep(5)
            else:
                for _ in range(repeats):
                    began = time.perf_counter()
                    answer = client.get(path).raise_for_status()
                    took.append(time.perf_counter() - began)
                    size = len(answer.content)
            waited = sorted(caller.finish())
            rows.append(
                (
                    title,
                    f"{statistics.median(took) * 1000:,.0f} ms" if took else "",
                    f"{size / 1000:,.0f} kB" if size else "",
                    f"{statistics.median(waited) * 1000:.1f} / "
                    f"{waited[int(len(waited) * 0.95)] * 1000:.1f} / {waited[-1] * 1000:.1f} ms",
                )
            )
            print(*rows[-1], sep=" | ", flush=True)
    finally:
        process.stop()
    return rows


def main() -> None:
    """Make the log, measure, and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        began = time.perf_counter()
        make_log(home, asked.entries, DAYS, datetime.now(UTC))
        users = add_users(make_settings(home), ROLES)
        print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
        rows = measure(home, users, asked.repeats)
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    (HERE / "results.md").write_text(
        f"""# Results

{asked.entries:,} entries over {DAYS} days; {machine()}. Median of {asked.repeats} readings, while
a call comes in every 50 ms; what those waited: median, 95th percentile, longest.

| page | time | size | calls waited |
|---|---:|---:|---:|
{table}
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
