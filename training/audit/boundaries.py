"""Boundaries of neighbourhoods, and the calls placed in them.

A GeoJSON file (RFC 7946) draws them. The geometry is the response plan's (`model_service.model.
places`), so that the audit counts a call where the plan served it; a geometry engine such as
Shapely would say otherwise of a point on a border.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from data.errors import InputError
from model_service.model.places import Outline, spelled

How = Literal["inside", "on an edge", "in several", "in none", "without a point"]
"""How a call was placed: in one outline; within a centimetre of an outline's edge; in two or more
outlines that overlap; in none; it has no point. An edge is told before an overlap."""

EDGE = 1e-7
"""A point is on an edge within so many degrees: a centimetre, finer than positions are measured."""

NAMES = ("name", "neighborhood", "neighbourhood", "nhood", "area_name", "district", "beat", "label")
"""Properties taken for the name, in this order, whatever their case, where none is asked for."""

_WGS84 = ("CRS84", "EPSG::4326", "EPSG:4326")


@dataclass(frozen=True)
class Boundaries:
    """Places and their outlines.

    Parameters
    ----------
    outlines : dict of str to tuple of Outline
        Name → outlines, in the order of the file. A place that several features draw has several.
    """

    outlines: dict[str, tuple[Outline, ...]]

    def edges(self) -> NDArray[np.float64]:
        """All edges, of shape (n_edges, 4): longitude and latitude of both ends, in degrees."""
        return np.array(
            [
                (*start, *end)
                for outlines in self.outlines.values()
                for outline in outlines
                for ring in outline.rings
                for start, end in pairwise(ring)
            ]
        )


@dataclass(frozen=True)
class Placed:
    """Where calls were placed.

    Parameters
    ----------
    neighborhood : pandas.Series of shape (n_calls,)
        Name of the boundary. For a call in none or without a point, the name as it came, in the
        boundaries' spelling where it is one of theirs; missing where none came.
    how : pandas.Series of shape (n_calls,)
        A `How`.
    renamed : int
        Calls whose point lies in another place than the name that they came with.
    """

    neighborhood: pd.Series
    how: pd.Series
    renamed: int

    def counts(self) -> dict[How, int]:
        """Count the calls by how they were placed; every way is there."""
        found = self.how.value_counts()
        return {how: int(found.get(how, 0)) for how in get_args(How)}


def read_boundaries(path: Path, name: str | None = None) -> Boundaries:
    """Read boundaries from a GeoJSON file.

    Parameters
    ----------
    path : Path
    name : str, optional
        Property that holds a place's name. Left out, the first of `NAMES` that all features have.
        Features of one name are one place.

    Raises
    ------
    InputError
        If the file can't be read, is no FeatureCollection of named polygons, or its positions are
        not degrees (WGS 84). The message names the feature by its number in the file, from 1.
    """
    try:
        given = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(given, dict) or given.get("type") != "FeatureCollection":
        raise InputError(f"{path}: not a GeoJSON FeatureCollection")
    features = given.get("features")
    if not isinstance(features, list) or not features:
        raise InputError(f"{path}: holds no features")
    _check_system(path, given.get("crs"))
    for number, feature in enumerate(features, 1):
        if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
            raise InputError(f"{path}: feature {number} is no GeoJSON Feature with properties")
    key = name if name is not None else _name_property(path, features)
    outlines: dict[str, tuple[Outline, ...]] = {}
    spellings: dict[str, str] = {}
    for number, feature in enumerate(features, 1):
        place = feature["properties"].get(key)
        if not isinstance(place, str) or not place.strip():
            raise InputError(f"{path}: feature {number}: property {key!r} holds no name")
        place = spellings.setdefault(spelled(place), " ".join(place.split()))
        outline = _outline(f"{path}: feature {number} ({place})", feature.get("geometry"))
        outlines[place] = (*outlines.get(place, ()), outline)
    return Boundaries(outlines)


def place(calls: pd.DataFrame, boundaries: Boundaries) -> Placed:
    """Place calls in boundaries by their points.

    Of a border that two places share, a point belongs to the one that the response plan would give
    it; of two places that overlap, to the first in the file.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With `latitude` and `longitude` in degrees (WGS 84; NaN where there is none) and
        `neighborhood`, the name as it came.

    Returns
    -------
    Placed
        On the index of `calls`.
    """
    xs = calls["longitude"].to_numpy(dtype=np.float64, na_value=np.nan)
    ys = calls["latitude"].to_numpy(dtype=np.float64, na_value=np.nan)
    names = list(boundaries.outlines)
    first = np.full(len(calls), -1)
    times = np.zeros(len(calls), dtype=int)
    for number, outlines in enumerate(boundaries.outlines.values()):
        inside = np.any([outline.contains_all(xs, ys) for outline in outlines], axis=0)
        times += inside
        first[inside & (first < 0)] = number
    how = np.select(
        [np.isnan(xs) | np.isnan(ys), on_edge(xs, ys, boundaries), times > 1, times == 1],
        ["without a point", "on an edge", "in several", "inside"],
        default="in none",
    )
    came = _in_spelling(calls["neighborhood"], names)
    found = first >= 0
    drawn = np.array([*names, None], dtype=object)[first]  # the last of them for -1
    placed = pd.Series(np.where(found, drawn, came), index=calls.index, dtype=object)
    renamed = found & (came != None) & (drawn != came)  # noqa: E711 - element by element
    return Placed(placed, pd.Series(how, index=calls.index), int(renamed.sum()))


def on_edge(
    xs: NDArray[np.float64], ys: NDArray[np.float64], boundaries: Boundaries
) -> NDArray[np.bool_]:
    """Mark the points within `EDGE` degrees of an edge of any outline.

    Parameters
    ----------
    xs, ys : ndarray of shape (n_points,)
        Longitudes and latitudes in degrees; NaN is on no edge.
    boundaries : Boundaries

    Returns
    -------
    ndarray of shape (n_points,)
    """
    order = np.argsort(ys)
    x, y = xs[order], ys[order]
    near = np.zeros(len(order), dtype=bool)
    edges = boundaries.edges()
    low, high = edges[:, [1, 3]].min(axis=1), edges[:, [1, 3]].max(axis=1)
    starts = np.searchsorted(y, low - EDGE, side="left")
    ends = np.searchsorted(y, high + EDGE, side="right")
    for (x1, y1, x2, y2), start, end in zip(edges, starts, ends, strict=True):
        if start == end:
            continue
        dx, dy = x[start:end] - x1, y[start:end] - y1
        across, up = x2 - x1, y2 - y1
        length = across**2 + up**2
        along = np.clip((dx * across + dy * up) / length, 0, 1) if length else 0.0
        near[start:end] |= np.hypot(dx - along * across, dy - along * up) <= EDGE
    found = np.zeros(len(order), dtype=bool)
    found[order] = near
    return found


def _in_spelling(came: pd.Series, names: Sequence[str]) -> NDArray[np.object_]:
    """Write names as they came in the boundaries' spelling; None where none came."""
    known = {spelled(name): name for name in names}
    codes, uniques = pd.factorize(came)
    written = [known.get(spelled(str(name)), str(name)) for name in uniques]
    return np.array([*written, None], dtype=object)[codes]


