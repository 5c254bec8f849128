"""How physical values become a picture: one choice of bands, one stretch and one gamma for all.

Scenes (step 30 and the overlays of step 40) are stretched to their own clear pixels, for one looks
at them one by one; tiles (sample sheets, galleries) by the fixed range of each band, so that their
pictures compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sensor2sensor.dataset.bands import BandSpec

Floats = npt.NDArray[np.float32]

RGB_NM = (664.6, 559.8, 492.4)
RGB_NAMES = ("B04", "B03", "B02")
SAME_BAND_NM = 10.0  # Sentinel-2A, B and C differ by less than 2 nm, neighbouring bands by 40
# Snow and cloud set the upper end of a range; without a gamma, land and water are black below it.
GAMMA = 0.5
PHOTO_GAMMA = 1.0  # 8-bit photos hold what a screen is to show: a gamma is in their numbers already
# A scene from its 2nd to its 98th percentile, and at least this span of reflectance: below it, a
# stretch would only show noise.
PERCENTILES = (2.0, 98.0)
MIN_SPAN = 0.02
# Below this share of the valid pixels, what the mask leaves as clear is the rims, haze and shadows
# it missed, or the leads of ice it took for cloud: their range would show all the rest white.
LEAST_CLEAR_SHARE = 0.05


def brightness(
    values: npt.NDArray[np.floating],
    low: npt.NDArray[Any],
    high: npt.NDArray[Any],
    *,
    gamma: float = GAMMA,
) -> npt.NDArray[np.floating]:
    """Values ``[..., C]`` from 0 (black, at ``low``) to 1 (white, at ``high``); NaN is black."""
    scaled = (values - low) / np.maximum(high - low, 1e-12)
    lifted: npt.NDArray[np.floating] = np.clip(np.nan_to_num(scaled), 0.0, 1.0) ** gamma
    return lifted


def clear_range(
    reflectance: npt.NDArray[np.float32], cloudy: npt.NDArray[np.bool_] | None = None
) -> list[list[float]]:
    """The reflectance of a scene that is shown black and white, for each band.

    Args:
        reflectance: ``[H, W, B]``, NaN where there is no data.
        cloudy: ``[H, W]``, what the product's mask calls cloud or cirrus; None without a mask.

    Returns:
        ``[[low, high], …]``: the 2nd and 98th percentile of the valid pixels that are not cloudy
        (of all valid ones where less than ``LEAST_CLEAR_SHARE`` of them are clear), at least
        ``MIN_SPAN`` apart, rounded to four decimals so that the manifest states exactly what was
        applied. ``[[0, 1], …]`` where no pixel is valid.
    """
    chosen = valid = np.isfinite(reflectance).all(axis=-1)
    # Cloud reflects up to forty times what land does: a range that holds both shows the land black.
    if cloudy is not None and (valid & ~cloudy).sum() >= LEAST_CLEAR_SHARE * valid.sum():
        chosen = valid & ~cloudy
    if not chosen.any():
        return [[0.0, 1.0]] * reflectance.shape[-1]
    limits = []
    for band in np.moveaxis(reflectance, -1, 0):
        low, high = np.percentile(band[chosen], PERCENTILES)
        widen = max(0.0, MIN_SPAN - (high - low)) / 2
        limits.append([round(float(low - widen), 4), round(float(high + widen), 4)])
    return limits


def rgba(
    reflectance: npt.NDArray[np.float32], limits: Sequence[Sequence[float]], gamma: float = GAMMA
) -> npt.NDArray[np.uint8]:
    """Red, green, blue and alpha ``[4, H, W]`` of a scene; pixels without data are transparent.

    Args:
        reflectance: ``[H, W, 3]`` or ``[H, W, 1]`` (shown grey), NaN where there is no data.
        limits: As `clear_range` gives them.
        gamma: Exponent of what is shown.
    """
    valid = np.asarray(np.isfinite(reflectance).all(axis=-1))
    low, high = np.asarray(limits, np.float64).T
    shown = np.rint(255 * brightness(reflectance, low, high, gamma=gamma)).astype(np.uint8)
    colours = np.broadcast_to(shown, (*valid.shape, 3))
    alpha = np.where(valid, 255, 0).astype(np.uint8)
    return np.concatenate([np.moveaxis(colours, -1, 0) * (alpha > 0), alpha[None]])


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
        shown = brightness(chosen, self.low, self.high, gamma=self.gamma)
        return np.asarray(shown, np.float32)


def view(
    bands: Sequence[BandSpec],
    ranges: npt.NDArray[np.floating],
    display: tuple[int, int, int] | None = None,
    *,
    photo: bool = False,
) -> View:
    """How tiles with these bands are shown.

    Args:
        bands: The bands of one side of a data set.
        ranges: ``[C, 2]`` fixed value range of each.
        display: Red, green and blue band, where the data set declares them.
        photo: Whether the values are those of 8-bit photos.
    """
    names = [band.name for band in bands]
    shown = display or colour_bands(names, [band.wavelength_nm for band in bands])
    low, high = (np.asarray(ranges, np.float32)[list(shown), side] for side in (0, 1))
    label = ", ".join(dict.fromkeys(names[band] for band in shown))
    return View(shown, low, high, label, PHOTO_GAMMA if photo else GAMMA)


def colour_bands(
    names: Sequence[str], wavelengths_nm: Sequence[float | None], *, false_colour: bool = False
) -> tuple[int, int, int]:
    """The bands shown as red, green and blue; three times the first where there are fewer than 3.

    True colour where B04, B03 and B02 are among them, by name. Otherwise those nearest in
    wavelength to red, green and blue, or with ``false_colour`` the first three, the longest
    wavelength as red (for a scene every band that was asked for is worth seeing); the first three
    as they are where wavelengths are not known.
    """
    if set(RGB_NAMES) <= set(names):
        red, green, blue = (list(names).index(name) for name in RGB_NAMES)
        return red, green, blue
    if len(names) < 3:
        return 0, 0, 0
    known = [(index, nm) for index, nm in enumerate(wavelengths_nm) if nm is not None]
    if len(known) < 3:
        return 0, 1, 2
    if false_colour:
        red, green, blue = (index for index, _ in sorted(known[:3], key=lambda k: -k[1]))
    else:
        red, green, blue = (min(known, key=lambda k: abs(k[1] - nm))[0] for nm in RGB_NM)
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
