"""The files that a STAC item lists: which band is which, how numbers are coded, their checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.bands import S2_BANDS, S2_NATIVE_RESOLUTION_M
from sensor2sensor.products.reading import Checksum, ListedFile, finite_number

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names of assets by what they show: Earth Search calls bands by colour, others as ESA does.
COLOURS = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05",
    "rededge2": "B06", "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09",
    "cirrus": "B10", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
_SIZE = re.compile(r"[_-](10|20|60)m$")
_MULTIHASH = {"1220": "SHA256", "d50110": "MD5"}  # code of the function and length, then the digest


@dataclass(frozen=True)
class Coding:
    """What an item says of the numbers of one file: value = number x scale + offset."""

    scale: float
    offset: float


def band_of(key: str) -> str:
    """The band or mask that an asset, or a file, is called by; itself where it is no colour."""
    plain = key.lower().removesuffix("-jp2")
    plain = _SIZE.sub("", plain)
    return COLOURS.get(plain, plain.upper())


def images(assets: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """Band and resolution by file name."""
    found: dict[str, tuple[str, int]] = {}
    for key, asset in assets.items():
        band, said = band_of(key), _SIZE.search(key.lower().removesuffix("-jp2"))
        if band in (*S2_BANDS, "SCL"):
            size = int(said[1]) if said else S2_NATIVE_RESOLUTION_M.get(band, 20)
            found.setdefault(_file_of(asset), (band, size))
    return found


def _file_of(asset: Mapping[str, Any]) -> str:
    return str(asset.get("href", "")).rpartition("/")[2]


def codings(assets: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, Coding]:
    """How numbers are coded by file name and by band and ending, like `B02.TIF`."""
    found: dict[str, Coding] = {}
    for key, asset in assets.items():
        given = _raster(asset)
        if "scale" not in given and "offset" not in given:
            continue
        scale = finite_number(given.get("scale", 1.0), f"assets.{key} scale", where)
        offset = finite_number(given.get("offset", 0.0), f"assets.{key} offset", where)
        if not scale > 0.0:
            raise ProductError(f"assets.{key} scale is {scale:g}, not positive", where=where)
        file = _file_of(asset)
        found[file] = Coding(scale, offset)
        found.setdefault(f"{band_of(key)}.{file.rpartition('.')[2].upper()}", found[file])
    return found


def _raster(asset: Mapping[str, Any]) -> dict[str, Any]:
    """Scale and offset of an asset, in the words of the raster extension 1 and 2."""
    for key in ("raster:bands", "bands"):
        bands = asset.get(key)
        if isinstance(bands, list) and len(bands) == 1 and isinstance(bands[0], dict):
            asset = {**asset, **bands[0]}
    words = {word: asset.get(f"raster:{word}", asset.get(word)) for word in ("scale", "offset")}
    return {word: value for word, value in words.items() if value is not None}


def corner(assets: Mapping[str, Mapping[str, Any]], where: str) -> tuple[float, float] | None:
    """Where the upper left corner of the tile lies (x, y in metres); None where none says it."""
    found: dict[tuple[float, float], str] = {}
    for key, asset in assets.items():
        given = asset.get("proj:transform")
        if band_of(key) not in (*S2_BANDS, "SCL") or not isinstance(given, list):
            continue
        numbers = [finite_number(one, f"assets.{key} proj:transform", where) for one in given]
        if len(numbers) not in (6, 9):
            what = f"assets.{key} proj:transform has {len(numbers)} numbers"
            raise ProductError(what, where=where)
        found.setdefault((numbers[2], numbers[5]), key)
    if len(found) > 1:
        what = f"proj:transform of {' and '.join(found.values())} are of different places"
        raise ProductError(what, where=where, hint="fetch it again")
    return next(iter(found), None)


def listed(assets: Mapping[str, Mapping[str, Any]]) -> tuple[ListedFile, ...]:
    """Sizes and checksums of the assets' files, as far as the file extension gives them."""
    found: dict[str, ListedFile] = {}
    names = [_file_of(one) for one in assets.values()]
    for name, asset in zip(names, assets.values(), strict=True):
        text, size = str(asset.get("file:checksum", "")).lower(), asset.get("file:size")
        start = next((one for one in _MULTIHASH if text.startswith(one)), None)
        checksum = Checksum(_MULTIHASH[start], text[len(start) :]) if start else None
        # Bands at several sizes share a name (`R10m/B04.jp2`, `R20m/B04.jp2`): neither is checked.
        if name and names.count(name) == 1 and (checksum is not None or isinstance(size, int)):
            found[name] = ListedFile(name, None if size is None else str(size), checksum)
    return tuple(found.values())
