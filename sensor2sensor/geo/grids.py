"""Raster grids and pixel windows: the two nouns every step from 20 to 40 speaks in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def up(number: int, multiple: int) -> int:
    """The next multiple, or the number itself where it is one."""
    return -(-number // multiple) * multiple


@dataclass(frozen=True)
class PixelWindow:
    """A rectangle of pixels: column and row of its upper-left pixel, and its size.

    Attributes:
        x: column of the upper-left pixel (may be negative: outside the grid).
        y: row of the upper-left pixel.
        width: number of columns.
        height: number of rows.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a window has at least one pixel, not {self.width} x {self.height}")

    @property
    def rows(self) -> slice:
        """The rows as a slice."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """The columns as a slice."""
        return slice(self.x, self.x + self.width)

    def expanded(self, margin_px: int) -> PixelWindow:
        """The window grown by `margin_px` on all four sides."""
        return PixelWindow(
            self.x - margin_px,
            self.y - margin_px,
            self.width + 2 * margin_px,
            self.height + 2 * margin_px,
        )

    def inside(self, width_px: int, height_px: int) -> bool:
        """Whether every pixel lies on a grid of this size."""
        fits_x = self.x >= 0 and self.x + self.width <= width_px
        return fits_x and self.y >= 0 and self.y + self.height <= height_px

    def clipped(self, width_px: int, height_px: int) -> PixelWindow | None:
        """The part that lies on a grid of this size, or None where nothing does."""
        x0, y0 = max(self.x, 0), max(self.y, 0)
        x1 = min(self.x + self.width, width_px)
        y1 = min(self.y + self.height, height_px)
        return PixelWindow(x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid in a projected reference system, in metres.

    Attributes:
        epsg: EPSG code of the projected system (a UTM zone for Sentinel-2).
        ulx_m: easting of the outer corner of the upper-left pixel.
        uly_m: northing of the same corner.
        resolution_m: edge of a square pixel.
        width_px: columns.
        height_px: rows.
    """

    epsg: int
    ulx_m: float
    uly_m: float
    resolution_m: float
    width_px: int
    height_px: int

    @property
    def transform(self) -> Any:
        """The affine.Affine from (column, row) to metres."""
        from affine import Affine

        step = self.resolution_m
        # Pixel-is-area, as GDAL has it: the origin is a corner, and rows run south.
        return Affine(step, 0.0, self.ulx_m, 0.0, -step, self.uly_m)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north edge in metres."""
        east = self.ulx_m + self.width_px * self.resolution_m
        south = self.uly_m - self.height_px * self.resolution_m
        return self.ulx_m, south, east, self.uly_m

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as numpy has them."""
        return self.height_px, self.width_px

    @property
    def full_window(self) -> PixelWindow:
        """The window that covers the whole grid."""
        return PixelWindow(0, 0, self.width_px, self.height_px)

    def window(self, x: int, y: int, w: int, h: int) -> Grid:
        """The grid of a window whose upper-left pixel is column `x`, row `y`."""
        step = self.resolution_m
        corner = (self.ulx_m + x * step, self.uly_m - y * step)
        return replace(self, ulx_m=corner[0], uly_m=corner[1], width_px=w, height_px=h)

    def reduced(self, window: PixelWindow, shape: tuple[int, ...]) -> Grid:
        """The grid of a window that is seen in `shape` (rows, columns) larger pixels."""
        height, width = shape
        corner = self.window(window.x, window.y, width, height)
        return replace(corner, resolution_m=window.width * self.resolution_m / width)

    def xy_centres(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Eastings [width_px] and northings [height_px] of the pixel centres, in metres."""
        # Half a pixel from the corner; without it everything lies half a pixel north-west.
        x = self.ulx_m + (np.arange(self.width_px, dtype=np.float64) + 0.5) * self.resolution_m
        y = self.uly_m - (np.arange(self.height_px, dtype=np.float64) + 0.5) * self.resolution_m
        return x, y

    def polygon(self) -> Any:
        """The outline as a shapely box in metres of the grid's own system."""
        from shapely.geometry import box

        return box(*self.bounds)


def block_means(values: npt.NDArray[np.floating], size: int) -> npt.NDArray[np.float32]:
    """Means of the known values of blocks of pixels.

    Args:
        values: ``[h, w, ...]``, NaN where not known.
        size: Pixels along the side of a block; the first one begins in the upper left corner.

    Returns:
        ``[ceil(h / size), ceil(w / size), ...]``, of blocks beyond the edge the mean of what is
        inside; NaN where nothing is known.
    """
    height, width, *others = values.shape
    beyond = [(0, -height % size), (0, -width % size), *[(0, 0)] * len(others)]
    whole = np.pad(values, beyond, constant_values=np.nan)
    blocks = whole.reshape(whole.shape[0] // size, size, whole.shape[1] // size, size, *others)
    known = np.isfinite(blocks)
    count = known.sum((1, 3))
    total = np.where(known, blocks, np.float32(0)).sum((1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
