"""Constants of the OLCI instrument as its products carry them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.fakes.noise import F32, rng
from tests.fakes.swath import DETECTORS

BANDS = tuple(f"Oa{i:02d}" for i in range(1, 22))
CENTRES_NM = (
    400, 412.5, 442.5, 490, 510, 560, 620, 665, 673.75, 681.25, 708.75, 753.75, 761.25, 764.375,
    767.5, 778.75, 865, 885, 900, 940, 1020,
)  # fmt: skip
WIDTHS_NM = (
    15, 10, 10, 10, 10, 10, 10, 10, 7.5, 7.5, 10, 7.5, 2.5, 3.75, 2.5, 15, 20, 10, 10, 20, 40,
)  # fmt: skip
SCALES = (
    0.013946459628641605, 0.013387260027229786, 0.012148120440542698, 0.011519820429384708,
    0.010095260106027126, 0.012353800237178802, 0.008791609667241573, 0.008765390142798424,
    0.009510300122201443, 0.007733779959380627, 0.006755230017006397, 0.007199599873274565,
    0.007496839854866266, 0.008651199750602245, 0.005267790053039789, 0.005302669946104288,
    0.004930039867758751, 0.0054996199905872345, 0.005028469953685999, 0.003263779915869236,
    0.0032411799766123295,
)  # fmt: skip
_SOLAR_FLUX = (
    1556, 1738, 1925, 1969, 1953, 1828, 1678, 1557, 1521, 1495, 1428, 1288, 1269, 1261, 1251, 1194,
    976, 947, 911, 841, 712,
)  # fmt: skip
UNCERTAINTY = tuple(
    (0.005472 + 0.0000155 * i, -0.193583 - 0.01996775 * i) for i in range(len(BANDS))
)

_COMMON = (
    "land", "coastline", "fresh_inland_water", "tidal_region", "bright", "straylight_risk",
    "invalid", "cosmetic", "duplicated", "sun-glint_risk", "dubious",
)  # fmt: skip


def flag_bits(collection: str) -> dict[str, int]:
    """Return the flags of a collection and their bits: 32 up to 002, 13 from 003 on."""
    if collection in ("001", "002"):
        names = (*_COMMON, *(f"saturated@{band}" for band in BANDS))
    else:
        names = (*_COMMON, "saturated", "partially_saturated")
    return {name: 31 - i for i, name in enumerate(names)}


def solar_flux(day: float) -> F32:
    """Return the in-band solar irradiance [21, 3700] in mW m-2 nm-1, for the Sun's distance."""
    factor = 1.0 / (1.0 - 0.01673 * np.cos(0.9856 * np.pi / 180.0 * (day - 4.0))) ** 2
    ripple = 1.0 + 0.004 * np.cumsum(rng(0, "flux").standard_normal((21, 5)), axis=1)
    detectors = np.arange(DETECTORS) / 740
    camera = np.minimum(detectors.astype(int), 4)
    level = np.array(_SOLAR_FLUX, float)[:, None] * ripple[:, camera]
    return (level * factor * (1.0 + 0.001 * (detectors % 1.0))).astype(np.float32)


def wavelengths() -> F32:
    """Return the central wavelength of every band and detector [21, 3700] in nm."""
    smile = 0.4 * (np.arange(DETECTORS) % 740 / 740.0 - 0.5) ** 2
    return (np.array(CENTRES_NM)[:, None] + smile[None, :]).astype(np.float32)


def bandwidths() -> F32:
    """Return the width of every band and detector [21, 3700] in nm."""
    return np.repeat(np.array(WIDTHS_NM, np.float32)[:, None], DETECTORS, axis=1)


PRESSURE_HPA: NDArray[np.float32] = np.array(
    [1000, 950, 925, 900, 850, 800, 700, 600, 500, 400, 300, 250, 200, 150, 100, 70, 50, 30, 20,
     10, 7, 5, 3, 2, 1], np.float32,
)  # fmt: skip
