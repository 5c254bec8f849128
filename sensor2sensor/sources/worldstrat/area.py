"""Means over the area of coarser pixels, wherever these lie on the finer grid.

A pixel of the target is the mean of SPOT over its own footprint: a box, whose MTF at the Nyquist
frequency is 2/pi, 0.64, times that of SPOT. Any shift is in the position of the footprints, so the
image is resampled once.
"""

from __future__ import annotations

from typing import Any

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
    height, width, bands = image.values.shape
    across, along = _weights(rows, height), _weights(columns, width)
    # The footprint is a rectangle of the grid: rows and columns are weighed one after the other.
    bared = np.concatenate([image.values, image.valid[..., None]], axis=-1)
    down = (across @ bared.reshape(height, -1)).reshape(-1, width, bands + 1)
    turned = along @ down.transpose(1, 0, 2).reshape(width, -1)
    made = turned.reshape(-1, len(rows) - 1, bands + 1).transpose(1, 0, 2)
    return np.ascontiguousarray(made[..., :-1]), made[..., -1] > _WHOLE


def _weights(at: Floats, source_px: int) -> Any:
    """Share of each source pixel in each span, sparse ``[N, source_px]``; rows sum to 1 inside."""
    from scipy import sparse

    source = np.arange(source_px, dtype=np.float64)
    low, high = at[:-1, None], at[1:, None]
    overlap = np.minimum(source + 1.0, high) - np.maximum(source, low)
    return sparse.csr_array(np.maximum(overlap, 0.0) / (high - low))
