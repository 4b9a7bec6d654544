"""The shipped release on scenario families that it has never seen; writes results.md beside this.

Run from the project's root:

    python experiments/2026-11-synthetic-release/run.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from data.call import Call
from data.document import read_document
from model_service.model.assess import assess
from model_service.model.release import Release, load_release
from model_service.model.store import champion
from training.card import head_table, recommendation_tables
from training.price import price_table

HERE = Path(__file__).parent
RECEIVED = datetime(2026, 11, 23, 21, 30, tzinfo=ZoneInfo("America/New_York"))


def crisiscall(*arguments: str) -> None:
    """Run a verb of the command line, as a user would."""
    subprocess.run([sys.executable, "-m", "training.cli", *arguments], check=True)


def main() -> None:
    """Synthesise, train, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", default=30_000, type=int)
    parser.add_argument("--seed", default=0, type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        data, home = f"{work}/data", f"{work}/home"
        crisiscall(
            "data",
            "synthesize",
            "--calls",
            str(options.calls),
            "--seed",
            str(options.seed),
            "--out",
            data,
        )
        crisiscall("train", "--data", data, "--config", "synthetic", "--home", home)
        release = load_release(champion(Path(home) / "releases"), trusted=None)
    write(release.metrics, options.calls, options.seed)
    (HERE / "calls.md").write_text(twenty(release), encoding="utf-8")


def twenty(release: Release) -> str:
    """Say what the release recommends for the calls of calls.yaml, and why."""
    rows = [
        "| what was typed | where, and what was answered | recommended | why |",
        "| --- | --- | --- | --- |",
    ]
    for number, fields in enumerate(read_document((HERE / "calls.yaml").read_text("utf-8")), 1):
        call = Call(call_id=str(number), received_at=RECEIVED, **fields)
        assessment = assess(release, call)
        made = assessment.recommendation
        known = [*filter(None, [call.neighborhood, call.language])]
        known += [f"{question}: {answer}" for question, answer in call.answers.items()]
        words = {
            f"disqualifier:{hit.code}": ": "
            + ", ".join(f"“{call.narrative[span.start : span.end]}”" for span in hit.spans)
            for hit in made.disqualifiers
            if hit.spans
        }
        why = "; ".join(reason.text + words.get(reason.code, "") for reason in made.reasons)
        asked = [question.text for question in assessment.questions]
        if asked:
            why += f". Ask next: {' '.join(asked)}"
        rows.append(f"| {call.narrative or '–'} | {', '.join(known)} | {made.name} | {why} |")
    return "\n".join(["<!-- Written by run.py; do not edit. -->", "", *rows, ""])


def write(metrics: dict[str, Any], calls: int, seed: int) -> None:
    """Write results.md from what the training measured."""
    test, seen = metrics["test"], metrics["test_seen_families"]
    (HERE / "results.md").write_text(
        "<!-- Written by run.py; do not edit. -->\n# Results\n\n"
        f"{calls:,} synthetic calls, seed {seed}. Test: {test['calls']:,} "
        f"revisions of calls of {test['clusters']} scenario families that were never seen in "
        "training.\n\n"
        f"{head_table(test)}\n\n{recommendation_tables(test['recommendation'])}\n\n"
        f"For comparison, {seen['calls']:,} calls of the same period whose scenario family was "
        "learned from.\n\n"
        f"{head_table(seen)}\n\n"
        "What lowering the safety threshold costs, step by step, on families never seen:\n\n"
        f"{price_table(test['heads']['safety_risk']['price'])}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
