"""A seed of its own for every layer, and the initialisers that take one.

Inside ``with seeded(seed, "generator"):`` every layer gets a seed derived from the experiment's
seed and the layer's number, so two runs start from equal weights and draw equal dropout masks.
Outside it, layers draw from Keras' global generator, as those of a plain Keras model do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import tensorflow as tf

from sensor2sensor.core.seeds import Purpose, derive


class _Seeds:
    """Hands out one seed per layer, numbered in the order in which layers are made."""

    def __init__(self, seed: int, part: str) -> None:
        self.seed = seed
        self.part = part
        self.count = 0

    def draw(self, purpose: Purpose) -> int:
        self.count += 1
        # Keras keeps a seed in 32 bits.
        return derive(self.seed, purpose, self.part, self.count) % (1 << 31)


_SEEDS: ContextVar[_Seeds | None] = ContextVar("layer_seeds", default=None)


@contextmanager
def seeded(seed: int, part: str) -> Iterator[None]:
    """Within it, layers get reproducible seeds of their own.

    Args:
        seed: The experiment's seed.
        part: Name of the network; two networks of one model never share a stream.
    """
    token = _SEEDS.set(_Seeds(seed, part))
    try:
        yield
    finally:
        _SEEDS.reset(token)


def layer_seed(purpose: Purpose) -> int | None:
    """The next layer's seed inside :func:`seeded`, None (Keras' own) outside it."""
    seeds = _SEEDS.get()
    return None if seeds is None else seeds.draw(purpose)


def normal(stddev: float = 0.02) -> tf.keras.initializers.Initializer:
    """A fresh N(0, stddev) initialiser (Isola et al. 2017 take 0.02).

    A new instance for every layer: Keras 3 draws the same tensor again from a used one.
    """
    return tf.keras.initializers.RandomNormal(0.0, stddev, seed=layer_seed(Purpose.INIT))


def he_normal(scale: float = 1.0) -> tf.keras.initializers.Initializer:
    """A fresh He et al. 2015 initialiser, its variance multiplied by ``scale`` squared."""
    # Keras divides by what truncation takes off the deviation: the variance is He's.
    return tf.keras.initializers.VarianceScaling(
        2.0 * scale**2, "fan_in", "truncated_normal", seed=layer_seed(Purpose.INIT)
    )


def he_uniform() -> tf.keras.initializers.Initializer:
    """A fresh He et al. 2015 initialiser, uniform."""
    return tf.keras.initializers.HeUniform(seed=layer_seed(Purpose.INIT))


def he_normal_up(stride: int) -> tf.keras.initializers.Initializer:
    """As :func:`he_normal`, for a transposed convolution.

    Each of its outputs sees k²/stride² values of every input channel; its kernel is
    ``[k, k, C_out, C_in]``, so that Keras' fan_out is k²·C_in.
    """
    return tf.keras.initializers.VarianceScaling(
        2.0 * stride**2, "fan_out", "truncated_normal", seed=layer_seed(Purpose.INIT)
    )


def glorot() -> tf.keras.initializers.Initializer:
    """A fresh Glorot, Bengio 2010 initialiser (Keras' default)."""
    return tf.keras.initializers.GlorotUniform(seed=layer_seed(Purpose.INIT))
