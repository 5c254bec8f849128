"""dsen2w: a residual network that mends the upsampled input, against a whole-image judge.

DSen2-WGAN: Super-resolution of Sentinel-2 images using Wasserstein GAN, Remote Sensing Letters
2022. The base is DSen2: Lanaras, Bioucas-Dias, Galliani, Baltsavias, Schindler: Super-resolution
of Sentinel-2 images: Learning a globally applicable deep neural network, ISPRS Journal 146, 2018.

Differences from the paper:
    * As in ARISGAN's port a residual block is convolution, leaky ReLU, convolution, batch
      normalisation, convolution, without bias, and its sum is not scaled. DSen2's has two
      convolutions, no normalisation, He's initial weights, and multiplies the branch by 0.1.
    * 12 blocks of 64 filters, as in the port; DSen2 has 6 of 128, or 32 of 256.
    * What is added to the input passes a leaky ReLU, as in the port, and one more convolution
      follows, since the input has other bands than the target.
    * The critic is the experiment's choice. That of the paper is ``gen_wstein``, ``disc_wstein``
      and ``disc_gp`` with ``"discriminator": {"norm": "instance", "steps": 5}`` (a gradient penalty
      does not bear batch normalisation). ARISGAN's runs diverged mostly, with ``gen_wstein``
      alone and no critic's loss.
    * The discriminator also sees the input; leaky ReLU with slope 0.3.

Where ARISGAN's port is broken, this differs:
    * Its discriminator has dense layers per pixel, ten answers each and a sigmoid, which no
      Wasserstein distance can be read from. Here the whole image is flattened, goes through 1024
      units and gets one unbounded answer. At 256 pixels these have 67 million weights.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    layers (12): residual blocks.
    norm ("published"): normalisation of the residual blocks: ``"batch"`` (published),
        ``"instance"``, ``"group"`` or ``"none"``.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

The output is linear, so every normalisation will do.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.primitives import conv, lrelu, scaled
from models.parts.seeds import seeded
from models.parts.superres import residual, residual_block_dsen2

DEFAULTS = {"width": 1.0, "layers": 12, "norm": base.NORMS, "base": base.BASES}
STAGES = (
    (64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2), (1024, 1),
    (1024, 2),
)  # fmt: skip
HEAD = 1024


class GAN:
    """DSen2-WGAN as in ARISGAN, with a judge that can be a critic; 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, filters = self.exp, scaled(64, self.params.width)
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = conv(3, filters, activation=lrelu)(inputs)
            for _ in range(self.params.layers):
                x = residual(x, residual_block_dsen2(filters=filters, norm=self.params.norm))
            # As many channels as the input it is added to (the skip of DSen2, Lanaras et al. 2018).
            x = conv(3, exp.INPUT_CHANNELS, activation=lrelu)(x)
            # In float32: bfloat16 would round the image itself to three digits.
            x = tf.keras.layers.Add(dtype="float32")([x, inputs])
            outputs = last_conv(exp, self.params.base, inputs, x, 3)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, 1, 1, 1]`` logits; None where not asked for."""
        return base.vgg_discriminator(self.exp, STAGES, HEAD, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
