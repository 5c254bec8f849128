"""For modules that write their own ``train_step``: the losses, with the arguments of ARISGAN's.

A term is a function of one :class:`LossInputs`; the terms stand in ``models/objectives/``, their
weighting in ``models/objectives/weighing.py``. The models of this repository take them through
``base.standard_step``.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from models.objectives.adversarial import (
    disc_bce,
    disc_gp,
    disc_lsgan,
    disc_nll,
    disc_ragan,
    disc_wstein,
    gen_fm,
    gen_gan,
    gen_lsgan,
    gen_nll,
    gen_ragan,
    gen_wstein,
)
from models.objectives.clouds import gen_carl
from models.objectives.pixel import gen_l1, gen_l2, gen_rmse, gen_ssim
from models.objectives.registry import REGISTRY, LossInputs, LossTerm, register
from models.objectives.weighing import Weights, active, adversarial_total, check, weighted
from sensor2sensor.core.errors import ConfigError

__all__ = [
    "REGISTRY",
    "LossInputs",
    "LossTerm",
    "Weights",
    "active",
    "adversarial_total",
    "check",
    "disc_bce",
    "disc_gp",
    "disc_lsgan",
    "disc_nll",
    "disc_ragan",
    "disc_wstein",
    "discriminator_loss",
    "gen_carl",
    "gen_fm",
    "gen_gan",
    "gen_l1",
    "gen_l2",
    "gen_lsgan",
    "gen_nll",
    "gen_ragan",
    "gen_rmse",
    "gen_ssim",
    "gen_wstein",
    "generator_loss",
    "register",
    "weighted",
]


def _range_of(weights: Weights) -> tuple[Any, Any]:
    """Widths and lower ends of the normalised value ranges that the experiment's weights carry."""
    # experiment.GEN_LOSS is a mapping with attributes; ARISGAN's modules may pass a dict.
    width = getattr(weights, "value_range", None)
    if width is None and weights.get("gen_ssim") is not None:
        raise ConfigError(
            "gen_ssim needs the value range of the data set, which a plain dict does not carry",
            where="gen_loss",
            hint="pass experiment.GEN_LOSS itself",
        )
    return width, getattr(weights, "value_low", 0.0)


def generator_loss(
    disc_generated_output: tf.Tensor,
    gen_output: tf.Tensor,
    target: tf.Tensor,
    weights: Weights,
    loss_object: Any,
    *,
    step: tf.Tensor | None = None,
    **fields: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The generator's total and its terms, with the arguments of ARISGAN's function.

    Args:
        disc_generated_output: D's answer to the generated image, or None without D.
        gen_output: The generated image ``[B, H, W, C]``.
        target: The truth ``[B, H, W, C]``.
        weights: ``experiment.GEN_LOSS``.
        loss_object: The model's binary cross-entropy.
        step: Number of the step; ``generator_warmup`` needs it.
        **fields: Further fields of :class:`LossInputs`: ``disc_real`` for ``gen_ragan``,
            ``features_real`` and ``features_fake`` for ``gen_fm``.

    Raises:
        ConfigError: Unknown or missing terms, or ``gen_ssim`` without a value range.
    """
    value_range, value_low = _range_of(weights)
    inputs = LossInputs(
        target=target,
        output=gen_output,
        disc_fake=disc_generated_output,
        value_range=value_range,
        value_low=value_low,
        loss_object=loss_object,
        step=step,
        **fields,
    )
    return weighted(inputs, weights, "generator")


def discriminator_loss(
    disc_real_output: tf.Tensor,
    disc_generated_output: tf.Tensor,
    weights: Weights,
    loss_object: Any,
    *,
    step: tf.Tensor | None = None,
    **fields: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The discriminator's total and its terms, with the arguments of ARISGAN's function.

    Args:
        disc_real_output: D's answer to the truth.
        disc_generated_output: D's answer to the generated image.
        weights: ``experiment.DISC_LOSS``.
        loss_object: The model's binary cross-entropy.
        step: Number of the step; ``disc_gp`` needs it.
        **fields: Further fields of :class:`LossInputs`: ``input``, ``target``, ``output`` and
            ``discriminator`` (and the experiment's ``seed``) for ``disc_gp``.

    Raises:
        ConfigError: Unknown terms, or a term without its input; the field is named.
    """
    inputs = LossInputs(
        disc_real=disc_real_output,
        disc_fake=disc_generated_output,
        loss_object=loss_object,
        step=step,
        **fields,
    )
    return weighted(inputs, weights, "discriminator")
