"""What a built network costs: parameters, multiply-accumulates, activations."""

from __future__ import annotations

import math

import keras

from model_tools.graph import Call, Graph, Shape

FLOAT32_BYTES = 4
MIB = 2**20
GIGA = 1e9


def parameters(network: keras.Model | None) -> dict[str, int]:
    """Number of trainable and of other values (moving statistics, seeds left out).

    Args:
        network: Built; None counts as nothing.
    """
    if network is None:
        return {"trainable": 0, "fixed": 0}
    sides = {"trainable": network.trainable_weights, "fixed": network.non_trainable_weights}
    return {side: sum(math.prod(w.shape) for w in weights) for side, weights in sides.items()}


def gmac(graph: Graph) -> float:
    """Multiply-accumulates of convolutions and dense layers for one image, forward, in 10⁹."""
    return sum(_macs(call) for call in graph.calls) / GIGA


def _macs(call: Call) -> int:
    kernel = getattr(call.layer, "kernel", None)
    if kernel is None:
        return 0
    # A transposed convolution places its kernel once per input pixel, the others once per output.
    transposed = isinstance(call.layer, keras.layers.Conv2DTranspose)
    places = call.input_shapes[0] if transposed else call.output_shapes[0]
    return math.prod(kernel.shape) * math.prod(_known(places)[:-1])


def activation_mib(graph: Graph) -> float:
    """Size of all layer outputs of one image in float32, the input with them, in MiB.

    Every layer inside a ``Sequential`` counts. It is the upper bound of what the backward pass
    needs of one tile: what is computed in place or thrown away early makes it less.
    """
    made = [shape for call in graph.calls for shape in call.output_shapes]
    given = [graph.shapes[number] for number in graph.inputs]
    return sum(math.prod(_known(shape)) for shape in given + made) * FLOAT32_BYTES / MIB


def _known(shape: Shape) -> tuple[int, ...]:
    """A shape without its batch dimension."""
    sizes = tuple(size for size in shape[1:] if size is not None)
    assert len(sizes) == len(shape) - 1, f"the size of {shape} is open"
    return sizes
