"""One grid of equal-area blocks of ground for the whole Earth.

The integerised sinusoidal grid on the sphere: rows of equal height in latitude, each cut into
``round(2 pi R cos(latitude) / height)`` columns. Cells are near-square and of nearly equal area up
to the poles, and the same ground has the same block in every UTM zone, product and inventory.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensor2sensor.geo.projections import to_lonlat

EARTH_RADIUS_M = 6_371_007.181  # sphere of the area of WGS 84, as MODIS' sinusoidal grid uses
EDGE_POINTS = 33  # a tile's edge bends by millimetres between so many points
_NAME = re.compile(r"r(\d+)c(\d+)")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BlockGrid:
    """Blocks of about ``block_m`` by ``block_m`` metres."""

    block_m: float

    @property
    def rows(self) -> int:
        """Rows from the south pole to the north pole."""
        return max(1, round(math.pi * EARTH_RADIUS_M / self.block_m))

    def columns(self, row: int) -> int:
        """Columns of a row."""
        middle = math.radians((row + 0.5) * 180.0 / self.rows - 90.0)
        around = 2 * math.pi * EARTH_RADIUS_M * math.cos(middle)
        return max(1, round(around / self.block_m))

    def block(self, longitude: float, latitude: float) -> str:
        """The block a point lies in."""
        # The pole itself, at exactly 90 degrees, would begin a row of its own.
        row = min(int((latitude + 90.0) / 180.0 * self.rows), self.rows - 1)
        columns = self.columns(row)
        column = int(((longitude + 180.0) % 360.0) / 360.0 * columns)
        return _name(row, min(column, columns - 1))

    def touched(self, longitudes: Floats, latitudes: Floats) -> tuple[str, ...]:
        """Every block a ring of points (a small polygon) shares ground with, in order.

        Args:
            longitudes: Of the ring, degrees; may cross the antimeridian.
            latitudes: Of the ring, degrees.
        """
        import shapely

        # Unrolled around its first point, a tile at 180 degrees is one piece again.
        unrolled = longitudes[0] + (longitudes - longitudes[0] + 180.0) % 360.0 - 180.0
        ring = shapely.make_valid(shapely.Polygon(np.stack([unrolled, latitudes], axis=1)))
        step = 180.0 / self.rows
        first, last = (int((edge + 90.0) / step) for edge in (latitudes.min(), latitudes.max()))
        found: set[str] = set()
        for row in range(first, min(last, self.rows - 1) + 1):
            south = row * step - 90.0
            # As wide as unrolled longitudes reach, which lie beyond 180 where a tile crosses it.
            part = shapely.clip_by_rect(ring, -720.0, south, 720.0, south + step)
            if not part.is_empty:
                west, _, east, _ = part.bounds
                found |= self._between(row, west, east)
        return tuple(sorted(found))

    def ring(self, block: str) -> tuple[Floats, Floats]:
        """Longitudes and latitudes of points along the edges of a block, for maps.

        Raises:
            ValueError: It is no block's name.
        """
        found = _NAME.fullmatch(block)
        if found is None:
            raise ValueError(f"'{block}' is no block")
        row, column = (int(part) for part in found.groups())
        width, height = 360.0 / self.columns(row), 180.0 / self.rows
        # Edges along a parallel bend in any projection: a few points between their ends.
        across = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0])
        up = np.repeat([0.0, 1.0], 5)
        return (column + across) * width - 180.0, (row + up) * height - 90.0

    def _between(self, row: int, west: float, east: float) -> set[str]:
        columns = self.columns(row)
        first, last = (math.floor((edge + 180.0) / 360.0 * columns) for edge in (west, east))
        # Around the antimeridian the last column's neighbour is the first.
        return {_name(row, column % columns) for column in range(first, last + 1)}


def _name(row: int, column: int) -> str:
    return f"r{row}c{column}"


def tile_ring(epsg: int, ulx_m: float, uly_m: float, size_m: float) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of points along the edges of a square tile."""
    # Without its end, where the next edge begins.
    along = np.linspace(0.0, size_m, EDGE_POINTS)[:-1]
    x = np.concatenate([along, np.full_like(along, size_m), size_m - along, np.zeros_like(along)])
    y = np.concatenate([np.zeros_like(along), along, np.full_like(along, size_m), size_m - along])
    longitude, latitude = to_lonlat(epsg).transform(ulx_m + x, uly_m - y)
    return np.asarray(longitude), np.asarray(latitude)
