"""Building a model, and the check that it trains by the recipe its experiment asks for.

A module written for another framework makes its own optimizers and discriminator. What it would
ignore of ``experiment.json`` is refused, never passed over in silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from sensor2sensor.core.blame import blaming
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.networks.chain import field_px
from sensor2sensor.networks.layers import held_layers
from sensor2sensor.pipeline.precision import computing_in
from sensor2sensor.training.contract import (
    ExperimentView,
    GANModel,
    build_networks,
    check_model,
    users_files,
)
from sensor2sensor.training.state import build_optimizers
from sensor2sensor.training.terms import check_monitor

OWN_ADAM = "make it with models.base.adam(experiment, network)"
OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
# Of a layer that leaves nothing of an image but its detail, and says so.
DETAIL_ALONE = "detail_alone"
CLASSES = {"nadam": "Nadam", "nadam_keras2": "Keras2Nadam"}


class IgnoredSettingError(ModelContractError, ConfigError):
    """A module would pass over a setting of the experiment; ``where`` is its key."""


def construct(gan_class: Callable[[Any], GANModel], experiment: ExperimentView) -> GANModel:
    """Build an experiment's model in its precision, with every variable made.

    Args:
        gan_class: ``class GAN`` of the model's module.
        experiment: The experiment.

    Raises:
        ModelContractError: It does not offer what is called, ignores what is asked, or raises
            an error of its own.
    """
    files = users_files(gan_class, experiment)
    with blaming(*files), computing_in(experiment.config.precision):
        model = gan_class(experiment)
        prepare(model, experiment, experiment.config.model_name)
    return model


def prepare(model: GANModel, experiment: ExperimentView, name: str) -> None:
    """Hold a model against contract and recipe, and make every variable that is not there yet.

    Args:
        model: As its class constructed it.
        experiment: The experiment it was constructed with.
        name: The model's, for the message.

    Raises:
        ModelContractError: It does not offer what is called, or ignores what is asked.
    """
    check_model(model, name)
    check_recipe(model, experiment)
    check_monitor(model, experiment)
    # In this order: an optimizer makes its moments for variables that are there.
    build_networks(model, experiment)
    build_optimizers(model)


def check_recipe(model: GANModel, experiment: ExperimentView) -> None:
    """Hold optimizers and discriminator against what the experiment asks for.

    What it leaves at its default is the module's own choice. Of a discriminator the size of its
    patches and what it sees of an image are held against the layers; how often it is updated, its
    normalisation, padding, biases and slope are the module's own affair.

    Raises:
        IgnoredSettingError: The first thing that would be ignored.
    """
    module = f"({experiment.config.model_name}.py)"
    if experiment.DISCRIMINATOR is None and model.discriminator is not None:
        raise IgnoredSettingError(
            f"the experiment has discriminator null, but GAN.discriminator is a network {module}",
            where="discriminator",
            hint="make one only where experiment.DISCRIMINATOR is not None",
        )
    _check_judge(model.discriminator, experiment.DISCRIMINATOR, module)
    for name in OPTIMIZERS:
        for key, asked, found in _ignored(getattr(model, name, None), name, experiment):
            problem = f"the experiment asks for {asked}, but GAN.{name} has {found} {module}"
            raise IgnoredSettingError(problem, where=key, hint=OWN_ADAM)


def check_step(model: GANModel, experiment: ExperimentView) -> None:
    """Hold a traced step against what the experiment asks of the discriminator's training.

    The steps of :mod:`models.base` note in ``model.heeded`` what they have looked at; a step of
    another kind that does what a key says puts its name there.

    Raises:
        IgnoredSettingError: The first key that would be ignored.
    """
    asked = experiment.DISCRIMINATOR
    for key in asked.of_steps if asked is not None else ():
        if key not in getattr(model, "heeded", ()):
            raise IgnoredSettingError(
                f"the train_step of {experiment.config.model_name}.py does not heed it",
                where=f"discriminator.{key}",
                hint=f"take a step of models.base, or do what it says and set heeded = {{'{key}'}}",
            )


def _check_judge(discriminator: Any, asked: Any, module: str) -> None:
    if asked is None:
        return
    detail = asked.highpass is not None
    keys = (*asked.of_patches, *asked.of_steps, *["highpass"] * detail)
    if keys and discriminator is None:
        raise IgnoredSettingError(
            f"the model has no discriminator {module}, which {', '.join(keys)} would be for",
            where=f"discriminator.{keys[0]}",
            hint="leave it out, or ask the model for a discriminator",
        )
    layers = held_layers(discriminator) if detail else ()
    if detail and not any(getattr(layer, DETAIL_ALONE, False) for layer in layers):
        raise IgnoredSettingError(
            f"GAN.discriminator judges whole images {module}",
            where="discriminator.highpass",
            hint="leave it out, or take carn or rrdb with params.discriminator encoder or unet",
        )
    if asked.receptive_field is not None:
        found = field_px(discriminator)
        if found != asked.receptive_field:
            seen = "of another form" if found is None else f"of {found}"
            raise IgnoredSettingError(
                f"the experiment asks for patches of {asked.receptive_field} pixels, but "
                f"GAN.discriminator has ones {seen} {module}",
                where="discriminator.receptive_field",
                hint="make it with models.base.patchgan(experiment, width)",
            )


def _ignored(
    optimizer: Any, name: str, experiment: ExperimentView
) -> Iterator[tuple[str, str, str]]:
    """A key, what it asks for, and what an optimizer has instead."""
    if optimizer is None:
        return
    beta_1, clip, ema = experiment.BETA_1, experiment.GRADIENT_CLIP, experiment.EMA
    schedule = experiment.LEARNING_RATE_SCHEDULE.kind
    wanted, kind = experiment.OPTIMIZER, type(optimizer).__name__
    # Adam, the default, leaves the choice to the module.
    if wanted in CLASSES and kind != CLASSES[wanted]:
        yield "optimizer", f"optimizer {wanted}", f"{kind}"
    epsilon, own = experiment.EPSILON, getattr(optimizer, "epsilon", None)
    if epsilon is not None and not _same(own, epsilon):
        yield "epsilon", f"epsilon {epsilon:g}", f"{own}"
    found = getattr(optimizer, "beta_1", None)
    if beta_1 is not None and not _same(found, beta_1):
        yield "beta_1", f"beta_1 {beta_1:g}", f"{found}"
    if clip is not None and not _same(optimizer.global_clipnorm, clip):
        has = f"global_clipnorm {optimizer.global_clipnorm}"
        yield "gradient_clip", f"gradient_clip {clip:g}", has
    # The attribute is a number under a schedule too; only the config tells them apart.
    if schedule != "constant" and isinstance(optimizer.get_config()["learning_rate"], float):
        key = "learning_rate_schedule"
        yield key, f"a {schedule} {key}", "a constant learning rate"
    if ema is not None and name == OPTIMIZERS[0]:
        if not optimizer.use_ema:
            yield "ema", f"ema {ema:g}", "no averages (use_ema)"
        elif not _same(optimizer.ema_momentum, ema):
            yield "ema", f"ema {ema:g}", f"ema_momentum {optimizer.ema_momentum}"


def _same(found: Any, asked: float) -> bool:
    # Room for a number that has been through float32.
    return isinstance(found, int | float) and math.isclose(found, asked, rel_tol=1e-6)
