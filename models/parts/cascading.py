"""The cascades of CARN (Ahn et al. 2018): residual blocks, grouped, and their sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import tensorflow as tf

from models.parts.primitives import conv, lrelu
from models.parts.resnet import reflected
from models.parts.seeds import he_normal
from models.parts.superres import SMALL_START
from models.parts.tags import block

Apply = Callable[[tf.Tensor], tf.Tensor]


def reflecting(kernel_size: int, filters: int, **options: Any) -> Apply:
    """A convolution with a bias that reflects at the border; as layers are, it can be shared."""
    options = {"kernel_initializer": he_normal(), **options}
    layer = conv(kernel_size, filters, padding="valid", use_bias=True, **options)
    return lambda x: layer(reflected(x, kernel_size // 2))


def cascades(input_tensor: tf.Tensor, params: SimpleNamespace) -> tf.Tensor:
    """All cascades, each a sum of blocks and they the same of them.

    Args:
        input_tensor: ``[B, H, W, features]``.
        params: ``cascades`` of ``blocks`` each, with the ``kernel``, ``groups`` and ``slope`` of
            their convolutions; with ``shared_weights`` those of a cascade have the same.
    """
    features = input_tensor.shape[-1]
    return summed(input_tensor, [_cascade(features, params) for _ in range(params.cascades)])


def summed(x: tf.Tensor, blocks: list[Apply]) -> tf.Tensor:
    """CARN's rule at both levels: 1 x 1 (block(x)) + the sum of all that was before."""
    before = [x]
    for one in blocks:
        x = tf.keras.layers.Add()([_pointwise(x.shape[-1])(one(x)), *before])
        before.append(x)
    return x


def _cascade(features: int, params: SimpleNamespace) -> Apply:
    count = 1 if params.shared_weights else params.blocks
    made = [_residual(features, params) for _ in range(count)]
    return block("cascade")(lambda x: summed(x, made * (params.blocks // count)))


def _residual(features: int, params: SimpleNamespace) -> Apply:
    activation = partial(lrelu, params.slope)
    options = {"groups": params.groups, "activation": activation}
    first, second = (reflecting(params.kernel, features, **options) for _ in range(2))
    mixed = _pointwise(features)

    def made(x: tf.Tensor) -> tf.Tensor:
        return activation()(tf.keras.layers.Add()([mixed(second(first(x))), x]))

    return made


def _pointwise(features: int) -> tf.keras.layers.Layer:
    return conv(1, features, use_bias=True, kernel_initializer=he_normal(SMALL_START))
