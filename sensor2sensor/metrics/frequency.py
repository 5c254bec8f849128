"""HF-LSD: how wrong the detail is that the input cannot show, whatever its place in the image."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from sensor2sensor.metrics.arrays import FLOAT32_STEP, NAN, magnitude, masked_mean, spread
from sensor2sensor.metrics.inputs import MetricInputs

# Variance of rounding to steps of 1e-4 (uniform over a step: step^2 / 12), in units of the value
# range: Sentinel-2 products store reflectance so. Less power than that is no detail of the ground.
POWER_FLOOR = 1e-4**2 / 12
DECIBEL = 10.0 / math.log(10.0)


def lsd_hf(inputs: MetricInputs) -> tf.Tensor:
    """Log-spectral distance beyond the input's Nyquist frequency, in dB.

    Each band is scaled by its value range, freed of its mean and multiplied by a Hann window. The
    power spectral density |FFT|² / sum(window²), which is flat at the variance for white noise,
    is averaged over rings one frequency step wide. The result is the mean, over the rings with
    1 / (2 factor) < f <= 0.5 cycles per target pixel and over bands, of
    |10 log10((P_prediction + floor) / (P_target + floor))|. Compared are amounts of detail and not
    places: white noise scaled by g is |20 log10 g| away from itself, a blurred image far from the
    sharp one. The radial spectrum is that of Durall, Keuper, Keuper 2020 (CVPR, "Watch your
    Up-Convolution"), which takes it without a window; ``POWER_FLOOR`` stands for the rounding noise
    of products.

    Returns:
        ``[B]``. NaN where the truth of a band is constant, where pixels without truth leave holes
        (whose edges have power at every frequency), and without any ring beyond the input's
        Nyquist frequency, as at factor 1.
    """
    constant = spread(inputs.target, inputs.valid) <= 4 * FLOAT32_STEP * magnitude(
        inputs.target, inputs.valid
    )
    whole = tf.reduce_all(inputs.valid, axis=[1, 2])
    defined = whole & ~tf.reduce_any(constant, axis=-1)
    rings = _rings(*inputs.target.shape[1:3], inputs.factor)
    if rings.shape[1] == 0:
        return tf.fill(tf.shape(defined), tf.constant(NAN, tf.float64))
    truth = _level_db(inputs.scaled_target, inputs.valid, rings)
    guess = _level_db(inputs.scaled_prediction, inputs.valid, rings)
    return tf.where(defined, tf.reduce_mean(tf.abs(guess - truth), axis=[1, 2]), NAN)


def _rings(height: int, width: int, factor: float) -> np.ndarray:
    """Weights ``[H * W, rings]`` that average a spectrum over the rings beyond the input's Nyquist.

    A ring is one frequency step of the shorter side wide; corners beyond 0.5 belong to none.
    """
    side = min(height, width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)).ravel()
    number = np.rint(frequency * side).astype(int)
    beyond = [ring for ring in range(1, side // 2 + 1) if ring / side > 0.5 / factor]
    member = (number[:, None] == np.array(beyond, int)).astype(np.float64)
    return member / member.sum(axis=0)


def _level_db(image: tf.Tensor, valid: tf.Tensor, rings: np.ndarray) -> tf.Tensor:
    """Power spectral density of the rings in dB: ``[B, H, W, C]`` -> ``[B, C, rings]``."""
    height, width, channels = image.shape[1:]
    window = tf.constant(np.outer(_hann(height), _hann(width))[..., None])
    detail = (image - masked_mean(image, valid)[:, tf.newaxis, tf.newaxis]) * window
    planes = tf.cast(tf.transpose(detail, [0, 3, 1, 2]), tf.complex128)
    power = tf.abs(tf.signal.fft2d(planes)) ** 2 / tf.reduce_sum(window**2)
    flat = tf.reshape(power, [-1, channels, height * width])
    return DECIBEL * tf.math.log(flat @ tf.constant(rings) + POWER_FLOOR)


def _hann(size_px: int) -> np.ndarray:
    """The Hann window sampled at pixel centres, so that none of the few pixels gets weight 0."""
    return np.sin(np.pi * (np.arange(size_px) + 0.5) / size_px) ** 2
