"""What every metric gets to see: one checked batch of target and prediction in physical units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.lpips_file import LpipsFile
from sensor2sensor.metrics.planes import Planes


@dataclass(frozen=True)
class MetricInputs:
    """A batch, its value ranges and its geometry.

    Attributes:
        truth: As it is given, ``[B, H, W, C]`` in physical units; NaN = no data.
        guess: The same for the prediction.
        usable: Pixels where both are finite in every band, ``[B, H, W]`` bool.
        valid: Pixels whose truth is finite in every band, ``[B, H, W]`` bool.
        lows: Lower end of each band's value range, ``[C]`` physical units.
        spans: Width of each band's value range, ``[C]`` physical units.
        factor: Input pixel size over target pixel size (30 for 300 m to 10 m), scalar float64.
        colour: Positions of true-colour red, green, blue among the C bands, or None.
        seen: Pixels whose truth is finite, ``[B, H, W]`` bool, where ``valid`` is a part of them to
            which a window counts by its centre; None where windows lie wholly in ``valid``.
        red_nir: Positions of red and near infrared among the C bands, or None.
        lpips: The weights that ``lpips`` looks through, or None.
    """

    truth: tf.Tensor
    guess: tf.Tensor
    usable: tf.Tensor
    valid: tf.Tensor
    lows: tf.Tensor
    spans: tf.Tensor
    factor: tf.Tensor
    colour: tuple[int, int, int] | None = None
    seen: tf.Tensor | None = None
    red_nir: tuple[int, int] | None = None
    lpips: LpipsFile | None = None

    @cached_property
    def target(self) -> tf.Tensor:
        """Truth ``[B, H, W, C]`` float64 in physical units, 0 where invalid."""
        # 0, not NaN: NaN spreads through windows and FFTs, and 0 * NaN comes back in gradients.
        return tf.where(self.usable[..., tf.newaxis], tf.cast(self.truth, tf.float64), 0.0)

    @cached_property
    def prediction(self) -> tf.Tensor:
        """The same for the prediction."""
        return tf.where(self.usable[..., tf.newaxis], tf.cast(self.guess, tf.float64), 0.0)

    @cached_property
    def scaled_target(self) -> tf.Tensor:
        """The target with each band's value range mapped to [0, 1], not clipped."""
        return (self.target - self.lows) / self.spans

    @cached_property
    def scaled_prediction(self) -> tf.Tensor:
        """The prediction with each band's value range mapped to [0, 1], not clipped."""
        return (self.prediction - self.lows) / self.spans

    @cached_property
    def planes(self) -> Planes:
        """The batch with its pixels first, where windows and sums cost least."""
        return Planes(self)

    @cached_property
    def difference(self) -> tf.Tensor:
        """Prediction minus target in physical units."""
        return self.prediction - self.target


def check_shapes(target: tf.Tensor, prediction: tf.Tensor) -> None:
    """Refuse anything but two batches ``[B, H, W, C]`` of one shape with a known C.

    Raises:
        InputError: Naming both shapes.
    """
    one, other = (
        x.shape.as_list() if x.shape.rank is not None else None for x in (target, prediction)
    )
    if one != other or one is None or len(one) != 4 or one[-1] is None:
        raise InputError(
            f"metrics need two batches [B, H, W, C] of one shape with a known C, not {one} and "
            f"{other}",
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


def check(
    target: Any, prediction: Any, value_ranges: Any
) -> tuple[tf.Tensor, tf.Tensor, np.ndarray]:
    """The two batches, both float32 or both float64, and the value ranges in float64.

    Raises:
        InputError: On shapes or ranges that do not fit.
    """
    truth, guess = tf.convert_to_tensor(target), tf.convert_to_tensor(prediction)
    # Of float32, which records are, the graph makes float64 where it turns them anyway.
    if truth.dtype != tf.float32 or guess.dtype != tf.float32:
        truth, guess = tf.cast(truth, tf.float64), tf.cast(guess, tf.float64)
    check_shapes(truth, guess)
    return truth, guess, check_ranges(value_ranges, int(truth.shape[-1]))


def prepare(
    truth: tf.Tensor,
    guess: tf.Tensor,
    ranges: tf.Tensor,
    factor: tf.Tensor,
    colour: tuple[int, int, int] | None = None,
    part: tf.Tensor | None = None,
) -> tuple[MetricInputs, tf.Tensor]:
    """Mark what can be scored.

    Args:
        truth: ``[B, H, W, C]`` float32 or float64, physical units, NaN = no data.
        guess: Prediction of the same shape, type and units.
        ranges: ``[C, 2]`` float64 low and high of each band.
        factor: Input pixel size over target pixel size, scalar float64.
        colour: Positions of red, green, blue among the C bands.
        part: Pixels ``[B, H, W]`` that are scored alone, in whole images; None scores all.

    Returns:
        The inputs, and ``[B]`` bool: False where nothing can be scored, because no truth pixel is
        valid or the prediction is not finite on a valid one (which must never pass for no data).
    """
    valid = tf.reduce_all(tf.math.is_finite(truth), axis=-1)
    broken = valid & ~tf.reduce_all(tf.math.is_finite(guess), axis=-1)
    usable = valid & ~broken
    seen, valid = (None, valid) if part is None else (valid, valid & part)
    # Broken outside a part too: a window that reaches it would be scored as if it were black.
    scorable = tf.reduce_any(valid, axis=[1, 2]) & ~tf.reduce_any(broken, axis=[1, 2])
    inputs = MetricInputs(
        truth=truth,
        guess=guess,
        usable=usable,
        valid=valid,
        lows=ranges[:, 0],
        spans=ranges[:, 1] - ranges[:, 0],
        factor=factor,
        colour=colour,
        seen=seen,
    )
    return inputs, scorable
