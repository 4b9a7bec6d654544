"""How fast batch scoring and the API are on one machine; writes results.md beside this.

Run from the project's root, after `crisiscall train`, on an otherwise idle machine:

    python experiments/2026-11-speed/run.py
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import orjson

from data.frame import to_calls, to_records
from data.sources.synthetic import synthesize
from model_service.model.assess import advise, assess
from model_service.model.release import load_release
from model_service.model.store import champion
from training.machine import machine

HERE = Path(__file__).parent
BATCH = 100_000
REQUESTS = 2_000


def crisiscall(*arguments: str) -> list[str]:
    """Name the command line."""
    return [sys.executable, "-m", "training.cli", *arguments]


def batch(home: Path, work: Path) -> tuple[str, str]:
    """Time `crisiscall score` on 100,000 calls, start-up included."""
    dataset = synthesize(BATCH, seed=7)
    source = work / "calls.jsonl"
    records = list(to_records(dataset.calls.iloc[:BATCH]))
    source.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    said = subprocess.run(
        crisiscall("score", str(source), "-o", str(work / "out.jsonl"), "--home", str(home)),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = re.search(r"([\d,]+) calls scored in ([\d.]+) s \(([\d,]+) a second\)", said)
    assert found is not None
    return found[1], found[3]


def one_call(home: Path) -> tuple[float, float]:
    """Time one call through scorer, safeguards, plan, question and explanation, in µs."""
    release = load_release(champion(home / "releases"), trusted=None)
    calls = to_calls(synthesize(2_000, seed=8).calls)
    took = []
    for call in calls:
        begun = time.perf_counter()
        assess(release, call)
        took.append((time.perf_counter() - begun) * 1e6)
    words = np.array([len(call.narrative.split()) for call in calls])
    return float(np.median(took)), float(np.median(words))


def plan_alone(home: Path) -> tuple[dict[str, list[float]], int]:
    """Time facts, disqualifiers, plan and next question of a note of 40 words, in microseconds.

    What the words are normalised to is taken from the score; the score itself is not counted. The
    rules' automaton grows with what it reads, so a text that it has not seen costs more: the second
    half of the notes is timed after the first was read, once unseen and once seen.

    Returns
    -------
    dict, int
        Median and 99th percentile of either, and the number of notes.
    """
    release = load_release(champion(home / "releases"), trusted=None)
    calls = to_calls(synthesize(20_000, seed=10).calls)
    notes = [call for call in calls if 36 <= len(call.narrative.split()) <= 44]
    asked = [(call, release.scorer.score(call)) for call in notes]
    half = len(asked) // 2
    for call, scored in asked[:half]:
        advise(release, release.plan, call, scored)
    found = {}
    for state in ("not seen before", "seen before"):
        took = []
        for call, scored in asked[half:]:
            begun = time.perf_counter()
            advise(release, release.plan, call, scored)
            took.append((time.perf_counter() - begun) * 1e6)
        found[state] = [float(each) for each in np.percentile(took, [50, 99])]
    return found, len(asked) - half


def api(home: Path, work: Path) -> tuple[float, float]:
    """Time POST /v1/assessments of one client over one connection, log included, in ms."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "CRISISCALL_LOG": str(work / "log.db"),
        "CRISISCALL_ACCOUNTS": str(work / "accounts.db"),
    }
    password = subprocess.run(
        crisiscall("users", "add", "bench", "--role", "cad", "--home", str(home)),
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout.strip()
    service = subprocess.Popen(
        crisiscall("serve", "--home", str(home), "--port", str(port), "--log-level", "error"),
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(300):
                with suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        break
                time.sleep(0.1)
            token = client.post("/v1/token", data={"username": "bench", "password": password})
            headers = {
                "Authorization": f"Bearer {token.json()['access_token']}",
                "Content-Type": "application/json",
            }
            took = []
            for record in list(to_records(synthesize(REQUESTS, seed=9).calls))[:REQUESTS]:
                body = orjson.dumps(record)
                begun = time.perf_counter()
                answer = client.post("/v1/assessments", content=body, headers=headers)
                took.append((time.perf_counter() - begun) * 1e3)
                assert answer.status_code == 201, answer.status_code
        return float(np.percentile(took, 50)), float(np.percentile(took, 99))
    finally:
        service.terminate()
        service.wait()


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", default=Path("var"), type=Path)
    home = parser.parse_args().home
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        scored, rate = batch(home, work)
        single, words = one_call(home)
        alone, notes = plan_alone(home)
        p50, p99 = api(home, work)
    (HERE / "results.md").write_text(
        "<!-- Written by run.py; do not edit. -->\n# Results\n\n"
        f"{where}.\n\n"
        "| what | figure |\n|---|--:|\n"
        f"| `crisiscall score`, {scored} calls, JSONL in and out, every core | {rate} calls/s |\n"
        f"| one call of {words:.0f} words (median): score, safeguards, plan, question, "
        f"explanation | {single:.0f} µs |\n"
        + "".join(
            f"| facts, disqualifiers, plan and next question of a note of about 40 words, {state} "
            f"({notes:,} notes), median | {median:.0f} µs |\n| the same, p99 | {late:.0f} µs |\n"
            for state, (median, late) in alone.items()
        )
        + f"| `POST /v1/assessments`, one client, durable log, p50 | {p50:.2f} ms |\n"
        f"| the same, p99 | {p99:.2f} ms |\n",
        encoding="utf-8",
    )
    print((HERE / "results.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
