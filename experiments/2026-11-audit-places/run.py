"""How often the spatial scan finds a planted cluster, or cries wolf, and how long all of it takes.

Run from the project's root (a quarter of an hour):

    python experiments/2026-11-audit-places/run.py

It writes results.md beside this.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom

from data.sources.synthetic.boundaries import CITY
from data.sources.synthetic.city import shipped_city
from training.audit.boundaries import Boundaries, place, read_boundaries
from training.audit.mitigation import mitigations
from training.audit.scan import Scan, scan
from training.machine import machine
from training.thresholds import wilson

HERE = Path(__file__).parent
RATE = 0.12
"""Share of risks missed where nothing is planted."""

CENTRE = (42.312, -71.075)
"""On the border of Roxbury and Dorchester."""

KM = (111.195, 111.195 * np.cos(np.radians(CENTRE[0])))
POOL = 100_000
ALPHA = 0.05


def pool(boundaries: Boundaries) -> pd.DataFrame:
    """Draw places of crises in the made-up city, and place them."""
    draw = random.Random(1).random
    city = shipped_city()
    places = [city.draw_place(True, draw) for _ in range(POOL)]
    table = pd.DataFrame(
        {
            "latitude": [place.latitude for place in places],
            "longitude": [place.longitude for place in places],
            "neighborhood": [place.neighborhood for place in places],
        }
    )
    table["neighborhood"] = place(table, boundaries).neighborhood
    return table


def run(calls: pd.DataFrame, error: NDArray[np.bool_], seed: int, deals: int, by: str) -> Scan:
    """Scan, with the incidents that a column names."""
    return scan(
        calls["latitude"].to_numpy(),
        calls["longitude"].to_numpy(),
        error,
        calls[by].to_numpy(dtype=object),
        np.random.default_rng(seed),
        neighborhood=calls["neighborhood"].to_numpy(dtype=object),
        deals=deals,
    )


def by_names(calls: pd.DataFrame, error: NDArray[np.bool_]) -> bool:
    """Ask whether any neighbourhood misses more than the rest: exact tests, Benjamini-Hochberg."""
    table = pd.DataFrame({"name": calls["neighborhood"].to_numpy(), "error": error})
    counts = table.groupby("name")["error"].agg(["sum", "size"])
    p = hypergeom.sf(counts["sum"] - 1, len(error), int(error.sum()), counts["size"])
    return bool(false_discovery_control(p).min() <= ALPHA)


def near(calls: pd.DataFrame, radius: float) -> NDArray[np.bool_]:
    """Mark the calls within so many km of `CENTRE`."""
    y = (calls["latitude"].to_numpy() - CENTRE[0]) * KM[0]
    x = (calls["longitude"].to_numpy() - CENTRE[1]) * KM[1]
    return np.hypot(x, y) <= radius


def share(k: int, n: int) -> str:
    """Write a share with its interval."""
    low, high = wilson(k, n)
    return f"{k / n:.1%} ({low:.1%}–{high:.1%})"


def power(points: pd.DataFrame, boundaries: Boundaries, seeds: int, deals: int) -> list[str]:
    """Plant clusters and count how often they are found."""
    lines = [
        "| risks | planted | risks there | more missed | scan finds a cluster there | and it holds "
        "Roxbury and Dorchester | neighbourhoods compared: any differs |",
        "|--:|---|--:|--:|--:|--:|--:|",
    ]
    for size, radius, more in (
        (2000, 1.0, 0.10),
        (2000, 1.0, 0.20),
        (8000, 1.0, 0.10),
        (8000, 1.5, 0.10),
        (8000, 0.6, 0.20),
        (8000, None, 0.10),
    ):
        found = both = named = inside = 0
        for seed in range(seeds):
            rng = np.random.default_rng([7, size, seed])
            calls = points.sample(size, random_state=rng).assign(incident=np.arange(size))
            home = (calls["neighborhood"] == "Roxbury").to_numpy()
            planted = home if radius is None else near(calls, radius)
            error = rng.random(size) < RATE + more * planted
            inside += int(planted.sum())
            clusters = run(calls, error, seed, deals, "incident").found
            centres = pd.DataFrame([(c.latitude, c.longitude) for c in clusters], dtype=float)
            centres = centres.reindex(columns=[0, 1]).set_axis(["latitude", "longitude"], axis=1)
            if radius is None:
                centres["neighborhood"] = pd.Series(None, index=centres.index, dtype="str")
                there = place(centres, boundaries).neighborhood.eq("Roxbury").to_numpy()
            else:
                there = near(centres, radius)
            hits = [cluster for cluster, hit in zip(clusters, there, strict=True) if hit]
            found += bool(hits)
            both += any({"Roxbury", "Dorchester"} <= set(cluster.places) for cluster in hits)
            named += by_names(calls, error)
        where = "all of Roxbury" if radius is None else f"within {radius} km"
        lines.append(
            f"| {size:,} | {where} | {inside / seeds:.0f} | +{more:.2f} "
            f"| {share(found, seeds)} | {share(both, seeds)} | {share(named, seeds)} |"
        )
        print(lines[-1], flush=True)
    return lines


def alarms(points: pd.DataFrame, seeds: int, deals: int) -> list[str]:
    """Plant nothing and count how often a cluster is found all the same."""
    lines = [
        "| risks | incidents | scanned by | scans that find a cluster | mean p |",
        "|--:|--:|---|--:|--:|",
    ]
    for incidents, most in ((2000, 1), (1000, 4)):
        found = {"incident": 0, "call": 0}
        p: dict[str, list[float]] = {"incident": [], "call": []}
        sizes = []
        for seed in range(seeds):
            rng = np.random.default_rng([8, incidents, seed])
            drawn = points.sample(incidents, random_state=rng)
            times = rng.integers(1, most + 1, incidents)
            incident = np.repeat(np.arange(incidents), times)
            error = (rng.random(incidents) < RATE)[incident]
            calls = drawn.iloc[incident].assign(incident=incident, call=np.arange(len(incident)))
            sizes.append(len(calls))
            for by in found:
                if by == "call" and most == 1:
                    continue
                made = run(calls, error, seed, deals, by)
                found[by] += bool(made.found)
                p[by].append(made.clusters[0].p)
        for by, count in found.items():
            if p[by]:
                lines.append(
                    f"| {np.mean(sizes):,.0f} | {incidents:,} | {by} | {share(count, seeds)} "
                    f"| {np.mean(p[by]):.3f} |"
                )
                print(lines[-1], flush=True)
    return lines


def timed(task: str, size: int) -> None:
    """Do one task in this process and print its seconds and the peak of memory."""
    boundaries = read_boundaries(CITY)
    rng = np.random.default_rng(9)
    calls = pool(boundaries).sample(size, replace=True, random_state=rng).reset_index(drop=True)
    jitter = rng.normal(0, 0.002, (2, size))
    calls["latitude"] += jitter[0]
    calls["longitude"] += jitter[1]
    calls["incident"] = rng.integers(0, size, size)
    start = time.perf_counter()
    if task == "scan":
        run(calls, rng.random(size) < RATE + 0.1 * near(calls, 1.0), 0, 999, "incident")
    elif task == "place":
        place(calls, boundaries)
    else:
        risk = rng.random(size) < 0.1
        calls["risk"] = risk.astype(float)
        calls["risk_score"] = 1 / (1 + np.exp(-rng.normal(np.where(risk, 1, -2), 1.2)))
        mitigations(calls, 0.3)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.1f} {peak:.0f}")


def speed() -> list[str]:
    """Time each task in a process of its own."""
    lines = ["| what | calls | seconds | peak memory, MB |", "|---|--:|--:|--:|"]
    for task, name, size in (
        ("place", "place calls in 24 outlines", 1_000_000),
        ("scan", "scan risks, 999 deals", 10_000),
        ("scan", "scan risks, 999 deals", 100_000),
        ("scan", "scan risks, 999 deals", 1_000_000),
        ("mitigate", "weigh mitigation for 24 groups", 1_000_000),
    ):
        said = subprocess.run(
            [sys.executable, __file__, "--time", task, "--size", str(size)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        lines.append(f"| {name} | {size:,} | {said[0]} | {said[1]} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Run the study, or one of its tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--deals", type=int, default=199)
    parser.add_argument("--time", choices=["place", "scan", "mitigate"], help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.time:
        timed(given.time, given.size)
        return
    boundaries = read_boundaries(CITY)
    points = pool(boundaries)
    text = [
        "# Results",
        f"{machine()}. {given.seeds} seeds where nothing is planted and half as many where "
        f"something is; {given.deals} deals a scan, p ≤ {ALPHA}; Wilson's 95% intervals in "
        "brackets. Risks lie where the made-up city's crises do, and "
        f"{RATE:.0%} of them are missed where nothing is planted.",
        "## A cluster across the border of Roxbury and Dorchester",
        "\n".join(power(points, boundaries, given.seeds // 2, given.deals)),
        "## Nothing planted",
        "Errors come by incident. In the second half an incident has one to four calls.",
        "\n".join(alarms(points, given.seeds, given.deals)),
        "## Speed",
        "\n".join(speed()),
    ]
    (HERE / "results.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
