"""Spectra of the ground materials and a plain atmosphere, at any wavelength.

Rounded textbook shapes: what matters is that both sensors are fed from the same curves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

MATERIALS = (
    "water", "turbid", "sand", "soil", "crop", "dry", "forest",
    "rock", "snow", "ice", "thin_ice", "cloud",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(MATERIALS)}

_NM = (400, 443, 490, 560, 620, 665, 705, 740, 783, 865, 945, 1020, 1375, 1610, 2190)
_CURVES = {
    "water": (22, 24, 22, 16, 8, 6, 5, 4, 4, 3, 2, 2, 0, 1, 1),
    "turbid": (50, 60, 75, 100, 85, 70, 60, 40, 35, 25, 10, 8, 0, 4, 3),
    "sand": (140, 170, 210, 270, 310, 330, 350, 360, 370, 390, 400, 420, 400, 470, 440),
    "soil": (60, 70, 85, 115, 150, 170, 190, 200, 220, 250, 270, 290, 300, 360, 330),
    "crop": (25, 28, 35, 80, 50, 40, 120, 330, 420, 460, 450, 460, 350, 240, 120),
    "dry": (80, 95, 120, 170, 220, 250, 280, 310, 340, 370, 380, 390, 360, 400, 320),
    "forest": (20, 22, 25, 42, 30, 24, 70, 190, 240, 270, 260, 270, 200, 130, 60),
    "rock": (100, 110, 125, 150, 170, 180, 190, 195, 200, 210, 215, 220, 220, 250, 240),
    "snow": (900, 920, 930, 920, 910, 900, 890, 880, 870, 840, 800, 700, 400, 120, 100),
    "ice": (740, 770, 780, 770, 740, 710, 680, 650, 620, 560, 480, 380, 200, 60, 50),
    "thin_ice": (200, 220, 230, 220, 190, 170, 150, 130, 120, 90, 60, 50, 20, 10, 10),
    "cloud": (760, 770, 770, 770, 765, 760, 755, 750, 745, 740, 720, 700, 250, 560, 450),
}
_ABSORPTION = (  # centre nm, half width nm, transmission at the centre (O3, O2-B, O2-A, H2O)
    (600.0, 60.0, 0.94), (687.0, 4.0, 0.80), (761.25, 2.0, 0.28), (764.4, 2.2, 0.55),
    (767.5, 2.0, 0.80), (905.0, 14.0, 0.75), (942.0, 22.0, 0.35), (1375.0, 25.0, 0.004),
)  # fmt: skip


def material_spectra(wavelengths_nm: NDArray) -> F32:
    """Return the reflectance of every material [materials, wavelengths]."""
    rows = [np.interp(wavelengths_nm, _NM, np.array(_CURVES[m]) / 1000.0) for m in MATERIALS]
    return np.array(rows, np.float32)


def path_reflectance(wavelengths_nm: NDArray) -> F32:
    """Return the molecular path reflectance: proportional to the wavelength to the power -4."""
    return (0.0075 * (865.0 / np.asarray(wavelengths_nm, float)) ** 4).astype(np.float32)


def transmission(wavelengths_nm: NDArray) -> F32:
    """Return the two-way transmission: what the path scatters is lost, gases absorb."""
    nm = np.asarray(wavelengths_nm, float)
    clear = 1.0 - 0.9 * path_reflectance(nm)
    for centre, half_width, depth in _ABSORPTION:
        clear = clear * (1.0 - (1.0 - depth) * np.exp(-(((nm - centre) / half_width) ** 2)))
    return clear.astype(np.float32)


def mix(weights: F32, wavelength_nm: float, *, top_of_atmosphere: bool) -> F32:
    """Return reflectance [...] of material weights [materials, ...] at one wavelength."""
    nm = np.array([wavelength_nm])
    surface = np.zeros(weights.shape[1:], np.float32)
    for value, layer in zip(material_spectra(nm)[:, 0], weights, strict=True):
        surface += value * layer  # in this order: no library may change the last bit
    if not top_of_atmosphere:
        return surface
    path, clear = path_reflectance(nm)[0], transmission(nm)[0]
    surface *= clear
    surface += path * clear / (1.0 - np.float32(0.9) * path)
    return surface
