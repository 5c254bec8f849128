"""Windows that cover a grid, and images read beyond its edge: mirrored, and filled where empty."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.reading import FILL_HALOS, Read, filled, mirrored

Image = npt.NDArray[np.float32]
Missing = npt.NDArray[np.bool_]
__all__ = [
    "FILL_HALOS",
    "TAPS",
    "Image",
    "Missing",
    "Read",
    "cores",
    "enlarged",
    "filled",
    "mirrored",
]

# Keys (1981) with a = -0.5, as GDAL's "cubic" and TensorFlow have it: a quarter pixel to one side.
_A, TAPS = -0.5, 2


def cores(height: int, width: int, side: int) -> Iterator[PixelWindow]:
    """Windows of ``side`` pixels, row by row, without overlap; the last ones are smaller."""
    for y in range(0, height, side):
        for x in range(0, width, side):
            yield PixelWindow(x, y, min(side, width - x), min(side, height - y))


def enlarged(read: Read, window: PixelWindow, shape: tuple[int, int]) -> Image:
    """A window of the twofold enlargement of a band, bicubically; NaN must be filled.

    The public tool gives a model its 20 m bands so, by way of GDAL.

    Args:
        read: Reads ``[h, w]`` of a window of the band's own grid.
        window: On the grid of half the pixel.
        shape: Rows and columns of the band's own grid.
    """
    top, left = window.y // 2, window.x // 2
    bottom, right = -(-(window.y + window.height) // 2), -(-(window.x + window.width) // 2)
    own = PixelWindow(left, top, right - left, bottom - top).expanded(TAPS)
    twice = _twice(_twice(mirrored(read, own, shape), 0), 1)
    y, x = window.y - 2 * top, window.x - 2 * left
    return np.asarray(twice[y : y + window.height, x : x + window.width])


def _twice(image: Image, axis: int) -> Image:
    """Twice as many pixels along an axis, without the ``TAPS`` outer ones."""
    count = image.shape[axis] - 2 * TAPS
    near = [_cubic(abs(tap - 0.25)) for tap in range(-2, 3)]  # weights of k-2 … k+2 at k + 1/4
    phases = []
    for weights in (near[::-1], near):  # at k - 1/4, at k + 1/4
        terms = [
            np.float32(weight) * np.take(image, range(tap, tap + count), axis)
            for tap, weight in enumerate(weights)
        ]
        phases.append(np.sum(terms, axis=0, dtype=np.float32))
    paired = np.stack(phases, axis=axis + 1)
    sides = [*image.shape]
    sides[axis] = 2 * count
    return paired.reshape(sides)


def _cubic(x: float) -> float:
    if x < 1:
        return (_A + 2) * x**3 - (_A + 3) * x**2 + 1
    return _A * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0
