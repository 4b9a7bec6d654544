"""How long it takes to verify a log of a million entries; writes results.md beside this.

Run from the project's root; the log and its keys take about 4 GB in the folder of temporary files:

    python experiments/2026-11-log/run.py
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model_service.service.log import schema
from model_service.service.log.checkpoint import sign, write
from model_service.service.log.entry import GENESIS, canonical, digest
from model_service.service.log.keys import KEY_BYTES, keys_beside
from model_service.service.log.merkle import Range
from model_service.service.log.private import lock, seal
from training.machine import machine

HERE = Path(__file__).parent
ENTRIES, EVERY, BATCH = 1_000_000, 1000, 5000
KEY = Ed25519PrivateKey.from_private_bytes(b"the key of a log of a study only")
TIME = "2026-11-24T12:00:00.000Z"
SHARES = (("assessment", 50), ("decision", 40), ("outcome", 6), ("sign_in", 4))


def assessment(chosen: random.Random) -> dict[str, object]:
    """Make up the body of an assessment, as large as those of the service."""
    return {
        "eido": {"agency": None, "caution": False},
        "free": {},
        "hold_back": None,
        "leads": True,
        "mode": "advisory",
        "model": {"digest": "39cf7f96" * 8, "release": "39cf7f969ddb78a3"},
        "plan": {
            "digest": "db8c9a33" * 8,
            "plan": "boston",
            "responses": ["emt_clinician", "police_clinician", "community", "protocol"],
            "version": "2",
        },
        "prediction": {
            "mental_health_crisis": chosen.random(),
            "safety_risk": chosen.random(),
        },
        "recommendation": {
            "abstained": False,
            "bands": {"mental_health_crisis": "high", "safety_risk": "low"},
            "disqualifiers": [],
            "name": "EMTs with a mental-health clinician",
            "police": False,
            "reasons": [
                {
                    "code": "band:mental_health_crisis:high",
                    "text": "the call closely resembles past mental-health crises",
                },
                {
                    "code": "band:safety_risk:low",
                    "text": "little in the call resembles past calls in which someone was at risk",
                },
            ],
            "response": "emt_clinician",
            "unserved": [],
        },
        "thresholds": {
            "mental_health_crisis": {"high": 0.6, "low": 0.2},
            "safety_risk": {"high": 0.6, "low": 0.2},
        },
        "withheld": None,
    }


DECISION = {
    "action": "accept",
    "advice_shown": True,
    "reason": None,
    "recommended": "emt_clinician",
    "response": "emt_clinician",
    "superseded_by": None,
    "time_to_decide_ms": 4000,
}


def make_log(path: Path, checkpoints: Path, count: int) -> None:
    """Write a log of `count` made-up entries, below its guards, with a checkpoint each `EVERY`.

    The keys of its personal text are put beside it, as the service does.
    """
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = off; PRAGMA synchronous = off")
    connection.execute("PRAGMA cache_size = -400000")
    connection.execute(schema.TABLES)
    connection.pragma("application_id", schema.APPLICATION_ID)
    connection.pragma("user_version", schema.VERSION)
    chosen = random.Random(7)
    kinds, weights = zip(*SHARES, strict=True)
    previous, tree, digests = GENESIS, Range(), []
    record_keys = keys_beside(path)
    entries, texts, keys = [], [], []
    call = explanation = b""
    for seq in range(1, count + 1):
        kind = chosen.choices(kinds, weights)[0]
        body: dict[str, object] = {"role": "dispatcher", "salt": f"{chosen.getrandbits(128):032x}"}
        private = {}
        if kind == "assessment":
            body = assessment(chosen)
            call = chosen.randbytes(300).hex().encode()
            explanation = chosen.randbytes(700).hex().encode()
            private = {"call": seal(call), "explanation": seal(explanation)}
        elif kind == "decision":
            body = DECISION
        elif kind == "outcome":
            body, private = {}, {"outcome": seal(call[:200])}
        if private:
            body = {**body, "private": {name: text.digest for name, text in private.items()}}
        about = (f"C-{seq}", 1, f"0192a{chosen.getrandbits(120):030x}")
        fields = (seq, TIME, kind, *about, "night.desk", canonical(body).decode(), previous)
        previous = digest(*fields)
        entries.append((*fields, previous))
        if private:
            key = chosen.randbytes(KEY_BYTES)
            keys.append((seq, previous, key))
            texts.extend(
                (seq, name, *lock(key, text.salted, entry=previous, name=name))
                for name, text in private.items()
            )
        tree.append(bytes.fromhex(previous))
        digests.append(previous)
        if seq % EVERY == 0 or seq == count:
            root = tree.root().hex()
            made = sign(KEY, size=seq, root=root, head=previous, digests=digests, time=TIME)
            write(checkpoints, made)
            digests = []
        if seq % BATCH == 0 or seq == count:
            record_keys.put(keys)
            with connection:
                connection.executemany(
                    f"INSERT INTO entries VALUES ({', '.join('?' * 10)})", entries
                )
                connection.executemany("INSERT INTO private VALUES (?, ?, ?, ?)", texts)
            entries, texts, keys = [], [], []
    record_keys.close()
    connection.execute("".join(schema.GUARDS.values()))
    connection.close()


def timed(command: list[str], **environment: str) -> tuple[float, float, str]:
    """Run a command; returns its seconds, those of a processor, and what it printed."""
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return time.perf_counter() - started, cpu, done.stdout.strip()


def main() -> None:
    """Make the log, verify it in each way, write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--work", type=Path, help="folder for the log; one that goes, if not given")
    given = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        log, checkpoints, dump = work / "log.db", work / "checkpoints", work / "chain.jsonl"
        if not log.exists():
            started = time.perf_counter()
            make_log(log, checkpoints, given.entries)
            print(f"made in {time.perf_counter() - started:.0f} s")
        key = KEY.public_key().public_bytes_raw().hex()
        cli = [sys.executable, "-m", "training.cli", "log"]
        second = [sys.executable, "-m", "model_service.log_verifier"]
        against = ["--checkpoints", str(checkpoints), "--key", key]
        home = {"CRISISCALL_HOME": str(work)}
        keyless = {**home, "CRISISCALL_RECORD_KEYS": str(work / "nowhere.db")}
        if not dump.exists():
            timed([*cli, "dump", "--out", str(dump)], **home)
        runs = {
            "`crisiscall log verify`, against checkpoints": ([*cli, "verify", *against], home),
            "the same without the record keys": ([*cli, "verify", *against], keyless),
            "`log_verifier`, against checkpoints": ([*second, str(log), *against], home),
            "`log_verifier` of the dump, against checkpoints": (
                [*second, str(dump), *against],
                home,
            ),
            "`crisiscall log proof`": ([*cli, "proof", str(given.entries // 3)], home),
        }
        rows = ["| | seconds | of one core |", "|---|--:|--:|"]
        for name, (command, environment) in runs.items():
            wall, cpu, said = timed(command, **environment)
            print(f"{name}: {wall:.1f} s, {cpu:.1f} s of a core: {said[:300]}")
            rows.append(f"| {name} | {wall:.1f} | {cpu:.1f} |")
        kept = len(list(checkpoints.iterdir()))
        results = (
            f"# Results\n\n{given.entries:,} entries in {log.stat().st_size / 1e9:.1f} GB, of "
            f"which {SHARES[0][1]} in 100 are assessments with their call and explanation beside "
            f"the chain; {kept:,} checkpoints. {about}.\n\n" + "\n".join(rows) + "\n"
        )
        if given.entries == ENTRIES:
            (HERE / "results.md").write_text(results, encoding="utf-8")


if __name__ == "__main__":
    main()
