"""What the models of this repository share: parameters, checks, optimizer and standard step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from models.objectives import weighing
from models.objectives.registry import EXTRA, LossInputs
from models.objectives.routing import judged
from models.parts.answers import answers, heed, loss_inputs, refuse_without_base, validation_terms
from models.parts.base_image import BASES
from models.parts.discriminators import staged
from models.parts.judges import patchgan, plain_patchgan, vgg_discriminator
from models.parts.low_frequency import MOST_STEPS, constrained
from models.parts.norms import GENERATOR_KINDS as NORMS
from models.parts.optimizers import adam
from models.parts.params import read_params
from models.parts.sensors import SENSORS, refuse_without_sensors
from models.parts.share import adversarial_share, share_tape
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.dataset.ranges import output_bounds
from sensor2sensor.networks import replicas
from sensor2sensor.pipeline.normalisation import refuse_beyond

if TYPE_CHECKING:
    from experiment import Experiment

__all__ = [
    "BASES",
    "NORMS",
    "adam",
    "assemble",
    "check_bounds",
    "check_losses",
    "check_sizes",
    "patchgan",
    "plain_patchgan",
    "prepare",
    "read_params",
    "staged",
    "standard_step",
    "vgg_discriminator",
]

# Parameters of every assembled model.
COMMON = {"low_frequency": (False, True, *range(2, MOST_STEPS + 1))}
# Powers of two, halved without a rest down to 1 x 1: every skip meets a map of its size.
SIZES_PX = (64, 128, 256, 512)
_IMAGES = frozenset({"target", "output", "input", "base", "value_range", "step", "extras", "vgg"})
_ANSWERS = frozenset(
    {"disc_real", "disc_fake", "features_real", "features_fake", "discriminator", "loss_object"}
)


def assemble(
    model: Any, experiment: Experiment, defaults: Mapping[str, Any], *, beta_1_alone: float = 0.5
) -> None:
    """Check an experiment and make all that a model of two networks has.

    Afterwards ``model`` has ``exp``, ``params``, both networks, their optimizers, ``loss_object``
    and, unless its class has its own, ``validation_terms``. Discriminators answer in logits.

    Args:
        model: A GAN with ``Generator()`` and ``Discriminator()``.
        experiment: What it is made for.
        defaults: Its ``params`` with their defaults (:func:`read_params`). One named
            ``discriminator`` says whether the model has one where the experiment asks for it.
        beta_1_alone: The model's own β1 for a generator that has no discriminator.

    Raises:
        ConfigError: The experiment asks for what the model cannot do.
    """
    prepare(model, experiment, {**COMMON, **defaults})
    # In this order: a checkpoint and the seeds of a run know networks before optimizers.
    model.generator = model.Generator()
    if model.params.low_frequency:
        steps = int(model.params.low_frequency)
        model.generator = constrained(experiment, model.generator, steps)
    model.discriminator = model.Discriminator()
    # 0.5 beside an adversary (DCGAN, Radford et al. 2016): 0.9 made training oscillate.
    beta_1 = beta_1_alone if model.discriminator is None else 0.5
    model.generator_optimizer = adam(experiment, model.generator, beta_1)
    model.discriminator_optimizer = adam(experiment, model.discriminator)
    # Logits: a probability that rounds to 0 or 1 has no gradient left.
    model.loss_object = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    if not hasattr(model, "validation_terms"):
        model.validation_terms = partial(validation_terms, model)


def prepare(model: Any, experiment: Experiment, defaults: Mapping[str, Any]) -> None:
    """The checks of :func:`assemble` before anything is built; sets ``exp`` and ``params``."""
    model.exp = experiment
    model.params = read_params(experiment, defaults)
    check_sizes(experiment, getattr(type(model), "SIDES_MULTIPLE_OF_PX", None))
    check_bounds(experiment, type(model))
    check_losses(experiment, getattr(model.params, "discriminator", True))


def check_sizes(experiment: Experiment, multiple_px: int | None = None) -> int:
    """Refuse image sizes a halving network cannot mirror; the shorter side in pixels.

    Args:
        experiment: Gives height and width.
        multiple_px: What both must be a multiple of, at least twice where it is below 64; None:
            one of :data:`SIZES_PX`.

    Raises:
        ConfigError: Height or width is another.
    """
    sides = experiment.IMG_HEIGHT, experiment.IMG_WIDTH
    if multiple_px is None:
        fitting = all(side in SIZES_PX for side in sides)
        hint = f"both must be one of {', '.join(map(str, SIZES_PX))}"
    else:
        least = min(2 * multiple_px, SIZES_PX[0])
        near = [max(side // multiple_px * multiple_px, least) for side in sides]
        fitting = [*sides] == near
        hint = f"both must be multiples of {multiple_px}, as {near[0]} x {near[1]}"
    if not fitting:
        raise ConfigError(
            f"this model cannot take images of {sides[0]} x {sides[1]} pixels",
            where="img_height, img_width, tilesize",
            hint=hint,
        )
    return min(sides)


def check_bounds(experiment: Experiment, gan_class: type) -> None:
    """Refuse a normalisation whose value range leaves the bounds of a model's output.

    Targets beyond the value range that leave them are clipped.

    Args:
        experiment: Gives the normalisation.
        gan_class: States the bounds as OUTPUT_BOUNDS.

    Raises:
        ConfigError: The normalised value range does not lie within.
    """
    bounds = output_bounds(gan_class, experiment.PARAMS)
    refuse_beyond(experiment.NORMALISATION, bounds, experiment.OUTPUT_RANGE)


def check_losses(experiment: Experiment, discriminator: bool = True) -> None:
    """Refuse losses that a model cannot feed, before anything is built.

    Args:
        experiment: Gives the weights, and whether there is a discriminator at all.
        discriminator: Whether the model has one where the experiment asks for it.

    Raises:
        ConfigError: A term needs a discriminator the model has not, or nothing has a weight.
    """
    discriminator = discriminator and experiment.DISCRIMINATOR is not None
    extras = frozenset(EXTRA + extra.name for extra in experiment.contract.extras)
    registered = frozenset({"flow"} if experiment.config.registration else ())
    available = (
        _IMAGES | SENSORS | registered | extras | (_ANSWERS if discriminator else frozenset())
    )
    weighing.check(experiment.GEN_LOSS, "generator", available, who="the model")
    if discriminator:
        weighing.check(experiment.DISC_LOSS, "discriminator", available, who="the model")
    refuse_without_base(experiment, discriminator)
    refuse_without_sensors(experiment, discriminator)


def standard_step(
    model: Any, input_image: tf.Tensor, target: tf.Tensor, step: tf.Tensor, **extras: tf.Tensor
) -> dict[str, tf.Tensor]:
    """One training step: adversarial, or plain regression where there is no discriminator.

    Args:
        model: A GAN with ``exp``, both networks, both optimizers and ``loss_object``.
        input_image: ``[B, H, W, C_in]``, normalised.
        target: ``[B, H, W, C]``, normalised.
        step: Number of the step, an integer tensor (a Python int would retrace every step).
        extras: Further fields of the batch, passed on to the losses by their names.

    Returns:
        Scalars to log: the totals and every computed term, unweighted.
    """
    one_step = regression_step if model.discriminator is None else adversarial_step
    return one_step(model, input_image, target, step, **extras)


def adversarial_step(
    model: Any, input_image: tf.Tensor, target: tf.Tensor, step: tf.Tensor, **extras: tf.Tensor
) -> dict[str, tf.Tensor]:
    """One update of generator and discriminator on the same forward pass (Isola et al. 2017).

    With ``DISCRIMINATOR.steps`` above 1 the discriminator is first updated that many times less
    one by itself, on the same images (the critic steps of WGAN, Arjovsky et al. 2017, which take
    fresh images each time). The generator runs once: its dropout and statistics move once a step.

    Arguments and result are those of :func:`standard_step`, and ``gen_adversarial_share`` (see
    :mod:`models.parts.share`).
    """
    last = share_tape(model.generator)
    with tf.GradientTape() as gen_tape, last:
        output = model.generator(input_image, training=True)
    fixed = loss_inputs(model, input_image, target, step, extras)
    alone = model.exp.DISCRIMINATOR.steps - 1
    for draw in range(alone):
        _discriminator_step(model, {**fixed, "output": tf.stop_gradient(output), "draw": draw})
    # D looks once, on all tapes: both networks learn from the same answers.
    with gen_tape, last, tf.GradientTape() as disc_tape:
        said = answers(model, input_image, target, judged(output, target, fixed["known"]))
        inputs = LossInputs(**fixed, **said, output=output, draw=alone)
    with gen_tape, last:
        gen_total, gen_terms = weighing.weighted(inputs, model.exp.GEN_LOSS, "generator")
        adversarial = weighing.adversarial_total(gen_terms, model.exp.GEN_LOSS)
    with disc_tape:
        disc_total, disc_terms = weighing.weighted(inputs, model.exp.DISC_LOSS, "discriminator")
    gradients = _gradients(gen_tape, gen_total, model.generator)
    share = adversarial_share(last, adversarial, gradients, model.generator)
    # Both tapes hold what was before either update: their order makes no difference.
    _apply(model.generator_optimizer, gradients, model.generator)
    _learn(model, disc_tape, disc_total, step)
    return {
        "total_gen_loss": gen_total,
        "gen_adversarial_share": share,
        **gen_terms,
        "total_disc_loss": disc_total,
        **disc_terms,
        # D(real) and D(fake) as logits: how far the discriminator tells them apart.
        **{name: tf.reduce_mean(said[name]) for name in ("disc_real", "disc_fake")},
    }


def _discriminator_step(model: Any, fields: dict[str, Any]) -> None:
    """One update of the discriminator alone; ``fields`` are those of ``LossInputs``."""
    image, discriminator = fields["input"], model.discriminator
    with tf.GradientTape() as tape:
        real = discriminator([image, fields["target"]], training=True)
        seen = judged(fields["output"], fields["target"], fields["known"])
        fake = discriminator([image, seen], training=True)
        inputs = LossInputs(**fields, disc_real=real, disc_fake=fake)
        total, _ = weighing.weighted(inputs, model.exp.DISC_LOSS, "discriminator")
    _learn(model, tape, total, fields["step"])


def _learn(model: Any, tape: tf.GradientTape, total: tf.Tensor, step: tf.Tensor) -> None:
    """One update of the discriminator, from the step on at which it begins to learn."""

    def now() -> None:
        update(model.discriminator_optimizer, tape, total, model.discriminator)

    start = model.exp.DISCRIMINATOR.start
    heed(model, "start")
    if not start:
        now()
        return
    begun = tf.cast(step, tf.int64) >= start
    if replicas.count() > 1:
        with replicas.where(begun):
            now()
        return
    # Not an update by a gradient of 0: Adam's count would go on, and its first steps be too large.
    tf.cond(begun, lambda: (now(), True)[1], lambda: False)


def regression_step(
    model: Any, input_image: tf.Tensor, target: tf.Tensor, step: tf.Tensor, **extras: tf.Tensor
) -> dict[str, tf.Tensor]:
    """One update of a generator that has no discriminator; as :func:`standard_step`."""
    with tf.GradientTape() as tape:
        output = model.generator(input_image, training=True)
        fixed = loss_inputs(model, input_image, target, step, extras)
        inputs = LossInputs(output=output, **fixed)
        total, terms = weighing.weighted(inputs, model.exp.GEN_LOSS, "generator")
    update(model.generator_optimizer, tape, total, model.generator)
    return {"total_gen_loss": total, **terms}


def update(
    optimizer: tf.keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    total: tf.Tensor,
    network: tf.keras.Model,
) -> None:
    """Move a network's variables down the gradient of its total.

    Raises:
        ModelContractError: A variable has no part in the total (Keras would only warn).
    """
    _apply(optimizer, _gradients(tape, total, network), network)


def _gradients(tape: tf.GradientTape, total: tf.Tensor, network: tf.keras.Model) -> list[tf.Tensor]:
    """Those of :func:`update`."""
    variables = network.trainable_variables
    gradients = tape.gradient(total, variables)
    idle = [v.path for v, grad in zip(variables, gradients, strict=True) if grad is None]
    if idle:
        raise ModelContractError(
            f"no gradient reaches {', '.join(idle[:4])} ({len(idle)} in all)",
            where=network.name,
            hint="connect the layer to the network's output, or make it trainable=False",
        )
    return gradients


def _apply(
    optimizer: tf.keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    network: tf.keras.Model,
) -> None:
    optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
