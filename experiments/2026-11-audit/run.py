"""What the audit finds, and what it leaves alone, where the truth is known.

    python experiments/2026-11-audit/run.py truth --seeds 200 --jobs 2
    python experiments/2026-11-audit/run.py speed --calls 1000000
    python experiments/2026-11-audit/run.py calls --gap 0.1 --out var/planted.parquet

`truth` audits made-up calls (`planted.py`), with a gap and without, one pair for each seed.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import planted

from training.audit.audit import audit
from training.audit.period import Period

GAP = 0.10
RESAMPLES = 400
"""Of the bootstrap; the command draws 1,000, which takes longer and changes no share."""
BY = "neighborhood"
HEADS = {
    "safety_risk": planted.truth(),
    "mental_health_crisis": planted.truth(planted.CRISIS_CENTRE, planted.CRISIS_LINE),
}
MEDIAN_SECONDS = float(np.exp(2.5))


def truths(subject: str) -> dict[str, float]:
    """Give the true figures of a head."""
    of = HEADS[subject]
    hit = of.base_rate * (1 - of.false_negative_rate)
    return {
        "base_rate": of.base_rate,
        "selection_rate": of.selection_rate,
        "false_negative_rate": of.false_negative_rate,
        "false_positive_rate": of.false_positive_rate,
        "ppv": hit / of.selection_rate,
        "npv": 1 - (of.base_rate - hit) / (1 - of.selection_rate),
        "mean_score": of.base_rate,
        "calibration_slope": 1.0,
        "calibration_intercept": 0.0,
    }


def one(seed: int) -> dict[str, object]:
    """Audit a pair: with a gap and without."""
    gapped = audit(Period(planted.calls(seed, gap=GAP)), seed=seed, resamples=RESAMPLES).findings
    row = gapped[
        (gapped["group"] == planted.PLANTED)
        & (gapped["subject"] == "safety_risk")
        & (gapped["measure"] == "false_negative_rate")
    ].iloc[0]
    true = truths("safety_risk")["false_negative_rate"]
    fair = audit(Period(planted.calls(10_000_000 + seed)), seed=seed, resamples=RESAMPLES).findings
    covered: dict[str, list[bool]] = defaultdict(list)
    for subject in HEADS:
        for name, value in truths(subject).items():
            rows = fair[
                (fair["by"] == BY) & (fair["subject"] == subject) & (fair["measure"] == name)
            ]
            there = rows["low"].notna()
            inside = (rows["low"] <= value) & (value <= rows["high"])
            covered[f"{name}"] += inside[there].tolist()
            there = rows["gap_low"].notna()
            inside = (rows["gap_low"] <= 0) & (rows["gap_high"] >= 0)
            covered[f"gap in {name}"] += inside[there].tolist()
            if rows["pooled"].notna().any():
                inside = (rows["pooled_low"] <= value) & (value <= rows["pooled_high"])
                covered["pooled"] += inside[rows["pooled"].notna()].tolist()
    times = fair[(fair["by"] == BY) & (fair["measure"] == "seconds_to_decide")]
    inside = (times["low"] <= MEDIAN_SECONDS) & (times["high"] >= MEDIAN_SECONDS)
    covered["seconds_to_decide"] += inside.tolist()
    others = gapped[(gapped["verdict"] == "differs") & (gapped["group"] != planted.PLANTED)]
    return {
        "found": row["verdict"] == "differs",
        "gap": row["gap"],
        "gap_covered": row["gap_low"] <= GAP <= row["gap_high"],
        "value_covered": row["low"] <= true + GAP <= row["high"],
        "elsewhere": len(others),
        "false": int((fair["verdict"] == "differs").sum()),
        "equal": int((fair["verdict"] == "no difference found").sum()),
        "tests": int(fair["p"].notna().sum()),
        "covered": {name: (sum(them), len(them)) for name, them in covered.items()},
    }


def truth(seeds: int, first: int, jobs: int) -> None:
    """Audit as many pairs as there are seeds, and say what came of it."""
    made = []
    begun = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        for number, result in enumerate(pool.map(one, range(first, first + seeds)), 1):
            made.append(result)
            print(f"\r{number} of {seeds}", end="", file=sys.stderr)
    table = pd.DataFrame(made).drop(columns="covered")
    print(
        f"\n{seeds} seeds from {first} on, {table['tests'].mean():,.0f} comparisons in a report, ",
        end="",
    )
    print(f"{time.monotonic() - begun:,.0f} s\n")
    print("| with a gap of 0.10 in the false-negative rate of 800 risk calls | |\n|---|--:|")
    print(f"| seeds in which it was found | {table['found'].mean():.1%} |")
    print(f"| gap that was measured, mean | {table['gap'].mean():.4f} |")
    print(f"| 95% interval of the gap covers it | {table['gap_covered'].mean():.1%} |")
    print(f"| 95% interval of the rate covers it | {table['value_covered'].mean():.1%} |")
    print(f"| seeds with a *differs* in any other group | {(table['elsewhere'] > 0).mean():.1%} |")
    print("\n| with no gap | |\n|---|--:|")
    print(f"| seeds with any *differs* | {(table['false'] > 0).mean():.1%} |")
    shown = (table["equal"] / table["tests"]).mean()
    print(f"| comparisons with *no difference found*, mean share | {shown:.1%} |")
    print("\n| 95% intervals by neighbourhood, no gap | covered | of |\n|---|--:|--:|")
    whole: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for result in made:
        for name, (inside, of) in result["covered"].items():
            whole[name][0] += inside
            whole[name][1] += of
    for name, (inside, of) in whole.items():
        if of:
            print(f"| {name} | {inside / of:.2%} | {of:,} |")


def speed(calls: int) -> None:
    """Time the command on many calls."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "calls.parquet", Path(folder) / "audit"
        planted.calls(0, n=calls, gap=GAP).to_parquet(file)
        begun = time.monotonic()
        command = [sys.executable, "-m", "training.cli", "audit", "--scored", str(file)]
        subprocess.run([*command, "--out", str(out)], check=True)
        took = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime
    print(
        f"{calls:,} calls, 25 neighbourhoods: {took:.0f} s, of which a core was busy {busy:.0f} s; "
        f"{used.ru_maxrss / 2**20:.2f} GB"
    )


def main() -> None:
    """Read the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["truth", "speed", "calls"])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="First of the seeds.")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--gap", type=float, default=GAP)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.what == "truth":
        truth(given.seeds, given.first, given.jobs)
    elif given.what == "speed":
        speed(given.calls)
    else:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        planted.calls(0, gap=given.gap).to_parquet(given.out)
        print(f"written to {given.out}")


if __name__ == "__main__":
    main()
