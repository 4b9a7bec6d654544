"""A map says every rate in words, blanks what it can't say, and looks unsure where it is."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.sources.synthetic.boundaries import CITY
from model_service.model.places import Outline
from training.audit import map as module
from training.audit.boundaries import Boundaries, read_boundaries
from training.audit.map import COLOURS, Area, Scale, draw_map, share
from training.audit.scan import Cluster

SVG = "{http://www.w3.org/2000/svg}"


def area(name: str, value: float | None = 0.2, width: float = 0.05, **more: Any) -> Area:
    if value is None:
        return Area(name, None, None, None, more.pop("of", 0), **more)
    low, high = max(0.0, value - width / 2), min(1.0, value + width / 2)
    return Area(name, value, low, high, more.pop("of", 100), **more)


def draw(areas: list[Area], **more: Any) -> str:
    given_words = {"title": "Risks missed", "measure": "risks missed", "ident": "m"} | more
    return draw_map(areas, **given_words)


def words(svg: str) -> list[str]:
    """All words that can be seen, one string for each text element."""
    root = ElementTree.fromstring(svg)
    return [" ".join("".join(text.itertext()).split()) for text in root.iter(f"{SVG}text")]


def square(west: float, south: float, side: float = 0.1) -> tuple[Outline, ...]:
    east, north = west + side, south + side
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return (Outline.model_validate({"type": "Polygon", "coordinates": [ring]}),)


CLUSTER = Cluster(42.31, -71.08, 1.5, 400, 100, 0.25, 0.12, 9.0, 0.001, {"Roxbury": 400})


@pytest.mark.parametrize("drawn", [False, True])
def test_every_rate_is_in_words_and_a_blank_is_no_zero(drawn: bool) -> None:
    boundaries = Boundaries({name: square(x, 0) for x, name in enumerate(("A", "B", "C", "D"))})
    svg = draw(
        [area("A", 0.123), area("B", 0.046, 0.02), area("C", None), area("D", 0.0, note="differs")],
        boundaries=boundaries if drawn else None,
        overall=0.1,
        clusters=[CLUSTER],
    )
    said = " | ".join(words(svg))
    for part in ("12%", "9.8–15%", "4.6%", "3.6–5.6%", "0%", "0–2.5%", "no cases", "differs"):
        assert part in said
    assert "risks missed overall: 10%" in said
    assert "25% of 400 calls within 1.5 km, in Roxbury, against 12% outside (p = 0.001)" in said
    described = ElementTree.fromstring(svg).findtext(f"{SVG}desc")
    assert described == (
        "Risks missed by place, with 95% intervals. Overall 10%. A: 12% (9.8–15%). "
        "B: 4.6% (3.6–5.6%). C: no cases. D: 0% (0–2.5%), differs."
    )


def test_what_is_unsure_is_hatched_and_what_is_blank_has_no_colour() -> None:
    def hatching(width: float) -> list[str]:
        svg = draw([area("A", 0.2, width), area("B", 0.29, 0.01)])
        return re.findall(r"url\(#m-(doubt\d)\)", svg.split('<clipPath id="m-clip2">')[0])

    assert hatching(0.04) == []  # classes of 2 points: at most two of them
    assert hatching(0.07) == ["doubt1"]
    assert hatching(0.30) == ["doubt2"]
    tile = draw([area("A", None), area("B", None)]).split('<clipPath id="m-clip1">')[1]
    assert 'class="c' not in tile.split("</g>")[0]


@example([1.0])
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_every_rate_is_of_its_class(values: list[float]) -> None:
    scale = Scale.of([area(str(number), value) for number, value in enumerate(values)])
    bounds = scale.bounds()
    assert 1 <= scale.classes <= len(COLOURS)
    assert bounds[0] >= 0 and bounds[-1] <= 1 + 1e-9
    for value in values:
        place = scale.place(value)
        assert bounds[place] - 1e-6 <= value <= bounds[place + 1] + 1e-6
    assert max(values) <= scale.end + 1e-9 <= 1 + 2e-9


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_wider_interval_never_looks_surer(one: float, other: float) -> None:
    scale = Scale(0.05, 0.0, 5, 0.5)
    narrow, wide = sorted((one, other))
    assert scale.doubt(Area("", 0.2, 0.0, narrow, 1)) <= scale.doubt(Area("", 0.2, 0.0, wide, 1))
    assert scale.doubt(Area("", 0.2, None, None, 1)) == 2


def test_colours_darken_evenly() -> None:
    """Relative luminance (WCAG 2.2): in grey, or to any eye, one is darker than the one before."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    for lighter, darker in pairwise(map(luminance, COLOURS)):
        assert (lighter + 0.05) / (darker + 0.05) > 1.35


