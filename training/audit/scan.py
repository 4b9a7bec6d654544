"""A spatial scan: where errors cluster, whatever the borders of neighbourhoods say.

Kulldorff's statistic ("A spatial scan statistic", Communications in Statistics: Theory and Methods
26, 1997, pp. 1481-1496), Bernoulli model, circular windows. Of N calls C are errors. For a window
of n calls, c of them errors, at a higher rate than outside, the log of the likelihood ratio is

    c ln(c/n) + (n-c) ln((n-c)/n)
    + (C-c) ln((C-c)/(N-n)) + (N-n-C+c) ln((N-n-C+c)/(N-n))
    - C ln(C/N) - (N-C) ln((N-C)/N)

and 0 for other windows. The statistic is the largest of them. Its distribution where nothing
clusters comes from dealing out the errors anew at random, which allows for how many windows are
tried. Further clusters share no call with one before and are judged by the same distribution, which
errs on the side of caution; what lies beside a large cluster may be the rest of it.

Two things differ from the textbook. Calls of one incident are not independent, so incidents are
dealt out as a whole, among those of as many calls. And calls are gathered in the cells of a grid,
at least 200 m wide, whose centres stand for them: that bounds time and memory, and no figure shows
an address. The libraries that exist are for R, or need a compiler and are not kept up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEALS = 999
"""How often errors are dealt out at random; the least p-value is 1/1000."""

LARGEST = 0.5
"""A window holds no more than this share of the calls: a larger one would be the rule."""

MOST_CELLS = 1000
FINEST = 0.2
"""Width of a cell in km: this, or as wide as it takes for `MOST_CELLS` to hold all calls."""

LEAST = 10
"""Calls in a window: fewer make no cluster, and nobody's calls alone are told."""

STEP = 1.15
"""Each window of a centre holds so many times the calls of the one before, or more."""

KM = 111.195
"""Kilometres per degree of latitude on a sphere of 6371 km."""

_ROUNDING = 1e-7
"""Ratios that differ by less are the same: sums of numbers of up to 10 million."""

_CHUNK = 4_000_000
"""Likelihood ratios held at a time: 32 MB."""


