"""A registration is trained on pairs, named in another experiment, and held to what it was."""

from __future__ import annotations

import copy
import json
import shutil
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from models.loading import load_gan_class
from models.parts.flow import synthetic_flow
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import ConfigError, ConfigErrors
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.networks.flow import DEFAULTS, flow_network
from sensor2sensor.pipeline import bicubic, psf
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.sources.pairs import run as pairs
from sensor2sensor.training.checkpoints import checkpoint_steps
from sensor2sensor.training.measured import seen_by
from sensor2sensor.training.registration import RegistrationError, _find
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks

REGISTRATION = {
    "model_name": "registration", "dataset": "fine_pairs", "tilesize": 32, "steps": 2,
    "batch_size": 2, "params": {"width": 0.07, "depth": 1, "first_guess": False},
    "random_resize": 1.0, "discriminator": None, "sample_val": 1,
}  # fmt: skip
MOVED = {
    "model_name": "toy", "dataset": "fine", "tilesize": 64, "batch_size": 2, "steps": 4,
    "discriminator": None, "input_upsampling": "none", "random_resize": 1.0, "sample_val": 1,
    "registration": {"run": "reg", "train": True, "radiometric": True},
}  # fmt: skip


class Enlarging:
    """One convolution on the enlarged input, which tells what its steps were given."""

    discriminator = None

    def __init__(self, experiment):
        image = keras.Input((experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH, 3))
        start = keras.initializers.Constant(0.1)
        conv = keras.layers.Conv2D(3, 3, padding="same", kernel_initializer=start)
        self.generator = keras.Model(image, conv(keras.layers.UpSampling2D(2)(image)))
        self.generator_optimizer = keras.optimizers.Adam(1e-3)

    @tf.function
    def train_step(self, input_image, target, step, **extras):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self.generator(input_image) - target))
        variables = self.generator.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.generator_optimizer.apply_gradients(zip(gradients, variables, strict=True))
        moved = {"length": tf.reduce_mean(tf.abs(extras["flow"]))} if "flow" in extras else {}
        return {"l1": loss, **moved}


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def looks():
    """What a look shows is not the subject here."""
    with plain_looks():
        yield


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    root = tmp_path_factory.mktemp("registration")
    make_dataset(root / "data", name="fine", factor=2, train=4, val=1, test=1)
    make_dataset(root / "data", name="other", factor=4, train=2, val=1, test=1)
    content = {"ckpt_freq": 2, "sample_freq": 100, "data_root": "data"}
    (root / "environment.json").write_text(json.dumps(content))
    words = ["--environment", str(root / "environment.json"), "--from", "fine"]
    assert pairs.main([*words, "--from-size", "64", "--band", "B04", "--mtf", "0.25"]) == 0
    return load_environment(root / "environment.json")


def experiment(environment, name, settings, timestamp="0715-0930", **changes):
    folder = environment.experiment_root / name
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "experiment.json").write_text(json.dumps({**settings, **changes}))
    return Experiment(name, environment, timestamp=timestamp)


def go(environment, made, gan=Enlarging, *, steps=None, start=None):
    return train(gan, made, environment, start=start or Start(), steps=steps, say=str)


@pytest.fixture(scope="module")
def registered(environment):
    """A registration of two steps."""
    gan = load_gan_class("registration")
    made = experiment(environment, "reg", REGISTRATION).suited_to(gan, str)
    return go(environment, made, gan).model


def copied(environment, name, into, was=None, now=None):
    """A run under another name, ``was`` in its texts replaced by ``now``."""
    root = environment.experiment_root
    shutil.copytree(root / name, root / into)
    for file in (root / into).rglob("*.json"):
        text = file.read_text().replace(str(root / name), str(root / into))
        file.write_text(text.replace(was, now) if was else text)
    return root / into


