"""Which batch normalisation training runs by the moments of the batch, found without a trace."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import SpectralConv2D
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.training.layer_statistics import (
    InferenceStatistics,
    at_inference,
    batchnorms,
    estimate,
)
from sensor2sensor.training.state import build_optimizers
from tests.unit.training.tiny import Mapped, assert_equal, batch, fresh, snapshot

FORM = tf.TensorSpec([2, 8, 8, 2], tf.float32)


def two():
    return [batch(100), batch(101)]


class Backbone(keras.Model):
    """A trainable part that is always run at inference, before one that is not."""

    def __init__(self, compiled=False):
        super().__init__()
        norm = keras.layers.BatchNormalization()
        self.inner = keras.Sequential([keras.Input((8, 8, 2)), norm])
        self.outer = keras.layers.BatchNormalization()
        self.run = tf.function(self.backbone) if compiled else self.backbone

    def backbone(self, inputs):
        return self.inner(inputs, training=False)

    def call(self, inputs, training=False):
        return self.outer(self.run(inputs), training=training)


def backbone(compiled=False):
    network = Backbone(compiled)
    network(tf.zeros([1, 8, 8, 2]))
    held = network.inner.layers[0]
    held.moving_mean.assign([0.5, -0.5])
    held.moving_variance.assign([4.0, 0.25])
    held.gamma.assign([2.0, 3.0])
    return network


@pytest.mark.parametrize("compiled", [False, True])
def test_a_layer_that_training_runs_at_inference_keeps_its_own(compiled):
    network = backbone(compiled)
    measured = estimate(network, two)
    statistics = {x.path: measured[2 * n : 2 * n + 2] for n, x in enumerate(batchnorms(network))}
    mean, variance = statistics[network.inner.layers[0].path]
    np.testing.assert_array_equal(mean, [0.5, -0.5])
    np.testing.assert_array_equal(variance, [4.0, 0.25])
    values = np.concatenate([np.asarray(b["input"], np.float64) for b in two()])
    seen = (values - [0.5, -0.5]) / np.sqrt(np.add([4.0, 0.25], 1e-3)) * [2.0, 3.0]
    mean, variance = statistics[network.outer.path]
    np.testing.assert_allclose(mean, seen.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, seen.var((0, 1, 2)), rtol=1e-5)


def test_image_by_image_it_is_as_in_training():
    network, images = backbone(), batch(100)["input"]
    made = at_inference(network, "image")(images)
    trained = [network(image[tf.newaxis], training=True) for image in images]
    np.testing.assert_allclose(made, np.concatenate(trained), rtol=1e-5, atol=1e-5)


class Skipping(keras.layers.Layer):
    """Random depth: its normalisation is left out at one in two calls in training."""

    def __init__(self):
        super().__init__()
        self.norm, self.calls = keras.layers.BatchNormalization(), 0

    def build(self, shape):
        self.norm.build(shape)

    def call(self, inputs, training=False):
        self.calls += int(bool(training))
        if training and self.calls % 2:
            return inputs
        return self.norm(inputs, training=training)


def test_a_layer_that_a_call_in_training_happens_to_skip_is_measured():
    network = keras.Sequential([keras.Input((8, 8, 2)), Skipping()])
    mean, _ = estimate(network, two)
    values = np.concatenate([b["input"] for b in two()])
    np.testing.assert_allclose(mean, values.mean((0, 1, 2), np.float64), rtol=1e-5)


class Noise(keras.layers.Layer):
    """Draws from the model's seeds; in training from its own, Keras' and TensorFlow's too."""

    def __init__(self, draws):
        super().__init__()
        self.draws, self.seeds = draws, keras.random.SeedGenerator(5)

    def call(self, inputs, training=False):
        shape = tf.shape(inputs)
        inputs = inputs + 0.1 * self.draws.normal(shape)
        if not training:
            return inputs
        drawn = keras.random.normal(shape, seed=self.seeds) + keras.random.normal(shape)
        return inputs + 0.1 * (drawn + tf.random.normal(shape))


