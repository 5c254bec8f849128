"""The outline of what a Sentinel-2 product of an open bucket shows, and whether it can be that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.products.s2_radiometry import scene_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.geo.grids import Grid
    from sensor2sensor.products.s2_described import Described

NODATA = 0
_TILE_M = 109_800.0  # side of a tile


def outline_in_degrees(
    files: ProductFiles,
    described: Described,
    grids: Mapping[int, Grid],
    images: Mapping[tuple[str, int], str],
) -> Any:
    """Longitude and latitude of the outline: as described, or else by the pixels.

    Raises:
        ProductError: the outline described is none of what the images show.
    """
    from shapely import make_valid

    from sensor2sensor.geo.footprints import project, unproject

    grid = next(iter(grids.values()))
    if (given := described.footprint) is not None:
        _require_near(project(given, f"EPSG:{grid.epsg}"), grid, "geometry", files)
        return given
    if (data := described.data) is None:
        return unproject(_seen(files, grids, images), grid.epsg)
    finite = all(map(math.isfinite, data.bounds))
    _require_near(make_valid(data) if finite else data, grid, "tileDataGeometry", files)
    return unproject(data, grid.epsg)


def _require_near(outline: Any, grid: Grid, key: str, files: ProductFiles) -> None:
    """ProductError where an outline, in the grid's metres, is none of what its images show.

    Believed, it would overlap no pass of Sentinel-3, and make another product of the tile pass for
    its other part. That of a reduced or cut copy may be the one of its whole tile.
    """
    shown = grid.polygon()
    if shown.buffer(_TILE_M, join_style="mitre").covers(outline):  # what is infinite it does not
        shared = outline.intersection(shown).area
        if outline.area > 0.0 and shared >= 0.5 * min(outline.area, shown.area):
            return
    at, there = (", ".join(f"{one:.10g}" for one in whole.bounds) for whole in (outline, shown))
    what = f"{key} reaches over {at} (EPSG:{grid.epsg}), its images over {there}"
    hint = "is it of another place, or are its axes swapped? Fetch it again"
    raise ProductError(what, where=files.path, hint=hint)


def _seen(
    files: ProductFiles, grids: Mapping[int, Grid], images: Mapping[tuple[str, int], str]
) -> Any:
    """The outline of what was seen, in the tile's metres, by the pixels of its coarsest band.

    A part of a tile would pass for a copy of the other one, if it counted as the whole tile.
    """
    from sensor2sensor.geo.footprints import outline_of

    size, name = max((size, name) for (band, size), name in images.items() if band in S2_BANDS)
    grid = grids[size]
    return outline_of(scene_of(files, name, grid) != NODATA, grid)
