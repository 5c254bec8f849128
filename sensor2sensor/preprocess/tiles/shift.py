"""Drift between the two looks at a tile: ice moves, and hours apart means another ground.

It is measured for every tile. With ``--correct-shift`` it is used as well: the tile's OLCI pixels
are taken where they show its ground (ADR 0042).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.collocation import SwathSteps
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.shift import (
    GroundShift,
    bilinear,
    box_average,
    common_grid,
    ground_shift,
    phase_shift,
)
from sensor2sensor.products.olci import OlciTile, OlciWindow

EXTENT_M = 20_000.0  # 67 OLCI pixels: the nine of a tile of 2.56 km hold no peak
STEP_M = 300.0  # OLCI's own pixel at nadir: a finer grid would show nothing more
TOO_SMALL = "never: the scene is smaller than what a drift is measured over"
LIMIT_M = 4_500.0  # 0.3 m/s over four hours; farther peaks are chance


# From which quality on, what size of a shift is more than error: the 99th percentile of what is
# measured of that quality where nothing moved (benchmarks/drift.py, benchmarks/results/drift.json).
SURE = ((0.25, 70.0), (0.6, 40.0))
# Pack ice in a storm. A look some minutes later shows clouds where the wind has carried them, and
# bright as they are their peak may be the highest: 6 m/s in the simulation.
FASTEST_M_S = 1.0


def is_sure(drift: GroundShift, gap_h: float) -> bool:
    """Whether a measured drift is more than what is measured of none, and no faster than ground.

    Args:
        drift: what was measured.
        gap_h: hours between the looks, of either sign.
    """
    sizes_m = [size_m for least, size_m in SURE if drift.quality >= least]
    if not sizes_m:
        return False
    return sizes_m[-1] < drift.length_m <= sizes_m[-1] + FASTEST_M_S * 3600.0 * abs(gap_h)


def aligned(olci: OlciTile, swath: OlciWindow, tile: Grid, drift: GroundShift) -> OlciTile | None:
    """The OLCI pixels that show a tile's ground, at the places where that was for Sentinel-2.

    Positions move, radiances do not: each pixel of the tile takes the OLCI pixel nearest to where
    the drift has carried its ground.

    Args:
        olci: the pixels that lie over the tile.
        swath: over the scene.
        tile: its grid.
        drift: how far OLCI shows the ground displaced.

    Returns:
        None where fewer pixels would have a valid one: the drift leads out of the swath, or under
        what is flagged.
    """
    shown = replace(tile, ulx_m=tile.ulx_m + drift.east_m, uly_m=tile.uly_m + drift.north_m)
    moved = swath.tile(shown)
    if moved.valid_fraction < olci.valid_fraction:
        return None
    xy_m = moved.table.xy_m - [drift.east_m, drift.north_m]
    return replace(moved, table=replace(moved.table, xy_m=xy_m))


def shows_enough(scene: Grid) -> bool:
    """Whether a scene is as large as what a drift is measured over.

    On less ground chance reaches peaks that are rare on so much: nothing is sure there.
    """
    return min(scene.shape) * scene.resolution_m >= EXTENT_M


@dataclass(frozen=True)
class Overview:
    """A reduced image of a whole scene.

    Attributes:
        image: Reflectance ``[h, w]``, NaN for no data.
        reduction: Pixels of the scene per pixel of it.
        centre: Where the ground of a sample lies, in samples from its upper left corner.
    """

    image: NDArray[np.float32]
    reduction: int
    centre: float


class DriftMeter:
    """Compares a scene's overview in red with Oa08 around each of its tiles.

    Args:
        overview: Sentinel-2 in red.
        olci: the swath over the scene.
    """

    def __init__(self, overview: Overview, olci: OlciWindow) -> None:
        self._pixel_m = overview.reduction * olci.grid.resolution_m
        self._centre = overview.centre
        self._smooth = box_average(overview.image, STEP_M / self._pixel_m)
        self._olci = olci
        self._red = olci.red_radiance()
        self.whole = shows_enough(olci.grid)
        self._steps = SwathSteps(olci.xy_m)

    def measure(self, tile: Grid) -> GroundShift | None:
        """How far Oa08 shows the ground displaced, or None where too little of it is known.

        Both images are brought to one UTM grid of 300 m over 20 km around the tile, moved inwards
        at the scene's edge: Sentinel-2 as box means, OLCI bilinearly between its own pixels. A
        second look, with the grid of OLCI displaced by what the first one found, compares the same
        ground and so is free of the pull of what only one image shows.
        """
        x, y = _surroundings(tile, self._olci.grid)
        still = self._sentinel2(x, y)
        first = phase_shift(still, self._sentinel3(x, y), limit_px=LIMIT_M / STEP_M)
        if first is None:
            return None
        coarse = ground_shift(first, STEP_M)
        displaced = self._sentinel3(x + coarse.east_m, y + coarse.north_m)
        rest = phase_shift(still, displaced, limit_px=1.0)
        if rest is None or rest.quality < first.quality:
            return coarse
        fine = ground_shift(rest, STEP_M)
        return GroundShift(coarse.east_m + fine.east_m, coarse.north_m + fine.north_m, fine.quality)

    def _sentinel2(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        scene = self._olci.grid
        columns = (x - scene.ulx_m) / self._pixel_m - self._centre
        rows = (scene.uly_m - y) / self._pixel_m - self._centre
        return bilinear(self._smooth, rows, columns)

    def _sentinel3(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest, _ = self._olci.nearest_xy(x, y)
        rows, columns = self._steps.positions(nearest, np.stack([x, y], axis=-1))
        known = np.isfinite(rows)
        # SciPy takes no NaN for a position: row -9 lies outside.
        value = bilinear(self._red, np.where(known, rows, -9.0), np.where(known, columns, -9.0))
        return np.where(known, value, np.nan)


def _surroundings(tile: Grid, scene: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The common grid around a tile, inside its scene."""
    # Moved inwards at the scene's edge, for beyond it Sentinel-2 shows nothing to compare.
    size = min(EXTENT_M, *(edge * scene.resolution_m for edge in scene.shape))
    west, south, east, north = scene.bounds
    x0, y0, x1, y1 = tile.bounds
    x = min(max(0.5 * (x0 + x1), west + 0.5 * size), east - 0.5 * size)
    y = min(max(0.5 * (y0 + y1), south + 0.5 * size), north - 0.5 * size)
    return common_grid((x, y), size, STEP_M)
