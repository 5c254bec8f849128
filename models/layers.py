"""For modules written for ARISGAN: its building blocks, with the arguments its ``layers.py`` has.

The models of this repository take the blocks from ``models/parts``, where what they are made of is
said by name (``conv(3, 64, stride=2, norm="batch", activation=lrelu)``). Both make the same layers.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from models.parts import blocks, primitives, superres
from models.parts.base_image import base_layer, finish, last_conv
from models.parts.blocks import experimental_dense_block, unet
from models.parts.discriminators import judged_pair, patchgan, vgg_discriminator
from models.parts.norms import (
    SpectralConv2D,
    batchnorm,
    chosen_norm,
    groupnorm,
    instancenorm,
    normalisation,
)
from models.parts.primitives import (
    DROPOUT,
    MIN_FILTERS,
    SLOPE,
    dropout,
    lrelu,
    prelu,
    relu,
    scaled,
    sigmoid,
)
from models.parts.seeds import glorot, he_normal, layer_seed, normal, seeded
from models.parts.superres import (
    ChannelWeights,
    PixelShuffler,
    channel_attention,
    multiply_lambda,
    pixelshuffler,
    residual,
    residual_block_dsen2,
    residual_block_srgan,
)
from models.parts.tags import block, mark

__all__ = [
    "DROPOUT",
    "MIN_FILTERS",
    "SLOPE",
    "ChannelWeights",
    "PixelShuffler",
    "SpectralConv2D",
    "awrrdb_block",
    "base_layer",
    "batchnorm",
    "block",
    "channel_attention",
    "chosen_norm",
    "conv",
    "deconv",
    "dense_block",
    "dropout",
    "experimental_dense_block",
    "finish",
    "glorot",
    "groupnorm",
    "he_normal",
    "instancenorm",
    "judged_pair",
    "last_conv",
    "layer_seed",
    "lrelu",
    "mark",
    "multiply_lambda",
    "multiply_layer",
    "normal",
    "normalisation",
    "patchgan",
    "pixelshuffler",
    "prelu",
    "relu",
    "residual",
    "residual_block_dsen2",
    "residual_block_srgan",
    "scaled",
    "seeded",
    "sigmoid",
    "sis2_dense_multireceptive_field_dmnet",
    "sis2_dense_multireceptive_field_srs3",
    "sis2_pix2pix",
    "unet",
    "vgg_discriminator",
]

# ARISGAN's names: DMNet's field is parallel, that of SRS3's authors serial.
sis2_dense_multireceptive_field_dmnet = blocks.multireceptive_field
sis2_dense_multireceptive_field_srs3 = blocks.serial_multireceptive_field


def conv(
    kernel_size: int | tuple[int, int],
    filters: int,
    stride: int,
    batchnorm: bool,
    lrelu: bool,
    padding: str = "same",
    *,
    norm: str | None = None,
    **options: Any,
) -> tf.keras.layers.Layer:
    """:func:`models.parts.primitives.conv` with two switches; ``norm`` goes before ``batchnorm``.

    ``activation`` among the options is the convolution's own, before normalisation and leaky ReLU.
    """
    norm = norm or ("batch" if batchnorm else "none")
    options |= {"stride": stride, "norm": norm, "padding": padding}
    made = primitives.conv(kernel_size, filters, **options)
    return _then(made, primitives.lrelu()) if lrelu else made


def deconv(
    kernel_size: int,
    filters: int,
    stride: int,
    batchnorm: bool,
    relu: bool,
    dropout: float | bool | None,
    activation: str | None = None,
    *,
    norm: str | None = None,
    **options: Any,
) -> tf.keras.layers.Layer:
    """:func:`models.parts.primitives.deconv` with switches; ``norm`` goes before ``batchnorm``.

    ``dropout`` is a rate, True for 0.5, or None, False or 0 for none; ``activation`` is that of the
    transposed convolution itself.
    """
    # True is 1 as well, and a rate of 1 drops everything.
    rate = DROPOUT if dropout is True else float(dropout or 0.0)
    norm = norm or ("batch" if batchnorm else "none")
    options |= {"stride": stride, "norm": norm, "dropout": rate, "activation": activation}
    made = primitives.deconv(kernel_size, filters, **options)
    return _then(made, primitives.relu()) if relu else made


def _then(made: tf.keras.layers.Layer, last: tf.keras.layers.Layer) -> tf.keras.Sequential:
    """One chain that ends with ``last``; never a chain within a chain, as checkpoints know it."""
    if not isinstance(made, tf.keras.Sequential):
        return tf.keras.Sequential([made, last])
    made.add(last)
    return made


def dense_block(
    input_tensor: tf.Tensor,
    layers: int = 5,
    kernel_size: int = 3,
    filters: int = 32,
    stride: int = 1,
) -> tf.Tensor:
    """:func:`models.parts.blocks.dense_block`; maps of different sizes cannot be joined: stride 1.

    Raises:
        ValueError: Another stride.
    """
    if stride != 1:
        raise ValueError(f"a dense block joins maps of one size: stride 1, not {stride}")
    return blocks.dense_block(input_tensor, layers, kernel_size, filters)


def sis2_pix2pix(
    input_tensor: tf.Tensor,
    pxshape: int,
    output_channels: int,
    kernel_size: int = 4,
    **options: Any,
) -> tf.Tensor:
    """:func:`models.parts.blocks.unet` whose depth follows ``pxshape`` and not its input."""
    options |= {"side_px": pxshape, "kernel_size": kernel_size}
    return unet(input_tensor, output_channels, **options)


def awrrdb_block(
    input_tensor: tf.Tensor,
    tilesize: int,
    filters: int,
    *,
    experimental_stride: int | None = None,
) -> tf.Tensor:
    """:func:`models.parts.superres.awrrdb`; its noise has the shape of its tensor."""
    del tilesize
    return superres.awrrdb(input_tensor, filters, stride=experimental_stride or 1)


def multiply_layer(units: int | None = None) -> tf.keras.layers.Layer:
    """A layer that multiplies a pair of tensors; it needs no ``units``."""
    del units
    return tf.keras.layers.Multiply()
