"""Sentinel-2 as the open buckets have it: files of one band each, with no SAFE around them.

Two forms are read from a local folder, or from an archive of one:

* per-band GeoTIFFs (COGs) with a STAC item: `B02.tif` … or `blue.tif` …, `SCL.tif`, `<id>.json`;
* per-band JPEG 2000 with `metadata.xml` (which is MTD_TL.xml), `tileInfo.json` or both, and
  `productInfo.json`: flat at level 1C, in `R10m`, `R20m`, `R60m` at 2A, masks in `qi`.

What they say is read in `s2_described`, how numbers become reflectance is decided in `s2_coding`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.containers import (
    BAND_IMAGE,
    OPEN_METADATA,
    TILE_INFO,
    is_metadata,
    is_open_product,
)
from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid
from sensor2sensor.products.bands import (
    S2_BANDS,
    S2_NATIVE_RESOLUTION_M,
    S2_PLATFORM_WAVELENGTHS_NM,
    S2_WAVELENGTHS_NM,
)
from sensor2sensor.products.reading import read_xml
from sensor2sensor.products.s2_assets import band_of
from sensor2sensor.products.s2_coding import as_made, radiometry, told
from sensor2sensor.products.s2_described import (
    Described,
    is_item,
    of_item,
    of_tile,
    read_json,
)
from sensor2sensor.products.s2_files import TILE_XML
from sensor2sensor.products.s2_identity import claims_of_tile
from sensor2sensor.products.s2_images import elsewhere, open_raster
from sensor2sensor.products.s2_metadata import LEVELS, renew
from sensor2sensor.products.s2_outline import NODATA, outline_in_degrees
from sensor2sensor.products.s2_radiometry import overview_of
from sensor2sensor.products.s2_tile import RESOLUTIONS_M, derived_grids

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.core.xml import Element

_PRODUCT_XML = re.compile(r"(?:product_metadata|MTD_MSIL(?:1C|2A))\.xml", re.IGNORECASE)
_MOST_JSONS = 8  # an item among a few others: a folder of hundreds is none of a product


@dataclass(frozen=True)
class _Papers:
    """The descriptions that lie with the images: name and content of each."""

    item: tuple[str, dict[str, Any]] | None = None
    tile_xml: tuple[str, Element] | None = None
    tile_info: tuple[str, dict[str, Any]] | None = None
    product_info: tuple[str, dict[str, Any]] | None = None
    product_xml: Element | None = None

    @property
    def suffice(self) -> bool:
        return any((self.item, self.tile_xml, self.tile_info))


def is_open_form(files: ProductFiles) -> bool:
    """Whether these files are a Sentinel-2 product of an open bucket."""
    # By what lies on top: below a folder of a few pictures there may be an archive.
    if not is_open_product(files.top()) or _is_safe(files):
        return False
    return _papers(files).suffice


def tiles_of_open(files: ProductFiles) -> set[str]:
    """The tile that is described there, whatever folder and files are called.

    Raises:
        ProductError: what describes it is damaged.
    """
    return {_described(files, _papers(files)).tile}


def _is_safe(files: ProductFiles) -> bool:
    """Whether a product of the ground segment is whole: what else lies in its folder is no more."""
    return any(map(is_metadata, files.top())) and any(map(TILE_XML.fullmatch, files.names()))


def open_fields(files: ProductFiles) -> dict[str, Any]:
    """What `sentinel2.S2Product` is made of, beside path and files.

    Raises:
        ProductError: it is damaged, or something that must be known is not said.
    """
    papers = _papers(files)
    described = _described(files, papers)
    # An item is of its COGs; what else describes a tile is of the ground segment's own images.
    members = _images(files, described, "tif" if papers.item else "jp2")
    grids, images = _placed(files, members, described)
    bands = {band: name for (band, _), name in images.items() if band in S2_BANDS}
    if not bands:
        hint = "a band is called B04.tif or red.tif, or as its item names it"
        raise ProductError("holds no spectral band", where=files.path, hint=hint)
    if papers.item is not None and as_made(bands):
        # Without a COG its item and the tile's own papers speak of the same images.
        beside = claims_of_tile(files, papers.tile_xml, papers.tile_info, papers.product_info)
        described = replace(described, claims=(*described.claims, *beside))
    numbers = partial(_numbers, files, grids, images)
    coded = radiometry(files, described, bands, papers.product_xml, numbers)
    told(files.path.name, coded.warnings)
    return {
        "name": described.name,
        "level": described.level,
        "platform": described.platform,
        "baseline": described.baseline or "unknown",
        "sensing_start": described.sensing_start,
        "generation_time": described.generation_time,
        "tile": described.tile,
        "cloud_fraction": described.cloud_fraction,
        "footprint": outline_in_degrees(files, described, grids, images),
        "quantification": coded.quantification,
        "offsets": coded.offsets,
        "wavelengths_nm": S2_PLATFORM_WAVELENGTHS_NM.get(described.platform, S2_WAVELENGTHS_NM),
        "nodata": NODATA,
        "saturated": coded.saturated(described.baseline),
        "images": images,
        "warnings": coded.warnings,
        "grids": grids,
        "masks": _masks(files, described),
        "tile_time": described.tile_time,
        "datastrip": described.datastrip,
        "metadata_files": (*described.sources, *coded.files),
        "layout": "COG" if papers.item else "tile",
        "listing": described.listed,
        "offset_source": coded.source,
    }


# A form is told by them, and the product then made of them: they are read once for both.
@lru_cache(maxsize=2)
def _papers(files: ProductFiles) -> _Papers:
    top = [name for name in files.names() if "/" not in name]
    by_case = {name.lower(): name for name in top}
    found: dict[str, Any] = {}
    for name in (one for one in OPEN_METADATA if one in by_case):
        root = read_xml(files, by_case[name])
        if root.name in ("Level-1C_Tile_ID", "Level-2A_Tile_ID"):
            found.setdefault("tile_xml", (by_case[name], root))
    jsons = [name for name in top if name.lower().endswith(".json")]
    if (info := by_case.get("productinfo.json")) is not None:
        found["product_info"] = (info, read_json(files, info))
    for name in (one for one in TILE_INFO if one in by_case):
        content = read_json(files, by_case[name])
        if "timestamp" in content and ("productName" in content or "tile_xml" in found):
            found.setdefault("tile_info", (by_case[name], content))
    others = [one for one in jsons if one.lower() not in (*TILE_INFO, "productinfo.json")]
    for name in others[:_MOST_JSONS]:
        maybe = _maybe_json(files, name)
        if maybe is not None and is_item(maybe):
            if "item" in found:
                what = f"holds two STAC items, {found['item'][0]} and {name}"
                raise ProductError(what, where=files.path, hint="keep one product in a folder")
            found["item"] = (name, maybe)
    xml = next((name for name in top if _PRODUCT_XML.fullmatch(name)), None)
    if xml is not None:
        root = read_xml(files, xml)
        renew(root)
        found["product_xml"] = root if root.name in LEVELS else None
    return _Papers(**found)


def _maybe_json(files: ProductFiles, name: str) -> dict[str, Any] | None:
    """What a JSON file says; None for one that is none, unless its name is the folder's own."""
    try:
        return read_json(files, name)
    except ProductError:
        if name.rpartition(".")[0].casefold() == files.path.name.casefold():
            raise
        return None


