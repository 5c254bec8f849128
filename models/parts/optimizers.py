"""The optimizer that an experiment asks for: Adam or Nadam, schedule, clipping, averaged weights.

All is Keras' own but :class:`Keras2Nadam`, which has the momentum of papers trained with Keras 2,
and how :class:`Adam` writes its update down.
"""

from __future__ import annotations

import math
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
        experiment: Says which, and gives learning rate, schedule, clipping, β1, ε and averaging.
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
    updates, late = 1, 0
    if judges:
        updates, late = experiment.DISCRIMINATOR.steps, experiment.DISCRIMINATOR.start
    optimizer = KINDS[experiment.OPTIMIZER](
        learning_rate(experiment, updates, late),
        beta_1=beta_1 if experiment.BETA_1 is None else experiment.BETA_1,
        # Of all variables together: each clipped by itself would turn the gradient.
        global_clipnorm=experiment.GRADIENT_CLIP,
        **_averaging(None if judges else experiment.EMA),
        **({} if experiment.EPSILON is None else {"epsilon": experiment.EPSILON}),
    )
    optimizer.build(network.trainable_variables)
    return optimizer


def _averaging(decay: float | None) -> dict[str, Any]:
    """Keras' own average beside the weights, which are never overwritten with it in training."""
    return {} if decay is None else {"use_ema": True, "ema_momentum": decay}


def learning_rate(
    experiment: Experiment, updates_per_step: int, late: int = 0
) -> float | LearningRateSchedule:
    """The step size over a training, as a number or a schedule over an optimizer's updates.

    Constant until ``start`` of the training's steps, then linear (pix2pix) or along half a cosine
    (Loshchilov, Hutter 2017, without restarts) to ``final`` times the rate, which the step after
    the last would have.

    Args:
        experiment: Gives ``STEPS``, ``LEARNING_RATE`` and ``LEARNING_RATE_SCHEDULE``.
        updates_per_step: Updates of this optimizer in one training step.
        late: Steps before its first update; the rate of a step is that of the others.
    """
    schedule, rate = experiment.LEARNING_RATE_SCHEDULE, experiment.LEARNING_RATE
    if schedule.kind == "constant":
        return rate
    # One step at least falls: a decay over 0 updates would divide by 0.
    held = schedule.falling_after(experiment.STEPS)
    # Keras' schedules count updates, of which a critic has several a step.
    falling = (experiment.STEPS - held) * updates_per_step
    schedules = tf.keras.optimizers.schedules
    if schedule.kind == "linear":
        decay = schedules.PolynomialDecay(rate, falling, end_learning_rate=schedule.final * rate)
    else:
        decay = schedules.CosineDecay(rate, falling, alpha=schedule.final)
    return Delayed(decay, (held - late) * updates_per_step) if held != late else decay


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Delayed(LearningRateSchedule):
    """Another schedule, begun later: held at its first value for ``updates`` updates.

    A negative number begins within it.
    """

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


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Adam(tf.keras.optimizers.Adam):
    """Keras' Adam, bit for bit, in half as many operations: a step is traced the sooner.

    What is the same for all variables is worked out once an update, and not for each of them.
    """

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        assert not self.amsgrad, "no experiment asks for it"
        shared = {
            dtype: self._shared(learning_rate, dtype)
            for dtype in {tf.as_dtype(variable.dtype) for variable in trainable_variables}
        }
        super()._backend_update_step(grads, trainable_variables, shared)

    def _shared(self, learning_rate: Any, dtype: Any) -> tuple[tf.Tensor, ...]:
        """The rate corrected for the bias of both means, what is new in them, and ε."""
        rate, step, beta_1, beta_2 = (
            tf.cast(value, dtype)
            for value in (learning_rate, self.iterations + 1, self.beta_1, self.beta_2)
        )
        corrected = rate * tf.sqrt(1 - tf.pow(beta_2, step)) / (1 - tf.pow(beta_1, step))
        fixed = (1 - self.beta_1, 1 - self.beta_2, self.epsilon)
        return corrected, *(tf.constant(value, dtype) for value in fixed)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable; ``learning_rate`` is what :meth:`_shared` returns, by type."""
        dtype, place = tf.as_dtype(variable.dtype), self._get_variable_index(variable)
        rate, new_1, new_2, epsilon = learning_rate[dtype]
        gradient = tf.cast(gradient, dtype)
        mean, square = self._momentums[place].value, self._velocities[place].value
        mean.assign_add((gradient - mean) * new_1)
        square.assign_add((tf.square(gradient) - square) * new_2)
        variable.assign_sub(mean * rate / (tf.sqrt(square) + epsilon))


@tf.keras.utils.register_keras_serializable("sensor2sensor")
class Keras2Nadam(tf.keras.optimizers.Nadam):
    """Nadam (Dozat 2016) whose momentum warms up as that of Keras 2 does.

    The momentum of update t is β1·(1 - ½·0.96^(t·``schedule_decay``)). Keras 3 has no
    ``schedule_decay``, which is 1 there: its momentum has grown up after 100 updates, the one of
    Keras 2, with 0.004, after 25,000. All else is the same in both.

    Args:
        schedule_decay: As above.
        options: Those of ``keras.optimizers.Nadam``.
    """

    def __init__(self, *args: Any, schedule_decay: float = 0.004, **options: Any) -> None:
        super().__init__(*args, **options)
        self.schedule_decay = schedule_decay

    def _momentum(self, step: Any, dtype: str) -> Any:
        """That of update ``step``, counted from 1."""
        # By logarithms: powers of numbers this near 1 lose digits in float32.
        exponent = self.schedule_decay * math.log(0.96)
        falling = tf.keras.ops.exp(tf.keras.ops.cast(step, dtype) * exponent)
        return self.beta_1 * (1.0 - 0.5 * falling)

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        # Once an update, for all variables: the product of all momenta so far.
        dtype = self._u_product.dtype
        self.assign(self._u_product, self._u_product * self._momentum(self.iterations + 1, dtype))
        # Not by way of Nadam, which would multiply by Keras 3's.
        super(tf.keras.optimizers.Nadam, self)._backend_update_step(
            grads, trainable_variables, learning_rate
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable."""
        ops, dtype, step = tf.keras.ops, variable.dtype, self.iterations + 1
        gradient, rate = (ops.cast(value, dtype) for value in (gradient, learning_rate))
        now, following = (self._momentum(count, dtype) for count in (step, step + 1))
        product = ops.cast(self._u_product, dtype)
        place = self._get_variable_index(variable)
        mean, square = self._momentums[place], self._velocities[place]
        self.assign(mean, self.beta_1 * mean + (1.0 - self.beta_1) * gradient)
        self.assign(square, self.beta_2 * square + (1.0 - self.beta_2) * ops.square(gradient))
        ahead = (1.0 - now) * gradient / (1.0 - product)
        ahead += following * mean / (1.0 - product * following)
        grown = -ops.expm1(ops.cast(step, dtype) * math.log(self.beta_2))  # 1 - β2^t
        self.assign_sub(variable, rate * ahead / (ops.sqrt(square / grown) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """What Keras writes down to make it anew."""
        return {**super().get_config(), "schedule_decay": self.schedule_decay}


KINDS = {
    "adam": Adam,
    "nadam": tf.keras.optimizers.Nadam,
    "nadam_keras2": Keras2Nadam,
}
