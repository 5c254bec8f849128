"""Collocation: which coarse pixel is nearest to each pixel of a fine grid, per window only.

Distances are chords between points of the WGS 84 ellipsoid (geocentric metres), searched with the
kd-tree pyresample uses (pykdtree). Unlike longitude and latitude, or a sphere, that is exact at
the poles and at 180 degrees east, and the order of two candidates is that of their true distance.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.footprints import unit_vectors
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.projections import from_lonlat, to_lonlat

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SEMI_MAJOR_M = 6_378_137.0
_ECCENTRICITY_2 = 6.694379990141316e-3
# Mean radius: a sphere is good enough where a window is grown by a tie point anyway.
_EARTH_RADIUS_M = 6_371_008.8
_SAME_PLACE_M = 1.0  # positions are stored to 0.1 m
_BLOCK_PX = 64
_CORNERS_PX = 4  # a pixel of OLCI is 30 wide at 10 m: three blocks in four lie in one
_RADIUS_MARGIN = 1.25  # over half the diagonal of a pixel: geolocation jitters a little


@dataclass(frozen=True)
class SwathWindow:
    """Rows and columns of a swath, both as slices with a step of one."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as numpy has them."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def geocentric_m(lon_deg: Floats, lat_deg: Floats) -> Floats:
    """Geocentric metres ``[..., 3]`` of positions on the WGS 84 ellipsoid."""
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    sine, cosine = np.sin(lat), np.cos(lat)
    # Radius of curvature in the prime vertical; e squared flattens the polar axis below.
    normal = _SEMI_MAJOR_M / np.sqrt(1.0 - _ECCENTRICITY_2 * sine**2)
    x, y = normal * cosine * np.cos(lon), normal * cosine * np.sin(lon)
    return np.stack([x, y, normal * (1.0 - _ECCENTRICITY_2) * sine], axis=-1)


def grid_geocentric_m(grid: Grid) -> Floats:
    """Geocentric metres ``[height_px, width_px, 3]`` of the pixel centres of a grid.

    Every eighth centre is unprojected and the rest interpolated along both axes: exact to a
    millimetre at 10 m (a centimetre at 60 m), at a fiftieth of the time.
    """
    x, y = grid.xy_centres()
    step_x, step_y = _knots(x), _knots(y)
    lon, lat = unproject_points(grid.epsg, *np.meshgrid(x[step_x], y[step_y]))
    return _refine(_refine(geocentric_m(lon, lat), step_y, len(y), 0), step_x, len(x), 1)


def local_grid(epsg: int, lon_deg: Floats, lat_deg: Floats) -> tuple[Floats, Floats]:
    """Eastings and northings in metres of positions given in degrees, any shape."""
    x, y = from_lonlat(epsg).transform(lon_deg, lat_deg)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def find_window(
    tie_lonlat: tuple[Floats, Floats],
    steps: tuple[int, int],
    shape: tuple[int, int],
    centre_lonlat: tuple[float, float],
    radius_m: float,
) -> SwathWindow | None:
    """The rows and columns of a swath that can lie within a distance of a point.

    Args:
        tie_lonlat: longitude and latitude of the tie points, degrees, ``[tie rows, tie columns]``.
        steps: rows and columns from one tie point to the next.
        shape: rows and columns of the swath itself.
        centre_lonlat: the point, degrees.
        radius_m: the distance.

    Returns:
        The window, grown by one tie point on each side, or None where nothing is near.
    """
    points = unit_vectors(*tie_lonlat)
    centre = unit_vectors(np.asarray(centre_lonlat[0]), np.asarray(centre_lonlat[1]))
    # A cell of the tie grid may reach into the circle while its corners do not.
    reach = radius_m + _longest_step_m(points)
    near = np.linalg.norm(points - centre, axis=-1) * _EARTH_RADIUS_M <= reach
    if not near.any():
        return None
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return SwathWindow(_span(rows, steps[0], shape[0]), _span(columns, steps[1], shape[1]))


def spacing_m(xyz: Floats) -> tuple[float, float]:
    """Typical distance to the next row and the next column of a swath ``[rows, columns, 3]``.

    The 95 % quantile, so that a stretched pixel at the swath's edge still counts.
    """
    found = [np.linalg.norm(np.diff(xyz, axis=axis), axis=-1) for axis in (0, 1)]
    along, across = (step[np.isfinite(step)] for step in found)
    if not along.size or not across.size:
        return math.nan, math.nan
    return float(np.quantile(along, 0.95)), float(np.quantile(across, 0.95))


def search_radius_m(spacing: tuple[float, float]) -> float:
    """How far a pixel may be: half the diagonal of the local pixel and a quarter more."""
    return _RADIUS_MARGIN * 0.5 * math.hypot(*spacing)


