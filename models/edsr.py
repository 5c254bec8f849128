"""edsr: a residual network without normalisation that mends the upsampled input.

Lim, Son, Kim, Nah, Lee: Enhanced Deep Residual Networks for Single Image Super-Resolution,
CVPRW 2017.

Differences from the paper:
    * The paper works on the coarse grid and upsamples at the end. Here the input arrives on the
      target's grid, so the network works on a grid ``shrink`` times coarser: its first convolution
      strides over squares of ``shrink`` pixels and its last, transposed one (a 3 x 3 convolution
      and the paper's pixel shuffle in one) fills them again.
    * What it adds goes on top of the upsampled input instead of on nothing. The last convolution
      starts at zero: an untrained edsr is the bicubic (or nearest) upsampling itself, and every
      step of training is a step away from that baseline.
    * 16 blocks of 64 filters are the paper's baseline network; its large one has 32 of 256.

The base of a target band is the input band of the same name, else the nearest in wavelength that
lies within 35 nm, moved from the input's normalisation to the target's. Where both have one unit
that is exact; where they have not (radiance to reflectance) the bands' value ranges are laid onto
each other.

``params``:
    blocks (16): residual blocks.
    width (1.0): multiplies the 64 filters, at least 4.
    shrink (1): 1, 2 or 4; how much coarser the inner grid is. Each doubling costs a quarter.
    residual_scale (1.0): factor of every block's branch (the paper takes 0.1 for 256 filters).
    local_contrast (false): also show the network the deviations from the local mean in units of
        the local contrast, and let it answer in that unit. Nothing is learned by it and the base
        is untouched; a dark field and a bright floe then look alike, where with one range for
        both the field's contrast is a few percent of it. Without it 300 steps on scenes with ice
        beside land barely leave the bicubic.
    base ("input"): what the output is added to; edsr has no other.
    discriminator (false): train against a 70 x 70 PatchGAN of pix2pix; its filters follow width.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import base_layer
from models.parts.primitives import scaled
from models.parts.seeds import he_normal, seeded
from models.parts.tags import mark

DEFAULTS = {
    "blocks": 16,
    "width": 1.0,
    "shrink": (1, 2, 4),
    "residual_scale": 1.0,
    "local_contrast": False,
    "base": ("input",),
    "discriminator": False,
}
CONTRAST_INPUT_PX = 3  # side of the square that counts as local, in pixels of the input
CONTRAST_FLOOR = 0.01  # of the normalised range; below it there is noise rather than contrast


class GAN:
    """EDSR over the upsampled input; unbounded output, by default no discriminator."""

    def __init__(self, experiment: Experiment):
        # 0.9 as in the paper; an adversary moves the goal at every step and wants a shorter memory.
        base.assemble(self, experiment, DEFAULTS, beta_1_alone=0.9)

    @staticmethod
    def experiment_defaults(params):
        """Without a discriminator of its own no adversarial term is there by default."""
        return {} if params.get("discriminator") else {"gen_loss.gen_gan": None}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded; untrained it returns its base."""
        exp, shrink = self.exp, self.params.shrink
        filters = scaled(64, self.params.width)
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            start = base_layer(exp)(inputs)
            seen, gain = inputs, None
            if self.params.local_contrast:
                seen, gain = _local_contrast(inputs, start, contrast_px(exp))
            x = head = tf.keras.layers.Conv2D(
                filters, 3 * shrink, shrink, "same", kernel_initializer=he_normal()
            )(seen)
            for _ in range(self.params.blocks):
                x = self._block(x, filters)
            x = tf.keras.layers.Add()([_conv(filters, he_normal(0.1))(x), head])
            residual = tf.keras.layers.Conv2DTranspose(
                exp.OUTPUT_CHANNELS,
                3 * shrink,
                shrink,
                "same",
                kernel_initializer="zeros",
                dtype="float32",
            )(x)
            if gain is not None:
                residual = tf.keras.layers.Multiply(dtype="float32")([residual, gain])
            outputs = tf.keras.layers.Add(dtype="float32")([start, residual])
        return tf.keras.Model(inputs, outputs, name="generator")

    def _block(self, x: tf.Tensor, filters: int) -> tf.Tensor:
        branch = _conv(filters, he_normal(), "relu")(x)
        # Without normalisation a sum of blocks must start small, or it doubles with every block.
        branch = _conv(filters, he_normal(0.1))(branch)
        if self.params.residual_scale != 1.0:
            branch = tf.keras.layers.Rescaling(self.params.residual_scale)(branch)
        outputs = tf.keras.layers.Add()([x, branch])
        mark(outputs, x, "residual block")
        return outputs

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits, or None without one."""
        return base.patchgan(self.exp, self.params.width) if self.params.discriminator else None

    @tf.function
    def train_step(self, input_image, target, step, **extras):
        """One update; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)


def _conv(filters: int, initializer, activation: str | None = None) -> tf.keras.layers.Layer:
    return tf.keras.layers.Conv2D(
        filters, 3, padding="same", activation=activation, kernel_initializer=initializer
    )


def contrast_px(experiment: Experiment) -> int:
    """Side of the local square in pixels of the target: odd, and no wider than the image."""
    side = round(CONTRAST_INPUT_PX * experiment.SCALE)
    return min(side, experiment.IMG_HEIGHT - 1, experiment.IMG_WIDTH - 1) // 2 * 2 + 1


def _local_contrast(
    image: tf.Tensor, start: tf.Tensor, side_px: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network sees of an image, and the scale of what it adds.

    Returns:
        The image beside its deviations from the local mean in units of the local contrast,
        ``[B, H, W, 2 C_in]``; the local contrast of the base, ``[B, H, W, C]``.
    """
    mean, contrast = _local_statistics(image, side_px)
    deviation = (image - mean) / contrast
    _, gain = _local_statistics(start, side_px)
    return tf.keras.layers.Concatenate()([image, deviation]), gain


def _local_statistics(image: tf.Tensor, side_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Local mean and standard deviation; the latter never below CONTRAST_FLOOR."""
    mean = _local_mean(image, side_px)
    variance = _local_mean(tf.keras.ops.square(image - mean), side_px)
    # Added under the root, whose slope at 0 is infinite.
    return mean, tf.keras.ops.sqrt(variance + CONTRAST_FLOOR**2)


def _local_mean(image: tf.Tensor, side_px: int) -> tf.Tensor:
    """Mean over a square, at borders over its part inside; columns and rows one after the other."""
    columns = tf.keras.layers.AveragePooling2D((side_px, 1), 1, "same", dtype="float32")(image)
    return tf.keras.layers.AveragePooling2D((1, side_px), 1, "same", dtype="float32")(columns)
