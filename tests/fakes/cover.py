"""What grows and lies on the land: fields with sharp borders, woods, rock, snow, water, shores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.fakes.landscape import Mixture, Terrain, View, inside
from tests.fakes.noise import F32, Cells, edge_distance, hash01, octaves, smooth, voronoi

DISTRICT_M = 2400.0


@dataclass(frozen=True)
class Season:
    """What the day of the year does to the ground."""

    day: float

    @property
    def green(self) -> float:
        """How far the growing season has come (0 winter, 1 midsummer)."""
        return float(np.exp(-(((self.day - 205.0) / 55.0) ** 2)))

    @property
    def snow_line_m(self) -> float:
        """Height above which snow lies."""
        return 120.0 + 620.0 * self.green


@dataclass(frozen=True)
class _Parcels:
    crop: F32  # 0..1: what is grown
    tone: F32
    edge_m: F32  # distance from the parcel's border
    bright_tracks: NDArray[np.bool_]


def _parcels(seed: int, cells: Cells) -> _Parcels:
    name = cells.identity
    angle = hash01(seed + 2, name) * np.float32(np.pi)
    long_m = 420.0 + 520.0 * hash01(seed + 3, name)
    wide_m = 190.0 + 260.0 * hash01(seed + 4, name)
    p = cells.east_m * np.cos(angle) + cells.north_m * np.sin(angle)
    q = cells.north_m * np.cos(angle) - cells.east_m * np.sin(angle)
    row = np.floor(q / wide_m).astype(np.int32)
    p = p + long_m * hash01(seed + 5, name, row)
    column = np.floor(p / long_m).astype(np.int32)
    in_p, in_q = p - column * long_m, q - row * wide_m
    edge = np.minimum(np.minimum(in_p, long_m - in_p), np.minimum(in_q, wide_m - in_q))
    pivot = hash01(seed + 6, name) > 0.86
    ring = np.abs(wide_m * 0.46 - np.hypot(in_p - wide_m / 2, in_q - wide_m / 2))
    outside = np.hypot(in_p - wide_m / 2, in_q - wide_m / 2) > wide_m * 0.46
    crop = hash01(seed + 7, name, row, column)
    crop = np.where(pivot & outside, 0.97, crop)
    edge = np.where(pivot, np.minimum(ring + 30.0, edge), edge)
    tone = 0.82 + 0.36 * hash01(seed + 8, name, row, column)
    return _Parcels(crop, tone, edge, hash01(seed + 9, name) > 0.5)


def _growth(crop: F32, season: Season) -> tuple[F32, F32, F32]:
    """Return the parts of green crop, dry crop and bare soil of each parcel."""
    green = np.float32(season.green)
    leaf = np.select([crop < 0.38, crop < 0.62, crop < 0.8], [0.95, 0.45, 0.1], 0.75) * green
    straw = np.select([crop < 0.38, crop < 0.62, crop < 0.8], [0.03, 0.5, 0.05], 0.2)
    straw = np.minimum(straw, 1.0 - leaf)
    return leaf.astype(np.float32), straw.astype(np.float32), (1 - leaf - straw).astype(np.float32)


def _farmland(seed: int, view: View, land: Terrain) -> NDArray[np.bool_]:
    wild = octaves(seed, "wild", view.x_m, view.y_m, 6000.0, 3)
    return (land.mountain < -0.1) & (wild < 0.95) & (land.coast_m > 220.0)


def fields(seed: int, view: View, land: Terrain, season: Season, out: Mixture) -> None:
    """Lay tracks, hedges and parcels over the plains."""
    farmed = _farmland(seed, view, land)
    if not farmed.any():
        return
    x_m, y_m = view.points(farmed)
    warp = smooth(seed, "warp", view.x_m, view.y_m, 3500.0)[farmed] * 160.0
    cells = voronoi(seed + 11, x_m + warp, y_m - warp, DISTRICT_M)
    parcels = _parcels(seed, cells)
    leaf, straw, soil = _growth(parcels.crop, season)

    def spread(values: NDArray) -> F32:
        grid = np.zeros(view.shape, np.float32)
        grid[farmed] = values
        return grid

    half = max(1.0, view.pixel_m / 20.0)
    road = np.clip((11.0 - cells.border_m) / (10.0 * half) + 0.5, 0, 1) * min(1.0, 1 / half)
    border = np.clip((7.0 - parcels.edge_m) / (10.0 * half) + 0.5, 0, 1) * min(1.0, 1 / half)
    out.put("sand", spread(road), 0.85)
    out.put("sand", spread(border * parcels.bright_tracks), 0.72)
    out.put("forest", spread(border * ~parcels.bright_tracks), 0.9)
    part = spread(np.ones(len(x_m), np.float32))
    share = out.open * part
    for material, values in (("crop", leaf), ("dry", straw), ("soil", soil)):
        out.weights[_index(material)] += share * spread(values * parcels.tone)
    out.open -= share


def _index(material: str) -> int:
    from tests.fakes.spectra import INDEX

    return INDEX[material]


def water(seed: int, view: View, land: Terrain, out: Mixture) -> None:
    """Lay rivers with sand bars, lakes and beaches over the land."""
    silt = np.clip(0.5 + 0.35 * smooth(seed, "silt", view.x_m, view.y_m, 9000.0), 0.0, 1.0)
    river = inside(land.river_m, view)
    out.put("water", inside(land.lake_m, view), 1.2)
    out.put("turbid", river * silt)
    out.put("water", inside(land.river_m, view))
    bar = land.river_m + 34.0 * smooth(seed, "bars", view.x_m, view.y_m, 420.0) - 6.0
    out.put("sand", inside(np.minimum(bar, 60.0), view) * 0.9, 0.9)
    beach = 36.0 + 30.0 * smooth(seed, "beach", view.x_m, view.y_m, 1300.0) - land.coast_m
    out.put("sand", inside(beach, view), 1.05)


def wild_land(seed: int, view: View, land: Terrain, season: Season, out: Mixture) -> None:
    """Fill the rest: woods with sharp edges, meadows, rock and snow fields."""
    patch = octaves(seed, "wood", view.x_m, view.y_m, 1500.0, 4, 0.5)
    snow = (land.height_m - season.snow_line_m) / 160.0 + 0.45 * patch
    steep = np.hypot(land.slope_east, land.slope_north)
    snow -= np.clip((steep - 0.55) * 2.5, 0.0, 1.2)
    out.put("snow", inside(edge_distance(snow, view.pixel_m), view))
    low = np.clip((380.0 - land.height_m) / 120.0, -3.0, 0.35)
    wood = inside(edge_distance(patch - 0.15 + low, view.pixel_m), view)
    out.put("forest", wood)
    rock = edge_distance(0.9 * patch + land.mountain * 1.5 - 0.2, view.pixel_m)
    out.put("rock", inside(rock, view), 1.0 + 0.1 * smooth(seed, "vein", view.x_m, view.y_m, 330.0))
    green = np.float32(0.25 + 0.5 * season.green)
    out.fill({"crop": green, "dry": 0.35 * (1 - green), "soil": 0.65 * (1 - green)})
