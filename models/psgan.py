"""psgan: a small encoder and decoder with two skips against a small patch judge.

Liu, Zhou, Xu, Liu, Wang: PSGAN: A Generative Adversarial Network for Remote Sensing Image
Pan-Sharpening, IEEE TGRS 2021, arXiv 1805.03371.

Differences from the paper:
    * One stream, as in ARISGAN's port; the paper encodes panchromatic and multispectral image
      apart. Nearest is its ST-PSGAN; here only 64 channels enter the fourth encoder layer, and its
      second skip is left out.
    * Batch normalisation of the input, as in the port; the ReLU at the end is that of the authors'
      later code, their older code has none.
    * Leaky ReLU with slope 0.3 instead of 0.2; convolutions without bias.
    * The judge answers in logits, the port's in probabilities. Binary cross-entropy takes the
      logits and is the same function, without overflow; ``gen_wstein`` averages the answers and
      therefore is another one.
    * The paper's losses are the logarithm of the judge's answer and 100 times L1; here, as in the
      port, the experiment decides.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    dropouts (false): dropout of one half behind both transposed convolutions.
    norm ("published"): normalisation of the input, the only one here: ``"batch"`` (published),
        ``"instance"``, ``"group"`` or ``"none"``. Instance and group normalisation hide from the
        network how bright a tile is as a whole.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.

Without a base the output ends in a ReLU, so the target must not be negative: ``minmax``, or
``reflectance`` where no band goes below 0. This ReLU can die: where every pixel is negative before
it, output and gradient are exactly 0 from then on. In ARISGAN's comparison, with targets near 0.002
(``l2``), both runs on degraded Sentinel-2 ended so. With ``minmax`` the output ranges of the bands
fill [0, 1]; where all predictions are exactly 0 nevertheless, start again from another seed. On a
base the output is linear and every normalisation will do.
"""

from __future__ import annotations

import math

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.blocks import up_beside
from models.parts.norms import chosen_norm, normalised
from models.parts.primitives import DROPOUT, conv, lrelu, scaled
from models.parts.seeds import seeded

DEFAULTS = {"width": 1.0, "dropouts": False, "norm": base.NORMS, "base": base.BASES}
JUDGE = ((32, 2), (64, 2), (128, 2), (256, 1))  # filters, stride


class GAN:
    """PSGAN of one stream and its patch discriminator; images of 64 to 512 pixels."""

    OUTPUT_BOUNDS = (0, math.inf)  # ReLU

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    @staticmethod
    def experiment_defaults(params):
        """Targets must not be negative: ``minmax`` where the experiment does not say."""
        return {"normalisation": "minmax"}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, without a base not negative."""
        exp, conv, up = self.exp, self._conv, scaled(128, self.params.width)
        rate = DROPOUT if self.params.dropouts else 0.0
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = normalised(inputs, chosen_norm(self.params.norm, published=True))
            x = lrelu()(conv(3, 32)(x))
            # Skips leave before their activation and share the one behind the concatenation.
            fine = conv(3, 32)(x)
            x = lrelu()(conv(2, 64, stride=2)(lrelu()(fine)))
            x = lrelu()(conv(3, 128)(x))
            coarse = conv(3, 128)(x)
            x = lrelu()(conv(3, 256, stride=2)(lrelu()(coarse)))
            x = lrelu()(conv(1, 256)(x))
            x = lrelu()(conv(3, 256)(x))
            x = lrelu()(conv(3, 128)(up_beside(x, coarse, up, dropout=rate)))
            x = lrelu()(conv(3, 64)(up_beside(x, fine, up, dropout=rate)))
            outputs = last_conv(exp, self.params.base, inputs, x, 3, "relu")
        return tf.keras.Model(inputs, outputs, name="generator")

    def _conv(self, kernel_size: int, filters: int, stride: int = 1) -> tf.keras.layers.Layer:
        return conv(kernel_size, scaled(filters, self.params.width), stride=stride)

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8, W/8, 1]`` logits; None where not asked for."""
        return base.plain_patchgan(self.exp, JUDGE, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
