"""Where it happens: maps of the rates that matter, and clusters that know no borders."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd

from training.audit import words
from training.audit.audit import Audit
from training.audit.boundaries import Boundaries, Placed, place
from training.audit.groups import FIRST
from training.audit.map import Area, draw_map
from training.audit.period import Period
from training.audit.report import Section
from training.audit.scan import Cluster, Scan, scan_calls
from training.audit.verdicts import DIFFERS

MAPPED: dict[tuple[str, str], str] = {
    ("safety_risk", "false_negative_rate"): "safety risks missed by the model",
    ("mental_health_crisis", "false_negative_rate"): "crises missed by the model",
    ("recommendation", "police_without_need"): "police recommended without a risk",
    ("decision", "police_without_need"): "police sent without a risk",
    ("decision", "false_negative_rate"): "no police sent to a risk",
}
"""Subject and measure of a map → the question of the scan that is drawn over it."""


def located(period: Period, boundaries: Boundaries) -> tuple[Period, Placed]:
    """Put the calls of a period where their points lie; the rest stay where they were said to be.

    Parameters
    ----------
    period : Period
    boundaries : Boundaries
    """
    placed = place(period.calls, boundaries)
    told = ", ".join(f"{n:,} {how}" for how, n in placed.counts().items() if n)
    note = (
        f"Neighbourhoods are those of the boundaries given, by the calls' points: {told}. "
        f"{placed.renamed:,} calls came with another name."
    )
    calls = period.calls.assign(neighborhood=placed.neighborhood.astype("string"))
    said = {**period.words, "notes": [*period.words["notes"], note]}
    return replace(period, calls=calls, words=said), placed


def section(period: Period, made: Audit, boundaries: Boundaries | None = None) -> Section | None:
    """Make the section of the report.

    Parameters
    ----------
    period : Period
    made : Audit
        By neighbourhood, among others.
    boundaries : Boundaries, optional
        Drawn as outlines; without them the map is a grid of tiles.

    Returns
    -------
    Section or None
        None where the audit is not by neighbourhood, or nothing can be drawn.
    """
    if FIRST not in made.words["by"]:
        return None
    scans = scan_calls(period.calls, made.words["seed"])
    centres = _centres(period.calls)
    parts = []
    for (subject, measure), question in MAPPED.items():
        found = made.of(FIRST, subject, measure)
        if found.empty or found["value"].isna().all():
            continue
        title = words.QUESTIONS[subject, measure]
        overall = made.overall[
            (made.overall["subject"] == subject) & (made.overall["measure"] == measure)
        ]["value"]
        svg = draw_map(
            [_area(row) for row in found.to_dict("records")],
            title=title,
            measure=title.lower(),
            ident=f"map-{subject}-{measure}".replace("_", "-"),
            overall=None if overall.empty else float(overall.iloc[0]),
            boundaries=boundaries,
            centres=centres,
            clusters=scans[question].found if question in scans else (),
        )
        parts.append(f'<figure class="map"><div class="wide">{svg}</div></figure>')
    if not parts:
        return None
    rows = [row for name, scan in scans.items() for row in _rows(name, scan)]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return Section(
        "places",
        "Where it happens",
        _summary(scans),
        "".join(parts) + _table(table),
        {"scans": {name: _plain(scan) for name, scan in scans.items()}},
        {"clusters": table},
    )


_COLUMNS = (
    *("question", "latitude", "longitude", "radius_km", "calls", "errors", "rate", "rate_outside"),
    *("p", "places"),
)


def _area(row: dict[Any, Any]) -> Area:
    missing = pd.isna(row["value"])
    value, low, high = (
        None if missing or pd.isna(row[name]) else float(row[name])
        for name in ("value", "low", "high")
    )
    of = 0 if pd.isna(row["among"]) else int(row["among"])
    return Area(
        str(row["group"]), value, low, high, of, DIFFERS if row["verdict"] == DIFFERS else ""
    )


def _centres(calls: pd.DataFrame) -> dict[str, tuple[float, float]]:
    there = calls.dropna(subset=["latitude", "longitude", FIRST])
    middle = there.groupby(FIRST)[["latitude", "longitude"]].mean().astype(float)
    points = middle.to_numpy().tolist()
    return {str(name): (x, y) for name, (x, y) in zip(middle.index, points, strict=True)}


def _rows(question: str, scan: Scan) -> list[tuple[Any, ...]]:
    return [
        (
            *(question, one.latitude, one.longitude, one.radius, one.calls, one.errors),
            *(one.rate, one.rate_outside, one.p, _where(one)),
        )
        for one in scan.found
    ]


def _where(cluster: Cluster) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in list(cluster.places.items())[:5])


def _plain(scan: Scan) -> dict[str, Any]:
    return {
        "calls": scan.calls,
        "errors": scan.errors,
        "without_point": scan.without_point,
        "windows": scan.windows,
        "clusters": [vars(cluster) for cluster in scan.clusters],
        "alpha": scan.alpha,
    }


def _summary(scans: dict[str, Scan]) -> str:
    found = [
        f"{name.capitalize()} cluster {_around(scan.found[0])}: {scan.found[0].rate:.0%} there, "
        f"{scan.found[0].rate_outside:.0%} elsewhere."
        for name, scan in scans.items()
        if scan.found
    ]
    if found:
        return " ".join(found)
    if not any(scan.windows for scan in scans.values()):
        return "No call has a point on the map, so that no search for clusters was possible."
    return "A search for clusters across borders found none that chance would not make."


def _around(cluster: Cluster) -> str:
    names = list(cluster.places)[:2]
    return f"around {' and '.join(names)}" if names else f"within {cluster.radius:.1f} km"


def _table(found: pd.DataFrame) -> str:
    if found.empty:
        return "<p>No circle was found in which errors are more frequent than chance makes.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(str(row["question"]))}</th>'
        f"<td>{escape(str(row['places']))}</td>"
        f'<td class="n">{row["radius_km"]:.1f} km</td>'
        f'<td class="n">{row["errors"]:,} of {row["calls"]:,}</td>'
        f'<td class="n">{row["rate"]:.1%}</td><td class="n">{row["rate_outside"]:.1%}</td>'
        f'<td class="n">{row["p"]:.3f}</td></tr>'
        for row in found.to_dict("records")
    )
    return (
        "<h3>Clusters, whatever the borders</h3><p>Circles in which errors are more frequent than "
        "outside (spatial scan after Kulldorff 1997; p allows for all circles that were tried, and "
        "calls of one incident count together).</p>"
        '<div class="wide"><table><thead><tr><th scope="col">what</th><th scope="col">where</th>'
        '<th scope="col" class="n">radius</th><th scope="col" class="n">errors</th>'
        '<th scope="col" class="n">inside</th><th scope="col" class="n">outside</th>'
        f'<th scope="col" class="n">p</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
