"""The lie of the land: coast, relief, rivers and lakes as functions of ground position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.fakes.noise import F32, F64, coverage, edge_distance, octaves, smooth
from tests.fakes.spectra import INDEX

RIVER_SPACING_M = 7000.0


@dataclass(frozen=True)
class View:
    """A regular grid of ground positions: pixel centres in metres and the pixel size."""

    x_m: F64
    y_m: F64
    pixel_m: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y_m), len(self.x_m)

    def padded(self) -> View:
        """Return the view with one more pixel on every side (for gradients)."""
        step = self.pixel_m
        x = np.r_[self.x_m[0] - step, self.x_m, self.x_m[-1] + step]
        down = np.sign(self.y_m[-1] - self.y_m[0]) * step if len(self.y_m) > 1 else -step
        y = np.r_[self.y_m[0] - down, self.y_m, self.y_m[-1] + down]
        return View(x, y, step)

    def shifted(self, east_m: float, north_m: float) -> View:
        """Return the view of positions `east_m`, `north_m` further on."""
        return View(self.x_m + east_m, self.y_m + north_m, self.pixel_m)

    def points(self, where: NDArray[np.bool_]) -> tuple[F64, F64]:
        """Return the positions of the chosen pixels as two 1-D arrays."""
        rows, columns = np.nonzero(where)
        return self.x_m[columns], self.y_m[rows]


class Mixture:
    """Materials laid over each other from the top: what a layer leaves open, the next fills."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.weights = np.zeros((len(INDEX), *shape), np.float32)
        self.open = np.ones(shape, np.float32)

    def put(self, material: str, part: F32 | float, tone: F32 | float = 1.0) -> None:
        """Lay a material over `part` of what is still open, `tone` times as bright."""
        share = self.open * part
        self.weights[INDEX[material]] += share * tone
        self.open -= share

    def fill(self, tones: dict[str, F32 | float]) -> None:
        """Fill what is still open with a blend of materials."""
        for material, tone in tones.items():
            self.weights[INDEX[material]] += self.open * tone
        self.open[:] = 0.0


@dataclass(frozen=True)
class Terrain:
    """What does not change from day to day."""

    coast_m: F32  # distance inland from the shore, negative at sea
    height_m: F32
    slope_east: F32
    slope_north: F32
    mountain: F32  # above 0 in the mountains
    river_m: F32  # distance inside a river bank, negative outside
    lake_m: F32  # distance inside a lake, negative outside


def _inner(a: F32) -> F32:
    return np.ascontiguousarray(a[1:-1, 1:-1])


def _coast(seed: int, view: View) -> F32:
    field = octaves(seed, "coast", view.x_m, view.y_m, 15000.0, 6, 0.42) + np.float32(0.28)
    return edge_distance(field, view.pixel_m)


def _relief(seed: int, view: View, coast_m: F32) -> tuple[F32, F32]:
    mountain = octaves(seed, "mountain", view.x_m, view.y_m, 13000.0, 3) - np.float32(0.35)
    ridges = np.zeros(view.shape, np.float32)
    for i in range(5):
        n = smooth(seed, f"ridge.{i}", view.x_m, view.y_m, 4200.0 / 2.1**i)
        ridges += np.float32(0.52**i) * (1.0 - np.abs(n))
    rise = np.clip(mountain + 0.25, 0.0, 1.2) * np.clip(coast_m / 2500.0, 0.0, 1.0)
    hills = octaves(seed, "hills", view.x_m, view.y_m, 2600.0, 3)
    shore = np.clip(coast_m / 400.0, 0.0, 1.0)
    height = rise * (430.0 + 330.0 * ridges) + shore * (22.0 + 14.0 * hills)
    return height.astype(np.float32), mountain


def _rivers(seed: int, view: View, mountain: F32) -> F32:
    angle = np.deg2rad(25.0)
    down = (np.cos(angle) * view.y_m) % RIVER_SPACING_M
    across = (np.sin(angle) * view.x_m) % RIVER_SPACING_M
    v = (down[:, None] + across[None, :]).astype(np.float32)
    bend = 1900.0 * smooth(seed, "bend.0", view.x_m, view.y_m, 7000.0)
    bend += 420.0 * smooth(seed, "bend.1", view.x_m, view.y_m, 1900.0)
    bend += 90.0 * smooth(seed, "bend.2", view.x_m, view.y_m, 640.0)
    w = v + bend
    rows, columns = np.gradient(bend)
    slope = np.hypot(
        rows / view.pixel_m - np.float32(np.cos(angle)),
        columns / view.pixel_m + np.float32(np.sin(angle)),
    )
    half = np.float32(RIVER_SPACING_M / 2)
    off_m = np.abs((w + half) % np.float32(RIVER_SPACING_M) - half) / np.maximum(slope, 0.2)
    width = 78.0 + 44.0 * smooth(seed, "width", view.x_m, view.y_m, 3000.0)
    width = np.clip(width, 22.0, 190.0) * np.where(mountain > 0, 0.45, 1.0)
    return (width - off_m).astype(np.float32)


def terrain(seed: int, view: View) -> Terrain:
    """Return the terrain of a view."""
    wide = view.padded()
    coast_m = _coast(seed, wide)
    height, mountain = _relief(seed, wide, coast_m)
    rows, columns = np.gradient(height)
    river_m = _rivers(seed, wide, mountain)
    lakes = octaves(seed, "lakes", wide.x_m, wide.y_m, 3300.0, 4, 0.45) - np.float32(1.75)
    north = np.sign(wide.y_m[1] - wide.y_m[0])
    return Terrain(
        coast_m=_inner(coast_m),
        height_m=_inner(height),
        slope_east=_inner(columns) / np.float32(view.pixel_m),
        slope_north=_inner(rows) / np.float32(north * view.pixel_m),
        mountain=_inner(mountain),
        river_m=_inner(river_m),
        lake_m=_inner(edge_distance(lakes, wide.pixel_m)),
    )


def shading(land: Terrain, zenith_deg: float, azimuth_deg: float) -> F32:
    """Return the illumination of the slopes relative to flat ground."""
    zenith, azimuth = np.deg2rad([zenith_deg, azimuth_deg])
    east, north = np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth)
    up = np.cos(zenith)
    facing = up - land.slope_east * np.float32(east) - land.slope_north * np.float32(north)
    length = np.sqrt(1.0 + land.slope_east**2 + land.slope_north**2)
    return np.clip(facing / (length * np.float32(up)), 0.22, 1.25).astype(np.float32)


def inside(distance_m: F32, view: View) -> F32:
    """Return the part of each pixel inside an outline, from its signed distance."""
    return coverage(distance_m, view.pixel_m)
