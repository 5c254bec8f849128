"""A small picture of a Sentinel-2 product: decimated read, stretch over clear pixels, PNG."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import ProductError
from sensor2sensor.dataset.display import (
    GAMMA,
    LEAST_CLEAR_SHARE,
    PERCENTILES,
    clear_range,
    colour_bands,
    rgba,
)
from sensor2sensor.products.bands import S2_WAVELENGTHS_NM
from sensor2sensor.products.quality import Quality

if TYPE_CHECKING:
    from sensor2sensor.products.sentinel2 import S2Product

CLOUDS = Quality.S2_CLOUD | Quality.S2_CIRRUS
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
    """Three of the bands as red, green and blue, or the first alone where there are fewer."""
    shown = colour_bands(bands, [S2_WAVELENGTHS_NM[band] for band in bands], false_colour=True)
    return tuple(dict.fromkeys(bands[place] for place in shown))


def decimation(downsample: int, resolution_m: int) -> int:
    """Pixels of a band per pixel of the picture, at least 1: 20 means 20 at 10 m, 3 at 60 m."""
    return max(1, round(downsample * PIXEL_M / resolution_m))


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
    limits = clear_range(reflectance, (word & np.uint32(CLOUDS)) != 0)
    return rgba(reflectance, limits), limits


def render(
    product: S2Product, bands: Sequence[str], resolution_m: int, factor: int
) -> tuple[bytes, list[list[float]]]:
    """The picture of a product as PNG bytes, and the stretch used; arguments of `scene_picture`.

    Raises:
        ProductError: As `scene_picture`, or no pixel holds data.
    """
    image, limits = scene_picture(product, bands, resolution_m, factor)
    if not image[3].any():
        raise ProductError("no pixel holds data", where=product.name)
    return png(image), limits


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """PNG file of an image [4, H, W]."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    count, height, width = image.shape
    with warnings.catch_warnings(), MemoryFile() as memory:
        # A picture for the eye needs no coordinates.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        size = {"count": count, "height": height, "width": width}
        with memory.open(driver="PNG", dtype="uint8", **size) as target:
            target.write(image)
        return bytes(memory.read())
