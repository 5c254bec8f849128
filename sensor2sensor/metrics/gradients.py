"""Errors where the truth is smooth, where it is in between, and at its edges.

Terciles are those of each tile and not of a data set: where gradients differ each part has a third
of the tile's pixels, so that the mean over tiles weighs none by how rough it is, and the score of a
tile depends on no other tile and on no pass before it. Equal gradients stay together in the lower
part: of a mostly flat tile smooth has more, and middle or edges less or nothing. The truth alone
decides, so that no pair of methods loses a tile that one of them keeps. What that cannot tell is
how errors grow with the roughness of the ground: the smooth third of a town may be rougher than the
edges of a sea.
"""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.config.vocabulary import BAND_UNIT, EXTENDED
from sensor2sensor.metrics.arrays import masked_mean, whole_windows, windows
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import mean_over_bands, need

SOBEL_PX = 3
SMOOTH, MIDDLE, EDGES = 0, 1, 2


def whole_sobel(valid: tf.Tensor) -> tf.Tensor:
    """Pixels that have a gradient: ``[B, H, W]`` bool to ``[B, H-2, W-2]``."""
    return whole_windows(valid, SOBEL_PX)


def steepness(image: tf.Tensor) -> tf.Tensor:
    """Magnitude of the gradient over all bands, in value ranges a pixel.

    sqrt(Σ_bands (∂x² + ∂y²)) of Sobel's derivatives, where they fit: ``[B, H, W, C]`` to
    ``[B, H-2, W-2]`` float32. For several bands that is the root of the trace of the structure
    tensor (Di Zenzo 1986, CVGIP 33).
    """
    slope, smooth = [-0.5, 0.0, 0.5], [0.25, 0.5, 0.25]
    squares = windows(image, slope, smooth) ** 2 + windows(image, smooth, slope) ** 2
    # Stored numbers are integers, so that many gradients are equal; in float64 rounding would part
    # them, each machine in its own way.
    return tf.cast(tf.sqrt(tf.reduce_sum(squares, axis=-1)), tf.float32)


def tercile(inputs: MetricInputs, which: int) -> tf.Tensor:
    """The pixels of one third of a truth's gradients, ``[B, H-2, W-2]`` bool.

    The least third (rounded up) and whatever equals its largest is smooth; beyond the second third,
    and whatever equals the largest of that, are edges: of many equal gradients none may be. The
    outermost ring has no gradient and belongs to none.
    """
    values, known = steepness(inputs.scaled_target), whole_sobel(inputs.valid)
    infinity = tf.constant(float("inf"), values.dtype)
    flat = tf.reshape(tf.where(known, values, infinity), [tf.shape(values)[0], -1])
    ordered = tf.sort(flat, axis=-1)
    count = tf.math.count_nonzero(known, axis=[1, 2], dtype=tf.int32)
    ends = []
    for part in (1, 2):
        place = tf.maximum((part * count + 2) // 3 - 1, 0)
        ends.append(tf.gather(ordered, place, batch_dims=1)[:, tf.newaxis, tf.newaxis])
    parts = (values <= ends[0], (values > ends[0]) & (values <= ends[1]), values > ends[1])
    return known & parts[which]


def _rmse(inputs: MetricInputs, which: int, name: str) -> tf.Tensor:
    need(inputs, SOBEL_PX, name)
    error = inputs.difference[:, 1:-1, 1:-1] ** 2
    return tf.sqrt(mean_over_bands(masked_mean(error, tercile(inputs, which))))


@register(
    "rmse_smooth",
    label="RMSE, smooth third",
    unit=BAND_UNIT,
    better="lower",
    paper="rmse over the third of a tile's pixels where the truth's gradient is least",
    places=whole_sobel,
    profile=EXTENDED,
)
def rmse_smooth(inputs: MetricInputs) -> tf.Tensor:
    """RMSE where the truth is smooth: noise and patterns that a model adds show here."""
    return _rmse(inputs, SMOOTH, "rmse_smooth")


@register(
    "rmse_middle",
    label="RMSE, middle third",
    unit=BAND_UNIT,
    better="lower",
    paper="rmse over the middle third of a tile's pixels by the truth's gradient",
    places=whole_sobel,
    profile=EXTENDED,
)
def rmse_middle(inputs: MetricInputs) -> tf.Tensor:
    """RMSE between the two; NaN where equal gradients leave no middle."""
    return _rmse(inputs, MIDDLE, "rmse_middle")


@register(
    "rmse_edges",
    label="RMSE, edges",
    unit=BAND_UNIT,
    better="lower",
    paper="rmse over the third of a tile's pixels where the truth's gradient is steepest",
    places=whole_sobel,
    profile=EXTENDED,
)
def rmse_edges(inputs: MetricInputs) -> tf.Tensor:
    """RMSE at the truth's edges: blur and shifts show here; NaN where equal ones leave none."""
    return _rmse(inputs, EDGES, "rmse_edges")
