"""Metrics per band: SSIM, PSNR, SCC, HP-L1, UIQI, CC, RMSE and L1.

Each function maps :class:`~sensor2sensor.metrics.inputs.MetricInputs` to ``[B]`` float64. NaN means
"undefined for this image", +inf "perfect" (PSNR only). Pixels without valid truth are left out;
metrics made of windows use the windows that hold valid pixels only.
"""

from __future__ import annotations

import math
from functools import partial

import tensorflow as tf

from sensor2sensor.config.vocabulary import BAND_UNIT
from sensor2sensor.core.errors import InputError
from sensor2sensor.metrics.arrays import FLOAT32_STEP, whole_windows, windows
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.planes import (
    boxes,
    flat,
    laplacian4,
    laplacian8,
    pearson,
    places,
    separable,
    size_of,
)
from sensor2sensor.metrics.registry import register

SSIM_WINDOW_PX = 11
SSIM_SIGMA_PX = 1.5
UIQI_WINDOW_PX = 8
LAPLACIAN_PX = 3
# Rounding of float32 sources reaches a 3x3 Laplacian with the sum of its absolute weights.
LAPLACIAN_NOISE = 16 * FLOAT32_STEP


def mean_over_bands(per_band: tf.Tensor) -> tf.Tensor:
    """``[B, C]`` -> ``[B]``; one undefined band makes the image undefined."""
    return tf.reduce_mean(per_band, axis=-1)


def need(inputs: MetricInputs, size_px: int, name: str) -> None:
    """Refuse images smaller than the metric's window, where their size is known."""
    height, width = inputs.truth.shape[1:3]
    if any(side is not None and side < size_px for side in (height, width)):
        raise InputError(
            f"{name} needs images of at least {size_px} x {size_px} pixels, not {height} x {width}",
            where="metrics",
            hint="leave this metric out of names=...",
        )


@register(
    "rmse",
    label="RMSE",
    unit=BAND_UNIT,
    better="lower",
    paper="root of the mean squared difference",
)
def rmse(inputs: MetricInputs) -> tf.Tensor:
    """Root mean square error over pixels and bands, in physical units."""
    return tf.sqrt(mean_over_bands(inputs.planes.square_error * inputs.spans**2))


@register("l1", label="L1", unit=BAND_UNIT, better="lower", paper="mean absolute difference")
def l1(inputs: MetricInputs) -> tf.Tensor:
    """Mean absolute error over pixels and bands, in physical units."""
    return mean_over_bands(mean_error(inputs) * inputs.spans)


def mean_error(inputs: MetricInputs) -> tf.Tensor:
    """Mean absolute difference in value ranges: ``[B, C]``."""
    planes = inputs.planes
    return planes.fold(planes.mean(tf.abs(planes.moments[0][1])))


