"""What a checkpoint is applied with: statistics of its own weights, by every reader alike."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from evaluate import evaluate_run
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import CheckpointError, ModelContractError
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.metrics import compute
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.model import ModelPredictor
from sensor2sensor.report.file import EvaluationFile
from sensor2sensor.training.batches import reader_options
from sensor2sensor.training.checkpoints import save, stored_statistics
from sensor2sensor.training.layer_statistics import (
    TILES,
    at_inference,
    batchnorms,
    estimate,
    statistics_batches,
)
from sensor2sensor.training.recipe import construct
from sensor2sensor.training.rehearsal import rehearse
from sensor2sensor.training.restoring import restore_for_inference
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.state import TrainingState
from sensor2sensor.training.writers import JSONL, read_log
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.unit.training.tiny import Mapped, TinyGAN, assert_equal

SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "steps": 4, "batch_size": 2,
    "random_resize": 1.3, "random_rotate": True, "seed": 5,
}  # fmt: skip
EMA = {"ema": 0.5}


class Averaging(TinyGAN):
    """With averaged weights where the experiment asks for them."""

    def __init__(self, experiment, **options):
        super().__init__(experiment, **options)
        if experiment.EMA:
            self.generator_optimizer = keras.optimizers.Adam(
                1e-1, use_ema=True, ema_momentum=experiment.EMA
            )


@pytest.fixture(scope="module", autouse=True)
def looks():
    """What a look shows is not the subject here."""
    with plain_looks():
        yield


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A checkpoint and a look at the validation tiles after every second step."""
    root = tmp_path_factory.mktemp("statistics")
    make_dataset(root / "data", train=7, val=3, test=1)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 2, "sample_freq": 2}))
    (root / "experiments").mkdir()
    return load_environment(root / "environment.json")


def experiment(environment, name, timestamp="0715-0930", **changes):
    folder = environment.experiment_root / name
    folder.mkdir(exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}))
    return Experiment(name, environment, timestamp=timestamp)


def go(environment, exp, *, start=None, steps=None, model=Averaging):
    said = []
    outcome = train(model, exp, environment, start=start or Start(), steps=steps, say=said.append)
    return outcome.model, said


def tiles(exp):
    """The batches that statistics are measured on."""
    options = reader_options(exp, exp.environment)
    normalisation = Normalisation(exp.config.normalisation, exp.contract)
    return statistics_batches(exp, normalisation, options)


def restored(exp, **options):
    model = construct(Averaging, exp)
    restore_for_inference(model, exp.run, **options)
    return model


def statistics_of(generator):
    found = batchnorms(generator)
    return [np.array(v) for norm in found for v in (norm.moving_mean, norm.moving_variance)]


def values(model):
    return [v.numpy() for group in TrainingState(model).groups.values() for v in group]


@pytest.mark.parametrize("changes", [{}, EMA], ids=["last", "ema"])
def test_a_checkpoint_is_applied_with_the_statistics_of_its_weights(environment, changes):
    exp = experiment(environment, "whole", timestamp=f"0715-000{len(changes)}", **changes)
    live, _ = go(environment, exp)
    model = restored(exp)
    assert_equal(statistics_of(model.generator), estimate(model.generator, lambda: tiles(exp)))
    assert np.abs(statistics_of(live.generator)[0] - statistics_of(model.generator)[0]).max() > 0
    assert json.loads(exp.run.run_json.read_text())["inference_statistics"] == "train"


@pytest.mark.parametrize(
    "changes", [EMA, {"inference_statistics": "image", "batch_size": 1}], ids=["ema", "image"]
)
def test_evaluation_gives_the_numbers_of_the_monitor(environment, changes):
    exp = experiment(environment, f"same{len(changes)}", **changes)
    go(environment, exp)
    kind = exp.config.inference_statistics
    model = restored(exp, kind=kind)
    predictor = ModelPredictor(
        at_inference(model.generator, kind), Normalisation("symmetric", exp.contract),
        "nearest", 2, (64, 64),
    )  # fmt: skip
    records = list(iterate_tiles(exp.dataset_dir, exp.contract, "val"))
    ranges = np.asarray(exp.contract.target_ranges(), np.float32)
    truth = Normalisation("symmetric", exp.contract)
    seen = np.asarray(truth.restore(truth.target(np.stack([r.target for r in records]))))
    scores = compute(
        seen.astype(np.float32), predictor(records),
        value_ranges=ranges, factor=exp.contract.factor, names=("l1", "psnr"),
    )  # fmt: skip
    logged = [row for row in read_log(exp.run.logs_dir / JSONL) if row["kind"] == "val"][-1]
    for name in ("l1", "psnr"):
        assert float(np.mean(scores[name])) == pytest.approx(logged[name], rel=1e-5)


def test_evaluation_says_whose_statistics_it_used(environment):
    exp = experiment(environment, "said", inference_statistics="image", batch_size=1)
    model, _ = go(environment, exp, steps=2)
    evaluate_run(exp, exp.run, model)
    text = next(environment.evaluation_dir.glob("said_*.json")).read_text()
    assert EvaluationFile.model_validate_json(text).inference_statistics == "image"
    assert stored_statistics(exp.run.ckpt_dir, 2) == []


def test_a_resumed_run_stores_the_statistics_of_the_uninterrupted_one(environment):
    whole, halves = (experiment(environment, name, **EMA) for name in ("one", "two"))
    first, _ = go(environment, whole)
    go(environment, halves, steps=2)
    second, _ = go(environment, halves, start=Start(resume=True))
    assert_equal(values(first), values(second))
    stored = stored_statistics(whole.run.ckpt_dir, 4)
    assert len(stored) == 2
    assert_equal(stored, stored_statistics(halves.run.ckpt_dir, 4))


