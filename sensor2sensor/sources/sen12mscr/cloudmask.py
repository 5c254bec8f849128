"""The mask of clouds and shadows that DSen2-CR and its successors train and score with.

Rule: Meraner et al. 2020 (DSen2-CR); the variant ``uncrtaints`` is that of Ebel et al. 2023
(UnCRtainTS). It is kept as published, weaknesses included: the box is filled with zeros outside,
so borders lose cloud; scores far below 0 erase thin cloud beside them; the thresholds of shadow
follow from the patch, so that every patch with contrast has some. It depends on the window it sees
(crops disagree with the whole on up to a sixth of the pixels): call it once, on the whole patch.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import ConfigError, DatasetError
from sensor2sensor.core.names import suggestion

CLEAR: Final = 0
CLOUD: Final = 1
SHADOW: Final = 2
BANDS: Final = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
# Of B01 + B10, the only line in which the variants differ: it moves one patch from 56 to 2.5 %.
CIRRUS_LIMITS: Final = MappingProxyType({"dsen2cr": (0.15, 0.20), "uncrtaints": (0.4, 0.9)})

Floats = npt.NDArray[np.float64]
_INDEX: Final = {band: index for index, band in enumerate(BANDS)}
_EMPTY_DENOMINATOR: Final = 0.001
# A score that is the threshold in exact numbers can be a few roundings of float64 below it: of
# DN 1800 throughout (0.18 - 0.1) / 0.4 is 0.2, and comes out as 0.19999999999999996.
_ROUNDINGS: Final = 1e-12


def cloud_mask(
    dn: npt.NDArray[Any], *, variant: str = "dsen2cr", threshold: float = 0.2
) -> npt.NDArray[np.uint8]:
    """Where a patch is cloudy or in shadow; where both, it is cloudy.

    Args:
        dn: Digital numbers of level 1C (10,000 times the reflectance), whole and not clipped,
            ``[H, W, 13]`` in the order of :data:`BANDS`.
        variant: One of :data:`CIRRUS_LIMITS`.
        threshold: Score from which a pixel is cloud.

    Returns:
        :data:`CLEAR`, :data:`CLOUD` or :data:`SHADOW`, ``[H, W]``.

    Raises:
        ConfigError: There is no such variant.
        DatasetError: Other than 13 bands.
    """
    if dn.ndim != 3 or dn.shape[-1] != len(BANDS):
        raise DatasetError(
            f"the cloud mask needs the {len(BANDS)} bands of level 1C, found {dn.shape}",
            hint="compute it before bands are dropped: it reads B01 and B10",
        )
    values = dn.astype(np.float64)
    mask = np.where(_shadow(values), SHADOW, CLEAR)
    score = smoothed(cloud_score(values / 1e4, variant=variant))
    mask[score >= threshold - _ROUNDINGS] = CLOUD
    return mask.astype(np.uint8)


def cloud_score(reflectance: Floats, *, variant: str = "dsen2cr") -> Floats:
    """The least of what each test of brightness, cirrus and snow says: 1 is cloud, may be negative.

    Args:
        reflectance: ``[H, W, 13]`` at the top of the atmosphere.
        variant: One of :data:`CIRRUS_LIMITS`.

    Returns:
        ``[H, W]``, before any smoothing.

    Raises:
        ConfigError: There is no such variant.
    """
    if variant not in CIRRUS_LIMITS:
        raise ConfigError(
            f"no cloud mask is called {variant!r}", hint=suggestion(variant, CIRRUS_LIMITS)
        )
    aerosol, blue, green, red, cirrus, swir = (
        reflectance[..., _INDEX[band]] for band in ("B01", "B02", "B03", "B04", "B10", "B11")
    )
    total = green + swir
    snow = (green - swir) / np.where(total == 0, _EMPTY_DENOMINATOR, total)
    tests = [
        np.ones_like(blue),
        _rescaled(blue, 0.1, 0.5),
        _rescaled(aerosol, 0.1, 0.3),
        _rescaled(aerosol + cirrus, *CIRRUS_LIMITS[variant]),
        _rescaled(blue + green + red, 0.2, 0.8),
        _rescaled(snow, 0.8, 0.6),  # falls as the index of snow rises
    ]
    least: Floats = np.minimum.reduce(tests)
    return least


def smoothed(score: Floats) -> Floats:
    """Gaps of a score closed over 5 x 5 pixels, then its mean over 7 x 7, from 1e-5 to 1."""
    from scipy.ndimage import convolve, grey_closing

    closed = grey_closing(score, size=(5, 5), mode="reflect")
    sums = convolve(closed, np.ones((7, 7)), mode="constant", cval=0.0)
    clipped: Floats = np.clip(sums / 49, 1e-5, 1.0)
    return clipped


def _shadow(dn: Floats) -> npt.NDArray[np.bool_]:
    """Darker than the patch in blue and in the infrared, in most of 5 x 5 pixels."""
    from scipy.ndimage import median_filter

    # In digital numbers, whose sums are exact: a mean that is one rounding step above the value of
    # a constant patch would make all of it shadow.
    infrared = dn[..., _INDEX["B08"]] + dn[..., _INDEX["B11"]]
    blue = dn[..., _INDEX["B02"]]
    dark = (infrared < _above_least(infrared, 3 / 4)) & (blue < _above_least(blue, 5 / 6))
    found = median_filter(dark.astype(np.uint8), size=(5, 5), mode="constant", cval=0)
    return np.asarray(found > 0)


def _above_least(values: Floats, share: float) -> float:
    """The value at a share of the way from the least to the mean."""
    least = float(values.min())
    return least + share * (float(values.mean()) - least)


def _rescaled(values: Floats, zero: float, one: float) -> Floats:
    """Linear, 0 at ``zero`` and 1 at ``one``, not clipped."""
    return (values - zero) / (one - zero)
