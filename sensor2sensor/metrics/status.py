"""Why a number is missing: the state of each image of a batch."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.metrics.arrays import FLOAT32_STEP
from sensor2sensor.metrics.inputs import check, prepare

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
    unit = np.array([[0.0, 1.0]] * np.shape(target)[-1])
    truth, guess, _ = check(target, prediction, unit)
    state = np.zeros(truth.shape[0], dtype=np.int64)
    found = _tests(tuple(truth.shape[1:]), truth.dtype)(truth, guess)
    for number, test in enumerate(found, start=1):
        state = np.where(test.numpy(), number, state)
    return [STATES[i] for i in state]


@lru_cache(maxsize=32)
def _tests(image: tuple[int, ...], dtype: tf.DType) -> Any:
    """The graph that tells whether each state but the first applies, of images of one size."""
    spec = tf.TensorSpec([None, *image], dtype)
    unit = tf.constant([[0.0, 1.0]] * image[-1], tf.float64)

    @tf.function(input_signature=(spec, spec), autograph=False)  # type: ignore[untyped-decorator]
    def tests(truth: tf.Tensor, guess: tf.Tensor) -> tuple[tf.Tensor, ...]:
        inputs, scorable = prepare(truth, guess, unit, tf.constant(1.0, tf.float64))
        planes, some = inputs.planes, tf.reduce_any(inputs.valid, axis=[1, 2])
        equal = tf.reduce_all(planes.target == planes.prediction, axis=0)
        constant = [
            high - low <= 4 * FLOAT32_STEP * magnitude
            for (low, high), magnitude in zip(planes.ends, planes.magnitudes, strict=True)
        ]
        # What holds of every pixel holds of an image without any: the fourth overrules it.
        whole = [tf.reduce_all(planes.fold(one), axis=-1) for one in (equal, *constant)]
        return (*whole, ~some, some & ~scorable)

    return tests
