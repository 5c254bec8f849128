"""How much memory a traced step takes at once, from its graph."""

from __future__ import annotations

import math
from typing import Any

# Their outputs take no memory of their own.
NOTHING = frozenset({"Const", "Placeholder", "NoOp", "ReadVariableOp", "Shape", "ShapeN"})
# Their outputs are the memory of their inputs.
VIEWS = frozenset(
    {"Identity", "IdentityN", "Reshape", "ExpandDims", "Squeeze", "StopGradient"}
    | {"PreventGradient", "EnsureShape"}
)


def peak_bytes(graph: Any) -> int:
    """The most bytes that the values of a graph take at once, run in the order it was traced in.

    A value lives from the operation that makes it to the last one that reads it: in a training step
    the forward activations wait for their gradients, and the gradients for the update. Variables
    are not counted, nor what a kernel takes for itself, nor values whose shape is not known.

    Args:
        graph: Of a concrete function whose batch has a fixed shape.
    """
    operations = graph.get_operations()
    owner = _owners(operations)
    last = {owner(t): n for n, operation in enumerate(operations) for t in operation.inputs}
    last |= {owner(t): len(operations) for t in graph.outputs}
    held: dict[Any, int] = {}
    total = most = 0
    for number, operation in enumerate(operations):
        if operation.type in NOTHING or operation.type in VIEWS:
            continue
        made = {t.ref(): _bytes(t) for t in operation.outputs}
        held |= made
        total += sum(made.values())
        most = max(most, total)
        for value in {*map(owner, operation.inputs), *made}:
            if last.get(value, number) <= number:
                total -= held.pop(value, 0)
    return most


def _owners(operations: Any) -> Any:
    """A function of a tensor: the reference of the one whose memory it is."""
    views: dict[Any, Any] = {}
    for operation in operations:
        if operation.type in VIEWS:
            for out, given in zip(operation.outputs, operation.inputs, strict=False):
                views[out.ref()] = views.get(given.ref(), given.ref())
    return lambda tensor: views.get(tensor.ref(), tensor.ref())


def _bytes(tensor: Any) -> int:
    known = tensor.shape.is_fully_defined() and tensor.dtype.is_numpy_compatible
    if not known or tensor.dtype.name in ("resource", "variant", "string"):
        return 0
    return int(math.prod(tensor.shape.as_list()) * tensor.dtype.size)
