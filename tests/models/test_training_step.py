"""Training steps: one trace, falling losses, equal runs; the blueprint of the original runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from models import base
from models.loading import check_by_name, load_gan_class
from models.losses import REGISTRY
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import DiscriminatorSettings
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import training_batches
from sensor2sensor.training.state import TrainingState
from sensor2sensor.training.terms import Terms
from tests.fakes_dataset import make_dataset
from tests.models.standin import batch, experiment

SMALL = {"width": 0.1}
SETTINGS = {
    "aris-a": {"params": SMALL},
    "pix2pix": {"params": SMALL},
    "edsr": {
        "params": {"blocks": 2, "width": 0.1, "local_contrast": True},
        "gen_loss": {"gen_l1": 1.0, "gen_ssim": 0.5},
    },
}


def step_number(number):
    return tf.constant(number, tf.int64)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_five_steps_are_one_trace_and_every_variable_learns(name):
    exp = experiment(**SETTINGS[name], learning_rate=1e-3)
    gan = load_gan_class(name)(exp)
    image = tf.constant(batch(exp)[0])
    before = [variable.numpy() for variable in gan.generator.trainable_variables]
    logged = [gan.train_step(image, 0.5 * image, step_number(n)) for n in range(5)]
    assert gan.train_step.experimental_get_tracing_count() == 1
    for old, variable in zip(before, gan.generator.trainable_variables, strict=True):
        new = variable.numpy()
        assert np.isfinite(new).all() and not np.array_equal(old, new), variable.path
    values = [float(losses["gen_l1"]) for losses in logged]
    assert values[-1] < values[0]
    for losses in logged:
        assert all(np.isfinite(float(v)) and v.shape == () for v in losses.values())


@pytest.mark.parametrize(("name", "terms"), [("edsr", 1), ("pix2pix", 2)])
def test_the_standard_step_hands_extras_to_the_losses(monkeypatch, name, terms):
    """With and without a discriminator, whose terms may look at them too."""
    seen = []
    for key in ("gen_l1", "disc_bce"):
        term = REGISTRY[key]
        monkeypatch.setitem(REGISTRY, key, lambda i, term=term: seen.append(i.extras) or term(i))
    settings = {**SETTINGS[name], "gen_loss": {"gen_l1": 1.0, "gen_gan": 1.0}}
    if terms == 1:
        settings |= {"gen_loss": {"gen_l1": 1.0}, "discriminator": None}
    exp = experiment(**settings)
    gan, image = load_gan_class(name)(exp), tf.constant(batch(exp)[0])
    cloud = tf.ones(image.shape[:3], tf.uint8)
    base.standard_step(gan, image, image, step_number(0), cloud=cloud)
    assert len(seen) == terms
    assert all(set(extras) == {"cloud"} and extras["cloud"] is cloud for extras in seen)


@pytest.mark.slow
def test_two_runs_of_one_seed_are_equal_bit_for_bit():
    """Initial weights, dropout masks and two updates."""

    def weights():
        exp = experiment(**SETTINGS["pix2pix"], seed=5)
        gan = load_gan_class("pix2pix")(exp)
        image, target = map(tf.constant, batch(exp))
        for number in range(2):
            gan.train_step(image, target, step_number(number))
        return [value.numpy() for value in gan.generator.variables]

    for one, two in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(one, two)


BLUEPRINT = Path(__file__).parent / "blueprint-model.txt"


def test_the_blueprint_of_the_original_runs(tmp_path):
    """Its missing imports added, its dots filled with one layer; it writes its own summaries."""
    exp, environment = blueprint_experiment(tmp_path)
    check_by_name("blue-print", environment.models_root)
    gan = load_gan_class("blue-print", environment.models_root)(exp)
    options = ReaderOptions(batch_size=exp.BATCH_SIZE, seed=exp.SEED)
    normalisation = Normalisation(exp.NORMALISATION, exp.contract)
    batches = training_batches(exp.dataset_dir, exp.contract, normalisation, options)
    before, traces = gan.generator.get_weights(), []
    for number, sample in enumerate(batches.take(5)):
        gan.train_step(sample["input"], sample["target"], step_number(number))
        traces.append(gan.train_step.experimental_get_tracing_count())
    # Its optimizers make their variables in the first call, for which TensorFlow traces twice.
    assert len(set(traces)) == 1
    assert not np.array_equal(before[0], gan.generator.get_weights()[0])
    gan.summary_writer.flush()
    assert logged_scalars(exp.run.logs_dir) == {
        "total_gen_loss",
        "gen_gan",
        "gen_ssim",
        "gen_l1",
        "total_disc_loss",
        "disc_bce",
    }


def blueprint_experiment(folder):
    """An experiment on a small Sentinel-3 data set, its model in a folder of the user's own."""
    models = folder / "my models"
    models.mkdir()
    (models / "blue-print.py").write_text(BLUEPRINT.read_text())
    make_dataset(folder / "data", name="cur_toy", kind="sentinel3", factor=30, train=4, val=1)
    (folder / "environment.json").write_text('{"models_root": "my models"}')
    (folder / "experiments" / "mine").mkdir(parents=True)
    settings = {
        "model_name": "blue-print",
        "dataset": "cur_toy",
        "tilesize": 64,
        "batch_size": 2,
        "gen_loss": {"gen_gan": 1, "gen_ssim": 50, "gen_l1": 50},
    }
    (folder / "experiments" / "mine" / "experiment.json").write_text(json.dumps(settings))
    environment = load_environment(folder / "environment.json")
    return Experiment("mine", environment, timestamp="0715-0930"), environment


