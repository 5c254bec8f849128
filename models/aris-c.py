"""aris-c: multireceptive field, then a dense block, then the U-Net.

Au, Tsamados, Manescu, Takao: ARISGAN: Extreme super-resolution of arctic surface imagery using
generative adversarial networks, Frontiers in Remote Sensing 2024, doi
10.3389/frsen.2024.1417417. The published code calls this variant aris-c (a has the dense block
at the end, b at the start).

Differences from the paper:
    * Which of the three variants the paper describes is not verified; this is the network of the
      published code, layer by layer.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    norm ("published"): normalisation of the U-Net: ``"batch"`` (published), ``"instance"``,
        ``"group"`` or ``"none"``. Only batch normalisation ties the images of a batch together.
    bottleneck_norm (true): normalisation of the U-Net's innermost stage, as published.
        With one image per batch a 1 x 1 bottleneck has one value per channel, whose normalised
        form is always 0; false leaves that one normalisation out and is sound for every batch
        size, and so it is with instance normalisation.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

The output is linear, so every normalisation will do.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.blocks import dense_block, multireceptive_field, unet
from models.parts.primitives import scaled
from models.parts.seeds import seeded

DEFAULTS = {
    "width": 1.0,
    "norm": base.NORMS,
    "bottleneck_norm": True,
    "base": base.BASES,
}
KERNELS = (5, 9, 13)


class GAN:
    """ARISGAN with the dense block amidst, and a 70 x 70 PatchGAN; images of 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, width = self.exp, self.params.width
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            fields = multireceptive_field(inputs, KERNELS, scaled(64, width))
            dense = dense_block(fields, filters=scaled(32, width))
            context = unet(
                dense, scaled(64, width), width=width,
                norm=self.params.norm, bottleneck_norm=self.params.bottleneck_norm,
            )  # fmt: skip
            # Beside the fields: the U-Net's way down to 1 x 1 loses the detail they hold.
            both = tf.keras.layers.Concatenate()([context, fields])
            outputs = last_conv(exp, self.params.base, inputs, both, 1)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits; None where not asked for."""
        return base.patchgan(self.exp, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
