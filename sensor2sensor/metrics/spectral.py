"""Metrics across bands: SAM and ERGAS."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from sensor2sensor.metrics.arrays import NAN, masked_mean
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
    if inputs.target.shape[-1] == 1:
        return tf.fill(tf.shape(inputs.target)[:1], tf.constant(NAN, tf.float64))
    # An angle is blind to gain: a prediction twice as bright is perfect. Read it beside RMSE.
    norm_x = tf.norm(inputs.target, axis=-1, keepdims=True)
    norm_y = tf.norm(inputs.prediction, axis=-1, keepdims=True)
    u = tf.math.divide_no_nan(inputs.target, norm_x)
    v = tf.math.divide_no_nan(inputs.prediction, norm_y)
    # Kahan's form of the angle between two vectors.
    angle = 2.0 * tf.atan2(tf.norm(u - v, axis=-1), tf.norm(u + v, axis=-1))
    mask = inputs.valid & has_angle(inputs.target)
    return masked_mean(angle[..., tf.newaxis], mask)[:, 0] * (180.0 / math.pi)


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
    mean = masked_mean(inputs.target, inputs.valid)
    square = masked_mean(inputs.difference**2, inputs.valid)
    relative = tf.where(mean == 0.0, tf.constant(NAN, mean.dtype), square / mean**2)
    return 100.0 / inputs.factor * tf.sqrt(tf.reduce_mean(relative, axis=-1))
