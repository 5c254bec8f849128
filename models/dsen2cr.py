"""dsen2cr: a residual network that clears an optical image of clouds, with radar beside it.

Meraner, Ebel, Zhu, Schmitt: Cloud removal in Sentinel-2 imagery using a deep residual neural
network and SAR-optical data fusion, ISPRS Journal 166, 2020. Its blocks are EDSR's (Lim et al.
2017), its form that of Lanaras et al. 2018.

A convolution of 3 x 3 with ReLU, residual blocks whose branch counts a tenth, and a convolution
that says what is added to the cloudy bands. No normalisation, no dropout, every convolution with a
bias. With 16 blocks a pixel depends on 69 x 69 of the input: behind a cloud of more than 34 pixels
in radius there is radar alone. All is convolution, so any height and width will do, whatever size
it was trained at.

Differences from the paper:
    * The output is the image alone. The authors' network also hands on its input, and a plane of
      zeros, for its loss; here ``gen_carl`` takes both from the batch.
    * Bands are found by name and group, so that 10 bands or 13, in any order, are what they are.

The published loss, optimizer and scaling are keys of the experiment: ``gen_carl``,
``"optimizer": "nadam_keras2"``, ``"normalisation": "dsen2cr"``
(``examples/experiments/clouds/published.json``).

``params``:
    blocks (16): residual blocks.
    features (256): filters of every convolution but the last. 16 x 256 on 13 + 2 bands has the
        published 18,947,341 values; on 10 + 2 bands 16 x 64 has 1,194,442 and 13 x 64 972,874.
    width (1.0): multiplies the filters of both networks, at least 4 each.
    residual_scale (0.1): factor of every block's branch.
    sar (true): whether radar enters, the input bands of group S1, behind the optical ones. With
        false it has no part, even where the data set has it.
    zero_head (false): start the last convolution at zero, so that the untrained network is the
        cloudy input itself; as published it starts farther from the truth than that.
    discriminator (false): train against the 70 x 70 PatchGAN of pix2pix.
"""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import base_of, chosen_bands
from models.parts.clouds import seen_bands
from models.parts.primitives import conv, scaled
from models.parts.seeds import he_uniform, seeded
from models.parts.superres import residual_block_edsr

DEFAULTS = {
    "blocks": 16,
    "features": 256,
    "width": 1.0,
    "residual_scale": 0.1,
    "sar": True,
    "zero_head": False,
    "discriminator": False,
}


class GAN:
    """DSen2-CR: unbounded output, images of any size, by default no discriminator."""

    SIDES_MULTIPLE_OF_PX = 1
    OPTIONAL_GROUPS: ClassVar = {"sar": "S1"}

    def __init__(self, experiment: Experiment):
        # 0.9 as in the paper; an adversary wants a shorter memory.
        base.assemble(self, experiment, DEFAULTS, beta_1_alone=0.9)

    @staticmethod
    def experiment_defaults(params):
        """Without a discriminator of its own no adversarial term is there by default."""
        return {} if params.get("discriminator") else {"gen_loss.gen_gan": None}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]`` for any H and W, unbounded."""
        exp, params = self.exp, self.params
        filters = scaled(params.features, params.width)
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([None, None, exp.INPUT_CHANNELS])
            x = chosen_bands(inputs, seen_bands(exp, params.sar))
            start = {"use_bias": True, "kernel_initializer": he_uniform()}
            x = conv(3, filters, activation="relu", **start)(x)
            for _ in range(params.blocks):
                # As published no ReLU follows the sum.
                x = residual_block_edsr(x, filters, scale=params.residual_scale, start=he_uniform)
            last = "zeros" if params.zero_head else he_uniform()
            ends = {"use_bias": True, "kernel_initializer": last, "dtype": "float32"}
            added = conv(3, exp.OUTPUT_CHANNELS, **ends)(x)
            outputs = tf.keras.layers.Add(dtype="float32")([base_of(exp, inputs), added])
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits, or None without one."""
        # Of any size as well, since losses at validation ask it about whole tiles.
        judged = self.params.discriminator
        return base.patchgan(self.exp, self.params.width, any_size=True) if judged else None

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
