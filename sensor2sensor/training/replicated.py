"""A training step on several devices: a model's own, run on each with its part of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.networks import replicas
from sensor2sensor.training.compiled import Step, compiled_step, unwrapped
from sensor2sensor.training.contract import GANModel
from sensor2sensor.training.state import TrainingState
from sensor2sensor.training.strategy import ONE, Devices

_STOP = ""  # among the losses; no loss has this name


@dataclass(frozen=True)
class ReplicatedStep(Step):
    """As :class:`Step`; what is agreed on among workers travels with the gradients.

    Attributes:
        model: The model.
        devices: What it runs on.
        stop: Whether this worker wants to end; a variable, as the step is traced once.
    """

    model: Any = None
    devices: Devices = ONE
    stop: Any = None
    _said: list[Any] = field(default_factory=list)
    _held: list[bool] = field(default_factory=list)

    def __call__(self, batch: Mapping[str, Any], step: Any) -> Any:
        """Train on a batch; after the first the devices have to hold the same.

        Raises:
            ModelContractError: They do not.
        """
        losses = super().__call__(batch, step)
        if self.stop is not None:
            self._said.append(losses.pop(_STOP))
        if not self._held:
            self.devices.refuse_diverged(TrainingState(self.model), self.where)
            self._held.append(True)
        return losses

    def prepare(self) -> Any:
        """As of any step.

        Raises:
            ModelContractError: Devices cannot meet where the step applies its gradients.
        """
        try:
            return super().prepare()
        except RuntimeError as error:
            if "merge_call" not in str(error):
                raise
            raise ModelContractError(
                "train_step applies gradients within a tf.function, tf.cond or tf.while_loop of its"
                " own, where several devices cannot wait for each other",
                where=self.where,
                hint="apply them in train_step itself (under a condition: with"
                " replicas.where(condition)), or set strategy to 'one' in environment.json",
            ) from error

    def agreed(self, wanted: bool) -> bool:
        """Whether any worker has wanted to end two steps ago: the same answer in all of them.

        The answer of the last step would have to be waited for, and the device with it.
        """
        if self.stop is None:
            return wanted
        self.stop.assign(float(wanted))
        return bool(len(self._said) > 1 and float(self._said.pop(0)) > 0.0)


def step_on(
    devices: Devices, model: GANModel, form: Mapping[str, Any], *, jit_compile: bool = False
) -> Step:
    """The step of a model on its devices, for batches of one form; see :func:`compiled_step`."""
    plain = compiled_step(model, form, jit_compile=jit_compile)
    if devices.replicas == 1:
        return plain
    stop = tf.Variable(0.0, trainable=False) if devices.workers > 1 else None
    function = tf.function(_on_each(devices, _as_written(model), stop), autograph=False)
    return ReplicatedStep(
        function, plain.extras, form, plain.where, model=model, devices=devices, stop=stop
    )


def _as_written(model: GANModel) -> Callable[..., Any]:
    """What a model's ``train_step`` wraps, translated by AutoGraph where it asked for that."""
    function = unwrapped(model)
    if not model.train_step._autograph:
        return function
    autograph = tf.__internal__.autograph
    converted: Callable[..., Any] = autograph.tf_convert(function, autograph.control_status_ctx())
    return converted


def _on_each(devices: Devices, function: Callable[..., Any], stop: Any) -> Callable[..., Any]:
    count = devices.replicas

    def replica(image: tf.Tensor, target: tf.Tensor, step: tf.Tensor, further: Any) -> Any:
        # On the host: to a device goes its part alone.
        with tf.device("CPU:0"):
            size = (image.shape[0] or tf.shape(image)[0]) // count
            image, target, further = tf.nest.map_structure(
                lambda whole: replicas.own_part(whole, size), (image, target, further)
            )
        losses = function(image, target, step, **further)
        losses = dict(losses) if isinstance(losses, Mapping) else {}
        return _means(losses | ({} if stop is None else {_STOP: stop}))

    def whole(input_image: tf.Tensor, target: tf.Tensor, step: tf.Tensor, **further: Any) -> Any:
        with replicas.as_one():
            each = devices.strategy.run(replica, args=(input_image, target, step, further))
        return {name: devices.first(value) for name, value in each.items()}

    return whole


def _means(losses: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Each scalar's mean over all devices, by one exchange for all of them."""
    if not losses:
        return {}
    values = [tf.cast(tf.reshape(value, []), tf.float32) for value in losses.values()]
    means = replicas.mean_of_all(tf.stack(values))
    return dict(zip(losses, tf.unstack(means), strict=True))
