"""The layers of a built network in the order they run, nested networks opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Call:
    """One layer applied once.

    Attributes:
        layer: The Keras operation.
        inputs: Numbers of the tensors it takes.
        outputs: Numbers of the tensors it makes.
        input_shapes: Their shapes, ``(None, H, W, C)``.
        output_shapes: Their shapes.
        block: Label and number of the block it was made in (``layers.block``), or None.
    """

    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    block: tuple[str, int] | None = None


@dataclass(frozen=True)
class Graph:
    """A network as calls over numbered tensors.

    Attributes:
        calls: In an order in which every tensor is made before it is taken.
        inputs: Numbers of the network's inputs.
        outputs: Numbers of its outputs.
        shapes: Shape of every tensor.
    """

    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: dict[int, Shape]


def read_graph(network: keras.Model) -> Graph:
    """The calls of a functional or sequential network.

    Raises:
        TypeError: The network is neither, so its layers cannot be known without running it.
    """
    reader = _Reader()
    inner = _functional(network)
    if inner is None:
        raise TypeError(f"{type(network).__name__} is no functional network")
    inputs = tuple(reader.new(tensor.shape) for tensor in inner.inputs)
    outputs = reader.read(inner, inputs, None)
    return Graph(tuple(reader.calls), inputs, outputs, reader.shapes)


def _functional(layer: Any) -> Any | None:
    """The functional graph inside a layer, or None for a layer that has none."""
    if isinstance(layer, keras.Sequential):
        return layer._functional
    return layer if isinstance(layer, keras.src.models.functional.Functional) else None


class _Reader:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.shapes: dict[int, Shape] = {}

    def new(self, shape: Iterable[int | None]) -> int:
        number = len(self.shapes)
        self.shapes[number] = tuple(shape)
        return number

    def read(
        self, network: Any, inputs: tuple[int, ...], block: tuple[str, int] | None
    ) -> tuple[int, ...]:
        known = {id(tensor): number for tensor, number in zip(network.inputs, inputs, strict=True)}
        for depth in sorted(network._nodes_by_depth, reverse=True):
            for node in network._nodes_by_depth[depth]:
                if not node.is_input:
                    self._call(node, known, block)
        return tuple(known[id(tensor)] for tensor in network.outputs)

    def _call(self, node: Any, known: dict[int, int], block: tuple[str, int] | None) -> None:
        layer = node.operation
        block = block or getattr(layer, "recipe_block", None)
        inputs = tuple(known[id(tensor)] for tensor in node.input_tensors)
        inner = _functional(layer)
        if inner is not None:
            outputs = self.read(inner, inputs, block)
        else:
            outputs = tuple(self.new(tensor.shape) for tensor in node.output_tensors)
            taken = tuple(self.shapes[number] for number in inputs)
            made = tuple(self.shapes[number] for number in outputs)
            self.calls.append(Call(layer, inputs, outputs, taken, made, block))
        for tensor, number in zip(node.output_tensors, outputs, strict=True):
            known[id(tensor)] = number
