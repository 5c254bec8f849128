"""Bicubic interpolation, once: to another grid, at any positions, and along a flow.

The kernel is Keys' (1981) with its coefficient as a parameter: -0.5 is of third order and that of
``tf.image.resize`` and Pillow, -0.75 that of PyTorch, which ``compat: torchsisr`` asks for. Pixels
are aligned by their outer edges, so their centres lie at whole numbers of their own grid. All is
differentiable, in images and in positions, and takes any size, known or not when a graph is made.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

KEYS, TORCH = -0.5, -0.75
_TAPS = (-1, 0, 1, 2)  # around the pixel at or before a position: the kernel reaches two pixels


def kernel(distance: tf.Tensor, coefficient: float = KEYS) -> tf.Tensor:
    """Keys' cubic convolution kernel at distances in pixels; 0 from 2 on."""
    a, d = coefficient, tf.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


def reflected(index: tf.Tensor, size: tf.Tensor | int) -> tf.Tensor:
    """Whole positions beyond an axis mirrored at its outermost pixels, which are not repeated."""
    last = tf.cast(size, index.dtype) - 1
    # An axis of one pixel has no period; all that lies beyond is that pixel.
    within = tf.math.floormod(index, tf.maximum(2 * last, 1))
    return tf.minimum(last, last - tf.abs(within - last))


def scattered(weights: tf.Tensor, index: tf.Tensor, size: tf.Tensor | int) -> tf.Tensor:
    """Taps ``[..., O, K]`` at pixels ``[O, K]`` as a matrix ``[..., O, size]`` of one axis."""
    # Summed: at a border several taps fall on one pixel.
    places = tf.one_hot(index, tf.cast(size, tf.int32), dtype=weights.dtype)
    return tf.einsum("...ok,okn->...on", weights, places)


def along(image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Apply a matrix along the rows and one along the columns of an image ``[B, H, W, C]``.

    Args:
        image: Finite values; a product of matrices would spread a NaN over a whole row.
        rows: ``[O, H]``, ``[C, O, H]`` (one a band) or ``[B, C, O, H]`` (one an image and band).
        columns: The same for the width.
    """
    letters = {2: "", 3: "c", 4: "bc"}[rows.shape.rank]
    rows, columns = tf.cast(rows, image.dtype), tf.cast(columns, image.dtype)
    down = tf.einsum(f"{letters}oh,bhwc->bowc", rows, image)
    return tf.einsum(f"{letters}pw,bowc->bopc", columns, down)


def resize(
    image: tf.Tensor,
    height: Any,
    width: Any,
    *,
    coefficient: float = KEYS,
    antialias: bool = False,
) -> tf.Tensor:
    """An image ``[B, H, W, C]`` on another grid of the same extent ``[B, height, width, C]``.

    Args:
        image: Finite values.
        height: Rows of the result.
        width: Columns of it.
        coefficient: Of Keys' kernel.
        antialias: Where the grid gets coarser, widen the kernel by the ratio (Pillow's); without,
            four pixels are read however coarse the grid becomes (PyTorch's default).

    Beyond the border the outermost pixel goes on; with ``antialias`` taps there are left out and
    the rest is normalised, as in Pillow.
    """
    shape = tf.shape(image)
    known = image.shape
    sides = [
        _matrix(known[axis] or shape[axis], size, coefficient, antialias)
        for axis, size in ((1, height), (2, width))
    ]
    return along(image, *sides)


def _matrix(n_in: Any, n_out: Any, coefficient: float, antialias: bool) -> tf.Tensor:
    """Weights ``[n_out, n_in]`` of one axis; positions in float64, exact in wide images."""
    ratio = tf.cast(n_in, tf.float64) / tf.cast(n_out, tf.float64)
    centre = (tf.range(tf.cast(n_out, tf.float64), dtype=tf.float64) + 0.5) * ratio - 0.5
    if antialias:
        every = tf.range(tf.cast(n_in, tf.float64), dtype=tf.float64)
        wide = tf.maximum(ratio, 1.0)
        matrix = kernel((centre[:, tf.newaxis] - every) / wide, coefficient)
        return tf.cast(matrix / tf.reduce_sum(matrix, -1, keepdims=True), tf.float32)
    index = tf.floor(centre)[:, tf.newaxis] + tf.constant(_TAPS, tf.float64)
    weights = kernel(centre[:, tf.newaxis] - index, coefficient)
    inside = tf.clip_by_value(tf.cast(index, tf.int32), 0, tf.cast(n_in, tf.int32) - 1)
    return scattered(tf.cast(weights, tf.float32), inside, n_in)


def sample(
    image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, *, coefficient: float = KEYS
) -> tf.Tensor:
    """Values of an image at any positions, ``[B, h, w, C]``; reflection at the borders.

    At whole positions the values are the pixels' own, bit for bit.

    Args:
        image: ``[B, H, W, C]``, finite.
        rows: Positions ``[B, h, w]`` in pixels, 0 the centre of the first; float32.
        columns: The same along the width.
        coefficient: Of Keys' kernel.
    """
    shape = tf.shape(image)
    count, height, width = shape[0], shape[1], shape[2]
    flat = tf.reshape(image, [-1, image.shape[-1] or shape[3]])
    first = tf.range(count)[:, tf.newaxis, tf.newaxis] * height * width
    down, across = _taps(rows, height, coefficient), _taps(columns, width, coefficient)
    total: Any = 0.0
    for row, weight in down:
        start, line = first + row * width, tf.cast(weight, image.dtype)[..., tf.newaxis]
        parts = [
            tf.gather(flat, start + column) * tf.cast(share, image.dtype)[..., tf.newaxis]
            for column, share in across
        ]
        total += line * tf.add_n(parts)
    return total


def _taps(
    positions: tf.Tensor, size: tf.Tensor, coefficient: float
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Index and weight of the four pixels around each position of one axis."""
    before = tf.floor(positions)
    whole = tf.cast(before, tf.int32)
    return [
        (reflected(whole + tap, size), kernel(positions - before - tap, coefficient))
        for tap in _TAPS
    ]


def warp(image: tf.Tensor, flow: tf.Tensor, *, coefficient: float = KEYS) -> tf.Tensor:
    """An image moved along a flow, backwards: the result at p is the image at p + flow(p).

    Args:
        image: ``[B, H, W, C]``, finite.
        flow: ``[B, H, W, 2]``: rows and columns, in pixels. All 0 gives the image, bit for bit.
        coefficient: Of Keys' kernel.
    """
    shape = tf.shape(flow)
    row = tf.range(shape[1], dtype=tf.int32)[:, tf.newaxis]
    column = tf.range(shape[2], dtype=tf.int32)[tf.newaxis]
    rows, columns = (
        tf.cast(whole, flow.dtype) + part
        for whole, part in ((row, flow[..., 0]), (column, flow[..., 1]))
    )
    return sample(image, rows, columns, coefficient=coefficient)


def repeated(image: tf.Tensor, factor: int) -> tf.Tensor:
    """Every pixel of an image ``[B, H, W, C]`` as ``factor`` x ``factor`` pixels."""
    return tf.repeat(tf.repeat(image, factor, axis=1), factor, axis=2)


def coefficient_of(compat: str | None) -> float:
    """The coefficient that ``compat`` of ``experiment.json`` asks for."""
    return TORCH if compat == "torchsisr" else KEYS
