"""How the terms that an experiment chooses are weighted and summed.

A weight of ``null`` leaves a term out; ``0`` computes and logs it without adding it to the total,
so that its NaN cannot poison a training; any other number multiplies it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from models.objectives.registry import EXTRA, REGISTRY, LossInputs
from models.objectives.routing import Route, routed
from sensor2sensor.config.vocabulary import LOSSES, adversarial
from sensor2sensor.core.blame import source_of
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.core.names import suggestion

Weights = Mapping[str, float | None]


def _key(side: str) -> str:
    """The key of ``experiment.json`` that holds the weights of a side."""
    return "gen_loss" if side == "generator" else "disc_loss"


def active(weights: Weights, side: str) -> dict[str, float]:
    """The terms to compute, with their weights.

    Args:
        weights: Name to weight; ``None`` leaves a term out.
        side: ``"generator"`` or ``"discriminator"``.

    Raises:
        ConfigError: A name is unknown or of the other side, or nothing has a weight.
    """
    where = _key(side)
    valid = [name for name, info in LOSSES.items() if info.side == side]
    for name in weights:
        if name not in valid:
            raise ConfigError(f"unknown loss '{name}'", where=where, hint=suggestion(name, valid))
    chosen = {name: float(weight) for name, weight in weights.items() if weight is not None}
    if not any(weight != 0.0 for weight in chosen.values()):
        raise ConfigError(
            "every loss is null or 0, so there is nothing to learn from",
            where=where,
            hint=f"give at least one a weight: {', '.join(valid)}",
        )
    return chosen


def needed(weights: Weights, side: str) -> frozenset[str]:
    """Fields of :class:`LossInputs` that the chosen terms of a side look at."""
    return frozenset().union(*(LOSSES[name].needs for name in active(weights, side)))


def check(weights: Weights, side: str, available: frozenset[str], *, who: str) -> None:
    """Refuse weights that ask for what a model cannot give.

    Args:
        weights: Name to weight.
        side: ``"generator"`` or ``"discriminator"``.
        available: Fields of :class:`LossInputs` the model fills, and ``extras.NAME`` for each
            extra.
        who: The model's name, for the message.

    Raises:
        ConfigError: A term needs a field that is not there; the field is named.
    """
    for name in active(weights, side):
        lacking = sorted(LOSSES[name].needs - available)
        if lacking:
            raise ConfigError(
                f"'{name}' needs {', '.join(lacking)}, which {_giver(lacking, who)} does not give",
                where=f"{_key(side)}.{name}",
                hint=f"set {name} to null, or {_remedy(lacking, available)}",
            )


def _giver(lacking: list[str], who: str) -> str:
    return "the data set" if all(name.startswith(EXTRA) for name in lacking) else who


def _remedy(lacking: list[str], available: frozenset[str]) -> str:
    if any(name.startswith(EXTRA) for name in lacking):
        return "choose a data set and a model that have it (train_step takes **extras)"
    if lacking == ["flow"]:
        return 'name a trained registration: "registration": {"run": "a/b/c"}'
    if not available & {"disc_real", "disc_fake"}:
        return "choose a model with a discriminator"
    return f"pass {', '.join(f'{name}=' for name in lacking)} to the losses"


def weighted(inputs: LossInputs, weights: Weights, side: str) -> tuple[tf.Tensor, dict[str, Any]]:
    """Compute, weight and sum the chosen terms of one side, in float32.

    Until the step ``weights.warmup_steps`` (an attribute of an experiment's weights; without it
    there is no warm-up) the generator's adversarial terms are computed and logged, but neither
    they nor their gradients enter the total, whatever their values. ``weights.bands`` says which
    bands a term is given (:mod:`models.objectives.routing`).

    Args:
        inputs: What the terms look at; floating tensors of any precision.
        weights: Name to weight.
        side: ``"generator"`` or ``"discriminator"``.

    Returns:
        The total (terms of weight 0 are not in it) and every computed term, unweighted.

    Raises:
        ConfigError: Weights that cannot be, a term without its input, or a warm-up without step.
    """
    chosen = active(weights, side)
    given = {name for name in vars(inputs) if getattr(inputs, name) is not None}
    given |= {EXTRA + name for name in inputs.extras}
    check(weights, side, frozenset(given), who="the model")
    inputs = _in_float32(inputs)
    warm = _warm(inputs, weights) if side == "generator" else None
    inputs = inputs if warm is None else _gated(inputs, warm)
    routes = getattr(weights, "bands", {})
    terms = {name: _scalar(name, inputs, routes.get(name)) for name in chosen}
    # Left out at 0, not multiplied by it: 0 · NaN is NaN.
    parts = [
        _part(name, weight * terms[name], warm) for name, weight in chosen.items() if weight != 0.0
    ]
    return tf.add_n(parts), terms


def _scalar(name: str, inputs: LossInputs, route: Route | None) -> tf.Tensor:
    """One term; ModelContractError where it is no scalar, which only the sum's gradient hides."""
    loss = REGISTRY[name]
    value = routed(name, inputs, route)
    shape = None if value is None else tf.TensorShape(getattr(value, "shape", ()))
    if shape is None or shape.rank:
        found = "None" if shape is None else f"shape {list(shape)}"
        problem = f"'{name}' returns {found}, a loss is a scalar"
        hint = "take a mean, as tf.reduce_mean does"
        raise ModelContractError(problem, where=source_of(loss), hint=hint)
    return value


