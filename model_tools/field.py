"""The receptive field of a network, from its graph.

For every output row the range of input rows it can depend on is followed backwards through all
layers, and all paths are joined. Borders and the unequal padding of even kernels are exact.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from model_tools.graph import Call, Graph

ROWS, COLUMNS = 1, 2
_WINDOWED = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling2D,
)
_SHIFTED = {keras.layers.ZeroPadding2D: ("padding", 1), keras.layers.Cropping2D: ("cropping", -1)}

Reach = tuple[np.ndarray, np.ndarray]


def receptive_field(graph: Graph) -> int:
    """Most input rows or columns that one output pixel depends on, in pixels.

    Of a network with several inputs the largest. Statistics that instance normalisation takes
    over the image do not count.

    Raises:
        TypeError: A layer changes the size in a way that is not known here.
    """
    return max(_along(graph, axis) for axis in (ROWS, COLUMNS))


def _along(graph: Graph, axis: int) -> int:
    reaches: dict[int, Reach] = {}
    for number in graph.outputs:
        places = np.arange(_size(graph.shapes[number], axis))
        reaches[number] = (places, places)
    for call in reversed(graph.calls):
        wanted = [reaches[number] for number in call.outputs if number in reaches]
        for low, high in wanted:
            for number, shape in zip(call.inputs, call.input_shapes, strict=True):
                size = _size(shape, axis)
                first, last = _taken(call, shape, axis, low, high)
                reach = (first.clip(0, size - 1), last.clip(0, size - 1))
                reaches[number] = _joined(reach, reaches.get(number))
    given = [reaches[number] for number in graph.inputs if number in reaches]
    return max(int((high - low).max()) + 1 for low, high in given)


def _size(shape: tuple[int | None, ...], axis: int) -> int:
    """Rows or columns of a tensor; 1 for a vector."""
    return (shape[axis] or 1) if len(shape) == 4 else 1


def _joined(one: Reach, other: Reach | None) -> Reach:
    if other is None:
        return one
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _taken(
    call: Call, shape: tuple[int | None, ...], axis: int, low: np.ndarray, high: np.ndarray
) -> Reach:
    """Rows of an input of ``shape`` behind the output rows ``low`` to ``high``."""
    layer = call.layer
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return _spread(layer, axis, low, high)
    if isinstance(layer, _WINDOWED):
        return _window(layer, _size(shape, axis), axis, low, high)
    for kind, (attribute, sign) in _SHIFTED.items():
        if isinstance(layer, kind):
            shift = sign * getattr(layer, attribute)[axis - 1][0]
            return low - shift, high - shift
    return _by_size(call, shape, axis, low, high)


def _window(layer: Any, size: int, axis: int, low: np.ndarray, high: np.ndarray) -> Reach:
    extent, stride = _extent(layer, axis), layer.strides[axis - 1]
    before = 0
    if layer.padding == "same":
        before = max((math.ceil(size / stride) - 1) * stride + extent - size, 0) // 2
    return low * stride - before, high * stride - before + extent - 1


def _spread(layer: Any, axis: int, low: np.ndarray, high: np.ndarray) -> Reach:
    extent, stride = _extent(layer, axis), layer.strides[axis - 1]
    before = max(extent - stride, 0) // 2 if layer.padding == "same" else 0
    return -((extent - 1 - before - low) // stride), (high + before) // stride


def _extent(layer: Any, axis: int) -> int:
    """Side of a layer's window, gaps of a dilated kernel included."""
    window = getattr(layer, "pool_size", None) or layer.kernel_size
    rate = getattr(layer, "dilation_rate", (1, 1))
    return (window[axis - 1] - 1) * rate[axis - 1] + 1


def _by_size(
    call: Call, shape: tuple[int | None, ...], axis: int, low: np.ndarray, high: np.ndarray
) -> Reach:
    """Layers that work on single pixels, on the whole image, or enlarge by a whole factor."""
    size, made = _size(shape, axis), _size(call.output_shapes[0], axis)
    if size in (made, 1):
        return (low, high) if size == made else (low * 0, high * 0)
    if made == 1:
        return low * 0, high * 0 + size - 1
    smooth = getattr(call.layer, "interpolation", "nearest") != "nearest"
    if made % size or smooth:
        raise TypeError(f"the reach of a {type(call.layer).__name__} layer is not known")
    return low // (made // size), high // (made // size)
