"""Whether the digital numbers of a Sentinel-2 product look as its metadata say they are coded.

Since baseline 04.00 numbers are stored 1000 higher, and the metadata say so. Copies are in
circulation whose numbers were moved back while the metadata stayed, and others that were moved up:
both are read 0.1 too low or too high, and nothing else tells.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products import s2_images

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.geo.grids import Grid
    from sensor2sensor.products.sentinel2 import S2Product

# Below -0.02 there is next to nothing: 0.3 % at most of any band of a real product of level 2A.
# Of numbers that were moved back, all that is darker than 0.08 lies there.
_BELOW_ZERO, _MANY = 0.02, 0.05
# The dark twentieth of water, shadow and forest is below 0.04; of cloud or sand alone it is not,
# and then nothing can be told.
_DARK, _FEW = 0.04, 0.01
# Air alone makes them bright at the top of the atmosphere.
_HAZY = ("B01", "B02")
# Forest and fields in red, water and snow in the shortwave infrared.
_DARK_SOMEWHERE = ("B03", "B04", "B12", "B11")
_SEEN_PX = 700  # of a side: an overview of 1 in 16 of a tile at 10 m


def radiometric_notices(product: S2Product, read_at: Mapping[str, int]) -> tuple[str, ...]:
    """Lines on offsets that look applied already, or moved up, and on saturated pixels.

    Args:
        product: The product.
        read_at: The resolution each of the bands is read at.
    """
    seen = {band: _sampled(product, band, size) for band, size in read_at.items()}
    seen = {band: numbers for band, numbers in seen.items() if numbers.size}
    found = []
    if below := [band for band, numbers in seen.items() if _moved_back(product, band, numbers)]:
        found.append(
            f"{', '.join(below)}: more than {_MANY:.0%} of the pixels lie far below 0 with the"
            f" offset of the metadata, as if it had been applied already (baseline"
            f" {product.baseline}): is it as its provider published it?"
        )
    if moved_up(product, seen):
        found.append(
            f"no pixel is darker than 0.1, as if numbers had been moved up by 1000, which metadata"
            f" of baseline {product.baseline} do not say: is it as its provider published it?"
        )
    full = [band for band, numbers in seen.items() if (numbers >= product.saturated).any()]
    if full:
        found.append(f"saturated pixels in {', '.join(full)}: they are brighter than is stored")
    return tuple(found)


def dark_seen(product: S2Product) -> dict[str, npt.NDArray[np.int64]]:
    """Numbers of the bands in which something of most scenes is dark, as far as they are there."""
    seen = {}
    for band in _DARK_SOMEWHERE:
        sizes = [size for one, size in product.images if one == band]
        # What is asked of a product must not fail for a band that nobody asked for.
        with suppress(ProductError):
            seen.update({band: _sampled(product, band, max(sizes))} if sizes else {})
    return {band: numbers for band, numbers in seen.items() if numbers.size}


def _sampled(product: S2Product, band: str, resolution_m: int) -> npt.NDArray[np.int64]:
    member, grid = product.band_member(band, resolution_m), product.grids[resolution_m]
    return overview_of(product.files, member, grid, product.nodata)


def scene_of(files: ProductFiles, member: str, grid: Grid) -> npt.NDArray[Any]:
    """The whole scene [h, w], of an overview."""
    overview = 1
    while max(grid.shape) > _SEEN_PX * overview and overview < 16:
        overview *= 2
    return s2_images.read_window(files, member, grid, grid.full_window, overview=overview)


def overview_of(files: ProductFiles, member: str, grid: Grid, nodata: int) -> npt.NDArray[np.int64]:
    """Numbers of the whole scene, of an overview, away from where there are none."""
    from scipy import ndimage

    numbers = scene_of(files, member, grid)
    # Reduced images are low-pass: beside no data they are darker than anything there is.
    inner = ndimage.binary_erosion(numbers != nodata, iterations=2, border_value=1)
    return np.asarray(numbers[inner], np.int64)


def _moved_back(product: S2Product, band: str, numbers: npt.NDArray[np.int64]) -> bool:
    return far_below(numbers, product.offsets[band], product.quantification)


def far_below(numbers: npt.NDArray[np.int64], offset: float, quantification: float) -> bool:
    """Whether more numbers are far below zero with an offset than any sound scene has."""
    if offset >= 0 or not numbers.size:
        return False
    return bool((numbers < -offset - _BELOW_ZERO * quantification).mean() > _MANY)


def moved_up(product: S2Product, seen: Mapping[str, npt.NDArray[np.int64]]) -> bool:
    """Whether what is darkest lies just above 1000 in a product without offsets."""
    known = {band: numbers for band, numbers in seen.items() if band not in _HAZY}
    if not known or any(product.offsets[band] for band in known):
        return False
    unit = product.quantification
    dark = min(float(np.percentile(numbers, 5)) for numbers in known.values())
    below = max(float((numbers < 0.095 * unit).mean()) for numbers in known.values())
    return below < _FEW and dark < (0.1 + _DARK) * unit
