"""Discriminators: the PatchGAN, and the VGG-like ones that judge a whole image."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from models.parts.norms import chosen_norm
from models.parts.primitives import conv, lrelu, scaled
from models.parts.seeds import glorot, he_normal, normal
from sensor2sensor.core.errors import ModelContractError


def judged_pair(
    height: int, width_px: int, input_channels: int, target_channels: int
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Both inputs of a conditional discriminator, and their concatenation."""
    inp = tf.keras.layers.Input([height, width_px, input_channels], name="input_image")
    # Isola et al. 2017, equation 1; without the input, as in 2, any plausible image would do.
    tar = tf.keras.layers.Input([height, width_px, target_channels], name="target_image")
    return [inp, tar], tf.keras.layers.Concatenate()([inp, tar])


def patchgan(
    height: int,
    width_px: int,
    input_channels: int,
    target_channels: int,
    *,
    width: float = 1.0,
    norm: str = "published",
) -> tf.keras.Model:
    """The conditional 70 x 70 PatchGAN discriminator (Isola et al. 2017); logits, no bias.

    Args:
        height: Rows of the images.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        width: Multiplies the filters (at least 4 each).
        norm: Normalisation of its layers (``models.parts.norms.KINDS``); published: batch.

    Returns:
        A model ``[input_image, target_image] -> [B, H/8 - 2, W/8 - 2, 1]`` of logits.
    """
    pair, x = judged_pair(height, width_px, input_channels, target_channels)
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=True)
    x = conv(4, scaled(64, width), stride=2, norm=outer, activation=lrelu)(x)
    x = conv(4, scaled(128, width), stride=2, norm=inner, activation=lrelu)(x)
    x = conv(4, scaled(256, width), stride=2, norm=inner, activation=lrelu)(x)
    # Padded as the authors' code is: one pixel on every side of an even kernel costs one answer.
    x = tf.keras.layers.ZeroPadding2D()(x)
    x = conv(4, scaled(512, width), norm=inner, activation=lrelu, padding="valid")(x)
    x = tf.keras.layers.ZeroPadding2D()(x)
    x = conv(4, 1, norm=outer, padding="valid", dtype="float32")(x)
    return tf.keras.Model(pair, x, name="discriminator")


def plain_patchgan(
    height: int,
    width_px: int,
    input_channels: int,
    target_channels: int,
    stages: Sequence[tuple[int, int]],
    *,
    width: float = 1.0,
    norm: str = "published",
) -> tf.keras.Model:
    """A conditional judge of patches without normalisation (PSGAN, Liu et al. 2021).

    3 x 3 convolutions with leaky ReLU, then one more with one answer for each of its pixels.

    Args:
        height: Rows of the images.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        stages: Filters and stride of each convolution.
        width: Multiplies the filters (at least 4 each).
        norm: Normalisation of its layers (``models.parts.norms.KINDS``); published: none.

    Returns:
        A model ``[input_image, target_image] -> [B, H/s, W/s, 1]`` of logits, s the product of
        the strides.
    """
    pair, x = judged_pair(height, width_px, input_channels, target_channels)
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=False)
    for number, (filters, stride) in enumerate(stages):
        options = {"stride": stride, "norm": inner if number else outer}
        x = conv(3, scaled(filters, width), activation=lrelu, **options)(x)
    outputs = conv(3, 1, norm=outer, dtype="float32")(x)
    return tf.keras.Model(pair, outputs, name="discriminator")


def vgg_discriminator(
    height: int,
    width_px: int,
    input_channels: int,
    target_channels: int,
    stages: Sequence[tuple[int, int]],
    head: int,
    *,
    width: float = 1.0,
    norm: str = "published",
) -> tf.keras.Model:
    """A conditional discriminator that judges the whole image (SRGAN, Ledig et al. 2017, figure 4).

    3 x 3 convolutions with leaky ReLU, all but the first batch-normalised, then two fully
    connected layers. These are written as convolutions over all that is left of the image, which
    is the same function, so that spectral normalisation reaches them too.

    Args:
        height: Rows of the images.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        stages: Filters and stride of each convolution.
        head: Units of the first fully connected layer.
        width: Multiplies filters and units (at least 4 each).
        norm: Normalisation of its layers (``models.parts.norms.KINDS``); published: batch.

    Returns:
        A model ``[input_image, target_image] -> [B, 1, 1, 1]`` of logits.
    """
    pair, x = judged_pair(height, width_px, input_channels, target_channels)
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=True)
    for number, (filters, stride) in enumerate(stages):
        kind = inner if number else outer
        # N(0, 0.02) relies on a normalisation: ten layers without one would answer 0 to all.
        start = he_normal() if norm == "none" else normal()
        options = {"stride": stride, "norm": kind, "kernel_initializer": start}
        x = conv(3, scaled(filters, width), activation=lrelu, **options)(x)
    rest = tuple(x.shape[1:3])
    dense = {"padding": "valid", "norm": outer, "use_bias": True}
    head_start = {"kernel_initializer": glorot()}
    x = conv(rest, scaled(head, width), activation=lrelu, **head_start, **dense)(x)
    x = conv(1, 1, dtype="float32", **dense)(x)
    return tf.keras.Model(pair, x, name="discriminator")


def staged(discriminator: tf.keras.Model) -> tf.keras.Model:
    """The same discriminator that also returns what its stages see, for feature matching.

    A stage is a ``Sequential`` or a leaky ReLU of the functional model. No layer or variable is
    made.

    Returns:
        A model of the same inputs whose outputs are the stages', in order, and last the answer.

    Raises:
        ModelContractError: The discriminator has no such stage before its answer.
    """
    last = discriminator.outputs[0]
    kinds = (tf.keras.Sequential, tf.keras.layers.LeakyReLU)
    # A Sequential's own `output` lies inside it; here the tensor is wanted that it gives outside.
    made = [
        tf.keras.Operation.output.fget(layer)
        for layer in discriminator.layers
        if isinstance(layer, kinds)
    ]
    stages = [tensor for tensor in made if tensor is not last]
    if not stages:
        raise ModelContractError(
            "the discriminator has no stages whose features could be matched",
            where="gen_loss.gen_fm",
            hint="set gen_fm to null, or build it of Sequential stages or LeakyReLU layers",
        )
    return tf.keras.Model(discriminator.inputs, [*stages, last])
