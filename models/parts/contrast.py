"""Local contrast: an image in units of what varies about each of its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from experiment import Experiment

CONTRAST_INPUT_PX = 3  # side of the square that counts as local, in pixels of the input
CONTRAST_FLOOR = 0.01  # of the normalised range; below it there is noise rather than contrast


def contrast_px(experiment: Experiment) -> int:
    """Side of the local square in pixels of the target: odd, and no wider than the image."""
    side = round(CONTRAST_INPUT_PX * experiment.SCALE)
    return min(side, experiment.IMG_HEIGHT - 1, experiment.IMG_WIDTH - 1) // 2 * 2 + 1


def local_contrast(image: tf.Tensor, start: tf.Tensor, side_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network sees of an image, and the scale of what it adds.

    Returns:
        The image beside its deviations from the local mean in units of the local contrast,
        ``[B, H, W, 2 C_in]``; the local contrast of the base, ``[B, H, W, C]``.
    """
    mean, contrast = local_statistics(image, side_px)
    deviation = (image - mean) / contrast
    _, gain = local_statistics(start, side_px)
    return tf.keras.layers.Concatenate()([image, deviation]), gain


def local_statistics(image: tf.Tensor, side_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Local mean and standard deviation; the latter never below CONTRAST_FLOOR."""
    mean = _local_mean(image, side_px)
    variance = _local_mean(tf.keras.ops.square(image - mean), side_px)
    # Added under the root, whose slope at 0 is infinite.
    return mean, tf.keras.ops.sqrt(variance + CONTRAST_FLOOR**2)


def _local_mean(image: tf.Tensor, side_px: int) -> tf.Tensor:
    """Mean over a square, at borders over its part inside; columns and rows one after the other."""
    columns = tf.keras.layers.AveragePooling2D((side_px, 1), 1, "same", dtype="float32")(image)
    return tf.keras.layers.AveragePooling2D((1, side_px), 1, "same", dtype="float32")(columns)
