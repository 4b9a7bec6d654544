"""The made-up city's outlines are what the command draws, and hold its calls."""

from __future__ import annotations

import json

import numpy as np

from data.sources.synthetic.boundaries import CITY, draw_boundaries, written
from data.sources.synthetic.city import shipped_city
from model_service.model.places import Outline


def test_the_file_is_what_the_command_writes() -> None:
    assert CITY.read_text(encoding="utf-8") == written(draw_boundaries(shipped_city()))


def test_every_place_has_its_own_ground() -> None:
    places = shipped_city().file.neighborhoods
    drawn = json.loads(CITY.read_text(encoding="utf-8"))["features"]
    outlines = {f["properties"]["name"]: Outline.model_validate(f["geometry"]) for f in drawn}
    assert list(outlines) == list(places)
    for name, place in places.items():
        assert outlines[name].contains(place.longitude, place.latitude)
    west, south, east, north = np.array([outline.box for outline in outlines.values()]).T
    rng = np.random.default_rng(0)
    xs, ys = (
        rng.uniform(low.min(), high.max(), 20_000) for low, high in ((west, east), (south, north))
    )
    times = np.sum([outline.contains_all(xs, ys) for outline in outlines.values()], axis=0)
    # Rounding to a metre leaves slivers; nothing more is of two places.
    assert (times > 1).mean() < 0.001
    assert 0.3 < (times == 1).mean() < 0.9


def test_rings_run_counterclockwise() -> None:
    for feature in json.loads(CITY.read_text(encoding="utf-8"))["features"]:
        x, y = np.array(feature["geometry"]["coordinates"][0]).T
        assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0