class SwathIndex:
    """The positions of a swath window, searchable.

    Args:
        lat_deg: latitude ``[rows, columns]``, NaN where there is no position.
        lon_deg: longitude, same shape.
    """

    def __init__(self, lat_deg: Floats, lon_deg: Floats) -> None:
        self.shape = lat_deg.shape
        self.xyz = geocentric_m(lon_deg, lat_deg)
        # The kd-tree would sort positions that are not numbers anywhere.
        self._search_among(np.isfinite(self.xyz).all(axis=-1))

    def _search_among(self, pixels: Any) -> None:
        from pykdtree.kdtree import KDTree

        self._known = np.flatnonzero(pixels)
        flat = self.xyz.reshape(-1, 3)
        self._tree: Any = KDTree(flat[self._known]) if self._known.size else None

    def of(self, pixels: NDArray[np.bool_]) -> SwathIndex:
        """The index of those of its pixels alone ``[rows, columns]`` whose position is known."""
        part = copy(self)
        known = np.isfinite(self.xyz).all(axis=-1)
        part._search_among(np.asarray(pixels & known, bool))
        return part

    @property
    def empty(self) -> bool:
        """Whether no position is known."""
        return self._tree is None

    def nearest(self, points: Floats, radius_m: float) -> tuple[Ints, Floats]:
        """The nearest swath pixel of each point.

        Args:
            points: geocentric metres ``[..., 3]``.
            radius_m: pixels farther than this do not count.

        Returns:
            Flat index into the swath window (-1: none within the radius) and distance in metres
            (infinite where none), both of the points' leading shape.
        """
        shape = points.shape[:-1]
        if self._tree is None:
            return np.full(shape, -1, np.int64), np.full(shape, np.inf)
        query = np.ascontiguousarray(points.reshape(-1, 3))
        distance, found = self._tree.query(query, k=1, distance_upper_bound=radius_m)
        inside = np.isfinite(distance)
        index = np.full(len(query), -1, np.int64)
        index[inside] = self._known[found[inside].astype(np.int64)]
        return index.reshape(shape), np.asarray(distance, dtype=np.float64).reshape(shape)

    def nearest_on(self, points: Floats, radius_m: float) -> Ints:
        """As :meth:`nearest` for the pixels of a grid ``[h, w, 3]``, at a third of the time.

        What is nearest to all four corners of a block is nearest to all of it, for the places
        nearest to one pixel are convex; blocks whose corners differ are searched pixel by pixel.
        """
        rows, columns = (_knots(np.arange(size), _CORNERS_PX) for size in points.shape[:2])
        corners, _ = self.nearest(points[np.ix_(rows, columns)], radius_m)
        beside = np.pad(corners, ((0, 1), (0, 1)), mode="edge")
        whole = (corners >= 0) & (beside[1:, :-1] == corners)
        whole &= (beside[:-1, 1:] == corners) & (beside[1:, 1:] == corners)
        at = np.ix_(_left_of(rows), _left_of(columns))
        index, alone = corners[at], ~whole[at]
        index[alone], _ = self.nearest(points[alone], radius_m)
        return index

    def near(self, points: Floats) -> Floats:
        """Positions ``[rows, columns, 3]`` of the smallest block of the swath around points."""
        span = points.reshape(-1, 3)
        # Farther than a pixel of reduced resolution (1.2 km) is wide.
        low, high = span.min(axis=0) - 2000.0, span.max(axis=0) + 2000.0
        least, largest = self._blocks
        rows, columns = _span_of(((largest >= low) & (least <= high)).all(axis=-1), _BLOCK_PX)
        part = self.xyz[rows, columns]
        rows, columns = _span_of(((part >= low) & (part <= high)).all(axis=-1))
        return part[rows, columns]

    @cached_property
    def _blocks(self) -> tuple[Floats, Floats]:
        """Least and largest coordinates of blocks of pixels: a full swath has 20 million."""
        rows, columns = (range(0, size, _BLOCK_PX) for size in self.shape)

        def of(what: np.ufunc) -> Floats:
            return np.asarray(what.reduceat(what.reduceat(self.xyz, rows, axis=0), columns, axis=1))

        return of(np.fmin), of(np.fmax)


def _span_of(found: Any, step: int = 1) -> tuple[slice, slice]:
    """Rows and columns that hold all that was found, both empty where nothing was."""
    if not found.any():
        return slice(0), slice(0)
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    return (
        slice(rows[0] * step, (rows[-1] + 1) * step),
        slice(columns[0] * step, (columns[-1] + 1) * step),
    )


