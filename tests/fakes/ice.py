"""Sea ice: floes with sharp edges and leads between them, moving with the drift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.fakes.cover import Season
from tests.fakes.landscape import Mixture, View
from tests.fakes.noise import F32, coverage, hash01, octaves, smooth, voronoi

LARGE_M = 1500.0
SMALL_M = 360.0


def _concentration(seed: int, view: View, season: Season) -> F32:
    base = 0.85 - 0.36 * season.green
    return (base + 0.30 * octaves(seed, "pack", view.x_m, view.y_m, 11000.0, 2)).astype(np.float32)


def sea(seed: int, view: View, drift_m: tuple[float, float], season: Season, part: F32) -> Mixture:
    """Return the sea of a view: floes, thin ice and open water (only where `part` > 0)."""
    out = Mixture(view.shape)
    moved = view.shifted(-drift_m[0], -drift_m[1])
    wet = part > 0
    if wet.any():
        _floes(seed, moved, season, wet, out)
    nilas = octaves(seed, "nilas", moved.x_m, moved.y_m, 2600.0, 4)
    thin = coverage((nilas - 0.85 + 0.9 * season.green) * -320.0, view.pixel_m)
    thin = thin * np.clip(1.2 - 2.2 * season.green, 0.0, 1.0).astype(np.float32)
    out.put("thin_ice", thin * 0.8)
    murk = np.clip(0.30 + 0.3 * smooth(seed, "murk", view.x_m, view.y_m, 8000.0), 0.0, 1.0)
    out.put("turbid", murk * 0.7)
    out.fill({"water": 1.0})
    return out


def _floes(seed: int, moved: View, season: Season, wet: NDArray[np.bool_], out: Mixture) -> None:
    x_m, y_m = moved.points(wet)
    ragged = octaves(seed, "rag", moved.x_m, moved.y_m, 340.0, 2)[wet] * 16.0
    cover = _concentration(seed, moved, season)[wet]
    large = voronoi(seed + 31, x_m + ragged, y_m - ragged, LARGE_M)
    small = voronoi(seed + 37, x_m - ragged, y_m - ragged, SMALL_M)
    lead_m = 12.0 + 46.0 * hash01(seed + 33, large.identity)
    whole = (hash01(seed + 32, large.identity) < cover - 0.18) * coverage(
        large.border_m - lead_m - ragged, moved.pixel_m
    )
    gap_m = 7.0 + 22.0 * hash01(seed + 39, small.identity)
    broken = (hash01(seed + 38, small.identity) < cover * 0.8) * coverage(
        small.border_m - gap_m, moved.pixel_m
    )
    ridge = coverage(9.0 - small.border_m, max(moved.pixel_m, 12.0)) * 0.16
    grid = np.zeros((4, *moved.shape), np.float32)
    grid[0][wet] = whole
    grid[1][wet] = broken
    grid[2][wet] = 0.86 + 0.2 * hash01(seed + 34, large.identity) + ridge
    grid[3][wet] = 0.62 + 0.42 * hash01(seed + 40, small.identity)
    pond = octaves(seed, "pond", moved.x_m, moved.y_m, 260.0, 2) - 1.5 + 0.9 * season.green
    melt = coverage(pond * 60.0, moved.pixel_m) * np.float32(0.85)
    out.put("thin_ice", grid[0] * melt, 1.4)
    out.put("ice", grid[0], grid[2])
    out.put("ice", grid[1], grid[3])
