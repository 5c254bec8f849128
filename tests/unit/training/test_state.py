"""What is found and remembered of a model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.training.state import (
    TrainingState,
    applied_rate,
    architecture_differences,
    build_optimizers,
)
from tests.unit.training.tiny import TinyGAN, batch, fresh


def state_of(model):
    build_optimizers(model)
    return TrainingState(model)


def test_the_rate_of_the_last_update_is_told_not_that_of_the_next():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 4, end_learning_rate=0.0)
    optimizer, weight = keras.optimizers.SGD(schedule), keras.Variable(0.0)
    optimizer.build([weight])
    for applied in (1.0, 0.75, 0.5):
        before = float(weight)
        optimizer.apply_gradients([(tf.constant(1.0), weight)])
        assert applied_rate(optimizer) == pytest.approx(applied)
        assert before - float(weight) == pytest.approx(applied)
    assert int(optimizer.iterations) == 3


def test_every_network_optimizer_and_dropout_seed_is_held():
    state = state_of(fresh())
    assert list(state.groups) == [
        "generator", "discriminator", "discriminator_optimizer", "generator_optimizer",
    ]  # fmt: skip
    assert any("seed_generator" in name for name in state.names["generator"])
    moments = [name for name in state.names["generator_optimizer"] if "momentum" in name]
    assert len(moments) == len(TinyGAN().generator.trainable_variables)


def test_further_attributes_are_found_once_each():
    model = fresh()
    model.counter = tf.Variable(3)
    model.ema = [tf.Variable(1.0), keras.Variable(2.0)]
    model.noise = keras.random.SeedGenerator(7)
    model.backbone = model.generator.layers[1]  # shared with the generator
    state = state_of(model)
    assert {"counter", "ema_0", "ema_1", "noise"} <= set(state.groups)
    assert "backbone" not in state.groups
    raw = [id(v) for group in state.groups.values() for v in group]
    assert len(raw) == len(set(raw))


def test_a_roundtrip_restores_the_next_dropout_mask(tmp_path):
    model = fresh()
    state = state_of(model)
    images = batch(0)["input"]
    model.generator(images, training=True)
    state.checkpoint.write(str(tmp_path / "ckpt-1"))
    wanted = model.generator(images, training=True).numpy()

    other = fresh(seed=99)
    state_of(other).checkpoint.read(str(tmp_path / "ckpt-1")).assert_consumed()
    np.testing.assert_array_equal(other.generator(images, training=True).numpy(), wanted)


def test_names_do_not_depend_on_what_was_built_before():
    first = state_of(fresh()).architecture()
    TinyGAN()
    assert architecture_differences(first, state_of(fresh()).architecture()) == []


def test_differences_name_the_group_and_both_shapes():
    narrow = state_of(fresh(width=4)).architecture()
    wide = state_of(fresh(width=6)).architecture()
    found = architecture_differences(narrow, wide)
    assert "generator: conv2d/kernel 3x3x2x4 float32 (there) against" in found[0]
    assert found[0].endswith("conv2d/kernel 3x3x2x6 float32 (asked)")
    assert found[-1].startswith("and ")


def test_an_optimizer_without_network_is_refused_by_name():
    model = fresh()
    model.extra = keras.optimizers.SGD(0.1)
    with pytest.raises(ModelContractError, match="'extra' belongs to no network"):
        build_optimizers(model)


def test_an_optimizer_the_model_built_is_left_alone():
    model = fresh()
    kernel = model.generator.trainable_variables[:1]
    model.extra = keras.optimizers.SGD(0.1, momentum=0.9)
    model.extra.build(kernel)
    assert len(state_of(model).groups["extra"]) == 3  # iteration, learning rate, one momentum


def test_an_unsound_variable_is_named():
    model = fresh()
    state = state_of(model)
    assert state.unsound() is None
    bias = model.generator.layers[-1].bias
    bias.assign([0.0, np.inf, 0.0])
    assert state.unsound().startswith("generator/conv2d")
