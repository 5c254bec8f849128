"""What a window has to be given around it for a network to make of it what it makes of the whole.

How far it sees is measured on a copy (:mod:`sensor2sensor.networks.radius`); whether that is all is
tried on the network itself: an instance norm, a mean over the image or a layer that nobody knows
sees more than any kernel, and strides count from the window's edge.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sensor2sensor.core.blame import sentence
from sensor2sensor.networks.layers import held_layers
from sensor2sensor.networks.radius import radius_px
from sensor2sensor.networks.reach import SEES_ALL

logger = logging.getLogger(__name__)
_SMALLEST_PX, _LARGEST_PX = 64, 1024  # images on which the radius is looked for
_STRIDES = (1, 2, 4, 8, 16, 32, 64)
_FARTHEST_PX = 256  # a larger halo would cost more than twenty times its window of as many pixels
_SAME = 1e-4  # of the largest value: float32 sums of another order differ by a hundredth of it


@dataclass(frozen=True)
class Context:
    """What a window needs.

    Attributes:
        halo_px: Input pixels at each side, a multiple of the stride.
        stride_px: Input pixels of which windows begin and end at multiples.
        radius_px: Input pixels that it sees to one side.
    """

    halo_px: int
    stride_px: int
    radius_px: int


def farthest_px(network: keras.Model, largest_px: int = _LARGEST_PX) -> int | None:
    """Input pixels that a network sees to one side; None: all of an image so large."""
    side = _SMALLEST_PX
    while side <= largest_px:
        found = radius_px(network, side)
        if found is not None:
            return found
        side *= 2
    return None


def context_of(network: keras.Model, multiple: int = 1) -> Context | None:
    """The halo by which a network's windows are what they are within the whole, as it was tried.

    Args:
        network: ``[B, h, w, C_in] -> [B, h f, w f, C]`` in float32, a graph, its sides open, with
            its weights; inference mode.
        multiple: Windows begin at multiples of so many input pixels in any case.

    Returns:
        None, after a line at level info that says why, where there is none.
    """
    if any(getattr(layer, SEES_ALL, False) is True for layer in held_layers(network)):
        return _none(network, "a layer says that it sees all of an image")
    try:
        radius = farthest_px(network)
    # Whatever a layer raises that cannot be copied.
    except Exception as error:
        return _none(network, sentence(error))
    if radius is None:
        return _none(network, f"it sees all of an image of {_LARGEST_PX} pixels")
    if radius > _FARTHEST_PX:
        return _none(network, f"it sees {radius} pixels to one side")
    why = ""
    for stride in (multiple * step for step in _STRIDES):
        # The radius was measured at one place; others of a stride may see as much farther.
        made = Context(-(-(radius + stride - 1) // stride) * stride, stride, radius)
        try:
            if _holds(network, made):
                return made
            why = "what lies farther off changes it, as of a norm over the image"
        # Sides that a network cannot halve, whatever it raises.
        except Exception as error:
            why = sentence(error)
    return _none(network, why)


def _none(network: Any, why: str) -> Context | None:
    logger.info("%s has no halo: %s", network.name, why)
    return None


def _holds(network: keras.Model, context: Context) -> bool:
    """Whether a window's core is the same alone and within an image that is another outside."""
    halo, stride = context.halo_px, context.stride_px
    core = -(-8 // stride) * stride
    side = core + 2 * halo
    random = np.random.default_rng(0)
    window = random.uniform(-0.5, 0.5, (1, side, side, network.inputs[0].shape[-1]))
    # An odd number of strides before and after: half of one would show.
    whole = np.pad(window, ((0, 0), *((stride, 3 * stride),) * 2, (0, 0)), constant_values=1.0)
    alone, within = (
        np.asarray(network(tf.constant(image, tf.float32), training=False))
        for image in (window, whole)
    )
    factor = alone.shape[1] // side
    inner = slice(halo * factor, (halo + core) * factor)
    start = stride * factor
    shifted = slice(start + inner.start, start + inner.stop)
    first, second = alone[:, inner, inner], within[:, shifted, shifted]
    if first.shape != second.shape or not np.isfinite(first).all():
        return False
    return bool(np.abs(first - second).max() <= _SAME * np.abs(first).max())
