"""Discriminators: the PatchGAN, and the VGG-like ones that judge a whole image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from models.parts.norms import chosen_norm
from models.parts.primitives import SLOPE, conv, lrelu, scaled
from models.parts.seeds import glorot, he_normal, normal
from sensor2sensor.core.errors import ConfigError, ModelContractError


def judged_pair(
    height: int | None,
    width_px: int | None,
    input_channels: int,
    target_channels: int,
    input_repeat: int = 1,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Both inputs of a conditional discriminator, and their concatenation."""
    inp = tf.keras.layers.Input([height, width_px, input_channels], name="input_image")
    # Isola et al. 2017, equation 1; without the input, as in 2, any plausible image would do.
    tar = tf.keras.layers.Input([height, width_px, target_channels], name="target_image")
    return [inp, tar], tf.keras.layers.Concatenate()([*[inp] * input_repeat, tar])


# One more stride of 2 in the layer before the last gives these in the place of 16, 70 and 286.
_STRIDED = {22: 16, 94: 70, 382: 286}


def patch_stages(receptive_field: int) -> list[tuple[int, int, int]]:
    """Kernel, filters and stride of the convolutions of a PatchGAN before its answer.

    Isola et al. 2017, appendix 6.1.2, and their code: 64, 128, 256, 512, 512, ... filters, of which
    the last and the answer itself have stride 1. Their text has stride 2 in all.

    Args:
        receptive_field: 16, 34, 70, 142, 286, 574, ...: 1 to n layers of stride 2; 1: of 1 x 1
            kernels; 22, 94 or 382: one more stride of 2 in the last layer, by which a published
            reimplementation trained 94 in the place of 70.

    Raises:
        ValueError: There is no such PatchGAN.
    """
    if receptive_field == 1:
        return [(1, 64, 1), (1, 128, 1)]
    wanted, made = _STRIDED.get(receptive_field, receptive_field), []
    while field_of([*made, (4, 0, 1), (4, 1, 1)]) < wanted:
        made.append((4, min(64 << len(made), 512), 2))
    stages = [*made, (4, min(64 << len(made), 512), 2 if receptive_field in _STRIDED else 1)]
    if field_of([*stages, (4, 1, 1)]) != receptive_field:
        raise ValueError(f"no PatchGAN sees {receptive_field} pixels")
    return stages


def field_of(stages: Sequence[tuple[int, int, int]]) -> int:
    """Pixels a side that one answer of a chain of convolutions sees: r <- stride (r - 1) + k."""
    field = 1
    for kernel, _, stride in reversed(stages):
        field = stride * (field - 1) + kernel
    return field


def patchgan(
    height: int | None,
    width_px: int | None,
    input_channels: int,
    target_channels: int,
    *,
    width: float = 1.0,
    norm: str = "published",
    receptive_field: int = 70,
    padding: str = "torch",
    bias: bool | str = False,
    slope: float = SLOPE,
    input_repeat: int = 1,
) -> tf.keras.Model:
    """The conditional PatchGAN discriminator (Isola et al. 2017) with logits.

    Args:
        height: Rows of the images; None: left open, and so are the columns.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        width: Multiplies the filters (at least 4 each).
        norm: Normalisation of its layers (``models.parts.norms.KINDS``); published: batch.
        receptive_field: Side of the patch that an answer sees, pixels (:func:`patch_stages`).
        padding: Of its layers of stride 1: ``torch`` as the authors' code, where one pixel on every
            side of an even kernel costs one answer; ``same`` for as many answers as there are
            strides: 32 x 32 for 256 pixels, where ``torch`` has 30 x 30.
        bias: Whether its layers have biases; ``unnormalised``: those without batch, instance or
            group normalisation, whose offsets stand for them.
        slope: Of its leaky ReLU.
        input_repeat: How often the conditioning image stands beside the judged one.

    Returns:
        A model ``[input_image, target_image] -> [B, h, w, 1]`` of logits.

    Raises:
        ConfigError: The images are too small for one answer.
    """
    pair, x = judged_pair(height, width_px, input_channels, target_channels, input_repeat)
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=True)
    for number, (kernel, filters, stride) in enumerate(patch_stages(receptive_field)):
        kind = inner if number else outer
        options = {"norm": kind, "use_bias": _biased(bias, kind), "stride": stride}
        options["activation"] = partial(lrelu, slope)
        x = _padded_conv(x, kernel, scaled(filters, width), padding, **options)
    options = {"norm": outer, "use_bias": _biased(bias, outer), "dtype": "float32"}
    x = _padded_conv(x, 1 if receptive_field == 1 else 4, 1, padding, **options)
    return tf.keras.Model(pair, x, name="discriminator")


def _biased(bias: bool | str, norm: str) -> bool:
    return norm in ("none", "spectral") if bias == "unnormalised" else bool(bias)


