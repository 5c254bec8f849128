"""The recipe of a network: its graph drawn together to blocks, for a picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from model_tools.graph import Call, Graph, Shape

FEWEST_PARTS = 2  # a recipe of fewer boxes says too little: its blocks are opened
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.Softmax,
)
# What belongs to the layer before it and gets no box of its own.
_FOLLOWERS = (
    *_ACTIVATIONS,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.Rescaling,
)
_JOINS = {
    keras.layers.Concatenate: "C",
    keras.layers.Add: "+",
    keras.layers.Multiply: "×",
    keras.layers.Subtract: "−",
}
_POOLS = (
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
)


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
        layers: Names of the kinds of its layers, in order.
    """

    kind: str
    label: str
    shape: tuple[int, ...]
    details: tuple[str, ...] = ()
    repeats: int = 1
    activation: str = ""
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Boxes in an order in which every arrow points forward.

    Attributes:
        nodes: The boxes.
        edges: Arrows as pairs of positions in ``nodes``, sorted.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass
class _Group:
    """Calls that become one box."""

    key: Any
    calls: list[Call] = field(default_factory=list)


def read_recipe(graph: Graph) -> Recipe:
    """Draw the calls of a graph together to boxes.

    What was made in a block (``layers.block``) is one box; elsewhere a layer takes its
    normalisation and activation with it. Where nothing but one block is left, it is opened.
    """
    recipe = _contracted(graph, opened=False)
    parts = [node for node in recipe.nodes if node.kind not in ("input", "output", "join")]
    return _contracted(graph, opened=True) if len(parts) < FEWEST_PARTS else recipe


def _contracted(graph: Graph, *, opened: bool) -> Recipe:
    groups: list[_Group] = []
    maker: dict[int, int] = {}
    nodes: dict[int, Node] = {}
    for number in graph.inputs:
        nodes[len(groups)] = Node("input", "input", _size(graph.shapes[number]))
        maker[number] = len(groups)
        groups.append(_Group(("input", number)))
    for call in graph.calls:
        index = _group_of(call, groups, maker, opened)
        groups[index].calls.append(call)
        maker.update(dict.fromkeys(call.outputs, index))
    edges = {
        (maker[number], index)
        for index, group in enumerate(groups)
        for call in group.calls
        for number in call.inputs
        if maker[number] != index
    }
    for index, group in enumerate(groups):
        if group.calls:
            nodes[index] = _node(group, _made(index, groups, maker, graph))
    for number in graph.outputs:
        index = len(nodes)
        nodes[index] = Node("output", "output", _size(graph.shapes[number]))
        edges.add((maker[number], index))
    return _merged(_ordered(nodes, edges))


def _group_of(call: Call, groups: list[_Group], maker: dict[int, int], opened: bool) -> int:
    """The group a call belongs to, made if it is a new one."""
    before = maker[call.inputs[0]]
    if call.block is not None and not opened:
        key: Any = call.block
        for index, group in enumerate(groups):
            if group.key == key:
                return index
    elif isinstance(call.layer, _FOLLOWERS) and groups[before].calls:
        return before
    else:
        key = call.outputs
    groups.append(_Group(key))
    return len(groups) - 1


def _made(index: int, groups: list[_Group], maker: dict[int, int], graph: Graph) -> tuple[int, ...]:
    """Size of what a group hands on: its last tensor that another takes or that is an output."""
    taken = {
        number
        for other, group in enumerate(groups)
        for call in group.calls
        for number in call.inputs
        if maker[number] == index and other != index
    }
    taken |= {number for number in graph.outputs if maker[number] == index}
    # Tensors are numbered as they are made: the largest number is the last.
    return _size(graph.shapes[max(taken)])


def _size(shape: Shape) -> tuple[int, ...]:
    return tuple(size or 0 for size in shape[1:])


def _node(group: _Group, shape: tuple[int, ...]) -> Node:
    names = tuple(type(call.layer).__name__ for call in group.calls)
    if isinstance(group.key[0], str):
        return Node("block", group.key[0], shape, _details(group.calls), layers=names)
    kind, label = _named(group.calls[0])
    return Node(kind, label, shape, activation=_activation(group.calls), layers=names)


def _named(call: Call) -> tuple[str, str]:
    """Kind and label of a layer outside blocks."""
    layer = call.layer
    for join, sign in _JOINS.items():
        if isinstance(layer, join):
            return "join", sign
    if isinstance(layer, keras.layers.Conv2DTranspose):
        kind, name = ("up", "up-conv") if max(layer.strides) > 1 else ("conv", "transposed")
        return kind, f"{name} {_kernel(layer)}"
    if isinstance(layer, keras.layers.Conv2D | keras.layers.SeparableConv2D):
        frozen = "" if layer.trainable else ", frozen"
        return ("down" if max(layer.strides) > 1 else "conv"), f"conv {_kernel(layer)}{frozen}"
    if isinstance(layer, _POOLS):
        return "pool", _pool(layer)
    if isinstance(layer, keras.layers.BatchNormalization):
        return "other", "batch norm"
    grows = (call.output_shapes[0][1] or 0) > (call.input_shapes[0][1] or 0)
    return ("up" if grows else "other"), _spoken(type(layer).__name__)


