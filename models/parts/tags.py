"""Marks every layer with the block it was made in, so that a picture shows blocks."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import keras

Make = TypeVar("Make", bound=Callable[..., Any])
_NUMBER = itertools.count()


def block(label: str) -> Callable[[Make], Make]:
    """Decorator of ``function(input_tensor, ...) -> output_tensor``: its layers form a block.

    Every Keras operation between input and output gets the attribute ``recipe_block``:
    ``(label, number)``, one number per call. A block inside a block belongs to the outer one.

    Args:
        label: What the block is called in pictures.
    """

    def decorate(function: Make) -> Make:
        @functools.wraps(function)
        def made(input_tensor: Any, *args: Any, **options: Any) -> Any:
            output = function(input_tensor, *args, **options)
            mark(output, input_tensor, label)
            return output

        return made  # type: ignore[return-value]

    return decorate


def mark(output: Any, until: Any, label: str) -> None:
    """Mark every operation on the way from ``until`` to ``output``; nothing outside a graph."""
    if not (isinstance(output, keras.KerasTensor) and isinstance(until, keras.KerasTensor)):
        return
    try:
        between = keras.Function([until], [output]).operations
    except ValueError:  # it looks at further tensors, so that it has no edge to be drawn along
        return
    number = next(_NUMBER)
    for operation in between:
        if operation.output is not until:  # what made `until` lies before the block
            operation.recipe_block = (label, number)
