"""What a bounded model cannot reach is said, and a run keeps the map that its weights learned."""

from __future__ import annotations

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from evaluate import evaluate_run
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.training.normaliser import normaliser_for
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.writers import JSONL, read_log
from tests.fakes_dataset import glinting, make_dataset
from tests.fakes_looks import plain_looks

SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 32, "steps": 1, "batch_size": 2,
    "gen_loss": {"gen_l1": 1, "gen_ssim": 1}, "discriminator": None, "sample_val": None,
}  # fmt: skip


class Saturating:
    """Its output is the input through tanh, whatever it learns."""

    discriminator = discriminator_optimizer = None

    def __init__(self, experiment):
        self.exp = experiment
        inputs = keras.Input((32, 32, 3))
        eye = keras.initializers.Constant(3 * np.eye(3)[None, None])
        layer = keras.layers.Conv2D(3, 1, kernel_initializer=eye, activation="tanh")
        self.generator = keras.Model(inputs, layer(inputs))
        self.generator_optimizer = keras.optimizers.Adam(1e-9)

    @tf.function
    def train_step(self, input_image, target, step):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(target - self.generator(input_image, training=True)))
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply_gradients(
            zip(tape.gradient(loss, variables), variables, strict=True)
        )
        return {"reach": tf.reduce_max(tf.abs(target))}


class Bounded(Saturating):
    """The same, which says so."""

    OUTPUT_BOUNDS = (-1, 1)


@pytest.fixture(scope="module", autouse=True)
def looks():
    """What a look shows is not the subject here."""
    with plain_looks():
        yield


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    root = tmp_path_factory.mktemp("bounds")
    make_dataset(root / "data", tile_px=32, train=4, val=6, test=6, picture=glinting)
    make_dataset(root / "data", name="alt6_else", tile_px=32, train=1, val=1, test=1)
    file = root / "environment.json"
    file.write_text(json.dumps({"ckpt_freq": 1, "sample_freq": 1}))
    return load_environment(file)


def written(environment, name, **changes):
    folder = environment.experiment_root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}))
    return Experiment(name, environment, timestamp="0715-0930")


def trained(environment, name, model, *, start=None, **changes):
    exp, said = written(environment, name, **changes), []
    outcome = train(model, exp, environment, start=start or Start(), say=said.append)
    return exp, outcome.model, said


@pytest.fixture(scope="module")
def run(environment):
    """One step of the model that states its bounds; the experiment, the model, the lines said."""
    return trained(environment, "said", Bounded)


def test_the_clipped_share_is_said_and_recorded_and_the_map_is_kept(environment, run):
    exp, model, said = run
    known = exp.contract.statistics["target"]
    low, high = (np.array([getattr(s, f"output_{end}") for s in known]) for end in ("low", "high"))

    def share(split):
        images = [tile.target for tile in iterate_tiles(exp.dataset_dir, exp.contract, split)]
        outside = (np.stack(images) < low - 1e-5) | (np.stack(images) > high + 1e-5)
        return outside.any(axis=-1).mean()

    record = read_run_json(exp.run)
    wanted = {split: pytest.approx(share(split)) for split in ("train", "val")}
    assert record["clipped_pixels"] == wanted and share("val") > 0
    assert f"{share('train'):.3%} of train, {share('val'):.3%} of val" in "\n".join(said)
    kept = Normalisation.from_state(record["normalisation"])
    assert kept.bounds == (-1.0, 1.0) and not kept.legacy
    assert model.exp.GEN_LOSS.value_range == tuple(b - a for a, b in kept.value_ranges)
    evaluate_run(exp, exp.run, model)
    (facts,) = environment.evaluation_dir.glob("said_*.json")
    assert files.read_json(facts)["clipped_pixels"] == pytest.approx(share("test"))


def test_choosing_on_val_opens_no_test_tile(environment, run):
    exp, model, _ = run
    evaluate_run(exp, exp.run, model, split="val")
    (facts,) = environment.evaluation_dir.glob("said_*_val.json")
    recorded = read_run_json(exp.run)["clipped_pixels"]
    assert files.read_json(facts)["clipped_pixels"] == recorded["val"]


def test_bounds_that_the_normalisation_does_not_fit_are_refused_for_any_module(environment):
    class Sigmoid(Saturating):
        OUTPUT_BOUNDS = (0, 1)

    with pytest.raises(ConfigError, match=r"'symmetric' leaves the output's bounds \[0, 1\]"):
        trained(environment, "sigmoid", Sigmoid)


