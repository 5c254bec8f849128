"""The precision in which the layers of a model compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made in this block compute in ``precision``; the former setting is put back.

    A layer keeps the setting it was made under, so a model is built inside the block and trained
    outside.

    Args:
        precision: ``float32``, or ``mixed_bfloat16``: computes in bfloat16, whose 8 bits halve
            the memory of activations; variables, and layers made with ``dtype="float32"``, stay
            in float32. bfloat16 has the exponents of float32, so no loss needs scaling.
    """
    import keras

    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(former)
