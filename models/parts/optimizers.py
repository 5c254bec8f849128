"""Adam as an experiment asks for it: schedule, clipping and averaged weights, all Keras' own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from sensor2sensor.core.errors import ModelContractError

if TYPE_CHECKING:
    from experiment import Experiment

LearningRateSchedule = tf.keras.optimizers.schedules.LearningRateSchedule


def adam(
    experiment: Experiment, network: tf.keras.Model | None, beta_1: float = 0.5
) -> tf.keras.optimizers.Optimizer | None:
    """The optimizer of one network, built, so that a checkpoint holds its moments and averages.

    Args:
        experiment: Gives learning rate, schedule, clipping, β1 and averaging.
        network: Named ``generator`` or ``discriminator``: only the generator's weights are
            averaged, and the discriminator is updated ``DISCRIMINATOR.steps`` times a step.
        beta_1: The model's own β1, where the experiment gives none.

    Returns:
        None for a network that is None.

    Raises:
        ModelContractError: The network has another name.
    """
    if network is None:
        return None
    if network.name not in ("generator", "discriminator"):
        raise ModelContractError(
            f"cannot tell which network '{network.name}' is",
            hint="make it with tf.keras.Model(..., name='generator' or 'discriminator')",
        )
    judges = network.name == "discriminator"
    optimizer = tf.keras.optimizers.Adam(
        learning_rate(experiment, experiment.DISCRIMINATOR.steps if judges else 1),
        beta_1=beta_1 if experiment.BETA_1 is None else experiment.BETA_1,
        # Of all variables together: each clipped by itself would turn the gradient.
        global_clipnorm=experiment.GRADIENT_CLIP,
        **_averaging(None if judges else experiment.EMA),
    )
    optimizer.build(network.trainable_variables)
    return optimizer


def _averaging(decay: float | None) -> dict[str, Any]:
    """Keras' own average beside the weights, which are never overwritten with it in training."""
    return {} if decay is None else {"use_ema": True, "ema_momentum": decay}


def learning_rate(experiment: Experiment, updates_per_step: int) -> float | LearningRateSchedule:
    """The step size over a training, as a number or a schedule over an optimizer's updates.

    Constant until ``start`` of the training's steps, then linear (pix2pix) or along half a cosine
    (Loshchilov, Hutter 2017, without restarts) to ``final`` times the rate at the last step.

    Args:
        experiment: Gives ``STEPS``, ``LEARNING_RATE`` and ``LEARNING_RATE_SCHEDULE``.
        updates_per_step: Updates of this optimizer in one training step.
    """
    schedule, rate = experiment.LEARNING_RATE_SCHEDULE, experiment.LEARNING_RATE
    if schedule.kind == "constant":
        return rate
    # One step at least falls: a decay over 0 updates would divide by 0.
    held = min(round(schedule.start * experiment.STEPS), experiment.STEPS - 1)
    # Keras' schedules count updates, of which a critic has several a step.
    falling = (experiment.STEPS - held) * updates_per_step
    schedules = tf.keras.optimizers.schedules
    if schedule.kind == "linear":
        decay = schedules.PolynomialDecay(rate, falling, end_learning_rate=schedule.final * rate)
    else:
        decay = schedules.CosineDecay(rate, falling, alpha=schedule.final)
    return Delayed(decay, held * updates_per_step) if held else decay


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Delayed(LearningRateSchedule):
    """Another schedule, begun later: held at its first value for ``updates`` updates."""

    def __init__(self, schedule: LearningRateSchedule, updates: int) -> None:
        self.schedule, self.updates = schedule, updates

    def __call__(self, step: Any) -> tf.Tensor:
        """The learning rate of update ``step``, counted from 0."""
        # Before its beginning a decay would lie above its first value.
        return self.schedule(tf.maximum(tf.cast(step, tf.int64) - self.updates, 0))

    def get_config(self) -> dict[str, Any]:
        """What Keras writes down to make it anew."""
        inner = tf.keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": inner, "updates": self.updates}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Delayed:
        """Make it from :meth:`get_config`."""
        inner = tf.keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(inner, config["updates"])
