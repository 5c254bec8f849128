"""What the open buckets say of a Sentinel-2 product in place of a product XML, checked.

Either a STAC item (Earth Search: `S2B_33TWL_20230810_0_L2A.json` beside COGs), in the words of any
of its versions, or the files of a tile of the buckets `sentinel-s2-l1c` and `sentinel-s2-l2a`:
`metadata.xml`, which is MTD_TL.xml, `tileInfo.json` and `productInfo.json`. Whatever is absent or
senseless ends in a ProductError naming file and key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.products.reading import YEARS, ListedFile, geojson_polygon
from sensor2sensor.products.s2_assets import Coding, codings, corner, finite_number, images, listed
from sensor2sensor.products.s2_tile import TileFacts, tile_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.core.xml import Element

MAX_JSON_BYTES = 4 * 2**20
# One fact had several names: Earth Search v0, v1 and Collection 1, and stactools.
_PRODUCT = ("s2:product_uri", "s2:product_title", "sentinel:product_id", "title")
_BASELINE = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
_APPLIED = (
    "earthsearch:boa_offset_applied",
    "sentinel:boa_offset_applied",
    "sentinel2:boa_offset_applied",
)
_NAME = re.compile(
    r"(S2[A-D])_MSI(L1C|L2A)_(\d{8}T\d{6})_N(\d\d)(\d\d)_R\d{3}_T(\d{2}[A-Z]{3})_(\d{8}T\d{6})"
)
_TILE_ID = re.compile(
    r"(S2[A-D])_\w+_(L1C|L2A)_TL_.{4}_(\d{8}T\d{6})_A\d{6}_T(\d{2}[A-Z]{3})_N(\d\d\.\d\d)"
)
_DATATAKE = timedelta(hours=2)  # a tile is sensed within half an hour of its start
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
    said = _Said(item["properties"], files.where(name))
    named = _NAME.search(said.first_text(_PRODUCT) or "")
    time = said.time("datetime")
    _require_named(said, named, time, str(item.get("id", "")))
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
        platform=_platform(said),
        baseline=_baseline(said, named),
        sensing_start=_parsed(begun, "the datatake", said.where) if begun else time,
        generation_time=_parsed(made, "s2:generation_time", said.where) if made else time,
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
    tile = _Said(tile_info[1] if tile_info else {}, files.where(tile_info[0]) if tile_info else "")
    product = _Said(product_info[1] if product_info else {}, where)
    title = tile.text("productName") or product.text("name") or ""
    named = _NAME.search(title)
    identified = _TILE_ID.search(_tile_id(xml[1])) if xml else None
    if named is None and identified is None:
        what = "names no product (TILE_ID, or productName of tileInfo.json)"
        raise ProductError(what, where=where, hint="fetch productInfo.json and tileInfo.json too")
    strip = facts.datastrip if facts else ""
    if not strip and isinstance(of_strip := tile.given.get("datastrip"), dict):
        found = _STRIP.search(str(of_strip.get("id", "")))
        strip = found[1] if found else ""
    time = facts.tile_time if facts else tile.time("timestamp")
    taken = _TAKE.match(product.text("datatakeIdentifier") or "")
    begun = named[3] if named else taken[1] if taken else strip
    start = _parsed(begun, "sensing start", where) if begun else time
    mgrs = named[6] if named else identified[4] if identified else ""
    baseline = f"{named[4]}.{named[5]}" if named else identified[5] if identified else None
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
        baseline=baseline,
        sensing_start=start,
        generation_time=_parsed(made, "generation time", where),
        tile=f"T{mgrs}",
        tile_time=time,
        datastrip=strip,
        cloud_fraction=None if cloud is None else _fraction(cloud, "cloudyPixelPercentage", where),
        data=None if data is None else geojson_polygon(data, tile.where),
        epsg=grid.epsg if grid else None,
        corner=(grid.ulx_m, grid.uly_m) if grid else _origin(tile),
        xml=facts,
    )


def _origin(tile: _Said) -> tuple[float, float] | None:
    """The upper left corner that a tileInfo.json gives."""
    given = tile.given.get("tileOrigin")
    place = given.get("coordinates") if isinstance(given, dict) else None
    if not isinstance(place, list) or len(place) < 2:
        return None
    x_m, y_m = (finite_number(one, "tileOrigin", tile.where) for one in place[:2])
    return x_m, y_m


class _Said:
    """Values of a JSON object by key, of the type they must have."""

    def __init__(self, given: Mapping[str, Any], where: str) -> None:
        self.given, self.where = given, where

    def text(self, key: str) -> str | None:
        value = self.given.get(key)
        if value is None or (isinstance(value, str) and value):
            return value
        raise ProductError(f"{key} is {value!r}, not a text", where=self.where)

    def first_text(self, keys: tuple[str, ...]) -> str | None:
        return next(filter(None, map(self.text, keys)), None)

    def first_flag(self, keys: tuple[str, ...]) -> bool | None:
        for key in keys:
            value = self.given.get(key)
            if isinstance(value, bool):
                return value
            if value is not None:
                raise ProductError(f"{key} is {value!r}, not true or false", where=self.where)
        return None

    def number(self, key: str) -> float | None:
        value = self.given.get(key)
        return None if value is None else finite_number(value, key, self.where)

    def time(self, key: str) -> datetime:
        text = self.text(key)
        if text is None:
            raise ProductError(f"{key} is missing", where=self.where)
        return _parsed(text, key, self.where)


def _fraction(percent: float, key: str, where: str) -> float:
    if not 0.0 <= percent <= 100.0:
        raise ProductError(f"{key} is {percent:g}, no percentage", where=where)
    return percent / 100.0


def _parsed(text: str, key: str, where: str) -> datetime:
    try:
        time = parse_utc(text)
    except InputError as error:
        raise ProductError(f"{key} is {text!r}, not a time", where=where) from error
    if time.year not in YEARS:
        raise ProductError(f"{key} is {text!r}, no time of a Sentinel", where=where)
    return time


def _safe_id(value: object, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][\w.\-]*", value):
        raise ProductError(f"id is {value!r}, no name of a product", where=where)
    return value


def _level(said: _Said, named: re.Match[str] | None, name: str) -> str:
    kind = said.text("s2:product_type") or said.text("product:type") or ""
    found = re.search(r"(?:S2MSI|_L)(1C|2A)$", kind) or re.search(r"_L(1C|2A)$", name)
    if found is None and named is None:
        raise ProductError("s2:product_type is missing, so the level is unknown", where=said.where)
    return f"L{found[1]}" if found else named[2] if named else ""


def _require_named(said: _Said, named: re.Match[str] | None, time: datetime, name: str) -> None:
    """ProductError where an item names another product than the one it describes."""
    if named is None:
        return
    own = _platform(said), _level(said, named, name), _tile(said, named)
    apart = abs(time - _parsed(named[3], _PRODUCT[0], said.where))
    if own != (named[1], named[2], f"T{named[6]}") or apart > _DATATAKE:
        what = f"names the product {named[0]}, and says itself {' '.join(own)}, {format_utc(time)}"
        raise ProductError(what, where=said.where, hint="fetch it again")


def _baseline(said: _Said, named: re.Match[str] | None) -> str | None:
    text = said.first_text(_BASELINE)
    if text is not None and re.fullmatch(r"\d\d\.\d\d", text):
        return text
    return f"{named[4]}.{named[5]}" if named else None


def _platform(said: _Said) -> str:
    text = said.text("platform") or ""
    found = re.fullmatch(r"(?:sentinel-2|s2)([a-d])", text.lower())
    if found is None:
        raise ProductError(f"platform is {text!r}, no Sentinel-2", where=said.where)
    return f"S2{found[1].upper()}"


def _tile(said: _Said, named: re.Match[str] | None) -> str:
    # Zones below 10 come with one digit (MGRS-1WCQ).
    found = re.fullmatch(r"MGRS-(\d{1,2})([A-Z]{3})", said.text("grid:code") or "")
    if found is not None:
        return f"T{int(found[1]):02d}{found[2]}"
    if named is not None:
        return f"T{named[6]}"
    for space in ("mgrs", "sentinel", "s2"):
        parts = [said.given.get(f"{space}:{one}") for one in ("utm_zone", "latitude_band")]
        square = said.given.get(f"{space}:grid_square")
        text = f"T{parts[0]:0>2}{parts[1]}{square}"
        if re.fullmatch(r"T\d{2}[A-Z]{3}", text):
            return text
    tile = (said.text("s2:mgrs_tile") or "").removeprefix("T")
    if not re.fullmatch(r"\d{2}[A-Z]{3}", tile):
        raise ProductError("grid:code is missing, so the tile is unknown", where=said.where)
    return f"T{tile}"


def _code(value: object) -> float | None:
    found = re.fullmatch(r"EPSG:(\d{4,6})", str(value))
    return float(found[1]) if found else None


def _footprint(geometry: object, where: str) -> Any:
    found = geojson_polygon(geometry, where)
    west, south, east, north = found.bounds
    if max(abs(south), abs(north)) > 90.0 or max(abs(west), abs(east)) > 360.0:
        raise ProductError("geometry has an impossible latitude", where=where)
    return found


def _tile_id(root: Element) -> str:
    general = root.require("General_Info")
    return next((one.text for one in general.children() if one.name == "TILE_ID"), "")


def _cloud_of_xml(root: Element) -> float | None:
    path = "Quality_Indicators_Info/Image_Content_QI/CLOUDY_PIXEL_PERCENTAGE"
    element = root.find(path)
    return None if element is None else element.as_number(path)
