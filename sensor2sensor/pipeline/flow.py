"""Flows between two images, without anything learned: how to chain, smooth, measure and guess them.

A flow ``[B, H, W, 2]`` is (row, column) in pixels, a backward mapping: ``warp(x, f)(p)`` is
``x(p + f(p))``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from sensor2sensor.pipeline import bicubic, psf

EPSILON = 1e-6
# Windows of the guess, in pixels, None the whole image: from what is surely found to what is local.
WINDOWS: tuple[int | None, ...] = (None, 31, 15)
STEPS = 2  # of Gauss and Newton in each window
HIGHPASS_PX = 9
STIFFNESS = 0.1  # share of the contrast of the whole image that every step is held back by


def compose(first: tf.Tensor, second: tf.Tensor, *, additive: bool = False) -> tf.Tensor:
    """The flow of warping along ``first``, then along ``second``, ``[B, H, W, 2]``.

    ``warp(warp(x, first), second)(p) = x(p + second(p) + first(p + second(p)))``: the first flow is
    asked where the second one looks. ``additive`` leaves that out, as the published program does;
    it is right for flows that do not vary.
    """
    return second + (first if additive else bicubic.warp(first, second))


def smooth(flow: tf.Tensor, sigma_px: float, half_width: int) -> tf.Tensor:
    """A flow or image seen through a Gaussian, reflected at the borders."""
    return psf.blur(flow, sigma_px, half_width)


def enlarge(flow: tf.Tensor, factor: int, *, coefficient: float = bicubic.KEYS) -> tf.Tensor:
    """A flow on a grid ``factor`` times finer, in pixels of that grid."""
    if factor == 1:
        return flow
    shape = tf.shape(flow)
    sides = [(flow.shape[axis] or shape[axis]) * factor for axis in (1, 2)]
    return factor * bicubic.resize(flow, *sides, coefficient=coefficient)


def magnitude(flow: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation of the length of each image's flow, ``[B]`` each, in pixels."""
    length = tf.norm(flow, axis=-1)
    return tf.reduce_mean(length, axis=[1, 2]), tf.math.reduce_std(length, axis=[1, 2])


def standardised(image: tf.Tensor, *, rows: bool = False) -> tf.Tensor:
    """Each image ``[B, H, W, C]`` with mean 0 and deviation 1 in every band.

    ``rows`` takes each row of pixels by itself, as the published program does, most likely
    unintended: gradients along columns are lost.
    """
    mean, variance = tf.nn.moments(image, axes=[2] if rows else [1, 2], keepdims=True)
    return (image - mean) * tf.math.rsqrt(variance + EPSILON)


def mean_within(image: tf.Tensor, window_px: int | None) -> tf.Tensor:
    """The mean of the square around every pixel; pixels beyond the border are left out."""
    if window_px is None:
        return tf.reduce_mean(image, axis=[1, 2], keepdims=True) + tf.zeros_like(image)
    sums = [_running(x, window_px) for x in (image, tf.ones_like(image[:1, :, :, :1]))]
    return sums[0] / sums[1]


def _running(image: tf.Tensor, window_px: int) -> tf.Tensor:
    """Sums over squares by two passes of running sums: as fast for any size of window."""
    half = window_px // 2
    for axis in (1, 2):
        edge = [[0, 0]] * axis + [[half + 1, half]] + [[0, 0]] * (3 - axis)
        total = tf.cumsum(tf.pad(image, edge), axis=axis)
        ahead, behind = ([slice(None)] * 4 for _ in range(2))
        ahead[axis], behind[axis] = slice(window_px, None), slice(None, -window_px)
        image = total[tuple(ahead)] - total[tuple(behind)]
    return image


def detail(image: tf.Tensor) -> tf.Tensor:
    """What an image shows beside its local mean, in units of its local contrast."""
    fine = image - mean_within(image, HIGHPASS_PX)
    # Softened by the whole image's contrast: bare noise of water must not count as much as fields.
    whole = mean_within(tf.square(fine), None)
    local = mean_within(tf.square(fine), 4 * HIGHPASS_PX + 1)
    return fine * tf.math.rsqrt(local + 0.1 * whole + EPSILON)


