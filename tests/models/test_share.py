"""The adversarial share of the generator's gradient: closed forms, no side effect."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models import base
from models.loading import load_gan_class
from models.parts.share import adversarial_share, share_tape
from tests.models.standin import batch, experiment

SMALL = {"width": 0.1}


def two_layers():
    inputs = tf.keras.Input([4, 4, 1])
    inner = tf.keras.layers.Conv2D(1, 1, kernel_initializer="ones")(inputs)
    return tf.keras.Model(inputs, tf.keras.layers.Conv2D(1, 1, kernel_initializer="ones")(inner))


def shares(judged, rest):
    """Share of ``judged`` sum(y) in ``judged`` sum(y) + ``rest`` sum(y)."""
    generator = two_layers()
    with tf.GradientTape() as tape, share_tape(generator) as last:
        total = tf.reduce_sum(generator(tf.ones([2, 4, 4, 1])))
        part, whole = judged * total, judged * total + rest * total
    gradients = tape.gradient(whole, generator.trainable_variables)
    return float(adversarial_share(last, part, gradients, generator))


@pytest.mark.parametrize(
    ("judged", "rest", "share"),
    [(3.0, 1.0, 0.75), (3.0, -1.0, 0.75), (-1.0, 99.0, 0.01), (0.0, 2.0, 0.0), (2.0, 0.0, 1.0)],
)
def test_share_is_that_of_the_gradients_norms_at_the_last_kernel(judged, rest, share):
    assert shares(judged, rest) == pytest.approx(share, abs=1e-6)


def test_without_any_gradient_there_is_no_share():
    assert shares(0.0, 0.0) == 0.0


def train(steps=2, name="pix2pix", **settings):
    exp = experiment(params=SMALL, seed=3, **settings)
    gan = load_gan_class(name)(exp)
    image, target = map(tf.constant, batch(exp))
    rows = [gan.train_step(image, target, tf.constant(n, tf.int64)) for n in range(steps)]
    return gan, [{key: float(value) for key, value in row.items()} for row in rows]


@pytest.mark.slow
def test_training_is_bit_for_bit_the_same_with_and_without_the_share(monkeypatch):
    with_share, rows = train()
    monkeypatch.setattr(base, "adversarial_share", lambda *_: tf.zeros([]))
    without, plain = train()
    assert all(0.0 < row["gen_adversarial_share"] < 1.0 for row in rows)
    assert rows == [row | {"gen_adversarial_share": r["gen_adversarial_share"]}
                    for row, r in zip(plain, rows, strict=True)]  # fmt: skip
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(with_share, network).variables, getattr(without, network).variables,
                    strict=True)  # fmt: skip
        assert all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.slow
def test_share_follows_the_weight_and_is_zero_while_nothing_is_judged(step_by_step):
    def first(weight, **settings):
        _, rows = train(1, gen_loss={"gen_gan": weight, "gen_l1": 1.0}, **settings)
        return rows[0]["gen_adversarial_share"]

    heavy, light = first(1.0), first(0.1)
    # |a| / (|a| + |r|) with a proportional to the weight.
    assert light / (1 - light) == pytest.approx(0.1 * heavy / (1 - heavy), rel=1e-3)
    assert first(0.0) == 0.0
    assert first(1.0, generator_warmup=1) == 0.0
