"""Metrics across bands: SAM and ERGAS."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from sensor2sensor.metrics.arrays import NAN
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register

# Spectra shorter than this have no direction; one digital number of reflectance is 1e-4.
ZERO_NORM = 1e-6


@register("sam", label="SAM", unit="degrees", better="lower", paper="Yuhas, Goetz, Boardman 1992")
def sam(inputs: MetricInputs) -> tf.Tensor:
    """Spectral angle in degrees (Yuhas, Goetz, Boardman 1992), mean over pixels.

    Pixels whose truth is zero (norm below 1e-6) have no angle and are left out; a zero prediction
    of any other truth counts 90 degrees, so that nothing is gained by predicting none. NaN where no
    pixel is left, and for a single band, whose spectra all have one direction. The angle is taken
    as 2 atan2(|u - v|, |u + v|) of the unit spectra u, v: equal to the clipped arc cosine, without
    its loss of all digits near zero, and 90 degrees where v is zero.
    """
    if inputs.truth.shape[-1] == 1:
        return tf.fill(tf.shape(inputs.truth)[:1], tf.constant(NAN, tf.float64))
    # An angle is blind to gain: a prediction twice as bright is perfect. Read it beside RMSE.
    planes = inputs.planes
    spans = planes.planes(inputs.spans)
    x, y = planes.target * spans, planes.prediction * spans
    norm_x, norm_y = planes.norm(x), planes.norm(y)
    u = tf.math.divide_no_nan(x, tf.tile(norm_x, [1, planes.bands]))
    v = tf.math.divide_no_nan(y, tf.tile(norm_y, [1, planes.bands]))
    # Kahan's form of the angle between two vectors.
    angle = 2.0 * tf.atan2(planes.norm(u - v), planes.norm(u + v))
    valid = tf.reshape(tf.transpose(inputs.valid, [1, 2, 0]), tf.shape(norm_x))
    weight = tf.cast(valid & (norm_x >= ZERO_NORM), angle.dtype)
    total = tf.reduce_sum(angle * weight, axis=0)
    return total / tf.reduce_sum(weight, axis=0) * (180.0 / math.pi)


def has_angle(truth: tf.Tensor) -> tf.Tensor:
    """Pixels that SAM does not leave out: ``[B, H, W, C]`` -> ``[B, H, W]`` bool."""
    return tf.norm(truth, axis=-1) >= ZERO_NORM


def zero_truth(target: Any) -> tuple[int, int]:
    """How many pixels SAM leaves out because their truth is zero, and how many have a truth.

    Args:
        target: Truth ``[B, H, W, C]`` in physical units, NaN = no data.
    """
    truth = tf.cast(tf.convert_to_tensor(target), tf.float64)
    valid = tf.reduce_all(tf.math.is_finite(truth), axis=-1)
    zero = valid & ~has_angle(truth)
    return int(tf.math.count_nonzero(zero)), int(tf.math.count_nonzero(valid))


@register("ergas", label="ERGAS", unit="1", better="lower", paper="Wald 2000, Fusion of Earth Data")
def ergas(inputs: MetricInputs) -> tf.Tensor:
    """Relative global error in synthesis, in percent (Wald 2000; 2002).

    100 (h/l) sqrt(mean over bands of RMSE_b^2 / mean(y_b)^2) with the target's mean and the real
    ratio h/l = target pixel / input pixel = 1 / factor. NaN where a band of the target has mean 0.
    """
    # Of the truth: that of the prediction would reward an image that is too bright.
    planes = inputs.planes
    mean = planes.fold(planes.mean(planes.target))
    relative = planes.square_error / mean**2
    relative = tf.where(mean == 0.0, tf.constant(NAN, mean.dtype), relative)
    return 100.0 / inputs.factor * tf.sqrt(tf.reduce_mean(relative, axis=-1))
