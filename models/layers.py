"""Building blocks of the models, with the call signatures of ARISGAN's ``layers.py``.

Conventions: images are ``[B, H, W, C]``; convolutions have no bias and weights from
N(0, 0.02) (Isola et al. 2017); batch normalisation has Keras' defaults; the leaky ReLU has the
slope 0.3 of the published networks (Keras' default there), not pix2pix' 0.2.

Inside ``with seeded(seed, "generator"):`` every layer gets a seed of its own, derived from the
seed and its number, so two runs start from equal weights and draw equal dropout masks. Outside
it, layers draw from Keras' global generator, as those of a plain Keras model do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import tensorflow as tf

from sensor2sensor.core.seeds import Purpose, derive

SLOPE = 0.3
MIN_FILTERS = 4
DROPOUT = 0.5


class _Seeds:
    """Hands out one seed per layer, numbered in the order in which layers are made."""

    def __init__(self, seed: int, part: str) -> None:
        self.seed = seed
        self.part = part
        self.count = 0

    def draw(self, purpose: Purpose) -> int:
        self.count += 1
        # Keras keeps a seed in 32 bits.
        return derive(self.seed, purpose, self.part, self.count) % (1 << 31)


_SEEDS: ContextVar[_Seeds | None] = ContextVar("layer_seeds", default=None)


@contextmanager
def seeded(seed: int, part: str) -> Iterator[None]:
    """Within it, layers get reproducible seeds of their own.

    Args:
        seed: The experiment's seed.
        part: Name of the network; two networks of one model never share a stream.
    """
    token = _SEEDS.set(_Seeds(seed, part))
    try:
        yield
    finally:
        _SEEDS.reset(token)


def layer_seed(purpose: Purpose) -> int | None:
    """The next layer's seed inside :func:`seeded`, None (Keras' own) outside it."""
    seeds = _SEEDS.get()
    return None if seeds is None else seeds.draw(purpose)


def normal(stddev: float = 0.02) -> tf.keras.initializers.Initializer:
    """A fresh N(0, stddev) initialiser.

    A new instance for every layer: Keras 3 draws the same tensor again from a used one.
    """
    return tf.keras.initializers.RandomNormal(0.0, stddev, seed=layer_seed(Purpose.INIT))


def he_normal(scale: float = 1.0) -> tf.keras.initializers.Initializer:
    """A fresh He et al. 2015 initialiser, its variance multiplied by ``scale`` squared."""
    return tf.keras.initializers.VarianceScaling(
        2.0 * scale**2, "fan_in", "truncated_normal", seed=layer_seed(Purpose.INIT)
    )


def scaled(filters: int, width: float) -> int:
    """``filters * width``, rounded, at least 4."""
    return max(MIN_FILTERS, round(filters * width))


def lrelu() -> tf.keras.layers.Layer:
    """Leaky ReLU with slope 0.3."""
    return tf.keras.layers.LeakyReLU(negative_slope=SLOPE)


def relu() -> tf.keras.layers.Layer:
    """ReLU."""
    return tf.keras.layers.ReLU()


def batchnorm() -> tf.keras.layers.Layer:
    """Batch normalisation with Keras' defaults (momentum 0.99, epsilon 1e-3)."""
    return tf.keras.layers.BatchNormalization()


def dropout(rate: float = DROPOUT) -> tf.keras.layers.Layer:
    """Dropout with a seed of its own (Keras keeps its state in the layer's variables)."""
    return tf.keras.layers.Dropout(rate, seed=layer_seed(Purpose.DROPOUT))


def _chain(parts: list[tf.keras.layers.Layer]) -> tf.keras.layers.Layer:
    return parts[0] if len(parts) == 1 else tf.keras.Sequential(parts)


def conv(
    kernel_size: int,
    filters: int,
    stride: int,
    batchnorm: bool,
    lrelu: bool,
    padding: str = "same",
) -> tf.keras.layers.Layer:
    """Convolution without bias, then batch normalisation and leaky ReLU where asked for.

    Returns:
        A layer ``[B, H, W, C] -> [B, H/stride, W/stride, filters]``.
    """
    parts: list[tf.keras.layers.Layer] = [
        tf.keras.layers.Conv2D(
            filters, kernel_size, stride, padding, use_bias=False, kernel_initializer=normal()
        )
    ]
    if batchnorm:
        parts.append(tf.keras.layers.BatchNormalization())
    if lrelu:
        parts.append(tf.keras.layers.LeakyReLU(negative_slope=SLOPE))
    return _chain(parts)


def deconv(
    kernel_size: int,
    filters: int,
    stride: int,
    batchnorm: bool,
    relu: bool,
    dropout: float | bool,
    activation: str | None = None,
) -> tf.keras.layers.Layer:
    """Transposed convolution without bias, then batch normalisation, dropout and ReLU.

    Args:
        kernel_size: Side of the kernel; with kernel 1 and stride 2 only every fourth pixel
            would be written.
        filters: Channels of the output.
        stride: Factor by which height and width grow.
        batchnorm: Whether to normalise.
        relu: Whether to end with a ReLU.
        dropout: The rate; False or 0 for none, True for 0.5.
        activation: Activation of the transposed convolution itself.
    """
    parts: list[tf.keras.layers.Layer] = [
        tf.keras.layers.Conv2DTranspose(
            filters,
            kernel_size,
            stride,
            "same",
            use_bias=False,
            activation=activation,
            kernel_initializer=normal(),
        )
    ]
    if batchnorm:
        parts.append(tf.keras.layers.BatchNormalization())
    if dropout:
        rate = DROPOUT if dropout is True else float(dropout)
        parts.append(tf.keras.layers.Dropout(rate, seed=layer_seed(Purpose.DROPOUT)))
    if relu:
        parts.append(tf.keras.layers.ReLU())
    return _chain(parts)


