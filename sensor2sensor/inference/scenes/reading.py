"""Windows of an image that may leave it, have gaps, or be asked for twice."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.scene import Image

Read = Callable[[PixelWindow], Image]

# What fills a missing pixel within the halo of a valid one lies no farther from it than that: up
# to sqrt(2) halos where these count along rows and columns. A frame so wide around what is read
# fills every such pixel as the whole image would.
FILL_HALOS = math.sqrt(2.0)


def mirrored(read: Read, window: PixelWindow, shape: tuple[int, int]) -> Image:
    """A window that may reach beyond the grid: there the image is mirrored at its outer pixels.

    Args:
        read: Reads ``[h, w]`` or ``[h, w, C]`` of a window within the grid.
        window: The window.
        shape: Rows and columns of the grid.
    """
    rows = _folded(window.y, window.height, shape[0])
    columns = _folded(window.x, window.width, shape[1])
    top, left = int(rows.min()), int(columns.min())
    part = PixelWindow(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
    image = read(part)
    if part == window:
        return image
    return image[np.ix_(rows - top, columns - left)]


def _folded(start: int, count: int, length: int) -> npt.NDArray[np.int64]:
    """Positions on a grid of a run that may leave it, as ``numpy.pad``'s ``reflect`` has them."""
    if length == 1:
        return np.zeros(count, np.int64)
    period = 2 * (length - 1)
    place = np.arange(start, start + count) % period
    return np.minimum(place, period - place)


def filled(image: Image) -> Image:
    """NaN of ``[h, w]`` or, band by band, ``[h, w, C]`` replaced by the nearest pixel with a value.

    0 where no pixel has one.
    """
    if image.ndim == 3:
        return np.stack([filled(image[..., band]) for band in range(image.shape[-1])], axis=-1)
    missing = np.isnan(image)
    if not missing.any():
        return image
    if missing.all():
        return np.zeros_like(image)
    from scipy import ndimage

    # At distance 0 for what is there: it stays itself.
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(image[tuple(nearest)])


def gapless(read: Read, window: PixelWindow, shape: tuple[int, int], halo_px: int) -> Image:
    """A window, mirrored beyond the grid and filled as the whole image would be.

    What fills a pixel within ``halo_px`` of a valid one does not depend on where the window ends.
    """
    more = math.ceil(FILL_HALOS * halo_px)

    def whole(part: PixelWindow) -> Image:
        image = read(part)
        if not np.isnan(image).any():
            return image
        wide = filled(mirrored(read, part.expanded(more), shape))
        return wide[more : more + part.height, more : more + part.width]

    return mirrored(whole, window, shape)


class Remembered:
    """A reader that hands out its last window again: what is valid is asked beside the values."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._last: tuple[PixelWindow, Image] | None = None

    def __call__(self, window: PixelWindow) -> Image:
        """As the reader it asks."""
        if self._last is not None:
            held, image = self._last
            inner = PixelWindow(window.x - held.x, window.y - held.y, window.width, window.height)
            if inner.inside(held.width, held.height):
                return image[inner.rows, inner.columns]
        image = self._read(window)
        self._last = window, image
        return image


def shrunk(window: PixelWindow, factor: int) -> PixelWindow:
    """A window in pixels of ``factor`` times the size, whose edges its own lie on."""
    sides = (window.x, window.y, window.width, window.height)
    return PixelWindow(*(side // factor for side in sides))


def grown(window: PixelWindow, factor: int) -> PixelWindow:
    """A window in pixels of a ``factor``-th of the size."""
    sides = (window.x, window.y, window.width, window.height)
    return PixelWindow(*(side * factor for side in sides))
