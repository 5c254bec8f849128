"""What one output pixel of a network sees of its input, measured by gradients.

A network as it is would answer wrongly: a ReLU that is off passes no gradient, weights of 0 hide
what lies behind them, and after two hundred convolutions the outermost gradient is below the
smallest float. So a copy of its graph is measured in which nothing but places matters: weights are
positive, activations linear, and on its way back through every layer a gradient becomes 0 or 1.
Normalisation is left out of the copy, since the statistics that instance or group normalisation
takes over an image would reach everywhere: a mean over all pixels is no detail that is seen.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Layers that work on single pixels, or on nothing at inference.
_SAME_PIXEL = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
)
_MEANS = {
    keras.layers.MaxPooling2D: keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D: keras.layers.GlobalAveragePooling2D,
}
_CHANNELS = ("filters", "units")
_FEW = 8  # channels from which on they can be fewer without another reach
_STEPS_PX = (16, 128)  # output pixels that are looked at; they show strides up to half as many
_AT_ONCE = 16
_RESTARTS = 4
_SMALL = 100_000  # values of a network that costs nothing with all its channels


logger = logging.getLogger(__name__)
Shape = tuple[int, int, int]
Places = Sequence[tuple[int, int]]
Mask = npt.NDArray[np.bool_]
Ends = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
Seen = Callable[[Places], Mask]


@dataclass(frozen=True)
class Reach:
    """What one output pixel depends on.

    Attributes:
        receptive_field_px: Most rows or columns of the input that it sees.
        total_stride_px: Input pixels by which an image can be moved so that the output moves with
            it and is otherwise the same; the longer side of the input where no smaller is seen.
        whole_image: Whether it sees all of the input.
    """

    receptive_field_px: int
    total_stride_px: int
    whole_image: bool


def reach(network: keras.Model, input_shape: Sequence[int] | None = None) -> Reach:
    """Measure a network in inference mode; neither its weights nor any random state change.

    Of several inputs the one that is seen most of counts.

    Args:
        network: ``[B, h, w, C_in] -> [B, H, W, C]``; the grids may differ. One that is no graph of
            layers (a subclass of ``keras.Model``) is measured as it is, at random images: where
            its weights hide a pixel, that is not seen.
        input_shape: ``(h, w, ...)`` for a network that leaves its sides open.
    """
    shapes = _shapes(network, input_shape)
    measured = _measurable(network, shapes)

    def into(index: int) -> Reach:
        def seen(places: Places) -> Mask:
            return _seen(measured, shapes, places, index)

        return _one(Sides(shapes[index][:2], measured.output), seen)

    found = [into(index) for index in range(len(shapes))]
    return max(found, key=lambda one: (one.receptive_field_px, one.total_stride_px))


@dataclass(frozen=True)
class _Measurable:
    """What is measured, its output's sides, how many images it takes, and how many at once."""

    network: Any
    output: tuple[int, int]
    restarts: int
    at_once: int


@dataclass(frozen=True)
class Sides:
    """Rows and columns of an input and of the output."""

    input: tuple[int, int]
    output: tuple[int, int]


