"""What the tile XML of Sentinel-2 says (MTD_TL.xml), checked at the border: grids, masks, times.

Every element that is absent or senseless ends in a ProductError naming product, file and element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sensor2sensor.core.archives import safe_name
from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid
from sensor2sensor.products.reading import time_at
from sensor2sensor.products.s2_metadata import renew

if TYPE_CHECKING:
    from datetime import datetime

    from sensor2sensor.core.xml import Element

RESOLUTIONS_M = (10, 20, 60)
# A tile has 10980 pixels a side; a damaged number must not make anyone allocate memory for it.
MAX_SIDE_PX = 32_768

_GEOCODING = "Geometric_Info/Tile_Geocoding"
_DATASTRIP = re.compile(r"_S(\d{8}T\d{6})(?:_|$)")


@dataclass(frozen=True)
class TileFacts:
    """Facts of the tile XML: grids by resolution, masks by type, times of tile and datastrip."""

    grids: dict[int, Grid]
    masks: dict[str, str]
    tile_time: datetime
    datastrip: str


def tile_facts(root: Element) -> TileFacts:
    """Read the tile XML."""
    renew(root)
    masks = {
        safe_key: safe_name(element.text, root.where)
        for element in root.find_all("Quality_Indicators_Info/Pixel_Level_QI/MASK_FILENAME")
        # Masks of one band (detector footprints, defective pixels) say nothing of the tile.
        if "bandId" not in element.attributes and element.text
        for safe_key in [_mask_key(element)]
    }
    sensed = time_at(root, "General_Info/SENSING_TIME")
    return TileFacts(_grids(root), masks, sensed, _datastrip(root))


def _datastrip(root: Element) -> str:
    # Level-2A before 02.07 calls the element DATASTRIP_ID_2A.
    listed = [one for one in root.require("General_Info").children() if "DATASTRIP_ID" in one.name]
    found = (_DATASTRIP.search(one.text) for one in listed)
    return next((match[1] for match in found if match), "")


def _mask_key(element: Element) -> str:
    return element.attributes.get("type", element.text.rsplit("/", 1)[-1].split("_B")[0])


def _grids(root: Element) -> dict[int, Grid]:
    code = root.string(f"{_GEOCODING}/HORIZONTAL_CS_CODE")
    match = re.fullmatch(r"EPSG:(\d{4,6})", code)
    if match is None:
        raise ProductError(f"element HORIZONTAL_CS_CODE is {code!r}", where=root.where)
    sizes = {e.attributes.get("resolution"): e for e in root.find_all(f"{_GEOCODING}/Size")}
    grids = {}
    for place in root.find_all(f"{_GEOCODING}/Geoposition"):
        size = sizes.get(place.attributes.get("resolution"))
        if size is not None:
            grid = _grid(place, size, int(match[1]))
            grids[int(grid.resolution_m)] = grid
    if not grids:
        raise ProductError(f"element {_GEOCODING}/Geoposition is missing", where=root.where)
    return derived_grids(grids)


def _grid(place: Element, size: Element, epsg: int) -> Grid:
    step = place.integer("XDIM")
    if step <= 0 or place.integer("YDIM") != -step:
        raise ProductError("elements XDIM and YDIM are no north-up grid", where=place.where)
    width, height = size.integer("NCOLS"), size.integer("NROWS")
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
        raise ProductError(f"element Size is {width} x {height} pixels", where=size.where)
    # ULX and ULY are the outer corner of the first pixel, not its centre.
    return Grid(epsg, place.number("ULX"), place.number("ULY"), float(step), width, height)


def derived_grids(grids: dict[int, Grid]) -> dict[int, Grid]:
    """The grids of all three resolutions: those given, the others from the finest one given."""
    finest = grids[min(grids)]
    complete = dict(grids)
    # A tile is 109.8 km wide, a whole number of pixels at all three resolutions.
    for resolution_m in RESOLUTIONS_M:
        if resolution_m not in complete:
            shrink = finest.resolution_m / resolution_m
            complete[resolution_m] = replace(
                finest,
                resolution_m=float(resolution_m),
                width_px=round(finest.width_px * shrink),
                height_px=round(finest.height_px * shrink),
            )
    return dict(sorted(complete.items()))
