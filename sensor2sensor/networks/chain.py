"""What one answer of a discriminator sees, computed from its layers.

:mod:`sensor2sensor.networks.reach` measures any network by gradients; a chain of convolutions needs
none, and is known before the first step.
"""

from __future__ import annotations

from typing import Any

import keras

from sensor2sensor.networks.layers import held_layers

_POINTWISE = (
    keras.layers.InputLayer,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.Dropout,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.ZeroPadding2D,
    keras.Model,
)


def field_px(network: Any) -> int | None:
    """Pixels a side that one output pixel of a chain of convolutions sees.

    From the output on, r becomes stride · (r - 1) + kernel. Padding and normalisation by statistics
    of the image do not count.

    Args:
        network: Its inputs may be concatenated before the first convolution.

    Returns:
        None where the network is no such chain, or its kernels are not square.
    """
    convolutions: list[Any] = []
    for layer in held_layers(network):
        if isinstance(layer, keras.layers.Conv2D):
            convolutions.append(layer)
        elif isinstance(layer, keras.layers.Concatenate) and not convolutions:
            continue
        elif not isinstance(layer, _POINTWISE):
            return None
    field = 1
    for layer in reversed(convolutions):
        if len({*layer.kernel_size}) > 1 or len({*layer.strides}) > 1:
            return None
        kernel = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] + 1
        field = layer.strides[0] * (field - 1) + kernel
    return field if convolutions else None


def in_words(network: Any) -> str | None:
    """``30 x 30 answers, each from 70 x 70 pixels``; None where that is not computed.

    How many there are of an image of any size is not said.
    """
    field = field_px(network)
    if field is None:
        return None
    rows, columns = network.output_shape[1:3]
    if rows is None:
        return f"answers, each from {field} x {field} pixels"
    # Also a judge of whole images ends in a convolution over what is left of it.
    whole = (rows, columns) == (1, 1)
    seen = "the whole image" if whole else f"{field} x {field} pixels"
    return f"{rows} x {columns} answers, each from {seen}"
