"""Pictures made smaller or larger without aliasing, in memory that their height does not matter to.

Rows and columns are weighed one after the other, so a picture comes as stripes of rows and leaves
its sums behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@lru_cache(maxsize=4)  # all pieces of a data set are of one size, or of few
def axis_weights(source_px: int, target_px: int, *, area: bool = False) -> Any:
    """What each target pixel takes of each source pixel, along one axis.

    Args:
        source_px: Pixels there are.
        target_px: Pixels wanted.
        area: Shares of the area, which keep sums: for masks. Else a triangle as wide as two target
            pixels, which is the antialiased bilinear filter of Pillow, and plain bilinear
            interpolation where the picture is enlarged.

    Returns:
        A sparse array ``[target_px, source_px]`` whose rows sum up to 1.
    """
    from scipy import sparse

    _, weights = part_weights(source_px, target_px, 0, target_px, area=area)
    return sparse.csr_array(weights)


def part_weights(
    source_px: int, target_px: int, start: int, count: int, *, area: bool = False
) -> tuple[int, Values]:
    """The same of a run of target pixels alone.

    Returns:
        The first source pixel that they take of, and weights ``[count, pixels from there on]``.
    """
    scale = source_px / target_px
    reach = 0.0 if area else max(scale, 1.0) + 1.0
    first = max(math.floor(start * scale - reach), 0)
    last = min(math.ceil((start + count) * scale + reach), source_px)
    source = np.arange(first, last, dtype=np.float64)
    target = np.arange(start, start + count, dtype=np.float64)[:, None]
    if area:
        high = np.minimum(source + 1, (target + 1) * scale)
        weights = np.maximum(high - np.maximum(source, target * scale), 0.0)
    else:
        away = np.abs(source + 0.5 - (target + 0.5) * scale)
        # Widened with the scale: a filter of fixed width would skip most source pixels.
        weights = np.maximum(1.0 - away / max(scale, 1.0), 0.0)
    return first, weights / weights.sum(axis=1, keepdims=True)


def resampled(
    stripes: Iterable[npt.NDArray[Any]], source_px: int, target_px: int, *, area: bool = False
) -> Values:
    """A square picture at another size.

    Args:
        stripes: Its rows from the top, ``[rows, source_px, C]`` each.
        source_px: Its edge.
        target_px: The edge wanted.
        area: See :func:`axis_weights`.

    Returns:
        ``[target_px, target_px, C]``; the values themselves where the sizes are equal.
    """
    weights = axis_weights(source_px, target_px, area=area)
    total: Any = 0.0
    top = 0
    for stripe in stripes:
        rows, _, bands = stripe.shape
        columns = stripe.astype(np.float64).transpose(1, 0, 2).reshape(source_px, rows * bands)
        across = (weights @ columns).reshape(target_px, rows, bands).transpose(1, 0, 2)
        total = total + weights[:, top : top + rows] @ across.reshape(rows, target_px * bands)
        top += rows
    made: Values = np.asarray(total).reshape(target_px, target_px, -1)
    return made
