"""Recipes against closed forms: schedules, clipping, averages, critic updates, warm-up, stages."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from models import base
from models.loading import load_gan_class
from sensor2sensor.config.experiment_file import Schedule
from sensor2sensor.config.network_settings import DiscriminatorSettings
from sensor2sensor.core.errors import ModelContractError
from tests.models.standin import batch, experiment

STEPS, RATE = 100, 1e-3
SMALL = {"width": 0.07}
PLAIN_EDSR = {"blocks": 1, "width": 0.07, "discriminator": True}


def network(name="generator", filters=1):
    """A 1 x 1 convolution without bias: its output is input times kernel."""
    inputs = tf.keras.Input([1, 1, 3])
    layer = tf.keras.layers.Conv2D(filters, 1, use_bias=False, kernel_initializer="ones")
    return tf.keras.Model(inputs, layer(inputs), name=name)


def rates(kind, updates, *, name="generator", critic=1, start=0.5, final=0.1):
    exp = experiment(
        steps=STEPS,
        learning_rate=RATE,
        learning_rate_schedule=Schedule(kind=kind, start=start, final=final),
        discriminator=DiscriminatorSettings(steps=critic),
    )
    optimizer = base.adam(exp, network(name))
    found = []
    for update in updates:
        optimizer.iterations.assign(update)
        found.append(float(optimizer.learning_rate))
    return found


def closed_form(kind, share):
    """Of the learning rate after this share of the decay, with 0.1 of it left at the end."""
    falls = {"linear": 1 - share, "cosine": 0.5 * (1 + np.cos(np.pi * share))}
    return RATE * (0.1 + 0.9 * falls[kind])


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize(("name", "n"), [("generator", 3), ("discriminator", 3)])
def test_a_schedule_holds_then_falls_to_its_end_at_the_last_step(kind, name, n):
    per_step = n if name == "discriminator" else 1
    updates = [per_step * step for step in (0, 49, 50, 60, 75, 100, 120)]
    expected = [RATE] * 3 + [closed_form(kind, share) for share in (0.2, 0.5, 1.0, 1.0)]
    assert rates(kind, updates, name=name, critic=n) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_schedule_may_fall_from_the_first_step_to_nothing(kind):
    found = rates(kind, [0, 50, 100], start=0.0, final=0.0)
    assert found == pytest.approx([RATE, RATE / 2, 0.0], rel=1e-5, abs=1e-9)


def test_the_latest_start_leaves_a_step_to_fall():
    assert rates("linear", [99, 100], start=0.999, final=0.0) == pytest.approx([RATE, 0.0])


def test_a_constant_rate_is_a_plain_number_and_a_schedule_survives_serialisation():
    assert rates("constant", [0, 100]) == pytest.approx([RATE, RATE])
    exp = experiment(
        steps=STEPS, learning_rate_schedule=Schedule(kind="cosine", start=0.5), learning_rate=RATE
    )
    config = base.adam(exp, network()).get_config()
    again = tf.keras.optimizers.Adam.from_config(config)
    again.iterations.assign(75)
    assert float(again.learning_rate) == pytest.approx(RATE / 2, rel=1e-5)


def test_beta_1_is_the_experiments_else_the_models():
    assert base.adam(experiment(), network(), 0.9).beta_1 == 0.9
    assert base.adam(experiment(beta_1=0.0), network(), 0.9).beta_1 == 0.0


def test_a_network_of_another_name_is_refused_and_none_has_no_optimizer():
    with pytest.raises(ModelContractError, match="cannot tell which network 'judge' is"):
        base.adam(experiment(), network("judge"))
    assert base.adam(experiment(), None) is None


def applied_gradient(optimizer, net, image):
    """From the first moment after the first update, m = (1 - beta_1) g."""
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(net(image))
    base.update(optimizer, tape, total, net)
    (moment,) = [v for v in optimizer.variables if v.name.endswith("_momentum")]
    return np.ravel(moment) / (1 - optimizer.beta_1)


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_clipping_bounds_the_norm_of_the_gradient_that_is_applied(name):
    image = tf.constant([[[[3.0, 0.0, 4.0]]]])  # the gradient of the kernel, of norm 5
    for clip, expected in ((0.5, [0.3, 0.0, 0.4]), (7.0, [3, 0, 4]), (None, [3, 0, 4])):
        net = network(name)
        optimizer = base.adam(experiment(gradient_clip=clip), net)
        assert applied_gradient(optimizer, net, image) == pytest.approx(expected, rel=1e-5)


def test_a_variable_without_a_gradient_is_an_error_that_names_it():
    inputs = tf.keras.Input([1, 1, 3])
    heads = [tf.keras.layers.Conv2D(1, 1, name=name)(inputs) for name in ("used", "idle")]
    net = tf.keras.Model(inputs, heads, name="generator")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(net(tf.ones([1, 1, 1, 3]))[0])
    with pytest.raises(ModelContractError, match="generator: no gradient reaches idle/kernel"):
        base.update(base.adam(experiment(), net), tape, total, net)


def trained(exp, name, steps, image=None):
    """A model after some steps on one batch, and what it logged."""
    gan = load_gan_class(name)(exp)
    pair = [tf.constant(part) for part in batch(exp)]
    logged = [gan.train_step(*pair, tf.constant(n, tf.int64)) for n in range(steps)]
    assert gan.train_step.experimental_get_tracing_count() == 1
    return gan, [{key: float(value) for key, value in row.items()} for row in logged]


@pytest.mark.usefixtures("step_by_step")
def test_averages_follow_the_recursion_and_leave_the_weights_alone():
    exp = experiment(ema=0.9, params=SMALL, discriminator=None)
    gan = load_gan_class("pix2pix")(exp)
    assert not gan.generator_optimizer.ema_overwrite_frequency
    image, target = (tf.constant(part) for part in batch(exp))
    expected = None
    for number in range(3):
        gan.train_step(image, target, tf.constant(number, tf.int64))
        weights = [v.numpy().astype(np.float64) for v in gan.generator.trainable_variables]
        expected = expected or weights  # the first average is the weights after the first step
        expected = [0.9 * a + 0.1 * w for a, w in zip(expected, weights, strict=True)]
    kept = [v for v in gan.generator_optimizer.variables if v.name.endswith("_average")]
    for average, value, weight in zip(kept, expected, weights, strict=True):
        np.testing.assert_allclose(average.numpy(), value, rtol=1e-5, atol=1e-7)
        assert not np.array_equal(average.numpy(), weight)


def test_only_the_generator_is_averaged():
    gan = load_gan_class("pix2pix")(experiment(ema=0.9, params=SMALL))
    assert gan.generator_optimizer.use_ema
    assert not gan.discriminator_optimizer.use_ema


@pytest.mark.slow
@pytest.mark.usefixtures("step_by_step")
def test_n_critic_updates_are_n_updates_of_the_critic_on_one_output():
    """With a resting generator, one step of two updates is two steps of one."""

    def critic(updates, steps):
        exp = experiment(
            params=PLAIN_EDSR, discriminator=DiscriminatorSettings(steps=updates), seed=3
        )
        gan = load_gan_class("edsr")(exp)
        gan.generator_optimizer.learning_rate.assign(0.0)
        image, target = (tf.constant(part) for part in batch(exp))
        for number in range(steps):
            gan.train_step(image, target, tf.constant(number, tf.int64))
        assert int(gan.discriminator_optimizer.iterations) == updates * steps
        assert int(gan.generator_optimizer.iterations) == steps
        return [v.numpy() for v in gan.discriminator.variables]

    once, twice, short = critic(2, 1), critic(1, 2), critic(1, 1)
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert any(not np.allclose(one, other) for one, other in zip(once, short, strict=True))


@pytest.mark.slow
def test_the_generator_runs_once_however_often_its_critic_is_updated():
    """Its dropout and its moving statistics move once a step."""

    def state(updates):
        exp = experiment(params=SMALL, discriminator=DiscriminatorSettings(steps=updates))
        gan, _ = trained(exp, "pix2pix", 1)
        return [v.numpy() for v in gan.generator.non_trainable_variables]

    for one, other in zip(state(1), state(2), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_during_the_warm_up_the_generator_learns_from_the_images_alone():
    exp = experiment(params=SMALL, generator_warmup=2)
    _, rows = trained(exp, "pix2pix", 3)
    for row in rows[:2]:
        assert row["total_gen_loss"] == pytest.approx(100 * row["gen_l1"], rel=1e-6)
        assert row["gen_gan"] > 0.1  # judged and logged all the same
    last = rows[2]
    assert last["total_gen_loss"] == pytest.approx(100 * last["gen_l1"] + last["gen_gan"], rel=1e-6)
    assert rows[1]["total_disc_loss"] < rows[0]["total_disc_loss"]  # D trains from the first step


def test_stages_are_the_same_discriminator_and_add_no_variable():
    exp = experiment(params=SMALL)
    gan = load_gan_class("pix2pix")(exp)
    pair = [tf.constant(part) for part in batch(exp)]
    gan.discriminator([tf.keras.Input(part.shape[1:]) for part in pair])  # called elsewhere, too
    staged = base.staged(gan.discriminator)
    *features, answer = staged(pair, training=False)
    np.testing.assert_array_equal(answer, gan.discriminator(pair, training=False))
    ids = [{id(v) for v in model.variables} for model in (staged, gan.discriminator)]
    assert ids[0] == ids[1]
    assert [feature.shape[1] for feature in features] == [32, 16, 8, 7]
    first = gan.discriminator.layers[3](tf.concat(pair, -1), training=False)
    np.testing.assert_array_equal(features[0], first)


def test_a_discriminator_without_stages_cannot_be_matched():
    pair = [tf.keras.Input([8, 8, 3]), tf.keras.Input([8, 8, 3])]
    joined = tf.keras.layers.Concatenate()(pair)
    bare = tf.keras.Model(pair, tf.keras.layers.Conv2D(1, 3)(joined), name="discriminator")
    with pytest.raises(ModelContractError, match="no stages whose features"):
        base.staged(bare)


@pytest.mark.slow
@pytest.mark.usefixtures("step_by_step")
def test_feature_matching_teaches_the_generator():
    """With nothing else to learn from, the features come nearer to those of the truth."""
    exp = experiment(params=SMALL, gen_loss={"gen_fm": 1.0}, learning_rate=1e-3)
    gan = load_gan_class("pix2pix")(exp)
    gan.discriminator_optimizer.learning_rate.assign(0.0)
    before = [v.numpy() for v in gan.generator.trainable_variables]
    image, target = (tf.constant(part) for part in batch(exp))
    rows = [gan.train_step(image, target, tf.constant(n, tf.int64)) for n in range(6)]
    assert float(rows[-1]["gen_fm"]) < float(rows[0]["gen_fm"])
    for old, variable in zip(before, gan.generator.trainable_variables, strict=True):
        assert not np.array_equal(old, variable.numpy()), variable.path


def test_without_a_discriminator_every_model_of_these_is_a_regression():
    for name in ("pix2pix", "edsr"):
        params = PLAIN_EDSR if name == "edsr" else SMALL
        exp = experiment(params=params, discriminator=None, gen_loss={"gen_l1": 1.0})
        gan, rows = trained(exp, name, 2)
        assert gan.discriminator is None
        assert gan.discriminator_optimizer is None
        assert set(rows[0]) == {"total_gen_loss", "gen_l1"}
        assert rows[1]["gen_l1"] < rows[0]["gen_l1"]
