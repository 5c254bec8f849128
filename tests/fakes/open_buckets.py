"""Sentinel-2 products as the open buckets have them, made of a generated SAFE."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np

Item = Literal["v0", "v1", "c1"]
COLOURS = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1",
    "B06": "rededge2", "B07": "rededge3", "B08": "nir", "B8A": "nir08", "B09": "nir09",
    "B10": "cirrus", "B11": "swir16", "B12": "swir22", "SCL": "scl",
}  # fmt: skip
_IMAGE = re.compile(r"_(B\d[\dA]|SCL)(?:_(10|20|60)m)?\.jp2$")
_NATIVE = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B01": 60, "B09": 60, "B10": 60}


def images_of(safe: Path) -> dict[tuple[str, int], Path]:
    """Image files of a SAFE by band and resolution."""
    found = {}
    for path in sorted(safe.glob("GRANULE/*/IMG_DATA/**/*.jp2")):
        if match := _IMAGE.search(path.name):
            found[match[1], int(match[2] or _NATIVE.get(match[1], 20))] = path
    return found


def as_cogs(
    safe: Path, folder: Path, *, form: Item = "v1", applied: bool | None = None,
    by_colour: bool = False, coding: bool = True, item: dict[str, Any] | None = None,
    scl: bool = True,
) -> Path:  # fmt: skip
    """Write per-band GeoTIFFs with a STAC item, each band at its own resolution; the folder.

    Args:
        safe: the product they are made of.
        folder: where the product's folder goes.
        form: words of the item: Earth Search v0, v1, or Collection 1.
        applied: what `boa_offset_applied` says, and is done; None leaves the flag out.
        by_colour: files are called `blue.tif`, not `B02.tif`.
        coding: the item has `raster:bands` (Earth Search v0 had none).
        item: properties to lay over those of the item; None in it takes one out.
        scl: write the scene classification.
    """
    import rasterio

    from sensor2sensor.products.sentinel2 import open_s2

    product = open_s2(safe)
    zone = f"{int(product.tile[1:3])}{product.tile[3:]}"
    day = f"{product.tile_time:%Y%m%d}"
    name = f"{product.platform}_{zone}_{day}_0_{product.level}"
    if form == "c1":
        name = f"{product.platform}_{product.tile}_{product.tile_time:%Y%m%dT%H%M%S}_L2A"
    target = folder / name
    target.mkdir(parents=True)
    native = {
        band: path
        for (band, size), path in images_of(safe).items()
        if size == (20 if band == "SCL" else _NATIVE.get(band, 20)) and (scl or band != "SCL")
    }
    assets: dict[str, Any] = {}
    for band, path in native.items():
        with rasterio.open(path) as source:
            numbers, profile = source.read(1), source.profile
        if applied and band != "SCL" and product.offsets[band]:
            moved = np.maximum(numbers.astype(np.int64) - 1000, 1)
            numbers = np.where(numbers == 0, 0, moved).astype(np.uint16)
        file = f"{COLOURS[band] if by_colour else band}.tif"
        profile = {key: profile[key] for key in ("dtype", "crs", "transform", "width", "height")}
        with rasterio.open(
            target / file, "w", driver="GTiff", count=1, nodata=0, compress="deflate",
            tiled=True, blockxsize=128, blockysize=128, **profile,
        ) as out:  # fmt: skip
            out.write(numbers, 1)
        transform = list(profile["transform"])[:6]
        asset: dict[str, Any] = {
            "href": f"https://example.org/{name}/{file}",
            "proj:shape": [profile["height"], profile["width"]],
            "proj:transform": transform,
        }
        if coding and band != "SCL" and form != "v0":
            # Earth Search v1 says the offset of the baseline, whether it was applied or not.
            offset = product.offsets[band] / 10_000.0
            asset["raster:bands"] = [{"nodata": 0, "scale": 0.0001, "offset": offset}]
        assets[band if form == "v0" else COLOURS[band]] = asset
    properties = {**_properties(product, form, applied), **(item or {})}
    content = {
        "type": "Feature", "stac_version": "1.0.0", "id": name,
        "properties": {key: one for key, one in properties.items() if one is not None},
        "geometry": _geojson(product.footprint), "links": [], "assets": assets,
    }  # fmt: skip
    (target / f"{name}.json").write_text(json.dumps(content))
    return target


def _properties(product: Any, form: Item, applied: bool | None) -> dict[str, Any]:
    common = {
        "datetime": product.tile_time.isoformat().replace("+00:00", "Z"),
        "platform": f"sentinel-2{product.platform[-1].lower()}",
        "eo:cloud_cover": round(100.0 * product.cloud_fraction, 6),
        "proj:epsg": product.grids[10].epsg,
    }
    if form == "v0":
        return {
            **common,
            "sentinel:product_id": product.name,
            "sentinel:utm_zone": int(product.tile[1:3]),
            "sentinel:latitude_band": product.tile[3],
            "sentinel:grid_square": product.tile[4:],
            "sentinel:processing_baseline": product.baseline,
            "sentinel:boa_offset_applied": applied,
        }
    return {
        **common,
        "grid:code": f"MGRS-{int(product.tile[1:3])}{product.tile[3:]}",
        "s2:product_type": f"S2MSI{product.level[1:]}",
        "s2:processing_baseline": product.baseline,
        "s2:product_uri": f"{product.name}.SAFE",
        "s2:generation_time": product.generation_time.isoformat(),
        "s2:datastrip_id": f"S2A_OPER_MSI_L2A_DS_2APS_X_S{product.datastrip}_N05.09",
        "earthsearch:boa_offset_applied": applied if form == "v1" else None,
    }


def _geojson(geometry: Any) -> dict[str, Any]:
    import shapely

    return dict(json.loads(shapely.to_geojson(geometry)))


def as_tile(
    safe: Path, folder: Path, *, xml: bool = True, jsons: bool = True, masks: bool = True
) -> Path:
    """Lay a product out as in `sentinel-s2-l1c` and `sentinel-s2-l2a`; the tile's folder.

    Args:
        safe: the product.
        folder: of the archive; the tile goes to `tiles/17/X/NA/2022/7/14/0` below it.
        xml: with `metadata.xml`.
        jsons: with `tileInfo.json` and `productInfo.json`.
        masks: with the masks in `qi`.
    """
    from sensor2sensor.geo.footprints import project
    from sensor2sensor.products.sentinel2 import open_s2

    product = open_s2(safe)
    grid, time = product.grids[10], product.tile_time
    place = f"tiles/{int(product.tile[1:3])}/{product.tile[3]}/{product.tile[4:]}"
    place += f"/{time.year}/{time.month}/{time.day}/0"
    target = folder / place
    for (band, size), path in images_of(safe).items():
        sub = f"R{size}m/" if product.level == "L2A" else ""
        (target / sub).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / sub / f"{band}.jp2")
    if xml:
        shutil.copy(next(safe.glob("GRANULE/*/MTD_TL.xml")), target / "metadata.xml")
    for path in sorted(safe.glob("GRANULE/*/QI_DATA/MSK_CL*")) if masks else ():
        (target / "qi").mkdir(exist_ok=True)
        name = path.name.removeprefix("MSK_") if path.suffix == ".jp2" else path.name
        shutil.copy(path, target / "qi" / name)
    if jsons:
        outline = project(product.footprint, f"EPSG:{grid.epsg}")
        crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG:8.8.1:{grid.epsg}"}}
        tile = {
            "path": place, "timestamp": time.isoformat().replace("+00:00", "Z"),
            "utmZone": int(product.tile[1:3]), "latitudeBand": product.tile[3],
            "gridSquare": product.tile[4:],
            "datastrip": {"id": f"S2A_OPER_MSI_L2A_DS_EPAE_X_S{product.datastrip}_N02.14"},
        }  # fmt: skip
        more = {
            "tileDataGeometry": {**_geojson(outline), "crs": crs},
            "cloudyPixelPercentage": round(100.0 * product.cloud_fraction, 2),
            "productName": product.name,
        }
        (target / "tileInfo.json").write_text(json.dumps({**tile, **more}))
        info = {"name": product.name, "tiles": [tile]}
        (target / "productInfo.json").write_text(json.dumps(info))
    return target
