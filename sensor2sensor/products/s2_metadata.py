"""What the product XML of Sentinel-2 says (MTD_MSIL1C.xml, MTD_MSIL2A.xml), checked at the border.

Every element that is absent or senseless ends in a ProductError naming product, file and element.
The tile XML is read in `s2_tile`.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.archives import safe_name
from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.bands import (
    S2_BANDS,
    S2_NATIVE_RESOLUTION_M,
    S2_PLATFORM_WAVELENGTHS_NM,
    S2_WAVELENGTHS_NM,
)
from sensor2sensor.products.reading import footprint_from, product_name, time_at

if TYPE_CHECKING:
    from datetime import datetime

    from sensor2sensor.core.xml import Element

LEVELS = {"Level-1C_User_Product": "L1C", "Level-2A_User_Product": "L2A"}

# Processing baselines in circulation; the offsets came with 04.00.
KNOWN_BASELINES = frozenset(
    [f"02.{minor:02d}" for minor in range(16)]
    + ["03.00", "03.01", "04.00", "05.00", "05.09", "05.10", "05.11", "05.12"]
)
# In use since 25 January 2022, and in all that was processed anew since, of any sensing date.
FIRST_WITH_OFFSETS = "04.00"

_INFO = "General_Info/Product_Info"
_IMAGE = "General_Info/Product_Image_Characteristics"
_OFFSETS = {
    "L1C": f"{_IMAGE}/Radiometric_Offset_List/RADIO_ADD_OFFSET",
    "L2A": f"{_IMAGE}/BOA_ADD_OFFSET_VALUES_LIST/BOA_ADD_OFFSET",
}
_QUANTIFICATION = {
    "L1C": f"{_IMAGE}/QUANTIFICATION_VALUE",
    "L2A": f"{_IMAGE}/QUANTIFICATION_VALUES_LIST/BOA_QUANTIFICATION_VALUE",
}
# Level-2A before baseline 02.07 (sen2cor up to 2.5.5) marks its own elements `L2A_…` and `…_2A`,
# and sen2cor up to 2.3 lists images of `Granules` by their names alone.
_OLD_NAMES = {
    "L1C_L2A_Quantification_Values_List": "QUANTIFICATION_VALUES_LIST",
    "Granules": "Granule",
    "IMAGE_ID_2A": "IMAGE_FILE",
}
_FOOTPRINT = "Geometric_Info/Product_Footprint/Product_Footprint/Global_Footprint/EXT_POS_LIST"
_IMAGE_NAME = re.compile(r"_(B\d[\dA]|TCI|AOT|WVP|SCL)(?:_(10|20|60)m)?$")
# The same where the kind stands before the tile; and what else sen2cor lists beside bands.
_OLD_IMAGE_NAME = re.compile(r"_(AOT|WVP|SCL)_L2A_.*_(10|20|60)m$")
_NO_BAND = re.compile(r"_(?:CLD|SNW|DEM|VIS|DDV|PVI)(?:_L2A_.*)?(?:_\d\dm)?$")
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})(?:_|$)")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProductFacts:
    """Facts of the product XML; see `sentinel2.S2Product` for their meaning."""

    name: str
    level: str
    platform: str
    baseline: str
    sensing_start: datetime
    generation_time: datetime
    tile: str
    cloud_fraction: float | None
    footprint: Any
    quantification: float
    offsets: dict[str, float]
    wavelengths_nm: dict[str, float]
    nodata: int
    saturated: int
    images: dict[tuple[str, int], str]
    warnings: tuple[str, ...]


def product_facts(root: Element) -> ProductFacts:
    """Read the product XML."""
    renew(root)
    level = LEVELS.get(root.name)
    if level is None:
        raise ProductError(f"root element {root.name} is no Sentinel-2 product", where=root.where)
    name = product_name(root, f"{_INFO}/PRODUCT_URI", ".SAFE")
    baseline = stated_baseline(root)
    offsets, warnings = stated_offsets(root, level, baseline)
    return ProductFacts(
        name=name,
        level=level,
        platform=_platform(root),
        baseline=baseline,
        sensing_start=_sensing_start(root),
        generation_time=time_at(root, f"{_INFO}/GENERATION_TIME"),
        tile=_tile(root, name),
        cloud_fraction=_cloud_fraction(root),
        footprint=footprint_from(root.find_all(_FOOTPRINT), _FOOTPRINT, root.where),
        quantification=stated_quantification(root, level),
        offsets=offsets,
        wavelengths_nm=_wavelengths(root),
        nodata=_special(root, "NODATA", 0),
        saturated=_special(root, "SATURATED", 65535),
        images=_images(root),
        warnings=warnings,
    )


def renew(root: Element) -> None:
    """Give old element names the form they have had since; in place."""
    for node in root.node.iter():
        space, brace, local = str(node.tag).rpartition("}")
        plain = _OLD_NAMES.get(local, local).removeprefix("L2A_").removesuffix("_2A")
        if plain != local:
            node.tag = space + brace + plain


def stated_baseline(root: Element) -> str:
    """The processing baseline, like `04.00`."""
    text = root.string(f"{_INFO}/PROCESSING_BASELINE")
    if not re.fullmatch(r"\d\d\.\d\d", text):
        raise ProductError(
            f"element {_INFO}/PROCESSING_BASELINE is {text!r}, not like 04.00", where=root.where
        )
    return text


def _platform(root: Element) -> str:
    path = f"{_INFO}/Datatake/SPACECRAFT_NAME"
    text = root.string(path)
    match = re.fullmatch(r"Sentinel-2([A-D])", text)
    if match is None:
        raise ProductError(f"element {path} is {text!r}, no Sentinel-2", where=root.where)
    return f"S2{match[1]}"


def _sensing_start(root: Element) -> datetime:
    datatake = f"{_INFO}/Datatake/DATATAKE_SENSING_START"
    path = datatake if root.find(datatake) is not None else f"{_INFO}/PRODUCT_START_TIME"
    return time_at(root, path)


def _granule(root: Element) -> Element:
    path = f"{_INFO}/Product_Organisation/Granule_List/Granule"
    granules = root.find_all(path)
    if len(granules) != 1:
        raise ProductError(
            f"element {path} occurs {len(granules)} times, expected once",
            where=root.where,
            hint="products of several granules (before December 2016) are not supported",
        )
    return granules[0]


def _tile(root: Element, name: str) -> str:
    identifier = _granule(root).attributes.get("granuleIdentifier", "")
    match = _TILE.search(identifier) or _TILE.search(name)
    if match is None:
        raise ProductError("attribute granuleIdentifier names no tile", where=root.where)
    return f"T{match[1]}"


def _cloud_fraction(root: Element) -> float | None:
    path = "Quality_Indicators_Info/Cloud_Coverage_Assessment"
    element = root.find(path)
    # Stated in per cent.
    return None if element is None else element.as_number(path) / 100.0


def stated_quantification(root: Element, level: str) -> float:
    """Digital numbers per unit reflectance."""
    path = _QUANTIFICATION[level]
    value = root.number(path)
    if value <= 0.0:
        raise ProductError(f"element {path} is {value}, not positive", where=root.where)
    return value


def _special(root: Element, kind: str, standard: int) -> int:
    # Where the list lacks one, the format's own standard holds.
    for element in root.find_all(f"{_IMAGE}/Special_Values"):
        if element.string("SPECIAL_VALUE_TEXT") == kind:
            return element.integer("SPECIAL_VALUE_INDEX")
    return standard


def stated_offsets(
    root: Element, level: str, baseline: str
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Offsets in digital numbers by band, 0 where a baseline has none, and what is unusual."""
    path = _OFFSETS[level]
    found = {_band(element, path): element.as_number(path) for element in root.find_all(path)}
    absent = [band for band in S2_BANDS if band not in found]
    warnings: tuple[str, ...] = ()
    # The baseline tells whether there must be offsets, their values are the product's: the sensing
    # date tells neither, for a reprocessed product of 2016 has them.
    if baseline not in KNOWN_BASELINES:
        values = ", ".join(f"{band} {value:g}" for band, value in found.items()) or "none"
        warnings = (f"unknown processing baseline {baseline}; offsets found: {values}",)
        _LOG.warning("%s: %s", root.where, warnings[0])
    elif baseline >= FIRST_WITH_OFFSETS and absent:
        raise ProductError(
            f"element {path} is missing for {', '.join(absent)} (baseline {baseline} has offsets)",
            where=root.where,
        )
    without: dict[str, float] = dict.fromkeys(S2_BANDS, 0.0)
    return without | found, warnings


