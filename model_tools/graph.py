"""The layers of a built network in the order they run, nested networks opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

Shape = tuple[int | None, ...]
# Of a tensor in a network's own config: the operation that made it, which call, which output.
Origin = tuple[str, int, int]


@dataclass(frozen=True)
class Call:
    """One layer applied once.

    Attributes:
        layer: The Keras operation.
        inputs: Numbers of the tensors it takes.
        outputs: Numbers of the tensors it makes.
        input_shapes: Their shapes, ``(None, H, W, C)``.
        output_shapes: Their shapes.
        block: Label and number of the block it was made in (``parts.tags.block``), or None.
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


def read_graph(network: keras.Model, sides: tuple[int, int] | None = None) -> Graph:
    """The calls of a functional or sequential network.

    Args:
        network: Built.
        sides: Rows and columns of an input that leaves them open.

    Raises:
        TypeError: The network is neither, so its layers cannot be known without running it.
    """
    if not _is_graph(network):
        raise TypeError(f"{type(network).__name__} is no functional network")
    reader = _Reader()
    inputs = tuple(reader.new(_closed(tensor.shape, sides)) for tensor in network.inputs)
    outputs = reader.read(network, inputs, None)
    return Graph(tuple(reader.calls), inputs, outputs, reader.shapes)


def _closed(shape: Sequence[int | None], sides: tuple[int, int] | None) -> Shape:
    """A shape ``(None, H, W, C)`` whose open sides are ``sides``."""
    if sides is None or len(shape) != 4:
        return tuple(shape)
    count, *own, channels = shape
    return (count, *(one or given for one, given in zip(own, sides, strict=True)), channels)


def _is_graph(layer: Any) -> bool:
    return isinstance(layer, keras.Sequential) or (
        isinstance(layer, keras.Model) and hasattr(layer, "operations")
    )


class _Reader:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.shapes: dict[int, Shape] = {}

    def new(self, shape: Sequence[int | None]) -> int:
        number = len(self.shapes)
        self.shapes[number] = tuple(shape)
        return number

    def read(
        self, network: Any, inputs: tuple[int, ...], block: tuple[str, int] | None
    ) -> tuple[int, ...]:
        """The outputs' numbers of a network applied to the tensors ``inputs``."""
        if isinstance(network, keras.Sequential):
            for layer in network.layers:
                inputs = self._call(layer, inputs, block)
            return inputs
        config = network.get_config()
        operations = {operation.name: operation for operation in network.operations}
        known = dict(zip(_origins(config["input_layers"]), inputs, strict=True))
        # The config lists operations from inputs to outputs; one called twice may come too early.
        waiting = [
            (entry["name"], index, list(_taken(node)))
            for entry in config["layers"]
            for index, node in enumerate(entry["inbound_nodes"])
        ]
        while waiting:
            ready = next(one for one in waiting if all(origin in known for origin in one[2]))
            waiting.remove(ready)
            name, index, taken = ready
            made = self._call(operations[name], tuple(known[one] for one in taken), block)
            known |= {(name, index, place): number for place, number in enumerate(made)}
        return tuple(known[origin] for origin in _origins(config["output_layers"]))

    def _call(
        self, layer: Any, inputs: tuple[int, ...], block: tuple[str, int] | None
    ) -> tuple[int, ...]:
        # The outermost block counts: what it is built of is no box of its own.
        block = block or getattr(layer, "recipe_block", None)
        if _is_graph(layer):
            return self.read(layer, inputs, block)
        taken = tuple(self.shapes[number] for number in inputs)
        # Shapes are asked for again: a layer called twice has no one output shape.
        specs = [keras.KerasTensor(shape) for shape in taken]
        joins = isinstance(layer, keras.layers.Layer) and len(specs) > 1
        # Layers that join take one list, plain operations their tensors one by one.
        spec = layer.compute_output_spec(specs) if joins else layer.compute_output_spec(*specs)
        outputs = tuple(self.new(tensor.shape) for tensor in keras.tree.flatten(spec))
        made = tuple(self.shapes[number] for number in outputs)
        self.calls.append(Call(layer, inputs, outputs, taken, made, block))
        return outputs


def _origins(entry: Any) -> Iterator[Origin]:
    """The tensors of ``input_layers`` or ``output_layers``: one alone stands without a list."""
    for one in [entry] if isinstance(entry[0], str) else entry:
        yield tuple(one)


def _taken(node: Any) -> Iterator[Origin]:
    """The tensors among the arguments of a call, in order."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield tuple(node["config"]["keras_history"])
    elif isinstance(node, dict | list | tuple):
        for part in node.values() if isinstance(node, dict) else node:
            yield from _taken(part)