def guess(
    moving: tf.Tensor,
    fixed: tf.Tensor,
    reach_px: float,
    *,
    windows: Sequence[int | None] = WINDOWS,
) -> tf.Tensor:
    """The flow that lays ``moving`` onto ``fixed``, found by matching alone, ``[B, H, W, 2]``.

    First every whole displacement within ``reach_px`` is tried on the whole image, then the best
    is refined by steps of Gauss and Newton (Lucas and Kanade, IJCAI 1981) within ever smaller
    windows. A window without texture keeps what the larger one has found. Gains, offsets and the
    difference of sharpness between the two do not move it: both are compared by their detail.

    Args:
        moving: One band, ``[B, H, W, 1]``.
        fixed: The same form.
        reach_px: The largest displacement along each axis.
        windows: Sides of the windows in pixels, None the whole image.
    """
    found = _guess_within(reach_px, tuple(windows))(moving, fixed)
    found.set_shape([*moving.shape[:3], 2])
    return found


def _matched(
    moving: tf.Tensor, fixed: tf.Tensor, reach_px: float, windows: tuple[int | None, ...]
) -> tf.Tensor:
    moving, fixed = detail(moving), detail(fixed)
    flow = _whole(moving, fixed, math.ceil(reach_px))
    for window in windows:
        for _ in range(STEPS):
            flow = _refined(moving, fixed, flow, window, reach_px)
    return flow


@functools.cache
def _guess_within(reach_px: float, windows: tuple[int | None, ...]) -> Any:
    """:func:`_matched` as a graph of its own, made once for images of all sizes.

    It has thousands of operations: to trace it takes longer than many a call of it, and every graph
    around it would hold it anew.
    """
    image = tf.TensorSpec([None, None, None, 1], tf.float32)
    way: dict[str, Any] = {"reach_px": reach_px, "windows": windows}
    return tf.function(
        functools.partial(_matched, **way), input_signature=[image, image], autograph=False
    )


def _whole(moving: tf.Tensor, fixed: tf.Tensor, reach: int) -> tf.Tensor:
    """The whole displacement under which two images match best, the same for all of an image."""
    padded = tf.pad(moving, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    height, width = tf.shape(fixed)[1], tf.shape(fixed)[2]
    # From none outwards: of equals, as in an image of one value, the first is taken.
    steps = sorted(
        ((i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)),
        key=lambda step: step[0] ** 2 + step[1] ** 2,
    )
    found = []
    for i, j in steps:
        seen = padded[:, reach + i :, reach + j :][:, :height, :width]
        found.append(tf.reduce_mean(seen * fixed, axis=[1, 2, 3]))
    best = tf.argmax(tf.stack(found, axis=1), axis=1)
    chosen = tf.gather(tf.constant(steps, fixed.dtype), best)[:, tf.newaxis, tf.newaxis]
    return chosen + tf.zeros_like(fixed)


def _refined(
    moving: tf.Tensor, fixed: tf.Tensor, flow: tf.Tensor, window: int | None, reach_px: float
) -> tf.Tensor:
    """One step towards the flow of least squares within each window."""
    seen = bicubic.warp(moving, flow)
    down, across = _slopes(seen)
    rest = fixed - seen
    products = [down * down, across * across, down * across, down * rest, across * rest]
    a, b, c, p, q = tf.unstack(mean_within(tf.concat(products, axis=-1), window), axis=-1)
    hold = STIFFNESS * tf.reduce_mean(a + b, axis=[1, 2], keepdims=True) + EPSILON
    a, b = a + hold, b + hold
    step = tf.stack([b * p - c * q, a * q - c * p], axis=-1) / (a * b - c * c)[..., tf.newaxis]
    # A step of more than a pixel has left the slope it was taken on.
    return tf.clip_by_value(flow + tf.clip_by_value(step, -1.0, 1.0), -reach_px, reach_px)


def _slopes(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Central differences along rows and columns; 0 beyond the border is never looked at."""
    wide = tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    down = (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]) / 2.0
    return down, (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]) / 2.0
