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
from models import base, layers

DEFAULTS = {"width": 1.0, "base": base.BASES}
KERNELS = (3, 5, 7)
RATES = (1, 2, 3)


class GAN:
    """DMNet of one image and a 70 x 70 PatchGAN; images of 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        self.exp = experiment
        self.params = base.read_params(experiment, DEFAULTS)
        base.check_sizes(experiment)
        base.check_losses(experiment)
        self.generator = self.Generator()
        self.discriminator = self.Discriminator()
        self.generator_optimizer = base.adam(experiment, self.generator)
        self.discriminator_optimizer = base.adam(experiment, self.discriminator)
        self.loss_object = tf.keras.losses.BinaryCrossentropy(from_logits=True)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, filters = self.exp, layers.scaled(64, self.params.width)
        relu, concat = layers.relu, tf.keras.layers.Concatenate
        with layers.seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = relu()(_conv(filters)(inputs))
            early = _conv(filters)(x)
            x = layers.sis2_dense_multireceptive_field_dmnet(relu()(early), KERNELS, filters)
            middle = _conv(filters)(x)
            x = relu()(concat()([early, relu()(middle)]))
            x = relu()(_conv(filters)(x))
            x = _dilated_field(x, filters)
            x = relu()(_conv(filters)(x))
            x = relu()(concat()([early, middle, x]))
            x = relu()(_conv(filters)(x))
            outputs = layers.last_conv(exp, self.params.base, inputs, x, 1)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits; None where not asked for."""
        return base.patchgan(self.exp, self.params.width)

    @tf.function
    def train_step(self, input_image, target, step):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step)


def _conv(filters: int) -> tf.keras.layers.Layer:
    return layers.conv(3, filters, 1, False, False)


@layers.block("dilated field")
def _dilated_field(x: tf.Tensor, filters: int) -> tf.Tensor:
    """Parallel 3 x 3 convolutions that look 1, 2 and 3 pixels away; with biases, as published."""
    fields = []
    for rate in RATES:
        options = {"dilation_rate": rate, "use_bias": True, "kernel_initializer": layers.glorot()}
        fields.append(layers.relu()(layers.conv(3, filters, 1, False, False, **options)(x)))
    return tf.keras.layers.Concatenate()(fields)
