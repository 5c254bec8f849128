"""Random fields that are functions of ground position: the same place always has the same value.

Everything is a pure function of (seed, key, position), so a field rendered for one sensor's
window agrees with the same field rendered for another's. Regular grids are evaluated separably
with sparse cubic B-splines, which keeps a 10980 x 10980 tile affordable and the sums in one
fixed order (byte-identical files).
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_PERIOD = 256
_UNIT_STD = 3.6  # a B-spline through uniform(-1, 1) nodes has a standard deviation of 1 / 3.6
_CHUNK = 1 << 15  # points per Voronoi pass: small enough to stay in the processor's cache


def rng(seed: int, *keys: str | int) -> np.random.Generator:
    """Return a generator that depends on the seed and the keys only."""
    words = [k if isinstance(k, int) else zlib.crc32(k.encode()) for k in keys]
    return np.random.default_rng([seed, *words])


@lru_cache(maxsize=256)
def _nodes(seed: int, key: str) -> F32:
    return rng(seed, key).uniform(-1.0, 1.0, (_PERIOD, _PERIOD)).astype(np.float32)


def _spline(axis_m: F64, wavelength_m: float):
    """Return (sparse weights [n, m], lattice indices [m]) of a cubic B-spline along one axis."""
    from scipy.sparse import csr_array

    t = axis_m / wavelength_m
    cell = np.floor(t).astype(np.int64)
    f = (t - cell).astype(np.float32)
    g = 1.0 - f
    weights = np.stack(
        [g**3, 3 * f**3 - 6 * f**2 + 4, 3 * g**3 - 6 * g**2 + 4, f**3], axis=1
    ) / np.float32(6.0)
    low = int(cell.min()) - 1
    nodes = np.arange(low, int(cell.max()) + 3)
    columns = (cell - 1 - low)[:, None] + np.arange(4)
    pointers = np.arange(0, 4 * len(axis_m) + 1, 4)
    shape = (len(axis_m), len(nodes))
    return csr_array((weights.ravel(), columns.ravel(), pointers), shape=shape), nodes


def smooth(seed: int, key: str, x_m: F64, y_m: F64, wavelength_m: float) -> F32:
    """Return one octave of smooth noise, unit standard deviation, shape [len(y), len(x)]."""
    across, ix = _spline(x_m, wavelength_m)
    down, iy = _spline(y_m, wavelength_m)
    nodes = _nodes(seed, key)[np.ix_(iy % _PERIOD, ix % _PERIOD)]
    along = np.ascontiguousarray((across @ nodes.T).T)
    return np.asarray(down @ along) * np.float32(_UNIT_STD)


def octaves(
    seed: int, key: str, x_m: F64, y_m: F64, wavelength_m: float, count: int, persistence=0.5
) -> F32:
    """Return a sum of octaves from `wavelength_m` down, unit standard deviation."""
    total = np.zeros((len(y_m), len(x_m)), np.float32)
    power = 0.0
    for i in range(count):
        gain = np.float32(persistence**i)
        total += gain * smooth(seed, f"{key}.{i}", x_m, y_m, wavelength_m / 2.03**i)
        power += float(gain) ** 2
    return total / np.float32(np.sqrt(power))


def hash01(seed: int, *values: NDArray[np.int32]) -> F32:
    """Return numbers in [0, 1) that depend on the seed and the integers of each point."""
    h = np.full(np.shape(values[0]), (seed * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF, np.uint32)
    for value in values:
        h ^= value.astype(np.uint32) * np.uint32(0x9E3779B1)
        h ^= h >> np.uint32(15)
        h *= np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


class Cells:
    """Voronoi cells at the points asked for.

    Attributes:
        identity: an integer per point, equal within a cell (int32).
        border_m: distance to the border of the cell.
        east_m: distance east of the cell's seed point.
        north_m: distance north of it.
    """

    def __init__(self, count: int) -> None:
        self.identity = np.zeros(count, np.int32)
        self.border_m = np.zeros(count, np.float32)
        self.east_m = np.zeros(count, np.float32)
        self.north_m = np.zeros(count, np.float32)


def voronoi(seed: int, x_m: NDArray, y_m: NDArray, cell_m: float) -> Cells:
    """Return the jittered Voronoi cell of every point of two 1-D arrays."""
    cells = Cells(len(x_m))
    for start in range(0, len(x_m), _CHUNK):
        part = slice(start, start + _CHUNK)
        _voronoi_part(seed, x_m[part] / cell_m, y_m[part] / cell_m, cell_m, cells, part)
    return cells


def _voronoi_part(seed: int, u: F64, v: F64, cell_m: float, cells: Cells, part: slice) -> None:
    iu, iv = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    fu, fv = (u - iu).astype(np.float32), (v - iv).astype(np.float32)
    first = [np.full(u.shape, 1e9, np.float32)] + [np.zeros(u.shape, np.float32) for _ in "xy"]
    second = [a.copy() for a in first]
    name = np.zeros(u.shape, np.int32)
    for dv in (-1, 0, 1):
        for du in (-1, 0, 1):
            ju, jv = iu + np.int32(du), iv + np.int32(dv)
            code = ju * np.int32(73_856_093) ^ jv * np.int32(19_349_663)
            east = du + 0.1 + 0.8 * hash01(seed, code) - fu
            north = dv + 0.1 + 0.8 * hash01(seed + 1, code) - fv
            square = east * east + north * north
            closer = square < first[0]
            middle = ~closer & (square < second[0])
            for k, new in enumerate((square, east, north)):
                second[k] = np.where(closer, first[k], np.where(middle, new, second[k]))
                first[k] = np.where(closer, new, first[k])
            name = np.where(closer, code, name)
    apart = np.hypot(first[1] - second[1], first[2] - second[2]) + 1e-6
    cells.identity[part] = name
    cells.border_m[part] = cell_m * (second[0] - first[0]) / (2 * apart)
    cells.east_m[part] = -first[1] * cell_m
    cells.north_m[part] = -first[2] * cell_m


def coverage(distance_m: NDArray, pixel_m: float) -> F32:
    """Return the part of a pixel inside an edge, from the signed distance of its centre."""
    return np.clip(0.5 + distance_m / pixel_m, 0.0, 1.0).astype(np.float32)


def edge_distance(field: F32, pixel_m: float) -> F32:
    """Return the distance in metres from the zero line of a smooth field (first order)."""
    down, across = np.gradient(field)
    slope = np.hypot(down, across) / pixel_m
    return field / np.maximum(slope, 1e-7)
