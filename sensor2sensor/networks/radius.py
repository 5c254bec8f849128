"""How far one output pixel of a network sees to either side: what windows must overlap by.

:mod:`sensor2sensor.networks.reach` finds strides, too, for which it looks at hundreds of places;
a deep network is large enough that one place has to do here.
"""

from __future__ import annotations

import logging

import keras
import numpy as np
import tensorflow as tf

from sensor2sensor.networks.linear import fewer_by, linear_copy

logger = logging.getLogger(__name__)


def radius_px(network: keras.Model, side_px: int) -> int | None:
    """Input pixels that the output pixels of one input pixel see beyond it, on the farther side.

    Measured on a copy in which nothing but places matters; no weight changes.

    Args:
        network: ``[B, h, w, C_in] -> [B, h f, w f, C]``, a graph of layers, sides open.
        side_px: Of a square image that is tried.

    Returns:
        None where they see up to the border of that image.
    """
    copy = _copy(network)
    image = tf.constant(_positive((1, side_px, side_px, network.inputs[0].shape[-1])))
    middle = side_px // 2

    @tf.function  # type: ignore[untyped-decorator]  # out of a graph kernels get gradients, too
    def slope() -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(image)
            made = copy(image, training=False)
            factor = tf.shape(made)[1] // side_px
            own = slice(middle * factor, (middle + 1) * factor)
            total = tf.reduce_sum(made[:, own, own])
        return tape.gradient(total, image)

    found = np.asarray(slope())[0]
    seen = np.any((found != 0) & ~np.isnan(found), axis=-1)
    ends = [np.flatnonzero(seen.any(axis=axis))[[0, -1]] for axis in (0, 1)]
    if any(first == 0 or last == side_px - 1 for first, last in ends):
        return None
    return max(int(max(middle - first, last - middle)) for first, last in ends)


def _copy(network: keras.Model) -> keras.Model:
    """With as few channels as the layers bear: places are the same and it costs least."""
    for divisor in fewer_by(network):
        try:
            return linear_copy(network, divisor)
        # Whatever a layer raises that counts its channels.
        except Exception as error:
            logger.debug("%s cannot be had with fewer channels: %s", network.name, error)
    return linear_copy(network, 1)


def _positive(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)
