"""What a registration learns from: its own answers to a pair, and to synthetic changes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from sensor2sensor.core.seeds import Purpose, derive
from sensor2sensor.networks import replicas
from sensor2sensor.pipeline import bicubic
from sensor2sensor.pipeline.flow import compose, standardised

EDGE_PX = (1.0, 10.0)  # width of a synthetic step


@dataclass(frozen=True)
class Flows:
    """Pairs of what should be equal, flows in pixels; R(a, b) moves a onto b.

    Attributes:
        composed: ``phi`` and then R(warp(S, phi), L), ``[B, h, w, 2]``; it should be ``direct``.
        direct: R(S, L).
        same: R(S, S), which should be 0.
        returned: R(S, L) and then R(L, S), which should be 0.
        warped: S moved along R(S, L), standardised, ``[B, h, w, 1]``; it should be ``fixed``.
        fixed: L, standardised.
    """

    composed: tf.Tensor
    direct: tf.Tensor
    same: tf.Tensor
    returned: tf.Tensor
    warped: tf.Tensor
    fixed: tf.Tensor


def synthetic_flow(like: tf.Tensor, most_px: float, seed: int, step: tf.Tensor) -> tf.Tensor:
    """A smooth wave and a step across a line, ``[B, h, w, 2]``, drawn for each image and axis.

    Waves are what a platform's vibration and a relief leave, steps what the seams between
    detectors leave. Together they are no longer than ``most_px`` along either axis, so that a
    network whose answer is bounded can undo them; published were up to 4 pixels where it can say
    1.4.

    Args:
        like: Images ``[B, h, w, C]`` of the size wanted.
        most_px: The bound.
        seed: The experiment's.
        step: Number of the step, which the draw follows.
    """
    key = [derive(seed, Purpose.FLOW) % (1 << 31), step]
    count, height, width = tf.unstack(tf.shape(like)[:3])
    whole = [10, count * replicas.count(), 1, 1, 2]
    drawn = tf.random.stateless_uniform(whole, tf.cast(tf.stack(key), tf.int64))
    drawn = replicas.own_part(drawn, count, axis=1)
    turn, phase, waves, lean, place, edge, share, size, sign, _ = tf.unstack(drawn)
    row = (tf.cast(tf.range(height), tf.float32) + 0.5)[:, tf.newaxis, tf.newaxis]
    column = (tf.cast(tf.range(width), tf.float32) + 0.5)[tf.newaxis, :, tf.newaxis]
    side = tf.cast(tf.minimum(height, width), tf.float32)

    def across(angle: tf.Tensor) -> tf.Tensor:
        """Distance from the middle along a direction, in pixels."""
        down = row - 0.5 * tf.cast(height, tf.float32)
        right = column - 0.5 * tf.cast(width, tf.float32)
        return tf.sin(angle) * down + tf.cos(angle) * right

    full = 2.0 * math.pi
    # From half a wave to two over an image: flows are smoother than what is on the ground.
    cycles = (0.5 + 1.5 * waves) / side
    wave = tf.cos(full * (across(full * turn) * cycles + phase))
    wide = EDGE_PX[0] + (EDGE_PX[1] - EDGE_PX[0]) * edge
    seam = tf.tanh((across(full * lean) - (place - 0.5) * side) / wide)
    mixed = share * wave + (1.0 - share) * tf.where(sign < 0.5, -1.0, 1.0) * seam
    return most_px * size * mixed


# Nothing here branches on a tensor in Python, and to translate it takes longer than to trace it.
@tf.autograph.experimental.do_not_convert
def flows_of(
    network: tf.keras.Model,
    pair: tf.Tensor,
    most_px: float,
    seed: int,
    step: tf.Tensor,
    *,
    additive: bool = False,
    coefficient: float = bicubic.KEYS,
) -> Flows:
    """Ask a network for all that :class:`Flows` holds, in one call.

    Args:
        network: R.
        pair: S and L, ``[B, h, w, 2]``, of any values.
        most_px: Longest synthetic displacement along an axis; the border of that width, where a
            warp reads beyond the image, is left out of everything.
        seed: The experiment's.
        step: Number of the step.
        additive: Chain flows by adding them (``compat: torchsisr``).
        coefficient: Of the bicubic kernel.
    """
    moving, fixed = pair[..., :1], pair[..., 1:]
    phi = synthetic_flow(pair, most_px, seed, step)
    moved = bicubic.warp(moving, phi, coefficient=coefficient)
    asked = [(moving, fixed), (moved, fixed), (moving, moving), (fixed, moving)]
    answers = network(tf.concat([tf.concat(both, -1) for both in asked], axis=0), training=True)
    direct, after, same, back = tf.split(answers, 4)
    warped = bicubic.warp(standardised(moving), direct, coefficient=coefficient)
    border = min(math.ceil(most_px), (pair.shape[1] or 0) // 4, (pair.shape[2] or 0) // 4)

    def inner(x: tf.Tensor) -> tf.Tensor:
        return x[:, border : tf.shape(x)[1] - border, border : tf.shape(x)[2] - border]

    found = {
        "composed": compose(phi, after, additive=additive),
        "direct": direct,
        "same": same,
        "returned": compose(direct, back, additive=additive),
        "warped": warped,
        "fixed": standardised(fixed),
    }
    return Flows(**{name: inner(x) for name, x in found.items()})
