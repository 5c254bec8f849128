"""srs3: one multireceptive field and channel attention.

Fernandez, Fernandez-Beltran, Kang, Pla: Sentinel-3 Super-Resolution Based on Dense
Multireceptive Channel Attention, IEEE JSTARS 14, 2021, doi 10.1109/JSTARS.2021.3097410.

Differences from the paper:
    * The multireceptive field is parallel, as in ARISGAN's port; in the authors' code each
      convolution is fed by the one before (``params.serial``).
    * ReLU instead of leaky ReLU with slope 0.01 in the convolutions, and no biases, as in the port.
    * A 70 x 70 PatchGAN of pix2pix is trained against it, as in the port; the paper has none.
      ``discriminator: null`` trains the generator alone.

Where ARISGAN's port is broken, this follows the paper:
    * The port pools 2 x 2 pixels for its attention and brings it back to the full grid by a
      1 x 1 transposed convolution of stride 2, which writes one of four pixels: three quarters of
      the attention are 0, in a grid. Here the attention is the authors': a global mean, 1 x 1
      convolutions through 64 channels and a softmax, so one weight per channel for every pixel.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    serial (false): the serial multireceptive field of the authors' code.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

The output is linear, so every normalisation will do.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.blocks import multireceptive_field, serial_multireceptive_field
from models.parts.primitives import conv, relu, scaled
from models.parts.seeds import seeded
from models.parts.superres import channel_attention

DEFAULTS = {"width": 1.0, "serial": False, "base": base.BASES}
KERNELS = (5, 9, 13)


class GAN:
    """SRS3's multireceptive channel attention and a 70 x 70 PatchGAN; 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, width = self.exp, self.params.width
        receptive_field = multireceptive_field
        if self.params.serial:
            receptive_field = serial_multireceptive_field
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = receptive_field(inputs, KERNELS, scaled(64, width))
            attention = channel_attention(x, scaled(64, width))
            # In float32: the weights are about 1 / 192, and bfloat16 rounds 1 + 1 / 192 to 1.
            attended = tf.keras.layers.Multiply(dtype="float32")([attention, x])
            x = tf.keras.layers.Add(dtype="float32")([attended, x])
            x = relu()(conv(1, scaled(32, width))(x))
            outputs = last_conv(exp, self.params.base, inputs, x, 5)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits; None where not asked for."""
        return base.patchgan(self.exp, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
