"""The devices that a training runs on: one, several of this machine, or several machines.

``strategy`` of ``environment.json`` chooses. On several devices each holds a copy of every variable
and computes on its part of the batch: ``batch_size`` stays that of the whole, its tiles and their
order those of one device (:mod:`sensor2sensor.networks.replicas` says what makes the update the
same). Of several machines one, the chief, restores, looks, logs and saves; the others follow.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError, ModelContractError, TrainingError
from sensor2sensor.training.cluster import cluster_resolver
from sensor2sensor.training.state import TrainingState

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

Say = Callable[[str], None]
KEY = "strategy"
# What a collective operation ends with when another worker does not take part any more.
LOST = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError,
    tf.errors.CancelledError, tf.errors.DeadlineExceededError,
)  # fmt: skip


@dataclass(frozen=True)
class Devices:
    """The devices of a training.

    Attributes:
        kind: ``one``, ``mirrored`` or ``multi_worker``.
        strategy: TensorFlow's; None for one device.
        workers: Processes that train together.
        worker: The number of this one; the chief's is 0.
    """

    kind: str = "one"
    strategy: Any = None
    workers: int = 1
    worker: int = 0
    _functions: dict[Any, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def replicas(self) -> int:
        """Devices in all, of all workers."""
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def here(self) -> int:
        """Devices of this process."""
        return self.replicas // self.workers

    @property
    def chief(self) -> bool:
        """Whether this process restores, looks, logs and saves."""
        return self.worker == 0

    def said(self, say: Say) -> Say:
        """Where lines for the user go: nowhere, of a worker that is not the chief."""
        return say if self.chief else lambda line: None

    @contextmanager
    def guarded(self, where: str) -> Iterator[None]:
        """Within it the loss of a worker is told in one line.

        Raises:
            TrainingError: A worker is gone, or has failed.
        """
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise TrainingError(
                f"worker {self.worker} of {self.workers} has lost the others",
                where=where,
                hint="see what the first that ended says, then start all of them with --resume",
            ) from error

    @contextmanager
    def parting(self) -> Iterator[None]:
        """What the chief does when training is done; the others wait until it is."""
        try:
            yield
        finally:
            # TensorFlow takes a worker that leaves for a dead one.
            with suppress(*LOST):
                self.any_of(False)

    def scope(self) -> AbstractContextManager[Any]:
        """What variables have to be made within."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def facts(self) -> dict[str, Any]:
        """Entries of ``run.json``."""
        return {KEY: self.kind, "replicas": self.replicas, "workers": self.workers}

    def copies(self, variable: Any) -> Sequence[Any]:
        """The copies of a variable that this process holds."""
        return (variable,) if self.strategy is None else self._local(variable)

    def first(self, value: Any) -> Any:
        """That of this process' first device, of a value that each device has."""
        return self._local(value)[0]

    def _local(self, value: Any) -> Sequence[Any]:
        found: Sequence[Any] = self.strategy.experimental_local_results(value)
        return found

    def any_of(self, wanted: bool) -> bool:
        """Whether any worker says so; all of them have to ask."""
        if self.workers == 1:
            return wanted
        (said,) = self._exchanged("any", [np.array(wanted, np.float32)])
        return bool(said > 0.0)

    def of_chief(self, values: list[Any]) -> list[Any]:
        """The chief's arrays instead of this worker's; all of them have to ask."""
        return values if self.workers == 1 else self._exchanged("chief", values)

    def _exchanged(self, what: str, values: list[Any]) -> list[Any]:
        key = what, *((value.dtype.name, value.shape) for value in values)
        if key not in self._functions:
            # Once: to trace it anew would be an exchange of another number.
            self._functions[key] = _sum_over(self.strategy, chief_alone=what == "chief")
        return [found.numpy() for found in self._functions[key](*map(tf.constant, values))]

    def share(self, state: TrainingState, step: int) -> int:
        """Give every worker the chief's state; returns the chief's ``step``."""
        if self.workers == 1:
            return step
        variables = [v for held in state.groups.values() for v in held]
        *values, begun = self.of_chief([*(v.numpy() for v in variables), np.array(step, np.int32)])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return int(begun)

    def refuse_diverged(self, state: TrainingState, where: str) -> None:
        """Refuse a step after which the devices do not hold the same.

        Raises:
            ModelContractError: It moves a variable on each device by that one's tiles alone.
        """
        held = [
            (f"{group}/{name}", variable)  # layers of one kind may have one name
            for group, variables in state.groups.items()
            for name, variable in zip(state.names[group], variables, strict=True)
            # Counts of random draws may be of each device, and so may sums of metrics.
            if variable.dtype.is_floating
            and variable.synchronization != tf.VariableSynchronization.ON_READ
        ]
        sums = [
            [zlib.crc32(copy.numpy().tobytes()) for copy in self.copies(variable)]
            for _, variable in held
        ]
        own = np.array([found[0] for found in sums], np.uint32).view(np.int32)
        elsewhere = self.of_chief([own])[0] != own
        differing = [
            name
            for (name, _), found, other in zip(held, sums, elsewhere, strict=True)
            if other or len(set(found)) > 1
        ]
        if self.any_of(bool(differing)):
            shown = ", ".join(differing[:3]) or "a variable"
            raise ModelContractError(
                f"train_step moves {shown} on each device by that one's tiles alone",
                where=where,
                hint="let a Keras optimizer apply the gradients, or assign what is equal on all"
                f" (replicas.mean_of_all); or set {KEY} to 'one' in environment.json",
            )


