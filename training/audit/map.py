"""A map of rates as an inline SVG: outlines where there are any, a grid of tiles otherwise.

Colour never stands alone: every rate and its interval are written, and drawn as a whisker on one
scale. How wide an interval is shows as hatching, so that a place of few calls does not look sure of
itself. A place that nothing can be said of is blank, not zero. The colours are one hue that darkens
evenly: told apart without colour vision and in grey. Text takes the colour of the page around it,
and paper is `--paper` of the page, or what the system calls `Canvas`: light, dark and print. On a
dark page (`color-scheme`) the colours run the other way: what is high stands out there too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import ceil, cos, floor, radians
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from scipy.optimize import linear_sum_assignment

from model_service.model.places import Outline
from training.audit.boundaries import Boundaries
from training.audit.scan import KM, Cluster

COLOURS = ("#fdebc3", "#fbc15e", "#ec8429", "#bd4f0e", "#732706")
"""From low to high; relative luminance 0.85, 0.60, 0.34, 0.16 and 0.05."""

STEPS = (0.02, 0.05, 0.1, 0.2)
"""Widths of a class of colour. Finer ones would colour what is mostly noise."""

SURE, UNSURE = 2, 4
"""An interval of up to so many classes is drawn solid, or hatched; else it is hatched densely."""

WIDTH = 960
MAP = 470
"""Width of the drawn city, in px of the drawing; beside it is the list."""

TILE, TALL, GAP = 150, 116, 10


@dataclass(frozen=True)
class Area:
    """A place and its rate.

    Parameters
    ----------
    name : str
    value, low, high : float or None
        The rate and the ends of its 95% interval, from 0 to 1; None where there is none.
    of : int
        Calls that the rate is of; the place is blank where there are none.
    note : str
        A few words, such as a verdict; empty for none. The place is outlined boldly.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    of: int
    note: str = ""


@dataclass(frozen=True)
class Scale:
    """Classes of colour, and the axis of the whiskers.

    Parameters
    ----------
    step : float
        Width of a class.
    first : float
        Where the lowest class begins.
    classes : int
    end : float
        Where the axis of the whiskers ends; it begins at 0.
    """

    step: float
    first: float
    classes: int
    end: float

    @classmethod
    def of(cls, areas: Iterable[Area]) -> Scale:
        """Choose the finest classes of which `COLOURS` are enough."""
        shown = [area for area in areas if area.value is not None]
        values = [area.value for area in shown if area.value is not None] or [0.0]
        lowest, highest = min(values), max(values)
        for step in STEPS:
            last = ceil(1 / step - 1e-9) - 1  # a rate of 1 is of the class that ends there
            first, top = (min(last, floor(value / step + 1e-9)) for value in (lowest, highest))
            classes = top - first + 1
            if classes <= len(COLOURS):
                break
        bound = (top + 1) * step
        farthest = max([area.high for area in shown if area.high is not None] or [bound])
        # An interval of a handful of calls reaches to 1 and would squeeze all others.
        end = min(1.0, ceil(max(bound, min(farthest, 2 * bound)) / 0.05 - 1e-9) * 0.05)
        return cls(step, first * step, classes, end)

    def bounds(self) -> list[float]:
        """Give the ends of the classes, one more than there are classes."""
        return [self.first + self.step * number for number in range(self.classes + 1)]

    def place(self, value: float) -> int:
        """Give the class of a rate, from 0; a rate on a bound is of the higher one."""
        return bisect_right([bound - 1e-9 for bound in self.bounds()[1:-1]], value)

    def doubt(self, area: Area) -> int:
        """Tell how wide an interval is: 0 solid, 1 hatched, 2 hatched densely."""
        if area.low is None or area.high is None:
            return 2
        width = (area.high - area.low) / self.step
        return 0 if width <= SURE + 1e-9 else 1 if width <= UNSURE + 1e-9 else 2


