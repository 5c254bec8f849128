"""dmnet: two multiscale stages, one of growing kernels and one of dilated ones.

Li, Zhang, Peng, Dong: DMNet: A Network Architecture Using Dilated Convolution and Multiscale
Mechanisms for Spatiotemporal Fusion of Remote Sensing Images, IEEE Sensors Journal 20(20), 2020.

Differences from the paper:
    * One input image, as in ARISGAN's port; the paper fuses images of several dates and sensors.
    * A 70 x 70 PatchGAN of pix2pix is trained against it, as in the port; the paper has none.
      ``discriminator: null`` trains the generator alone.
    * Two skips are taken before their ReLU and rectified after the concatenation, as in the port.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

The output is linear, so every normalisation will do. Only the dilated convolutions have biases
and start from Glorot's distribution, as in the port.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.blocks import dilated_field, multireceptive_field
from models.parts.primitives import conv, relu, scaled
from models.parts.seeds import seeded

DEFAULTS = {"width": 1.0, "base": base.BASES}
KERNELS = (3, 5, 7)
RATES = (1, 2, 3)


class GAN:
    """DMNet of one image and a 70 x 70 PatchGAN; images of 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, filters = self.exp, scaled(64, self.params.width)
        concat = tf.keras.layers.Concatenate
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = relu()(conv(3, filters)(inputs))
            early = conv(3, filters)(x)
            x = multireceptive_field(relu()(early), KERNELS, filters)
            middle = conv(3, filters)(x)
            x = relu()(concat()([early, relu()(middle)]))
            x = relu()(conv(3, filters)(x))
            x = dilated_field(x, RATES, filters)
            x = relu()(conv(3, filters)(x))
            x = relu()(concat()([early, middle, x]))
            x = relu()(conv(3, filters)(x))
            outputs = last_conv(exp, self.params.base, inputs, x, 1)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits; None where not asked for."""
        return base.patchgan(self.exp, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