def logged_scalars(folder):
    (path,) = folder.glob("events.out.tfevents.*")
    events = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    summaries = [tf.compat.v1.Event.FromString(raw).summary for raw in events]
    return {value.tag for summary in summaries for value in summary.value}


def test_importing_the_loader_imports_no_tensorflow(repository):
    code = (
        "import sys; from models import loading; loading.check_by_name('aris-a'); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("edsr", {"gen_loss": {"gen_l1": 1.0, "gen_ssim": 0}}),
        ("pix2pix", {
            "gen_loss": {"gen_gan": 1.0, "gen_l1": 10.0, "gen_fm": 1.0},
            "disc_loss": {"disc_wstein": 1.0, "disc_gp": 10.0},
            "discriminator": DiscriminatorSettings(norm="spectral"),
        }),
    ],
)  # fmt: skip
def test_losses_of_a_validation_are_those_of_inference_and_move_nothing(name, settings):
    exp = experiment(params=SMALL, **settings)
    gan = load_gan_class(name)(exp)
    image, target = (tf.constant(array) for array in batch(exp)[:2])
    gan.train_step(image, target, step_number(0))
    state = TrainingState(gan)
    before = [v.numpy() for held in state.groups.values() for v in held]
    terms = Terms(gan, [], 1)
    output = gan.generator(image, training=False)
    tiles = int(image.shape[0])
    for part in (slice(0, tiles), slice(0, 1)):
        terms.add({"input": image[part], "target": target[part]}, output[part])
    for old, new in zip(before, (v for held in state.groups.values() for v in held), strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    found = terms.means()
    losses = {**settings["gen_loss"], **settings.get("disc_loss", {})}
    assert set(found) == set(losses if gan.discriminator else settings["gen_loss"])
    each = np.abs(target - output).mean(axis=(1, 2, 3))
    mean = (each.sum() + each[0]) / (tiles + 1)
    assert found["gen_l1"] == pytest.approx(mean, rel=1e-5)
    if "gen_gan" in found:
        answers = [gan.discriminator([image[p], output[p]], training=False).numpy()
                   for p in (slice(0, tiles), slice(0, 1))]  # fmt: skip
        parts = [np.logaddexp(0, -answer).mean() for answer in answers]
        expected = (tiles * parts[0] + parts[1]) / (tiles + 1)
        assert found["gen_gan"] == pytest.approx(expected, rel=1e-5)