@dataclass(frozen=True)
class Cluster:
    """A circle in which errors are more frequent than outside.

    Parameters
    ----------
    latitude, longitude : float
        Its centre, in degrees.
    radius : float
        In km: to the middle of the farthest cell inside, and half a cell more.
    calls, errors : int
        Inside.
    rate, rate_outside : float
        Share of errors inside and outside.
    ratio : float
        Log of the likelihood ratio.
    p : float
        Chance of a cluster at least as clear anywhere if errors fell at random (Monte Carlo).
    places : dict of str to int
        Calls inside by neighbourhood, the most first; empty where none were given.
    """

    latitude: float
    longitude: float
    radius: float
    calls: int
    errors: int
    rate: float
    rate_outside: float
    ratio: float
    p: float
    places: dict[str, int]


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    Parameters
    ----------
    calls, errors : int
        That were scanned.
    without_point : int
        Calls that have no coordinates and were left out.
    cell : float
        Width of a cell in km.
    windows : int
        Circles that were tried.
    clusters : tuple of Cluster
        The clearest first; it is there whatever its p-value, the others only where theirs is at
        most `alpha`. Empty where no window could be told from the rest.
    alpha : float
    """

    calls: int
    errors: int
    without_point: int
    cell: float
    windows: int
    clusters: tuple[Cluster, ...]
    alpha: float

    @property
    def found(self) -> tuple[Cluster, ...]:
        """The clusters that chance hardly makes: with a p-value of at most `alpha`."""
        return tuple(cluster for cluster in self.clusters if cluster.p <= self.alpha)


class Question(NamedTuple):
    """Whose errors a scan looks for.

    Parameters
    ----------
    label : str
        Column of the truth, 1, 0 or missing.
    truth : bool
        The calls that could be in error are those of this truth.
    flag : str
        Column of what was said or done, true, false or missing.
    wrong : bool
        What is in error.
    """

    label: str
    truth: bool
    flag: str
    wrong: bool


QUESTIONS = {
    "safety risks missed by the model": Question("risk", True, "risk_flag", False),
    "crises missed by the model": Question("crisis", True, "crisis_flag", False),
    "police recommended without a risk": Question("risk", False, "recommended_police", True),
    "police sent without a risk": Question("risk", False, "decided_police", True),
    "no police sent to a risk": Question("risk", True, "decided_police", False),
}


def scan_calls(calls: pd.DataFrame, seed: int = 0, *, deals: int = DEALS) -> dict[str, Scan]:
    """Ask every question of `QUESTIONS` whose columns are there.

    Parameters
    ----------
    calls : pandas.DataFrame of shape (n_calls, n_columns)
        With `incident`, `latitude`, `longitude`, `neighborhood` and columns of `QUESTIONS`. A call
        whose label or flag is missing takes no part in the question.
    seed : int
        Of the deals; each question has its own, whichever others are asked.
    deals : int

    Returns
    -------
    dict of str to Scan
    """
    scans = {}
    for number, (name, question) in enumerate(QUESTIONS.items()):
        if not {question.label, question.flag} <= set(calls.columns):
            continue
        flag = calls[question.flag].astype("boolean")
        asked = calls[(calls[question.label] == question.truth).fillna(False) & flag.notna()]
        there = asked["neighborhood"].astype(object)
        scans[name] = scan(
            asked["latitude"].to_numpy(dtype=np.float64, na_value=np.nan),
            asked["longitude"].to_numpy(dtype=np.float64, na_value=np.nan),
            (flag[asked.index] == question.wrong).to_numpy(dtype=bool),
            asked["incident"].to_numpy(dtype=object),
            np.random.default_rng([seed, number]),
            neighborhood=there.where(there.notna(), None).to_numpy(dtype=object),
            deals=deals,
        )
    return scans


def scan(
    latitude: Floats,
    longitude: Floats,
    error: NDArray[np.bool_],
    incident: NDArray[np.object_],
    rng: np.random.Generator,
    *,
    neighborhood: NDArray[np.object_] | None = None,
    deals: int = DEALS,
    largest: float = LARGEST,
    alpha: float = 0.05,
    most: int = 5,
) -> Scan:
    """Look for clusters of errors among the calls that could have been in error.

    For missed risks these are the calls with a risk, and an error is a call that was not flagged;
    for needless police they are the calls without a risk. All calls count alike: where labels were
    drawn with unequal chances the scan speaks of the labelled calls only.

    Parameters
    ----------
    latitude, longitude : ndarray of shape (n_calls,)
        Degrees, WGS 84; NaN where there are none.
    error : ndarray of shape (n_calls,)
    incident : ndarray of shape (n_calls,)
        Name of each call's incident. It lies in the middle of its calls' points.
    rng : numpy.random.Generator
    neighborhood : ndarray of shape (n_calls,), optional
        Names, or None where there is none.
    deals : int
    largest : float
        Share of the calls that a window may hold, in (0, 1).
    alpha : float
    most : int
        Clusters to give at most.

    Returns
    -------
    Scan
    """
    there = ~(np.isnan(latitude) | np.isnan(longitude))
    lat, lon, wrong = latitude[there], longitude[there], error[there].astype(np.int64)
    n, hits = len(wrong), int(wrong.sum())
    missing = int((~there).sum())
    if hits in (0, n):
        return Scan(n, hits, missing, FINEST, 0, (), alpha)
    member = np.unique(incident[there].astype(str), return_inverse=True)[1]
    size = np.bincount(member)
    flat = _Flat.of(lat, lon)
    middle = np.bincount(member, lat) / size, np.bincount(member, lon) / size
    grid = _Grid.of(*flat.to_km(*middle))
    inside = np.bincount(member, wrong).astype(np.int64)
    calls = np.bincount(grid.cell, size, grid.count).astype(np.int64)
    windows = _Windows.of(grid, calls, largest)
    if not len(windows.calls):
        return Scan(n, hits, missing, grid.width, 0, (), alpha)
    ratio = _likelihood_ratio(n, hits)
    errors = np.bincount(grid.cell, inside, grid.count).astype(np.int64)
    clear = ratio(windows.count(errors[:, None]), windows.calls[:, None])[:, 0]
    highest = _by_chance(grid, size, inside, windows, ratio, deals, rng)
    clusters: list[Cluster] = []
    for window, cells in windows.apart(clear):
        p = (1 + int((highest >= clear[window] - _ROUNDING).sum())) / (deals + 1)
        if len(clusters) == most or clear[window] <= 0 or (clusters and p > alpha):
            break
        members = cells[grid.cell[member]]
        k, of = int(wrong[members].sum()), int(members.sum())
        y, x = flat.to_degrees(*grid.centre(windows.centre[window]))
        near = neighborhood[there][members] if neighborhood is not None else ()
        clusters.append(
            Cluster(
                latitude=y,
                longitude=x,
                radius=float(windows.radius[window]),
                calls=of,
                errors=k,
                rate=k / of,
                rate_outside=(hits - k) / (n - of),
                ratio=float(clear[window]),
                p=p,
                places=dict(Counter(str(name) for name in near if name is not None).most_common()),
            )
        )
    return Scan(n, hits, missing, grid.width, len(windows.calls), tuple(clusters), alpha)


def _by_chance(
    grid: _Grid,
    size: Ints,
    inside: Ints,
    windows: _Windows,
    ratio: Callable[[Ints, Ints], Floats],
    deals: int,
    rng: np.random.Generator,
) -> Floats:
    """Deal out the errors anew; give the largest likelihood ratio of each deal.

    Among incidents of as many calls, those with errors change places at random; so no window's
    number of calls changes.
    """
    strata = []
    for calls in np.unique(size[inside > 0]):
        alike = size == calls
        hit = inside[alike]
        strata.append((grid.cell[alike], hit[hit > 0]))
    at_once = max(1, min(deals, _CHUNK // len(windows.calls)))
    highest = np.empty(deals)
    for start in range(0, deals, at_once):
        columns = min(at_once, deals - start)
        errors = np.zeros((grid.count, columns), dtype=np.int64)
        for column in range(columns):
            for cells, hit in strata:
                at = cells[rng.choice(len(cells), len(hit), replace=False)]
                errors[:, column] += np.bincount(at, hit, grid.count).astype(np.int64)
        found = ratio(windows.count(errors), windows.calls[:, None])
        highest[start : start + columns] = found.max(axis=0)
    return highest


def _likelihood_ratio(n: int, hits: int) -> Callable[[Ints, Ints], Floats]:
    """Make the function of errors and calls in a window; k ln k is looked up."""
    numbers = np.arange(n + 1)
    table = numbers * np.log(np.maximum(numbers, 1))
    without = table[hits] + table[n - hits] - table[n]

    def ratio(inside: Ints, calls: Ints) -> Floats:
        found: Floats = table[inside] + table[calls - inside] + table[hits - inside]
        found += table[n - calls - hits + inside]
        found -= table[calls] + table[n - calls] + without
        found[inside * n <= hits * calls] = 0.0  # no higher than outside
        return found

    return ratio


@dataclass(frozen=True)
class _Flat:
    """A plane that touches the middle of the city: true to 1 in 250 within 25 km."""

    latitude: float
    longitude: float

    @classmethod
    def of(cls, latitude: Floats, longitude: Floats) -> _Flat:
        return cls(float(latitude.mean()), float(longitude.mean()))

    @property
    def _across(self) -> float:
        return float(KM * np.cos(np.radians(self.latitude)))

    def to_km(self, latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
        return (longitude - self.longitude) * self._across, (latitude - self.latitude) * KM

    def to_degrees(self, x: float, y: float) -> tuple[float, float]:
        return self.latitude + y / KM, self.longitude + x / self._across


@dataclass(frozen=True)
class _Grid:
    """Square cells; `cell` numbers the occupied ones, of which there are `count`."""

    width: float
    west: float
    south: float
    columns: Ints
    rows: Ints
    cell: Ints

    @classmethod
    def of(cls, x: Floats, y: Floats) -> _Grid:
        width, west, south = FINEST, float(x.min()), float(y.min())
        while True:
            column = np.rint((x - west) / width).astype(np.int64)
            row = np.rint((y - south) / width).astype(np.int64)
            keys, cell = np.unique(column * (row.max() + 1) + row, return_inverse=True)
            if len(keys) <= MOST_CELLS:
                break
            width *= 1.2
        columns, rows = np.divmod(keys, row.max() + 1)
        return cls(width, west, south, columns, rows, cell)

    @property
    def count(self) -> int:
        return len(self.columns)

    def centre(self, cell: int) -> tuple[float, float]:
        """Find the middle of a cell, in km."""
        x, y = (
            self.west + self.columns[cell] * self.width,
            self.south + self.rows[cell] * self.width,
        )
        return float(x), float(y)


@dataclass(frozen=True)
class _Windows:
    """Circles about cells. `rings[w]` holds the cells that window w has over the one before it."""

    rings: csr_array
    centre: Ints
    radius: Floats
    calls: Ints
    starts: Ints

    @classmethod
    def of(cls, grid: _Grid, calls: Ints, largest: float) -> _Windows:
        limit = min(int(calls.sum()) - 1, int(largest * calls.sum()))
        rings: list[Ints] = []
        centres: list[int] = []
        radii: list[float] = []
        held: list[int] = []
        starts: list[int] = []
        for centre in range(grid.count):
            # In cells and squared, so that equal distances are equal numbers.
            far = (grid.columns - grid.columns[centre]) ** 2
            far += (grid.rows - grid.rows[centre]) ** 2
            order = np.argsort(far, kind="stable")
            gathered = np.cumsum(calls[order])
            ends = np.flatnonzero(np.r_[np.diff(far[order]) > 0, True])
            ends = ends[gathered[ends] <= limit]
            sums = gathered[ends].tolist()
            at, done = bisect_left(sums, LEAST), 0
            if at < len(sums):
                starts.append(len(held))
            while at < len(sums):
                end = int(ends[at])
                rings.append(order[done : end + 1])
                centres.append(centre)
                radii.append(grid.width * (far[order[end]] ** 0.5 + 0.5))
                held.append(sums[at])
                done = end + 1
                at = bisect_left(sums, STEP * sums[at], at + 1)
        indices = np.concatenate([np.empty(0, dtype=np.int64), *rings])
        matrix = csr_array(
            (
                np.ones(len(indices), dtype=np.int64),
                indices,
                np.cumsum([0, *map(len, rings)]),
            ),
            shape=(len(held), grid.count),
        )
        return cls(
            matrix,
            np.array(centres, dtype=np.int64),
            np.array(radii, dtype=np.float64),
            np.array(held, dtype=np.int64),
            np.array(starts, dtype=np.int64),
        )

    def count(self, errors: Ints) -> Ints:
        """Sum errors of shape (n_cells, n_columns) to (n_windows, n_columns)."""
        found: Ints = self.rings @ errors
        for start, end in zip(self.starts, [*self.starts[1:], len(found)], strict=True):
            np.cumsum(found[start:end], axis=0, out=found[start:end])
        return found

    def apart(self, clear: Floats) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Go through windows, the clearest first, that share no cell with one before."""
        indices, pointers = self.rings.indices, self.rings.indptr
        taken = np.zeros(self.rings.shape[1], dtype=bool)
        for window in np.argsort(-clear, kind="stable"):
            start = self.starts[np.searchsorted(self.starts, window, side="right") - 1]
            cells = np.zeros(len(taken), dtype=bool)
            cells[indices[pointers[start] : pointers[window + 1]]] = True
            if not (cells & taken).any():
                taken |= cells
                yield int(window), cells
