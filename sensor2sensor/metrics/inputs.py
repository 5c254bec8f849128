"""What every metric gets to see: one checked batch of target and prediction in physical units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.core.errors import InputError


@dataclass(frozen=True)
class MetricInputs:
    """A batch, its value ranges and its geometry.

    Attributes:
        target: Truth ``[B, H, W, C]`` float64 in physical units, 0 where invalid.
        prediction: The same for the prediction.
        valid: Pixels whose truth is finite in every band, ``[B, H, W]`` bool.
        lows: Lower end of each band's value range, ``[C]`` physical units.
        spans: Width of each band's value range, ``[C]`` physical units.
        factor: Input pixel size over target pixel size (30 for 300 m to 10 m).
        bands: Names of the C bands, or None where they are not known.
    """

    target: tf.Tensor
    prediction: tf.Tensor
    valid: tf.Tensor
    lows: tf.Tensor
    spans: tf.Tensor
    factor: float
    bands: tuple[str, ...] | None = None

    @cached_property
    def scaled_target(self) -> tf.Tensor:
        """The target with each band's value range mapped to [0, 1], not clipped."""
        return (self.target - self.lows) / self.spans

    @cached_property
    def scaled_prediction(self) -> tf.Tensor:
        """The prediction with each band's value range mapped to [0, 1], not clipped."""
        return (self.prediction - self.lows) / self.spans

    @cached_property
    def difference(self) -> tf.Tensor:
        """Prediction minus target in physical units."""
        return self.prediction - self.target


def check_shapes(target: tf.Tensor, prediction: tf.Tensor) -> None:
    """Refuse anything but two batches ``[B, H, W, C]`` of one shape.

    Raises:
        InputError: Naming both shapes.
    """
    if target.shape != prediction.shape or len(target.shape) != 4:
        raise InputError(
            f"metrics need two batches [B, H, W, C] of one shape, not {tuple(target.shape)} "
            f"and {tuple(prediction.shape)}",
            where="metrics",
            hint="add the batch axis or compare images of the same size",
        )


def check_ranges(value_ranges: Any, channels: int) -> np.ndarray:
    """The value ranges as float64 ``[C, 2]`` with low < high.

    Raises:
        InputError: If the shape does not fit or a range is empty.
    """
    ranges = np.asarray(value_ranges, dtype=np.float64)
    if ranges.shape != (channels, 2) or not np.all(ranges[:, 1] > ranges[:, 0]):
        raise InputError(
            f"value ranges must be {channels} rows (low, high) with low < high, got "
            f"{ranges.tolist()}",
            where="metrics",
            hint="take them from DatasetContract.target_ranges()",
        )
    return ranges


def prepare(
    target: Any,
    prediction: Any,
    *,
    value_ranges: Any,
    factor: float,
    bands: Sequence[str] | None = None,
) -> tuple[MetricInputs, tf.Tensor]:
    """Check a batch and mark what can be scored.

    Args:
        target: Truth ``[B, H, W, C]``, physical units, NaN = no data.
        prediction: Prediction ``[B, H, W, C]``, physical units.
        value_ranges: ``[C, 2]`` low and high of each band.
        factor: Input pixel size over target pixel size.
        bands: Names of the C bands.

    Returns:
        The inputs, and ``[B]`` bool: False where nothing can be scored, because no truth pixel is
        valid or the prediction is not finite on a valid one (which must never pass for no data).

    Raises:
        InputError: On shapes or ranges that do not fit.
    """
    truth = tf.cast(tf.convert_to_tensor(target), tf.float64)
    guess = tf.cast(tf.convert_to_tensor(prediction), tf.float64)
    check_shapes(truth, guess)
    ranges = check_ranges(value_ranges, int(truth.shape[-1]))
    valid = tf.reduce_all(tf.math.is_finite(truth), axis=-1)
    broken = valid & tf.reduce_any(~tf.math.is_finite(guess), axis=-1)
    scorable = tf.reduce_any(valid, axis=[1, 2]) & ~tf.reduce_any(broken, axis=[1, 2])
    usable = (valid & ~broken)[..., tf.newaxis]
    inputs = MetricInputs(
        target=tf.where(usable, truth, 0.0),
        prediction=tf.where(usable, guess, 0.0),
        valid=valid,
        lows=tf.constant(ranges[:, 0]),
        spans=tf.constant(ranges[:, 1] - ranges[:, 0]),
        factor=float(factor),
        bands=tuple(bands) if bands is not None else None,
    )
    return inputs, scorable
