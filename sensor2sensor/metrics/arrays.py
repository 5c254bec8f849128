"""Shared arithmetic of the metrics: masked means and sliding windows.

Everything works in float64. Differences of large sums (variances of nearly constant images) lose
all digits in float32, and a metric that is noise on smooth sea ice would be worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

NAN = float("nan")
# Sources are float32: an image that is constant on the ground may spread by a few of these.
FLOAT32_STEP = float(np.finfo(np.float32).eps)


def windows(x: tf.Tensor, column: Sequence[float], row: Sequence[float]) -> tf.Tensor:
    """Correlate with the kernel ``outer(column, row)``, only where it fits ("valid").

    Args:
        x: Images ``[B, H, W, C]``.
        column: Kernel along the height, length h.
        row: Kernel along the width, length w.

    Returns:
        ``[B, H-h+1, W-w+1, C]``.
    """
    # Ends counted from the far edge: the size of an image may be unknown inside a tf.function.
    down, right = ([i - len(side) + 1 or None for i in range(len(side))] for side in (column, row))
    x = tf.add_n([w * x[:, i:end] for i, (w, end) in enumerate(zip(column, down, strict=True))])
    return tf.add_n([w * x[:, :, i:end] for i, (w, end) in enumerate(zip(row, right, strict=True))])


def pad(x: tf.Tensor, before: int, after: int, mode: str = "CONSTANT") -> tf.Tensor:
    """Pad height and width of ``[B, H, W, C]`` by ``before`` and ``after`` pixels."""
    return tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]], mode=mode)


def whole_windows(valid: tf.Tensor, size_px: int) -> tf.Tensor:
    """Where a window of ``size_px`` holds valid pixels only.

    Args:
        valid: ``[B, H, W]`` bool.
        size_px: Side of the window.

    Returns:
        ``[B, H-size+1, W-size+1]`` bool.
    """
    # By bytes, and windows twice as wide in each step: a pool looks at every pixel of each window.
    span = 1
    while span < size_px:
        more = min(span, size_px - span)
        valid = valid[:, :-more] & valid[:, more:]
        valid = valid[:, :, :-more] & valid[:, :, more:]
        span += more
    return valid


def masked_mean(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean over the pixels of ``mask``; NaN where the mask is empty.

    Args:
        x: ``[B, H, W, C]`` float64.
        mask: ``[B, H, W]`` bool.

    Returns:
        ``[B, C]``.
    """
    weight = tf.cast(mask, x.dtype)[..., tf.newaxis]
    # Chosen, not multiplied by 0: what lies outside the mask may be NaN, and 0 * NaN is NaN.
    total = tf.reduce_sum(tf.where(mask[..., tf.newaxis], x, 0.0), axis=[1, 2])
    return total / tf.reduce_sum(weight, axis=[1, 2])


def magnitude(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Largest absolute value over the pixels of ``mask``: ``[B, H, W, C]`` -> ``[B, C]``."""
    return tf.reduce_max(tf.where(mask[..., tf.newaxis], tf.abs(x), 0.0), axis=[1, 2])
