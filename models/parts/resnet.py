"""The residual generator of pix2pix' successors: reflecting borders, residual blocks, no U."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from models.parts.norms import PLAIN_INSTANCE, chosen_norm
from models.parts.primitives import conv, deconv, dropout, relu, scaled
from models.parts.tags import block

_FILTERS = (64, 128, 256)


def reflected(x: tf.Tensor, pixels: int) -> tf.Tensor:
    """An image grown by its mirrored borders; every side must be longer than ``pixels``."""
    return tf.keras.ops.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]], "reflect")


def _options(norm: str) -> dict[str, Any]:
    """A convolution's normalisation and whether it has a bias."""
    kind = chosen_norm(norm, published=True)
    # As published: instance normalisation without gain and offset, for which biases stand in.
    kind = PLAIN_INSTANCE if kind == "instance" else kind
    return {"norm": kind, "use_bias": kind in ("none", PLAIN_INSTANCE)}


@block("residual block")
def _residual_block(x: tf.Tensor, filters: int, options: dict[str, Any], drops: bool) -> tf.Tensor:
    inner = conv(3, filters, padding="valid", activation=relu, **options)(reflected(x, 1))
    inner = dropout()(inner) if drops else inner
    inner = conv(3, filters, padding="valid", **options)(reflected(inner, 1))
    # The authors of the block (He et al. 2016) have this ReLU, CycleGAN's code has not.
    return relu()(tf.keras.layers.Add()([x, inner]))


def residual_generator(
    input_tensor: tf.Tensor,
    *,
    width: float = 1.0,
    blocks: int = 9,
    norm: str = "published",
    skips: bool = False,
    drops: bool = False,
) -> tf.Tensor:
    """Encoder, residual blocks and decoder (Johnson et al. 2016), before the last convolution.

    Args:
        input_tensor: ``[B, H, W, C]``; H and W divisible by 4, 8 or more.
        width: Multiplies the filters (at least 4 each).
        blocks: Residual blocks at a quarter of the size.
        norm: Normalisation (``models.parts.norms.GENERATOR_KINDS``); published: batch.
        skips: Whether the decoder also sees the maps of the encoder, as in a U-Net.
        drops: Whether there is dropout within the blocks.

    Returns:
        ``[B, H + 6, W + 6, C']``: grown by its mirrored borders for a ``valid`` 7 x 7 convolution.
    """
    options, filters = _options(norm), [scaled(count, width) for count in _FILTERS]
    first = {"padding": "valid", "activation": relu}
    x = conv(7, filters[0], **first, **options)(reflected(input_tensor, 3))
    seen = [x]
    for count in filters[1:]:
        x = conv(3, count, stride=2, activation=relu, **options)(x)
        seen.append(x)
    for _ in range(blocks):
        x = _residual_block(x, filters[-1], options, drops)
    for skip in seen[-2::-1]:
        x = deconv(3, skip.shape[-1], activation=relu, **options)(x)
        x = tf.keras.layers.Concatenate()([x, skip]) if skips else x
    return reflected(x, 3)
