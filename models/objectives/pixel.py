"""Loss terms that compare the generated image with the truth; they need no discriminator.

Every mean runs over the whole batch, its pixels and its channels.
"""

from __future__ import annotations

import tensorflow as tf

from models.objectives.registry import IMAGES, LossInputs, register
from sensor2sensor.networks import replicas

SSIM_WINDOW_PX = 11


@register(
    "gen_ssim",
    "generator",
    needs=IMAGES | {"value_range"},
    paper="Wang et al. 2004",
    about="1 - SSIM over the data set's value range",
)
def gen_ssim(inputs: LossInputs) -> tf.Tensor:
    """1 - mean SSIM (Wang et al. 2004, equation 13), over the value range of each band.

    Both images are mapped so that the range of every band is [0, 1], as the metric sees them: the
    luminance term of SSIM has no meaning for means around zero, and [-1, 1] may stand for more than
    the value range.
    """
    low, width = (tf.constant(ends) for ends in (inputs.value_low, inputs.value_range))
    target, output = ((image - low) / width for image in (inputs.target, inputs.output))
    # TensorFlow takes the mean over bands, as the metric does.
    similarity = tf.image.ssim(target, output, max_val=1.0, filter_size=SSIM_WINDOW_PX)
    return 1.0 - tf.reduce_mean(similarity)


@register(
    "gen_l1", "generator", needs=IMAGES, paper="Isola et al. 2017", about="Mean absolute difference"
)
def gen_l1(inputs: LossInputs) -> tf.Tensor:
    """Mean of |target - output| (Isola et al. 2017, equation 3)."""
    return tf.reduce_mean(tf.abs(inputs.target - inputs.output))


@register(
    "gen_smooth_l1",
    "generator",
    needs=IMAGES,
    paper="Girshick 2015, smooth L1",
    about="Half the squared difference up to 1, the absolute one less a half beyond",
)
def gen_smooth_l1(inputs: LossInputs) -> tf.Tensor:
    """Mean of d²/2 where |d| < 1, else |d| - 1/2 (Girshick 2015, Fast R-CNN, equation 3)."""
    return tf.reduce_mean(smooth_l1(inputs.output - inputs.target))


def smooth_l1(difference: tf.Tensor) -> tf.Tensor:
    """Girshick's smooth L1, value by value."""
    size = tf.abs(difference)
    # Squared is the clipped size: beyond 1 the other branch is chosen, and must stay finite here.
    return tf.where(size < 1.0, 0.5 * tf.square(tf.minimum(size, 1.0)), size - 0.5)


@register(
    "gen_l2", "generator", needs=IMAGES, paper="mean squared error", about="Mean squared difference"
)
def gen_l2(inputs: LossInputs) -> tf.Tensor:
    """Mean of (target - output)²."""
    return tf.reduce_mean(tf.square(inputs.target - inputs.output))


@register(
    "gen_rmse",
    "generator",
    needs=IMAGES,
    paper="root of the mean squared error of the batch",
    about="Root mean squared difference of the batch",
)
def gen_rmse(inputs: LossInputs) -> tf.Tensor:
    """Root of the mean squared error of the whole batch; gradient 0 where the images agree."""
    return safe_root(replicas.mean_of_all(gen_l2(inputs)))


def safe_root(squared: tf.Tensor) -> tf.Tensor:
    """The square root of values ``>= 0``, with gradient 0 where the value is 0."""
    positive = squared > 0.0
    # The root's slope is infinite at 0, and inf * 0 is NaN: take the root of 1 there instead.
    return tf.where(positive, tf.sqrt(tf.where(positive, squared, 1.0)), 0.0)
