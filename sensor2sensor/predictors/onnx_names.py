"""Names and order within an ONNX file that follow from its graph alone.

What exports walks over sets, so that the same weights got other names for constants, and with them
another digest in the sidecar, each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Names = dict[str, str]


def put_in_order(model: Any) -> None:
    """Order a model's nodes and initialisers as its outputs need them, and name them so, in place.

    Inputs and outputs keep their names. What no output needs is dropped, as are the shapes that
    were noted of values within: they follow from the graph.

    Args:
        model: ``onnx.ModelProto``.
    """
    _order(model.graph)
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    _rename(model.graph, {"": "", **{name: name for name in kept}}, "")
    opsets = sorted(model.opset_import, key=lambda one: one.domain)
    _replace(model.opset_import, opsets)


def _order(graph: Any) -> None:
    """Nodes after what they read, initialisers by their first reader; those within nodes, too."""
    makers = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
    order: list[int] = []
    read: dict[str, None] = {}
    seen: set[int] = set()
    # Not by recursion: a deep network has more nodes in a row than Python has calls.
    waiting: list[tuple[str, int | None]] = [(one.name, None) for one in reversed(graph.output)]
    while waiting:
        name, done = waiting.pop()
        if done is not None:
            order.append(done)
            continue
        read[name] = None
        at = makers.get(name)
        if at is None or at in seen:
            continue
        seen.add(at)
        waiting.append((name, at))
        waiting += [(one, None) for one in reversed(list(_reads(graph.node[at])))]
    for node in graph.node:
        _replace(node.attribute, sorted(node.attribute, key=lambda one: one.name))
        for inner in _graphs(node):
            _order(inner)
    _replace(graph.node, [graph.node[at] for at in order])
    places = {name: place for place, name in enumerate(read)}
    used = [one for one in graph.initializer if one.name in places]
    _replace(graph.initializer, sorted(used, key=lambda one: places[one.name]))
    del graph.value_info[:]


def _rename(graph: Any, known: Names, prefix: str) -> None:
    """Give a graph's values names by their places; ``known``: those that are fixed already."""
    names, taken = dict(known), set(known.values())

    def called(old: str, new: str) -> str:
        if old not in names:
            while new in taken:
                new += "_"
            names[old] = new
            taken.add(new)
        return names[old]

    for place, one in enumerate(graph.input):
        one.name = called(one.name, f"{prefix}input_{place}")
    for place, one in enumerate(graph.initializer):
        one.name = called(one.name, f"{prefix}constant_{place}")
    for place, node in enumerate(graph.node):
        node.name = f"{prefix}{node.op_type}_{place}"
        _replace(node.input, [names[name] for name in node.input])
        for number, inner in enumerate(_graphs(node)):
            _rename(inner, names, f"{node.name}/{number}/")
        made = [called(name, f"{node.name}:{number}") for number, name in enumerate(node.output)]
        _replace(node.output, made)
    for one in graph.output:
        one.name = names[one.name]


def _reads(node: Any) -> Iterator[str]:
    """What a node reads, the graphs within it included; names that are theirs do no harm."""
    yield from node.input
    for inner in _graphs(node):
        yield from (value.name for value in inner.output)
        for one in inner.node:
            yield from _reads(one)


def _graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _replace(field: Any, values: list[Any]) -> None:
    """Set a repeated field of a message, whose elements may be its own."""
    copies = [value if isinstance(value, str) else _copy(value) for value in values]
    del field[:]
    field.extend(copies)


def _copy(message: Any) -> Any:
    made = type(message)()
    made.CopyFrom(message)
    return made