def _name_property(path: Path, features: list[dict[str, Any]]) -> str:
    """Find the property that holds the names, or say which there are."""
    shared = set.intersection(*(set(_words(feature)) for feature in features))
    by_case = {key.casefold(): key for key in sorted(shared, reverse=True)}
    for name in NAMES:
        if name in by_case:
            return by_case[name]
    there = ", ".join(sorted(shared)) or "none"
    raise InputError(
        f"{path}: say which property holds the name of a place; words in every feature: {there}"
    )


def _words(feature: dict[str, Any]) -> Iterator[str]:
    """Properties of a feature that hold words."""
    for key, value in feature["properties"].items():
        if isinstance(value, str) and value.strip():
            yield key


def _check_system(path: Path, crs: Any) -> None:
    """Refuse positions in another system: files from before RFC 7946 may name one."""
    if crs is None:
        return
    named = crs.get("properties") if isinstance(crs, dict) else None
    system = str(named.get("name") if isinstance(named, dict) else crs)
    if not system.upper().endswith(_WGS84):
        raise InputError(f"{path}: positions are in {system}; convert them to WGS 84 (EPSG:4326)")


def _outline(where: str, geometry: Any) -> Outline:
    """Read a geometry; altitudes are dropped."""
    if not isinstance(geometry, dict):
        raise InputError(f"{where} has no geometry")
    kind, coordinates = geometry.get("type"), _flat(geometry.get("coordinates"))
    try:
        return Outline.model_validate({"type": kind, "coordinates": coordinates})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        why = found["msg"].removeprefix("Value error, ")
        if found["type"] in ("less_than_equal", "greater_than_equal"):
            why = "a position is not in degrees, longitude first (WGS 84, EPSG:4326): convert it"
        raise InputError(f"{where}: {why}") from None


def _flat(coordinates: Any, depth: int = 0) -> Any:
    """Drop the altitude of every position: RFC 7946 allows a third number."""
    if not isinstance(coordinates, list) or not coordinates or depth > 4:
        return coordinates
    if isinstance(coordinates[0], list):
        return [_flat(inner, depth + 1) for inner in coordinates]
    return coordinates[:2] if len(coordinates) == 3 else coordinates
