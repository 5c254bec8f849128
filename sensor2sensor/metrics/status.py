"""Why a number is missing: the state of each image of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.metrics.spatial import is_constant

STATES = (
    "ordinary",
    "perfect",
    "constant_target",
    "constant_prediction",
    "empty",
    "not_finite",
)


def states(target: Any, prediction: Any) -> list[str]:
    """The state of each image.

    Args:
        target: Truth ``[B, H, W, C]``, NaN = no data.
        prediction: Prediction of the same shape.

    Returns:
        One of :data:`STATES` per image; the last that applies in their order.
    """
    truth = tf.cast(tf.convert_to_tensor(target), tf.float64)
    guess = tf.cast(tf.convert_to_tensor(prediction), tf.float64)
    valid = tf.reduce_all(tf.math.is_finite(truth), axis=-1)
    chosen = valid[..., tf.newaxis]
    broken = tf.reduce_any(chosen & ~tf.math.is_finite(guess), axis=[1, 2, 3])
    tests = (
        # All of nothing is true: these three hold of an empty image too, and the fourth overrules.
        tf.reduce_all(~chosen | (truth == guess), axis=[1, 2, 3]),
        is_constant(truth, valid),
        is_constant(guess, valid),
        ~tf.reduce_any(valid, axis=[1, 2]),
        broken,
    )
    state = np.zeros(truth.shape[0], dtype=np.int64)
    for number, test in enumerate(tests, start=1):
        state = np.where(test.numpy(), number, state)
    return [STATES[i] for i in state]
