"""A network that is given the input on its own grid and extras: trained, looked at, resumed."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.training.checkpoints import checkpoint_steps
from sensor2sensor.training.rehearsal import rehearse
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.writers import JSONL, read_log
from tests.fakes_extras import make_positions

SETTINGS = {
    "model_name": "toy", "tilesize": 48, "batch_size": 2, "discriminator": None, "steps": 2,
    "input_upsampling": "none", "random_resize": 1, "random_crop": True, "img_width": 36,
}  # fmt: skip


class Enlarging:
    """Three times three pixels of each of the input's; its loss is taken where a mask says."""

    discriminator = None

    def __init__(self, experiment):
        image = keras.Input((experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH, 2))
        x = keras.layers.UpSampling2D(3)(keras.layers.BatchNormalization()(image))
        self.generator = keras.Model(image, keras.layers.Conv2D(2, 3, padding="same")(x))
        self.generator_optimizer = keras.optimizers.Adam(1e-3)
        self.seen = {}

    @tf.function
    def train_step(self, input_image, target, step, row, radar, **extras):
        self.seen = {"input": input_image.shape, "row": row.shape, "radar": radar.shape}
        self.further = sorted(extras)
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(tf.abs(self.generator(input_image) - target), axis=-1)
            loss = tf.reduce_mean(error[row % 2 == 0]) + 0.0 * tf.reduce_sum(radar)
        variables = self.generator.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.generator_optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"even": loss}


class Unfed(Enlarging):
    """It asks for what the data set does not have."""

    @tf.function
    def train_step(self, input_image, target, step, cloud):
        return {}


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    root = tmp_path_factory.mktemp("own")
    for layout in ("dense", "pixels"):
        make_positions(root / "data", layout=layout, tile_px=48)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 2, "sample_freq": 2}))
    return load_environment(root / "environment.json")


def experiment(environment, layout, **changes):
    folder = environment.experiment_root / layout
    folder.mkdir(exist_ok=True, parents=True)
    content = {**SETTINGS, "dataset": f"pos3_{layout}", **changes}
    (folder / "experiment.json").write_text(json.dumps(content))
    return Experiment(layout, environment, timestamp="0715-0930")


@pytest.mark.slow
def test_a_run_trains_looks_saves_and_resumes(environment):
    """Units 1, no display bands, no size of a pixel in metres."""
    said = []
    outcome = train(Enlarging, experiment(environment, "dense"), environment, say=said.append)
    shapes = {"input": (2, 16, 12, 2), "row": (2, 48, 36), "radar": (2, 16, 12, 2)}
    assert outcome.model.seen == shapes
    assert outcome.model.further == ["coarse_row", "gap_h", "haze", "index"]
    longer = experiment(environment, "dense", steps=4)
    resumed = train(Enlarging, longer, environment, start=Start(resume=True), say=said.append)
    assert (resumed.step, resumed.exit_code) == (4, 0)
    run = longer.run
    assert checkpoint_steps(run.ckpt_dir) == [2, 4]
    assert read_run_json(run)["status"] == "done"
    looks = [row for row in read_log(run.logs_dir / JSONL) if row["kind"] == "val"]
    assert [row["step"] for row in looks] == [2, 4]
    assert all(np.isfinite(row["l1"]) and "hpsi_bands" in row for row in looks)
    assert len(list(run.samples_dir.glob("step-*.png"))) == 2


def test_a_check_traces_the_step_with_its_extras(environment):
    found = rehearse(Enlarging, experiment(environment, "pixels"), environment, Start(), print)
    assert "first step traced" in found
    with pytest.raises(ModelContractError, match="train_step needs 'cloud'"):
        rehearse(Unfed, experiment(environment, "pixels"), environment, Start(), print)
