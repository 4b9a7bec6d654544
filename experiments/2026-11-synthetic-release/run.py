"""The shipped release on scenario families that it has never seen; writes results.md beside this.

Run from the project's root:

    python experiments/2026-11-synthetic-release/run.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from model_service.model.release import load_release
from model_service.model.store import champion
from training.card import head_table, recommendation_tables
from training.price import price_table

HERE = Path(__file__).parent


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
        crisiscall("train", "--data", data, "--config", "synthetic", "--home", home, "--champion")
        metrics = load_release(champion(Path(home) / "releases"), trusted=None).metrics
    write(metrics, options.calls, options.seed)


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