@register(
    "psnr", label="PSNR", unit="dB", better="higher", paper="10 log10(L²/MSE), L the value range"
)
def psnr(inputs: MetricInputs) -> tf.Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE) after scaling each band by its range.

    +inf for identical images: perfect, to be counted and never averaged.
    """
    # One logarithm over all bands: the mean of the bands' PSNR would be another number.
    return -10.0 / math.log(10.0) * tf.math.log(mean_over_bands(inputs.planes.square_error))


def _gaussian(size_px: int, sigma_px: float) -> list[float]:
    """Normalised samples of a Gaussian."""
    half = size_px // 2
    weights = [math.exp(-0.5 * (i / sigma_px) ** 2) for i in range(-half, half + 1)]
    return [weight / sum(weights) for weight in weights]


@register(
    "ssim",
    label="SSIM",
    unit="1",
    better="higher",
    paper="Wang et al. 2004, IEEE TIP 13(4)",
    places=partial(whole_windows, size_px=SSIM_WINDOW_PX),
)
def ssim(inputs: MetricInputs) -> tf.Tensor:
    """Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004, IEEE TIP 13(4), equation 13).

    Gaussian window 11 x 11, sigma 1.5, population covariance, K = (0.01, 0.03), L = 1 after scaling
    each band by its value range; mean over the windows that fit into the image, then over bands.
    """
    return structural_similarity(inputs)


def structural_similarity(inputs: MetricInputs, grey: float = 0.0) -> tf.Tensor:
    """SSIM of a target and a prediction whose value range is 1 wide: ``[B]``.

    Args:
        inputs: The batch.
        grey: Where in the value range the luminance is 0: 0.5 of images in [-1, 1].
    """
    need(inputs, SSIM_WINDOW_PX, "ssim")
    planes = inputs.planes
    kernel = _gaussian(SSIM_WINDOW_PX, SSIM_SIGMA_PX)
    means = [separable(planes.images(moment), kernel) for moment in planes.moments]
    both, apart, both2, apart2 = (flat(one[i]) for one in means for i in (0, 1))
    # Of s = x + y and d = x - y: 4 xy = s² - d², 2 (x² + y²) = s² + d², and so of their variances.
    bright = (both - planes.planes(2.0 * (inputs.lows / inputs.spans + grey))) ** 2 + 2 * 0.01**2
    apart = apart**2
    spread, noise = both2 - both**2 + 2 * 0.03**2, apart2 - apart
    value = (bright - apart) * (spread - noise) / ((bright + apart) * (spread + noise))
    where = places(ssim_places(inputs), planes.bands)
    return mean_over_bands(planes.fold(where.mean(value)))


def similarity(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Luminance, and contrast times structure, of every window of an SSIM: ``[B, H-10, W-10, C]``.

    Of values whose range is 1 wide; equations 6, 9 and 10 of Wang et al. 2004 with C3 = C2 / 2.
    """
    kernel = _gaussian(SSIM_WINDOW_PX, SSIM_SIGMA_PX)
    # All five in one: a graph of five times as many operations takes that much longer to build.
    # SSIM keeps its own form, whose last digits are on disk.
    moments = windows(tf.concat([x, y, x * x, y * y, x * y], axis=-1), kernel, kernel)
    mean_x, mean_y, square_x, square_y, product = tf.split(moments, 5, axis=-1)
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    spread_x, spread_y = square_x - mean_x**2, square_y - mean_y**2
    structure = 2 * (product - mean_x * mean_y) + 0.03**2
    return luminance, structure / (spread_x + spread_y + 0.03**2)


def ssim_places(inputs: MetricInputs) -> tf.Tensor:
    """Windows that an SSIM is the mean over: ``[B, H-10, W-10]`` bool."""
    return ssim_windows(inputs.valid, inputs.seen)


def ssim_windows(valid: tf.Tensor, seen: tf.Tensor | None) -> tf.Tensor:
    """Windows that hold valid pixels only: ``[B, H, W]`` bool to ``[B, H-10, W-10]``.

    Where a part of whole images is scored: seen pixels only, and their centre lies in the part.
    """
    if seen is None:
        return whole_windows(valid, SSIM_WINDOW_PX)
    half = SSIM_WINDOW_PX // 2
    return whole_windows(seen, SSIM_WINDOW_PX) & valid[:, half:-half, half:-half]


@register("cc", label="CC", unit="1", better="higher", paper="Pearson correlation, mean over bands")
def cc(inputs: MetricInputs) -> tf.Tensor:
    """Pearson correlation over all pixels, per band, mean over bands; NaN if a band is constant."""
    planes = inputs.planes
    noise = [4 * FLOAT32_STEP * magnitude for magnitude in planes.magnitudes]
    return mean_over_bands(planes.fold(pearson(*planes.centred, planes.pixels, *noise)))


@register(
    "scc",
    label="SCC",
    unit="1",
    better="higher",
    paper="Zhou, Civco, Silander 1998, IJRS 19(4)",
    places=partial(whole_windows, size_px=LAPLACIAN_PX),
)
def scc(inputs: MetricInputs) -> tf.Tensor:
    """Spatial correlation coefficient (Zhou, Civco, Silander 1998, Int. J. Remote Sensing 19(4)).

    Pearson correlation of the responses to the 8-neighbour Laplacian, per band, mean over bands.
    The outermost pixel ring, where the filter does not fit, is left out: padding would add an
    invented edge to both images and raise their correlation. NaN where a band has no high
    frequencies.
    """
    need(inputs, 4, "scc")
    planes = inputs.planes
    where = places(whole_windows(inputs.valid, LAPLACIAN_PX), planes.bands, planes.row_px)
    noise = [LAPLACIAN_NOISE * magnitude for magnitude in planes.magnitudes]
    pair = planes.target, planes.prediction
    high = [where.centred(laplacian8(x, planes.row_px)) for x in pair]
    return mean_over_bands(planes.fold(pearson(high[0], high[1], where, *noise)))


