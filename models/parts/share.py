"""The part of a generator's gradient that comes from its discriminator."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from sensor2sensor.networks import replicas


def share_tape(generator: tf.keras.Model) -> tf.GradientTape:
    """A tape for :func:`adversarial_share`, which must see the generator run and what judges it.

    It watches the last kernel alone: of what leads up to that no gradient is worked out.
    """
    tape = tf.GradientTape(watch_accessed_variables=False)
    kernel = generator.trainable_variables[_last_kernel(generator)]
    with tape:
        tape.watch(kernel.value)
    return tape


def adversarial_share(
    tape: tf.GradientTape,
    judged: tf.Tensor | None,
    gradients: Sequence[tf.Tensor],
    generator: tf.keras.Model,
) -> tf.Tensor:
    """How much of the generator's gradient comes from the discriminator, 0 to 1.

    |a| / (|a| + |t - a|), a the gradient of the weighted adversarial terms and t that of the total
    with respect to the last kernel of the generator: the layer at which Esser, Rombach, Ommer 2021
    (CVPR, VQGAN, eq. 7) balance the two. 0 without such a term and during a warm-up.

    Args:
        tape: :func:`share_tape`.
        judged: The weighted sum of the adversarial terms, or None.
        gradients: That of the total for each trainable variable of the generator.
        generator: Its kernels are ordered as its layers.
    """
    if judged is None:
        return tf.zeros([])
    place = _last_kernel(generator)
    adversarial = tape.gradient(judged, generator.trainable_variables[place])
    # Of the gradients that are applied: norms of their parts on several devices are no parts.
    adversarial, whole = map(replicas.mean_of_all, (adversarial, gradients[place]))
    part, rest = tf.norm(adversarial), tf.norm(whole - adversarial)
    return tf.math.divide_no_nan(part, part + rest)


def _last_kernel(generator: tf.keras.Model) -> int:
    """Its number among the trainable variables."""
    # Biases have one dimension; a network of nothing else is asked for its last one.
    ranks = [len(one.shape) for one in generator.trainable_variables]
    return max((place for place, rank in enumerate(ranks) if rank > 1), default=len(ranks) - 1)
