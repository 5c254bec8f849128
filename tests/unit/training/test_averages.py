"""Averaged weights: swapped in and out without a trace, restored for inference, checkpointed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import CheckpointError, ModelContractError
from sensor2sensor.core.runs import Run
from sensor2sensor.training.averages import averaged, averages, weights_in_use
from sensor2sensor.training.checkpoints import save
from sensor2sensor.training.layer_statistics import (
    InferenceStatistics,
    batchnorms,
    estimate,
)
from sensor2sensor.training.restoring import restore_for_inference
from sensor2sensor.training.state import TrainingState, build_optimizers
from tests.unit.training.tiny import assert_equal, batch, fresh


def averaging(seed=0, ema=0.5):
    model = fresh(seed)
    model.generator_optimizer = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=ema)
    build_optimizers(model)
    return model


def trained(steps=3, **options):
    model = averaging(**options)
    for step in range(steps):
        fields = batch(step)
        model.train_step(fields["input"], fields["target"], tf.constant(step, tf.int64))
    return model


def values(network):
    return [variable.numpy() for variable in network.variables]


def averages_of(model):
    kept = [v for v in model.generator_optimizer.variables if v.name.endswith("_average")]
    return [v.numpy() for v in kept]


def test_inside_the_block_are_the_averages_and_afterwards_the_same_bits():
    model = trained()
    before, optimizer = values(model.generator), values(model.generator_optimizer)
    with averaged(model):
        inside = [v.numpy() for v in model.generator.trainable_variables]
        assert_equal(inside, averages_of(model))
        statistics = model.generator.non_trainable_variables
        assert all(np.isfinite(v.numpy()).all() for v in statistics)
    assert any(not np.array_equal(a, v) for a, v in zip(inside, before, strict=False))
    assert_equal(values(model.generator), before)
    assert_equal(values(model.generator_optimizer), optimizer)


def test_the_last_weights_come_back_after_an_error_too():
    model = trained()
    before = values(model.generator)
    with pytest.raises(RuntimeError), averaged(model):
        raise RuntimeError
    assert_equal(values(model.generator), before)


def test_training_goes_on_as_if_nobody_had_looked():
    looked, undisturbed = trained(steps=2), trained(steps=3)
    with averaged(looked):
        looked.generator(batch(0)["input"], training=False)
    fields = batch(2)
    looked.train_step(fields["input"], fields["target"], tf.constant(2, tf.int64))
    assert_equal(values(looked.generator), values(undisturbed.generator))
    assert_equal(averages_of(looked), averages_of(undisturbed))


def test_after_the_first_update_the_average_is_the_weight():
    model = trained(steps=1)
    assert_equal(averages_of(model), [v.numpy() for v in model.generator.trainable_variables])


def test_before_the_first_update_there_is_nothing_to_take():
    model = averaging()
    before = values(model.generator)
    with averaged(model):
        assert_equal(values(model.generator), before)  # the averages are still zeros


def test_a_model_without_averages_is_left_alone():
    model = fresh()
    build_optimizers(model)
    assert averages(model) == []
    assert weights_in_use(model) == "last"
    assert weights_in_use(averaging(ema=0.999)) == "ema 0.999"


def test_averages_that_share_a_name_are_refused():
    model = trained()
    twin = keras.Variable(np.zeros(3, np.float32), name=averages_name(model))
    model.generator_optimizer._variables.append(twin)
    with pytest.raises(ModelContractError, match="two variables of the generator have one name"):
        averages(model)


def averages_name(model):
    return next(v.name for v in model.generator_optimizer.variables if v.name.endswith("_average"))


def test_inference_takes_the_averages_of_the_checkpoint(tmp_path):
    model, run = trained(), Run(tmp_path, "0715-0930")
    statistics = InferenceStatistics(model, "train", lambda: [batch(7)])
    statistics.refresh(3)
    save(run.ckpt_dir, TrainingState(model, statistics=statistics.variables), 3)
    other = averaging(seed=9)
    assert restore_for_inference(other, run) == 3
    assert_equal([v.numpy() for v in other.generator.trainable_variables], averages_of(model))
    with averaged(model):
        measured = estimate(model.generator, lambda: [batch(7)])
    norm = batchnorms(other.generator)[0]
    assert_equal([norm.moving_mean.numpy(), norm.moving_variance.numpy()], measured)


def test_inference_never_takes_last_weights_for_averages(tmp_path):
    model, run = fresh(), Run(tmp_path, "0715-0930")
    build_optimizers(model)
    save(run.ckpt_dir, TrainingState(model), 3)
    with pytest.raises(CheckpointError, match="saved by another architecture: generator_optimizer"):
        restore_for_inference(averaging(), run)
