"""MS-SSIM: structure at five scales, from detail to what an image shows from afar."""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.config.vocabulary import EXTENDED, MS_SSIM, MS_SSIM_PX
from sensor2sensor.metrics.arrays import masked_mean, whole_windows
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import (
    SSIM_WINDOW_PX,
    mean_over_bands,
    need,
    similarity,
    ssim_windows,
)

# Of the paper's table I, found with people who looked at images of one scale each; they sum to 1.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def coarsest_windows(valid: tf.Tensor) -> tf.Tensor:
    """Windows of the coarsest scale that hold valid pixels only: ``[B, H, W]`` to ``[B, h, w]``."""
    for _ in WEIGHTS[1:]:
        valid = halve_mask(valid)
    return whole_windows(valid, SSIM_WINDOW_PX)


@register(
    MS_SSIM,
    label="MS-SSIM",
    unit="1",
    better="higher",
    paper="Wang, Simoncelli, Bovik 2003, Asilomar, equation 7, five scales",
    places=coarsest_windows,
    profile=EXTENDED,
)
def ms_ssim(inputs: MetricInputs) -> tf.Tensor:
    """Multi-scale SSIM (Wang, Simoncelli, Bovik 2003, 37th Asilomar Conference, equation 7).

    Per band Π_j cs_j^w_j over the four finer scales, times SSIM^w_5 of the coarsest, where cs_j is
    the mean over windows of (2 cov + C2) / (var_x + var_y + C2); windows, constants and range are
    those of ``ssim``, and each scale is the mean over 2 x 2 pixels of the one before (the last row
    or column repeated where their number is odd), as in the authors' code. Mean over bands.

    A mean cs_j or SSIM below 0 (contrast that is reversed) has no real power: it counts 0, and so
    does the band's product, as in TensorFlow, piq and pytorch-msssim. A scale without a window that
    holds valid pixels only is undefined, NaN.

    Raises:
        InputError: Images below 161 pixels, whose coarsest scale holds no window.
    """
    need(inputs, MS_SSIM_PX, MS_SSIM)
    x, y = inputs.scaled_target, inputs.scaled_prediction
    valid, seen = inputs.valid, inputs.seen
    product = tf.constant(1.0, x.dtype)
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, y, valid = halve(x), halve(y), halve_mask(valid)
            seen = None if seen is None else halve_mask(seen)
        luminance, structure = similarity(x, y)
        coarsest = scale == len(WEIGHTS) - 1
        values = luminance * structure if coarsest else structure
        mean = masked_mean(values, ssim_windows(valid, seen))
        product *= tf.where(mean < 0.0, tf.zeros_like(mean), mean) ** weight
    return mean_over_bands(product)


def halve(x: tf.Tensor) -> tf.Tensor:
    """Mean over 2 x 2 pixels: ``[B, H, W, C]`` to half the size, rounded up."""
    x = _even(x, [[0, 0]])
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4.0


def halve_mask(valid: tf.Tensor) -> tf.Tensor:
    """Where all of 2 x 2 pixels are valid: ``[B, H, W]`` bool to half the size, rounded up."""
    x = _even(valid, [])
    return x[:, ::2, ::2] & x[:, 1::2, ::2] & x[:, ::2, 1::2] & x[:, 1::2, 1::2]


def _even(x: tf.Tensor, behind: list[list[int]]) -> tf.Tensor:
    """The last row and column repeated where their number is odd."""
    size = tf.shape(x)[1:3] % 2
    sides = [[0, 0], [0, size[0]], [0, size[1]], *behind]
    return tf.pad(x, sides, mode="SYMMETRIC")
