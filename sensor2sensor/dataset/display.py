"""How physical values become a picture: fixed ranges, fixed bands, one gamma for every picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

RGB_NM = (664.6, 559.8, 492.4)
RGB_NAMES = ("B04", "B03", "B02")
SAME_BAND_NM = 10.0  # Sentinel-2A, B and C differ by less than 2 nm, neighbouring bands by 40
# Snow and cloud set the upper end of a range; without a gamma, land and water are black below it.
# The pictures of scenes in steps 30 and 40 use it too.
GAMMA = 0.5
PHOTO_GAMMA = 1.0  # 8-bit photos hold what a screen is to show: a gamma is in their numbers already


@dataclass(frozen=True)
class View:
    """Which bands are shown as red, green and blue, and their fixed stretch.

    Attributes:
        bands: Three band numbers (three equal ones for a grey picture).
        low: Value shown black, for each of the three.
        high: Value shown white, for each of the three.
        label: The bands' names.
        gamma: Exponent of what is shown.
    """

    bands: tuple[int, int, int]
    low: Floats
    high: Floats
    label: str
    gamma: float = GAMMA

    def picture(self, values: npt.NDArray[np.floating]) -> Floats:
        """``[H, W, C]`` values -> ``[H, W, 3]`` in 0..1, with the gamma; NaN is shown black."""
        chosen = values[..., list(self.bands)]
        scaled = (chosen - self.low) / np.maximum(self.high - self.low, 1e-12)
        return np.asarray(np.clip(np.nan_to_num(scaled), 0.0, 1.0) ** self.gamma, np.float32)


def view(
    names: Sequence[str],
    wavelengths_nm: Sequence[float | None],
    ranges: npt.NDArray[np.floating],
    display: tuple[int, int, int] | None = None,
    *,
    photo: bool = False,
) -> View:
    """Choose bands for display: as declared, else by name, by wavelength, or the first ones.

    Args:
        names: Band names.
        wavelengths_nm: Their centres, where known.
        ranges: ``[C, 2]`` fixed value range of each band.
        display: Red, green and blue band, where the data set declares them.
        photo: Whether the values are those of 8-bit photos.
    """
    bands = display or colour_bands(names, wavelengths_nm)
    low, high = (np.asarray(ranges, np.float32)[list(bands), side] for side in (0, 1))
    shown = dict.fromkeys(names[band] for band in bands)
    return View(bands, low, high, ", ".join(shown), PHOTO_GAMMA if photo else GAMMA)


def colour_bands(
    names: Sequence[str], wavelengths_nm: Sequence[float | None]
) -> tuple[int, int, int]:
    """Bands shown as red, green, blue: by name, else nearest in wavelength, else the first."""
    if set(RGB_NAMES) <= set(names):
        red, green, blue = (list(names).index(name) for name in RGB_NAMES)
        return red, green, blue
    if len(names) < 3:
        return 0, 0, 0
    known = [(index, nm) for index, nm in enumerate(wavelengths_nm) if nm is not None]
    if len(known) < 3:
        return 0, 1, 2
    red, green, blue = (min(known, key=lambda k: abs(k[1] - wanted))[0] for wanted in RGB_NM)
    return red, green, blue


def sentinel2_colours(
    names: Sequence[str], wavelengths_nm: Sequence[float | None]
) -> tuple[str, str, str] | None:
    """B04, B03, B02 where all three are there, at Sentinel-2's wavelengths; None otherwise.

    The name alone is not enough: B04 is another colour on another sensor.
    """
    known = dict(zip(names, wavelengths_nm, strict=True))
    for name, expected in zip(RGB_NAMES, RGB_NM, strict=True):
        nm = known.get(name)
        if nm is None or abs(nm - expected) > SAME_BAND_NM:
            return None
    return RGB_NAMES
