"""In which mode batch normalisation and dropout of a network run, and running them in another one.

Training mode (the moments of the batch) or inference mode (the moving averages): the ``training``
that a network is called with decides, unless the module says otherwise within. Whatever is found
out or computed here leaves the network as it was.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from sensor2sensor.core.seeds import Purpose, derive
from sensor2sensor.networks.layers import held_layers

Kind = Literal["train", "image", "batch"]  # whose moments batch normalisation takes
Generator = Callable[..., Any]
_DROPOUTS = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)


def batchnorms(generator: Any) -> list[Any]:
    """Every built ``BatchNormalization`` of a network, at any depth, in the order it holds them."""
    found = held_layers(generator)
    return [x for x in found if isinstance(x, keras.layers.BatchNormalization) and x.built]


def dropouts(generator: Any) -> list[Any]:
    """Every layer of dropout of a network that drops anything, in the order it holds them."""
    found = held_layers(generator)
    return [x for x in found if isinstance(x, _DROPOUTS) and x.rate > 0]


def by_moments(layers: list[Any], generator: Any, images: Any) -> list[Any]:
    """Those layers of batch normalisation that training normalises by the moments of the batch.

    One call with ``training=True`` tells them: they update their moving averages. Left out are
    frozen layers and those that run at inference nevertheless, as in a backbone that is called with
    ``training=False``. A layer that this call does not reach (random depth) is not left out. No
    variable is changed.

    Args:
        layers: Of the generator.
        generator: A built network.
        images: ``[B, H, W, Ci]``.
    """
    layers = [layer for layer in layers if layer.trainable]
    called: set[int] = set()
    scope = keras.StatelessScope()  # averages, seeds, kernels: holds them back
    with _calls(layers, lambda layer: _noted(layer, called)), kept(untrained(generator)), scope:
        run_eagerly(generator, images, training=True)
    updated = {id(x) for x in layers if scope.get_current_value(x.moving_mean) is not None}
    return [layer for layer in layers if id(layer) in updated or id(layer) not in called]


def _noted(layer: Any, called: set[int]) -> Callable[..., Any]:
    original = layer.call

    def call(*args: Any, **options: Any) -> Any:
        called.add(id(layer))
        return original(*args, **options)

    return call


def in_training(layers: list[Any], generator: Any, images: Any) -> list[Any]:
    """Those layers that run in training mode where the generator does.

    Left out are those within a part that is called with ``training=False`` whatever its caller
    says. No variable is changed.

    Args:
        layers: Of the generator; each takes ``training``.
        generator: A built network.
        images: ``[B, H, W, Ci]``.
    """
    found: set[int] = set()

    def noted(layer: Any) -> Callable[..., Any]:
        original, signature = layer.call, inspect.signature(layer.call)

        def call(*args: Any, **options: Any) -> Any:
            if signature.bind(*args, **options).arguments.get("training"):
                found.add(id(layer))
            return original(*args, **options)

        return call

    with _calls(layers, noted), kept(untrained(generator)), keras.StatelessScope():
        run_eagerly(generator, images, training=True)
    return [layer for layer in layers if id(layer) in found]


@contextmanager
def _calls(layers: list[Any], made: Callable[[Any], Callable[..., Any]]) -> Iterator[None]:
    """Each layer with the ``call`` that is made for it."""
    try:
        for layer in layers:
            layer.call = made(layer)
        yield
    finally:
        for layer in layers:
            # Gone from the instance, so that the class's own method shows again.
            vars(layer).pop("call", None)


def untrained(generator: Any) -> list[Any]:
    """The variables that a call of a network may change: moving averages, seeds, vectors."""
    return list(generator.non_trainable_variables)


@contextmanager
def kept(variables: Iterable[Any]) -> Iterator[None]:
    """Afterwards these variables are as they were."""
    before = [(variable, np.array(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


@contextmanager
def by_batch(layers: list[Any]) -> Iterator[list[Any]]:
    """These layers in training mode whatever their caller says, and nothing else so.

    The moving averages are overwritten: use it within :func:`kept`.

    Yields:
        A list that grows by ``(layer, number of values, batch mean, batch variance)`` at each call.
    """
    momenta = [layer.momentum for layer in layers]
    seen: list[Any] = []
    try:
        for layer in layers:
            layer.momentum = 0.0  # the moving averages become the moments of the batch
        with _calls(layers, lambda layer: _in_training_mode(layer, seen)):
            yield seen
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


@contextmanager
def by_name(layers: list[Any], drawn: Sequence[int], names: Sequence[str]) -> Iterator[None]:
    """These layers of dropout in training mode; the mask of an image is a function of its name.

    It is the one that the image has alone, whatever batch it is in. The states of the layers' seeds
    are overwritten: use it within :func:`kept`.

    Args:
        layers: Of dropout; each has a seed of its own.
        drawn: The seed, and what tells this draw from others.
        names: One for each image of the batch.
    """
    seed, *rest = drawn if layers else (0,)
    begun: dict[int, list[Any]] = {}
    for number, layer in enumerate(layers):
        keys: tuple[int | str, ...] = ("inference", number, *rest)
        seeds = (derive(seed, Purpose.DROPOUT, *keys, name) for name in names)
        begun[id(layer)] = [[first % (1 << 31), 0] for first in seeds]  # as Keras begins one
    with _calls(layers, lambda layer: _dropping(layer, begun[id(layer)])):
        yield


def _dropping(layer: Any, states: list[Any]) -> Callable[..., Any]:
    """The ``call`` of a layer that drops image by image, each by a state of its own."""
    original, signature = layer.call, inspect.signature(layer.call)
    state = layer.seed_generator.state

    def call(*args: Any, **options: Any) -> Any:
        bound = signature.bind(*args, **options)
        bound.arguments["training"] = True
        images, *further = bound.args
        # What has one row for a whole batch (an embedding) is dropped for each image anew.
        alone = len(images) == 1
        parts = [images] * len(states) if alone else tf.split(images, len(states))
        made = []
        for number, part in enumerate(parts):
            state.assign(states[number])
            made.append(original(part, *further, **bound.kwargs))
            states[number] = np.array(state)  # a layer may be called again
        return made[0] if len(made) == 1 else tf.concat(made, axis=0)

    return call


def _in_training_mode(layer: Any, seen: list[Any]) -> Callable[..., Any]:
    original = layer.call
    signature = inspect.signature(original)

    def call(*args: Any, **options: Any) -> Any:
        bound = signature.bind(*args, **options)
        bound.arguments["training"] = True
        outputs = original(*bound.args, **bound.kwargs)
        mean, variance = (
            tf.cast(tf.convert_to_tensor(v), tf.float64)
            for v in (layer.moving_mean, layer.moving_variance)
        )
        mask = bound.arguments.get("mask")
        share = 1.0 if mask is None else tf.reduce_mean(tf.cast(mask, tf.float64))
        # Values of one channel, without those that a mask leaves out.
        count = tf.size(outputs, tf.int64) / mean.shape[0] * share
        seen.append((layer, count, mean, variance))
        return outputs

    return call


def run_eagerly(generator: Any, images: Any, *, training: bool) -> Any:
    """Call a network without its compiled parts: they were traced in another mode, or would be."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        return generator(images, training=training)
    finally:
        tf.config.run_functions_eagerly(before)