def test_validation_compares_with_the_whole_truth(run):
    """L1 of the log, recomputed from the records; the outliers are in it."""
    exp, model, _ = run
    tiles = list(iterate_tiles(exp.dataset_dir, exp.contract, "val"))
    inputs = np.stack([tile.input_pixels[tile.input_index - 1] for tile in tiles])
    normalisation = model.exp.normaliser
    made = normalisation.restore(np.asarray(model.generator(normalisation.input(inputs))))
    truth = np.stack([tile.target for tile in tiles])
    (look,) = [row for row in read_log(exp.run.logs_dir / JSONL) if row["kind"] == "val"]
    assert look["l1"] == pytest.approx(np.abs(truth - made).mean(), rel=2e-5)
    clipped = normalisation.restore(normalisation.target(truth))
    assert np.abs(clipped - made).mean() < 0.9999 * look["l1"]


def test_a_model_that_does_not_state_its_bounds_is_told_and_sees_everything(environment):
    exp, model, said = trained(environment, "unstated", Saturating)
    assert any("ends in tanh, but class GAN does not state OUTPUT_BOUNDS" in s for s in said)
    assert "clipped_pixels" not in read_run_json(exp.run)
    assert model.exp.OUTPUT_RANGE == (-1.0, 1.0)
    (row,) = [row for row in read_log(exp.run.logs_dir / JSONL) if row["kind"] == "train"]
    assert row["reach"] > 1.5


def as_before(exp):
    """Take from a run what runs from before did not record."""
    record = read_run_json(exp.run)
    files.write_json(
        exp.run.run_json,
        {k: v for k, v in record.items() if k not in ("normalisation", "clipped_pixels")},
    )


def predicted_before(exp, generator):
    """L1 of every test tile, by the map of then: input and output clipped to the value range."""
    tiles = list(iterate_tiles(exp.dataset_dir, exp.contract, "test"))
    images = np.stack([tile.input_pixels[tile.input_index - 1] for tile in tiles])
    low, high = exp.contract.input_ranges().T
    seen = 2 * np.clip((images - low) / (high - low), 0, 1) - 1
    low, high = exp.contract.target_ranges().T
    made = (np.asarray(generator(seen)) + 1) / 2 * (high - low) + low
    return np.abs(np.stack([tile.target for tile in tiles]) - made).mean(axis=(1, 2, 3))


def test_a_run_from_before_is_evaluated_and_resumed_by_the_map_of_then(environment):
    exp, model, _ = trained(environment, "old", Bounded)
    as_before(exp)
    scores = evaluate_run(exp, exp.run, model)
    wanted = predicted_before(exp, model.generator)
    np.testing.assert_allclose(scores.values("model", "l1"), wanted, rtol=1e-4)
    again, model, _ = trained(environment, "old", Bounded, start=Start(resume=True), steps=3)
    rows = [row for row in read_log(again.run.logs_dir / JSONL) if row["kind"] == "train"]
    assert rows[-1]["reach"] == 1.0 and rows[-1]["step"] == 3
    assert model.exp.GEN_LOSS.value_low == (-1.0,) * 3
    assert read_run_json(again.run)["normalisation"]["legacy"] is True  # the next resume knows


def test_weights_taken_over_keep_their_map_for_the_same_data_and_kind_only(environment, run):
    source = run[0].run
    other = {
        "same": Experiment("said", environment),
        "kind": written(environment, "kind", normalisation="minmax"),
        "data": written(environment, "data", dataset="alt6_else"),
    }
    found = {name: normaliser_for(Saturating, exp, source) for name, exp in other.items()}
    assert {name: (m.kind, m.bounds) for name, m in found.items()} == {
        "same": ("symmetric", (-1.0, 1.0)),  # as recorded, whatever the class says now
        "kind": ("minmax", None),
        "data": ("symmetric", None),
    }
    record = read_run_json(source)
    as_before(run[0])
    found = {name: normaliser_for(Saturating, exp, source) for name, exp in other.items()}
    files.write_json(source.run_json, record)
    legacy = {name: made.legacy for name, made in found.items()}
    assert legacy == {"same": True, "kind": False, "data": False}


def test_a_data_set_from_before_gets_its_output_range_from_its_train_records(environment):
    folder = make_dataset(
        environment.data_root, name="alt6_old", tile_px=32, train=4, val=2, test=2,
        picture=glinting,
    )  # fmt: skip
    wanted, path = load_contract(folder).statistics["target"], folder / "dataset.json"
    content = files.read_json(path)
    for side in ("input", "target"):
        for band in content["statistics"][side]:
            del band["output_low"], band["output_high"]
    files.write_json(path, content)
    (folder / "dataset.sha256").unlink()  # none stood beside it then
    exp, _, _ = trained(environment, "olddata", Bounded, dataset="alt6_old")
    state = read_run_json(exp.run)["normalisation"]
    assert state["statistics"]["target"] == [band.model_dump(mode="json") for band in wanted]
    rows = csv.DictReader((folder / "split.csv").read_text().splitlines())
    for row in rows:  # what the run keeps is enough for its evaluation's map
        if row["split"] == "train":
            (folder / row["file"]).unlink()
    evaluate_run(exp, exp.run, Bounded(exp))
