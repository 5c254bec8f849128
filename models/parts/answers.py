"""What the losses of a step look at: images and the discriminator's answers; in training or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from models.objectives import weighing
from models.objectives.registry import LossInputs
from models.objectives.routing import judged
from models.parts.base_image import base_bands, base_of, refuse_without_map
from models.parts.discriminators import staged
from models.parts.sensors import fields_of_sensors
from sensor2sensor.config.vocabulary import FEATURES, LOSSES
from sensor2sensor.core.errors import ConfigError


def loss_inputs(
    model: Any, input_image: Any, target: Any, step: Any, extras: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of ``LossInputs`` that do not depend on the networks' answers."""
    heed(model, "label_smoothing")
    weights = model.exp.GEN_LOSS
    based = asking_for_a_base(model.exp, model.discriminator is not None)
    return {
        "input": input_image,
        "base": base_of(model.exp, input_image) if based else None,
        "target": target,
        "step": step,
        "extras": extras,
        "value_low": weights.value_low,
        "value_range": weights.value_range,
        "loss_object": model.loss_object,
        "discriminator": model.discriminator,
        "seed": model.exp.SEED,
        "vgg": model.exp.VGG,
        **fields_of_sensors(model.exp, input_image, extras),
    }


def heed(model: Any, key: str) -> None:
    """Note that a step looks at ``discriminator.<key>``; training asks for that."""
    model.heeded = {*getattr(model, "heeded", ()), key}


def asking_for_a_base(experiment: Any, judged: bool) -> list[str]:
    """The chosen terms that look at the base image, as keys of ``experiment.json``.

    Args:
        experiment: Gives the weights.
        judged: Whether there is a discriminator, whose terms count then.
    """
    sides = {"gen_loss": experiment.GEN_LOSS} | (
        {"disc_loss": experiment.DISC_LOSS} if judged else {}
    )
    return [
        f"{key}.{name}"
        for key, weights in sides.items()
        for name, weight in weights.items()
        if weight is not None and "base" in LOSSES[name].needs
    ]


def refuse_without_base(experiment: Any, judged: bool) -> None:
    """Refuse a chosen term whose base image the data set cannot give; as above.

    Raises:
        ConfigError: A target band has no partner in the input, the input is on a grid of its own,
            or both are normalised by numbers of each tile.
    """
    for key in asking_for_a_base(experiment, judged):
        refuse_without_map(experiment)
        base_bands(experiment, key)
        if experiment.INPUT_HEIGHT != experiment.IMG_HEIGHT:
            raise ConfigError(
                "needs the input on the target's grid, and it stays on its own",
                where=key,
                hint="set input_upsampling to 'nearest' or 'bicubic'",
            )


def answers(
    model: Any, image: tf.Tensor, target: tf.Tensor, output: tf.Tensor, *, training: bool = True
) -> dict[str, Any]:
    """What the discriminator says to truth and generated image; its stages too, where asked."""
    if not weighing.needed(model.exp.GEN_LOSS, "generator") & FEATURES:
        judge = model.discriminator
        real, fake = (judge([image, picture], training=training) for picture in (target, output))
        return {"disc_real": real, "disc_fake": fake}
    judge = staged(model.discriminator)
    *features_real, real = judge([image, target], training=training)
    *features_fake, fake = judge([image, output], training=training)
    return {
        "disc_real": real,
        "disc_fake": fake,
        "features_real": features_real,
        "features_fake": features_fake,
    }


def validation_terms(
    model: Any,
    input_image: tf.Tensor,
    target: tf.Tensor,
    output: tf.Tensor,
    step: tf.Tensor,
    **extras: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Every loss that the experiment computes, unweighted, as inference sees it; nothing learns.

    Args:
        model: As for ``base.standard_step``.
        input_image: ``[B, H, W, C_in]``, normalised.
        target: ``[B, H, W, C]``, normalised.
        output: What the generator makes of the input at inference.
        step: Steps done, an integer tensor.
        extras: Further fields of the batch.
    """
    fixed = loss_inputs(model, input_image, target, step, extras)
    lone = model.discriminator is None
    seen = judged(output, target, fixed["known"])
    said = {} if lone else answers(model, input_image, target, seen, training=False)
    inputs = LossInputs(**fixed, **said, output=output)
    _, terms = weighing.weighted(inputs, model.exp.GEN_LOSS, "generator")
    if lone:
        return terms
    return terms | weighing.weighted(inputs, model.exp.DISC_LOSS, "discriminator")[1]
