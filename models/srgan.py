"""srgan: residual blocks on a coarse grid and two pixel shuffles, against a whole-image judge.

Ledig, Theis, Huszár et al.: Photo-Realistic Single Image Super-Resolution Using a Generative
Adversarial Network, CVPR 2017, arXiv 1609.04802.

Differences from the paper:
    * The input arrives on the target's grid (ARISGAN upsamples it before), so two 9 x 9
      convolutions of stride 2 come first; the residual blocks work on a grid 4 times coarser, as
      in the paper, and the two pixel shuffles lead back.
    * 5 residual blocks, as in ARISGAN's port; the paper has 16 (``params.blocks``).
    * The output is linear as in the port (the paper ends in tanh), so every normalisation will do.
    * The discriminator also sees the input; leaky ReLU with slope 0.3 instead of 0.2;
      convolutions without bias.
    * No content loss on VGG features and no pre-training: the objective is the experiment's. The
      pre-training is ``generator_warmup``.

Where ARISGAN's port is broken, this follows the paper:
    * Its pixel shuffle lays the channels of one pixel out in a row and scrambles the image.
    * Its discriminator has dense layers per pixel and ten answers each; here the whole image is
      flattened, goes through 1024 units and gets one answer, as a logit. At 256 pixels these
      units have 33.6 million weights: the paper judges crops of 96 pixels.

``params``:
    width (1.0): multiplies the filters of both networks, at least 4 each.
    blocks (5): residual blocks.
    norm ("published"): normalisation of the residual blocks and the convolutions around them:
        ``"batch"`` (published), ``"instance"``, ``"group"`` or ``"none"``.
    base ("none"): ``"input"`` adds the output, linear and zero before training, to the upsampled
        input's bands of the same name or within 35 nm.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import last_conv
from models.parts.norms import chosen_norm
from models.parts.primitives import conv, lrelu, prelu, scaled
from models.parts.seeds import seeded
from models.parts.superres import residual, residual_block_srgan, subpixel_upsampling

DEFAULTS = {"width": 1.0, "blocks": 5, "norm": base.NORMS, "base": base.BASES}
STAGES = (
    (64, 1), (64, 2), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)
)  # fmt: skip
HEAD = 1024


class GAN:
    """SRGAN behind two strided convolutions; images of 64 to 512 pixels."""

    def __init__(self, experiment: Experiment):
        base.assemble(self, experiment, DEFAULTS)

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded."""
        exp, filters = self.exp, scaled(64, self.params.width)
        norm = chosen_norm(self.params.norm, published=True)
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            x = conv(9, filters, stride=2, norm=norm, activation=lrelu)(inputs)
            x = coarse = prelu()(conv(9, filters, stride=2)(x))
            for _ in range(self.params.blocks):
                x = residual(x, residual_block_srgan(filters=filters, norm=norm))
            x = conv(3, filters, norm=norm)(x)
            # The skip over all blocks (Ledig et al. 2017, figure 4).
            x = tf.keras.layers.Add()([x, coarse])
            for _ in range(2):
                x = subpixel_upsampling(x, filters)
            outputs = last_conv(exp, self.params.base, inputs, x, 9)
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, 1, 1, 1]`` logits; None where not asked for."""
        return base.vgg_discriminator(self.exp, STAGES, HEAD, self.params.width)

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update of both networks; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
