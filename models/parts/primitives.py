"""The thinnest layers: convolutions, activations, dropout."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from models.parts.norms import SpectralConv2D, normalisation
from models.parts.seeds import layer_seed, normal
from sensor2sensor.core.seeds import Purpose

SLOPE = 0.3
MIN_FILTERS = 4
DROPOUT = 0.5


def scaled(filters: int, width: float) -> int:
    """``filters * width``, rounded, at least 4."""
    return max(MIN_FILTERS, round(filters * width))


def lrelu() -> tf.keras.layers.Layer:
    """Leaky ReLU with slope 0.3."""
    return tf.keras.layers.LeakyReLU(negative_slope=SLOPE)


def relu(max_value: float | None = None) -> tf.keras.layers.Layer:
    """ReLU, cut off at ``max_value`` where that is given."""
    return tf.keras.layers.ReLU(max_value=max_value)


def prelu(alpha_initializer: float = 0.25) -> tf.keras.layers.Layer:
    """PReLU (He et al. 2015) with one learned slope per channel, shared over the image."""
    start = tf.keras.initializers.Constant(alpha_initializer)
    return tf.keras.layers.PReLU(alpha_initializer=start, shared_axes=[1, 2])


def sigmoid() -> tf.keras.layers.Layer:
    """The logistic function."""
    return tf.keras.layers.Activation("sigmoid")


def dropout(rate: float = DROPOUT) -> tf.keras.layers.Layer:
    """Dropout with a seed of its own (Keras keeps its state in the layer's variables)."""
    return tf.keras.layers.Dropout(rate, seed=layer_seed(Purpose.DROPOUT))


def conv(
    kernel_size: int | tuple[int, int],
    filters: int,
    stride: int,
    batchnorm: bool,
    lrelu: bool,
    padding: str = "same",
    *,
    norm: str | None = None,
    **conv_options: Any,
) -> tf.keras.layers.Layer:
    """Convolution without bias, then normalisation and leaky ReLU where asked for.

    Args:
        kernel_size: Side of the kernel.
        filters: Channels of the output.
        stride: Factor by which height and width shrink.
        batchnorm: Whether to normalise by batch.
        lrelu: Whether to end with a leaky ReLU.
        padding: ``same`` or ``valid``.
        norm: ``batch``, ``instance``, ``group``, ``spectral`` or ``none``; goes before
            ``batchnorm``.
        **conv_options: Options of ``keras.layers.Conv2D`` (``use_bias``, ``dilation_rate``,
            ``dtype``, ``kernel_initializer``) other than those published.

    Returns:
        A layer ``[B, H, W, C] -> [B, H/stride, W/stride, filters]``.
    """
    norm = norm or ("batch" if batchnorm else "none")
    kind = SpectralConv2D if norm == "spectral" else tf.keras.layers.Conv2D
    if "kernel_initializer" not in conv_options:
        conv_options["kernel_initializer"] = normal()
    options = {"use_bias": False, **conv_options}
    parts = [kind(filters, kernel_size, stride, padding, **options), *normalisation(norm, filters)]
    if lrelu:
        parts.append(tf.keras.layers.LeakyReLU(negative_slope=SLOPE))
    return _chain(parts)


def _chain(parts: list[tf.keras.layers.Layer]) -> tf.keras.layers.Layer:
    return parts[0] if len(parts) == 1 else tf.keras.Sequential(parts)


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
    **conv_options: Any,
) -> tf.keras.layers.Layer:
    """Transposed convolution without bias, then normalisation, dropout and ReLU.

    Args:
        kernel_size: Side of the kernel; with kernel 1 and stride 2 only every fourth pixel
            would be written.
        filters: Channels of the output.
        stride: Factor by which height and width grow.
        batchnorm: Whether to normalise by batch.
        relu: Whether to end with a ReLU.
        dropout: The rate; None, False or 0 for none, True for 0.5.
        activation: Activation of the transposed convolution itself.
        norm: ``batch``, ``instance``, ``group`` or ``none``; goes before ``batchnorm``.
        **conv_options: Options of ``keras.layers.Conv2DTranspose`` (``dtype``,
            ``kernel_initializer``) other than those published.
    """
    norm = norm or ("batch" if batchnorm else "none")
    if "kernel_initializer" not in conv_options:
        conv_options["kernel_initializer"] = normal()
    options = {"use_bias": False, "activation": activation, **conv_options}
    parts = [
        tf.keras.layers.Conv2DTranspose(filters, kernel_size, stride, "same", **options),
        *normalisation(norm, filters),
    ]
    if dropout:
        rate = DROPOUT if dropout is True else float(dropout)
        parts.append(tf.keras.layers.Dropout(rate, seed=layer_seed(Purpose.DROPOUT)))
    if relu:
        parts.append(tf.keras.layers.ReLU())
    return _chain(parts)
