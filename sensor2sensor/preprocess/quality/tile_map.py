"""Where tiles lie: footprints, masks and tiles on maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.page.bins import bar_panel
from sensor2sensor.core.page.maps import Layer, legend, map_panel
from sensor2sensor.core.page.section import note
from sensor2sensor.geo.footprints import polygons_of
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.masks import load_masks, project_mask
from sensor2sensor.preprocess.quality import parts
from sensor2sensor.preprocess.quality.parts import plural
from sensor2sensor.preprocess.tiles.table import TileRow

if TYPE_CHECKING:
    from sensor2sensor.preprocess.quality.tiles import Folder

MASKS = "_masks"
MOST_MAPS = 6


def where(folder: Folder) -> str:
    """Maps of the tiles, one for each region, and how many tiles each month has."""
    rows = folder.rows
    if not rows:
        return ""
    corners = np.array([(row.ulx_m, row.uly_m) for row in rows])
    found = parts.regions([row.epsg for row in rows], corners)
    drawn, layers = [], []
    for place, members in enumerate(found[:MOST_MAPS]):
        here = [rows[member] for member in members]
        own = _layers(folder, here)
        layers += own
        title = f"EPSG:{here[0].epsg}, {plural(len(here), 'tile')}"
        # Outlines of a swath end where the scene does: tiles and scenes say what is shown.
        drawn.append(
            map_panel(title, f"map{place}", own, within=[x for x in own if x.kind != "mask"])
        )
    left = len(found) - MOST_MAPS
    told = f"{plural(left, 'further region')} with fewer tiles not drawn." if left > 0 else ""
    drawn.append(bar_panel("Tiles by month", parts.months(row.s2date for row in rows), of="tiles"))
    return legend(layers) + f'<div class="maps">{"".join(drawn)}</div>' + note(told)


def _layers(folder: Folder, rows: Sequence[TileRow]) -> list[Layer]:
    scenes, known = {row.scene for row in rows}, folder.manifest.get("scenes", {})
    outlines: dict[str, list[Any]] = {"Sentinel-2": [], "Sentinel-3": []}
    for scene in sorted(scenes):
        for sensor, rings in known.get(str(scene), {}).get("outlines_m", {}).items():
            outlines[sensor] += [np.array(ring, np.float64) for ring in rings]
    odd = {one.tile for one in folder.odd}
    kinds = {None: ("tile", "tile"), True: ("inside", "tile inside a mask"),
             False: ("outside", "tile outside the masks")}  # fmt: skip
    squares = {kind: [r for r in rows if r.inside_mask is kind] for kind in kinds}
    return [
        Layer("s2", "edge of Sentinel-2", lines=outlines["Sentinel-2"]),
        Layer("mask", "mask", _masks(folder, rows[0].epsg)),
        Layer("s3", "edge of Sentinel-3", lines=outlines["Sentinel-3"]),
        *(Layer(*kinds[kind], squares=_squares(own)) for kind, own in squares.items()),
        Layer(
            "odd", "tile unlike the others", squares=_squares([r for r in rows if r.tile in odd])
        ),
    ]


def _squares(rows: Sequence[TileRow]) -> Any:
    found = [(row.ulx_m, row.uly_m, row.size_px * row.resolution_m) for row in rows]
    return np.array(found, np.float64).reshape(-1, 3)


def _masks(folder: Folder, epsg: int) -> list[Any]:
    """Outlines of the masks that lie there still, around the tiles of a projection."""
    options = folder.manifest["options"]
    rows = [row for row in folder.rows if row.epsg == epsg]
    if not options.get("masks") or not rows:
        return []
    edges = options.get("mask_edges", "great-circle")
    west, north = min(row.ulx_m for row in rows), max(row.uly_m for row in rows)
    size_m = max(row.size_px * row.resolution_m for row in rows)
    width = math.ceil((max(row.ulx_m for row in rows) + size_m - west) / 10)
    height = math.ceil((north - min(row.uly_m for row in rows) + size_m) / 10)
    grid = Grid(epsg, west, north, 10, width, height)
    try:
        drawn = load_masks(folder.data_root / MASKS, options["masks"], edges)
    except InputError:  # moved or changed since: the page has the rest
        return []
    shapes = [project_mask(mask, grid, edges).simplify(20.0) for mask in drawn.values()]
    polygons = [polygon for shape in shapes for polygon in polygons_of(shape)]
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return [np.asarray(ring.coords)[:, :2] for ring in rings]
