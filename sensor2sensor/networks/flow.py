"""The network that says how one image has to be moved to lie on another: R(S, L) -> flow.

A U-Net on two images of one band (after L1BSR, Nguyen et al., CVPRW 2023), whose answer is bounded:
``tanh`` times ``max_offset / sqrt(2)``, so that no displacement is longer than ``max_offset``.
It begins at the flow that matching alone finds (:func:`sensor2sensor.pipeline.flow.guess`), which
it is shown, and refines that; untrained it answers with the guess itself. A network of the
published form has no such guess and has to learn matching from nothing (``first_guess: false``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from sensor2sensor.core.seeds import Purpose, derive
from sensor2sensor.pipeline import bicubic
from sensor2sensor.pipeline.flow import guess, standardised

NAME = "flow"
# Depth, filters and skips as published; max_offset there is 2.
DEFAULTS: Mapping[str, Any] = {
    "depth": 4,
    "width": 1.0,
    "skips_from": 2,
    "max_offset": 3.0,
    "first_guess": True,
    "norm": ("image", "rows"),
}
FILTERS, ANSWERS, FEWEST = 64, 32, 4
SLOPE, SMALL = 0.1, 1e-3
_FURTHEST = 0.98  # share of the bound that a guess may reach: at 1 nothing could refine it


@keras.utils.register_keras_serializable("sensor2sensor")
class FirstGuess(keras.layers.Layer):  # type: ignore[misc]
    """Pair ``[B, h, w, 2]`` -> what the U-Net sees ``[B, h, w, 4]``; nothing is learned here.

    The first image moved along the guess, the second one, and the guess in units of the bound.

    Attributes:
        sees_all: One displacement is found for all of an image before it is refined by places; so
            ``networks.reach`` need not measure what is known.
    """

    sees_all = True

    def __init__(self, bound: float, coefficient: float = bicubic.KEYS, **options: Any) -> None:
        super().__init__(**options)
        self.bound, self.coefficient = bound, coefficient

    def call(self, inputs: Any) -> Any:
        """Match, and show what is left to be done."""
        moving, fixed = inputs[..., :1], inputs[..., 1:]
        flow = guess(moving, fixed, _FURTHEST * self.bound)
        moved = bicubic.warp(moving, flow, coefficient=self.coefficient)
        return tf.concat([moved, fixed, flow / self.bound], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Two channels more."""
        return (*input_shape[:-1], 4)

    def get_config(self) -> dict[str, Any]:
        """What is needed to make the layer again."""
        own = {"bound": self.bound, "coefficient": self.coefficient}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable("sensor2sensor")
class Standardised(keras.layers.Layer):  # type: ignore[misc]
    """Mean 0 and deviation 1 in each image, or (as published) in each row of pixels."""

    def __init__(self, rows: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.rows = rows

    def call(self, inputs: Any) -> Any:
        """Standardise each band."""
        return standardised(inputs, rows=self.rows)

    def get_config(self) -> dict[str, Any]:
        """What is needed to make the layer again."""
        return {**super().get_config(), "rows": self.rows}


@keras.utils.register_keras_serializable("sensor2sensor")
class Enlarged(keras.layers.Layer):  # type: ignore[misc]
    """The first image bilinearly on the grid of the second one, whatever its sides."""

    def call(self, inputs: Any) -> Any:
        """Resize."""
        small, like = inputs
        return tf.image.resize(small, tf.shape(like)[1:3])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Sides of the second, channels of the first."""
        small, like = input_shape
        return (*like[:-1], small[-1])


@keras.utils.register_keras_serializable("sensor2sensor")
class Bounded(keras.layers.Layer):  # type: ignore[misc]
    """``bound * tanh(answer + atanh(guess))``: between the bounds, and the guess for answer 0."""

    def __init__(self, bound: float, **options: Any) -> None:
        super().__init__(**options)
        self.bound = bound

    def call(self, inputs: Any) -> Any:
        """Answer in pixels; inputs are the answer and, where there is one, the guess's channels."""
        answer, *seen = inputs
        if not seen:
            return self.bound * tf.tanh(answer)
        begun = seen[0][..., 2:]
        # Written as a sum so that an answer of 0 gives the guess itself, bit for bit.
        turned = tf.tanh(answer)
        return self.bound * (begun + turned * (1 - begun * begun) / (1 + begun * turned))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the answer."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """What is needed to make the layer again."""
        return {**super().get_config(), "bound": self.bound}


class _Convs:
    """Convolutions with a number and a seed of their own each."""

    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0

    def __call__(self, x: Any, filters: int, *, last: bool = False) -> Any:
        self._count += 1
        number = derive(self._seed, Purpose.INIT, NAME, self._count) % (1 << 31)
        # The last one starts near 0: the untrained network answers with its first guess, and every
        # layer before it has a gradient from the first step on.
        size = 2.0 * (SMALL if last else 1.0) ** 2
        start = keras.initializers.VarianceScaling(size, "fan_in", seed=number)
        name = f"flow_conv_{'last' if last else self._count}"
        options = {"padding": "same", "kernel_initializer": start, "name": name}
        if last:
            return keras.layers.Conv2D(filters, 3, dtype="float32", **options)(x)
        x = keras.layers.Conv2D(filters, 3, **options)(x)
        return keras.layers.LeakyReLU(negative_slope=SLOPE)(x)


def flow_network(
    params: Mapping[str, Any], seed: int, *, coefficient: float = bicubic.KEYS
) -> keras.Model:
    """R: a pair of images of any size and values ``[B, h, w, 2]`` -> flow ``[B, h, w, 2]``, pixels.

    ``warp(pair[..., :1], R(pair))`` lies on ``pair[..., 1:]``.

    Args:
        params: Those of :data:`DEFAULTS`, all of them.
        seed: Of the weights.
        coefficient: Of the bicubic warp it shows itself.
    """
    bound = params["max_offset"] / math.sqrt(2.0)
    depth, conv = params["depth"], _Convs(seed)
    filters, answers = (max(FEWEST, round(n * params["width"])) for n in (FILTERS, ANSWERS))
    pair = keras.Input((None, None, 2))
    x = Standardised(params["norm"] == "rows", dtype="float32")(pair)
    seen = [FirstGuess(bound, coefficient, dtype="float32")(x)] if params["first_guess"] else []
    x = seen[0] if seen else x
    levels = []
    for level in range(depth):
        x = conv(conv(x, filters << level), filters << level)
        levels.append(x)
        x = keras.layers.AveragePooling2D(2, padding="same")(x)
    x = conv(x, filters << depth)
    for level in reversed(range(depth)):
        x = Enlarged()([x, levels[level]])
        # Not from the finest level as published: the flow is smoother than what is on the ground.
        if level + 1 >= params["skips_from"]:
            x = keras.layers.Concatenate()([x, levels[level]])
        x = conv(x, filters << level)
    answer = conv(conv(x, answers), 2, last=True)
    return keras.Model(pair, Bounded(bound, dtype="float32")([answer, *seen]), name=NAME)
