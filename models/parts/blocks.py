"""Blocks of generators: multireceptive fields, the dense block and the U-Net."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from models.parts.norms import chosen_norm
from models.parts.primitives import DROPOUT, SLOPE, conv, deconv, lrelu, relu, scaled
from models.parts.seeds import glorot, he_normal, he_normal_up, normal
from models.parts.tags import block


@block("dense block")
def dense_block(
    input_tensor: tf.Tensor, layers: int = 5, kernel_size: int = 3, filters: int = 32
) -> tf.Tensor:
    """Dense block (Huang et al. 2017, without normalisation; Wang et al. 2018).

    ``layers - 1`` times a convolution with leaky ReLU whose output is concatenated before all
    earlier maps, then one linear convolution. There is no residual connection: the output has
    ``filters`` channels, whatever the input had.

    Args:
        input_tensor: ``[B, H, W, C]``.
        layers: Number of convolutions.
        kernel_size: Side of their kernels.
        filters: The growth, and the channels of the output.
    """
    grown: list[tf.Tensor] = []
    x = input_tensor
    for _ in range(layers - 1):
        new = conv(kernel_size, filters, activation=lrelu)(x)
        # New maps first, then the input, then the earlier maps: the published channel order.
        x = tf.keras.layers.Concatenate()([new, input_tensor, *grown])
        grown.append(new)
    return conv(kernel_size, filters)(x)


@block("dense block, down and up")
def experimental_dense_block(
    input_tensor: tf.Tensor,
    layers: int = 4,
    kernel_size: int = 3,
    filters: int = 32,
    stride: int = 2,
) -> tf.Tensor:
    """Dense block whose every stage goes down and up again (an experiment of ARISGAN's author).

    ``layers - 1`` times a strided convolution with leaky ReLU, concatenated with all earlier
    coarse maps, and a transposed one with dropout and ReLU, concatenated with the input and all
    earlier fine maps; then one linear convolution.

    Args:
        input_tensor: ``[B, H, W, C]``; H and W divisible by ``stride``.
        layers: Number of stages, the last convolution included.
        kernel_size: Side of all kernels.
        filters: The growth, and the channels of the output.
        stride: How much coarser the coarse maps are.
    """
    downs: list[tf.Tensor] = []
    ups: list[tf.Tensor] = []
    x = input_tensor
    for _ in range(layers - 1):
        down = conv(kernel_size, filters, stride=stride, activation=lrelu)(x)
        x = tf.keras.layers.Concatenate()([down, *downs]) if downs else down
        downs.append(down)
        up = deconv(kernel_size, filters, stride=stride, dropout=DROPOUT, activation=relu)(x)
        x = tf.keras.layers.Concatenate()([up, input_tensor, *ups])
        ups.append(up)
    return conv(kernel_size, filters)(x)


@block("multireceptive field")
def multireceptive_field(
    input_tensor: tf.Tensor, kernel_sizes: Sequence[int], filters: int
) -> tf.Tensor:
    """Parallel convolutions of several kernels with ReLU, concatenated (multireceptive field).

    Args:
        input_tensor: ``[B, H, W, C]``.
        kernel_sizes: One convolution each.
        filters: Filters of each convolution.

    Returns:
        ``[B, H, W, filters * len(kernel_sizes)]``.
    """
    # ReLU is a layer beside the convolution, not at its end: checkpoints know it so.
    fields = [relu()(conv(size, filters)(input_tensor)) for size in kernel_sizes]
    return tf.keras.layers.Concatenate()(fields)


@block("multireceptive field, serial")
def serial_multireceptive_field(
    input_tensor: tf.Tensor, kernel_sizes: Sequence[int], filters: int
) -> tf.Tensor:
    """Convolutions of several kernels, each fed by the one before, all outputs concatenated.

    The serial multireceptive field of SRS3 (Fernandez et al. 2021, JSTARS 14), with ReLU.

    Args:
        input_tensor: ``[B, H, W, C]``.
        kernel_sizes: One convolution each, in this order.
        filters: Filters of each convolution.

    Returns:
        ``[B, H, W, filters * len(kernel_sizes)]``.
    """
    fields: list[tf.Tensor] = []
    x = input_tensor
    for size in kernel_sizes:
        x = relu()(conv(size, filters)(x))
        fields.append(x)
    return tf.keras.layers.Concatenate()(fields)


@block("dilated field")
def dilated_field(input_tensor: tf.Tensor, rates: Sequence[int], filters: int) -> tf.Tensor:
    """Parallel 3 x 3 convolutions of several dilations with ReLU, concatenated (DMNet).

    Args:
        input_tensor: ``[B, H, W, C]``.
        rates: Pixels that each convolution looks away.
        filters: Filters of each convolution.

    Returns:
        ``[B, H, W, filters * len(rates)]``.
    """
    fields = []
    for rate in rates:
        # With biases and from Glorot's distribution, as published, unlike all other convolutions.
        options = {"dilation_rate": rate, "use_bias": True, "kernel_initializer": glorot()}
        fields.append(relu()(conv(3, filters, **options)(input_tensor)))
    return tf.keras.layers.Concatenate()(fields)


def up_beside(
    input_tensor: tf.Tensor, skip: tf.Tensor, filters: int, *, dropout: float = 0.0
) -> tf.Tensor:
    """Twice as fine beside a skip, then leaky ReLU over both (PSGAN, Liu et al. 2021).

    Args:
        input_tensor: ``[B, H, W, C]``.
        skip: ``[B, 2 H, 2 W, C']``, from before its activation.
        filters: Filters of the transposed convolution.
        dropout: Its rate; 0 for none.
    """
    up = deconv(2, filters, dropout=dropout)(input_tensor)
    return lrelu()(tf.keras.layers.Concatenate()([up, skip]))


# Filters of the encoder and the size from which on a stage is there: the bottleneck of every
# size up to 256 is then 1 x 1.
_ENCODER = ((64, 256), (128, 128), (256, 64), (512, 0), (512, 0), (512, 0), (512, 0), (512, 0))
# Dropout is all the noise that pix2pix has (Isola et al. 2017, section 3.1); here in training only.
# Filters of the decoder, whether dropout follows, and the size from which on the stage is there.
_DECODER = (
    (512, True, 0),
    (512, True, 0),
    (512, True, 0),
    (512, False, 0),
    (256, False, 64),
    (128, False, 128),
    (64, False, 256),
)


@block("U-Net")
def unet(
    input_tensor: tf.Tensor,
    output_channels: int,
    *,
    side_px: int | None = None,
    kernel_size: int = 4,
    width: float = 1.0,
    norm: str = "published",
    bottleneck_norm: bool = True,
    bias: bool = False,
    slope: float = SLOPE,
    **last: Any,
) -> tf.Tensor:
    """The U-Net of pix2pix (Isola et al. 2017), tanh at its end.

    Args:
        input_tensor: ``[B, H, W, C]``.
        output_channels: Channels of the output.
        side_px: The side that decides the depth, a power of two from 32; None: the largest that
            divides both sides of the input.
        kernel_size: Side of all kernels.
        width: Multiplies the filters of all inner layers (at least 4 each).
        norm: Normalisation of its inner layers (``models.parts.norms.GENERATOR_KINDS``);
            published: batch.
        bottleneck_norm: Whether the innermost encoder stage is normalised, as published. Where
            it is 1 x 1 and the batch holds one image, batch normalisation sees one value per
            channel and returns exactly its offset: the bottleneck then carries nothing. False
            leaves that one normalisation out, as Isola et al. corrected their own code.
            Instance normalisation always leaves it out: its statistics are those of one image.
        bias: Whether every convolution has one.
        slope: Of the leaky ReLU of the encoder.
        **last: Options of the last transposed convolution (``activation``, ``dtype``,
            ``kernel_initializer``) other than those published.

    Returns:
        ``[B, H, W, output_channels]``, in [-1, 1] where ``last`` does not change the activation.
    """
    side_px = side_px or largest_power_of_two(*input_tensor.shape[1:3])
    kind = chosen_norm(norm, published=True)
    # N(0, 0.02) relies on a normalisation: without one the signal dies on its way down.
    start, start_up = (he_normal, partial(he_normal_up, 2)) if kind == "none" else (normal, normal)
    stages = [filters for filters, smallest in _ENCODER if side_px >= smallest]
    x = input_tensor
    skips: list[tf.Tensor] = []
    for number, filters in enumerate(stages, start=1):
        first_of_all = number == 1 and side_px >= _ENCODER[0][1]
        innermost = number == len(stages)
        bare = first_of_all or (innermost and (kind == "instance" or not bottleneck_norm))
        options = {"norm": "none" if bare else kind, "kernel_initializer": start()}
        options |= {"use_bias": bias, "activation": partial(lrelu, slope)}
        x = conv(kernel_size, scaled(filters, width), stride=2, **options)(x)
        skips.append(x)
    ups = [(filters, drop) for filters, drop, smallest in _DECODER if side_px >= smallest]
    for (filters, drop), skip in zip(ups, reversed(skips[:-1]), strict=True):
        options = {"norm": kind, "kernel_initializer": start_up(), "use_bias": bias}
        options["dropout"] = DROPOUT if drop else 0.0
        up = deconv(kernel_size, scaled(filters, width), activation=relu, **options)
        x = tf.keras.layers.Concatenate()([up(x), skip])
    last = {"activation": "tanh", "use_bias": bias, **last}
    return deconv(kernel_size, output_channels, **last)(x)


def largest_power_of_two(*sides_px: int) -> int:
    """The largest power of two that divides all of them: how often a U-Net can halve them."""
    common = math.gcd(*sides_px)
    return common & -common
