"""The loss term of cloud removal: keep what is clear in the input, learn what is covered."""

from __future__ import annotations

import tensorflow as tf

from models.objectives.registry import EXTRA, IMAGES, LossInputs, register

MASK = "cloud_mask"
REGULARISER = 1.0  # λ of Meraner et al. 2020


@register(
    "gen_carl",
    "generator",
    needs=IMAGES | {"base", EXTRA + MASK},
    paper="Meraner et al. 2020, cloud-adaptive regularised loss",
    about="CARL: the cloudy input where it is clear, the truth where clouds or shadows cover it",
)
def gen_carl(inputs: LossInputs) -> tf.Tensor:
    """Mean of (1 - M)·|x̃ - b| + M·|x̃ - x|, and λ = 1 times the mean of |x̃ - x|.

    Meraner, Ebel, Zhu, Schmitt 2020 (DSen2-CR). b are the bands of the cloudy input that the target
    has, found by name, in the target's normalisation; M is 1 where ``cloud_mask`` is not 0, cloud
    or shadow. Both means run over every value: a mask of few pixels weighs little. Between b and x
    a clear pixel has no gradient: with λ = 1 to keep the input and to match the truth cost the
    same there.
    """
    covered = tf.cast(inputs.extras[MASK] != 0, tf.float32)[..., tf.newaxis]  # for every band
    missed = tf.abs(inputs.output - inputs.target)
    kept = tf.abs(inputs.output - inputs.base)
    adapted = (1.0 - covered) * kept + covered * missed
    return tf.reduce_mean(adapted) + REGULARISER * tf.reduce_mean(missed)
