"""The gradient penalty and WGAN-GP: closed forms, keyed draws, small trainings."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models import losses
from models.losses import LossInputs

LOGITS = tf.keras.losses.BinaryCrossentropy(from_logits=True)


def step_number(number):
    return tf.constant(number, tf.int64)


def penalty(critic, target, output, step=0, **more):
    inputs = LossInputs(
        input=tf.zeros_like(target), target=target, output=output, discriminator=critic,
        step=tf.cast(step, tf.int64), loss_object=LOGITS, **more,
    )  # fmt: skip
    return losses.REGISTRY["disc_gp"](inputs)


def linear_critic(size, kernel):
    """D(x) = one dot product per window of the image; the input image has no part in it."""
    pair = [tf.keras.Input([size, size, kernel.shape[2]]) for _ in range(2)]
    conv = tf.keras.layers.Conv2D(1, kernel.shape[0], kernel.shape[0], use_bias=False)
    critic = tf.keras.Model(pair, conv(pair[1]))
    conv.kernel.assign(kernel)
    return critic


class Squares(tf.keras.Model):
    """D(x) = x² of every pixel, whose slope tells where it was taken."""

    def call(self, pair, training=False):
        return tf.square(pair[1])


def test_the_penalty_of_a_linear_critic_and_its_gradient_are_known():
    """Four windows, so the mean answer has slope w/4 in each: a norm of ‖w‖·√4/4 = ‖w‖/2."""
    kernel = np.random.default_rng(1).normal(size=(2, 2, 3, 1)).astype(np.float32)
    critic = linear_critic(4, kernel)
    images = np.random.default_rng(2).normal(size=(2, 5, 4, 4, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        value = penalty(critic, *images)
    norm = np.linalg.norm(kernel)
    assert float(value) == pytest.approx((norm / 2 - 1) ** 2, rel=1e-5)
    (found,) = tape.gradient(value, critic.trainable_variables)
    np.testing.assert_allclose(found, (norm / 2 - 1) * kernel / norm, rtol=1e-4, atol=1e-6)


def test_a_critic_without_slope_costs_one_and_has_a_finite_gradient():
    critic = linear_critic(4, np.zeros((2, 2, 1, 1), np.float32))
    with tf.GradientTape() as tape:
        value = penalty(critic, tf.ones([2, 4, 4, 1]), tf.zeros([2, 4, 4, 1]))
    assert float(value) == 1.0
    np.testing.assert_array_equal(tape.gradient(value, critic.trainable_variables)[0], 0.0)


def share_of(step=0, images=1, side=1, **more):
    """The e that was drawn: between 3 and 1, mean x² has slope 2(1 + 2e)/side."""
    target = tf.fill([images, side, side, 1], 3.0)
    value = penalty(Squares(), target, tf.ones_like(target), step, **more)
    return ((np.sqrt(float(value)) + 1) * side / 2 - 1) / 2


def test_the_draw_is_a_function_of_seed_step_and_update():
    first = share_of(4, seed=1, draw=2)
    assert first == share_of(4, seed=1, draw=2)
    traced = tf.function(lambda step: penalty(Squares(), *pair, step, seed=1, draw=2))
    pair = tf.fill([1, 1, 1, 1], 3.0), tf.ones([1, 1, 1, 1])
    assert float(traced(step_number(4))) == pytest.approx((2 * (1 + 2 * first) - 1) ** 2, rel=1e-5)
    others = [share_of(5, seed=1, draw=2), share_of(4, seed=2, draw=2), share_of(4, seed=1, draw=1)]
    assert len({first, *others}) == 4


def test_the_draws_are_uniform_and_one_per_image():
    draws = np.array([share_of(step) for step in range(300)])
    assert draws.min() >= -1e-6 and draws.max() < 1.0
    # Standard error of the mean of 300 uniform numbers: 0.017; of their deviation about 0.008.
    assert draws.mean() == pytest.approx(0.5, abs=0.07)
    assert draws.std() == pytest.approx(np.sqrt(1 / 12), abs=0.04)
    # All 16 pixels of an image share its e, else the norm would not give the same number back.
    assert share_of(7, side=4) == pytest.approx(share_of(7), abs=1e-5)
    assert share_of(7, images=2) != pytest.approx(share_of(7), abs=1e-3)


def test_the_penalty_sends_nothing_back_to_the_generator():
    output = tf.Variable(tf.ones([1, 2, 2, 1]))
    with tf.GradientTape() as tape:
        value = penalty(Squares(), tf.fill([1, 2, 2, 1], 3.0), output)
    assert tape.gradient(value, output) is None


def trained_slope(weights, steps, distance=3.0):
    """The slope w of a critic D(x) = w·x after training on x = distance and x̃ = 0."""
    critic = linear_critic(1, np.full((1, 1, 1, 1), 0.1, np.float32))
    target, output = tf.fill([1, 1, 1, 1], distance), tf.zeros([1, 1, 1, 1])

    @tf.function
    def one_step(step):
        with tf.GradientTape() as tape:
            real, fake = critic([output, target]), critic([output, output])
            total, _ = losses.discriminator_loss(
                real, fake, weights, LOGITS, step=step, input=output, target=target, output=output,
                discriminator=critic,
            )  # fmt: skip
        kernel = critic.trainable_variables[0]
        kernel.assign_sub(0.04 * tape.gradient(total, kernel))

    for number in range(steps):
        one_step(step_number(number))
    return float(critic.trainable_variables[0][0, 0, 0, 0])


def test_the_penalty_bounds_the_critic_where_cross_entropy_does_not():
    """With weight λ the optimum of -w·d + λ(w - 1)² is w = 1 + d/(2λ)."""
    bounded = trained_slope({"disc_wstein": 1.0, "disc_gp": 10.0}, 100)
    assert bounded == pytest.approx(1.0 + 3.0 / 20.0, rel=1e-4)
    early, later, last = (trained_slope({"disc_bce": 1.0}, steps) for steps in (100, 400, 1600))
    # Cross-entropy of separable images falls for ever: w grows by ln 4 / d each time.
    assert early > bounded
    assert later - early == pytest.approx(np.log(4) / 3.0, rel=0.1)
    assert last - later == pytest.approx(np.log(4) / 3.0, rel=0.1)


def convolutional_critic():
    tf.keras.utils.set_random_seed(3)
    pair = [tf.keras.Input([8, 8, 1]) for _ in range(2)]
    x = tf.keras.layers.Conv2D(8, 4, 2, "same")(tf.keras.layers.Concatenate()(pair))
    x = tf.keras.layers.LeakyReLU()(x)
    return tf.keras.Model(pair, tf.keras.layers.Conv2D(1, 4, 1, "same")(x))


def test_wgan_gp_moves_the_generated_mean_onto_that_of_the_truth():
    """8 x 8 noise around 2 against noise around θ, which starts at 0; the noise never matches."""
    critic, mean = convolutional_critic(), tf.Variable(0.0)
    generator_optimizer = tf.keras.optimizers.Adam(0.05, 0.0, 0.9)
    critic_optimizer = tf.keras.optimizers.Adam(0.01, 0.0, 0.9)

    def fields(step, draw, target, noise):
        output = mean + noise
        blank = tf.zeros_like(target)
        return LossInputs(
            input=blank, target=target, output=output, disc_real=critic([blank, target]),
            disc_fake=critic([blank, output]), discriminator=critic, step=step, draw=draw,
        )  # fmt: skip

    @tf.function
    def one_step(step, target, noise):
        variables = critic.trainable_variables
        for draw in range(5):
            with tf.GradientTape() as tape:
                inputs = fields(step, draw, target[draw], noise[draw])
                weights = {"disc_wstein": 1.0, "disc_gp": 10.0}
                total, _ = losses.weighted(inputs, weights, "discriminator")
            critic_optimizer.apply_gradients(
                zip(tape.gradient(total, variables), variables, strict=True)
            )
        with tf.GradientTape() as tape:
            inputs = fields(step, 0, target[0], noise[0])
            total, _ = losses.weighted(inputs, {"gen_wstein": 1.0}, "generator")
        generator_optimizer.apply_gradients([(tape.gradient(total, mean), mean)])

    generator, path = np.random.default_rng(0), []
    for number in range(110):
        noise = 0.3 * generator.normal(size=(2, 5, 4, 8, 8, 1)).astype(np.float32)
        one_step(step_number(number), 2.0 + noise[0], noise[1])
        path.append(float(mean))
    assert np.mean(path[-40:]) == pytest.approx(2.0, abs=0.1)
    assert np.ptp(path[-40:]) < 0.5
