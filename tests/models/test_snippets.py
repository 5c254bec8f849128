"""What the pages show in Python, run: tests/unit/test_docs_commands.py compares the two."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from models import losses
from tests.models.standin import experiment


class Module:
    """A model of a user's own, which computes its losses itself."""

    def __init__(self, exp):
        image = tf.keras.Input((4, 4, exp.INPUT_CHANNELS))
        target = tf.keras.Input((4, 4, exp.OUTPUT_CHANNELS))
        both = tf.keras.layers.Concatenate()([image, target])
        self.discriminator = tf.keras.Model([image, target], tf.keras.layers.Conv2D(1, 2)(both))

    def every_loss(self, exp, image, target, output, step):
        """Totals of docs/losses.md, last section."""
        bce = tf.keras.losses.BinaryCrossentropy(from_logits=True)
        real, fake = self.discriminator([image, target]), self.discriminator([image, output])
        return (
            losses.generator_loss(
                fake, output, target, exp.GEN_LOSS, bce, step=step, disc_real=real
            ),
            losses.discriminator_loss(
                real,
                fake,
                exp.DISC_LOSS,
                bce,
                step=step,
                seed=exp.SEED,
                input=image,
                target=target,
                output=output,
                discriminator=self.discriminator,
            ),
        )


def test_the_calls_of_the_page_on_losses_feed_the_terms_they_are_shown_for():
    exp = experiment(
        size=4,
        gen_loss={"gen_ragan": 1.0, "gen_l1": 1.0},
        disc_loss={"disc_ragan": 1.0, "disc_gp": 10.0},
    )
    rng = np.random.default_rng(0)
    shapes = [exp.INPUT_CHANNELS, exp.OUTPUT_CHANNELS, exp.OUTPUT_CHANNELS]
    images = [tf.constant(rng.normal(size=(1, 4, 4, c)), tf.float32) for c in shapes]
    for total, terms in Module(exp).every_loss(exp, *images, tf.constant(0, tf.int64)):
        assert np.isfinite(float(total)) and set(terms)
