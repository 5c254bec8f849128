"""Profile ``pix2pix-maps``: the published scores of maps made photos, and sound ones beside them.

The published evaluation looks at images in [-1, 1]. Each band's value range in the contract (0 to
255 of a picture) is mapped there, whatever a model's own normalisation was.
"""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.config.vocabulary import PIX2PIX_MAPS
from sensor2sensor.metrics.arrays import magnitude, masked_mean, pad
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import (
    hp_l1,
    mean_error,
    mean_over_bands,
    structural_similarity,
    whole_crosses,
)

SPAN = 2.0  # of [-1, 1]


def symmetric(scaled: tf.Tensor) -> tf.Tensor:
    """Value ranges at [0, 1] to [-1, 1]."""
    return SPAN * scaled - 1.0


@register(
    "ssim_compat",
    label="SSIM on [-1, 1]",
    unit="1",
    better="higher",
    paper="as published with pix2pix-maps: Wang et al. 2004 on [-1, 1] with L = 2",
    profile=PIX2PIX_MAPS,
)
def ssim_compat(inputs: MetricInputs) -> tf.Tensor:
    """SSIM as published: that of ``ssim``, of images in [-1, 1] with L = 2.

    It is another number than on [0, 1]: the luminance (2ab + C1) / (a² + b² + C1) of two means a, b
    changes with a shift of both. A dark grey and a bright one are opposites here.
    """
    # With twice the contrast, against constants of twice the span: all that differs is its black.
    return structural_similarity(inputs, grey=0.5)


@register(
    "l1_compat",
    label="L1 on [-1, 1]",
    unit="half a value range",
    better="lower",
    paper="as published with pix2pix-maps: mean absolute difference on [-1, 1]",
    profile=PIX2PIX_MAPS,
)
def l1_compat(inputs: MetricInputs) -> tf.Tensor:
    """Mean absolute error of images in [-1, 1]."""
    return SPAN * l1_scaled(inputs)


@register(
    "l1_scaled",
    label="L1 on [0, 1]",
    unit="value range",
    better="lower",
    paper="mean absolute difference on [0, 1]",
    profile=PIX2PIX_MAPS,
)
def l1_scaled(inputs: MetricInputs) -> tf.Tensor:
    """Mean absolute error in units of each band's value range."""
    return mean_over_bands(mean_error(inputs))


def high_pass(image: tf.Tensor) -> tf.Tensor:
    """The published filter: ``[B, H, W, C] -> [B, H, W, 1]``, bands summed, zeros around.

    [0 -1 0; -1 4 -1; 0 -1 0].
    """
    summed = tf.reduce_sum(image, axis=-1, keepdims=True)
    padded = pad(summed, 1, 1)
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    return 4.0 * summed - around


@register(
    "hp_l1_compat",
    label="HP-L1 as published",
    unit="1",
    better="lower",
    paper="as published with pix2pix-maps: each response by its own largest, one image a batch",
    profile=PIX2PIX_MAPS,
)
def hp_l1_compat(inputs: MetricInputs) -> tf.Tensor:
    """HP-L1 as published: mean difference of two high-pass responses, each by its own largest.

    It is blind to contrast (of x and 0.3 x it is 0), and the border of a constant answers, since
    there are zeros around it. Published was the largest of a whole batch, so that a score depended
    on its neighbours; here it is that of the image, as in batches of one. A response that is 0
    everywhere (an image of the middle grey) stays 0, where the published code divided by it: NaN.
    """
    mask = whole_crosses(inputs.valid)
    scaled = inputs.scaled_target, inputs.scaled_prediction
    x, y = (_by_its_largest(high_pass(symmetric(image)), mask) for image in scaled)
    return masked_mean(tf.abs(x - y), mask)[:, 0]


def _by_its_largest(response: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    largest = magnitude(response, mask)[:, tf.newaxis, tf.newaxis]
    return tf.math.divide_no_nan(response, largest)


@register(
    "laplacian_l1",
    label="Laplacian L1",
    unit="value range",
    better="lower",
    paper="mean |Δ Laplacian|, 3×3, reflected, as hp_l1 of profile standard",
    profile=PIX2PIX_MAPS,
)
def laplacian_l1(inputs: MetricInputs) -> tf.Tensor:
    """``hp_l1`` of profile ``standard``, by a name that nobody takes for the published HP-L1."""
    return hp_l1(inputs)
