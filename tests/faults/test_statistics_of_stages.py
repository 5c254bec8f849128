"""Layers are used with the statistics of what they learned from: batches that went the stages."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.training.batches import reader_options, tiles_as_trained
from sensor2sensor.training.layer_statistics import batchnorms, statistics_batches
from sensor2sensor.training.recipe import construct
from sensor2sensor.training.restoring import restore_for_inference
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from tests.fakes_dataset import make_dataset
from tests.unit.training.tiny import TinyGAN

# Noise of three times the whole range of reflectances.
NOISY = {"paths": {"real": 0, "simulated": 1}, "noise": [3.0, 3.0], "half_width": 3}
SETTINGS = {
    "model_name": "toy", "dataset": "fine", "tilesize": 64, "steps": 1, "batch_size": 2,
    "input_upsampling": "none", "random_resize": 1.0, "sample_val": 1, "discriminator": None,
}  # fmt: skip


class Normalising(TinyGAN):
    """Batch normalisation of the input itself, so that its statistics are the input's."""

    def __init__(self, experiment):
        super().__init__(experiment)
        self.discriminator_optimizer = None

    def Generator(self):
        inputs = keras.Input((self.exp.INPUT_HEIGHT, self.exp.INPUT_WIDTH, self.bands))
        x = keras.layers.BatchNormalization()(inputs)
        return keras.Model(inputs, keras.layers.Conv2D(3, 1)(keras.layers.UpSampling2D(2)(x)))

    def Discriminator(self):
        return None

    @tf.function
    def train_step(self, input_image, target, step):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(target - self.generator(input_image, training=True)))
        variables = self.generator.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.generator_optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"gen": loss}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    root = tmp_path_factory.mktemp("staged")
    make_dataset(root / "data", name="fine", factor=2, train=3, val=1, test=1)
    (root / "environment.json").write_text(json.dumps({"data_root": "data"}))
    return load_environment(root / "environment.json")


def experiment(environment, name, **changes):
    folder = environment.experiment_root / name
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}))
    return Experiment(name, environment, timestamp="0715-0930")


def test_statistics_are_of_degraded_inputs_where_training_sees_such(environment):
    noisy = experiment(environment, "noisy", degradation=NOISY)
    train(Normalising, noisy, environment, start=Start(), say=str)
    model = construct(Normalising, noisy)
    restore_for_inference(model, noisy.run)
    found = np.array(batchnorms(model.generator)[0].moving_variance)
    # What a checkpoint without statistics of its own would be measured on, too.
    seen = np.concatenate([batch["input"] for batch in tiles_as_trained(noisy)])
    assert seen.shape == (3, 32, 32, 3)
    np.testing.assert_allclose(found, seen.var(axis=(0, 1, 2)), rtol=1e-4)
    # The tiles as they are vary by less than their range.
    plain = statistics_batches(noisy, noisy.normaliser, reader_options(noisy, environment))
    as_read = np.concatenate([batch["input"] for batch in plain])
    assert as_read.var(axis=(0, 1, 2)).max() < 1.0 < found.min()
