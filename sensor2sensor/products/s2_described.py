"""What the open buckets say of a Sentinel-2 product in place of a product XML, checked.

Either a STAC item (Earth Search: `S2B_33TWL_20230810_0_L2A.json` beside COGs), in the words of any
of its versions, or the files of a tile of the buckets `sentinel-s2-l1c` and `sentinel-s2-l2a`:
`metadata.xml`, which is MTD_TL.xml, `tileInfo.json` and `productInfo.json`. Whatever is absent or
senseless ends in a ProductError naming file and key, and what contradicts itself in one naming both
(`s2_identity`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.reading import (
    ListedFile,
    Said,
    finite_number,
    geojson_polygon,
    sentinel_time,
)
from sensor2sensor.products.s2_assets import Coding, codings, corner, images, listed
from sensor2sensor.products.s2_identity import (
    NAME,
    PRODUCT,
    TILE_ID,
    Claim,
    believed_baseline,
    claims_of_item,
    claims_of_tile,
    level_of,
    platform_of,
    require_one_tile,
    tile_id,
    tile_of,
)
from sensor2sensor.products.s2_tile import TileFacts, tile_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.core.xml import Element

MAX_JSON_BYTES = 4 * 2**20
# One fact had several names: Earth Search v0 and v1, and stactools.
_APPLIED = (
    "earthsearch:boa_offset_applied",
    "sentinel:boa_offset_applied",
    "sentinel2:boa_offset_applied",
)
_TAKE = re.compile(r"GS2[A-D]_(\d{8}T\d{6})_")
_STRIP = re.compile(r"_S(\d{8}T\d{6})(?:_|$)")


@dataclass(frozen=True)
class Described:
    """Facts of a product of an open bucket; see `sentinel2.S2Product` for their meaning.

    Attributes:
        sources: the files that say so, the most telling one first.
        applied: whether the radiometric offset was taken off the numbers; None: nothing says so.
        images: band and resolution by file name, as an item names them.
        codings: by file name of the asset, and by (band, ending) for files that were renamed.
        epsg: of the tile; None where the images alone know it.
        corner: upper left of the tile, x and y in metres; None where the images alone know it.
        data: outline of what was seen in the tile's own metres; None where `footprint` is given.
        claims: what each description says of baseline, platform, level, tile and time.
    """

    sources: tuple[str, ...]
    name: str
    level: str
    platform: str
    baseline: str | None
    sensing_start: datetime
    generation_time: datetime
    tile: str
    tile_time: datetime
    datastrip: str
    cloud_fraction: float | None
    footprint: Any = None
    data: Any = None
    epsg: int | None = None
    corner: tuple[float, float] | None = None
    applied: bool | None = None
    images: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    codings: Mapping[str, Coding] = field(default_factory=dict)
    listed: tuple[ListedFile, ...] = ()
    xml: TileFacts | None = None
    claims: tuple[Claim, ...] = ()


def read_json(files: ProductFiles, name: str) -> dict[str, Any]:
    """The object in a JSON file of a product.

    Raises:
        ProductError: it is too large, no JSON, or no object.
    """
    data = files.read(name, MAX_JSON_BYTES)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        what = f"is no JSON ({type(error).__name__})"
        raise ProductError(what, where=files.where(name), hint="fetch it again") from error
    if not isinstance(found, dict):
        raise ProductError("holds no JSON object", where=files.where(name))
    return found


def is_item(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a STAC item of Sentinel-2 level 1C or 2A."""
    stac = content.get("type") == "Feature" and "stac_version" in content
    properties = content.get("properties")
    if not (stac and isinstance(properties, dict) and isinstance(content.get("assets"), dict)):
        return False
    return str(properties.get("platform", "")).lower().startswith(("sentinel-2", "s2"))


def of_item(files: ProductFiles, name: str, item: Mapping[str, Any]) -> Described:
    """The facts of a STAC item."""
    said = Said(item["properties"], files.where(name))
    named = NAME.search(said.first_text(PRODUCT) or "")
    time = said.time("datetime")
    claims = claims_of_item(said, time, str(item.get("id", "")))
    require_one_tile(claims, said.where)
    assets = {key: one for key, one in item["assets"].items() if isinstance(one, dict)}
    epsg = said.number("proj:epsg") or _code(said.given.get("proj:code"))
    strip = _STRIP.search(said.text("s2:datastrip_id") or "")
    made = said.text("s2:generation_time") or (named[7] if named else said.text("created"))
    taken = _TAKE.match(said.text("s2:datatake_id") or "")
    begun = named[3] if named else taken[1] if taken else None
    cloud = said.number("eo:cloud_cover")
    return Described(
        sources=(name,),
        # By the item: the numbers of a COG may be others than those of the product it is made of.
        name=_safe_id(item.get("id"), files.where(name)),
        level=_level(said, named, str(item.get("id", ""))),
        platform=platform_of(said),
        baseline=believed_baseline(claims),
        sensing_start=sentinel_time(begun, "the datatake", said.where) if begun else time,
        generation_time=sentinel_time(made, "s2:generation_time", said.where) if made else time,
        tile=_tile(said, named),
        tile_time=time,
        datastrip=strip[1] if strip else "",
        cloud_fraction=None if cloud is None else _fraction(cloud, "eo:cloud_cover", said.where),
        footprint=_footprint(item.get("geometry"), said.where),
        epsg=None if epsg is None else int(epsg),
        corner=corner(assets, said.where),
        applied=said.first_flag(_APPLIED),
        images=images(assets),
        codings=codings(assets, said.where),
        listed=listed(assets),
        claims=claims,
    )


