"""Blocks of the super-resolution models: pixel shuffle, residual blocks, channel weights."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from models.parts.blocks import dense_block, experimental_dense_block
from models.parts.norms import chosen_norm, normalisation
from models.parts.primitives import conv, lrelu, prelu
from models.parts.seeds import he_normal, layer_seed
from models.parts.tags import block
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.core.seeds import Purpose

NOISE = 0.1
RESIDUAL_SCALE = 0.2
ATTENTION_SLOPE = 0.01
# Without normalisation a sum of blocks must start small, or it doubles with every block.
SMALL_START = 0.1


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class PixelShuffler(tf.keras.layers.Layer):
    """Sub-pixel shuffle (Shi et al. 2016, equation 4): ``[B, H, W, r²·C] -> [B, r·H, r·W, C]``.

    Channel ``(i·r + j)·C + c`` of a pixel becomes channel c of row i, column j of its square of
    r x r pixels. The paper numbers the channels ``c·r² + i·r + j``; a learned convolution before
    the shuffle makes no difference between the two.
    """

    def __init__(self, scale_factor: int = 2, **options) -> None:
        super().__init__(**options)
        self.scale_factor = scale_factor

    def build(self, input_shape) -> None:
        """Refuse channels that do not fill a square."""
        if input_shape[-1] % self.scale_factor**2:
            raise ModelContractError(
                f"{input_shape[-1]} channels do not fill squares of {self.scale_factor} pixels",
                where="pixelshuffler",
                hint=f"give it a multiple of {self.scale_factor**2} channels",
            )

    def call(self, inputs):
        """Lay the channels of every pixel out as a square."""
        # Written out, since a reshape and a transposition exist for every type on every device.
        ops, r = tf.keras.ops, self.scale_factor
        count, height, width, channels = ops.shape(inputs)
        x = ops.reshape(inputs, (count, height, width, r, r, channels // r**2))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (count, height * r, width * r, channels // r**2))

    def compute_output_shape(self, input_shape):
        """Sides times r, channels by r²; an unknown side stays unknown."""
        count, height, width, channels = input_shape
        r = self.scale_factor
        sides = [None if side is None else side * r for side in (height, width)]
        return (count, *sides, channels // r**2)

    def get_config(self):
        """What is needed to make the layer again."""
        return {**super().get_config(), "scale_factor": self.scale_factor}


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class ChannelWeights(tf.keras.layers.Layer):
    """One learned factor per channel: ``[B, H, W, units]`` times λ ``[units]``."""

    def __init__(self, units: int, initial: float = 1.0, **options) -> None:
        super().__init__(**options)
        self.units = units
        self.initial = initial

    def build(self, input_shape) -> None:
        """Make λ; refuses another number of channels."""
        if input_shape[-1] != self.units:
            raise ModelContractError(
                f"{self.units} weights do not fit {input_shape[-1]} channels",
                where="multiply_lambda",
                hint="as many units (filters of an AWRRDB) as the tensor has channels",
            )
        start = tf.keras.initializers.Constant(self.initial)
        self.factor = self.add_weight(name="lambda", shape=(self.units,), initializer=start)

    def call(self, inputs):
        """Weigh the channels."""
        return inputs * self.factor

    def compute_output_shape(self, input_shape):
        """That of the input."""
        return input_shape

    def get_config(self):
        """What is needed to make the layer again."""
        return {**super().get_config(), "units": self.units, "initial": self.initial}


def pixelshuffler(scale_factor: int) -> tf.keras.layers.Layer:
    """Sub-pixel shuffle (Shi et al. 2016) by ``scale_factor``.

    The published port transposes the wrong axes: the values of one pixel end up side by side in
    one row, over all the image.
    """
    return PixelShuffler(scale_factor)


def multiply_lambda(units: int, *, initial: float = 1.0) -> tf.keras.layers.Layer:
    """Learned factors, one per channel.

    The published port multiplies by random numbers drawn anew in every call, in inference too;
    what it calls learnable in its paper is learned here.

    Args:
        units: Channels of the tensor.
        initial: What all factors start from.
    """
    return ChannelWeights(units, initial)


def residual_block_srgan(
    kernel_size: int = 3, filters: int = 64, stride: int = 1, *, norm: str = "published"
) -> tf.keras.layers.Layer:
    """SRGAN's residual branch (Ledig et al. 2017): conv, norm, PReLU, conv, norm.

    The caller adds the input (:func:`residual`).

    Args:
        kernel_size: Side of both kernels.
        filters: Filters of both.
        stride: Stride of both; above 1 nothing can be added any more.
        norm: Its normalisation (``models.parts.norms.GENERATOR_KINDS``); published: batch.
    """
    kind = chosen_norm(norm, published=True)
    parts = [
        conv(kernel_size, filters, stride=stride),
        *normalisation(kind, filters),
        prelu(),
        conv(kernel_size, filters, stride=stride),
        *normalisation(kind, filters),
    ]
    return tf.keras.Sequential(parts)


def residual_block_dsen2(
    kernel_size: int = 3, filters: int = 64, stride: int = 1, *, norm: str = "published"
) -> tf.keras.layers.Layer:
    """The residual branch of ARISGAN's DSen2-WGAN: conv, leaky ReLU, conv, norm, conv.

    The caller adds the input (:func:`residual`). DSen2 itself (Lanaras et al. 2018) has two
    convolutions with biases, no normalisation, and multiplies the branch by 0.1.

    Args:
        kernel_size: Side of the three kernels.
        filters: Filters of each.
        stride: Stride of each; above 1 nothing can be added any more.
        norm: Its normalisation (``models.parts.norms.GENERATOR_KINDS``); published: batch.
    """
    parts = [
        conv(kernel_size, filters, stride=stride),
        lrelu(),
        conv(kernel_size, filters, stride=stride),
        *normalisation(chosen_norm(norm, published=True), filters),
        conv(kernel_size, filters, stride=stride),
    ]
    return tf.keras.Sequential(parts)


@block("residual block")
def residual(input_tensor: tf.Tensor, branch: tf.keras.layers.Layer) -> tf.Tensor:
    """``input + branch(input)``, without an activation after the sum."""
    return tf.keras.layers.Add()([branch(input_tensor), input_tensor])


@block("residual block")
def residual_block_edsr(
    input_tensor: tf.Tensor,
    filters: int,
    *,
    scale: float = 1.0,
    start: Callable[[], tf.keras.initializers.Initializer] | None = None,
) -> tf.Tensor:
    """EDSR's residual block (Lim et al. 2017): conv, ReLU, conv, added to its input.

    Args:
        input_tensor: ``[B, H, W, filters]``.
        filters: Filters of both convolutions.
        scale: Factor of the branch.
        start: Makes the initialiser of each convolution; None: He's, small in the second.
    """
    # With biases: there is no normalisation whose offset could stand for them.
    options = {"use_bias": True}
    first = he_normal() if start is None else start()
    x = conv(3, filters, activation="relu", kernel_initializer=first, **options)(input_tensor)
    second = he_normal(SMALL_START) if start is None else start()
    x = conv(3, filters, kernel_initializer=second, **options)(x)
    if scale != 1.0:
        x = tf.keras.layers.Rescaling(scale)(x)
    return tf.keras.layers.Add()([input_tensor, x])


@block("sub-pixel upsampling")
def subpixel_upsampling(input_tensor: tf.Tensor, filters: int) -> tf.Tensor:
    """Twice as fine by a convolution and a pixel shuffle, then PReLU (Ledig et al. 2017)."""
    # Four values for each pixel, which the shuffle lays out as 2 x 2.
    x = conv(3, 4 * filters)(input_tensor)
    return prelu()(pixelshuffler(2)(x))


@block("AWRRDB")
def awrrdb(input_tensor: tf.Tensor, filters: int, *, stride: int = 1) -> tf.Tensor:
    """Adaptive weighted residual-in-residual dense block (TARSGAN, Tao et al. 2021).

    Three times ``x <- λ1·x + z + λ3·(z + N(0, 0.1))`` with ``z = λ2·dense(x)``, then
    ``λ4·x + λ5·input``. Every λ is a learned vector of one factor per channel, eleven in all.

    They start where the block is that of ESRGAN (Wang et al. 2018): the residual scaling 0.2 for
    λ2 and λ4, 1 for the identities λ1 and λ5. λ3 starts at 0, without noise: its gradient is that
    of the noisy branch, so the network itself decides how much noise it learns with. The noise
    falls in training only and has a seed of its own.

    Args:
        input_tensor: ``[B, H, W, filters]``.
        filters: Growth of the dense blocks, and the channels of the input and the output.
        stride: Above 1 that of an experimental dense block in place of the plain one.

    Raises:
        ModelContractError: The input has another number of channels than ``filters``.
    """
    add = tf.keras.layers.Add
    x = input_tensor
    for _ in range(3):  # as many dense blocks as in an RRDB of ESRGAN
        if stride == 1:
            dense = dense_block(x, filters=filters)
        else:
            dense = experimental_dense_block(x, filters=filters, stride=stride)
        z = multiply_lambda(filters, initial=RESIDUAL_SCALE)(dense)
        noise = tf.keras.layers.GaussianNoise(NOISE, seed=layer_seed(Purpose.DROPOUT))
        noisy = multiply_lambda(filters, initial=0.0)(noise(z))
        x = add()([multiply_lambda(filters)(x), z, noisy])
    scaled = multiply_lambda(filters, initial=RESIDUAL_SCALE)(x)
    return add()([scaled, multiply_lambda(filters)(input_tensor)])


@block("channel attention")
def channel_attention(input_tensor: tf.Tensor, reduced: int) -> tf.Tensor:
    """Channel attention of SRS3 (Fernandez et al. 2021): one weight per channel and image.

    Global mean, 1 x 1 convolution to ``reduced`` channels, leaky ReLU with slope 0.01, 1 x 1
    convolution back, softmax over the channels. The caller multiplies and adds:
    ``attention * x + x``.

    Args:
        input_tensor: ``[B, H, W, C]``.
        reduced: Channels of the bottleneck.

    Returns:
        ``[B, 1, 1, C]``, positive, its sum over the channels 1.
    """
    # In float32: a mean over an image and a softmax near 1 / C lose too much in bfloat16.
    precise = {"dtype": "float32"}
    x = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, **precise)(input_tensor)
    x = conv(1, reduced, **precise)(x)
    x = tf.keras.layers.LeakyReLU(negative_slope=ATTENTION_SLOPE, **precise)(x)
    x = conv(1, input_tensor.shape[-1], **precise)(x)
    # Not the sigmoid of squeeze-and-excitation (Hu et al. 2018): the channels compete.
    return tf.keras.layers.Softmax(**precise)(x)
