"""The loss terms an experiment can choose, and how they are weighted and summed.

A term is a function of one :class:`LossInputs`. A weight of ``null`` leaves it out; ``0``
computes and logs it without adding it to the total, so that its NaN cannot poison a training;
any other number multiplies it. :func:`generator_loss` and :func:`discriminator_loss` keep the
five and four arguments that modules written for ARISGAN call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.core.names import suggestion

EPSILON = 1e-8
SSIM_WINDOW_PX = 11

Weights = Mapping[str, float | None]


@dataclass(frozen=True)
class LossInputs:
    """Everything a loss term may look at; what a model or data set cannot give is None.

    Attributes:
        target: The truth, normalised, ``[B, H, W, C]``.
        output: The generated image, normalised, ``[B, H, W, C]``.
        input: The input image, normalised, ``[B, H, W, C_in]``.
        disc_real: The discriminator's answer to the truth.
        disc_fake: The discriminator's answer to the generated image.
        discriminator: The discriminator itself.
        extras: Further tensors of the record (masks, time differences).
        step: The number of the step, an integer tensor.
        value_range: Width of the value range of the normalised target.
        value_low: Its lower end.
        loss_object: The model's binary cross-entropy; it says whether D answers in logits.
    """

    target: tf.Tensor | None = None
    output: tf.Tensor | None = None
    input: tf.Tensor | None = None
    disc_real: tf.Tensor | None = None
    disc_fake: tf.Tensor | None = None
    discriminator: tf.keras.Model | None = None
    extras: Mapping[str, tf.Tensor] = field(default_factory=dict)
    step: tf.Tensor | None = None
    value_range: float | None = None
    value_low: float = 0.0
    loss_object: Any = None

    @property
    def from_logits(self) -> bool:
        """Whether the discriminator answers in logits.

        Raises:
            ModelContractError: The model's loss object does not say.
        """
        answer = getattr(self.loss_object, "from_logits", None)
        if not isinstance(answer, bool):
            raise ModelContractError(
                f"loss_object {type(self.loss_object).__name__} does not say whether the "
                "discriminator answers in logits",
                hint="use tf.keras.losses.BinaryCrossentropy(from_logits=True or False)",
            )
        return answer


LossTerm = Callable[[LossInputs], tf.Tensor]
REGISTRY: dict[str, LossTerm] = {}


def register(name: str) -> Callable[[LossTerm], LossTerm]:
    """Decorator: enter a loss term under the name used in ``experiment.json``."""

    def enter(term: LossTerm) -> LossTerm:
        REGISTRY[name] = term
        return term

    return enter


def _log_probability(answer: tf.Tensor, *, from_logits: bool) -> tf.Tensor:
    """Log of D, from logits without ever forming a probability that rounds to 0."""
    return tf.math.log_sigmoid(answer) if from_logits else tf.math.log(answer + EPSILON)


def _log_complement(answer: tf.Tensor, *, from_logits: bool) -> tf.Tensor:
    """Log of 1 - D; for logits 1 - sigmoid(a) = sigmoid(-a)."""
    if from_logits:
        return tf.math.log_sigmoid(-answer)
    return tf.math.log(1.0 - answer + EPSILON)


@register("gen_gan")
def gen_gan(inputs: LossInputs) -> tf.Tensor:
    """Cross-entropy of D(fake) against 1 (Goodfellow et al. 2014, non-saturating)."""
    return inputs.loss_object(tf.ones_like(inputs.disc_fake), inputs.disc_fake)


@register("gen_nll")
def gen_nll(inputs: LossInputs) -> tf.Tensor:
    """Mean of -ln D(fake), on logits through log-sigmoid (Goodfellow et al. 2014)."""
    return -tf.reduce_mean(_log_probability(inputs.disc_fake, from_logits=inputs.from_logits))


@register("gen_ssim")
def gen_ssim(inputs: LossInputs) -> tf.Tensor:
    """1 - mean SSIM (Wang et al. 2004), over the value range of the normalised target.

    Both images are shifted so that the range begins at 0: the luminance term of SSIM has no
    meaning for means around zero.
    """
    low = inputs.value_low
    similarity = tf.image.ssim(
        inputs.target - low,
        inputs.output - low,
        max_val=inputs.value_range,
        filter_size=SSIM_WINDOW_PX,
    )
    return 1.0 - tf.reduce_mean(similarity)


@register("gen_l1")
def gen_l1(inputs: LossInputs) -> tf.Tensor:
    """Mean of |target - output| (Isola et al. 2017)."""
    return tf.reduce_mean(tf.abs(inputs.target - inputs.output))


@register("gen_l2")
def gen_l2(inputs: LossInputs) -> tf.Tensor:
    """Mean of (target - output)²."""
    return tf.reduce_mean(tf.square(inputs.target - inputs.output))


@register("gen_rmse")
def gen_rmse(inputs: LossInputs) -> tf.Tensor:
    """Root of the mean squared error of the whole batch; gradient 0 where the images agree."""
    squared = gen_l2(inputs)
    differs = squared > 0.0
    # The root's slope is infinite at 0, and inf * 0 is NaN: take the root of 1 there instead.
    return tf.where(differs, tf.sqrt(tf.where(differs, squared, 1.0)), 0.0)


@register("gen_wstein")
def gen_wstein(inputs: LossInputs) -> tf.Tensor:
    """-mean D(fake) (the generator's half of Arjovsky et al. 2017).

    As published by ARISGAN there is no critic loss, clipping or gradient penalty behind it, so
    with logits it has no lower bound: it pushes D's answer up for as long as D lets it.
    """
    return -tf.reduce_mean(inputs.disc_fake)


@register("disc_bce")
def disc_bce(inputs: LossInputs) -> tf.Tensor:
    """Cross-entropy of D(real) against 1 plus of D(fake) against 0; the sum is not halved."""
    real = inputs.loss_object(tf.ones_like(inputs.disc_real), inputs.disc_real)
    fake = inputs.loss_object(tf.zeros_like(inputs.disc_fake), inputs.disc_fake)
    return real + fake


@register("disc_nll")
def disc_nll(inputs: LossInputs) -> tf.Tensor:
    """Mean of -[ln D(real) + ln(1 - D(fake))], on logits through log-sigmoid."""
    logits = inputs.from_logits
    real = _log_probability(inputs.disc_real, from_logits=logits)
    fake = _log_complement(inputs.disc_fake, from_logits=logits)
    return -tf.reduce_mean(real + fake)


def active(weights: Weights, side: str) -> dict[str, float]:
    """The terms to compute, with their weights.

    Args:
        weights: Name to weight; ``None`` leaves a term out.
        side: ``"generator"`` or ``"discriminator"``.

    Raises:
        ConfigError: A name is unknown or of the other side, or nothing has a weight.
    """
    where = "gen_loss" if side == "generator" else "disc_loss"
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


def check(weights: Weights, side: str, available: frozenset[str], *, who: str) -> None:
    """Refuse weights that ask for what a model cannot give.

    Args:
        weights: Name to weight.
        side: ``"generator"`` or ``"discriminator"``.
        available: Fields of :class:`LossInputs` the model fills.
        who: The model's name, for the message.

    Raises:
        ConfigError: A term needs a field that is not there; the field is named.
    """
    for name in active(weights, side):
        lacking = sorted(LOSSES[name].needs - available)
        if lacking:
            raise ConfigError(
                f"'{name}' needs {', '.join(lacking)}, which {who} does not give",
                hint=f"set {name} to null, or choose a model with a discriminator",
            )


def weighted(inputs: LossInputs, weights: Weights, side: str) -> tuple[tf.Tensor, dict[str, Any]]:
    """Compute, weight and sum the chosen terms of one side.

    Returns:
        The total (terms of weight 0 are not in it) and every computed term, unweighted.
    """
    chosen = active(weights, side)
    given = frozenset(name for name in vars(inputs) if getattr(inputs, name) is not None)
    check(weights, side, given, who="the model")
    terms = {name: REGISTRY[name](inputs) for name in chosen}
    total = tf.add_n([chosen[name] * term for name, term in terms.items() if chosen[name] != 0.0])
    return total, terms


def _range_of(weights: Weights) -> tuple[float | None, float]:
    """Width and lower end of the normalised value range that the experiment's weights carry."""
    width = getattr(weights, "value_range", None)
    if width is None and weights.get("gen_ssim") is not None:
        raise ConfigError(
            "gen_ssim needs the value range of the data set, which a plain dict does not carry",
            where="gen_loss",
            hint="pass experiment.GEN_LOSS itself",
        )
    return width, float(getattr(weights, "value_low", 0.0))


def generator_loss(
    disc_generated_output: tf.Tensor,
    gen_output: tf.Tensor,
    target: tf.Tensor,
    weights: Weights,
    loss_object: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The generator's total and its terms, with the arguments of ARISGAN's function.

    Args:
        disc_generated_output: D's answer to the generated image, or None without D.
        gen_output: The generated image ``[B, H, W, C]``.
        target: The truth ``[B, H, W, C]``.
        weights: ``experiment.GEN_LOSS``.
        loss_object: The model's binary cross-entropy.

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
    )
    return weighted(inputs, weights, "generator")


def discriminator_loss(
    disc_real_output: tf.Tensor,
    disc_generated_output: tf.Tensor,
    weights: Weights,
    loss_object: Any,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The discriminator's total and its terms, with the arguments of ARISGAN's function."""
    inputs = LossInputs(
        disc_real=disc_real_output, disc_fake=disc_generated_output, loss_object=loss_object
    )
    return weighted(inputs, weights, "discriminator")
