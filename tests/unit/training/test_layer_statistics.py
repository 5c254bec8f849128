"""Statistics of batch normalisation at inference: against closed forms, and without a trace."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import SpectralConv2D
from sensor2sensor.training.averages import averaged
from sensor2sensor.training.layer_statistics import (
    InferenceStatistics,
    at_inference,
    batchnorms,
    estimate,
)
from sensor2sensor.training.state import build_optimizers
from tests.unit.training.tiny import assert_equal, batch, fresh, snapshot

EPSILON = 1e-3
SIZES = (3, 2, 3, 1)


def images(number, size):
    draw = np.random.default_rng(number)
    return (draw.normal(2.0 + number, 1.0 + number, (size, 8, 8, 2))).astype(np.float32)


def few():
    """Four batches of unlike sizes, means and spreads."""
    return [{"input": tf.constant(images(n, size))} for n, size in enumerate(SIZES)]


def pointwise(filters, name=None):
    return keras.layers.Conv2D(filters, 1, name=name)


def built(*layers):
    keras.utils.set_random_seed(3)
    return shifted(keras.Sequential([keras.Input((8, 8, 2)), *layers]))


def shifted(network):
    """Gains and offsets that are not 1 and 0."""
    for variable in network.trainable_variables:
        noise = np.random.default_rng(7).normal(1.0, 0.3, variable.shape)
        variable.assign(variable + noise.astype(np.float32))
    return network


def convolved(layer, values):
    kernel, bias = (np.asarray(v, np.float64) for v in layer.get_weights())
    return np.asarray(values, np.float64) @ kernel[0, 0] + bias


def normalised(layer, values):
    """By the moments of these values, as in training."""
    gain, offset = (np.asarray(v, np.float64) for v in layer.get_weights()[:2])
    mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
    return (values - mean) / np.sqrt(variance + EPSILON) * gain + offset


def test_one_layer_has_the_moments_of_all_values():
    network = built(pointwise(3), keras.layers.BatchNormalization())
    values = np.concatenate([convolved(network.layers[0], b["input"]) for b in few()])
    mean, variance = estimate(network, few)
    np.testing.assert_allclose(mean, values.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, values.var((0, 1, 2)), rtol=1e-6)


def test_a_later_layer_sees_what_an_earlier_one_gives_in_training():
    first, second = keras.layers.BatchNormalization(), keras.layers.BatchNormalization()
    network = built(pointwise(3), first, keras.layers.ReLU(), pointwise(2), second)
    one, two = network.layers[0], network.layers[3]
    seen = [
        convolved(two, np.maximum(normalised(first, convolved(one, b["input"])), 0.0))
        for b in few()
    ]
    values = np.concatenate(seen)
    found = estimate(network, few)
    np.testing.assert_allclose(found[2], values.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found[3], values.var((0, 1, 2)), rtol=1e-5)


def test_a_mean_far_above_the_spread_costs_no_digits():
    network = built(keras.layers.BatchNormalization())
    draw = np.random.default_rng(0)
    values = [np.float32(1000.0 + draw.normal(0, 0.1, (4, 8, 8, 2))) for _ in range(5)]
    _, variance = estimate(network, lambda: [{"input": tf.constant(v)} for v in values])
    expected = np.concatenate(values).astype(np.float64).var((0, 1, 2))
    np.testing.assert_allclose(variance, expected, rtol=1e-3)


class Nested(keras.Model):
    """A subclassed generator: layers in a list, in a dictionary, in a wrapper and in a network."""

    def __init__(self):
        super().__init__()
        self.listed = [pointwise(2), keras.layers.BatchNormalization()]
        self.named = {"norm": keras.layers.BatchNormalization()}
        self.inner = built(pointwise(2), keras.layers.BatchNormalization())
        self.wrapped = keras.layers.TimeDistributed(keras.layers.BatchNormalization())

    def call(self, inputs, training=False):
        x = inputs
        for layer in [*self.listed, self.named["norm"], self.inner]:
            x = layer(x, training=training)
        return self.wrapped(x, training=training)


def test_layers_are_found_at_any_depth():
    network = Nested()
    network(images(0, 1))
    shifted(network)
    assert len(batchnorms(network)) == 4
    assert len(batchnorms(built(keras.layers.Dropout(0.5)))) == 0
    before = snapshot(network)
    for mean, variance in zip(*(iter(estimate(network, few)),) * 2, strict=True):
        assert np.abs(mean).max() > 0.01  # 0 and 1 is what they were built with
        assert np.abs(variance - 1.0).max() > 0.01
    assert_equal(snapshot(network), before)


def test_a_frozen_layer_keeps_its_own_and_the_network_normalises_by_them():
    frozen, free = keras.layers.BatchNormalization(), keras.layers.BatchNormalization()
    network = built(frozen, free)
    frozen.trainable = False
    frozen.moving_mean.assign([0.5, -0.5])
    found = estimate(network, few)
    np.testing.assert_array_equal(found[0], [0.5, -0.5])
    gain, offset = (np.asarray(v, np.float64) for v in frozen.get_weights()[:2])
    values = np.concatenate([b["input"] for b in few()]).astype(np.float64)
    seen = (values - [0.5, -0.5]) / np.sqrt(1.0 + EPSILON) * gain + offset
    np.testing.assert_allclose(found[2], seen.mean((0, 1, 2)), rtol=1e-5)


def test_without_batch_normalisation_nothing_is_read():
    def unread():
        raise AssertionError("no pass was needed")

    assert estimate(built(pointwise(2)), unread) == []
    model = fresh()
    model.generator = built(pointwise(3), keras.layers.GroupNormalization(1))
    statistics = InferenceStatistics(model, "train", unread)
    statistics.refresh(1)
    assert statistics.variables == []


def test_all_else_is_as_at_inference_and_nothing_changes():
    def network(dropout):
        return built(
            SpectralConv2D(4, 3, padding="same"),
            keras.layers.SpectralNormalization(pointwise(4)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout),
            pointwise(2),
            keras.layers.BatchNormalization(),
        )

    one, plain = network(0.5), network(0.0)
    plain.set_weights(one.get_weights())
    before, output = snapshot(one), np.asarray(one(images(0, 2), training=False))
    assert_equal(estimate(one, few), estimate(plain, few))
    assert_equal(snapshot(one), before)
    np.testing.assert_array_equal(one(images(0, 2), training=False), output)
    assert {layer.momentum for layer in batchnorms(one)} == {0.99}


def test_everything_is_as_it_was_after_an_error_too():
    network = built(keras.layers.BatchNormalization())
    before = snapshot(network)
    with pytest.raises(Exception, match="incompatible"):
        estimate(network, lambda: [*few(), {"input": tf.zeros([1, 8, 8, 5])}])
    assert_equal(snapshot(network), before)
    network(images(0, 2), training=False)
    assert_equal(snapshot(network), before)


class Compiled(keras.layers.Layer):
    """Calls its normalisation from a compiled function, as modules of others may."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()

    def build(self, shape):
        self.norm.build(shape)

    @tf.function
    def inner(self, inputs, training):
        return self.norm(inputs, training=training)

    def call(self, inputs, training=False):
        return self.inner(inputs, training=training)


