"""registration: the flow that lays one image onto another of the same ground.

Pre-trained on pairs (``s2s records-pairs``), it is used frozen in the training of another
experiment, whose target it moves onto the input (key ``registration``).

A U-Net on two images of one band, its answer bounded, trained without any true flow by four things
that must hold of flows (``gen_flow_composition``, ``_identity``, ``_inverse``, ``_warping``), after
L1BSR (Nguyen et al., CVPRW 2023) and torchsisr.

Differences from torchsisr:
    * The U-Net refines a first guess that is found by matching alone, within the network. Trained
      for a few hundred steps on a few dozen images it is then right to a few hundredths of a pixel;
      without a guess (``first_guess: false``) it has to learn matching from nothing.
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

import math

import tensorflow as tf

from experiment import Experiment
from models import base
from models.objectives import weighing
from models.objectives.registry import LossInputs
from models.parts.base_image import base_bands, base_layer, chosen_bands
from models.parts.flow import flows_of
from models.parts.optimizers import adam
from models.parts.warped import Warped
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.networks.flow import DEFAULTS, flow_network
from sensor2sensor.pipeline.bicubic import coefficient_of

LOSSES = ("composition", "identity", "inverse", "warping")


class GAN:
    """A flow and the warp along it; images of any size, no discriminator."""

    SIDES_MULTIPLE_OF_PX = 1

    def __init__(self, experiment: Experiment):
        self.exp, self.params = experiment, base.read_params(experiment, DEFAULTS)
        base.check_sizes(experiment, self.SIDES_MULTIPLE_OF_PX)
        base.check_bounds(experiment, type(self))
        images = frozenset({"target", "output", "input", "value_range", "step", "flows"})
        weighing.check(experiment.GEN_LOSS, "generator", images, who="the model")
        if (experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH) != (
            experiment.IMG_HEIGHT,
            experiment.IMG_WIDTH,
        ):
            raise ConfigError(
                "a registration needs both images on one grid, and the input stays on its own",
                where="input_upsampling",
                hint="train it on pairs (s2s records-pairs), or enlarge the input",
            )
        self.generator = self.Generator()
        self.discriminator = self.discriminator_optimizer = None
        self.generator_optimizer = adam(experiment, self.generator, 0.9)

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
        start, flow = base_layer(exp)(inputs), self.flow(self._pair(inputs))
        outputs = Warped(coefficient, dtype="float32")([start, flow])
        return tf.keras.Model(inputs, outputs, name="generator")

    def Discriminator(self) -> None:  # noqa: N802
        """There is none."""

    def _pair(self, image):
        """S and L, ``[B, H, W, 2]``; what they are standardised by undoes any normalisation."""
        return chosen_bands(image, [base_bands(self.exp)[0], self.exp.INPUT_CHANNELS - 1])

    def _inputs(self, input_image, target, step, output=None):
        exp, weights = self.exp, self.exp.GEN_LOSS
        # Half of what can be said: what is left of a true displacement can still be answered.
        most = 0.5 * self.params.max_offset / math.sqrt(2.0)
        compat = exp.config.compat
        way = {"additive": compat is not None, "coefficient": coefficient_of(compat)}
        flows = flows_of(self.flow, self._pair(input_image), most, exp.SEED, step, **way)
        seen = {"input": input_image, "target": target, "output": output, "step": step}
        ranges = {"value_low": weights.value_low, "value_range": weights.value_range}
        return LossInputs(**seen, **ranges, flows=flows, seed=exp.SEED)

    @tf.function
    def train_step(self, input_image, target, step):
        """One update; the losses to log."""
        asked = weighing.needed(self.exp.GEN_LOSS, "generator")
        with tf.GradientTape() as tape:
            # The warped image alone costs a call of the network more.
            output = self.generator(input_image, training=True) if "output" in asked else None
            inputs = self._inputs(input_image, target, step, output)
            total, terms = weighing.weighted(inputs, self.exp.GEN_LOSS, "generator")
        base.update(self.generator_optimizer, tape, total, self.generator)
        return {"total_gen_loss": total, **terms}

    def validation_terms(self, input_image, target, output, step):
        """Every loss that the experiment computes, unweighted; nothing learns."""
        inputs = self._inputs(input_image, target, step, output)
        return weighing.weighted(inputs, self.exp.GEN_LOSS, "generator")[1]
