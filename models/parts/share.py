"""The part of a generator's gradient that comes from its discriminator."""

from __future__ import annotations

import tensorflow as tf


def adversarial_share(
    tape: tf.GradientTape, judged: tf.Tensor | None, total: tf.Tensor, generator: tf.keras.Model
) -> tf.Tensor:
    """How much of the generator's gradient comes from the discriminator, 0 to 1.

    |a| / (|a| + |t - a|), a the gradient of the weighted adversarial terms and t that of the total
    with respect to the last kernel of the generator: the layer at which Esser, Rombach, Ommer 2021
    (CVPR, VQGAN, eq. 7) balance the two. 0 without such a term and during a warm-up.

    Args:
        tape: A persistent tape that saw both.
        judged: The weighted sum of the adversarial terms, or None.
        total: The generator's total.
        generator: Its kernels are ordered as its layers.
    """
    if judged is None:
        return tf.zeros([])
    weights = generator.trainable_variables
    # Biases have one dimension; a network of nothing else is asked for its last one.
    kernel = ([one for one in weights if len(one.shape) > 1] or weights)[-1]
    adversarial, whole = (tape.gradient(value, kernel) for value in (judged, total))
    part, rest = tf.norm(adversarial), tf.norm(whole - adversarial)
    return tf.math.divide_no_nan(part, part + rest)
