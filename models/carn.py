"""carn: cascading residual blocks with grouped convolutions on the input's own, coarser grid.

Ahn, Kang, Sohn: Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network,
ECCV 2018, arXiv 1803.08664; in the form of torchsisr (Michel et al. 2024, hal-04723225). As it is
by default, with 10 bands and factor 2, it has the 162,282 parameters of ``carn_3x3x64g4sw``: three
cascades of three blocks, 64 features, 4 groups, shared weights.

Of every cascade, and of the cascades together: out <- 1 x 1 (block(out)) + the sum of all that was
before, the entry included. A block is two grouped convolutions with leaky ReLU and a 1 x 1
convolution, added to its entry, then leaky ReLU. The last step is a convolution, a pixel shuffle
by f', and a convolution.

Differences from the paper:
    * The paper concatenates the earlier maps before its 1 x 1 convolutions; here, as in torchsisr,
      they are added.
    * f' is the factor rounded up to an even number; where they differ (1 and 3) the image is
      brought from f' to the factor bicubically, as in torchsisr.
    * The last convolution of a branch starts ten times smaller than He's, so that a sum of nine
      blocks does not grow with every one before training.

The input stays on its own grid with ``"input_upsampling": "none"``; the factor is that of the data
set. Bands whose own pixel is coarser than that grid (20 m beside 10 m) are taken back to it and
enlarged bicubically before anything else. All convolutions reflect at the border, and the network
takes images of any size.

``params``:
    width (1.0): multiplies the features per factor, and the filters of the discriminator.
    cascades (3): cascades.
    blocks (3): residual blocks in each.
    features_per_factor (16): times f' squared are the features.
    groups (4): of the convolutions in the blocks; they must divide the features.
    shared_weights (true): the blocks of a cascade have the same weights, their 1 x 1 not.
    kernel (3): side of the kernels, 3, 5 or 7.
    slope (0.2): of the leaky ReLU.
    base ("none"): ``"input"`` adds the output, zero before training, to the bicubically enlarged
        input's bands of the same name or within 35 nm; without it the network must relearn the low
        frequencies.
    discriminator (false): ``"encoder"`` or ``"unet"``: what to train against.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import finish
from models.parts.cascading import Apply, cascades, reflecting
from models.parts.detail_judges import CHOICES, detail_judge
from models.parts.grids import factor_of, native, shrunk
from models.parts.seeds import he_normal, seeded
from models.parts.superres import SMALL_START, pixelshuffler
from sensor2sensor.core.errors import ConfigError

DEFAULTS = {
    "width": 1.0,
    "cascades": 3,
    "blocks": 3,
    "features_per_factor": 16,
    "groups": 4,
    "shared_weights": True,
    "kernel": (3, 5, 7),
    "slope": 0.2,
    "base": base.BASES,
    "discriminator": CHOICES,
}


class GAN:
    """CARN on the input's grid; unbounded output, by default no discriminator."""

    SIDES_MULTIPLE_OF_PX = 1

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS, beta_1_alone=0.9)

    @staticmethod
    def experiment_defaults(params):
        """Without a discriminator of its own no adversarial term is there by default."""
        return {} if params.get("discriminator") else {"gen_loss.gen_gan": None}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, h, w, C_in] -> [B, h·f, w·f, C]`` for any h and w above 1, unbounded."""
        exp, params, factor = self.exp, self.params, factor_of(self.exp)
        even = factor + factor % 2
        features = max(1, round(params.features_per_factor * params.width)) * even**2
        if features % params.groups:
            raise ConfigError(
                f"{params.groups} groups do not divide {features} features",
                where="params.groups",
                hint=f"features are features_per_factor times {even**2}",
            )
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([None, None, exp.INPUT_CHANNELS])
            seen = native(exp, inputs)
            x = cascades(self._conv(features)(seen), params)
            x = pixelshuffler(even)(self._conv(features)(x))

            def last(**options):
                options = {"kernel_initializer": he_normal(SMALL_START), **options}
                return shrunk(exp, self._conv(exp.OUTPUT_CHANNELS, **options)(x), even)

            outputs = finish(exp, params.base, seen, last)
        return tf.keras.Model(inputs, outputs, name="generator")

    def _conv(self, filters: int, **options) -> Apply:
        return reflecting(self.params.kernel, filters, **options)

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target]`` to logits for any size, or None without one."""
        return detail_judge(self.exp, self.params.discriminator, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