def _one(sides: Sides, seen: Seen) -> Reach:
    """The reach into one input; ``seen`` maps output pixels to ``[N, h, w]`` bool."""
    longer = max(sides.input)
    middle = _ends(seen([(sides.output[0] // 2, sides.output[1] // 2)]))
    if all(_whole(middle[axis], sides.input[axis]) for axis in (0, 1)):
        return Reach(longer, longer, whole_image=True)
    widest, stride = 0, None
    for count in _STEPS_PX:
        ends = _ends(seen(_diagonal(sides.output, count)))
        widest = max(widest, *(int((high - low).max()) + 1 for low, high in ends))
        strides = [_stride(ends[axis], sides.input[axis]) for axis in (0, 1)]
        if None not in strides:
            stride = math.lcm(*(one for one in strides if one is not None))
            break
        if min(sides.output) <= count:
            break
    return Reach(widest, min(stride or longer, longer), whole_image=False)


def _diagonal(output: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Neighbouring output pixels about the middle, both coordinates moving on by one."""
    count = min(count, *output)
    first = [(side - count) // 2 for side in output]
    return [(first[0] + k, first[1] + k) for k in range(count)]


def _ends(seen: Mask) -> tuple[Ends, Ends]:
    """First and last row, and first and last column, that each pixel sees."""
    found = []
    for axis in (2, 1):
        line: Mask = np.any(seen, axis=axis)
        low = line.argmax(axis=1)
        found.append((low, line.shape[1] - 1 - line[:, ::-1].argmax(axis=1)))
    return found[0], found[1]


def _whole(ends: Ends, side: int) -> bool:
    return bool((ends[0] == 0).all() and (ends[1] == side - 1).all())


def _stride(ends: Ends, side: int) -> int | None:
    """Input pixels after which the reach repeats, shifted; None where the borders hide it."""
    if side == 1:
        return 1
    # What ends at the border of the image may have been cut off there.
    free = [(end, end != border) for end, border in zip(ends, (0, side - 1), strict=True)]
    for period in range(1, len(ends[0]) // 2 + 1):
        # One shift, whichever output pixel it starts from: steps of 0 and 4 are no step of 1.
        pairs = [(end[period:] - end[:-period])[f[period:] & f[:-period]] for end, f in free]
        shifts = {int(shift) for found in pairs for shift in found}
        enough = max(len(found) for found in pairs) >= period
        if enough and len(shifts) == 1 and (shift := shifts.pop()) > 0:
            return shift
    return None


def _seen(measured: _Measurable, shapes: Sequence[Shape], places: Places, index: int) -> Mask:
    """Which pixels of an input the output pixels ``places`` depend on: ``[N, h, w]``."""
    parts = []
    for start in range(0, len(places), measured.at_once):
        some = places[start : start + measured.at_once]
        tries = [
            _gradient(measured.network, shapes, some, index, seed)
            for seed in range(measured.restarts)
        ]
        parts.append(np.any(tries, axis=0))
    return np.concatenate(parts)


def _gradient(
    network: Any,
    shapes: Sequence[Shape],
    places: Places,
    index: int,
    seed: int,
) -> Mask:
    """One image a place, so that one pass back tells all of them apart."""
    random = np.random.default_rng(seed)
    images = [
        tf.constant(random.uniform(0.5, 1.5, (len(places), *shape)), tf.float32) for shape in shapes
    ]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images[index])
        made = network(images if len(images) > 1 else images[0], training=False)
        chosen = [(number, *place) for number, place in enumerate(places)]
        total = tf.reduce_sum(tf.gather_nd(made, chosen))
    slope = tape.gradient(total, images[index])
    found: Mask = np.any(np.asarray(slope) != 0.0, axis=-1)
    return found


def _shapes(network: keras.Model, asked: Sequence[int] | None) -> list[Shape]:
    """``(h, w, C)`` of every input; what a network leaves open is what is asked for.

    Raises:
        ValueError: A side is open and nothing is asked for.
    """
    inputs = getattr(network, "inputs", None)  # a subclass of Model may have none
    open_shapes = [tensor.shape[1:] for tensor in inputs] if inputs else [(None, None, None)]
    return [_closed(shape, asked or ()) for shape in open_shapes]


def _closed(shape: Sequence[int | None], asked: Sequence[int]) -> Shape:
    sides = [own if own is not None else one for own, one in zip_longest(shape, asked)]
    if None in sides:
        raise ValueError(f"the network's input {tuple(shape)} is open: say input_shape")
    height, width, channels = (int(side) for side in sides)
    return height, width, channels


def _output_size(network: Any, shapes: Sequence[Shape]) -> tuple[int, int]:
    blank = [tf.zeros([1, *shape]) for shape in shapes]
    made = network(blank if len(blank) > 1 else blank[0], training=False)
    return int(made.shape[1]), int(made.shape[2])


def _measurable(network: keras.Model, shapes: Sequence[Shape]) -> _Measurable:
    for divisor in dict.fromkeys((_divisor(network), 1)):
        try:
            copy = _copy(network, divisor)
            # With all its channels sixteen images at once could fill the memory.
            at_once = _AT_ONCE if divisor > 1 or copy.count_params() < _SMALL else 1
            return _Measurable(copy, _output_size(copy, shapes), 1, at_once)
        # Whatever a layer of the user's raises: it keeps its channels, or the network is no graph.
        except Exception as error:
            logger.debug("%s cannot be copied: %s", network.name, error)
    return _Measurable(network, _output_size(network, shapes), _RESTARTS, 1)


def _divisor(network: keras.Model) -> int:
    """By how much channels can be divided: reach is a matter of places, and they cost most.

    The count that divides those of most layers, of equals the largest; the others are kept.
    """
    counts = [
        int(config[key])
        for layer in _layers(network)
        for config in [layer.get_config()]
        for key in _CHANNELS
        if config.get(key) is not None and config[key] > _FEW
    ]
    # One that divides all keeps their proportions, and with them what slices and gates take.
    if counts and (common := math.gcd(*counts)) > 1:
        return common
    fits = {count: sum(other % count == 0 for other in counts) for count in counts}
    return max(fits, key=lambda count: (fits[count], count), default=1)


def _layers(network: Any) -> list[Any]:
    """All layers, those of networks within it too."""
    found = []
    for layer in network.layers:
        found += _layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _copy(network: keras.Model, divisor: int) -> keras.Model:
    """A network of the same places; see the head of this module.

    Raises:
        Exception: It is no graph of layers, or a layer does not bear fewer channels.
    """
    if isinstance(network, keras.Sequential):
        x = inputs = keras.Input(network.input_shape[1:])
        for layer in network.layers:
            x = _applied(_plain(layer, divisor), x)
        made = keras.Model(inputs, x)
    else:
        made = keras.models.clone_model(
            network,
            clone_function=lambda layer: _plain(layer, divisor),
            call_function=_applied,
        )
    random = np.random.default_rng(0)
    for weight in made.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            # Of the size of one over the values that are summed, so that no sum grows.
            terms = max(math.prod(weight.shape[:-1]), 1)
            weight.assign(random.uniform(0.5, 1.5, weight.shape) / terms)
    return made


def _applied(layer: Any, *tensors: Any, **options: Any) -> Any:
    """What a layer makes, marked; one that does nothing is passed by: graphs of thousands exist."""
    if type(layer) is keras.layers.Identity:
        return tensors[0]
    made = layer(*tensors, **options)
    # A difference or a product of tensors is an operation of the graph, which has no weights.
    sums = any(len(weight.shape) > 1 for weight in getattr(layer, "weights", ()))
    return _Mark()(made) if sums else made


def _plain(layer: Any, divisor: int) -> Any:
    """A layer's copy that is linear, draws nothing at random and has fewer channels."""
    if isinstance(layer, keras.Sequential):  # not built yet, so that it takes what it is given
        return keras.Sequential([_plain(one, divisor) for one in layer.layers], name=layer.name)
    if isinstance(layer, keras.Model):
        return _copy(layer, divisor)
    config = layer.get_config()
    if isinstance(layer, _SAME_PIXEL):
        return keras.layers.Identity(name=layer.name)
    for key in config:
        if key == "activation":
            config[key] = "linear"
        elif key.endswith("_initializer"):
            config[key] = "zeros"
        elif key in _CHANNELS and config[key] is not None and config[key] % divisor == 0:
            config[key] = config[key] // divisor
    # A maximum passes its gradient to one pixel, and any of its window could have been it.
    kind = _MEANS.get(type(layer), type(layer))
    return kind.from_config(config)


class _Mark(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Hands a tensor on; of a gradient that comes back only where it is not 0."""

    def call(self, inputs: Any) -> Any:
        """The input itself."""
        return tf.nest.map_structure(_mark, inputs)

    def compute_output_spec(self, inputs: Any) -> Any:
        """That of the input, without a graph of its own for each of hundreds of layers."""
        return tf.nest.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype), inputs)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _mark(tensor: tf.Tensor) -> Any:
    def back(slope: tf.Tensor) -> tf.Tensor:
        return tf.cast(slope != 0.0, slope.dtype)

    return tf.identity(tensor), back
