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
from sensor2sensor.metrics.arrays import (
    FLOAT32_STEP,
    magnitude,
    masked_mean,
    pad,
    pearson,
    spread,
    whole_windows,
    windows,
)
from sensor2sensor.metrics.inputs import MetricInputs
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
    height, width = inputs.target.shape[1:3]
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
    return tf.sqrt(mean_over_bands(masked_mean(inputs.difference**2, inputs.valid)))


@register("l1", label="L1", unit=BAND_UNIT, better="lower", paper="mean absolute difference")
def l1(inputs: MetricInputs) -> tf.Tensor:
    """Mean absolute error over pixels and bands, in physical units."""
    return mean_over_bands(masked_mean(tf.abs(inputs.difference), inputs.valid))


@register(
    "psnr", label="PSNR", unit="dB", better="higher", paper="10 log10(L²/MSE), L the value range"
)
def psnr(inputs: MetricInputs) -> tf.Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE) after scaling each band by its range.

    +inf for identical images: perfect, to be counted and never averaged.
    """
    # One logarithm over all bands: the mean of the bands' PSNR would be another number.
    error = (inputs.difference / inputs.spans) ** 2
    return -10.0 / math.log(10.0) * tf.math.log(mean_over_bands(masked_mean(error, inputs.valid)))


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
    return structural_similarity(inputs, inputs.scaled_target, inputs.scaled_prediction, 1.0)


def structural_similarity(
    inputs: MetricInputs, x: tf.Tensor, y: tf.Tensor, span: float
) -> tf.Tensor:
    """SSIM of a target and a prediction whose value range is ``span`` wide: ``[B]``."""
    need(inputs, SSIM_WINDOW_PX, "ssim")
    kernel = _gaussian(SSIM_WINDOW_PX, SSIM_SIGMA_PX)
    mean_x, mean_y = windows(x, kernel, kernel), windows(y, kernel, kernel)
    var_x = windows(x * x, kernel, kernel) - mean_x**2
    var_y = windows(y * y, kernel, kernel) - mean_y**2
    cov = windows(x * y, kernel, kernel) - mean_x * mean_y
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return mean_over_bands(masked_mean(top / bottom, ssim_places(inputs)))


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
    x, y, mask = inputs.target, inputs.prediction, inputs.valid
    noise_x = 4 * FLOAT32_STEP * magnitude(x, mask)
    noise_y = 4 * FLOAT32_STEP * magnitude(y, mask)
    return mean_over_bands(pearson(x, y, mask, noise_x, noise_y))


def _zhou_laplacian(x: tf.Tensor) -> tf.Tensor:
    """Response of [-1 -1 -1; -1 8 -1; -1 -1 -1] where it fits: ``[B, H-2, W-2, C]``."""
    # Nine times the centre less the sum of all nine is 8 and eight times -1.
    return 9.0 * x[:, 1:-1, 1:-1] - windows(x, [1.0] * 3, [1.0] * 3)


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
    x, y = inputs.target, inputs.prediction
    mask = whole_windows(inputs.valid, LAPLACIAN_PX)
    noise_x = LAPLACIAN_NOISE * magnitude(x, inputs.valid)
    noise_y = LAPLACIAN_NOISE * magnitude(y, inputs.valid)
    high_x, high_y = _zhou_laplacian(x), _zhou_laplacian(y)
    return mean_over_bands(pearson(high_x, high_y, mask, noise_x, noise_y))


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
    error = pad(inputs.difference / inputs.spans, 1, 1, "REFLECT")
    response = tf.abs(laplacian(error))
    return mean_over_bands(masked_mean(response, whole_crosses(inputs.valid)))


def laplacian(padded: tf.Tensor) -> tf.Tensor:
    """Response of [0 -1 0; -1 4 -1; 0 -1 0] where it fits: ``[B, H+2, W+2, C] -> [B, H, W, C]``."""
    inner = padded[:, 1:-1, 1:-1]
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    return 4.0 * inner - around


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
    box = [1.0 / UIQI_WINDOW_PX] * UIQI_WINDOW_PX
    x, y = inputs.target, inputs.prediction
    mean_x, mean_y = windows(x, box, box), windows(y, box, box)
    squares = mean_x**2 + mean_y**2
    variances = windows(x * x + y * y, box, box) - squares
    cov = windows(x * y, box, box) - mean_x * mean_y
    luminance = tf.where(squares > 0.0, tf.math.divide_no_nan(2 * mean_x * mean_y, squares), 1.0)
    flat = variances <= 1e-12 * squares  # float64 rounding of the two sums
    # A Python 1.0 in first place would be float32 in a graph and float64 outside of one.
    one = tf.constant(1.0, x.dtype)
    structure = tf.where(flat, one, tf.math.divide_no_nan(2 * cov, variances))
    mask = whole_windows(inputs.valid, UIQI_WINDOW_PX)
    return mean_over_bands(masked_mean(luminance * structure, mask))


def is_constant(x: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Whether every band is constant up to float32 rounding: ``[B, H, W, C]`` -> ``[B]`` bool."""
    return tf.reduce_all(spread(x, valid) <= 4 * FLOAT32_STEP * magnitude(x, valid), axis=-1)