def _described(files: ProductFiles, papers: _Papers) -> Described:
    if papers.item is not None:
        return of_item(files, *papers.item)
    if papers.suffice:
        return of_tile(files, papers.tile_xml, papers.tile_info, papers.product_info)
    raise ProductError("has neither a STAC item nor a metadata.xml", where=files.path)


def _images(files: ProductFiles, described: Described, wanted: str) -> dict[tuple[str, int], str]:
    """The file of each band by the resolution it is named by, or has by nature.

    COGs and the JPEG 2000 they were made of may lie together, and their numbers differ: what is
    said of one kind is not true of the other. Of a band all images are of one kind.

    Args:
        files: the product's files.
        described: what says which file is which, where names do not.
        wanted: the kind of a band that comes as both, `tif` or `jp2`.
    """
    keys = {name: _by_name(name) or described.images.get(name) for name in files.names()}
    both = {key[0] for name, key in keys.items() if key and _kind(name) == wanted}
    found: dict[tuple[str, int], str] = {}
    for name, key in keys.items():
        if key is None or (key[0] in both and _kind(name) != wanted):
            continue
        if key in found:
            what = f"holds two images of {key[0]}, {found[key]} and {name}"
            raise ProductError(what, where=files.path, hint="keep one product in a folder")
        found[key] = name
    return found