def adversarial_total(terms: Mapping[str, tf.Tensor], weights: Weights) -> tf.Tensor | None:
    """What the discriminator adds to the generator's total; None where no such term has a weight.

    During a warm-up the value stands, but its gradient is 0 (see :func:`weighted`).

    Args:
        terms: The unweighted terms of :func:`weighted`.
        weights: Name to weight, of the generator.
    """
    parts = [
        weight * terms[name]
        for name, weight in active(weights, "generator").items()
        if weight != 0.0 and adversarial(name)
    ]
    return tf.add_n(parts) if parts else None


def _in_float32(inputs: LossInputs) -> LossInputs:
    """The inputs with every floating tensor in float32: bfloat16 has three digits, too few."""
    fields = {name: _float32(value) for name, value in vars(inputs).items()}
    return dataclasses.replace(inputs, **fields)


def _float32(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _float32(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_float32(one) for one in value]
    kind = getattr(value, "dtype", None)
    if kind is None or not hasattr(value, "shape") or not tf.as_dtype(kind).is_floating:
        return value
    return tf.cast(value, tf.float32)


def _warm(inputs: LossInputs, weights: Weights) -> tf.Tensor | None:
    """Whether the warm-up is over, a boolean scalar; None where there is none."""
    steps = getattr(weights, "warmup_steps", 0)
    if not steps:
        return None
    if inputs.step is None:
        raise ConfigError(
            "generator_warmup needs the step, which the model does not give",
            where="generator_warmup",
            hint="use base.standard_step, or pass step= to the losses",
        )
    return tf.cast(inputs.step, tf.int64) >= steps


def _gated(inputs: LossInputs, warm: tf.Tensor) -> LossInputs:
    """The same values, whose gradient is exactly 0 before the warm-up is over.

    Gating the total alone would multiply 0 by a term's slope, and 0 · inf is NaN.
    """

    def gate(value: tf.Tensor) -> tf.Tensor:
        return tf.where(warm, value, tf.stop_gradient(value))

    fake, features = inputs.disc_fake, inputs.features_fake
    return dataclasses.replace(
        inputs,
        disc_fake=None if fake is None else gate(fake),
        features_fake=None if features is None else [gate(one) for one in features],
    )


def _part(name: str, value: tf.Tensor, warm: tf.Tensor | None) -> tf.Tensor:
    if warm is None or not adversarial(name):
        return value
    # Chosen, not multiplied: before the warm-up is over a term may be infinite.
    return tf.where(warm, value, 0.0)
