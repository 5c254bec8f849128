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
    import numpy.typing as npt

    from sensor2sensor.config.environment import Environment

    Words = npt.NDArray[np.int32]

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
    _broken: list[bool] = field(default_factory=list, compare=False)

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
    def guarded(
        self, where: str, then: str = "then start all of them with --resume"
    ) -> Iterator[None]:
        """Within it the loss of a worker is told in one line.

        Args:
            where: The experiment.
            then: What to do after a look at what went wrong.

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
                hint=f"see what the first that ended says, {then}",
            ) from error

    @contextmanager
    def parting(self) -> Iterator[None]:
        """What the chief does when training is done; the others help and wait until it is."""
        try:
            yield
        finally:
            # TensorFlow takes a worker that leaves for a dead one. Where an exchange was broken
            # off, another would wait for ever: there it may.
            if not self._broken:
                with suppress(*LOST):
                    self.gathered(b"")

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """Exchanges that belong together; a signal may end them in between, and then all is."""
        try:
            yield
        except BaseException:
            self._broken.append(True)
            raise

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
        return wanted if self.workers == 1 else bool(self._table(np.array([wanted])).any())

    def gathered(self, message: bytes) -> list[bytes]:
        """What every worker says, in their order; all of them have to ask."""
        if self.workers == 1:
            return [message]
        with self.unbroken():
            sizes = self._table(np.array([len(message)]))[:, 0]
            room = int(sizes.max())
            table = self._table(_words(message.ljust(room, b"\0"))) if room else sizes
        return [row.tobytes()[:size] for row, size in zip(table, sizes, strict=True)]

    def of_chief(self, values: list[Any]) -> list[Any]:
        """The chief's arrays instead of this worker's, bit for bit; all of them have to ask."""
        if self.workers == 1:
            return values
        words = _words(b"".join(value.tobytes() for value in values))
        found = self._exchanged(words, self.replicas).tobytes()
        ends = np.cumsum([value.nbytes for value in values])
        return [
            np.frombuffer(found[end - value.nbytes : end], value.dtype).reshape(value.shape)
            for end, value in zip(ends, values, strict=True)
        ]

    def _table(self, row: Words) -> Words:
        """Numbers of every worker, a row for each; all of them have to bring as many."""
        table = np.zeros((self.workers, len(row)), np.int32)
        table[self.worker] = row
        return self._exchanged(table, self.here)

    def _exchanged(self, words: Words, every: int) -> Words:
        # Integers: a sum of floats with 0 loses a sign, and TensorFlow sums no unsigned numbers.
        key = every, words.shape
        if key not in self._functions:
            # Once: to trace it anew would be an exchange of another number. Concrete, as TensorFlow
            # warns of what is traced for many shapes.
            spec = tf.TensorSpec(words.shape, tf.int32)
            self._functions[key] = _sum_over(self.strategy, every).get_concrete_function(spec)
        return np.asarray(self._functions[key](tf.constant(words)))

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
        own = np.array([found[0] for found in sums], np.uint32)
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


def _words(message: bytes) -> Words:
    return np.frombuffer(message + bytes(-len(message) % 4), np.int32)


def _sum_over(strategy: Any, every: int) -> Any:
    """A function that sums the arrays of one in so many devices; of all in all, the first's."""

    def replica(words: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        first = tf.equal(context.replica_id_in_sync_group % every, 0)
        # Made here, for an exchange asks where a value lies.
        own = tf.where(first, words, tf.zeros_like(words))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def whole(words: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(replica, args=(words,)))[0]

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
