"""Loss terms for two sensors: what the coarser one sees, detail, strata, shifts, geometry."""

from __future__ import annotations

import tensorflow as tf

from models.objectives.pixel import smooth_l1
from models.objectives.registry import IMAGES, LossInputs, register

SEARCH_PX = 4  # of gen_shift_l1, in every direction
QUARTILES = 4


@register(
    "gen_lr_fidelity",
    "generator",
    needs={"output", "low", "sensor"},
    paper="Wald et al. 1997, consistency: degraded, the product is the original image",
    about="Smooth L1 between the input and the generated image as the input's sensor sees it",
)
def gen_lr_fidelity(inputs: LossInputs) -> tf.Tensor:
    """Mean smooth L1 of S(x̃) - l: S is the input's sensor, l the input on its own grid.

    It looks at no truth, so it supervises bands that have none, too.
    """
    return tf.reduce_mean(smooth_l1(inputs.sensor.seen(inputs.output) - inputs.low))


@register(
    "gen_hr_fidelity",
    "generator",
    needs=IMAGES | {"sensor"},
    paper="smooth L1 of what the coarser sensor does not see",
    about="Smooth L1 between the high frequencies of both images",
)
def gen_hr_fidelity(inputs: LossInputs) -> tf.Tensor:
    """Mean smooth L1 of h(x̃) - h(x), h(x) = x less the bicubic enlargement of S(x)."""
    detail = inputs.sensor.detail(inputs.output - inputs.target)  # h is linear
    return tf.reduce_mean(smooth_l1(detail))


@register(
    "gen_l1_flat",
    "generator",
    needs=IMAGES,
    paper="L1 in the lowest quartile of the truth's gradient",
    about="Mean absolute difference where the truth is flat: its lowest quartile of gradient",
)
def gen_l1_flat(inputs: LossInputs) -> tf.Tensor:
    """Mean |x - x̃| over the quarter of each image and band where the truth's gradient is least."""
    return _stratum_l1(inputs, -gradient_magnitude(inputs.target))


@register(
    "gen_l1_edges",
    "generator",
    needs=IMAGES,
    paper="L1 in the highest quartile of the truth's gradient",
    about="Mean absolute difference at the truth's edges: its highest quartile of gradient",
)
def gen_l1_edges(inputs: LossInputs) -> tf.Tensor:
    """Mean |x - x̃| over the quarter of each image and band where the truth's gradient is most."""
    return _stratum_l1(inputs, gradient_magnitude(inputs.target))


def gradient_magnitude(image: tf.Tensor) -> tf.Tensor:
    """Length of the gradient by central differences, ``[B, H - 2, W - 2, C]``, per pixel."""
    down = image[:, 2:, 1:-1] - image[:, :-2, 1:-1]
    across = image[:, 1:-1, 2:] - image[:, 1:-1, :-2]
    return tf.sqrt(tf.square(down) + tf.square(across)) / 2.0


def _stratum_l1(inputs: LossInputs, rank: tf.Tensor) -> tf.Tensor:
    """Mean |x - x̃| where ``rank`` is in its highest quartile; ties at its end all count."""
    missed = tf.abs(inputs.target - inputs.output)[:, 1:-1, 1:-1]
    shape = tf.shape(missed)
    flat = [shape[0], shape[1] * shape[2], shape[3]]
    ranked = tf.sort(tf.reshape(rank, flat), axis=1, direction="DESCENDING")
    least = ranked[:, tf.maximum(flat[1] // QUARTILES, 1) - 1]
    inside = tf.cast(rank >= least[:, tf.newaxis, tf.newaxis], missed.dtype)
    # Image by image and band by band: ties of one must not outweigh another.
    means = tf.reduce_sum(inside * missed, [1, 2]) / tf.reduce_sum(inside, [1, 2])
    return tf.reduce_mean(means)


@register(
    "gen_shift_l1",
    "generator",
    needs=IMAGES,
    paper="L1 at the best of all shifts of up to 4 pixels",
    about="Mean absolute difference, each image shifted as a whole to where it is least",
)
def gen_shift_l1(inputs: LossInputs) -> tf.Tensor:
    """Mean |x moved - x̃| without a frame of 4 pixels, at the best whole shift of each image.

    All 81 shifts of up to 4 pixels are tried; the best is that of all bands together, each with
    its weight and where it has a truth. The truth is moved, so gradients are those of an L1.
    """
    output = inputs.output[:, SEARCH_PX:-SEARCH_PX, SEARCH_PX:-SEARCH_PX]
    # Without a truth the output is the target itself, which a moved one differs from.
    weigh = _band_weights(inputs)
    moved = best_shifted(inputs.target, output, weigh)
    return tf.reduce_mean(weigh * tf.abs(moved - output))


def _band_weights(inputs: LossInputs) -> tf.Tensor:
    """What a band of an image counts, ``[B or 1, 1, 1, C or 1]``; 0 where it has no truth."""
    weigh, known = tf.ones([1, 1, 1, 1]), inputs.known
    if inputs.weights is not None:
        weigh *= tf.constant(inputs.weights, tf.float32)
    if known is not None and len(known.shape) == 2:
        weigh *= tf.cast(known, tf.float32)[:, tf.newaxis, tf.newaxis]
    return weigh


def best_shifted(target: tf.Tensor, output: tf.Tensor, weigh: tf.Tensor) -> tf.Tensor:
    """The windows of ``target`` that differ least from ``output``; no gradient goes through.

    Args:
        target: ``[B, H, W, C]``.
        output: Its inner part, ``[B, H - 8, W - 8, C]``.
        weigh: What a band counts in the choice, ``[B or 1, 1, 1, C or 1]``.
    """
    shape, side = tf.shape(output), 2 * SEARCH_PX + 1
    fixed = tf.stop_gradient(output)

    def window(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return target[:, row : row + shape[1], column : column + shape[2]]

    def missed(place: tf.Tensor) -> tf.Tensor:
        there = window(place // side, place % side)
        return tf.reduce_mean(weigh * tf.abs(there - fixed), [1, 2, 3])

    # One after the other: 81 differences side by side would fill the memory.
    errors = tf.map_fn(missed, tf.range(side * side), fn_output_signature=output.dtype)
    best = tf.argmin(errors, output_type=tf.int32)  # [B]
    rows = (best // side)[:, tf.newaxis] + tf.range(shape[1])
    columns = (best % side)[:, tf.newaxis] + tf.range(shape[2])
    found = tf.gather(tf.gather(target, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
    return tf.stop_gradient(found)


@register(
    "gen_warp",
    "generator",
    needs=IMAGES | {"low", "sensor", "flow"},
    paper="smooth L1 of flows by a frozen registration",
    about="Keeps the input's geometry: smooth L1 between flows of prediction and input",
)
def gen_warp(inputs: LossInputs) -> tf.Tensor:
    """Mean smooth L1 of R(S(x̃), S(x)) - R(l, S(x)), in pixels of the input.

    R is the frozen registration, S the input's sensor, l the input: what the generator makes is to
    lie to the truth as the input does.
    """
    truth = inputs.sensor.seen(inputs.target)
    made = inputs.flow(inputs.sensor.seen(inputs.output), truth)
    return tf.reduce_mean(smooth_l1(made - tf.stop_gradient(inputs.flow(inputs.low, truth))))
