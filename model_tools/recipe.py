"""The recipe of a network: its graph drawn together to boxes, for a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import keras

from model_tools.graph import Call, Graph, Shape

FEWEST_PARTS = 2  # a recipe of fewer boxes says too little: its blocks are opened
_ACTIVATIONS = (
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.Softmax,
)
# What belongs to the layer before it and gets no box of its own.
_FOLLOWERS = (
    *_ACTIVATIONS,
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.Rescaling,
)
_JOINS = {keras.layers.Concatenate: "C", keras.layers.Add: "+", keras.layers.Multiply: "×"}
_POOLS = {
    keras.layers.AveragePooling2D: "mean",
    keras.layers.MaxPooling2D: "maximum",
    keras.layers.GlobalAveragePooling2D: "global mean",
}
_SPOKEN = {
    "relu": "ReLU",
    "LeakyReLU": "leaky ReLU",
    "Softmax": "softmax",
    "BatchNormalization": "batch norm",
}


@dataclass(frozen=True)
class Node:
    """One box of the picture.

    Attributes:
        kind: ``input``, ``output``, ``conv``, ``down``, ``up``, ``pool``, ``join``, ``other`` or
            ``block``.
        label: Its name, or the sign of a join.
        shape: Of its output, ``(rows, columns, channels)``.
        details: Lines that say what a block is made of.
        repeats: How many equal blocks follow one another.
        activation: Name of the activation at its end, or nothing.
    """

    kind: str
    label: str
    shape: tuple[int, ...]
    details: tuple[str, ...] = ()
    repeats: int = 1
    activation: str = ""


@dataclass(frozen=True)
class Recipe:
    """Boxes in an order in which every arrow points forward.

    Attributes:
        nodes: The boxes.
        edges: Arrows as pairs of positions in ``nodes``, sorted.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


def read_recipe(graph: Graph) -> Recipe:
    """Draw the calls of a graph together to boxes.

    What was made in a block (``parts.tags.block``) is one box; elsewhere a layer takes its
    normalisation and activation with it. Where nothing but one block is left, it is opened.
    """
    recipe = _contracted(graph, opened=False)
    parts = [node for node in recipe.nodes if node.kind not in ("input", "output", "join")]
    return _contracted(graph, opened=True) if len(parts) < FEWEST_PARTS else recipe


def _contracted(graph: Graph, *, opened: bool) -> Recipe:
    maker: dict[int, Hashable] = {number: ("input", number) for number in graph.inputs}
    groups: dict[Hashable, list[Call]] = {key: [] for key in maker.values()}
    for call in graph.calls:
        key: Hashable = call.outputs
        before = maker[call.inputs[0]]
        if call.block is not None and not opened:
            key = call.block
        elif isinstance(call.layer, _FOLLOWERS) and groups[before]:
            key = before
        groups.setdefault(key, []).append(call)
        maker |= dict.fromkeys(call.outputs, key)
    taken = [(n, key) for key, calls in groups.items() for call in calls for n in call.inputs]
    taken += [(number, ("output", number)) for number in graph.outputs]
    crossing = sorted(
        ((n, maker[n], key) for n, key in taken if maker[n] != key), key=lambda one: one[0]
    )
    # Tensors are numbered as they are made: the largest number is what a box hands on last.
    handed = {key: graph.shapes[number] for number, key, _ in crossing}
    nodes = {key: _node(key, calls, handed[key]) for key, calls in groups.items()}
    for number in graph.outputs:
        nodes["output", number] = Node("output", "output", _size(graph.shapes[number]))
    return _merged(*_ordered(nodes, {(a, b) for _, a, b in crossing}))


def _ordered(
    nodes: dict[Any, Node], edges: set[tuple[Any, Any]]
) -> tuple[list[Node], list[tuple[int, int]]]:
    """Boxes and arrows by position: as far from the input as the longest way to them."""
    depth = dict.fromkeys(nodes, 0)
    for _ in nodes:  # as often as the longest way could need
        for a, b in edges:
            depth[b] = max(depth[b], depth[a] + 1)
    # Of two boxes as far the one goes first whose arrow is longer: a base beside the network
    # then stands next to the input it is made of.
    taker = {key: max([depth[b] for a, b in edges if a == key], default=0) for key in nodes}
    order = sorted(nodes, key=lambda key: (depth[key], -taker[key]))
    place = {key: position for position, key in enumerate(order)}
    return [nodes[key] for key in order], [(place[a], place[b]) for a, b in edges]


def _size(shape: Shape) -> tuple[int, ...]:
    return tuple(size or 0 for size in shape[1:])


def _node(key: Any, calls: list[Call], shape: Shape) -> Node:
    if not calls:
        return Node("input", "input", _size(shape))
    if isinstance(key[0], str):  # the label of a block
        return Node("block", key[0], _size(shape), _details(calls))
    kind, label = _named(calls[0].layer)
    return Node(kind, label, _size(shape), activation=_activation(calls))


def _named(layer: Any) -> tuple[str, str]:
    """Kind and label of a layer."""
    for kind, names in (("join", _JOINS), ("pool", _POOLS)):
        if type(layer) in names:
            return kind, names[type(layer)]
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
        name = type(layer).__name__
        return "other", _SPOKEN.get(name, name)
    kernel, strided = "×".join(map(str, layer.kernel_size)), max(layer.strides) > 1
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return ("up", f"up-conv {kernel}") if strided else ("conv", f"transposed {kernel}")
    rate = max(layer.dilation_rate)
    more = (f", rate {rate}" if rate > 1 else "") + ("" if layer.trainable else ", frozen")
    return "down" if strided else "conv", f"conv {kernel}{more}"


def _activation(calls: list[Call]) -> str:
    """The last activation of a group's layers, or nothing."""
    found = ""
    for layer in [call.layer for call in calls]:
        name = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if isinstance(layer, _ACTIVATIONS):
            name = type(layer).__name__
        found = found if name == "linear" else _SPOKEN.get(name, name)
    return found


def _details(calls: list[Call]) -> tuple[str, ...]:
    """What a block is made of: its convolutions and means, equal ones in one line."""
    named = [_named(call.layer) for call in calls]
    parts = Counter(
        f"strided {label}" if kind == "down" else label
        for kind, label in named
        if kind in ("conv", "down", "up", "pool")
    )
    return tuple(part if count == 1 else f"{count} × {part}" for part, count in parts.items())


def _merged(nodes: list[Node], edges: list[tuple[int, int]]) -> Recipe:
    """Make one box of equal blocks that follow one another in a chain."""
    # From the end, so that the places of boxes still to come do not move.
    for index in range(len(nodes) - 1, 0, -1):
        into = [a for a, b in edges if b == index]
        if len(into) != 1 or [b for a, b in edges if a == into[0]] != [index]:
            continue
        before = nodes[into[0]]
        if before.kind != "block" or replace(nodes[index], repeats=before.repeats) != before:
            continue
        nodes[into[0]] = replace(before, repeats=before.repeats + nodes[index].repeats)
        del nodes[index]
        moved = [(into[0] if a == index else a, b) for a, b in edges if b != index]
        edges = [(a - (a > index), b - (b > index)) for a, b in moved]
    return Recipe(tuple(nodes), tuple(sorted(edges)))
