"""How far a prediction departs from what its input supports, pixel by pixel, without a truth.

For an input pixel k and a band that both sides measure (:mod:`~sensor2sensor.predictors.support`):

* misfit m = max(0, |d(SR) - LR| - |d(u(LR)) - LR|): what the input's sensor would see otherwise,
  beyond what interpolation itself gets wrong;
* detail e = the standard deviation, over the target pixels of k, of SR - u(LR): what was added to
  interpolation and is invisible to the input's sensor, as its mean over k is taken out;
* departure = sqrt(m² + e²).

``d`` is the mean over k, ``u`` interpolation. Each target pixel shows the root of the mean square
over bands of its input pixel's, in the bands' unit. Interpolation itself is 0 everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.predictors.support import Floats, Support, averages

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

DEPARTURE, MISFIT, DETAIL = "departure", "misfit", "detail"
PARTS = (DEPARTURE, MISFIT, DETAIL)


def departure(support: Support, tile: TileRecord, image: npt.NDArray[Any]) -> Floats:
    """Departure, misfit and detail ``[H, W, 3]`` of a prediction; NaN where it has no value.

    Args:
        support: Bands and grids.
        tile: The input; its target counts by its size.
        image: The prediction ``[H, W, C]`` of the bands in common, NaN where there is none.
    """
    known = np.isfinite(image).all(axis=-1)
    large, low = support.up(tile), support.low(tile)
    squares = np.zeros((*known.shape, 2))
    for native, bands in support.by_native.items():
        index, count = support.places(tile, native)
        seen = np.where(known, index, 0)
        own, _ = averages(image[..., bands], seen, count)
        plain, _ = averages(large[..., bands], seen, count)
        step = image[..., bands] - large[..., bands]
        mean, _ = averages(step, seen, count)
        square, _ = averages(step**2, seen, count)
        given, _ = averages(_spread(low[:, bands], support.index(tile)), seen, count)
        misfit = np.maximum(np.abs(own - given) - np.abs(plain - given), 0.0)
        # A variance of next to nothing can come out just below 0.
        detail = np.maximum(square - mean**2, 0.0)
        for place, part in enumerate((misfit**2, detail)):
            squares[..., place] += _spread(part.sum(axis=-1, keepdims=True), seen)[..., 0]
    squares /= len(support.matches)
    found = np.sqrt(np.concatenate([squares.sum(axis=-1, keepdims=True), squares], axis=-1))
    found[~known] = np.nan
    return np.asarray(found)


def _spread(values: Floats, index: npt.NDArray[np.int32]) -> Floats:
    """Values ``[K, C]`` on the target's grid; NaN where no pixel is named."""
    spread = values[np.maximum(index, 1) - 1]
    return np.where(index[..., None] > 0, spread, np.nan)