def test_pairs_are_one_band_of_both_in_the_splits_they_had(environment):
    root = environment.data_root
    there, here = root / "fine" / "64", root / "fine_pairs" / "32"
    assert {(r.name, r.split) for r in read_split(there)} == {
        (r.name, r.split) for r in read_split(here)
    }
    contract = load_contract(here)
    assert [b.name for b in contract.input.bands] == ["B04", "B04_fixed"]
    (whole,) = iterate_tiles(there, load_contract(there), "test")
    (pair,) = iterate_tiles(here, contract, "test")
    low = whole.input_pixels.reshape(32, 32, 3)
    np.testing.assert_array_equal(pair.target[..., 0], low[..., 2])
    np.testing.assert_array_equal(pair.input_dense[..., 1], low[..., 2])
    seen = psf.degrade(tf.constant(whole.target[None, ..., 2:]), 2, 0.25)[0, ..., 0]
    # Beyond the border one reflects, the other leaves out.
    inner = slice(4, -4)
    np.testing.assert_allclose(pair.input_dense[inner, inner, 0], seen[inner, inner], atol=2e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "fine", "--from-size", "64", "--band", "B40"], "nearest: 'B04'"),
        (["--from", "fime", "--from-size", "64", "--band", "B04"], "nearest: 'fine'"),
        (["--from", "fine", "--from-size", "46", "--band", "B04"], "'fine' has tile sizes 64"),
        (["--from", "fine_pairs", "--from-size", "32", "--band", "B04"], "coarser than its target"),
        (["--from", "fine", "--from-size", "64", "--band", "B04", "--mtf", "2"], "--mtf 2"),
    ],
)
def test_what_gives_no_pairs_is_refused_in_a_line(environment, capsys, words, said):
    assert pairs.main(["--environment", str(environment.path), "--dataset", "none", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_synthetic_flows_keep_to_the_bound_and_follow_the_step():
    like = tf.zeros([8, 24, 20, 2])
    first, again, later = (
        synthetic_flow(like, 1.06, 3, tf.constant(step, tf.int64)) for step in (0, 0, 1)
    )
    assert first.shape == (8, 24, 20, 2)
    assert 0.3 < np.abs(first).max() <= 1.06
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - later).max() > 0.1


def test_the_generator_is_the_base_moved_along_the_flow(registered, environment):
    here = environment.data_root / "fine_pairs" / "32"
    (tile,) = iterate_tiles(here, load_contract(here), "test")
    exp = registered.exp
    image = tf.constant(exp.normaliser.input(tile.input_dense[np.newaxis]))
    flow = registered.flow(image)  # its bands are S and L in this order
    assert 0.0 < np.abs(flow).max() <= 3.0 / np.sqrt(2.0)
    start = exp.normaliser.target(tile.input_dense[np.newaxis, ..., :1])
    np.testing.assert_allclose(registered.generator(image), bicubic.warp(start, flow), atol=1e-5)


@pytest.fixture(scope="module")
def trained(environment, registered):
    """Four steps at once."""
    return go(environment, experiment(environment, "moved", MOVED))


@pytest.fixture(scope="module")
def plain(environment):
    """The same without a registration."""
    return go(environment, experiment(environment, "plain", {**MOVED, "registration": None}))


def test_a_match_over_the_whole_image_is_written_down_at_once(registered):
    params = {**DEFAULTS, "width": 0.07, "depth": 1, "norm": "image"}
    began = time.process_time()
    found = seen_by(flow_network(params, 0), registered.exp)
    # Measured, it took half a minute to a minute.
    assert time.process_time() - began < 5.0
    assert found == {"receptive_field_px": 32, "total_stride_px": None, "whole_image": True}


def test_a_run_without_a_checkpoint_is_named_where_another_place_has_none(environment):
    trial = environment.experiment_root / "trials" / "empty"
    trial.mkdir(parents=True)
    (trial / "experiment.json").write_text(json.dumps(REGISTRATION))
    made = experiment(environment, "seeking", MOVED, registration={"run": "empty"})
    elsewhere = copy.copy(environment)
    elsewhere.experiment_root = trial.parent
    with pytest.raises(ConfigErrors, match=str(trial)):
        _find(SimpleNamespace(config=made.config, document=made.document, environment=elsewhere))


def test_resumed_is_uninterrupted_bit_for_bit(environment, trained):
    folder = copied(environment, "moved", "again")
    for file in folder.rglob("ckpt-4*"):
        file.unlink()
    again = experiment(environment, "again", MOVED)
    assert checkpoint_steps(again.run.ckpt_dir) == [2]
    resumed = go(environment, again, start=Start(resume=True))
    pairs_of = zip(
        resumed.model.generator.variables, trained.model.generator.variables, strict=True
    )
    for one, other in pairs_of:
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_run_notes_what_it_was_registered_by(environment, trained):
    made = experiment(environment, "moved", MOVED)
    kept = read_run_json(made.run)["registration"]
    assert (kept["timestamp"], kept["step"], kept["weights"]) == ("0715-0930", 2, "last")
    assert all(len(digest) == 64 for digest in kept["sha256"].values())


def test_without_train_the_target_stays(environment, registered, trained, plain):
    key = {"registration": {"run": "reg/0715-0930", "test": True}}
    still = go(environment, experiment(environment, "still", {**MOVED, **key}))
    variables = [run.model.generator.variables for run in (still, plain, trained)]
    for one, other in zip(variables[0], variables[1], strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert any(
        np.abs(one.numpy() - other.numpy()).max() > 0
        for one, other in zip(variables[0], variables[2], strict=True)
    )
    assert "registration" not in read_run_json(experiment(environment, "plain", MOVED).run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"registration": {"run": "nowhere"}}, "nowhere"),
        ({"registration": {"run": "plain"}}, "its model is 'toy', not 'registration'"),
        ({"dataset": "other"}, "it learned on pixels of 20 m, the input has 40 m"),
        ({"input_upsampling": "bicubic"}, "hides the input's own pixels"),
    ],
)
def test_what_does_not_fit_is_named(environment, registered, plain, changes, said):
    with pytest.raises((ConfigError, ConfigErrors), match=said):
        _ = experiment(environment, "bad", MOVED, **changes).REGISTRAR


def test_another_network_is_refused_with_every_difference(environment, registered):
    root = environment.experiment_root
    shutil.copytree(root / "reg", root / "wider", dirs_exist_ok=True)
    resolved = next((root / "wider").rglob("*experiment*.json"), None)
    for file in (root / "wider").rglob("*.json"):
        content = json.loads(file.read_text())
        if isinstance(content, dict) and content.get("params"):
            file.write_text(
                json.dumps({**content, "params": {**REGISTRATION["params"], "depth": 2}})
            )
    assert resolved is not None
    with pytest.raises(RegistrationError, match=r"12 variables \(there\) against 18") as caught:
        _ = experiment(environment, "bad", MOVED, registration={"run": "wider"}).REGISTRAR
    assert str(caught.value).count("(asked)") == 7  # their number, and the six that are there


def test_a_run_that_goes_on_wants_the_checkpoint_it_began_with(environment, trained):
    fleeting = copied(environment, "reg", "fleeting")
    root = environment.experiment_root
    copied(environment, "moved", "orphan", str(root / "reg"), str(fleeting))
    key = {"registration": {"run": "fleeting", "train": True}}
    assert experiment(environment, "orphan", {**MOVED, **key}).REGISTRAR is not None
    for file in fleeting.rglob("ckpt-2.data*"):
        file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(RegistrationError, match="not the one that this run began with"):
        _ = experiment(environment, "orphan", {**MOVED, **key}).REGISTRAR
