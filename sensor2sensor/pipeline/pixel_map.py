"""Pictures of few distinct pixels, as a table and a map of its rows: moved without being painted.

A Sentinel-3 pixel stands for 900 of the target's. What exchanges pixels moves the map, one number a
pixel and not 21. Bilinear enlargement, too, only copies inside such a pixel: what it makes anew is
a seam one target pixel wide, and that becomes further rows of the table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class PixelMap(NamedTuple):
    """A picture ``[h, w, C]`` whose pixel (r, c) is ``table[index[r, c, 0] - 1]``.

    Attributes:
        table: ``[K, C]`` float32.
        index: ``[h, w, 1]``, an integer type; rows count from 1.
    """

    table: tf.Tensor
    index: tf.Tensor


class _Axis(NamedTuple):
    """Between which pixels of an axis those of an enlarged one lie, each ``[n]``."""

    before: tf.Tensor
    after: tf.Tensor
    part: tf.Tensor  # of the way from one to the other


def enlarged(
    picture: PixelMap, size: tf.Tensor, start: tf.Tensor, height: int, width: int
) -> PixelMap:
    """A window of a picture enlarged bilinearly.

    Every number is that of ``tf.image.resize(picture, size)[start[0]:, start[1]:]`` bit for bit,
    and only those of the window are computed.

    Args:
        picture: ``[h, w, C]``.
        size: Rows and columns that the whole is enlarged to, int32; at least h and w.
        start: The window's first row and column, int32.
        height: Rows of the window.
        width: Columns of it.
    """
    index, bands = picture.index[..., 0], picture.table.shape[-1]
    wide = index.shape[1]
    rows, columns = _axes(tuple(index.shape), size, start, (height, width))
    # Rows count from 1: 0 marks where a pixel and its neighbours to come are not all the same.
    inside = tf.where(_alike(index), index, tf.zeros([], index.dtype))
    moved = tf.gather(tf.gather(inside, rows.before), columns.before, axis=1)
    seam = tf.where(moved == 0)
    row, column = tf.unstack(tf.cast(seam, tf.int32), axis=1)
    flat = tf.reshape(index, [-1])

    def corner(line: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        number = tf.gather(flat, tf.gather(line * wide, row) + tf.gather(place, column))
        return tf.gather(picture.table, tf.cast(number, tf.int32) - 1)

    # Across before down, as the operation does: the other way round rounds otherwise.
    across, down = _each(columns.part, column, bands), _each(rows.part, row, bands)
    above, below = (
        left + (corner(line, columns.after) - left) * across
        for line in (rows.before, rows.after)
        for left in [corner(line, columns.before)]
    )
    made = above + (below - above) * down
    known = tf.shape(picture.table)[0]
    numbers = tf.range(known + 1, known + 1 + tf.size(row))
    moved = tf.tensor_scatter_nd_update(tf.cast(moved, tf.int32), seam, numbers)
    return PixelMap(tf.concat([picture.table, made], 0), moved[..., tf.newaxis])


def _each(part: tf.Tensor, places: tf.Tensor, bands: int) -> tf.Tensor:
    """Parts at places ``[n]``, for every band ``[n, C]``: broadcasting so takes thrice as long."""
    return tf.gather(tf.tile(part[:, tf.newaxis], [1, bands]), places)


def _alike(index: tf.Tensor) -> tf.Tensor:
    """Where a pixel, that to its right and the two below are one row of the table, ``[h, w]``."""
    # The outermost have no further neighbour, and no position lies beyond them.
    wide = tf.concat([index, index[:, -1:]], 1)
    right = index == wide[:, 1:]
    down = tf.concat([index[1:], index[-1:]], 0) == index
    return right & down & tf.concat([right[1:], right[-1:]], 0)


def _axes(
    shape: tuple[int, ...], size: tf.Tensor, start: tf.Tensor, counts: tuple[int, int]
) -> list[_Axis]:
    """Rows and columns of a window; both at once, since an operation costs more than its work."""
    # Step by step what TensorFlow's kernel does with half-pixel centres, in float32 as there.
    last, which = np.repeat(np.array(shape) - 1, counts), np.repeat([0, 1], counts)
    scale = tf.gather(tf.constant(shape, tf.float32) / tf.cast(size, tf.float32), which)
    numbers = tf.gather(start, which) + np.concatenate([np.arange(n) for n in counts])
    at = (tf.cast(numbers, tf.float32) + 0.5) * scale - 0.5
    floor = tf.floor(at)
    after = tf.minimum(tf.cast(tf.math.ceil(at), tf.int32), last)
    before = tf.minimum(tf.maximum(tf.cast(floor, tf.int32), 0), after)
    parts = (tf.split(one, counts) for one in (before, after, at - floor))
    return [_Axis(*axis) for axis in zip(*parts, strict=True)]