def test_a_checkpoint_from_before_is_measured_and_resumed(environment):
    exp = experiment(environment, "before", **EMA)
    model, _ = go(environment, exp)
    new = stored_statistics(exp.run.ckpt_dir, 4)
    save(exp.run.ckpt_dir, TrainingState(model), 4)  # as it was written before
    assert stored_statistics(exp.run.ckpt_dir, 4) == []
    with pytest.raises(CheckpointError, match="holds no statistics of batch normalisation"):
        restored(exp)
    said = []
    again = restored(exp, batches=lambda: tiles(exp), say=said.append)
    assert_equal(statistics_of(again.generator), new)
    assert len(said) == 1
    assert "ckpt-4: from before statistics were kept" in said[0]
    longer = experiment(environment, "before", steps=6, **EMA)
    resumed, _ = go(environment, longer, start=Start(resume=True))
    whole, _ = go(environment, experiment(environment, "six", steps=6, **EMA))
    assert_equal(values(resumed), values(whole))


@pytest.mark.parametrize(
    "changes",
    [{"batch_size": 5}, {"random_resize": 1.0, "random_rotate": False}, {"shuffle": False}],
    ids=["batch size", "augmentation", "order"],
)
def test_the_tiles_measured_on_are_the_same_however_training_sees_them(environment, changes):
    one = list(tiles(experiment(environment, "plain")))
    two = list(tiles(experiment(environment, "other", **changes)))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first["input"], second["input"])
        np.testing.assert_array_equal(first["name"], second["name"])


def test_every_tile_is_measured_on_once_in_batches_of_nearly_one_size(environment, tmp_path):
    make_dataset(tmp_path / "data", train=TILES + 1, val=1, test=1)
    (tmp_path / "environment.json").write_text("{}")
    (tmp_path / "experiments").mkdir()
    exp = experiment(load_environment(tmp_path / "environment.json"), "many")
    found = [b["index"].numpy() for b in tiles(exp)]
    assert [len(indices) for indices in found] == [9, 8]
    order = np.concatenate(found).tolist()
    assert sorted(order) == list(range(TILES + 1))
    assert order != sorted(order)


def tensors(run, step):
    reader = tf.train.load_checkpoint(str(run.ckpt_dir / f"ckpt-{step}"))
    names = reader.get_variable_to_shape_map()
    return [reader.get_tensor(n) for n in sorted(names) if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]


class Still(Averaging):
    """Learns nothing, so that what a run began with can be seen at its end."""

    @tf.function
    def train_step(self, input_image, target, step):
        return {"gen": tf.reduce_mean(self.generator(input_image, training=False))}


@pytest.mark.parametrize("changes", [{}, EMA], ids=["last", "ema"])
def test_a_run_begins_with_the_generator_that_evaluation_applies(environment, changes):
    source = experiment(environment, f"source{len(changes)}", **changes)
    go(environment, source)
    expected = restored(source)
    asked = f"source{len(changes)}/0715-0930"
    exp = experiment(environment, f"begun{len(changes)}", pretrained_generator=asked, seed=8)
    start = Start(pretrained=source.run)
    model, said = go(environment, exp, start=start, steps=2, model=Still)
    assert_equal(model.generator.get_weights(), expected.generator.get_weights())
    assert any("generator from" in line and "ckpt-4" in line for line in said)
    found = read_run_json(exp.run)["pretrained_generator"]
    assert (found["asked"], found["checkpoint"], found["step"]) == (asked, "ckpt-4", 4)
    assert found["weights"] == ("averaged" if changes else "last")
    assert len(found["sha256"]) == 2

    go(environment, exp, start=Start(resume=True))  # the record survives, nothing is loaded
    assert read_run_json(exp.run)["pretrained_generator"] == found


def test_a_pretrained_run_resumes_bit_for_bit(environment):
    source = experiment(environment, "start")
    go(environment, source)
    one, two = (experiment(environment, n, pretrained_generator="start") for n in ("p1", "p2"))
    first, _ = go(environment, one, start=Start(pretrained=source.run))
    go(environment, two, start=Start(pretrained=source.run), steps=2)
    second, _ = go(environment, two, start=Start(resume=True))
    assert_equal(values(first), values(second))
    assert_equal(tensors(one.run, 4), tensors(two.run, 4))


def test_every_difference_of_architecture_is_in_one_message(environment):
    source = experiment(environment, "narrow")
    go(environment, source, steps=2)
    exp = experiment(environment, "wide", pretrained_generator="narrow")

    def wider(view):
        return Averaging(view, width=6)

    with pytest.raises(CheckpointError) as caught:
        go(environment, exp, start=Start(pretrained=source.run), model=wider)
    assert "conv2d/kernel 3x3x3x4 float32 (there) against" in str(caught.value)
    assert "batch_normalization/gamma" in str(caught.value)
    assert not list(exp.run.ckpt_dir.glob("ckpt-*"))


class ByMap(TinyGAN):
    """A generator that trains, but whose normalisation runs in a graph always."""

    def Generator(self):
        generator = super().Generator()
        return keras.Sequential([*generator.layers[:-1], Mapped(), generator.layers[-1]])


@pytest.mark.parametrize("first", ["check", "train"])
def test_what_a_look_would_refuse_is_refused_before_the_first_step(environment, first):
    exp = experiment(environment, f"mapped_{first}")
    with pytest.raises(ModelContractError, match="inference_statistics cannot be measured for"):
        if first == "check":
            rehearse(ByMap, exp, environment, Start(), print)
        else:
            go(environment, exp, model=ByMap)
    assert not list(exp.run.ckpt_dir.glob("ckpt-*"))
    assert not exp.run.run_json.exists()
