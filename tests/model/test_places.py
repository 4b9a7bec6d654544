"""A point is in an outline or not, and of a shared border in one of two."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model_service.model.places import Outline, spelled


def ring(*points: tuple[float, float]) -> list[list[float]]:
    return [list(point) for point in (*points, points[0])]


def square(west: float, south: float, side: float) -> list[list[float]]:
    east, north = west + side, south + side
    return ring((west, south), (east, south), (east, north), (west, north))


def outline(*coordinates: Any, kind: str = "Polygon") -> Outline:
    return Outline.model_validate({"type": kind, "coordinates": list(coordinates)})


def test_a_hole_is_not_inside() -> None:
    made = outline(square(0, 0, 10), square(4, 4, 2))
    assert made.contains(1, 1)
    assert not made.contains(5, 5)
    assert made.contains(7, 5)
    assert not made.contains(11, 5)


def test_of_several_polygons_each_counts() -> None:
    made = outline([square(0, 0, 1)], [square(5, 5, 2), square(5.5, 5.5, 0.5)], kind="MultiPolygon")
    assert [made.contains(*p) for p in ((0.5, 0.5), (5.2, 5.2), (5.7, 5.7), (3, 3))] == [
        *(True, True, False, False),
    ]


def test_a_notch_is_outside() -> None:
    made = outline(ring((0, 0), (4, 0), (4, 4), (2, 1), (0, 4)))
    assert not made.contains(2, 3)
    assert made.contains(2, 0.5)
    assert made.contains(0.2, 3)


@given(st.integers(0, 40), st.integers(0, 40))
def test_neighbours_share_no_point_and_leave_none_out(x: int, y: int) -> None:
    tiles = [outline(square(west, south, 10)) for west in (0, 10, 20, 30) for south in (0, 10, 20)]
    inside = sum(tile.contains(float(x), float(y)) for tile in tiles)
    assert inside == (1 if x < 40 and y < 30 else 0)


@given(st.integers(3, 12), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 3))
def test_a_regular_polygon_by_its_radii(corners: int, x: float, y: float, size: float) -> None:
    angles = [2 * math.pi * k / corners for k in range(corners)]
    made = outline(ring(*((size * math.cos(a), size * math.sin(a)) for a in angles)))
    distance = math.hypot(x, y)
    if distance > size * 1.000001:
        assert not made.contains(x, y)
    elif distance < size * math.cos(math.pi / corners) * 0.999999:
        assert made.contains(x, y)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"type": "Point", "coordinates": [0, 0]}, "not a GeoJSON geometry"),
        ({"type": "Feature", "geometry": {}}, "not a GeoJSON geometry"),
        ("Roxbury", "not a GeoJSON geometry"),
        ({"type": "Polygon"}, "not nested"),
        ({"type": "Polygon", "coordinates": square(0, 0, 1)}, "not nested"),
        ({"type": "MultiPolygon", "coordinates": [square(0, 0, 1)]}, "not nested"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "not closed"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "at least 4"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 0], [0, 0]]]}, "three"),
        ({"type": "Polygon", "coordinates": [square(42.3, -71, 300)]}, "less than or equal"),
        ({"type": "Polygon", "coordinates": [ring((0, 0), (1, 0), (1, math.nan))]}, "coordinates"),
        ({"type": "Polygon", "coordinates": [ring(("0", 0), (1, 0), (1, 1))]}, "a number"),  # type: ignore[arg-type]
        ({"type": "Polygon", "coordinates": [square(0, 0, 1)], "crs": {}}, "crs"),
    ],
    ids=range(13),
)
def test_what_is_no_outline(given: Any, why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outline.model_validate(given)
    assert why in str(caught.value)


def test_a_name_in_capitals_is_the_name() -> None:
    assert spelled("  JAMAICA   Plain ") == spelled("Jamaica Plain")
    assert spelled("Roxbury") != spelled("West Roxbury")


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=60),
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9) | st.integers(-9, 9)), max_size=20),
)
def test_slabs_change_nothing(
    corners: list[tuple[int, int]], points: list[tuple[float, float]]
) -> None:
    """Every edge asked for every point gives the same."""
    assume(len(set(corners)) >= 3)
    made = outline(ring(*corners))
    for x, y in points:
        inside = False
        for (x1, y1), (x2, y2) in pairwise([*corners, corners[0]]):
            if y1 > y2:
                x1, y1, x2, y2 = x2, y2, x1, y1
            if y1 <= y < y2 and x < x1 + (y - y1) * ((x2 - x1) / (y2 - y1)):
                inside = not inside
        assert made.contains(x, y) == inside


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=60),
    st.lists(
        st.tuples(
            st.floats(-10, 10) | st.integers(-9, 9) | st.just(math.nan),
            st.floats(-10, 10) | st.integers(-9, 9) | st.just(math.nan),
        ),
        max_size=20,
    ),
)
def test_many_at_once_are_placed_as_each_is(
    corners: list[tuple[int, int]], points: list[tuple[float, float]]
) -> None:
    assume(len(set(corners)) >= 3)
    made = outline(ring(*corners))
    xs, ys = np.array(points, dtype=np.float64).reshape(-1, 2).T
    assert made.contains_all(xs, ys).tolist() == [made.contains(x, y) for x, y in points]


def test_an_edge_that_is_all_but_level() -> None:
    made = outline(ring((0, 0), (150, 0), (150, 1), (-150, 5e-324)))
    ys = np.array([0.0, 5e-324, 0.5])
    assert made.contains_all(np.array([1.0, 1.0, 149.0]), ys).tolist() == [
        made.contains(x, y) for x, y in zip((1.0, 1.0, 149.0), ys.tolist(), strict=True)
    ]
