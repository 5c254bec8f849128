"""A small picture of a Sentinel-2 product: decimated read, stretch over clear pixels, PNG."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import ProductError
from sensor2sensor.dataset.display import GAMMA
from sensor2sensor.products.quality import Quality

if TYPE_CHECKING:
    from sensor2sensor.products.sentinel2 import S2Product

PERCENTILES = (2.0, 98.0)
# Below this span of reflectance a stretch would only show noise.
MIN_SPAN = 0.02
# Cloud reflects up to forty times what land does: a range that holds both shows the land black.
CLOUDS = Quality.S2_CLOUD | Quality.S2_CIRRUS
# Below this share of the valid pixels, what the mask leaves as clear is the rims, haze and shadows
# it missed, or the leads of ice it took for cloud: their range would show all the rest white.
LEAST_CLEAR_SHARE = 0.05
# All that makes equal pixels look alike; a picture made with another one is drawn anew.
STRETCH = {
    "percentiles": list(PERCENTILES),
    "gamma": GAMMA,
    "leaves_out": ["cloud", "cirrus"],
    "least_clear_share": LEAST_CLEAR_SHARE,
}
# DOWNSAMPLE counts pixels of this size, so a picture is as large at every resolution.
PIXEL_M = 10


def display_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """Three of the bands as red, green and blue, or the first alone where there are fewer.

    True colour where B04, B03 and B02 are among them; otherwise the first three, longest wavelength
    as red.
    """
    from sensor2sensor.products.sentinel2 import S2_WAVELENGTHS_NM

    if {"B04", "B03", "B02"} <= set(bands):
        return ("B04", "B03", "B02")
    if len(bands) < 3:
        return (bands[0],)
    return tuple(sorted(bands[:3], key=lambda band: -S2_WAVELENGTHS_NM[band]))


def decimation(downsample: int, resolution_m: int) -> int:
    """Pixels of a band per pixel of the picture, at least 1: 20 means 20 at 10 m, 3 at 60 m."""
    return max(1, round(downsample * PIXEL_M / resolution_m))


def stretch(
    reflectance: npt.NDArray[np.float32], cloudy: npt.NDArray[np.bool_] | None = None
) -> list[list[float]]:
    """The reflectance shown black and white, for each band.

    Args:
        reflectance: [H, W, B], NaN where there is no data.
        cloudy: [H, W], what the product's mask calls cloud or cirrus; None where it has no mask.

    Returns:
        [[low, high], …]: the 2nd and 98th percentile of the valid pixels that are not cloudy (of
        all valid ones where less than `LEAST_CLEAR_SHARE` of them are clear), at least `MIN_SPAN`
        apart, rounded to four decimals so that the manifest states exactly what was applied.
        [[0, 1], …] where no pixel is valid.
    """
    chosen = valid = np.isfinite(reflectance).all(axis=-1)
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


def picture(
    reflectance: npt.NDArray[np.float32], limits: Sequence[Sequence[float]]
) -> npt.NDArray[np.uint8]:
    """Red, green, blue and alpha [4, H, W]; pixels without data are transparent.

    Args:
        reflectance: [H, W, 3] or [H, W, 1] (shown grey), NaN where there is no data.
        limits: As `stretch` gives them.
    """
    valid = np.asarray(np.isfinite(reflectance).all(axis=-1))
    low, high = np.asarray(limits, np.float64).T
    scaled = (np.where(valid[..., None], reflectance, low) - low) / (high - low)
    shown = np.rint(255 * np.clip(scaled, 0, 1) ** GAMMA).astype(np.uint8)
    colours = np.broadcast_to(shown, (*valid.shape, 3))
    alpha = np.where(valid, 255, 0).astype(np.uint8)
    return np.concatenate([np.moveaxis(colours, -1, 0) * (alpha > 0), alpha[None]])


def scene_picture(
    product: S2Product, bands: Sequence[str], resolution_m: int, factor: int
) -> tuple[npt.NDArray[np.uint8], list[list[float]]]:
    """How every step shows a scene: red, green, blue and alpha [4, H, W], and the stretch used.

    Args:
        product: The product.
        bands: One or three, as `display_bands` gives them.
        resolution_m: The resolution they are read at.
        factor: Pixels of that grid per pixel of the picture; JPEG 2000 gives the nearest finer
            reduced resolution, which is then decimated.

    Raises:
        ProductError: A file is missing or damaged, the mask's too.
    """
    reflectance, _ = product.read_reflectance(bands, resolution_m, overview=factor)
    word = product.quality_overview(resolution_m, reflectance.shape[:2])
    limits = stretch(reflectance, (word & np.uint32(CLOUDS)) != 0)
    return picture(reflectance, limits), limits


def render(product: S2Product, bands: Sequence[str], resolution_m: int, factor: int) -> Any:
    """The picture of a product as PNG bytes, and the stretch used; arguments of `scene_picture`.

    Raises:
        ProductError: As `scene_picture`, or no pixel holds data.
    """
    rgba, limits = scene_picture(product, bands, resolution_m, factor)
    if not rgba[3].any():
        raise ProductError("no pixel holds data", where=product.name)
    return png(rgba), limits


def png(rgba: npt.NDArray[np.uint8]) -> bytes:
    """PNG file of an image [4, H, W]."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    count, height, width = rgba.shape
    with warnings.catch_warnings(), MemoryFile() as memory:
        # A picture for the eye needs no coordinates.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        size = {"count": count, "height": height, "width": width}
        with memory.open(driver="PNG", dtype="uint8", **size) as target:
            target.write(rgba)
        return bytes(memory.read())
