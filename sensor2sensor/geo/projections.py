"""Between degrees and metres: each pair of coordinate systems is set up once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyproj import Transformer

LONLAT = "EPSG:4326"


def from_lonlat(crs: str | int) -> Transformer:
    """From degrees to a system, named as PROJ knows it or by its EPSG code."""
    return _transformer(LONLAT, _name(crs))


def to_lonlat(crs: str | int) -> Transformer:
    """From a system to degrees; longitude comes first."""
    return _transformer(_name(crs), LONLAT)


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