def _by_name(name: str) -> tuple[str, int] | None:
    """Band and resolution of a file by its name; None where that may be of something else."""
    match = BAND_IMAGE.fullmatch(name)
    if match is None or match["other"]:
        return None
    band, said = band_of(match["band"]), match["folder"] or match["size"]
    return band, int(said) if said else S2_NATIVE_RESOLUTION_M.get(band, 20)


def _kind(name: str) -> str:
    return "jp2" if name.lower().endswith(".jp2") else "tif"


def _placed(
    files: ProductFiles, members: Mapping[tuple[str, int], str], described: Described
) -> tuple[dict[int, Grid], dict[tuple[str, int], str]]:
    """Grids by the resolution that images have, and the images by it.

    One image of each resolution is opened: a copy may be reduced, whatever its description says.
    """
    given = described.xml.grids if described.xml else {}
    grids: dict[int, Grid] = {}
    images: dict[tuple[str, int], str] = {}
    placed: dict[int, Grid] = {}
    for (band, nominal), name in sorted(members.items(), key=lambda one: (one[0][1], one[1])):
        if nominal not in placed:
            placed[nominal] = _grid(files, name, given.get(nominal), described.epsg)
        grid = placed[nominal]
        _require_same_ground(grid, next(iter(placed.values())), described, files.where(name))
        size = int(grid.resolution_m)
        grids.setdefault(size, grid)
        # Of bands that come at several sizes a reduced copy may hold the same one twice.
        images.setdefault((band, size), name)
    if set(grids) <= set(RESOLUTIONS_M):
        grids = derived_grids(grids)
    return dict(sorted(grids.items())), images


def _grid(files: ProductFiles, name: str, given: Grid | None, epsg: int | None) -> Grid:
    """Where an image lies, by itself or, where it does not say, by the tile's XML."""
    where = files.where(name)
    with open_raster(files, name) as source:
        shape, transform, crs = (source.height, source.width), source.transform, source.crs
    if crs is None:
        if given is not None and given.shape == shape:
            return given
        hint = "keep its .aux.xml beside it"
        raise ProductError("has no coordinates of its own", where=where, hint=hint)
    step, across, ulx, down, other, uly = transform[:6]
    code = crs.to_epsg()
    if code is None or across or down or step <= 0 or other != -step or step != round(step):
        raise ProductError("is on no north-up grid of whole metres", where=where)
    if epsg is not None and code != epsg:
        raise ProductError(f"is in EPSG:{code}, its metadata say EPSG:{epsg}", where=where)
    return Grid(code, ulx, uly, float(step), shape[1], shape[0])


def _require_same_ground(grid: Grid, first: Grid, described: Described, where: str) -> None:
    """ProductError where an image lies elsewhere than it is described, or than the other sizes."""
    x_m, y_m = described.corner or (first.ulx_m, first.uly_m)
    tile = replace(first, epsg=described.epsg or first.epsg, ulx_m=x_m, uly_m=y_m)
    at, its = grid.polygon().bounds, tile.polygon().bounds
    # A reduced copy ends where its pixels do.
    coarse_m = max(grid.resolution_m, first.resolution_m)
    far = max(abs(one - other) for one, other in zip(at, its, strict=True))
    if (grid.ulx_m, grid.uly_m) != (x_m, y_m) or far >= coarse_m or grid.epsg != tile.epsg:
        raise elsewhere(grid, tile, where)


def _masks(files: ProductFiles, described: Described) -> dict[str, str]:
    """The tile-wide masks that are there, by type: buckets keep them in `qi`, names shortened."""
    found = {}
    for kind, names in {
        "MSK_CLASSI": ("MSK_CLASSI_B00.jp2", "CLASSI_B00.jp2"),
        "MSK_CLOUDS": ("MSK_CLOUDS_B00.gml",),
    }.items():
        places = [f"{folder}{name}" for name in names for folder in ("qi/", "QI_DATA/", "")]
        there = next((place for place in places if files.exists(place)), None)
        if there is not None:
            found[kind] = there
    return found


def _numbers(
    files: ProductFiles, grids: Mapping[int, Grid], images: Mapping[tuple[str, int], str], band: str
) -> npt.NDArray[np.int64]:
    """Digital numbers of the whole scene in one band, of an overview."""
    size, name = min((size, name) for (one, size), name in images.items() if one == band)
    return overview_of(files, name, grids[size], NODATA)
