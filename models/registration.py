"""registration: the flow that lays one image onto another of the same ground.

Pre-trained on pairs, it is used frozen in the training of another experiment, whose target it moves
onto the input (key ``registration``; docs/superresolution.md).

A U-Net on two images of one band, its answer bounded, trained without any true flow by four things
that must hold of flows (``gen_flow_composition``, ``_identity``, ``_inverse``, ``_warping``), after
L1BSR (Nguyen et al., CVPRW 2023) and torchsisr.

Differences from the paper:
    * The U-Net refines a first guess that is found by matching alone, within the network. The guess
      is right to a few hundredths of a pixel in the mean of an image, to a tenth in a pixel;
      without one (``first_guess: false``) the U-Net has to learn matching from nothing.
    * Flows are chained, not added; images are standardised each as a whole, not row by row;
      synthetic flows are no longer than the network can say. ``compat: torchsisr`` takes the sum,
      ``norm: "rows"`` the rows.

The generator moves the input's bands next to the target's; ``GAN.flow``, the network without the
warp, is what others use. The moving image is the partner of the target's first band, the fixed one
the last band of the input.

``params``:
    width (1.0): multiplies the 64 filters of the finest level and the 32 of the last, at least 4.
    depth (4): how often the U-Net halves its image.
    skips_from (2): finest level, 1 or more, whose features are handed across.
    max_offset (3.0): longest displacement in pixels; no part of a flow is longer than this over
        the square root of 2. Published is 2.
    first_guess (true): whether matching comes first.
    norm ("image"): what is standardised: each image, or as published each row ("rows").
"""

from __future__ import annotations

import tensorflow as tf

from experiment import Experiment
from models import base
from models.parts.base_image import base_layer
from models.parts.optimizers import adam
from models.parts.registering import pair_of, prepare, registration_step
from models.parts.warped import Warped
from sensor2sensor.networks.flow import DEFAULTS, flow_network
from sensor2sensor.pipeline.bicubic import coefficient_of

LOSSES = ("composition", "identity", "inverse", "warping")


class GAN:
    """A flow and the warp along it; images of any size, no discriminator."""

    SIDES_MULTIPLE_OF_PX = 1

    def __init__(self, experiment: Experiment):
        self.params = base.read_params(experiment, DEFAULTS)
        prepare(self, experiment)
        self.generator, self.discriminator = self.Generator(), self.Discriminator()
        self.generator_optimizer = adam(experiment, self.generator, 0.9)
        self.discriminator_optimizer = None

    @staticmethod
    def experiment_defaults(params):
        """The four terms with the weight 1; no true image is compared with."""
        terms = {f"gen_loss.gen_flow_{name}": 1.0 for name in LOSSES}
        return {"gen_loss.gen_gan": None, "gen_loss.gen_l1": None, **terms}

    def Generator(self) -> tf.keras.Model:  # noqa: N802 - the contract's name
        """``[B, H, W, C_in] -> [B, H, W, C]`` for any H and W: the base, moved."""
        exp = self.exp
        coefficient = coefficient_of(exp.config.compat)
        self.flow = flow_network(vars(self.params), exp.SEED, coefficient=coefficient)
        inputs = tf.keras.layers.Input([None, None, exp.INPUT_CHANNELS])
        start, flow = base_layer(exp)(inputs), self.flow(pair_of(exp, inputs))
        outputs = Warped(coefficient, dtype="float32")([start, flow])
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> None:  # noqa: N802
        """There is none."""

    @tf.function(autograph=False)
    def train_step(self, input_image, target, step, **extras):
        """One update; the losses to log."""
        return registration_step(self, input_image, target, step)
