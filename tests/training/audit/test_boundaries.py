"""Calls are placed where their points lie, and it is told how."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from model_service.model.places import Outline
from training.audit.boundaries import EDGE, Boundaries, place, read_boundaries


def ring(*points: tuple[float, float]) -> list[list[float]]:
    return [list(point) for point in (*points, points[0])]


def box(west: float, south: float, side: float) -> list[list[float]]:
    east, north = west + side, south + side
    return ring((west, south), (east, south), (east, north), (west, north))


def feature(name: Any, *coordinates: Any, kind: str = "Polygon", **more: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": list(coordinates)}
    return {"type": "Feature", "properties": {"name": name, **more}, "geometry": geometry}


def collection(*features: Any, **more: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **more}


def read(tmp_path: Path, given: Any, name: str | None = None) -> Boundaries:
    path = tmp_path / "city.geojson"
    path.write_text(given if isinstance(given, str) else json.dumps(given), encoding="utf-8")
    return read_boundaries(path, name)


def calls(*rows: tuple[float | None, float | None, str | None]) -> pd.DataFrame:
    """Calls by longitude, latitude and the name that they came with."""
    table = pd.DataFrame(rows, columns=["longitude", "latitude", "neighborhood"])
    return table.astype({"longitude": float, "latitude": float, "neighborhood": "str"})


CITY = collection(
    feature("West", box(0, 0, 10), box(4, 4, 2)),
    feature("East", [box(10, 0, 10)], [box(30, 0, 1)], kind="MultiPolygon"),
    feature("Overlap", box(18, 8, 4)),
)


def test_each_is_placed_and_told_apart(tmp_path: Path) -> None:
    placed = place(
        calls(
            (1, 1, "West"),
            (5, 5, None),  # in the hole
            (12, 1, "WEST"),  # came with another name
            (30.5, 0.5, None),  # the second polygon of two
            (19, 9, None),  # in two
            (10, 5, None),  # on the border that two share
            (4 - EDGE / 2, 5, None),  # as good as on the hole's edge
            (99, 5, "east "),  # in none, with a name of ours
            (None, None, "OVERLAP"),
            (None, 5, "Elsewhere"),
            (0, 99, None),
        ),
        read(tmp_path, CITY),
    )
    assert placed.how.tolist() == [
        *("inside", "in none", "inside", "inside", "in several", "on an edge", "on an edge"),
        *("in none", "without a point", "without a point", "in none"),
    ]
    assert placed.neighborhood.tolist() == [
        *("West", None, "East", "East", "East", "East", "West"),
        *("East", "Overlap", "Elsewhere", None),
    ]
    assert placed.renamed == 1
    assert placed.counts() == {
        "inside": 3,
        "on an edge": 2,
        "in several": 1,
        "in none": 3,
        "without a point": 2,
    }


def test_the_index_is_kept_and_no_call_is_no_fault(tmp_path: Path) -> None:
    city = read(tmp_path, CITY)
    given_calls = calls((1, 1, None), (12, 1, None)).set_axis([7, 3])
    assert place(given_calls, city).neighborhood.to_dict() == {7: "West", 3: "East"}
    assert sum(place(given_calls[:0], city).counts().values()) == 0


def test_features_of_one_name_are_one_place(tmp_path: Path) -> None:
    city = read(tmp_path, collection(feature("A", box(0, 0, 1)), feature(" a", box(1, 0, 1))))
    assert list(city.outlines) == ["A"]
    placed = place(calls((0.5, 0.5, None), (1.5, 0.5, None), (1, 0.5, None)), city)
    assert placed.neighborhood.tolist() == ["A"] * 3
    assert placed.counts()["in several"] == 0


def test_the_property_that_is_asked_for(tmp_path: Path) -> None:
    given_file = collection(feature("A", box(0, 0, 1), L_HOOD="North"))
    assert list(read(tmp_path, given_file, "L_HOOD").outlines) == ["North"]
    assert list(read(tmp_path, given_file).outlines) == ["A"]


def test_altitudes_and_named_wgs84_are_taken(tmp_path: Path) -> None:
    high = [[*position, 12.5] for position in box(0, 0, 1)]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert list(read(tmp_path, collection(feature("A", high), crs=crs)).outlines) == ["A"]


@pytest.mark.parametrize(
    ("given_file", "why"),
    [
        ("{", "not JSON"),
        ("[]", "not a GeoJSON FeatureCollection"),
        (CITY["features"][0], "not a GeoJSON FeatureCollection"),
        (collection(), "holds no features"),
        (collection(3), "feature 1 is no GeoJSON Feature"),
        (collection({"type": "Feature", "properties": None}), "feature 1 is no GeoJSON Feature"),
        (
            collection(feature("A", box(0, 0, 1)), feature(None, box(1, 0, 1), other="x")),
            "say which property holds the name of a place; words in every feature: none",
        ),
        (
            collection({**feature("A", box(0, 0, 1)), "properties": {"code": "x", "n": 1}}),
            "words in every feature: code",
        ),
        (collection({**feature("A"), "geometry": None}), "feature 1 (A) has no geometry"),
        (collection(feature("A", 1.0, 2.0, kind="Point")), "feature 1 (A): not a GeoJSON geometry"),
        (collection(feature("A", box(0, 0, 1)[:-1])), "feature 1 (A): a ring is not closed"),
        (
            collection(feature("A", box(0, 0, 1)), feature("B", box(775000, 2950000, 9))),
            "feature 2 (B): a position is not in degrees",
        ),
        (collection(feature("A", box(42.3, -71, 300))), "not in degrees"),
        (
            collection(feature("A", box(0, 0, 1)), crs={"properties": {"name": "EPSG:2249"}}),
            "positions are in EPSG:2249; convert them",
        ),
    ],
    ids=range(14),
)
def test_what_is_no_file_of_boundaries(tmp_path: Path, given_file: Any, why: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, given_file)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_asked_for_and_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"feature 3: property 'hood' holds no name"):
        features = [feature(n, box(0, 0, 1), hood=h) for n, h in (("a", "A"), ("b", "B"), ("c", 3))]
        read(tmp_path, collection(*features), "hood")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_boundaries(tmp_path / "none.geojson")


def exactly(corners: list[tuple[int, int]], x: Fraction, y: Fraction) -> tuple[bool, Fraction]:
    """Whether a point lies inside, by even and odd, and its squared distance from the ring."""
    inside, nearest = False, Fraction(10**9)
    for (x1, y1), (x2, y2) in pairwise([*corners, corners[0]]):
        if (y1 > y) != (y2 > y):
            inside ^= x < x1 + (y - y1) * Fraction(x2 - x1, y2 - y1)
        length = (x2 - x1) ** 2 + (y2 - y1) ** 2
        along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length if length else Fraction(0)
        along = min(Fraction(1), max(Fraction(0), along))
        gap = (x1 + along * (x2 - x1) - x) ** 2 + (y1 + along * (y2 - y1) - y) ** 2
        nearest = min(nearest, gap)
    return inside, nearest


corner = st.tuples(st.integers(-9, 9), st.integers(-9, 9))
coordinate = st.integers(-9, 9).map(float) | st.floats(-10, 10)


@settings(max_examples=200)
@given(
    st.lists(st.lists(corner, min_size=3, max_size=12, unique=True), min_size=1, max_size=4),
    st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=15),
)
def test_against_exact_arithmetic(
    shapes: list[list[tuple[int, int]]], points: list[tuple[float, float]]
) -> None:
    features = [feature(str(number), ring(*corners)) for number, corners in enumerate(shapes)]
    outlines = {f["properties"]["name"]: (Outline.model_validate(f["geometry"]),) for f in features}
    placed = place(calls(*((x, y, None) for x, y in points)), Boundaries(outlines))
    for (x, y), name, how in zip(points, placed.neighborhood, placed.how, strict=True):
        told = [exactly(corners, Fraction(x), Fraction(y)) for corners in shapes]
        gap = float(min(gap for _, gap in told)) ** 0.5
        if gap > EDGE * 1.001:
            holders = [str(number) for number, (inside, _) in enumerate(told) if inside]
            assert how == ("in none", "inside", "in several")[min(2, len(holders))]
            assert name == (holders[0] if holders else None)
        elif gap < EDGE * 0.999:
            assert how == "on an edge"


def test_a_city_of_tiles_leaves_no_call_out() -> None:
    tiles = {
        f"{x}/{y}": (Outline.model_validate({"type": "Polygon", "coordinates": [box(x, y, 1)]}),)
        for x in range(5)
        for y in range(5)
    }
    rng = np.random.default_rng(3)
    xs, ys = rng.uniform(0, 5, (2, 20_000)).round(2)  # one in fifty lies on some border
    inside = (xs < 5) & (ys < 5)
    table = calls(*((x, y, None) for x, y in zip(xs[inside], ys[inside], strict=True)))
    placed = place(table, Boundaries(tiles))
    names = [f"{int(x)}/{int(y)}" for x, y in zip(table.longitude, table.latitude, strict=True)]
    assert placed.neighborhood.tolist() == names
    assert placed.counts()["on an edge"] > 100
    assert placed.counts()["in several"] == placed.counts()["in none"] == 0
