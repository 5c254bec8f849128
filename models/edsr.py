"""edsr: a residual network without normalisation that mends the upsampled input.

Lim, Son, Kim, Nah, Lee: Enhanced Deep Residual Networks for Single Image Super-Resolution,
CVPRW 2017.

Differences from the paper:
    * The paper works on the coarse grid and upsamples at the end. Here the input arrives on the
      target's grid, so the network works on a grid ``shrink`` times coarser: its first convolution
      strides over squares of ``shrink`` pixels and its last, transposed one (a 3 x 3 convolution
      and the paper's pixel shuffle in one) fills them again.
    * What it adds goes on top of the upsampled input instead of on nothing. The last convolution
      starts at zero: an untrained edsr is the bicubic (or nearest) upsampling itself, and every
      step of training is a step away from that baseline.
    * 16 blocks of 64 filters are the paper's baseline network; its large one has 32 of 256.

The base of a target band is the input band of the same name, else the nearest in wavelength that
lies within 35 nm, moved from the input's normalisation to the target's. Where both have one unit
that is exact; where they have not (radiance to reflectance) the bands' value ranges are laid onto
each other.

``params``:
    blocks (16): residual blocks.
    width (1.0): multiplies the 64 filters, at least 4.
    shrink (1): 1, 2 or 4; how much coarser the inner grid is. Each doubling costs a quarter.
    residual_scale (1.0): factor of every block's branch (the paper takes 0.1 for 256 filters).
    local_contrast (false): also show the network the deviations from the local mean in units of
        the local contrast, and let it answer in that unit. Nothing is learned by it and the base
        is untouched; a dark field and a bright floe then look alike, where with one range for
        both the field's contrast is a few percent of it. Without it 300 steps on scenes with ice
        beside land barely leave the bicubic.
    base ("input"): what the output is added to; edsr has no other.
    discriminator (false): train against a 70 x 70 PatchGAN of pix2pix; its filters follow width.
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import base_layer
from models.parts.contrast import contrast_px, local_contrast
from models.parts.primitives import conv, deconv, scaled
from models.parts.seeds import he_normal, seeded
from models.parts.superres import SMALL_START, residual_block_edsr

DEFAULTS = {
    "blocks": 16,
    "width": 1.0,
    "shrink": (1, 2, 4),
    "residual_scale": 1.0,
    "local_contrast": False,
    "base": ("input",),
    "discriminator": False,
}


class GAN:
    """EDSR over the upsampled input; unbounded output, by default no discriminator."""

    def __init__(self, experiment: Experiment):
        # 0.9 as in the paper; an adversary moves the goal at every step and wants a shorter memory.
        base.assemble(self, experiment, DEFAULTS, beta_1_alone=0.9)

    @staticmethod
    def experiment_defaults(params):
        """Without a discriminator of its own no adversarial term is there by default."""
        return {} if params.get("discriminator") else {"gen_loss.gen_gan": None}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]``, unbounded; untrained it returns its base."""
        exp, shrink = self.exp, self.params.shrink
        filters = scaled(64, self.params.width)
        with seeded(exp.SEED, "generator"):
            inputs = tf.keras.layers.Input([exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_CHANNELS])
            start = base_layer(exp)(inputs)
            seen, gain = inputs, None
            if self.params.local_contrast:
                seen, gain = local_contrast(inputs, start, contrast_px(exp))
            # Squares of 3 x 3 inner pixels, in and out; biases, for nothing normalises.
            ends = {"stride": shrink, "use_bias": True}
            head = conv(3 * shrink, filters, kernel_initializer=he_normal(), **ends)(seen)
            x = head
            for _ in range(self.params.blocks):
                x = residual_block_edsr(x, filters, scale=self.params.residual_scale)
            small = he_normal(SMALL_START)
            x = conv(3, filters, use_bias=True, kernel_initializer=small)(x)
            x = tf.keras.layers.Add()([x, head])
            last = {"kernel_initializer": "zeros", "dtype": "float32"}
            residual = deconv(3 * shrink, exp.OUTPUT_CHANNELS, **ends, **last)(x)
            if gain is not None:
                residual = tf.keras.layers.Multiply(dtype="float32")([residual, gain])
            outputs = tf.keras.layers.Add(dtype="float32")([start, residual])
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> tf.keras.Model | None:  # noqa: N802
        """``[input, target] -> [B, H/8 - 2, W/8 - 2, 1]`` logits, or None without one."""
        return base.patchgan(self.exp, self.params.width) if self.params.discriminator else None

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update; the losses to log."""
        return base.standard_step(self, input_image, target, step, **extras)
