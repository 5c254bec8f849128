"""rrdb: residual-in-residual dense blocks on the input's own, coarser grid.

Wang, Yu, Wu et al.: ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, ECCV
Workshops 2018, arXiv 1809.00219; its generator, with the defaults of torchsisr (Michel et al. 2024,
hal-04723225). Published super-resolution models of Sentinel-2 have 6 blocks (x2 and x4 from 10 m)
or 5 (x4 from 20 m) of the 16 by default.

Differences from the paper:
    * 16 blocks by default; the paper has 23 (and 16 in a smaller one).
    * The image is enlarged ``base_factor`` times as often as the factor needs, by repetition and a
      convolution each; where that leads beyond the factor it is brought back bicubically.
    * The bands are the experiment's.

The input stays on its own grid with ``"input_upsampling": "none"``; the factor is that of the data
set. Bands whose own pixel is coarser than that grid (20 m beside 10 m) are taken back to it and
enlarged bicubically before anything else. The network takes images of any size.

``params``:
    width (1.0): multiplies features and growth (at least 4 each), and the filters of the
        discriminator.
    blocks (16): residual-in-residual dense blocks.
    features (64): between the blocks.
    growth (32): filters of each convolution within a dense block.
    residual_scale (0.2): factor of every branch.
    base_factor (2): of one enlargement.
    padding ("zeros"): at the border, as published; ``"reflect"`` shows no dark frame to the
        outermost pixels.
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
from models.parts.detail_judges import CHOICES, detail_judge
from models.parts.grids import factor_of, native, shrunk
from models.parts.primitives import scaled
from models.parts.rrdb import bordered, rrdb, slightly
from models.parts.seeds import he_normal, seeded
from models.parts.superres import SMALL_START

DEFAULTS = {
    "width": 1.0,
    "blocks": 16,
    "features": 64,
    "growth": 32,
    "residual_scale": 0.2,
    "base_factor": (2, 3, 4),
    "padding": ("zeros", "reflect"),
    "base": base.BASES,
    "discriminator": CHOICES,
}


class GAN:
    """The generator of ESRGAN on the input's grid; unbounded output, by default no judge."""

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
        features, growth = (scaled(n, params.width) for n in (params.features, params.growth))
        reached, active = 1, {"activation": slightly}
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([None, None, exp.INPUT_CHANNELS])
            seen = native(exp, inputs)
            x = entry = self._conv(seen, features)
            for _ in range(params.blocks):
                x = rrdb(x, growth, params.residual_scale, params.padding)
            x = tf.keras.layers.Add()([entry, self._conv(x, features)])
            while reached < factor:
                x = tf.keras.layers.UpSampling2D(params.base_factor)(x)
                x, reached = self._conv(x, features, **active), reached * params.base_factor
            x = self._conv(x, features, **active)

            def last(**options):
                options = {"kernel_initializer": he_normal(SMALL_START), **options}
                return shrunk(exp, self._conv(x, exp.OUTPUT_CHANNELS, **options), reached)

            outputs = finish(exp, params.base, seen, last)
        return tf.keras.Model(inputs, outputs, name="generator")

    def _conv(self, x: tf.Tensor, filters: int, **options) -> tf.Tensor:
        return bordered(x, filters, self.params.padding, **options)

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target]`` to logits for any size, or None without one."""
        return detail_judge(self.exp, self.params.discriminator, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
