"""Where a place is: names, and outlines in which a call's point is placed.

An outline is a GeoJSON geometry (RFC 7946): longitude before latitude, degrees, WGS 84; every ring
closed; the rings of a polygon after its first are holes. A point is placed by casting a ray (even
and odd crossings), which is exact for what a city is drawn of, costs some microseconds and needs no
library: a service that has to start everywhere does not carry a geometry engine for one question.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MOST_SLABS = 256
"""An outline is cut into no more slabs of latitude than this."""


def spelled(place: str) -> str:
    """Reduce a place's name to what two spellings of it share: CAD systems write in capitals.

    Examples
    --------
    >>> spelled(" SOUTH  END") == spelled("South End")
    True
    """
    return " ".join(place.casefold().split())


def _degrees(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("write a degree as a number")
    return float(value)


Longitude = Annotated[float, BeforeValidator(_degrees), Field(ge=-180, le=180)]
Latitude = Annotated[float, BeforeValidator(_degrees), Field(ge=-90, le=90)]
Position = Annotated[tuple[Longitude, Latitude], Field(strict=False)]
Ring = Annotated[tuple[Position, ...], Field(strict=False, min_length=4)]
Rings = Annotated[tuple[Ring, ...], Field(strict=False, min_length=1)]


class Outline(BaseModel):
    """A GeoJSON geometry: `Polygon` or `MultiPolygon`; longitude before latitude."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: Rings | Annotated[tuple[Rings, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _check_form(cls, given: Any) -> Any:
        """Say it in a few words where the geometry is another one; a union would say it in many."""
        if not isinstance(given, dict) or given.get("type") not in ("Polygon", "MultiPolygon"):
            raise ValueError("not a GeoJSON geometry of type Polygon or MultiPolygon")
        depth, inside = 0, given.get("coordinates")
        while isinstance(inside, list | tuple) and inside:
            depth, inside = depth + 1, inside[0]
        if depth != (3 if given["type"] == "Polygon" else 4):
            raise ValueError(f"coordinates are not nested as those of a {given['type']}")
        return given

    @model_validator(mode="after")
    def _check_rings(self) -> Self:
        if any(ring[0] != ring[-1] for ring in self.rings):
            raise ValueError("a ring is not closed: its last position must be its first")
        if any(len(set(ring)) < 3 for ring in self.rings):
            raise ValueError("a ring needs three positions that differ")
        return self

    @cached_property
    def rings(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """All rings, holes among them.

        Those of one geometry overlap only as holes do, so that parity decides.
        """
        if self.type == "Polygon":
            return self.coordinates  # type: ignore[return-value]
        return tuple(ring for rings in self.coordinates for ring in rings)  # type: ignore[misc]

    @cached_property
    def _slabs(self) -> tuple[tuple[tuple[float, float, float, float], ...], ...]:
        """Edges by slabs of latitude that they reach into."""
        slabs: list[list[tuple[float, float, float, float]]] = [[] for _ in range(self._count)]
        for edge in self._edges:
            for number in range(self._slab(edge[0]), self._slab(edge[1]) + 1):
                slabs[number].append(edge)
        return tuple(map(tuple, slabs))

    @cached_property
    def _edges(self) -> tuple[tuple[float, float, float, float], ...]:
        """Edges that are not level: (lower y, upper y, x at lower y, slope dx/dy)."""
        edges = []
        for ring in self.rings:
            for (x1, y1), (x2, y2) in pairwise(ring):
                if y1 == y2:
                    continue
                if y1 > y2:
                    x1, y1, x2, y2 = x2, y2, x1, y1
                edges.append((y1, y2, x1, (x2 - x1) / (y2 - y1)))
        return tuple(edges)

    @cached_property
    def _count(self) -> int:
        """How many slabs: a few positions each."""
        return max(1, min(MOST_SLABS, sum(map(len, self.rings)) // 4))

    def _slab(self, latitude: float) -> int:
        """Find the slab of a latitude within the box; it never falls as the latitude rises."""
        _, south, _, north = self.box
        height = north - south
        share = (latitude - south) / height if height else 0.0
        return min(self._count - 1, int(share * self._count))

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east and north, in degrees."""
        xs = [x for ring in self.rings for x, _ in ring]
        ys = [y for ring in self.rings for _, y in ring]
        return min(xs), min(ys), max(xs), max(ys)

    def prepare(self) -> None:
        """Compile the edges, so that no call has to wait for it."""
        _ = self._slabs

    def contains(self, longitude: float, latitude: float) -> bool:
        """Say whether a point lies inside.

        Of a border that two outlines share, a point belongs to one of them: each edge takes its
        lower end and not its upper one, and a point on an edge is right of it.

        Parameters
        ----------
        longitude, latitude : float
            Degrees, WGS 84.

        Examples
        --------
        >>> square = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}
        >>> outline = Outline.model_validate(square)
        >>> outline.contains(1, 1), outline.contains(3, 1)
        (True, False)
        """
        west, south, east, north = self.box
        if not (west <= longitude <= east and south <= latitude <= north):
            return False
        inside = False
        for lower, upper, x, slope in self._slabs[self._slab(latitude)]:
            if lower <= latitude < upper and longitude < x + (latitude - lower) * slope:
                inside = not inside
        return inside

    def contains_all(
        self, longitudes: NDArray[np.float64], latitudes: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Say of many points whether they lie inside; of each what `contains` says.

        In order of latitude the points that an edge passes are neighbours: one cut per edge.

        Parameters
        ----------
        longitudes, latitudes : ndarray of shape (n_points,)
            Degrees, WGS 84; a point with NaN lies nowhere.

        Returns
        -------
        ndarray of shape (n_points,)
        """
        west, south, east, north = self.box
        across = (west <= longitudes) & (longitudes <= east)
        near = np.flatnonzero(across & (south <= latitudes) & (latitudes <= north))
        near = near[np.argsort(latitudes[near])]
        xs, ys = longitudes[near], latitudes[near]
        inside = np.zeros(len(near), dtype=bool)
        edges = np.array(self._edges).reshape(-1, 4)
        starts, ends = np.searchsorted(ys, edges[:, 0]), np.searchsorted(ys, edges[:, 1])
        with np.errstate(over="ignore", invalid="ignore"):  # an edge that is all but level
            for (lower, _, x, slope), start, end in zip(edges, starts, ends, strict=True):
                inside[start:end] ^= xs[start:end] < x + (ys[start:end] - lower) * slope
        found = np.zeros(len(longitudes), dtype=bool)
        found[near] = inside
        return found
