"""resnet_pix2pix: residual blocks between an encoder and a decoder, against a PatchGAN.

Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR
2017, arXiv 1611.07004, with the generator of Johnson, Alahi, Fei-Fei: Perceptual Losses for
Real-Time Style Transfer and Super-Resolution, ECCV 2016, arXiv 1603.08155, as published pix2pix
trainings on building masks have it.

Differences from the paper:
    * The discriminator is conditional and has 70 x 70 patches, as in pix2pix; the losses are least
      squares (Mao et al. 2017): by default ``gen_lsgan`` 2 and ``disc_lsgan`` 1, whose halves are
      the mean squares and half their sum of the published trainings, beside ``gen_l1`` 100.
    * Biases stand where no normalisation has an offset; slope 0.2.
    * Batch normalisation at inference takes measured moments, and those trainings the test batch's:
      ``"inference": {"norm": "batch"}`` of an experiment.
    * Published descriptions call it a U-Net of residual blocks, and it has no skips over the blocks
      there; ``skips`` makes it one.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    blocks (9): residual blocks.
    norm ("published"): normalisation of the generator: ``"batch"`` (published), ``"instance"``
        (without gain and offset, with biases, as published), ``"group"`` or ``"none"``. Those
        trainings found that instance normalisation mends the saturated colours of batch
        normalisation.
    skips (false): the decoder also sees the encoder's maps.
    dropout (false): dropout of one half within the residual blocks.
    input_repeat (1): how often both networks see the input. The published trainings stored a mask
        as three equal bands, ``3`` for one of one band; the function is the same, the step size of
        the first layer is not.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

Without a base the output ends in tanh, so the target must be normalised into [-1, 1]: with
``symmetric`` these bounds stand for the output range of each band, and what lies beyond it is
clipped. Rows and columns must be multiples of 4: a tile of 286 pixels is trained on in crops.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import finish
from models.parts.primitives import conv
from models.parts.resnet import residual_generator
from models.parts.seeds import seeded

DEFAULTS = {
    "width": 1.0,
    "blocks": 9,
    "norm": base.NORMS,
    "skips": False,
    "dropout": False,
    "input_repeat": 1,
    "base": base.BASES,
}


class GAN:
    """Residual generator and PatchGAN discriminator; images whose sides are multiples of 4."""

    OUTPUT_BOUNDS = (-1, 1)  # tanh
    SIDES_MULTIPLE_OF_PX = 4

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    @staticmethod
    def experiment_defaults(params):
        """Least squares where the experiment does not say."""
        least_squares = {"gen_loss.gen_gan": None, "gen_loss.gen_lsgan": 2.0}
        return {**least_squares, "disc_loss.disc_bce": None, "disc_loss.disc_lsgan": 1.0}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, without a base in [-1, 1]."""
        exp, params = self.exp, self.params
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            times = params.input_repeat
            x = tf.keras.layers.Concatenate()([inputs] * times) if times > 1 else inputs
            x = residual_generator(
                x, width=params.width, blocks=params.blocks, norm=params.norm,
                skips=params.skips, drops=params.dropout,
            )  # fmt: skip

            def last(**options):
                last_one = conv(7, exp.OUTPUT_CHANNELS, padding="valid", use_bias=True, **options)
                return last_one(x)

            outputs = finish(exp, params.base, inputs, last, "tanh")
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, h, w, 1]`` logits, 70 x 70 pixels each; None: not asked for."""
        own = {"bias": "unnormalised", "slope": 0.2, "input_repeat": self.params.input_repeat}
        return base.patchgan(self.exp, self.params.width, **own)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