class SwathSteps:
    """Where points lie between the pixels of a swath; what they share is computed once.

    Args:
        swath_xy: projected metres of the swath's pixels ``[rows, columns, 2]``.
    """

    def __init__(self, swath_xy: Floats) -> None:
        self._xy = swath_xy
        self._down = np.gradient(swath_xy, axis=0)
        self._first, self._last = _same_place_span(swath_xy)

    def positions(self, index: Ints, xy: Floats) -> tuple[Floats, Floats]:
        """Fractional rows and columns of points, from their nearest pixel.

        Args:
            index: flat swath index of the nearest pixel ``[...]``, -1 for none.
            xy: projected metres of the points ``[..., 2]``.

        Returns:
            Rows and columns, NaN where there is no pixel; the swath is taken as straight between
            neighbours. Of pixels at one place, the one on the point's side of them counts.
        """
        found, width = index >= 0, self._xy.shape[1]
        row, column = np.divmod(np.where(found, index, 0), width)
        down = self._down[row, column]
        first, last = self._first[row, column], self._last[row, column]
        left, next_right = np.maximum(first - 1, 0), np.minimum(last + 1, width - 1)
        steps = np.maximum((left < first) + (next_right > last).astype(int), 1)
        right = (self._xy[row, next_right] - self._xy[row, left]) / steps[..., None]
        away = xy - self._xy[row, column]
        # Cramer's rule for (rows, columns) in the basis of a step down and a step to the right.
        area = down[..., 0] * right[..., 1] - down[..., 1] * right[..., 0]
        area = np.where(found & (area != 0.0), area, np.nan)
        rows = row + (away[..., 0] * right[..., 1] - away[..., 1] * right[..., 0]) / area
        # Columns at one place are one detector shown twice: the step across starts at its far side.
        across = (down[..., 0] * away[..., 1] - down[..., 1] * away[..., 0]) / area
        return rows, np.where(across > 0.0, last, first) + across


def beside_itself(swath_xy: Floats) -> NDArray[np.bool_]:
    """Where a pixel has the place of the next one in its row ``[rows, columns - 1]``.

    Native OLCI rows show a detector twice where the instrument grid has more columns than
    detectors, and give both pixels its one position.

    Args:
        swath_xy: projected metres of the swath's pixels ``[rows, columns, 2]``.
    """
    return np.asarray(np.linalg.norm(np.diff(swath_xy, axis=1), axis=-1) < _SAME_PLACE_M)


def _same_place_span(swath_xy: Floats) -> tuple[Ints, Ints]:
    """First and last column of the pixels at each pixel's place, both ``[rows, columns]``."""
    same = beside_itself(swath_xy)
    edge = np.zeros((len(same), 1), bool)
    at, count = np.arange(swath_xy.shape[1]), swath_xy.shape[1]
    starts = np.where(np.hstack([edge, same]), 0, at)
    ends = np.where(np.hstack([same, edge]), count - 1, at)
    first = np.maximum.accumulate(starts, axis=1)
    return first, np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]


def pixel_table(index: Ints) -> tuple[Ints, NDArray[np.int32]]:
    """Number the swath pixels a window uses.

    Args:
        index: flat swath index of each fine pixel, -1 for none.

    Returns:
        The used flat indices in ascending order ``[K]``, and for each fine pixel 0 (none) or one
        plus the row of its swath pixel in that list.
    """
    found = index >= 0
    if not found.any():
        return np.empty(0, np.int64), np.zeros(index.shape, np.int32)
    low, high = int(index[found].min()), int(index.max())
    # Marked, not sorted: a window's pixels lie on few rows of a swath. The first mark is none's.
    place = np.where(found, index - low + 1, 0)
    taken = np.zeros(high - low + 2, bool)
    taken[place[found]] = True
    return np.flatnonzero(taken) - 1 + low, np.cumsum(taken, dtype=np.int32)[place]


def _knots(values: NDArray[Any], step: int = 8) -> Ints:
    """Every eighth index, or so, and the last one."""
    last = len(values) - 1
    return np.unique(np.append(np.arange(0, last + 1, step), last)).astype(np.int64)


def _left_of(knots: Ints) -> Ints:
    """The last knot at or before each index."""
    return np.searchsorted(knots, np.arange(knots[-1] + 1), side="right") - 1


def unproject_points(epsg: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Longitude and latitude in degrees of positions in a UTM zone, any shape."""
    lon, lat = to_lonlat(epsg).transform(x, y)
    return np.asarray(lon), np.asarray(lat)


def _refine(values: Floats, knots: Ints, size: int, axis: int) -> Floats:
    """Linear interpolation from ``knots`` to every index along one axis."""
    if len(knots) == size:
        return values
    at = np.arange(size)
    left = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    share = (at - knots[left]) / (knots[left + 1] - knots[left])
    shape = [1] * values.ndim
    shape[axis] = size
    weight = share.reshape(shape)
    low, high = np.take(values, left, axis=axis), np.take(values, left + 1, axis=axis)
    return np.asarray(low + weight * (high - low), dtype=np.float64)


def _longest_step_m(points: Floats) -> float:
    steps = [np.linalg.norm(np.diff(points, axis=axis), axis=-1) for axis in (0, 1)]
    longest = [float(np.nanmax(step)) for step in steps if np.isfinite(step).any()]
    return max(longest, default=0.0) * _EARTH_RADIUS_M


def _span(ties: Ints, step: int, size: int) -> slice:
    """Pixels from one tie point before the first to one after the last."""
    return slice(max(0, (int(ties[0]) - 1) * step), min(size, (int(ties[-1]) + 1) * step + 1))