def whole_crosses(valid: tf.Tensor) -> tf.Tensor:
    """Where all of a pixel's neighbours are valid, mirrored at the border: ``[B, H, W]``."""
    padded = tf.pad(valid, [[0, 0], [1, 1], [1, 1]], mode="REFLECT")
    return whole_windows(padded, LAPLACIAN_PX)


@register(
    "hp_l1",
    label="HP-L1",
    unit="value range",
    better="lower",
    paper="mean |Δ Laplacian|, 3×3, reflected",
    places=whole_crosses,
)
def hp_l1(inputs: MetricInputs) -> tf.Tensor:
    """High-pass L1: mean absolute difference of 4-neighbour Laplacian responses.

    Kernel [0 -1 0; -1 4 -1; 0 -1 0] per band, borders mirrored without repeating the edge pixel
    (constants give 0 everywhere), in units of the band's value range. The filter is linear, so the
    response of the difference is the difference of the responses.
    """
    # Zeros at the border would be an edge of their own, as high as the image is bright.
    planes = inputs.planes
    error = planes.images(planes.moments[0])[1]
    error = tf.pad(error, [[1, 1], [1, 1], [0, 0]], mode="REFLECT")
    row_px = planes.row_px + 2
    where = places(whole_crosses(inputs.valid), planes.bands, row_px)
    return mean_over_bands(planes.fold(where.mean(tf.abs(laplacian4(flat(error), row_px)))))


@register(
    "uiqi",
    label="UIQI",
    unit="1",
    better="higher",
    paper="Wang, Bovik 2002, IEEE SPL 9(3)",
    places=partial(whole_windows, size_px=UIQI_WINDOW_PX),
)
def uiqi(inputs: MetricInputs) -> tf.Tensor:
    """Universal image quality index (Wang & Bovik 2002, IEEE SPL 9(3)) in sliding 8 x 8 windows.

    Q = 4 cov mean_x mean_y / ((var_x + var_y)(mean_x^2 + mean_y^2)). As in the authors' code a
    window without variance counts its luminance term 2 mean_x mean_y / (mean_x^2 + mean_y^2) alone,
    and one that is zero in both images counts 1.
    """
    need(inputs, UIQI_WINDOW_PX, "uiqi")
    planes = inputs.planes
    row_px, area = planes.row_px, UIQI_WINDOW_PX**2
    sums = [boxes(flat(moment), row_px, UIQI_WINDOW_PX) for moment in planes.moments]
    where = places(whole_windows(inputs.valid, UIQI_WINDOW_PX), planes.bands, row_px)
    # Sum and difference lie one behind the other, and windows that run from one into the other
    # count as little as those that run from row to row.
    count, image_px = size_of(where.weight, 0), planes.height_px * row_px
    both, apart, both2, apart2 = (
        one[start : start + count] for one in sums for start in (0, image_px)
    )
    both, apart = both**2, apart**2
    # In units that drop out of the quotients: 4 xy = s² - d², 2 (x² + y²) = s² + d².
    spread, noise = area * both2 - both, area * apart2 - apart
    squares, variances = both + apart, spread + noise
    luminance = tf.math.divide_no_nan(both - apart, squares)
    # A Python 1.0 in first place would be float32 in a graph and float64 outside of one.
    one = tf.ones_like(squares)
    flat_there = variances <= 1e-12 * squares  # float64 rounding of the two sums
    structure = tf.where(flat_there, one, tf.math.divide_no_nan(spread - noise, variances))
    value = tf.where(squares > 0.0, luminance, one) * structure
    return mean_over_bands(planes.fold(where.mean(value)))
