"""Outlines of the made-up city's neighbourhoods, as GeoJSON: invented, and like no real border.

Each place takes the ground that is nearer to it than to any other, larger places reaching farther
(a power diagram: squared distance to the centre, less the squared spread), and no farther than most
of its addresses lie. What no place takes is water and park. `city.geojson` holds them;

    python -m data.sources.synthetic.boundaries

writes it anew from `city.yaml`.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from data.sources.synthetic.city import City, NeighborhoodFile, shipped_city

CITY = Path(__file__).with_name("city.geojson")

REACH = 2.5
"""A place ends so many spreads from its centre: 19 of 20 of its addresses lie within."""

CORNERS = 24
DIGITS = 5
"""Positions are rounded to a metre."""

Point = tuple[float, float]


def draw_boundaries(city: City) -> dict[str, Any]:
    """Draw the neighbourhoods of a city.

    Parameters
    ----------
    city : City

    Returns
    -------
    dict
        A GeoJSON FeatureCollection of polygons with the property `name`. A place that others leave
        no ground is not in it.
    """
    places = city.file.neighborhoods
    features = []
    for name, place in places.items():
        ground = _circle(place)
        for other in places.values():
            if other is not place:
                ground = _nearer(ground, place, other)
        ring = [(round(x, DIGITS), round(y, DIGITS)) for x, y in ground]
        ring = [point for point, after in pairwise([*ring, *ring[:1]]) if point != after]
        if len(ring) >= 3:
            features.append(
                {
                    "type": "Feature",
                    "properties": {"name": name},
                    "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                }
            )
    return {"type": "FeatureCollection", "features": features}


def written(collection: dict[str, Any]) -> str:
    """Write GeoJSON with a line for each feature."""
    features = ",\n".join(json.dumps(feature) for feature in collection["features"])
    return f'{{"type": "FeatureCollection", "features": [\n{features}\n]}}\n'


def _circle(place: NeighborhoodFile) -> list[Point]:
    """Give the ground within reach of a place, counterclockwise as RFC 7946 asks."""
    angles = [2 * math.pi * corner / CORNERS for corner in range(CORNERS)]
    reach = REACH * place.spread
    return [
        (place.longitude + reach * math.cos(a), place.latitude + reach * math.sin(a))
        for a in angles
    ]


def _nearer(ground: list[Point], place: NeighborhoodFile, other: NeighborhoodFile) -> list[Point]:
    """Cut away what is nearer to another place (Sutherland and Hodgman 1974)."""

    def over(point: Point) -> float:
        """How much nearer the other place is; straight in the point, for the squares cancel."""
        x, y = point
        mine = (x - place.longitude) ** 2 + (y - place.latitude) ** 2 - place.spread**2
        theirs = (x - other.longitude) ** 2 + (y - other.latitude) ** 2 - other.spread**2
        return mine - theirs

    kept: list[Point] = []
    for start, end in pairwise([*ground, *ground[:1]]):
        at, then = over(start), over(end)
        if at <= 0:
            kept.append(start)
        if (at < 0 < then) or (then < 0 < at):
            part = at / (at - then)
            kept.append(
                (start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]))
            )
    return kept


if __name__ == "__main__":
    CITY.write_text(written(draw_boundaries(shipped_city())), encoding="utf-8")
