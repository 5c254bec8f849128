"""Means over the area of coarser pixels, wherever these lie on the finer grid.

A pixel of the target is the mean of SPOT over its own footprint: a box, whose MTF at the Nyquist
frequency is 2/pi, 0.64, times that of SPOT. Any shift is in the position of the footprints, so the
image is resampled once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensor2sensor.sources.worldstrat.images import Floats, Grid, Image

_WHOLE = 1.0 - 1e-6


def edges(low: Grid, high: Grid, start: float, count: int, factor: int, axis: int) -> Floats:
    """Edges of target pixels in pixels of the high image, ``[count + 1]``.

    Args:
        low: Grid whose pixels are divided.
        high: Grid of the high image.
        start: First edge, in low pixels from the low image's corner; fractions are shifts.
        count: Target pixels.
        factor: Of them in a low pixel.
        axis: 0 for rows, 1 for columns.
    """
    at = start + np.arange(count + 1) / factor
    if axis == 0:
        return ((high.top - low.top) + at * low.step_y) / high.step_y
    return ((low.left - high.left) + at * low.step_x) / high.step_x


def area_mean(image: Image, rows: Floats, columns: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Means ``[N, M, C]`` between edges, and where all of their ground is known ``[N, M]``."""
    across = _weights(rows, image.values.shape[0])
    along = _weights(columns, image.values.shape[1])
    means = np.stack(
        # The footprint is a rectangle of the grid: rows and columns are weighed one by one.
        [across @ image.values[..., band] @ along.T for band in range(image.values.shape[-1])],
        axis=-1,
    )
    known = across @ image.valid.astype(np.float64) @ along.T
    return means, known > _WHOLE


def _weights(at: Floats, source_px: int) -> Floats:
    """Share of each source pixel in each span ``[N, source_px]``; rows sum to 1 inside."""
    source = np.arange(source_px, dtype=np.float64)
    low, high = at[:-1, None], at[1:, None]
    overlap = np.minimum(source + 1.0, high) - np.maximum(source, low)
    weights: Floats = np.maximum(overlap, 0.0) / (high - low)
    return weights
