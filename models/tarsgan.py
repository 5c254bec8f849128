"""tarsgan: adaptive weighted residual-in-residual dense blocks, against a whole-image judge.

Tao, Xiong, Song, Muller: Towards Streamlined Single-Image Super-Resolution: Demonstration with
10 m Sentinel-2 Colour and 10-60 m Multi-Spectral VNIR and SWIR Bands, Remote Sensing 13(13):2614,
2021, doi 10.3390/rs13132614.

Differences from the paper:
    * The input arrives on the target's grid, so all blocks work on the full grid and nothing is
      upsampled at the end, as in ARISGAN's port. That costs memory: at 256 pixels the outputs of
      all layers take 17 GiB per image in float32; ``layers``, ``width`` and mixed_bfloat16 help.
    * The input is laid beside the last features, as in the port (``params.concat``).
    * Noise N(0, 0.1) is added to a copy of a block's output, as in the port, rather than as an
      input of its own.
    * Losses are the experiment's: ESRGAN's relativistic average judge is ``gen_ragan`` with
      ``disc_ragan``; there is no perceptual loss.
    * The discriminator also sees the input; leaky ReLU with slope 0.3; convolutions without bias.

Where ARISGAN's port is broken, this follows the paper:
    * Its "learnable" weights λ are random numbers drawn anew in every call, in inference too:
      the same input gives another image each time. Here they are trained, and start as ESRGAN's
      residual scaling (``parts.superres.awrrdb``).
    * Its discriminator ends in ReLU and sigmoid, so no answer is below 0.5 and nothing can be
      called fake; and it has 512 answers per pixel. Here the whole image is flattened, goes
      through 512 units and gets one logit of either sign. At 256 pixels these have 67 million
      weights.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    layers (16): blocks.
    concat (true): lay the input beside the features before the last convolution.
    experimental_stride (1): 2 takes dense blocks whose stages go down to half the resolution and
        up again (an experiment of ARISGAN's author); 1, as published, plain ones.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

The output is linear, so every normalisation will do.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.primitives import conv, scaled
from models.parts.seeds import seeded
from models.parts.superres import awrrdb

DEFAULTS = {
    "width": 1.0,
    "layers": 16,
    "concat": True,
    "experimental_stride": (1, 2),  # 3 x 3 transposed ones of a larger stride leave pixels out
    "base": base.BASES,
}
STAGES = (
    (64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)
)  # fmt: skip
HEAD = 512


class GAN:
    """TARSGAN on the full grid; images of 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, filters = self.exp, scaled(32, self.params.width)
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = conv(3, filters)(inputs)
            for _ in range(self.params.layers):
                x = awrrdb(x, filters, stride=self.params.experimental_stride)
            x = conv(3, filters)(x)
            if self.params.concat:
                # In float32: bfloat16 would round the image itself to three digits.
                x = tf.keras.layers.Concatenate(dtype="float32")([x, inputs])
            outputs = last_conv(exp, self.params.base, inputs, x, 3)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, 1, 1, 1]`` logits; None where not asked for."""
        return base.vgg_discriminator(self.exp, STAGES, HEAD, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
