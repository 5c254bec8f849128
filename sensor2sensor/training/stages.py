"""What is done to a batch of physical values between the reader and ``train_step``.

A stage takes a batch and the number of its step and returns a new batch; it never changes the one
it is given. Stages run on the device, all in one ``tf.function``, and normalisation comes last, so
that a stage sees reflectances whatever the experiment trains on. What a stage draws is a pure
function of the experiment's seed and the step: a resumed run prepares what an uninterrupted one
does, bit for bit. An experiment without such a key has no chain, and its batches are the reader's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

Batch = dict[str, Any]
Stage = Callable[[Batch, Any], Batch]


class StageChain:
    """The stages of an experiment, then its normalisation.

    Args:
        stages: In the order they run in.
        normalisation: Applied to ``input`` and ``target`` at the end.
    """

    def __init__(self, stages: list[Stage], normalisation: Any) -> None:
        self._stages, self._normalisation = list(stages), normalisation
        # Without AutoGraph: no stage branches on a tensor in Python, and to translate all that they
        # call takes longer than to trace it.
        self._run = tf.function(self._prepared, autograph=False)
        # A graph leaves out what nothing asks it for, such as the registration of targets.
        self._run_inputs = tf.function(
            lambda *given: self._prepared(*given)["input"], autograph=False
        )

    def __call__(self, batch: Mapping[str, Any], step: Any) -> Batch:
        """A prepared batch from one of physical values; ``step`` is an int64 tensor."""
        prepared: Batch = self._run(dict(batch), step)
        return prepared

    def spec(self, form: Mapping[str, Any]) -> dict[str, tf.TensorSpec]:
        """The form of a prepared batch, from that of a read one."""
        traced = self._run.get_concrete_function(dict(form), tf.TensorSpec([], tf.int64))
        found: dict[str, tf.Tensor] = traced.structured_outputs
        return {name: tf.TensorSpec(value.shape, value.dtype) for name, value in found.items()}

    def inputs(self, batches: tf.data.Dataset) -> Iterator[Batch]:
        """The inputs alone of finite batches of physical values, as training would see them.

        Each is drawn for the step of its number, so every process sees the same.
        """
        for number, batch in enumerate(batches):
            yield {"input": self._run_inputs(dict(batch), tf.constant(number, tf.int64))}

    def _prepared(self, batch: Batch, step: tf.Tensor) -> Batch:
        for stage in self._stages:
            batch = stage(dict(batch), step)
        maps = {"input": self._normalisation.input, "target": self._normalisation.target}
        return {name: maps[name](x) if name in maps else x for name, x in batch.items()}


class StagedBatches:
    """Endless batches of a reader, each prepared as it is asked for; a data set to the loop.

    Args:
        batches: Of physical values, the first for the step after ``start_step``.
        chain: Prepares them.
        start_step: Steps done before.
    """

    def __init__(self, batches: tf.data.Dataset, chain: StageChain, start_step: int) -> None:
        self._batches, self._chain, self._start = batches, chain, start_step

    @property
    def element_spec(self) -> dict[str, tf.TensorSpec]:
        """The form of a batch."""
        return self._chain.spec(self._batches.element_spec)

    def __iter__(self) -> Iterator[Batch]:
        for done, batch in enumerate(self._batches, start=self._start):
            # As a tensor: a Python number would trace the chain at every step.
            yield self._chain(batch, tf.constant(done, tf.int64))