def _wavelengths(root: Element) -> dict[str, float]:
    """Central wavelengths in nm, the product's own where it has them, else its satellite's."""
    path = f"{_IMAGE}/Spectral_Information_List/Spectral_Information"
    own = {
        _band(element, path, "bandId"): element.number("Wavelength/CENTRAL")
        for element in root.find_all(path)
        if element.find("Wavelength/CENTRAL") is not None
    }
    for band, value in own.items():
        if not 300.0 < value < 3000.0:
            what = f"element {path}/Wavelength/CENTRAL is {value:g} for {band}, not in nm"
            raise ProductError(what, where=root.where)
    # By satellite: B12 of 2A and of 2B are 17 nm apart.
    return S2_PLATFORM_WAVELENGTHS_NM.get(_platform(root), S2_WAVELENGTHS_NM) | own


def _band(element: Element, path: str, attribute: str = "band_id") -> str:
    text = element.attributes.get(attribute, "")
    if not (text.isascii() and text.isdigit() and int(text) < len(S2_BANDS)):
        raise ProductError(
            f"element {path} has {attribute} {text!r}, not 0..12", where=element.where
        )
    return S2_BANDS[int(text)]


def _images(root: Element) -> dict[tuple[str, int], str]:
    granule = _granule(root)
    suffix = ".jp2" if granule.attributes.get("imageFormat", "JPEG2000") == "JPEG2000" else ".tif"
    images = {}
    for element in granule.find_all("IMAGE_FILE"):
        match = _IMAGE_NAME.search(element.text) or _OLD_IMAGE_NAME.search(element.text)
        if match is None and _NO_BAND.search(element.text):
            continue
        if match is None:
            raise ProductError(f"element IMAGE_FILE is {element.text!r}", where=root.where)
        # Level-1C has each band at its own resolution and does not say it; its TCI has 10 m.
        resolution_m = int(match[2]) if match[2] else S2_NATIVE_RESOLUTION_M.get(match[1], 10)
        images[match[1], resolution_m] = safe_name(element.text, root.where) + suffix
    if not images:
        raise ProductError("element Granule lists no IMAGE_FILE", where=root.where)
    return images