def test_what_a_file_says_can_do_nothing_to_the_page() -> None:
    name = "</text><script>alert(1)</script>\"&'"
    for boundaries in (None, Boundaries({name: square(0, 0)})):
        svg = draw([area(name, note="<i>")], boundaries=boundaries, title="<b>")
        assert "<script" not in svg and "<i>" not in svg and "<b>" not in svg
        ElementTree.fromstring(svg)


def test_two_drawings_of_a_page_share_no_id() -> None:
    ids = [set(re.findall(r'id="([^"]+)"', draw([area("A")], ident=i))) for i in ("a", "b")]
    assert ids[0] and not ids[0] & ids[1]
    svg = draw([area("A")])
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(re.findall(r'id="([^"]+)"', svg))


def tiles(svg: str) -> dict[str, tuple[float, float]]:
    """Where tiles stand, by the name they carry."""
    found = re.findall(r'translate\((\d+) (\d+)\)">\s*<title>([^<]*)</title>', svg)
    return {name: (float(x), float(y)) for x, y, name in found}


def test_tiles_lie_as_the_places_do() -> None:
    centres = {f"{x}{y}": (42.0 + y, -71.0 + x) for x in range(6) for y in range(4)}
    spots = tiles(draw([area(name) for name in centres], centres=centres))
    assert len(set(spots.values())) == 24
    for one, (north, east) in centres.items():
        for other, (norther, easter) in centres.items():
            if east == easter and north > norther:
                assert spots[one][1] < spots[other][1]
            if north == norther and east > easter:
                assert spots[one][0] > spots[other][0]


def test_tiles_go_by_the_alphabet_where_nobody_knows_where_they_lie() -> None:
    names = [f"g{number:02}" for number in range(14)]
    spots = tiles(draw([area(name) for name in reversed(names)], centres={"g00": (42.0, -71.0)}))
    assert sorted(spots, key=lambda name: (spots[name][1], spots[name][0])) == names
    assert len(set(spots.values())) == 14


@given(st.lists(st.tuples(st.floats(42, 43), st.floats(-72, -71)), min_size=2, max_size=40))
def test_no_two_tiles_in_one_spot(centres: list[tuple[float, float]]) -> None:
    spots = module._grid(centres, 6)
    assert len(set(spots)) == len(centres)
    assert all(0 <= column < 6 for _, column in spots)
    assert {row for row, _ in spots} == set(range(max(row for row, _ in spots) + 1))


def test_the_shipped_city_is_drawn_with_every_number_in_its_place() -> None:
    city = read_boundaries(CITY)
    for outlines in city.outlines.values():
        x, y = module._inner(outlines)
        assert any(outline.contains(x, y) for outline in outlines)
    svg = draw([area("Roxbury", 0.3), area("Elsewhere", 0.1)], boundaries=city, clusters=[CLUSTER])
    said = words(svg)
    assert said.count("no cases") == len(city.outlines) - 1 + 1  # and in the legend
    assert "–" in said  # Elsewhere has no number, and is in the list
    assert len(re.findall(r'class="key halo"', svg)) == len(city.outlines)
    assert len(re.findall(r'class="circle"', svg)) == 1


def test_a_shared_border_stays_shared_and_what_cannot_be_seen_is_dropped() -> None:
    """Two halves of a square along a border of a thousand small steps."""
    steps = np.linspace(0, 1, 1001)
    border = [(0.5 + 0.0004 * (n % 2), float(y)) for n, y in enumerate(steps)]
    left = [(0.0, 0.0), *border, (0.0, 1.0), (0.0, 0.0)]
    right = [(1.0, 0.0), *border, (1.0, 1.0), (1.0, 0.0)]

    def to_px(x: float, y: float) -> tuple[float, float]:
        return 100 * x, 100 - 100 * y

    drawn = [re.findall(r"[\d.]+,[\d.]+", module._path(r, to_px)) for r in (left, right)]
    assert set(drawn[0][1:-1]) == set(drawn[1][1:-1])
    assert len(drawn[0]) < 210


def test_a_hole_is_not_filled() -> None:
    ring = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    hole = [[1, 1], [1, 3], [3, 3], [3, 1], [1, 1]]
    outline = Outline.model_validate_json(
        json.dumps({"type": "Polygon", "coordinates": [ring, hole]})
    )
    svg = draw([area("A")], boundaries=Boundaries({"A": (outline,)}))
    assert re.search(r'<path fill-rule="evenodd" d="M[^"]*ZM[^"]*Z"', svg)
    x, y = module._inner((outline,))
    assert outline.contains(x, y)


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0%"), (0.0994, "9.9%"), (0.0999, "10%"), (1.0, "100%")]
)
def test_shares(value: float, said: str) -> None:
    assert share(value) == said
