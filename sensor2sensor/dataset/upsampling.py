"""From input pixels to the target's grid: by repetition, or by bicubic interpolation.

The bicubic kernel is Keys' with a = -0.5 (Keys, 1981: third-order convergence; also that of
``tf.image.resize`` and Pillow). Pixel centres lie at half-integers, the factor is the true one even
where the tile is no whole number of blocks (the last block then reaches beyond the tile), and the
border is continued by its outermost pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.records import TileRecord

MODES = ("nearest", "bicubic")
OWN_GRID = "none"  # input_upsampling of a generator that takes the input on its own grid
Floats = npt.NDArray[np.float32]


def keys_kernel(distance: npt.NDArray[np.float64], a: float = -0.5) -> npt.NDArray[np.float64]:
    """Keys' cubic convolution kernel at distances in pixels."""
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def bicubic_matrix(n_fine: int, n_coarse: int, factor: float) -> Floats:
    """Weights ``[n_fine, n_coarse]`` that interpolate one axis."""
    # Aligned by edges: by first pixels the picture would move by (factor - 1) / 2 fine ones.
    centre = (np.arange(n_fine) + 0.5) / factor - 0.5
    # Keys' kernel reaches two pixels to either side: four taps.
    first = np.floor(centre).astype(np.int64) - 1
    matrix = np.zeros((n_fine, n_coarse))
    for tap in range(4):
        source = first + tap
        weight = keys_kernel(centre - source)
        # Taps that the border clips onto one pixel add up; plain indexing would keep the last.
        np.add.at(matrix, (np.arange(n_fine), np.clip(source, 0, n_coarse - 1)), weight)
    return matrix.astype(np.float32)


def grid_of(index: npt.NDArray[Any]) -> tuple[int, int, int]:
    """Rows, columns and factor of the regular grid an index ``[H, W]`` describes.

    Raises:
        ConfigError: The index is not that of a regular grid (a swath).
    """
    height, width = index.shape
    # Numbered from 1 along the rows: the first row ends with their length.
    columns = int(index[0, -1])
    rows = (int(index[-1, -1]) - 1) // max(columns, 1) + 1
    factor = int((index[0] == 1).sum())
    if factor < 1 or not np.array_equal(index, regular_index(height, width, factor)):
        raise ConfigError(
            "input_upsampling 'bicubic' needs a regular low-resolution grid",
            hint="use 'nearest' for Sentinel-3 input",
        )
    return rows, columns, factor


def regular_index(height: int, width: int, factor: int) -> npt.NDArray[np.int32]:
    """The index ``[height, width]`` of square blocks anchored at the upper-left corner."""
    columns = -(-width // factor)
    row, column = np.arange(height) // factor, np.arange(width) // factor
    return (row[:, None] * columns + column[None, :] + 1).astype(np.int32)


def upsample(record: TileRecord, mode: str = "nearest", native_px: Sequence[int] = ()) -> Floats:
    """A record's input on the target's grid, in physical values.

    Args:
        record: A decoded tile.
        mode: ``nearest`` (every target pixel shows its input pixel) or ``bicubic`` (regular grids);
            an input on the target's own grid is left as it is, its coarser bands aside.
        native_px: ``BandSpec.native_px`` of each input band, for bicubic; empty: 1 for all.

    Returns:
        ``[H, W, Ci]`` float32.

    Raises:
        ConfigError: Unknown mode, or bicubic for an input that is not a regular grid.
    """
    if mode not in MODES:
        raise ConfigError(f"unknown input_upsampling '{mode}'", hint=suggestion(mode, MODES))
    height, width = record.target.shape[:2]
    if record.input_dense is not None:
        grid = record.input_dense
        factor = height // len(grid)  # whole and the same on both axes: the contract sees to it
        if factor == 1 and (mode == "nearest" or max(native_px, default=1) == 1):
            return grid
        if mode == "nearest":
            return grid.repeat(factor, axis=0).repeat(factor, axis=1)
    elif mode == "nearest":
        # 0 would be no input pixel, which no record may hold.
        return record.input_pixels[record.input_index - 1]
    else:
        rows, columns, factor = grid_of(record.input_index)
        grid = record.input_pixels.reshape(rows, columns, -1)
    made = np.empty((height, width, grid.shape[-1]), np.float32)
    for px, bands in by_native_px(native_px or (1,) * grid.shape[-1]).items():
        # What is stored repeated is interpolated between its own pixels, not between the copies.
        own = grid[::px, ::px, bands]
        down = bicubic_matrix(height, own.shape[0], factor * px)
        made[..., bands] = interpolate(own, down, bicubic_matrix(width, own.shape[1], factor * px))
    return made


def by_native_px(native_px: Sequence[int]) -> dict[int, list[int]]:
    """Positions of the bands of each ``native_px``."""
    sizes = sorted({*native_px})
    return {px: [place for place, own in enumerate(native_px) if own == px] for px in sizes}


def interpolate(grid: Floats, rows: Floats, columns: Floats) -> Floats:
    """Apply one matrix down and one across: ``[r, c, C]`` → ``[H, W, C]``."""
    down = np.tensordot(rows, grid, axes=(1, 0))
    across = np.tensordot(columns, down, axes=(1, 1))
    return np.ascontiguousarray(across.transpose(1, 0, 2), dtype=np.float32)
