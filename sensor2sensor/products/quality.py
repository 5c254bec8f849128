"""The quality word: one documented set of bits for both sensors.

All bits lie below 2**24, so a float32 raster band holds the word exactly. A bit that a product
cannot give stays 0, which is no answer; the manifest of step 40 names the bits that were given.
"""

from __future__ import annotations

from enum import IntFlag
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt


class Quality(IntFlag):
    """Bits of the quality word of a pixel. `S2_*` speak of Sentinel-2, `OLCI_*` of Sentinel-3."""

    S2_NODATA = 1 << 0
    S2_SATURATED = 1 << 1
    S2_CLOUD = 1 << 2
    S2_SHADOW = 1 << 3
    S2_SNOW = 1 << 4
    S2_CIRRUS = 1 << 5
    S2_WATER = 1 << 6
    S2_DEFECTIVE = 1 << 7
    OLCI_NONE = 1 << 8
    OLCI_INVALID = 1 << 9
    OLCI_BRIGHT = 1 << 10
    OLCI_SATURATED = 1 << 11
    OLCI_DUPLICATED = 1 << 12
    OLCI_SUN_GLINT = 1 << 13
    OLCI_LAND = 1 << 14
    OLCI_COAST = 1 << 15
    OLCI_FRESH_WATER = 1 << 16
    OLCI_TIDAL = 1 << 17
    OLCI_STRAYLIGHT = 1 << 18
    OLCI_COSMETIC = 1 << 19
    OLCI_DUBIOUS = 1 << 20


CLOUD = Quality.S2_CLOUD | Quality.S2_CIRRUS  # what a limit on the share of cloud counts

# Scene classification of Level-2A. Dark area (2), vegetation (4), bare (5) and unclassified (7)
# say nothing about the use of a pixel.
SCL_CLASSES: Mapping[int, Quality] = {
    0: Quality.S2_NODATA,
    1: Quality.S2_DEFECTIVE,
    3: Quality.S2_SHADOW,
    6: Quality.S2_WATER,
    8: Quality.S2_CLOUD,
    9: Quality.S2_CLOUD,
    10: Quality.S2_CIRRUS,
    11: Quality.S2_SNOW,
}

# Bands of MSK_CLASSI_B00 in file order (baseline 04.00 on).
CLASSI_BANDS: tuple[Quality, ...] = (Quality.S2_CLOUD, Quality.S2_CIRRUS, Quality.S2_SNOW)

# Polygon types of MSK_CLOUDS_B00.gml (before 04.00).
CLOUD_MASK_TYPES: Mapping[str, Quality] = {
    "OPAQUE": Quality.S2_CLOUD,
    "CIRRUS": Quality.S2_CIRRUS,
}


def _together(bits: Iterable[Quality]) -> Quality:
    return reduce(or_, bits, Quality(0))


# What each source of a Sentinel-2 mask can say; the digital numbers give the two others.
GIVEN_BY: Mapping[str, Quality] = {
    "SCL": _together(SCL_CLASSES.values()),
    "MSK_CLASSI": _together(CLASSI_BANDS),
    "MSK_CLOUDS": _together(CLOUD_MASK_TYPES.values()),
    "none": Quality(0),
}
GIVEN_BY_NUMBERS = Quality.S2_NODATA | Quality.S2_SATURATED

# OLCI flag meanings; per-band `saturated@Oa01` ... and `partially_saturated` are matched in code.
OLCI_FLAGS: Mapping[str, Quality] = {
    "invalid": Quality.OLCI_INVALID,
    "bright": Quality.OLCI_BRIGHT,
    "duplicated": Quality.OLCI_DUPLICATED,
    "sun-glint_risk": Quality.OLCI_SUN_GLINT,
    "land": Quality.OLCI_LAND,
    "coastline": Quality.OLCI_COAST,
    "fresh_inland_water": Quality.OLCI_FRESH_WATER,
    "tidal_region": Quality.OLCI_TIDAL,
    "straylight_risk": Quality.OLCI_STRAYLIGHT,
    "cosmetic": Quality.OLCI_COSMETIC,
    "dubious": Quality.OLCI_DUBIOUS,
}


def from_scl(classes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Quality bits of scene classes, any shape."""
    table = np.zeros(256, np.uint32)
    for index, bits in SCL_CLASSES.items():
        table[index] = int(bits)
    return table[classes]


def from_classi(bands: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Quality bits [H, W] of the three planes [3, H, W] of MSK_CLASSI."""
    word = np.zeros(bands.shape[1:], np.uint32)
    for plane, bits in zip(bands, CLASSI_BANDS, strict=False):
        word |= np.where(plane > 0, np.uint32(bits), np.uint32(0))
    return word


def from_olci_flags(
    flags: npt.NDArray[np.uint32], masks: Mapping[str, int]
) -> npt.NDArray[np.uint32]:
    """Quality bits of OLCI flag words, any shape.

    Args:
        flags: flag words as stored.
        masks: the product's own flag masks by meaning (32 or 13 of them, by collection).
    """
    word = np.zeros(flags.shape, np.uint32)
    for name, mask in masks.items():
        bits = _olci_quality(name)
        if bits:
            word |= np.where(flags & np.uint32(mask), np.uint32(bits), np.uint32(0))
    return word


def given_by_olci(names: Iterable[str]) -> Quality:
    """The bits that flags of these meanings can give, and the one that needs none."""
    return _together([Quality.OLCI_NONE, *(Quality(_olci_quality(name)) for name in names)])


def _olci_quality(name: str) -> int:
    # SNAP renames "sun-glint_risk" and "saturated@Oa01" with underscores.
    plain = name.replace("sun_glint", "sun-glint")
    if plain.startswith(("saturated", "partially_saturated")):
        return int(Quality.OLCI_SATURATED)
    return int(OLCI_FLAGS.get(plain, Quality(0)))
