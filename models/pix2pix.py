"""pix2pix: a U-Net against a PatchGAN.

Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR
2017, arXiv 1611.07004.

Differences from the paper:
    * Inference uses the moving statistics of batch normalisation and no dropout, as in ARISGAN's
      port; the paper keeps the generator in training mode, so that the same input gives another
      image each time: ``"inference": {"dropout": true, "norm": "batch"}`` of an experiment.
    * Leaky ReLU with slope 0.3 instead of 0.2; no convolution has a bias, the last ones included
      (``slope`` and ``bias`` change the generator, the keys of that name in ``discriminator`` the
      other).
    * Gains of batch normalisation start at 1 instead of N(1, 0.02).
    * Losses are the experiment's. The paper's are ``gen_gan`` 1, ``gen_l1`` 100 and
      ``disc_bce`` 0.5.

Where ARISGAN's port is broken, this follows the paper:
    * The port chooses the depth by the tile size while its tensors have the size of the images;
      here the depth follows the images: every stage halves both sides, and there are eight where
      both are multiples of 256, else seven or six (128, 64).
    * Its targets, divided by the norm of the whole tile, fill a few thousandths of the range of
      tanh. Here a normalisation that leaves [-1, 1] is refused, and ``symmetric`` fills it.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    norm ("published"): normalisation of the generator: ``"batch"`` (published), ``"instance"``,
        ``"group"`` or ``"none"``. Only batch normalisation ties the images of a batch together.
    bottleneck_norm (true): normalisation of the innermost stage, as published. With one
        image per batch a 1 x 1 bottleneck has one value per channel, whose normalised form is
        always 0; false leaves that one normalisation out and is sound for every batch size, and
        so it is with instance normalisation.
    bias (false): a bias in every convolution of the generator. With it, slope 0.2 and a
        ``bottleneck_norm`` the network has the 54,431,363 values of published reimplementations
        for three bands, without that norm the 54,429,315 of the authors' code.
    slope (0.3): of the leaky ReLU of the generator's encoder; the paper has 0.2.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

Without a base the output ends in tanh, so the target must be normalised into [-1, 1]: with
``symmetric`` these bounds stand for the output range of each band, and what lies beyond it is
clipped. On a base the output is linear and every normalisation will do.
"""

from __future__ import annotations

from functools import partial

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import finish
from models.parts.blocks import unet
from models.parts.primitives import SLOPE
from models.parts.seeds import seeded

DEFAULTS = {
    "width": 1.0,
    "norm": base.NORMS,
    "bottleneck_norm": True,
    "bias": False,
    "slope": SLOPE,
    "base": base.BASES,
}


class GAN:
    """U-Net generator and PatchGAN discriminator; images whose sides are multiples of 64."""

    OUTPUT_BOUNDS = (-1, 1)  # tanh
    SIDES_MULTIPLE_OF_PX = 64

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, without a base in [-1, 1]."""
        exp, params = self.exp, self.params
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            last = partial(
                unet, inputs, exp.OUTPUT_CHANNELS, width=params.width, norm=params.norm,
                bottleneck_norm=params.bottleneck_norm, bias=params.bias, slope=params.slope,
            )  # fmt: skip
            # tanh where the output stands alone; what goes on top of a base is linear.
            outputs = finish(exp, params.base, inputs, last, "tanh")
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, h, w, 1]`` logits, 70 x 70 pixels each; None: not asked for."""
        return base.patchgan(self.exp, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