def _padded_conv(
    x: tf.Tensor, kernel: int, filters: int, padding: str, stride: int = 1, **options: Any
) -> tf.Tensor:
    # Of even sides "same" takes one pixel a side for a stride of 2, as PyTorch does.
    if padding == "same" or stride == 2 or kernel == 1:
        return conv(kernel, filters, stride=stride, **options)(x)
    if None not in x.shape[1:3] and min(x.shape[1:3]) < kernel - 2:
        raise too_small()
    x = tf.keras.layers.ZeroPadding2D()(x)
    return conv(kernel, filters, stride=stride, padding="valid", **options)(x)


def too_small() -> ConfigError:
    """What to say of images for which a PatchGAN has not one answer."""
    return ConfigError(
        "the images are too small for one answer of this PatchGAN",
        where="discriminator.receptive_field",
        hint="take a smaller receptive_field, padding 'same', or larger images",
    )


def plain_patchgan(
    height: int,
    width_px: int,
    input_channels: int,
    target_channels: int,
    stages: Sequence[tuple[int, int]],
    *,
    width: float = 1.0,
    norm: str = "published",
) -> tf.keras.Model:
    """A conditional judge of patches without normalisation (PSGAN, Liu et al. 2021).

    3 x 3 convolutions with leaky ReLU, then one more with one answer for each of its pixels.

    Args:
        height: Rows of the images.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        stages: Filters and stride of each convolution.
        width: Multiplies the filters (at least 4 each).
        norm: Normalisation of its layers (``models.parts.norms.KINDS``); published: none.

    Returns:
        A model ``[input_image, target_image] -> [B, H/s, W/s, 1]`` of logits, s the product of
        the strides.
    """
    pair, x = judged_pair(height, width_px, input_channels, target_channels)
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=False)
    for number, (filters, stride) in enumerate(stages):
        options = {"stride": stride, "norm": inner if number else outer}
        x = conv(3, scaled(filters, width), activation=lrelu, **options)(x)
    outputs = conv(3, 1, norm=outer, dtype="float32")(x)
    return tf.keras.Model(pair, outputs, name="discriminator")


def vgg_discriminator(
    height: int,
    width_px: int,
    input_channels: int,
    target_channels: int,
    stages: Sequence[tuple[int, int]],
    head: int,
    *,
    width: float = 1.0,
    norm: str = "published",
) -> tf.keras.Model:
    """A conditional discriminator that judges the whole image (SRGAN, Ledig et al. 2017, figure 4).

    3 x 3 convolutions with leaky ReLU, all but the first batch-normalised, then two fully
    connected layers. These are written as convolutions over all that is left of the image, which
    is the same function, so that spectral normalisation reaches them too.

    Args:
        height: Rows of the images.
        width_px: Columns of the images.
        input_channels: Channels of the conditioning image.
        target_channels: Channels of the judged image.
        stages: Filters and stride of each convolution.
        head: Units of the first fully connected layer.
        width: Multiplies filters and units (at least 4 each).
        norm: Normalisation of its layers (``models.parts.norms.KINDS``); published: batch.

    Returns:
        A model ``[input_image, target_image] -> [B, 1, 1, 1]`` of logits.
    """
    pair, x = judged_pair(height, width_px, input_channels, target_channels)
    outer = chosen_norm(norm, published=False, inner=False)
    inner = chosen_norm(norm, published=True)
    for number, (filters, stride) in enumerate(stages):
        kind = inner if number else outer
        # N(0, 0.02) relies on a normalisation: ten layers without one would answer 0 to all.
        start = he_normal() if norm == "none" else normal()
        options = {"stride": stride, "norm": kind, "kernel_initializer": start}
        x = conv(3, scaled(filters, width), activation=lrelu, **options)(x)
    rest = tuple(x.shape[1:3])
    dense = {"padding": "valid", "norm": outer, "use_bias": True}
    head_start = {"kernel_initializer": glorot()}
    x = conv(rest, scaled(head, width), activation=lrelu, **head_start, **dense)(x)
    x = conv(1, 1, dtype="float32", **dense)(x)
    return tf.keras.Model(pair, x, name="discriminator")


def staged(discriminator: tf.keras.Model) -> tf.keras.Model:
    """The same discriminator that also returns what its stages see, for feature matching.

    A stage is a ``Sequential`` or a leaky ReLU of the functional model. No layer or variable is
    made.

    Returns:
        A model of the same inputs whose outputs are the stages', in order, and last the answer.

    Raises:
        ModelContractError: The discriminator has no such stage before its answer.
    """
    last = discriminator.outputs[0]
    kinds = (tf.keras.Sequential, tf.keras.layers.LeakyReLU)
    # A Sequential's own `output` lies inside it; here the tensor is wanted that it gives outside.
    made = [
        tf.keras.Operation.output.fget(layer)
        for layer in discriminator.layers
        if isinstance(layer, kinds)
    ]
    stages = [tensor for tensor in made if tensor is not last]
    if not stages:
        raise ModelContractError(
            "the discriminator has no stages whose features could be matched",
            where="gen_loss.gen_fm",
            hint="set gen_fm to null, or build it of Sequential stages or LeakyReLU layers",
        )
    return tf.keras.Model(discriminator.inputs, [*stages, last])
