"""Sentinel-2 level 2A as Theia distributes it: what MAJA writes, a GeoTIFF for each band.

A product is a folder or zip ``SENTINEL2B_20190531-105916-927_L2A_T31TDH_C_V2-2`` with its metadata
``…_MTD_ALL.xml`` and ``…_FRE_B2.tif`` to ``…_FRE_B12.tif``: surface reflectance x 10000 in int16,
-10000 where there is none, negative values kept. ``FRE`` is corrected for slopes; ``SRE`` is not
and is never taken in its place, since no model has seen it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.archives import ProductFiles, open_files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.products.reading import naming_damage, read_xml
from sensor2sensor.products.s2_images import open_raster

BANDS_10M = ("B2", "B3", "B4", "B8")
BANDS_20M = ("B5", "B6", "B7", "B8A", "B11", "B12")
QUANTIFICATION, NODATA = 10000.0, -10000.0
_METADATA = re.compile(r"(?:.*/)?([^/]+)_MTD_ALL\.xml", re.IGNORECASE)
_IMAGE = re.compile(r"(?:.*/)?([^/]+)_(FRE|SRE)_(B\d{1,2}A?)\.tif", re.IGNORECASE)


@dataclass(frozen=True)
class TheiaProduct:
    """One product; its pixels are read window by window.

    Attributes:
        files: Its files.
        name: As its metadata file has it.
        members: The FRE image of each band that is there, by Theia's names (``B2``, ``B8A``).
        quantification: Digital numbers of reflectance 1.
        nodata: The digital number that stands for no value.
    """

    files: ProductFiles
    name: str
    members: Mapping[str, str]
    quantification: float
    nodata: float

    def grid(self, band: str) -> Grid:
        """Where a band lies.

        Raises:
            ProductError: It is not there, damaged, or on no north-up grid of square pixels.
        """
        member = self._member(band)
        with open_raster(self.files, member) as source:
            step, across, ulx, down, other, uly = source.transform[:6]
            epsg = source.crs.to_epsg() if source.crs else None
            if epsg is None or across or down or step <= 0 or other != -step:
                what = "is on no north-up grid of square pixels with an EPSG code"
                raise ProductError(what, where=self.files.where(member))
            return Grid(epsg, ulx, uly, step, source.width, source.height)

    def read(self, band: str, window: PixelWindow) -> npt.NDArray[np.float32]:
        """Reflectance x 10000 ``[h, w]`` of a window within the band's grid; NaN: no value."""
        from rasterio.windows import Window

        member = self._member(band)
        place = Window(window.x, window.y, window.width, window.height)
        with open_raster(self.files, member) as source, naming_damage(self.files, member):
            stored = source.read(1, window=place)
        values = np.asarray(stored, np.float32)
        if self.quantification != QUANTIFICATION:
            values = values * np.float32(QUANTIFICATION / self.quantification)
        values[stored == self.nodata] = np.nan
        return values

    def _member(self, band: str) -> str:
        if band not in self.members:
            there = ", ".join(self.members) or "none"
            raise ProductError(f"has no FRE image of {band} (there: {there})", where=self.name)
        return self.members[band]


def open_theia(path: Path) -> TheiaProduct:
    """Open a product that is a folder or a zip; nothing is unpacked.

    Raises:
        ProductError: It is none of Theia's level 2A; an ESA product is called by its name.
    """
    files = open_files(path)
    found = [match for name in files.names() if (match := _METADATA.fullmatch(name))]
    if len(found) != 1:
        raise _no_product(files, len(found))
    images: dict[str, dict[str, str]] = {"FRE": {}, "SRE": {}}
    for name in files.names():
        if match := _IMAGE.fullmatch(name):
            kind, band = match[2].upper(), match[3].upper()
            if kind == "FRE":
                _refuse_second(files, found[0][1], name, match[1], images[kind].get(band))
            images[kind][band] = name
    if not images["FRE"]:
        more = "; its SRE images are not corrected for slopes" if images["SRE"] else ""
        raise ProductError(f"has no FRE images{more}", where=path, hint="fetch the whole product")
    known = {band: images["FRE"][band] for band in BANDS_10M + BANDS_20M if band in images["FRE"]}
    return TheiaProduct(files, found[0][1], known, *_coding(files, found[0][0]))


def _refuse_second(
    files: ProductFiles, product: str, image: str, owner: str, taken: str | None
) -> None:
    """Refuse an image of another product, or a band that is there twice: either could be meant."""
    if owner.upper() != product.upper():
        what = f"holds images of {owner} beside the metadata of {product}"
    elif taken is not None:
        what = f"holds two images of one band, {taken} and {image}"
    else:
        return
    raise ProductError(what, where=files.path, hint="keep one product in a folder")


def _no_product(files: ProductFiles, count: int) -> ProductError:
    if count:
        return ProductError(f"holds {count} files *_MTD_ALL.xml, not one", where=files.path)
    if any("MTD_MSIL" in name for name in files.names()):
        hint = "a level 2A product of Theia is needed (MAJA, *_MTD_ALL.xml)"
        return ProductError("is a product of ESA's format (SAFE)", where=files.path, hint=hint)
    hint = "name the folder or zip that holds *_MTD_ALL.xml and *_FRE_B2.tif"
    return ProductError("is no level 2A product of Theia", where=files.path, hint=hint)


def _coding(files: ProductFiles, metadata: str) -> tuple[float, float]:
    """Quantification and nodata as the metadata have them; as documented where they are silent."""
    root: Any = read_xml(files, metadata)
    scales = [one.as_number() for one in root.descendants("REFLECTANCE_QUANTIFICATION_VALUE")]
    if any(scale <= 0 for scale in scales):
        raise ProductError("a reflectance is divided by 0 or less", where=files.where(metadata))
    special = [
        one.as_number()
        for one in root.descendants("SPECIAL_VALUE")
        if one.attributes.get("name") == "nodata"
    ]
    return (scales or [QUANTIFICATION])[0], (special or [NODATA])[0]
