"""What a loss term may look at, and the table that the terms are entered in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import tensorflow as tf

from sensor2sensor.config.vocabulary import LOSSES, LossInfo, check_term
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.core.names import suggestion
from sensor2sensor.pipeline.sensor import Sensor

EXTRA = "extras."


@dataclass(frozen=True)
class LossInputs:
    """Everything a loss term may look at; what a model or data set cannot give is None.

    Attributes:
        target: The truth, normalised, ``[B, H, W, C]``.
        output: The generated image, normalised, ``[B, H, W, C]``.
        input: The input image, normalised, ``[B, H, W, C_in]``.
        base: The input's bands that lie next to the target's, in the target's normalisation,
            ``[B, H, W, C]``; there where a chosen term needs it.
        disc_real: The discriminator's answer to the truth.
        disc_fake: The discriminator's answer to the generated image.
        discriminator: The discriminator itself, called as ``discriminator([input, image])``.
        extras: Further tensors of the record (masks, time differences).
        step: The number of the step, an integer tensor.
        value_range: Width of the value range of each band of the normalised target, ``[C]``, or
            one for all.
        value_low: Its lower end.
        loss_object: The model's binary cross-entropy; it says whether D answers in logits.
        features_real: What the discriminator's inner stages see in the truth, one tensor each.
        features_fake: The same for the generated image.
        seed: The experiment's seed, for terms that draw.
        draw: Number of the discriminator's update within the step.
        vgg: What ``gen_vgg`` looks through (``experiment.VGG``).
        flows: What a registration says to a pair and to synthetic changes of it
            (:class:`models.parts.flow.Flows`).
        low: The input's bands that lie next to the target's, as ``base``, but on the input's own
            coarser grid, ``[B, h, w, C]``.
        sensor: How the coarser sensor sees each band of the target's grid.
        known: Which bands the truth is known of: bool ``[C]``, or ``[B, C]`` where it differs by
            image; None: all. Terms are given none that is not (:mod:`models.objectives.routing`).
        flow: The frozen registration: ``flow(moving, fixed)``, two images ``[B, h, w, C]`` as
            ``low``, gives the flow ``[B, h, w, 2]`` along which the first is moved to the second.
        target_bands: Names of the target's bands, ``[C]``.
        input_bands: Names of the input's bands.
        weights: Of the bands, float ``[C]``, where ``loss_bands`` gives a term that looks at all of
            them together several; None: all alike.
        label_smoothing: What cross-entropy holds real images against is 1 less this.
    """

    target: tf.Tensor | None = None
    output: tf.Tensor | None = None
    input: tf.Tensor | None = None
    base: tf.Tensor | None = None
    disc_real: tf.Tensor | None = None
    disc_fake: tf.Tensor | None = None
    discriminator: tf.keras.Model | None = None
    extras: Mapping[str, tf.Tensor] = field(default_factory=dict)
    step: tf.Tensor | None = None
    value_range: Sequence[float] | float | None = None
    value_low: Sequence[float] | float = 0.0
    loss_object: Any = None
    features_real: Sequence[tf.Tensor] | None = None
    features_fake: Sequence[tf.Tensor] | None = None
    seed: int = 0
    draw: int = 0
    vgg: Any = None
    flows: Any = None
    low: tf.Tensor | None = None
    sensor: Sensor | None = None
    known: Any = None
    flow: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None
    target_bands: Sequence[str] | None = None
    input_bands: Sequence[str] | None = None
    weights: Any = None
    label_smoothing: float = 0.0

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

    def refuse_probabilities(self, term: str) -> None:
        """Refuse a discriminator that ends in a sigmoid, for a term that needs its linear answer.

        A loss object that says nothing is let pass: such a term does not use it.

        Args:
            term: Name of the loss term.

        Raises:
            ConfigError: The loss object says ``from_logits=False``.
        """
        if getattr(self.loss_object, "from_logits", None) is False:
            raise ConfigError(
                f"'{term}' needs a linear answer of the discriminator, and the model's answers "
                "in probabilities (loss_object.from_logits is False)",
                where=f"{'gen_loss' if term.startswith('gen_') else 'disc_loss'}.{term}",
                hint=f"set {term} to null, or take the sigmoid out of the model's discriminator",
            )


LossTerm = Callable[[LossInputs], tf.Tensor]
REGISTRY: dict[str, LossTerm] = {}
DECLARED: dict[str, LossInfo] = {}
IMAGES = frozenset({"target", "output"})
_MAKERS: dict[str, str] = {}
_HERE = __name__.partition(".")[0]


def register(
    name: str,
    side: Literal["generator", "discriminator"],
    *,
    needs: Iterable[str],
    paper: str,
    about: str = "",
) -> Callable[[LossTerm], LossTerm]:
    """Decorator: enter a loss term, the one place where it is declared.

    Args:
        name: Its key in ``gen_loss`` or ``disc_loss``; small letters, digits and ``_``.
        side: The network it trains.
        needs: Fields of :class:`LossInputs` that it cannot do without; ``extras.NAME`` is one
            extra of the data set. An experiment whose model or data set lacks one is refused.
        paper: Where it comes from.
        about: What an editor shows at its key.

    Raises:
        ModelContractError: The name cannot be had, or a side or field does not exist.
    """
    needs = frozenset(needs)
    if side not in ("generator", "discriminator"):
        hint = "generator or discriminator"
        raise ModelContractError(f"loss '{name}' has side {side!r}", hint=hint)
    known = set(LossInputs.__dataclass_fields__)
    for field_ in needs:
        if field_ not in known and not field_.startswith(EXTRA):
            hint = suggestion(field_, known)
            raise ModelContractError(f"loss '{name}' needs '{field_}', which is none", hint=hint)

    def enter(term: LossTerm) -> LossTerm:
        check_term("loss", name, term.__module__, _MAKERS)
        REGISTRY[name] = term if term.__module__.startswith(f"{_HERE}.") else _translated(term)
        LOSSES[name] = DECLARED[name] = LossInfo(name, side, needs, paper, about)
        return term

    return enter


def _translated(term: LossTerm) -> LossTerm:
    """A user's term, which may branch on a tensor in Python, within steps that AutoGraph leaves be.

    The models here branch on none, and to translate a network's layers takes as long as to trace
    them (Keras' own ``fit`` leaves them be, too).
    """
    # As AutoGraph itself translates what a step calls; ``to_graph`` would say errors of a term by
    # the lines of what it generates, and refuse what cannot be translated instead of calling it.
    context = tf.__internal__.autograph.control_status_ctx()
    translated: LossTerm = tf.__internal__.autograph.tf_convert(term, context)
    return translated
