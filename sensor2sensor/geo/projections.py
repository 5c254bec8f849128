"""Between degrees and metres: each pair of coordinate systems is set up once a process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyproj import Transformer

LONLAT = "EPSG:4326"
_METRE = 0.02  # UTM stays within 0.2 %; a metre of EPSG:3857 is half a metre at 60 degrees


def from_lonlat(crs: str | int) -> Transformer:
    """From degrees to a system, named as PROJ knows it or by its EPSG code."""
    return _transformer(LONLAT, _name(crs))


def to_lonlat(crs: str | int) -> Transformer:
    """From a system to degrees; longitude comes first."""
    return _transformer(_name(crs), LONLAT)


def ground_width_m(
    crs: str, transform: Sequence[float], width_px: int, height_px: int
) -> float | None:
    """Width of a pixel on the ground, at the middle of a grid; None: its system has no metres.

    The projection's own metres where they are those of the ground within 2 %.

    Args:
        crs: The reference system.
        transform: GDAL's affine map ``(a, b, c, d, e, f)`` from column and row.
        width_px: Columns.
        height_px: Rows.
    """
    from pyproj import CRS, Geod

    system = CRS.from_user_input(crs)
    if not (system.is_projected or system.is_geographic):
        return None
    a, b, c, d, e, f = transform
    row, columns = height_px / 2, (width_px / 2 - 0.5, width_px / 2 + 0.5)
    ends = ((a * x + b * row + c, d * x + e * row + f) for x in columns)
    (west, south), (east, north) = (to_lonlat(crs).transform(*end) for end in ends)
    said = math.hypot(a, d) * system.axis_info[0].unit_conversion_factor
    if not all(map(math.isfinite, (west, south, east, north))):
        return said if system.is_projected else None
    ground = float(Geod(ellps="WGS84").inv(west, south, east, north)[2])
    return said if system.is_projected and abs(ground - said) <= _METRE * ground else ground


def _name(crs: str | int) -> str:
    return f"EPSG:{crs}" if isinstance(crs, int) else crs


# Setting one up reads PROJ's database (milliseconds), using it takes microseconds. Threads may
# share them (pyproj keeps a context for each); a worker process starts with none of its own.
# 256: footprints are measured in a system centred on each of them.
@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    from pyproj import Transformer

    # EPSG:4326 itself is latitude first; products, KML and shapely are longitude first.
    return Transformer.from_crs(source, target, always_xy=True)
