"""Discriminators: the PatchGAN, and the VGG-like ones that judge a whole image."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from models.parts.norms import chosen_norm
from models.parts.primitives import conv, scaled
from models.parts.seeds import glorot, he_normal, normal


def judged_pair(
    height: int, width_px: int, input_channels: int, target_channels: int
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Both inputs of a conditional discriminator, and their concatenation."""
    inp = tf.keras.layers.Input([height, width_px, input_channels], name="input_image")
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
    x = conv(4, scaled(64, width), 2, False, True, norm=outer)(x)
    x = conv(4, scaled(128, width), 2, True, True, norm=inner)(x)
    x = conv(4, scaled(256, width), 2, True, True, norm=inner)(x)
    x = tf.keras.layers.ZeroPadding2D()(x)
    x = conv(4, scaled(512, width), 1, True, True, padding="valid", norm=inner)(x)
    x = tf.keras.layers.ZeroPadding2D()(x)
    x = conv(4, 1, 1, False, False, padding="valid", norm=outer, dtype="float32")(x)
    return tf.keras.Model(pair, x, name="discriminator")


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
        options = {"norm": kind, "kernel_initializer": start}
        x = conv(3, scaled(filters, width), stride, False, True, **options)(x)
    rest = tuple(x.shape[1:3])
    dense = {"padding": "valid", "norm": outer, "use_bias": True}
    x = conv(rest, scaled(head, width), 1, False, True, kernel_initializer=glorot(), **dense)(x)
    x = conv(1, 1, 1, False, False, kernel_initializer=normal(), dtype="float32", **dense)(x)
    return tf.keras.Model(pair, x, name="discriminator")
