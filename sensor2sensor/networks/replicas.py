"""What a training step does on several devices so that it learns what one device would learn.

A step runs once on each device, a *replica*, with its own part of the batch. A loss is a mean over
that part; the mean of those means is the loss of the batch, since the parts are of one size, and so
with the gradients. Within :func:`as_one` whatever optimizer a step calls gets the mean over the
replicas, batch normalisation takes the moments of the whole batch, and what layers draw differs
from replica to replica. On one device nothing here changes a computation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

_CONDITION: ContextVar[Any] = ContextVar("condition", default=None)
# Of Knuth's multiplicative hashing: neighbouring numbers lie far apart, and 0 stays 0.
_SPREAD = 40503


def count() -> int:
    """Replicas that make the present step together; 1 outside a step on several devices."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def own_part(whole: tf.Tensor, size: Any, axis: int = 0) -> tf.Tensor:
    """Of something with a row for each image of the whole batch the ``size`` rows of this replica.

    What is drawn for an image by its place in the batch is the same on one device and on many.
    """
    if count() == 1:
        return whole
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * size
    begin, sizes = [0] * whole.shape.rank, [-1] * whole.shape.rank
    begin[axis], sizes[axis] = first, size
    return tf.slice(whole, begin, sizes)  # not by indices, which would forget a size that is known


def mean_of_all(value: tf.Tensor) -> tf.Tensor:
    """The mean over all replicas of a mean over the images of each; gradients go through it."""
    if count() == 1:
        return value
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)


@contextmanager
def where(condition: tf.Tensor) -> Iterator[None]:
    """Within it optimizers update on several devices only where ``condition`` holds.

    ``tf.cond`` around an update would wait in each replica for the others, which TensorFlow
    refuses; the condition has to be the same in all of them.
    """
    token = _CONDITION.set(condition)
    try:
        yield
    finally:
        _CONDITION.reset(token)


@contextmanager
def as_one() -> Iterator[None]:
    """While a step is traced for several replicas: they learn as one; see the module's text."""
    optimizer, norm = keras.optimizers.Optimizer, keras.layers.BatchNormalization
    with ExitStack() as stack:
        for owner, name, made in (
            (optimizer, "apply", _applying_the_mean),
            # Keras' sum over the replicas comes after the clipping, and is no mean.
            (optimizer, "_all_reduce_sum_gradients", _reduced_before),
            # Keras' losses are divided by the number of replicas, since it sums their gradients.
            (keras.src.losses.loss, "scale_loss_for_distribution", lambda _: lambda value: value),
            (norm, "call", _synchronised),
            (keras.random.SeedGenerator, "next", _of_this_replica),
        ):
            stack.enter_context(_replaced(owner, name, made))
        yield


@contextmanager
def _replaced(owner: Any, name: str, made: Callable[[Any], Any]) -> Iterator[None]:
    own, original = name in vars(owner), getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(made(original)))
    try:
        yield
    finally:
        setattr(owner, name, original) if own else delattr(owner, name)


def _applying_the_mean(original: Any) -> Any:
    def apply(self: Any, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        if count() == 1:
            original(self, grads, trainable_variables)
            return
        variables = trainable_variables if trainable_variables is None else [*trainable_variables]
        mean = _mean(grads)
        condition = _CONDITION.get()
        if condition is None:
            original(self, mean, variables)
            return

        # In no replica: an update in a branch within one could not wait for the others.
        def together(strategy: Any, condition: Any, mean: Any) -> None:
            first = strategy.experimental_local_results(condition)[0]
            each = strategy.extended.call_for_each_replica

            def update() -> bool:
                each(lambda values: original(self, values, variables), args=(mean,))
                return True

            tf.cond(first, update, lambda: False)

        context = tf.distribute.get_replica_context()
        context.merge_call(together, args=(condition, mean))

    return apply


def _mean(gradients: Sequence[Any]) -> list[Any]:
    there = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
    context = tf.distribute.get_replica_context()
    reduced = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, there))
    return [None if gradient is None else next(reduced) for gradient in gradients]


def _reduced_before(original: Any) -> Any:
    return lambda self, grads_and_vars: grads_and_vars


def _synchronised(original: Any) -> Any:
    def call(self: Any, *args: Any, **options: Any) -> Any:
        before, self.synchronized = self.synchronized, count() > 1
        try:
            return original(self, *args, **options)
        finally:
            self.synchronized = before

    return call


def _of_this_replica(original: Any) -> Any:
    def draw(self: Any, *args: Any, **options: Any) -> Any:
        seed = original(self, *args, **options)
        if count() == 1:
            return seed
        # Replica 0 draws as the only device of a run would.
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.bitwise.bitwise_xor(seed, tf.cast(number * _SPREAD, seed.dtype))

    return draw