@pytest.mark.parametrize("traced_before", [True, False])
def test_a_compiled_part_is_measured_and_infers_as_before(traced_before):
    network = built(Compiled())
    norm, inputs = network.layers[0].norm, images(0, 2)
    gain, offset = (np.asarray(v) for v in norm.get_weights()[:2])
    if traced_before:
        network(inputs, training=False)
    mean, _ = estimate(network, few)
    values = np.concatenate([b["input"] for b in few()])
    np.testing.assert_allclose(mean, values.mean((0, 1, 2), np.float64), rtol=1e-6)
    expected = inputs / np.sqrt(1.0 + EPSILON) * gain + offset
    np.testing.assert_allclose(network(inputs, training=False), expected, rtol=1e-5, atol=1e-5)


def test_mixed_precision_keeps_float32_statistics():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    norm = keras.layers.BatchNormalization(dtype=policy)
    network = built(keras.layers.Conv2D(3, 1, dtype=policy), norm)
    seen = [network.layers[0](b["input"]) for b in few()]
    values = np.concatenate([np.asarray(tf.cast(x, tf.float32), np.float64) for x in seen])
    mean, variance = estimate(network, few)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, values.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, values.var((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("together", [1, 3])
def test_each_image_by_itself_whatever_the_batch(together):
    first, second = keras.layers.BatchNormalization(), keras.layers.BatchNormalization()
    network = built(pointwise(3), first, keras.layers.Dropout(0.5), pointwise(2), second)
    one, two = network.layers[0], network.layers[3]
    stack = np.concatenate([images(n, 1) for n in range(3)])
    before = snapshot(network)
    generator = at_inference(network, "image")
    made = [
        np.asarray(generator(tf.constant(stack[start : start + together]), training=False))
        for start in range(0, 3, together)
    ]
    for image, found in zip(stack, np.concatenate(made), strict=True):
        hidden = normalised(first, convolved(one, image[np.newaxis]))
        expected = normalised(second, convolved(two, hidden))
        np.testing.assert_allclose(found[np.newaxis], expected, rtol=1e-3, atol=1e-4)
    assert_equal(snapshot(network), before)
    assert at_inference(network, "train") is network


def averaging():
    model = fresh(0)
    model.generator_optimizer = keras.optimizers.Adam(1e-1, use_ema=True, ema_momentum=0.8)
    build_optimizers(model)
    return model


def step(model, number):
    fields = batch(number)
    model.train_step(fields["input"], fields["target"], tf.constant(number, tf.int64))


def two():
    return [batch(100), batch(101)]


def test_averaged_weights_have_statistics_of_their_own():
    model = averaging()
    for number in range(4):
        step(model, number)
    statistics = InferenceStatistics(model, "train", two)
    last = estimate(model.generator, two)
    with averaged(model):
        under_averages = estimate(model.generator, two)
    before = snapshot(model.generator)
    with statistics.in_use(4) as generator:
        norm = batchnorms(generator)[0]
        used = [np.array(norm.moving_mean), np.array(norm.moving_variance)]
    assert_equal(used, under_averages)
    assert_equal([v.numpy() for v in statistics.variables], under_averages)
    assert np.abs(used[0] - last[0]).max() > 1e-3
    assert_equal(snapshot(model.generator), before)


def with_spectral(model):
    """The tiny generator behind a spectrally normalised convolution."""
    inputs = keras.Input((8, 8, 2))
    x = SpectralConv2D(2, 3, padding="same")(inputs)
    model.generator = keras.Model(inputs, model.generator(x))
    return model


@pytest.mark.parametrize("kind", ["train", "image"])
def test_steps_with_and_without_looks_end_equal(kind):
    ends = []
    for looks in (True, False):
        keras.utils.set_random_seed(0)
        model = with_spectral(fresh(0))
        model.generator_optimizer = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.8)
        build_optimizers(model)
        statistics = InferenceStatistics(model, kind, two)
        for number in range(4):
            if looks:
                statistics.refresh(number)
                with statistics.in_use(number) as generator:
                    generator(batch(50)["input"], training=False)
            step(model, number)
        ends.append(snapshot(model.generator) + snapshot(model.generator_optimizer))
    assert_equal(*ends)


def test_a_step_is_measured_once_and_the_next_one_anew():
    model, passes = averaging(), []
    statistics = InferenceStatistics(model, "train", lambda: passes.append(1) or two())
    statistics.refresh(1)
    with statistics.in_use(1):
        pass
    assert len(passes) == 1
    step(model, 0)
    first = [v.numpy() for v in statistics.variables]
    statistics.refresh(2)
    assert len(passes) == 2
    assert any(not np.array_equal(a, v) for a, v in zip(first, statistics.variables, strict=True))