def dense_block(
    input_tensor: tf.Tensor,
    layers: int = 5,
    kernel_size: int = 3,
    filters: int = 32,
    stride: int = 1,
) -> tf.Tensor:
    """Dense block (Huang et al. 2017, without normalisation; Wang et al. 2018).

    ``layers - 1`` times a convolution with leaky ReLU whose output is concatenated before all
    earlier maps, then one linear convolution. There is no residual connection: the output has
    ``filters`` channels, whatever the input had.

    Args:
        input_tensor: ``[B, H, W, C]``.
        layers: Number of convolutions.
        kernel_size: Their kernel.
        filters: The growth, and the channels of the output.
        stride: Kept for the signature; maps of different sizes cannot be concatenated, so only
            1 works.
    """
    grown: list[tf.Tensor] = []
    x = input_tensor
    for _ in range(layers - 1):
        new = conv(kernel_size, filters, stride, batchnorm=False, lrelu=True)(x)
        # New maps first, then the input, then the earlier maps: the published channel order.
        x = tf.keras.layers.Concatenate()([new, input_tensor, *grown])
        grown.append(new)
    return conv(kernel_size, filters, 1, batchnorm=False, lrelu=False)(x)


def sis2_dense_multireceptive_field_dmnet(
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
    fields = [
        relu()(conv(size, filters, 1, batchnorm=False, lrelu=False)(input_tensor))
        for size in kernel_sizes
    ]
    return tf.keras.layers.Concatenate()(fields)


# Filters of the encoder and the size from which on a stage is there: the bottleneck of every
# size up to 256 is then 1 x 1.
_ENCODER = ((64, 256), (128, 128), (256, 64), (512, 0), (512, 0), (512, 0), (512, 0), (512, 0))
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


def sis2_pix2pix(
    input_tensor: tf.Tensor,
    pxshape: int,
    output_channels: int,
    kernel_size: int = 4,
    *,
    width: float = 1.0,
    bottleneck_norm: bool = True,
) -> tf.Tensor:
    """The U-Net of pix2pix (Isola et al. 2017), tanh at its end.

    Args:
        input_tensor: ``[B, H, W, C]``.
        pxshape: The shorter side in pixels, a power of two from 64; it decides the depth.
        output_channels: Channels of the output.
        kernel_size: Kernel of all convolutions.
        width: Multiplies the filters of all inner layers (at least 4 each).
        bottleneck_norm: Whether the innermost encoder stage is normalised, as published. Where
            it is 1 x 1 and the batch holds one image, batch normalisation sees one value per
            channel and returns exactly its offset: the bottleneck then carries nothing. False
            leaves that one normalisation out, as Isola et al. corrected their own code.

    Returns:
        ``[B, H, W, output_channels]`` in [-1, 1].
    """
    stages = [filters for filters, smallest in _ENCODER if pxshape >= smallest]
    x = input_tensor
    skips: list[tf.Tensor] = []
    for number, filters in enumerate(stages, start=1):
        first_of_all = number == 1 and pxshape >= _ENCODER[0][1]
        innermost = number == len(stages)
        norm = not first_of_all and (bottleneck_norm or not innermost)
        x = conv(kernel_size, scaled(filters, width), 2, batchnorm=norm, lrelu=True)(x)
        skips.append(x)
    ups = [(filters, drop) for filters, drop, smallest in _DECODER if pxshape >= smallest]
    for (filters, drop), skip in zip(ups, reversed(skips[:-1]), strict=True):
        up = deconv(kernel_size, scaled(filters, width), 2, True, True, DROPOUT if drop else 0.0)
        x = tf.keras.layers.Concatenate()([up(x), skip])
    return deconv(kernel_size, output_channels, 2, False, False, 0.0, activation="tanh")(x)


def patchgan(
    height: int, width_px: int, input_channels: int, target_channels: int, *, width: float = 1.0
) -> tf.keras.Model:
    """The conditional 70 x 70 PatchGAN discriminator (Isola et al. 2017); logits, no bias.

    Args:
        height: Rows of the images.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        width: Multiplies the filters (at least 4 each).

    Returns:
        A model ``[input_image, target_image] -> [B, H/8 - 2, W/8 - 2, 1]`` of logits.
    """
    inp = tf.keras.layers.Input([height, width_px, input_channels], name="input_image")
    tar = tf.keras.layers.Input([height, width_px, target_channels], name="target_image")
    x = tf.keras.layers.Concatenate()([inp, tar])
    x = conv(4, scaled(64, width), 2, batchnorm=False, lrelu=True)(x)
    x = conv(4, scaled(128, width), 2, batchnorm=True, lrelu=True)(x)
    x = conv(4, scaled(256, width), 2, batchnorm=True, lrelu=True)(x)
    x = tf.keras.layers.ZeroPadding2D()(x)
    x = conv(4, scaled(512, width), 1, batchnorm=True, lrelu=True, padding="valid")(x)
    x = tf.keras.layers.ZeroPadding2D()(x)
    x = conv(4, 1, 1, batchnorm=False, lrelu=False, padding="valid")(x)
    return tf.keras.Model([inp, tar], x, name="discriminator")
