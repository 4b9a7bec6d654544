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
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import httpx
import joblib
import numpy as np
import orjson
import pandas as pd

from data.call import Call
from data.frame import to_calls, to_records
from data.sources.synthetic import synthesize
from model_service.model.assess import assess
from model_service.model.explanation import explain
from model_service.model.facts import facts_of
from model_service.model.questions import next_questions
from model_service.model.recommend import recommend
from model_service.model.release import Release, load_release
from model_service.model.safeguards import abstention
from model_service.model.store import champion
from model_service.model.teams import Teams
from training.machine import machine

HERE = Path(__file__).parent
BATCH = 100_000
REQUESTS = 2_000
SEEN_BEFORE = 5_000
PARTS = ("score", "facts", "plan", "question", "explanation")
ROWS = {
    "score, two heads with concepts": ["score"],
    "facts that the narrative states": ["facts"],
    "safeguards and plan": ["plan"],
    "next question": ["question"],
    "explanation": ["explanation"],
    "facts, safeguards, plan, next question": ["facts", "plan", "question"],
    "score, facts, safeguards, plan, explanation": ["score", "facts", "plan", "explanation"],
    "everything": list(PARTS),
}


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


def pipeline_row(home: Path, calls: pd.DataFrame) -> float:
    """Time the fitted pipeline's `predict_proba` of one call: median of 200, processor time, µs."""
    kept = max(home.rglob("pipeline.joblib"), key=lambda path: path.stat().st_mtime)
    classifier = joblib.load(kept)
    took = []
    for row in range(200):
        one = calls.iloc[row : row + 1]
        begun = time.thread_time()
        classifier.predict_proba(one)
        took.append((time.thread_time() - begun) * 1e6)
    return float(np.median(took))


def parts(release: Release, calls: Sequence[Call]) -> dict[str, list[float]]:
    """Time every part of the way of each call, in microseconds of processor time.

    Returns
    -------
    dict
        Part → a time per call.
    """
    plan, scorer, thresholds = release.plan, release.scorer, release.thresholds
    took: dict[str, list[float]] = {part: [] for part in PARTS}
    for call in calls:
        times = [time.thread_time()]
        scored = scorer.score(call)
        times.append(time.thread_time())
        teams = Teams(plan, call)
        facts = facts_of(call, scored, plan.facts, release.rules)
        times.append(time.thread_time())
        abstained = abstention(
            call,
            scored,
            facts,
            min_known_words=plan.abstain.min_known_words,
            min_known_share=plan.abstain.min_known_share,
            languages=plan.languages,
        )
        given = {"teams": teams, "thresholds": thresholds, "abstained": abstained}
        made = recommend(scored.prediction, facts=facts, **given)
        times.append(time.thread_time())
        next_questions(scorer, scored, made, **given)
        times.append(time.thread_time())
        explain(scorer, scored)
        times.append(time.thread_time())
        for part, (begun, done) in zip(PARTS, pairwise(times), strict=True):
            took[part].append((done - begun) * 1e6)
    return took


def summed(took: dict[str, list[float]], wanted: Sequence[str]) -> tuple[float, float]:
    """Give median and 99th percentile of some parts together."""
    together = np.sum([took[part] for part in wanted], axis=0)
    median, late = np.percentile(together, [50, 99])
    return float(median), float(late)


def way(home: Path) -> list[str]:
    """Time the parts of a call of about 60 words, and draw the table.

    What the two lists of phrases keep grows with what they read, so that a text that they have not
    seen costs more: calls are timed that no other resembles to the letter, after as many others as
    the table says, and then once more.
    """
    release = load_release(champion(home / "releases"), trusted=None)
    frame = synthesize(20_000, seed=10).calls
    calls = list({call.narrative: call for call in to_calls(frame)}.values())
    asked = [call for call in calls if 52 <= len(call.narrative.split()) <= 68]
    kept = {call.call_id for call in asked}
    others = [call for call in calls if call.call_id not in kept]
    for call in others[:SEEN_BEFORE]:
        assess(release, call)
    words = float(np.median([len(call.narrative.split()) for call in asked]))
    unseen, seen = parts(release, asked), parts(release, asked)
    pipeline = pipeline_row(home, frame)
    lines = [
        f"One call of {words:.0f} words (median of {len(asked):,}), after {SEEN_BEFORE:,} others, "
        "in µs of processor time; a pipeline's row is `predict_proba` of one call, both heads, "
        f"nothing else: {pipeline:,.0f} µs in the same run.",
        "",
        "| what | not seen before, median | p99 | seen before, median | p99 | pipeline rows |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, wanted in ROWS.items():
        (median, late), (again, late_again) = summed(unseen, wanted), summed(seen, wanted)
        lines.append(
            f"| {name} | {median:.0f} | {late:.0f} | {again:.0f} | {late_again:.0f} "
            f"| 1 : {pipeline / median:.0f} |"
        )
    return lines


def start(home: Path) -> tuple[float, float]:
    """Time the reading of a release in a new process: processor seconds, imports and reading."""
    code = (
        "import sys, time; from pathlib import Path; "
        "from model_service.model.release import load_release; "
        "imported = time.process_time(); load_release(Path(sys.argv[1]), trusted=None); "
        "print(imported, time.process_time() - imported)"
    )
    folder = str(champion(home / "releases"))
    took = [
        subprocess.run(
            [sys.executable, "-c", code, folder], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(5)
    ]
    imported, read = np.median(np.array(took, dtype=float), axis=0)
    return float(imported), float(read)


def api(home: Path, work: Path) -> tuple[float, float, float]:
    """Time POST /v1/assessments of one client over one connection, log included.

    Returns
    -------
    float, float, float
        Median and 99th percentile in ms; seconds from the start of the service until it is ready.
    """
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
    started = time.perf_counter()
    service = subprocess.Popen(
        crisiscall("serve", "--home", str(home), "--port", str(port), "--log-level", "error"),
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(3_000):
                with suppress(httpx.TransportError):
                    if client.get("/readyz").status_code == 200:
                        break
                time.sleep(0.01)
            ready = time.perf_counter() - started
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
        return float(np.percentile(took, 50)), float(np.percentile(took, 99)), ready
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
        table = way(home)
        imported, read = start(home)
        p50, p99, ready = api(home, work)
    lines = [
        "<!-- Written by run.py; do not edit. -->",
        "# Results",
        "",
        f"{where}.",
        "",
        *table,
        "",
        "| what | figure |",
        "|---|--:|",
        f"| `crisiscall score`, {scored} calls, JSONL in and out, every core | {rate} calls/s |",
        f"| a process reads a release: imports, then the release itself | {imported:.2f} s + "
        f"{read:.2f} s of processor time |",
        f"| `crisiscall serve` until `/readyz` says so | {ready:.2f} s |",
        f"| `POST /v1/assessments`, one client, durable log, p50 | {p50:.2f} ms |",
        f"| the same, p99 | {p99:.2f} ms |",
    ]
    (HERE / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print((HERE / "results.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
