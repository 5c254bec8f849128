"""What one output pixel of a network sees of its input, measured by gradients.

Measured is a copy in which nothing but places matters (:mod:`sensor2sensor.networks.linear`). A
network of which there is none is measured as it is, and a line says that more may be seen.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from sensor2sensor.networks.layers import held_layers
from sensor2sensor.networks.linear import fewer_by, is_graph, linear_copy

_STEPS_PX = (16, 128)  # output pixels that are looked at; they show strides up to half as many
_AT_ONCE = 16
_RESTARTS = 4
_SMALL = 100_000  # values of a network that costs nothing with all its channels
SEES_ALL = "sees_all"  # attribute of a layer that says so of itself
_LIMIT_S = 60.0  # for a network as it is: image by image, it could take as long as a training


logger = logging.getLogger(__name__)
Shape = tuple[int, int, int]
Places = Sequence[tuple[int, int]]
Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.int64]
Seen = Callable[[Places], Mask]
Slopes = Callable[[Sequence[tf.Tensor], tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Reach:
    """What one output pixel depends on.

    Attributes:
        receptive_field_px: Most rows or columns of the input that it sees.
        total_stride_px: Input pixels by which an image can be moved so that the output moves with
            it and is otherwise the same; None where the image is too small to see that.
        whole_image: Whether it sees all of the input: of larger images it may see more.
    """

    receptive_field_px: int
    total_stride_px: int | None
    whole_image: bool


def reach(network: keras.Model, input_shape: Sequence[int] | None = None) -> Reach | None:
    """Measure a network in inference mode; neither its weights nor any random state change.

    Of several inputs all count, in pixels of the finest. A network with a layer that says of itself
    that every pixel it makes depends on all of its images (``sees_all = True``) is not measured.

    Args:
        network: ``[B, h, w, C_in] -> [B, H, W, C]``; the grids may differ. One that is no graph of
            layers (a subclass of ``keras.Model``) is measured as it is, at random images: where
            its weights hide a pixel, that is not seen. A line says so.
        input_shape: ``(h, w, ...)`` for a network that leaves its sides open.

    Returns:
        None, after a line that says why, where nothing is seen or it takes too long.
    """
    shapes = _shapes(network, input_shape)
    # To ask a search over a whole image for gradients takes longer than a short training.
    if any(getattr(layer, SEES_ALL, False) is True for layer in held_layers(network)):
        return Reach(max(max(shape[:2]) for shape in shapes), None, whole_image=True)
    with _restored(network):
        return _reach(network, shapes)


def _reach(network: keras.Model, shapes: Sequence[Shape]) -> Reach | None:
    measured = _measurable(network, shapes)

    def into(index: int) -> Reach | None:
        slopes = _slopes(measured, shapes, index)

        def seen(places: Places) -> Mask:
            return _seen(measured, shapes, places, slopes)

        return _one(Sides(shapes[index][:2], measured.output), seen)

    what, why = f"the receptive field of {network.name}", f" ({measured.why})" * bool(measured.why)
    dark = "no output pixel that was looked at passes a gradient on to the input"
    try:
        found = {i: one for i in range(len(shapes)) if (one := into(i)) is not None}
    except TimeoutError as error:
        found, dark = {}, str(error)
    if not found:
        logger.warning("%s is not known: %s%s", what, dark, why)
        return None
    if measured.why:
        logger.warning("%s may be too small: it is measured with the weights it has%s", what, why)
    return _joined([(found[i], max(shapes[i][:2])) for i in found])


def _joined(found: Sequence[tuple[Reach, int]]) -> Reach:
    """The reach into inputs of one ground, each with its longer side, in pixels of the finest."""
    finest = max(side for _, side in found)
    strides: list[Fraction] = []
    for one, side in found:
        if one.total_stride_px is not None:
            strides.append(Fraction(one.total_stride_px * finest, side))
    return Reach(
        max(math.ceil(Fraction(one.receptive_field_px * finest, side)) for one, side in found),
        # All inputs are moved by the same ground, and each by whole strides of its own.
        _common(strides) if len(strides) == len(found) else None,
        any(one.whole_image for one, _ in found),
    )


def _common(strides: Sequence[Fraction]) -> int:
    """The least whole number that is a multiple of each."""
    return math.lcm(*(stride.numerator for stride in strides))


@contextmanager
def _restored(network: keras.Model) -> Iterator[None]:
    """Put back what a network changes when it is run as it is: the states of seeds, counters."""
    before = [(one, one.numpy()) for one in network.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


@dataclass(frozen=True)
class _Measurable:
    """What is measured, and how.

    Attributes:
        network: The copy, or the network as it is.
        output: Its output's sides.
        restarts: Random images for each output pixel.
        at_once: Output pixels a pass.
        until: When to give up, by ``time.monotonic``.
        why: Why it is no copy.
    """

    network: Any
    output: tuple[int, int]
    restarts: int
    at_once: int
    until: float = math.inf
    why: str = ""


@dataclass(frozen=True)
class Sides:
    """Rows and columns of an input and of the output."""

    input: tuple[int, int]
    output: tuple[int, int]


@dataclass(frozen=True)
class _Ends:
    """First and last row, or column, that each output pixel sees; those not ``lit`` see none."""

    low: Pixels
    high: Pixels
    lit: Mask

    def width(self) -> int:
        return int((self.high - self.low + 1)[self.lit].max(initial=0))


def _one(sides: Sides, seen: Seen) -> Reach | None:
    """The reach into one input; ``seen`` maps output pixels to ``[N, h, w]`` bool."""
    middle = _ends(seen([(sides.output[0] // 2, sides.output[1] // 2)]))
    if all(middle[axis].width() == sides.input[axis] for axis in (0, 1)):
        return Reach(max(sides.input), None, whole_image=True)
    corners = _ends(seen([(0, 0), (sides.output[0] - 1, sides.output[1] - 1)]))
    # Few pixels first: each costs a pass back, and most strides are 1 to 8.
    widest, stride = 0, None
    for count in _STEPS_PX:
        ends = _ends(seen(_diagonal(sides.output, count)))
        widest = max(widest, *(one.width() for one in ends))
        strides = [_stride(ends[axis], corners[axis], sides.input[axis]) for axis in (0, 1)]
        if None not in strides:
            stride = math.lcm(*(one for one in strides if one is not None))
            break
        if min(sides.output) <= count:
            break
    return Reach(widest, stride, whole_image=False) if widest else None


def _diagonal(output: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Neighbouring output pixels about the middle, both coordinates moving on by one."""
    count = min(count, *output)
    first = [(side - count) // 2 for side in output]
    return [(first[0] + k, first[1] + k) for k in range(count)]


def _ends(seen: Mask) -> tuple[_Ends, _Ends]:
    """What each pixel sees of the rows, and of the columns."""
    found = []
    for axis in (2, 1):
        line: Mask = np.any(seen, axis=axis)
        low = line.argmax(axis=1)
        high = line.shape[1] - 1 - line[:, ::-1].argmax(axis=1)
        # Of a line that is dark throughout argmax says 0, as of one that is seen from its start.
        lit: Mask = np.any(line, axis=1)
        found.append(_Ends(low, high, lit))
    return found[0], found[1]


def _stride(ends: _Ends, corners: _Ends, side: int) -> int | None:
    """Input pixels after which the reach repeats, shifted; None where the borders hide it."""
    if side == 1:
        return 1
    if not ends.lit.any():
        return None
    # What ends where the corners' reach does may have been cut off there. That need not be the
    # image's border: strides without padding skip pixels.
    first = corners.low[0] if corners.lit[0] else ends.low[ends.lit].min()
    last = corners.high[1] if corners.lit[1] else ends.high[ends.lit].max()
    free = [(ends.low, ends.lit & (ends.low != first)), (ends.high, ends.lit & (ends.high != last))]
    for period in range(1, len(ends.lit) // 2 + 1):
        # One shift, whichever output pixel it starts from: steps of 0 and 4 are no step of 1.
        pairs = [(end[period:] - end[:-period])[f[period:] & f[:-period]] for end, f in free]
        shifts = {int(shift) for found in pairs for shift in found}
        enough = max(len(found) for found in pairs) >= period
        if enough and len(shifts) == 1 and (shift := shifts.pop()) > 0:
            return shift
    return None


def _seen(measured: _Measurable, shapes: Sequence[Shape], places: Places, slopes: Slopes) -> Mask:
    """Which pixels of an input the output pixels ``places`` depend on: ``[N, h, w]``.

    Raises:
        TimeoutError: It takes longer than it may.
    """
    parts = []
    for start in range(0, len(places), measured.at_once):
        some = places[start : start + measured.at_once]
        tries = []
        for seed in range(measured.restarts):
            if time.monotonic() > measured.until:
                raise TimeoutError(f"measuring it takes more than {_LIMIT_S:.0f} seconds")
            tries.append(_lit(slopes, shapes, some, seed))
        parts.append(np.any(tries, axis=0))
    return np.concatenate(parts)


def _lit(slopes: Slopes, shapes: Sequence[Shape], places: Places, seed: int) -> Mask:
    """One image a place, so that one pass back tells all of them apart."""
    # Positive, as the copy's weights: then no sum on the way can be 0 by cancelling.
    random = np.random.default_rng(seed)
    images = [
        tf.constant(random.uniform(0.5, 1.5, (len(places), *shape)), tf.float32) for shape in shapes
    ]
    chosen = tf.constant([(number, *place) for number, place in enumerate(places)], tf.int32)
    slope = np.asarray(slopes(images, chosen))
    # Nothing is known of a pixel whose gradient is not a number.
    found: Mask = np.any((slope != 0.0) & ~np.isnan(slope), axis=-1)
    return found


def _slopes(measured: _Measurable, shapes: Sequence[Shape], index: int) -> Slopes:
    """The gradient of some output pixels with respect to an input, as a function."""
    count = None if measured.at_once > 1 else 1
    form = [tf.TensorSpec([count, *shape], tf.float32) for shape in shapes]

    # Traced: outside a graph TensorFlow works out the kernels' gradients too, which nobody asked
    # for, and for a stride wider than its kernel it then writes beyond its memory (2.21, CPU).
    given = [form, tf.TensorSpec([count, 3], tf.int32)]

    @tf.function(input_signature=given, autograph=False)  # type: ignore[untyped-decorator]
    def slopes(images: list[tf.Tensor], chosen: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images[index])
            made = measured.network(images if len(images) > 1 else images[0], training=False)
            total = tf.reduce_sum(tf.gather_nd(made, chosen))
        unused = tf.UnconnectedGradients.ZERO  # an input that the network does not use
        return tape.gradient(total, images[index], unconnected_gradients=unused)

    return slopes  # type: ignore[no-any-return]  # TensorFlow has no types


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
    why = "it is no graph of layers"
    # With all its channels where a layer does not bear fewer.
    for divisor in (*_divisors(network), 1) if is_graph(network) else ():
        try:
            copy = linear_copy(network, divisor)
            # With all its channels sixteen images at once could fill the memory.
            at_once = _AT_ONCE if divisor > 1 or copy.count_params() < _SMALL else 1
            return _Measurable(copy, _output_size(copy, shapes), 1, at_once)
        # Whatever a layer of the user's raises, or says over many lines.
        except Exception as error:
            why = _reason(network, error)
    until = time.monotonic() + _LIMIT_S
    return _Measurable(network, _output_size(network, shapes), _RESTARTS, 1, until, why)


def _divisors(network: keras.Model) -> list[int]:
    try:
        return fewer_by(network)
    except Exception as error:  # a layer of the user's may have no config
        _reason(network, error)
        return []


def _reason(network: keras.Model, error: Exception) -> str:
    why = " ".join(str(error).split())[:200]
    logger.debug("%s cannot be copied: %s", network.name, why)
    return why
