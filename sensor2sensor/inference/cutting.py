"""Where windows lie on a scene: cores that a halo surrounds, or windows that are blended.

Both are functions of the frame and the sizes alone, so that a repeat of a prediction has the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.geo.grids import up

Weights = npt.NDArray[np.float32]


def core_side(length: int, most: int, align: int) -> int:
    """The side of equal cores, at most about ``most`` pixels, that cover a length in fewest."""
    most = max(most // align * align, align)
    return min(most, up(-(-length // -(-length // most)), align))


def blended_starts(length: int, window: int, overlap: int, align: int) -> list[int]:
    """Where windows of one size begin that overlap at least so much, as evenly as ``align`` lets.

    The last one ends at the border, or beyond it by less than ``align``; one that is larger than
    the length stands alone.
    """
    step = (window - overlap) // align * align
    last = up(max(length - window, 0), align)
    count = -(-last // step)
    even = (round(last * number / max(count, 1) / align) * align for number in range(count + 1))
    # Rounded to whole steps of the grid, two neighbours could lie one of them too far apart.
    starts = [0]
    for start in even:
        starts.append(min(max(start, starts[-1]), starts[-1] + step))
    while starts[-1] < last:
        starts.append(min(starts[-1] + step, last))
    return sorted({*starts})


def blending(starts: Sequence[int], window: int, overlap: int) -> list[Weights]:
    """Weights ``[window]`` of each window along one axis; at every pixel they sum to 1.

    From each end they rise as ``3 t^2 - 2 t^3``, level at both ends, and are nowhere 0: at the
    scene's edge one window stands alone. A product of two axes' weights is that of a window.
    """
    place = np.arange(window) + 0.5
    rise = np.clip(np.minimum(place, window - place) / max(overlap, 1), 0.0, 1.0)
    one = 3 * rise**2 - 2 * rise**3
    ranges = [slice(start - starts[0], start - starts[0] + window) for start in starts]
    total = np.zeros(ranges[-1].stop)
    for seen in ranges:
        total[seen] += one
    return [(one / total[seen]).astype(np.float32) for seen in ranges]


def cut(record: TileRecord, rows: int, columns: int) -> TileRecord:
    """The upper-left part of a record, in target pixels; extras are left out.

    A window of the size that a model was trained on may end within an input pixel, as tiles do.
    """
    if record.target.shape[:2] == (rows, columns):
        return record
    dense, factor = record.input_dense, 1
    if dense is not None:
        factor = len(record.target) // len(dense)
        dense = dense[: -(-rows // factor), : -(-columns // factor)]
    index = record.input_index[:rows, :columns]
    # What no pixel shows any more leaves the table; in ascending order a grid stays one.
    kept = np.unique(index[index > 0])
    numbers = np.zeros(len(record.input_pixels) + 1, np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return replace(
        record, target=record.target[:rows, :columns], input_dense=dense, extras={},
        input_pixels=record.input_pixels[kept - 1], input_xy=record.input_xy[kept - 1],
        input_index=numbers[index],
    )  # fmt: skip