def draw_map(
    areas: Sequence[Area],
    *,
    title: str,
    measure: str,
    ident: str,
    overall: float | None = None,
    boundaries: Boundaries | None = None,
    centres: Mapping[str, tuple[float, float]] | None = None,
    clusters: Sequence[Cluster] = (),
) -> str:
    """Draw a map.

    Parameters
    ----------
    areas : sequence of Area
        One at least. Each name occurs once.
    title : str
    measure : str
        What the rate is, in a few words: "safety risks missed".
    ident : str
        Prefix of the ids in the drawing, of letters, digits and hyphens; no two drawings of a page
        share one.
    overall : float, optional
        The rate of all calls, drawn as a line beside every whisker.
    boundaries : Boundaries, optional
        Outlines. Places without calls are drawn too; an area without an outline is in the list
        only.
    centres : mapping of str to (float, float), optional
        Latitude and longitude in degrees of the middle of an area's calls. Where no boundaries are
        given and every area has one, tiles lie about as the areas do; otherwise by the alphabet.
    clusters : sequence of Cluster
        Circles that a spatial scan found. Drawn over outlines; told in words below in any case.

    Returns
    -------
    str
        An `<svg>` element, to be put into HTML as it is or saved as a file.
    """
    drawn = boundaries.outlines if boundaries is not None else {}
    known = {area.name for area in areas}
    everywhere = [*areas, *(Area(n, None, None, None, 0) for n in drawn if n not in known)]
    everywhere.sort(key=lambda area: area.name.casefold())
    scale = Scale.of(everywhere)
    told = [_shown(area, scale) for area in everywhere]
    picture = _outlined(told, drawn, clusters) if drawn else _tiled(told, centres or {})
    svg: str = _template().render(
        width=WIDTH,
        title=title,
        measure=measure,
        ident=ident,
        description=_words(told, measure, overall),
        overall=None if overall is None else {"at": overall / scale.end, "words": share(overall)},
        end=share(scale.end),
        colours=list(zip(COLOURS, reversed(COLOURS), strict=True)),
        classes=[f"{_plain(low)} to {_plain(high)}%" for low, high in pairwise(scale.bounds())],
        sure=_plain(SURE * scale.step),
        unsure=_plain(UNSURE * scale.step),
        clusters=[_cluster(letter, c) for letter, c in zip(_LETTERS, clusters, strict=False)],
        notes=" or ".join(sorted({area.note for area in everywhere if area.note})),
        **picture,
    )
    return svg


def share(value: float) -> str:
    """Write a share in per cent; with a decimal where it is small.

    Examples
    --------
    >>> share(0.123), share(0.0456), share(0.0), share(1.0)
    ('12%', '4.6%', '0%', '100%')
    """
    return f"{100 * value:.1f}%" if 0 < value < 0.0995 else f"{100 * value:.0f}%"


_LETTERS = "ABCDEFGHIJ"


def _plain(value: float) -> str:
    return f"{100 * value:.0f}"


def _shown(area: Area, scale: Scale) -> dict[str, Any]:
    """Say all of an area that a drawing of either kind needs."""
    there = area.of > 0 and area.value is not None
    told: dict[str, Any] = {
        "name": area.name,
        "value": share(area.value) if there and area.value is not None else None,
        "of": f"{area.of:,}",
        "note": area.note,
        "interval": "",
        "colour": None,
        "doubt": 0,
        "whisker": None,
    }
    if not there or area.value is None:
        return told
    told |= {"colour": scale.place(area.value), "doubt": scale.doubt(area)}
    if area.low is not None and area.high is not None:
        told["interval"] = f"{share(area.low)[:-1]}–{share(area.high)}"
        told["whisker"] = {
            "at": min(1.0, area.value / scale.end),
            "low": min(1.0, area.low / scale.end),
            "high": min(1.0, area.high / scale.end),
            "cut": area.high > scale.end + 1e-9,
        }
    return told


def _words(told: list[dict[str, Any]], measure: str, overall: float | None) -> str:
    """Say what the drawing shows, for those who can't see it."""
    parts = [f"{measure[:1].upper()}{measure[1:]} by place, with 95% intervals."]
    if overall is not None:
        parts.append(f"Overall {share(overall)}.")
    for area in told:
        interval = f" ({area['interval']})" if area["interval"] else ""
        note = f", {area['note']}" if area["note"] else ""
        value = "no cases" if area["value"] is None else f"{area['value']}{interval}{note}"
        parts.append(f"{area['name']}: {value}.")
    return " ".join(parts)


def _cluster(letter: str, cluster: Cluster) -> dict[str, str]:
    """Say a cluster in a line."""
    near = list(cluster.places)[:3]
    held = sum(cluster.places[name] for name in near)
    where = ""
    if near:
        rest = "" if held == sum(cluster.places.values()) else " and others"
        where = f", in {', '.join(near)}{rest}"
    words = (
        f"{share(cluster.rate)} of {cluster.calls:,} calls within {cluster.radius:.1f} km{where}, "
        f"against {share(cluster.rate_outside)} outside (p = {cluster.p:.3f})"
    )
    return {"letter": letter, "words": words}


# The drawn city