def of_tile(
    files: ProductFiles,
    xml: tuple[str, Element] | None,
    tile_info: tuple[str, dict[str, Any]] | None,
    product_info: tuple[str, dict[str, Any]] | None,
) -> Described:
    """The facts of a tile of the buckets `sentinel-s2-l1c` and `sentinel-s2-l2a`.

    Args:
        files: the product's files.
        xml: `metadata.xml`, name and root.
        tile_info: `tileInfo.json`.
        product_info: `productInfo.json`.
    """
    facts = tile_facts(xml[1]) if xml else None
    sources = tuple(one[0] for one in (xml, tile_info, product_info) if one)
    where = files.where(sources[0])
    tile = Said(tile_info[1] if tile_info else {}, files.where(tile_info[0]) if tile_info else "")
    product = Said(product_info[1] if product_info else {}, where)
    title = tile.text("productName") or product.text("name") or ""
    named = NAME.search(title)
    identified = TILE_ID.search(tile_id(xml[1])) if xml else None
    if named is None and identified is None:
        what = "names no product (TILE_ID, or productName of tileInfo.json)"
        raise ProductError(what, where=where, hint="fetch productInfo.json and tileInfo.json too")
    claims = claims_of_tile(files, xml, tile_info, product_info)
    require_one_tile(claims, str(files.path))
    strip = facts.datastrip if facts else ""
    if not strip and isinstance(of_strip := tile.given.get("datastrip"), dict):
        found = _STRIP.search(str(of_strip.get("id", "")))
        strip = found[1] if found else ""
    time = facts.tile_time if facts else tile.time("timestamp")
    taken = _TAKE.match(product.text("datatakeIdentifier") or "")
    begun = named[3] if named else taken[1] if taken else strip
    start = sentinel_time(begun, "sensing start", where) if begun else time
    mgrs = named[6] if named else identified[4] if identified else ""
    made = named[7] if named else identified[3] if identified else ""
    cloud = _cloud_of_xml(xml[1]) if xml else None
    cloud = tile.number("cloudyPixelPercentage") if cloud is None else cloud
    data = tile.given.get("tileDataGeometry")
    grid = next(iter(facts.grids.values())) if facts else None
    return Described(
        sources=sources,
        name=named[0] if named else identified[0] if identified else "",
        level=named[2] if named else identified[2] if identified else "",
        platform=named[1] if named else identified[1] if identified else "",
        baseline=believed_baseline(claims),
        sensing_start=start,
        generation_time=sentinel_time(made, "generation time", where),
        tile=f"T{mgrs}",
        tile_time=time,
        datastrip=strip,
        cloud_fraction=None if cloud is None else _fraction(cloud, "cloudyPixelPercentage", where),
        data=None if data is None else geojson_polygon(data, tile.where),
        epsg=grid.epsg if grid else None,
        corner=(grid.ulx_m, grid.uly_m) if grid else _origin(tile),
        xml=facts,
        claims=claims,
    )


def _origin(tile: Said) -> tuple[float, float] | None:
    """The upper left corner that a tileInfo.json gives."""
    given = tile.given.get("tileOrigin")
    place = given.get("coordinates") if isinstance(given, dict) else None
    if not isinstance(place, list) or len(place) < 2:
        return None
    x_m, y_m = (finite_number(one, "tileOrigin", tile.where) for one in place[:2])
    return x_m, y_m


def _fraction(percent: float, key: str, where: str) -> float:
    if not 0.0 <= percent <= 100.0:
        raise ProductError(f"{key} is {percent:g}, no percentage", where=where)
    return percent / 100.0


def _safe_id(value: object, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][\w.\-]*", value):
        raise ProductError(f"id is {value!r}, no name of a product", where=where)
    return value


def _level(said: Said, named: re.Match[str] | None, name: str) -> str:
    found = level_of(said, name) or (named[2] if named else None)
    if found is None:
        raise ProductError("s2:product_type is missing, so the level is unknown", where=said.where)
    return found


def _tile(said: Said, named: re.Match[str] | None) -> str:
    found = tile_of(said) or (f"T{named[6]}" if named else None)
    if found is None:
        raise ProductError("grid:code is missing, so the tile is unknown", where=said.where)
    return found


def _code(value: object) -> float | None:
    found = re.fullmatch(r"EPSG:(\d{4,6})", str(value))
    return float(found[1]) if found else None


def _footprint(geometry: object, where: str) -> Any:
    found = geojson_polygon(geometry, where)
    west, south, east, north = found.bounds
    if max(abs(south), abs(north)) > 90.0 or max(abs(west), abs(east)) > 360.0:
        raise ProductError("geometry has an impossible latitude", where=where)
    return found


def _cloud_of_xml(root: Element) -> float | None:
    path = "Quality_Indicators_Info/Image_Content_QI/CLOUDY_PIXEL_PERCENTAGE"
    element = root.find(path)
    return None if element is None else element.as_number(path)
