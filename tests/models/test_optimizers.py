"""Which optimizer an experiment gets; Nadam of Keras 2 against its formula in NumPy (V20)."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.loading import load_gan_class
from models.parts.optimizers import Adam, Delayed, Keras2Nadam, adam
from sensor2sensor.config.experiment_file import Schedule
from sensor2sensor.training.checkpoints import save
from sensor2sensor.training.restoring import restore_latest
from sensor2sensor.training.state import TrainingState
from tests.models import clouds

TINY = {"features": 4, "blocks": 1}
EVERYTHING = {
    "ema": 0.9, "gradient_clip": 0.5, "learning_rate": 1e-3, "steps": 8, "epsilon": 1e-8,
    "learning_rate_schedule": Schedule(kind="cosine", start=0.25),
}  # fmt: skip


def nadam_of_keras_2(gradients, start, rate, *, decay=0.004, beta_1=0.9, beta_2=0.999, eps=1e-8):
    """Keras 2.2.4, in double precision: the parameter after each update."""
    value, mean, square, product, found = start.copy(), 0.0, 0.0, 1.0, []
    for number, gradient in enumerate(gradients, start=1):
        now, following = (beta_1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (number, number + 1))
        product *= now
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        ahead = (1 - now) * gradient / (1 - product)
        ahead = ahead + following * mean / (1 - product * following)
        value = value - rate * ahead / (np.sqrt(square / (1 - beta_2**number)) + eps)
        found.append(value)
    return np.array(found)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
def test_two_thousand_updates_follow_the_formula(dtype, tolerance):
    random = np.random.default_rng(0)
    gradients = random.normal(0.3, 1.0, (2000, 5)) * np.logspace(-3, 2, 5)
    rate = 2.0**-14  # 6.1e-5, in float32 too
    wanted = nadam_of_keras_2(gradients, np.zeros(5), rate)
    variable = keras.Variable(np.zeros(5), dtype=dtype)
    optimizer = Keras2Nadam(rate, epsilon=1e-8)
    optimizer.build([variable])
    given = tf.constant(gradients, dtype)

    @tf.function
    def train():
        for number in tf.range(2000):
            optimizer.apply_gradients([(given[number], variable)])

    train()
    np.testing.assert_allclose(variable.numpy(), wanted[-1], rtol=0, atol=tolerance)
    # Keras 3's own is another path by far more than that.
    assert np.abs(nadam_of_keras_2(gradients, np.zeros(5), rate, decay=1.0) - wanted).max() > 1e-5


@pytest.mark.parametrize(
    ("decay", "step", "momentum"),
    [(0.004, 1, 0.45007), (0.004, 1000, 0.51779), (0.004, 100_000, 0.9), (1.0, 1, 0.468)],
)
def test_the_momentum_warms_up_as_published(decay, step, momentum):
    optimizer = Keras2Nadam(schedule_decay=decay)
    assert float(optimizer._momentum(step, "float32")) == pytest.approx(momentum, abs=6e-6)


def network():
    inputs = keras.Input([2])
    return keras.Model(inputs, keras.layers.Dense(1)(inputs), name="generator")


@pytest.mark.parametrize(
    ("asked", "kind"),
    [("adam", "Adam"), ("nadam", "Nadam"), ("nadam_keras2", "Keras2Nadam")],
)
def test_an_experiment_gets_the_optimizer_it_names(asked, kind):
    made = adam(clouds.experiment(optimizer=asked, beta_1=0.8), network())
    assert type(made).__name__ == kind and made.beta_1 == 0.8
    assert made.epsilon == 1e-7  # Keras' own
    other = adam(clouds.experiment(optimizer=asked, epsilon=1e-8, ema=0.9), network())
    assert other.epsilon == 1e-8 and other.use_ema
    again = type(made).from_config(other.get_config())
    assert again.get_config() == other.get_config()


def test_without_the_new_keys_adam_is_made_as_before():
    made = adam(clouds.experiment(), network(), 0.9)
    before = keras.optimizers.Adam(2e-4, beta_1=0.9)
    assert {**made.get_config(), "name": ""} == {**before.get_config(), "name": ""}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options", [{}, {"global_clipnorm": 0.5, "use_ema": True}], ids=["", "all"]
)
def test_adam_moves_as_that_of_keras_bit_for_bit(options, dtype):
    falling = Delayed(keras.optimizers.schedules.CosineDecay(1e-2, 9), 2)

    def values(kind):
        random, found = np.random.default_rng(4), []
        variables = [keras.Variable(random.normal(size=s), dtype=dtype) for s in ((3, 2), (4,))]
        for rate in (1e-3, falling):
            optimizer = kind(rate, beta_1=0.5, epsilon=1e-8, **options)
            optimizer.build(variables)
            for _ in range(12):
                gradients = [tf.constant(random.normal(size=v.shape), v.dtype) for v in variables]
                optimizer.apply_gradients(zip(gradients, variables, strict=True))
            found += [v.numpy() for v in [*variables, *optimizer.variables]]
        return found

    for one, other in zip(values(Adam), values(keras.optimizers.Adam), strict=True):
        np.testing.assert_array_equal(one, other)


def trained(kind, steps, folder=None, stop=None):
    """Values of all state after ``steps``; saved and restored into another model at ``stop``."""

    def make():
        exp = clouds.experiment(params=TINY, optimizer=kind, **EVERYTHING)
        return load_gan_class("dsen2cr")(exp)

    gan = make()
    for number in range(steps):
        if number == stop:
            save(folder, TrainingState(gan), number)
            gan = make()
            restore_latest(folder, TrainingState(gan), repair=False)
        random = np.random.default_rng(number)
        image, target = (random.normal(size=(1, 8, 8, n)).astype("float32") for n in (12, 10))
        gan.train_step(*map(tf.constant, (image, target)), tf.constant(number, tf.int64))
    return SimpleNamespace(
        gan=gan, values=[np.array(v) for v in gan.generator.variables],
        kept=[np.array(v) for v in gan.generator_optimizer.variables],
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nadam", "nadam_keras2"])
def test_a_training_that_stops_and_goes_on_is_the_same_bit_for_bit(kind, tmp_path):
    """Averages, clipping and a falling rate with it."""
    whole, halves = trained(kind, 6), trained(kind, 6, tmp_path, stop=3)
    for one, other in ((whole.values, halves.values), (whole.kept, halves.kept)):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first, second)
    names = [v.path for v in whole.gan.generator_optimizer.variables]
    assert any("average" in name for name in names)
    assert any(0 < float(v) < 1 for v in whole.kept if v.shape == () and v.dtype == np.float32)