ONE = Devices()


def _sum_over(strategy: Any, chief_alone: bool) -> Any:
    """A function that sums arrays over all workers, or takes the chief's."""

    def replica(*values: tf.Tensor) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        first = tf.equal(context.replica_id_in_sync_group, 0)
        # Made here, for an exchange asks where a value lies.
        own = [tf.where(first | (not chief_alone), v, tf.zeros_like(v)) for v in values]
        return [context.all_reduce(tf.distribute.ReduceOp.SUM, value) for value in own]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def whole(*values: tf.Tensor) -> list[tf.Tensor]:
        found = strategy.run(replica, args=values)
        return [strategy.experimental_local_results(value)[0] for value in found]

    return whole


def choose_devices(environment: Environment, config: Any, say: Say) -> Devices:
    """The devices that ``strategy`` asks for; before TensorFlow has computed anything.

    Args:
        environment: Gives ``strategy``.
        config: The experiment's keys: ``batch_size`` is split over the devices.
        say: Takes a line where ``auto`` leaves GPUs unused.

    Raises:
        ConfigError: There are not several, or the batch cannot be split over them.
    """
    asked = environment.settings.strategy
    if asked == "multi_worker":
        return _checked(_multi_worker(), config)
    there = len(_devices()) if asked != "one" else 1
    if asked == "mirrored" and there < 2:
        what = "one GPU" if tf.config.list_physical_devices("GPU") else "no GPU"
        problem = f"'mirrored' is for several devices, and TensorFlow sees {what}"
        raise ConfigError(problem, where=KEY, hint="set it to 'auto' in environment.json")
    if there < 2:
        return ONE
    reason = _unsplittable(there, config)
    if asked == "auto" and reason is not None:
        say(f"{reason[1]}: one of {there} GPUs is used")
        return ONE
    return _checked(_mirrored(), config)


def _devices() -> list[str]:
    """Names of the GPUs; without any of the CPUs, of which there is one unless a test made more."""
    if gpus := tf.config.list_physical_devices("GPU"):
        return [f"GPU:{number}" for number in range(len(gpus))]
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = tf.config.get_logical_device_configuration(cpu)
    return [f"CPU:{number}" for number in range(len(parts or [cpu]))]


@cache
def _mirrored() -> Devices:
    """One for all trainings of a process: two would number their exchanges alike."""
    return Devices("mirrored", tf.distribute.MirroredStrategy(_devices()))


@cache
def _multi_worker() -> Devices:
    resolver = cluster_resolver()
    strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    workers = len(resolver.cluster_spec().as_dict()["worker"])
    return Devices("multi_worker", strategy, workers, int(resolver.task_id))


def _unsplittable(count: int, config: Any) -> tuple[str, str] | None:
    """The key that does not go with ``count`` devices, and why."""
    if config.batch_size % count:
        return (
            "batch_size",
            f"{config.batch_size} tiles cannot be split evenly over {count} devices",
        )
    if config.jit_compile:
        return "jit_compile", "XLA does not compile a step on several devices here"
    return None


def _checked(devices: Devices, config: Any) -> Devices:
    reason = _unsplittable(devices.replicas, config)
    if reason is not None:
        key, why = reason
        fit = f"take a multiple of {devices.replicas}" if key == "batch_size" else "set it to false"
        hint = f"{fit}, or set {KEY} to 'one' in environment.json"
        raise ConfigError(why, where=key, hint=hint)
    return devices
