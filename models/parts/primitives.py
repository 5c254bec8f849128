"""The thinnest layers: convolutions, activations, dropout.

Conventions: images are ``[B, H, W, C]``; convolutions have no bias and weights from N(0, 0.02)
(Isola et al. 2017); the leaky ReLU has the slope 0.3 of the published networks (Keras' default
there), not pix2pix' 0.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from models.parts.norms import SpectralConv2D, normalisation
from models.parts.seeds import layer_seed, normal
from sensor2sensor.core.seeds import Purpose

SLOPE = 0.3
MIN_FILTERS = 4
DROPOUT = 0.5

Activation = Callable[[], tf.keras.layers.Layer] | str | None


def scaled(filters: int, width: float) -> int:
    """``filters * width``, rounded, at least 4."""
    return max(MIN_FILTERS, round(filters * width))


def lrelu(slope: float = SLOPE) -> tf.keras.layers.Layer:
    """Leaky ReLU, with slope 0.3 below 0 where no other is asked for."""
    return tf.keras.layers.LeakyReLU(negative_slope=slope)


def relu(max_value: float | None = None) -> tf.keras.layers.Layer:
    """ReLU, cut off at ``max_value`` where that is given."""
    return tf.keras.layers.ReLU(max_value=max_value)


def prelu(alpha_initializer: float = 0.25) -> tf.keras.layers.Layer:
    """PReLU (He et al. 2015) with one learned slope per channel, shared over the image."""
    start = tf.keras.initializers.Constant(alpha_initializer)
    # Shared over the image: a slope per pixel would tie the network to one size.
    return tf.keras.layers.PReLU(alpha_initializer=start, shared_axes=[1, 2])


def sigmoid() -> tf.keras.layers.Layer:
    """The logistic function."""
    return tf.keras.layers.Activation("sigmoid")


def dropout(rate: float = DROPOUT) -> tf.keras.layers.Layer:
    """Dropout with a seed of its own (Keras keeps its state in the layer's variables)."""
    return tf.keras.layers.Dropout(rate, seed=layer_seed(Purpose.DROPOUT))


_dropout = dropout  # the name of an argument of `deconv`


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class GroupedConv2D(tf.keras.layers.Conv2D):
    """A grouped convolution as one of each group: TensorFlow's takes 90 times as long on a CPU."""

    def convolution_op(self, inputs, kernel):
        """``[B, H, W, C]`` of ``groups`` parts, none of which sees another."""
        ops, parts = tf.keras.ops, self.groups
        images = ops.split(inputs, parts, axis=-1)
        kernels = ops.split(tf.convert_to_tensor(kernel), parts, axis=-1)
        options = {"padding": self.padding, "strides": self.strides}
        options["dilation_rate"] = self.dilation_rate
        made = [ops.conv(x, k, **options) for x, k in zip(images, kernels, strict=True)]
        return ops.concatenate(made, axis=-1)


def conv(
    kernel_size: int | tuple[int, int],
    filters: int,
    *,
    stride: int = 1,
    norm: str = "none",
    activation: Activation = None,
    padding: str = "same",
    **options: Any,
) -> tf.keras.layers.Layer:
    """Convolution without bias, then normalisation and activation where asked for.

    Args:
        kernel_size: Side of the kernel, or rows and columns.
        filters: Channels of the output.
        stride: Factor by which height and width shrink.
        norm: ``batch``, ``instance``, ``group``, ``spectral`` or ``none``.
        activation: A function such as :func:`lrelu` makes a layer at the end; a name is applied by
            the convolution itself, before any normalisation.
        padding: ``same`` or ``valid``.
        **options: Options of ``keras.layers.Conv2D`` (``use_bias``, ``dilation_rate``, ``dtype``,
            ``kernel_initializer``) other than those published.

    Returns:
        A layer ``[B, H, W, C] -> [B, H/stride, W/stride, filters]``.
    """
    kind = SpectralConv2D if norm == "spectral" else tf.keras.layers.Conv2D
    kind = GroupedConv2D if options.get("groups", 1) > 1 else kind
    made = kind(filters, kernel_size, stride, padding, **_published(options, activation))
    return _chain([made, *normalisation(norm, filters), *_end(activation)])


def deconv(
    kernel_size: int,
    filters: int,
    *,
    stride: int = 2,
    norm: str = "none",
    dropout: float = 0.0,
    activation: Activation = None,
    **options: Any,
) -> tf.keras.layers.Layer:
    """Transposed convolution without bias, then normalisation, dropout and activation.

    Args:
        kernel_size: Side of the kernel; with kernel 1 and stride 2 only every fourth pixel would be
            written.
        filters: Channels of the output.
        stride: Factor by which height and width grow.
        norm: ``batch``, ``instance``, ``group`` or ``none``.
        dropout: Its rate; 0 for none.
        activation: As of :func:`conv`.
        **options: Options of ``keras.layers.Conv2DTranspose`` (``dtype``, ``kernel_initializer``)
            other than those published.
    """
    options = _published(options, activation)
    made = tf.keras.layers.Conv2DTranspose(filters, kernel_size, stride, "same", **options)
    drops = [_dropout(dropout)] if dropout else []
    return _chain([made, *normalisation(norm, filters), *drops, *_end(activation)])


def _published(options: dict[str, Any], activation: Activation) -> dict[str, Any]:
    """Options of a convolution: no bias and N(0, 0.02) where not said otherwise."""
    # Drawn only where it is needed: a seed more would move those of all layers that follow.
    start = {} if "kernel_initializer" in options else {"kernel_initializer": normal()}
    own = None if callable(activation) else activation
    return {"use_bias": False, "activation": own, **start, **options}


def _end(activation: Activation) -> list[tf.keras.layers.Layer]:
    return [activation()] if callable(activation) else []


def _chain(parts: list[tf.keras.layers.Layer]) -> tf.keras.layers.Layer:
    # A convolution alone stays itself: checkpoints know the layers by their nesting.
    return parts[0] if len(parts) == 1 else tf.keras.Sequential(parts)