def noisy():
    """The tiny model behind all that a call in training may move."""
    model, inputs = fresh(0), keras.Input((8, 8, 2))
    wrapped = keras.layers.SpectralNormalization(keras.layers.Conv2D(2, 1))
    model.draws = tf.random.Generator.from_seed(3)
    x = Noise(model.draws)(SpectralConv2D(2, 3, padding="same")(wrapped(inputs)))
    model.generator = keras.Model(inputs, model.generator(x))
    build_optimizers(model)
    return model


@pytest.mark.parametrize("kind", ["train", "image"])
@pytest.mark.slow
def test_neither_an_attempt_nor_looks_change_what_training_draws(kind):
    ends = []
    for looks in (True, False):
        model = noisy()
        statistics, before = InferenceStatistics(model, kind, two), snapshot(model.generator)
        if looks:
            statistics.attempt(FORM)
        assert_equal(snapshot(model.generator), before)
        drawn = [np.array(keras.random.normal([3]))]
        for number in range(2):
            if looks:
                with statistics.in_use(number) as generator:
                    generator(batch(50)["input"], training=False)
            fields = batch(number)
            model.train_step(fields["input"], fields["target"], tf.constant(number, tf.int64))
        state = [*drawn, np.array(model.draws.state), *snapshot(model.generator_optimizer)]
        ends.append(state + snapshot(model.generator))
    assert_equal(*ends)


def mapped():
    model, inputs = fresh(0), keras.Input((8, 8, 2))
    model.generator = keras.Model(inputs, model.generator(Mapped()(inputs)))
    return model


def test_what_cannot_be_measured_is_refused_in_one_line():
    model = mapped()
    before = snapshot(model.generator)
    with pytest.raises(ModelContractError) as caught:
        InferenceStatistics(model, "train", two).attempt(FORM)
    said = str(caught.value)
    assert said.startswith(f"{type(model).__module__}: inference_statistics cannot be measured")
    assert re.search(r"mapped\w*/batch_normalization", said)  # Keras numbers what came before
    assert "tf.vectorized_map" in said
    assert "\n" not in said
    assert_equal(snapshot(model.generator), before)
    InferenceStatistics(model, "image", two).attempt(FORM)  # needs no moments


def test_an_attempt_reads_nothing_where_nothing_is_measured():
    model = fresh(0)
    model.generator = keras.Sequential([keras.Input((8, 8, 2)), Unused()])
    for kind in ("train", "image"):
        InferenceStatistics(model, kind, two).attempt(FORM)


class Unused(keras.layers.Layer):
    """Must not be called but to be built."""

    def call(self, inputs):
        if isinstance(inputs, keras.KerasTensor) or tf.is_symbolic_tensor(inputs):
            return inputs
        raise AssertionError("no pass was needed")


class Placed(keras.layers.BatchNormalization):
    """Stands in a set where its hash says, as ids would have it from process to process."""

    place = 0

    def __init__(self, place, name):
        super().__init__(name=name)
        self.place = place

    def __hash__(self):
        return self.place


class Holding(keras.Model):
    """Layers in a set, and one that is not."""

    def __init__(self, places, wrap):
        super().__init__()
        names = ("norm_9", "norm_10", "norm_11")
        self.held = wrap({Placed(*pair) for pair in zip(places, names, strict=True)})
        self.last = keras.layers.BatchNormalization(name="last")

    def build(self, shape):
        for layer in self._flatten_layers(include_self=False):
            layer.build(shape)


@pytest.mark.parametrize("wrap", [lambda held: held, lambda held: [{"deep": held}]])
@pytest.mark.parametrize("places", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_layers_of_a_set_have_one_order_in_every_process(places, wrap):
    network = Holding(places, wrap)
    network.build((None, 8, 8, 2))
    found = [layer.name for layer in batchnorms(network)]
    assert found == ["norm_9", "norm_10", "norm_11", "last"]
