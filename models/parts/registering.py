"""What the model ``registration`` does in a step: its checks, its pair, its losses."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from models import base
from models.objectives import weighing
from models.objectives.registry import LossInputs
from models.parts.base_image import base_bands, chosen_bands
from models.parts.flow import flows_of
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline.bicubic import coefficient_of

if TYPE_CHECKING:
    from experiment import Experiment

_GIVEN = frozenset({"target", "output", "input", "value_range", "step", "flows"})


def prepare(model: Any, experiment: Experiment) -> None:
    """Check an experiment before anything is built; sets ``exp`` and ``validation_terms``.

    Raises:
        ConfigError: It asks for what a registration cannot do.
    """
    model.exp = experiment
    base.check_sizes(experiment, type(model).SIDES_MULTIPLE_OF_PX)
    base.check_bounds(experiment, type(model))
    weighing.check(experiment.GEN_LOSS, "generator", _GIVEN, who="the model")
    if not any(weight for name, weight in experiment.GEN_LOSS.items() if "flows" in _needs(name)):
        names = ", ".join(name for name in LOSSES if "flows" in _needs(name))
        raise ConfigError(
            "none of the terms that a flow is trained by has a weight",
            where="gen_loss",
            hint=f"leave gen_loss out, or give one a weight: {names}",
        )
    here = experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH
    if here != (experiment.IMG_HEIGHT, experiment.IMG_WIDTH):
        raise ConfigError(
            "a registration needs both images on one grid, and the input stays on its own",
            where="input_upsampling",
            hint="train it on pairs (s2s records-pairs), or enlarge the input",
        )
    model.validation_terms = partial(registration_terms, model)


def _needs(name: str) -> frozenset[str]:
    return LOSSES[name].needs


def pair_of(experiment: Experiment, image: tf.Tensor) -> tf.Tensor:
    """S and L, ``[B, H, W, 2]``: the base of the target's first band, the input's last band."""
    return chosen_bands(image, [base_bands(experiment)[0], experiment.INPUT_CHANNELS - 1])


def registration_step(
    model: Any, image: tf.Tensor, target: tf.Tensor, step: tf.Tensor
) -> dict[str, tf.Tensor]:
    """One update of a registration; its losses and their total."""
    with tf.GradientTape() as tape:
        # The warped image alone costs a call of the network more.
        asked = "output" in weighing.needed(model.exp.GEN_LOSS, "generator")
        output = model.generator(image, training=True) if asked else None
        inputs = _seen(model, image, target, output, step)
        total, terms = weighing.weighted(inputs, model.exp.GEN_LOSS, "generator")
    base.update(model.generator_optimizer, tape, total, model.generator)
    return {"total_gen_loss": total, **terms}


def registration_terms(
    model: Any,
    image: tf.Tensor,
    target: tf.Tensor,
    output: tf.Tensor,
    step: tf.Tensor,
    **extras: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Every loss that the experiment computes, unweighted; nothing learns."""
    inputs = _seen(model, image, target, output, step)
    return weighing.weighted(inputs, model.exp.GEN_LOSS, "generator")[1]


def _seen(
    model: Any, image: tf.Tensor, target: tf.Tensor, output: tf.Tensor | None, step: tf.Tensor
) -> LossInputs:
    exp, compat = model.exp, model.exp.config.compat
    # Half of what can be said: what is left of a true displacement can still be answered.
    most = 0.5 * model.params.max_offset / math.sqrt(2.0)
    way = {"additive": compat is not None, "coefficient": coefficient_of(compat)}
    # Each band is standardised by itself, which undoes any normalisation.
    flows = flows_of(model.flow, pair_of(exp, image), most, exp.SEED, step, **way)
    ranges = {"value_low": exp.GEN_LOSS.value_low, "value_range": exp.GEN_LOSS.value_range}
    seen = {"input": image, "target": target, "output": output, "step": step}
    return LossInputs(**seen, **ranges, flows=flows, seed=exp.SEED)