def _side(layer: Any) -> str:
    return "×".join(map(str, layer.kernel_size))


def _kernel(layer: Any) -> str:
    return _side(layer) + _rate(max(getattr(layer, "dilation_rate", (1,))))


def _spoken(name: str) -> str:
    """``PixelShuffler`` as ``pixel shuffler``."""
    parts = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return parts.strip()


def _activation(calls: list[Call]) -> str:
    """The last activation of a group's layers, or nothing."""
    found = ""
    for call in calls:
        function = getattr(getattr(call.layer, "activation", None), "__name__", "linear")
        if isinstance(call.layer, _ACTIVATIONS):
            kind = type(call.layer).__name__
            spoken = {"LeakyReLU": "leaky ReLU", "Softmax": "softmax", "Activation": function}
            found = spoken.get(kind, kind)
        elif function != "linear":
            found = {"relu": "ReLU"}.get(function, function)
    return found


def _details(calls: list[Call]) -> tuple[str, ...]:
    """What a block is made of: its convolutions by kind and kernel, each kind a line."""
    counts: Counter[tuple[str, str, int]] = Counter()
    for call in calls:
        part = _part(call.layer)
        if part is not None:
            counts[part] += 1
    lines = []
    for kind in dict.fromkeys(kind for kind, _, _ in counts):
        made = sorted((kernel, rate, n) for (k, kernel, rate), n in counts.items() if k == kind)
        lines += _line(kind, sorted(made, key=lambda part: (len(part[0]), *part)))
    return tuple(lines)


def _line(kind: str, made: list[tuple[str, int, int]]) -> list[str]:
    """Kernels, rates and numbers of one kind of layer in words."""
    kernels = list(dict.fromkeys(kernel for kernel, _, _ in made))
    rates = [rate for _, rate, _ in made]
    if any(n > 1 for *_, n in made):
        return [f"{n} × {kind} {kernel}{_rate(rate)}" for kernel, rate, n in made]
    if max(rates) > 1 and len(kernels) == 1:
        return [f"{kind} {kernels[0]}", f"rates {', '.join(map(str, rates))}"]
    return [f"{kind} {', '.join(f'{kernel}{_rate(r)}' for kernel, r, _ in made)}".strip()]


def _rate(rate: int) -> str:
    return "" if rate == 1 else f", rate {rate}"


def _part(layer: Any) -> tuple[str, str, int] | None:
    """Kind, kernel and rate of a layer that a block's description names; None for the others."""
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return "up-conv", _side(layer), 1
    if isinstance(layer, keras.layers.Conv2D):
        strided = max(layer.strides) > 1
        return ("strided conv" if strided else "conv"), _side(layer), max(layer.dilation_rate)
    if isinstance(layer, _POOLS):
        wide = "global " if "Global" in type(layer).__name__ else ""
        return f"{wide}{_pool(layer)}", "", 1
    return None


def _pool(layer: Any) -> str:
    return "mean" if "Average" in type(layer).__name__ else "maximum"


def _ordered(nodes: dict[int, Node], edges: set[tuple[int, int]]) -> Recipe:
    """Number the boxes so that every arrow points forward, the earliest made first."""
    left, order = dict(nodes), []
    while left:
        free = [i for i in left if not any(b == i and a in left for a, b in edges)]
        # Inputs aside, an output goes last.
        first = min(free, key=lambda i: (left[i].kind == "output", i))
        order.append(first)
        del left[first]
    place = {index: position for position, index in enumerate(order)}
    arrows = sorted((place[a], place[b]) for a, b in edges)
    return Recipe(tuple(nodes[index] for index in order), tuple(arrows))


def _merged(recipe: Recipe) -> Recipe:
    """Make one box of equal blocks that follow one another in a chain."""
    nodes, edges = list(recipe.nodes), list(recipe.edges)
    # From the end, so that the places of boxes still to come do not move.
    for index in range(len(nodes) - 1, 0, -1):
        into = [a for a, b in edges if b == index]
        if len(into) != 1 or [b for a, b in edges if a == into[0]] != [index]:
            continue
        before = nodes[into[0]]
        if replace(nodes[index], repeats=before.repeats) != before or before.kind != "block":
            continue
        nodes[into[0]] = replace(before, repeats=before.repeats + nodes[index].repeats)
        del nodes[index]
        moved = [(into[0] if a == index else a, b) for a, b in edges if b != index]
        edges = [(a - (a > index), b - (b > index)) for a, b in moved]
    return Recipe(tuple(nodes), tuple(sorted(edges)))
