"""The residual-in-residual dense block of ESRGAN (Wang et al. 2018), with biases."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from models.parts.primitives import conv, lrelu
from models.parts.resnet import reflected
from models.parts.seeds import he_normal
from models.parts.superres import SMALL_START
from models.parts.tags import block

DENSE_BLOCKS, CONVOLUTIONS = 3, 5  # of a block, and of each dense block


def slightly() -> tf.keras.layers.Layer:
    """Leaky ReLU with ESRGAN's slope of 0.2."""
    return lrelu(0.2)


def bordered(x: tf.Tensor, filters: int, padding: str, **options: Any) -> tf.Tensor:
    """A 3 x 3 convolution with a bias, whose border is of ``zeros`` or ``reflect``."""
    options = {"kernel_initializer": he_normal(), "use_bias": True, **options}
    if padding == "zeros":
        return conv(3, filters, **options)(x)
    return conv(3, filters, padding="valid", **options)(reflected(x, 1))


@block("RRDB")
def rrdb(input_tensor: tf.Tensor, growth: int, scale: float, padding: str) -> tf.Tensor:
    """Three dense blocks, each added to what it was given, and all to the input.

    Args:
        input_tensor: ``[B, H, W, features]``.
        growth: Filters of each convolution within a dense block.
        scale: Factor of every branch before it is added.
        padding: As of :func:`bordered`.
    """
    x = input_tensor
    for _ in range(DENSE_BLOCKS):
        x = _added(x, _dense(x, growth, padding), scale)
    return _added(input_tensor, x, scale)


def _added(x: tf.Tensor, branch: tf.Tensor, scale: float) -> tf.Tensor:
    return tf.keras.layers.Add()([x, tf.keras.layers.Rescaling(scale)(branch)])


def _dense(x: tf.Tensor, growth: int, padding: str) -> tf.Tensor:
    grown, seen = [x], x
    for _ in range(CONVOLUTIONS - 1):
        small = {"kernel_initializer": he_normal(SMALL_START), "activation": slightly}
        grown.append(bordered(seen, growth, padding, **small))
        seen = tf.keras.layers.Concatenate()(grown)
    return bordered(seen, x.shape[-1], padding, kernel_initializer=he_normal(SMALL_START))