def _outlined(
    told: list[dict[str, Any]],
    drawn: Mapping[str, tuple[Outline, ...]],
    clusters: Sequence[Cluster],
) -> dict[str, Any]:
    """Lay out a drawn city with a list beside it."""
    boxes = np.array([outline.box for outlines in drawn.values() for outline in outlines])
    west, south = boxes[:, :2].min(axis=0)
    east, north = boxes[:, 2:].max(axis=0)
    across = cos(radians((south + north) / 2))  # equirectangular: true in the middle of the city
    scale = min(MAP / ((east - west) * across), 1.25 * MAP / (north - south))
    room = MAP - (east - west) * across * scale

    def to_px(x: float, y: float) -> tuple[float, float]:
        return room / 2 + (x - west) * across * scale, (north - y) * scale

    shapes = []
    for number, area in enumerate((a for a in told if a["name"] in drawn), 1):
        outlines = drawn[area["name"]]
        area["number"] = number
        x, y = to_px(*_inner(outlines))
        path = "".join(_path(ring, to_px) for outline in outlines for ring in outline.rings)
        shapes.append({**area, "path": path, "x": round(x, 1), "y": round(y, 1)})
    circles = []
    for letter, cluster in zip(_LETTERS, clusters, strict=False):
        x, y = to_px(cluster.longitude, cluster.latitude)
        radius = cluster.radius / KM * scale
        circles.append(
            {"letter": letter, "x": round(x, 1), "y": round(y, 1), "r": round(radius, 1)}
        )
    return {
        "kind": "outlines",
        "shapes": shapes,
        "circles": circles,
        "rows": told,
        "row": 24,
        "height": max((north - south) * scale, 24 * len(told) + 24),
    }


def _path(ring: Sequence[tuple[float, float]], to_px: Any) -> str:
    """Draw a ring in half pixels.

    Rounding every position alike drops what can't be seen and leaves shared borders shared.
    """
    points: list[tuple[float, float]] = []
    for x, y in ring[:-1]:
        at = to_px(x, y)
        point = (round(2 * at[0]) / 2, round(2 * at[1]) / 2)
        if not points or points[-1] != point:
            points.append(point)
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points) + "Z"


def _inner(outlines: Sequence[Outline], points: int = 24) -> tuple[float, float]:
    """Find a position well inside a place: of a lattice, the one farthest from every edge."""
    best = (-1.0, 0.0, 0.0)
    for outline in outlines:
        west, south, east, north = outline.box
        steps = (np.arange(points) + 0.5) / points
        xs, ys = (
            lattice.ravel()
            for lattice in np.meshgrid(
                west + steps * (east - west), south + steps * (north - south)
            )
        )
        far = np.where(outline.contains_all(xs, ys), np.inf, -1.0)
        shrink = cos(radians((south + north) / 2))
        for ring in outline.rings:
            corners = np.array(ring)
            for (x1, y1), (x2, y2) in pairwise(corners):
                edge = np.array([(x2 - x1) * shrink, y2 - y1])
                to = np.stack([(xs - x1) * shrink, ys - y1])
                along = np.clip(edge @ to / max(edge @ edge, 1e-30), 0, 1)
                far = np.minimum(far, np.hypot(*(to - edge[:, None] * along)))
        at = int(far.argmax())
        best = max(best, (float(far[at]), float(xs[at]), float(ys[at])))
    return best[1], best[2]


# Tiles


def _tiled(
    told: list[dict[str, Any]], centres: Mapping[str, tuple[float, float]]
) -> dict[str, Any]:
    """Lay out tiles about as the places lie, or by the alphabet."""
    most = (WIDTH + GAP) // (TILE + GAP)
    if all(area["name"] in centres for area in told) and len(told) > 1:
        spots = _grid([centres[area["name"]] for area in told], most)
    else:
        spots = [divmod(number, most) for number in range(len(told))]
    tiles = [
        {**area, "lines": _lines(area["name"]), "x": col * (TILE + GAP), "y": row * (TALL + GAP)}
        for area, (row, col) in zip(told, spots, strict=True)
    ]
    return {
        "kind": "tiles",
        "tiles": tiles,
        "tile": TILE,
        "tall": TALL,
        "height": (max(row for row, _ in spots) + 1) * (TALL + GAP),
    }


def _grid(centres: Sequence[tuple[float, float]], columns: int) -> list[tuple[int, int]]:
    """Give each place a row and column, as near to where it lies as all of them allow.

    The sum of squared distances is the least (assignment problem, Kuhn 1955). Positions are half
    where a place lies and half its rank, which spreads a crowded centre.
    """
    lat, lon = np.array(centres).T
    rows = ceil(len(centres) / columns * 1.15)

    def spread(values: Any, cells: int) -> Any:
        ranks = values.argsort().argsort() / (len(values) - 1)
        extent = np.ptp(values) or 1.0
        return ((values - values.min()) / extent + ranks) / 2 * (cells - 1)

    x, y = spread(lon, columns), spread(-lat, rows)
    cells = [(row, column) for row in range(rows) for column in range(columns)]
    cost = [[(y[i] - r) ** 2 + (x[i] - c) ** 2 for r, c in cells] for i in range(len(lat))]
    chosen = linear_sum_assignment(cost)[1]
    used = sorted({cells[c][0] for c in chosen})  # a row that nobody took is left out
    return [(used.index(cells[c][0]), cells[c][1]) for c in chosen]


def _lines(name: str, most: int = 19) -> list[str]:
    """Break a name into two lines at most."""
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    lines = [line if len(line) <= most else line[: most - 1] + "…" for line in lines]
    return lines if len(lines) < 3 else [lines[0], lines[1][: most - 1] + "…"]


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("training.audit"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("map.svg")
