"""Exact degradation of a tile to a coarser grid.

Blocks are anchored at the tile's upper-left corner and are exactly ``factor`` pixels wide; a last
block that reaches beyond the tile is completed from the margin of real pixels around it. Without a
margin it is the mean of the pixels present, and counted. No-data pixels (NaN, which only the margin
may hold) do not take part: the weights of the pixels present are normalised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sensor2sensor.dataset.upsampling import regular_index

Method = Literal["mean", "mtf"]
TRUNCATION_SIGMA = 3.0  # 0.3 % of a Gaussian lies beyond
MTF_NYQUIST = 0.2


def sigma_px(factor: float, mtf_nyquist: float) -> float:
    """Standard deviation of the Gaussian whose transfer at the coarse Nyquist frequency is given.

    A Gaussian of standard deviation s has the transfer function exp(-2 pi^2 s^2 v^2). At the
    Nyquist frequency of the coarse grid, v = 1 / (2 factor) cycles per fine pixel, it is to be M:
    s = factor / pi * sqrt(-2 ln M). (Aiazzi et al. 2006, MTF-tailored multiscale fusion,
    doi:10.14358/PERS.72.5.591.)
    """
    return factor / math.pi * math.sqrt(-2.0 * math.log(mtf_nyquist))


def axis_weights(
    tile_px: int, factor: int, margin_px: int, method: Method, mtf_nyquist: float
) -> npt.NDArray[np.float64]:
    """Weights ``[blocks, tile_px + 2 * margin_px]`` of the fine pixels in each block of one axis.

    They are separable: the weight of a pixel is the product of those of its row and its column.
    """
    # A last block that is no whole one counts.
    blocks = -(-tile_px // factor)
    pixel = np.arange(tile_px + 2 * margin_px) - margin_px
    start = np.arange(blocks)[:, None] * factor
    if method == "mean":
        return ((pixel >= start) & (pixel < start + factor)).astype(np.float64)
    sigma = sigma_px(factor, mtf_nyquist)
    # From the pixel's centre to the block's.
    distance = (pixel + 0.5) - (start + factor / 2)
    weight = np.exp(-0.5 * (distance / sigma) ** 2)
    return np.where(np.abs(distance) <= TRUNCATION_SIGMA * sigma, weight, 0.0)


def reach_px(tile_px: int, factor: int, margin_px: int, method: Method, mtf_nyquist: float) -> int:
    """How far beyond the tile, at most, the fine pixels lie that its coarse pixels are made of.

    A last block that is no whole one, and the tails of the Gaussian, take them from the margin.
    """
    weights = axis_weights(tile_px, factor, margin_px, method, mtf_nyquist)
    taken = np.flatnonzero(weights.any(axis=0)) - margin_px
    return max(0, -int(taken[0]), int(taken[-1]) + 1 - tile_px)


@dataclass(frozen=True)
class Degraded:
    """A tile on a coarser grid.

    Attributes:
        pixels: ``[rows * columns, C]`` float32, row by row.
        xy: ``[rows * columns, 2]`` block centres in metres within the tile.
        index: ``[H, W]`` int32, 1 + number of the block each fine pixel lies in.
        incomplete: Blocks for which not every fine pixel was there.
    """

    pixels: npt.NDArray[np.float32]
    xy: npt.NDArray[np.float64]
    index: npt.NDArray[np.int32]
    incomplete: int


def degrade(
    tile: npt.NDArray[Any],
    factor: int,
    *,
    resolution_m: float,
    margin: npt.NDArray[Any] | None = None,
    method: Method = "mean",
    mtf_nyquist: float = MTF_NYQUIST,
) -> Degraded:
    """Degrade a tile by exactly ``factor``.

    Args:
        tile: ``[H, W, C]`` values; only its size counts where a margin is given.
        factor: Fine pixels along a side of a coarse pixel.
        resolution_m: Size of a fine pixel.
        margin: ``[H + 2 m, W + 2 m, C]``, the tile with m pixels around it, NaN for no data.
        method: ``mean`` of the block or ``mtf``, a Gaussian.
        mtf_nyquist: Transfer at the coarse Nyquist frequency, for ``mtf``; a mean has none.
    """
    height, width = tile.shape[:2]
    source = tile if margin is None else margin
    margin_px = (source.shape[0] - height) // 2
    rows, columns = (
        axis_weights(side, factor, margin_px, method, mtf_nyquist) for side in (height, width)
    )
    present = np.isfinite(source)
    # Weight 0 alone would not silence a NaN: 0 * NaN is NaN.
    filled = np.where(present, source, 0.0).astype(np.float64)
    total = _weigh(rows, columns, filled)
    mass = _weigh(rows, columns, present.astype(np.float64))
    # By the weights that met a value: no data beside the tile must not darken its edge. A block
    # that met none is 0 / 0, NaN.
    with np.errstate(invalid="ignore"):
        pixels = (total / mass).astype(np.float32)
    # Squared, for the weights of rows and columns multiply.
    full = _full_mass(factor, method, mtf_nyquist) ** 2
    # Room for sums that were taken in another order.
    incomplete = int((mass.min(axis=-1) < full * (1 - 1e-9)).sum())
    xy = block_centres(len(rows), len(columns), factor, resolution_m)
    index = regular_index(height, width, factor)
    return Degraded(pixels.reshape(len(xy), -1), xy, index, incomplete)


def block_centres(
    rows: int, columns: int, factor: float, resolution_m: float
) -> npt.NDArray[np.float64]:
    """Centres ``[rows * columns, 2]`` of blocks in metres from their common corner, row by row."""
    y, x = ((np.arange(count) + 0.5) * factor * resolution_m for count in (rows, columns))
    across, down = np.meshgrid(x, y)
    return np.stack([across.ravel(), down.ravel()], axis=1)


def _weigh(
    rows: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    image: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Apply the weights down and across: ``[h, w, C]`` → ``[blocks down, blocks across, C]``."""
    down = np.tensordot(rows, image, axes=(1, 0))
    return np.ascontiguousarray(np.tensordot(columns, down, axes=(1, 1)).transpose(1, 0, 2))


def _full_mass(factor: int, method: Method, mtf_nyquist: float) -> float:
    """Sum of one axis' weights when nothing is missing."""
    # Three sigma are 1.7 factors at a transfer of 0.2: eight leave nothing out.
    reach = factor if method == "mean" else factor * 8
    return float(axis_weights(factor, factor, reach, method, mtf_nyquist)[0].sum())
