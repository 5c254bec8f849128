"""HF-LSD: how wrong the detail is that the input cannot show, whatever its place in the image."""

from __future__ import annotations

import math

import tensorflow as tf

from sensor2sensor.metrics.arrays import FLOAT32_STEP, NAN
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.planes import Planes
from sensor2sensor.metrics.registry import register

# Variance of rounding to steps of 1e-4 (uniform over a step: step^2 / 12), in units of the value
# range: Sentinel-2 products store reflectance so. Less power than that is no detail of the ground.
POWER_FLOOR = 1e-4**2 / 12
DECIBEL = 10.0 / math.log(10.0)


@register(
    "lsd_hf",
    label="HF-LSD",
    unit="dB",
    better="lower",
    paper="mean |Δ log power| beyond the input's Nyquist frequency; Durall et al. 2020, CVPR",
)
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
    planes = inputs.planes
    low, high = planes.ends[0]
    constant = planes.fold(high - low <= 4 * FLOAT32_STEP * planes.magnitudes[0])
    whole = tf.reduce_all(inputs.valid, axis=[1, 2])
    defined = whole & ~tf.reduce_any(constant, axis=-1)
    truth, guess = (_level_db(image, planes) for image in planes.centred)
    side = tf.minimum(planes.height_px, planes.row_px)
    ring = tf.cast(tf.range(tf.shape(truth)[0]), tf.float64) / tf.cast(side, tf.float64)
    # One sample every factor pixels: the input's Nyquist frequency in cycles per target pixel.
    beyond = tf.cast(ring > 0.5 / inputs.factor, tf.float64)
    # Without a ring this is 0 / 0: undefined, as it should be.
    mean = tf.linalg.matvec(tf.abs(guess - truth), beyond, transpose_a=True)
    mean = tf.reduce_mean(planes.fold(mean / tf.reduce_sum(beyond)), axis=-1)
    return tf.where(defined, mean, tf.constant(NAN, tf.float64))


def _level_db(centred: tf.Tensor, planes: Planes) -> tf.Tensor:
    """Power spectral density by ring in dB: ``[H * W, N]`` -> ``[side // 2 + 1, N]``.

    Ring k holds the frequencies around k steps of the shorter side; corners beyond 0.5 cycles per
    pixel belong to none.
    """
    height, width = planes.height_px, planes.row_px
    # Without a window the step between opposite borders would be power at every frequency.
    window = _hann(height)[:, tf.newaxis] * _hann(width)
    # rfft2d takes the last two axes.
    detail = tf.transpose(planes.images(centred), [2, 0, 1]) * window
    spectrum = tf.signal.rfft2d(detail)
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    # The spectrum of real numbers is its own mirror image: half of it is computed, and what has a
    # mirror image in the other half counts twice.
    half = width // 2 + 1
    column = tf.range(half)
    alone = (column == 0) | (2 * column == width)
    twice = tf.where(alone, tf.ones([half], tf.float64), tf.constant(2.0, tf.float64))
    power = tf.reshape(power * twice, [-1, height * half])
    side = tf.minimum(height, width)
    radius = tf.sqrt(_frequency(height)[:, tf.newaxis] ** 2 + _frequency(width)[:half] ** 2)
    ring = tf.cast(tf.round(radius * tf.cast(side, tf.float64)), tf.int32)
    ring, count = tf.reshape(ring, [-1]), tf.reduce_max(ring) + 1
    members = tf.math.unsorted_segment_sum(tf.tile(twice, [height]), ring, count)
    rings = tf.math.unsorted_segment_sum(tf.transpose(power), ring, count)
    rings /= (members * tf.reduce_sum(window**2))[:, tf.newaxis]
    return DECIBEL * tf.math.log(rings[: side // 2 + 1] + POWER_FLOOR)


def _frequency(size_px: tf.Tensor) -> tf.Tensor:
    """Cycles per pixel of each place of a discrete Fourier transform, as ``numpy.fft.fftfreq``."""
    place = tf.range(size_px)
    signed = tf.where(place < (size_px + 1) // 2, place, place - size_px)
    return tf.cast(signed, tf.float64) / tf.cast(size_px, tf.float64)


def _hann(size_px: tf.Tensor) -> tf.Tensor:
    """The Hann window sampled at pixel centres, so that none of the few pixels gets weight 0."""
    place = tf.cast(tf.range(size_px), tf.float64) + 0.5
    return tf.sin(math.pi * place / tf.cast(size_px, tf.float64)) ** 2
