"""What a generator keeps of its training mode: dropout by draws, moments of image or batch."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.network_settings import InferenceSettings
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.predictors.draws import Draws, draws_of
from sensor2sensor.training.applied import (
    Applied,
    applied_generator,
    applied_predictor,
    at_inference,
    undrawn,
)
from sensor2sensor.training.layer_modes import dropouts, in_training

NAMES = ["a", "b", "c"]
IMAGES = tf.constant(np.random.default_rng(0).normal(1.0, 2.0, (3, 8, 8, 2)), tf.float32)


def network(*drops, norm=True):
    keras.utils.set_random_seed(1)
    inputs = keras.Input([8, 8, 2])
    x = keras.layers.Conv2D(6, 3, padding="same")(inputs)
    x = keras.layers.BatchNormalization()(x) if norm else x
    for drop in drops or (keras.layers.Dropout(0.5),):
        x = drop(x)
    made = keras.Model(inputs, keras.layers.Conv2D(3, 1)(x))
    made(IMAGES * 3.0, training=True)  # so that moving averages are not what they began as
    return made


def predicted(generator, rows=slice(None), names=NAMES):
    return np.asarray(generator(IMAGES[rows], names=np.array(names)[rows].tolist()))


def state(made):
    return [np.array(v) for v in made.variables]


@pytest.mark.parametrize("kind", ["train", "image", "batch"])
def test_draws_are_seeded_and_nothing_of_the_network_changes(kind):
    made = network()
    before = state(made)

    def of(**drawn):
        return predicted(at_inference(made, kind, dropout=True, **drawn))

    first, again, second, other = of(), of(), of(draw=1), of(seed=1)
    np.testing.assert_array_equal(first, again)
    for different in (second, other):
        assert np.abs(first - different).max() > 0.1
    for one, two in zip(before, state(made), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", ["train", "image"])
def test_no_image_depends_on_its_neighbours(kind):
    applied = at_inference(network(), kind, dropout=True)
    whole = predicted(applied)
    for row in range(3):
        alone = predicted(applied, slice(row, row + 1))
        np.testing.assert_allclose(alone[0], whole[row], atol=1e-6)
    backwards = np.asarray(applied(IMAGES[::-1], names=NAMES[::-1]))
    np.testing.assert_allclose(backwards[::-1], whole, atol=1e-6)
    renamed = predicted(applied, names=["x", "b", "c"])
    assert np.abs(renamed[0] - whole[0]).max() > 0.1
    np.testing.assert_allclose(renamed[1:], whole[1:], atol=1e-6)


@pytest.mark.parametrize("twice", [True, False])
def test_the_mask_of_an_image_is_its_own_in_any_batch(twice):
    drop = keras.layers.Dropout(0.5)
    made = network(*([drop] * (1 + twice)), norm=False)  # so that the mask alone could differ
    applied = at_inference(made, "batch", dropout=True, draw=2)
    whole = predicted(applied)
    backwards = np.asarray(applied(IMAGES[::-1], names=NAMES[::-1]))
    np.testing.assert_allclose(backwards[::-1], whole, atol=1e-6)
    alone = [predicted(applied, slice(row, row + 1))[0] for row in range(3)]
    np.testing.assert_allclose(alone, whole, atol=1e-6)
    by_image = at_inference(made, "train", dropout=True, draw=2)
    np.testing.assert_allclose(predicted(by_image), whole, atol=1e-6)
    same = np.asarray(applied(tf.stack([IMAGES[0]] * 2), names=["a", "b"]))
    assert np.abs(same[0] - same[1]).max() > 0.1


def test_what_has_no_row_of_its_own_for_each_image_is_dropped_for_each():
    class Placed(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = keras.layers.Dropout(0.5)

        def call(self, x, training=None):
            return x + self.drop(tf.ones([1, *x.shape[1:]]), training=training)

    applied = at_inference(network(Placed(), norm=False), "batch", dropout=True)
    whole = predicted(applied)
    alone = [predicted(applied, slice(row, row + 1))[0] for row in range(3)]
    np.testing.assert_allclose(alone, whole, atol=1e-6)


def test_a_plain_generator_does_not_depend_on_its_neighbours_either():
    made = network()
    generator = at_inference(made, "train")
    assert generator is made
    np.testing.assert_allclose(made(IMAGES)[:1], made(IMAGES[:1]), atol=1e-6)


def test_batch_statistics_are_those_of_training_mode():
    """By batch and without dropout a generator gives what ``training=True`` gives."""
    made = network(keras.layers.ReLU())
    applied = at_inference(made, "batch")
    found = np.asarray(applied(IMAGES))
    before = state(made)
    np.testing.assert_allclose(found, made(IMAGES, training=True), atol=1e-5)
    moved = zip(before, state(made), strict=True)
    assert any(not np.array_equal(*pair) for pair in moved)  # which the applied one left alone
    alone = np.asarray(applied(IMAGES[:1]))
    assert np.abs(alone[0] - found[0]).max() > 1e-3  # it knows its neighbours
    by_image = at_inference(made, "image")
    np.testing.assert_allclose(alone, np.asarray(by_image(IMAGES[:1])), atol=1e-6)


def test_a_mean_over_draws_comes_near_the_network_without_dropout():
    made = network(norm=False)
    drawn = [predicted(at_inference(made, "train", dropout=True, draw=n)) for n in range(200)]
    spread = np.std(drawn, axis=0)
    assert spread.mean() > 0.1
    error = np.abs(np.mean(drawn, axis=0) - np.asarray(made(IMAGES)))
    assert (error < 5 * spread / np.sqrt(200) + 1e-6).mean() > 0.99


def test_two_layers_of_dropout_do_not_share_a_mask():
    made = network(keras.layers.Dropout(0.5, name="one"), keras.layers.Dropout(0.5, name="two"))
    with_two = predicted(at_inference(made, "train", dropout=True))
    made.get_layer("two").rate = 0.0
    assert dropouts(made) == [made.get_layer("one")]
    with_one = predicted(at_inference(made, "train", dropout=True))
    assert np.abs(with_two - 2 * with_one).max() > 0.1  # a shared one would only double


def test_dropout_that_is_off_in_training_stays_off():
    class Frozen(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = keras.layers.Dropout(0.5)

        def call(self, x):
            return self.drop(x, training=False)

    made = network(Frozen(), keras.layers.SpatialDropout2D(0.5))
    found = in_training(dropouts(made), made, IMAGES[:1])
    assert [type(layer) for layer in found] == [keras.layers.SpatialDropout2D]


def test_a_network_without_dropout_refuses_to_keep_it():
    with pytest.raises(ConfigError, match=r"inference\.dropout: the generator has no dropout"):
        at_inference(network(keras.layers.ReLU()), "train", dropout=True)
    assert isinstance(at_inference(network(), "batch"), Applied)
    bare = network(norm=False)
    assert at_inference(bare, "batch") is bare


def experiment(**inference):
    settings = InferenceSettings(**inference)
    config = SimpleNamespace(inference=settings, applied_statistics="train", random_crop=False)
    return SimpleNamespace(
        config=config, SEED=3, BATCH_SIZE=2, IMG_HEIGHT=8, IMG_WIDTH=8, INPUT_UPSAMPLING="nearest",
        normaliser=SimpleNamespace(invertible=True),
        contract=SimpleNamespace(input=SimpleNamespace(bands=[])),
    )  # fmt: skip


def test_several_draws_are_one_predictor():
    made = applied_predictor(experiment(dropout=True), network(), draws=3)
    assert isinstance(made, Draws) and len(draws_of(made)) == 3
    assert made.describe()["draws"] == 3
    single = applied_predictor(experiment(dropout=True), network())
    assert draws_of(single) == (single,)
    assert undrawn(single, None) is single
    with pytest.raises(ConfigError, match="--draws: a baseline draws nothing"):
        undrawn(single, 2)
    with pytest.raises(ConfigError, match=r"--draws: .* --set inference\.dropout=true"):
        applied_predictor(experiment(), network(), draws=3)


@pytest.mark.parametrize("norm", [True, False])
def test_a_line_says_where_there_are_no_moments_to_take(norm, caplog):
    config = SimpleNamespace(
        inference=InferenceSettings(norm="batch", dropout=True), applied_statistics="batch"
    )
    experiment, made = SimpleNamespace(config=config, SEED=0), network(norm=norm)
    for draw in range(3):
        applied_generator(experiment, made, draw)
    said = [line for line in caplog.messages if "there is no batch normalisation" in line]
    assert len(said) == (0 if norm else 1)
