"""A run scored in training mode says so, in files of its own, and draws the same every time."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from evaluate import arguments, evaluate_run
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import ConfigError, ConfigErrors
from sensor2sensor.report import load
from sensor2sensor.training.restoring import restore_for_inference
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.writers import JSONL, read_log
from tests.fakes_dataset import make_dataset
from tests.unit.training.tiny import TinyGAN

SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "steps": 2, "batch_size": 2,
    "random_resize": 1.0, "random_rotate": False, "seed": 5,
}  # fmt: skip
STAMP = "0715-0930"
BOTH = ["inference.dropout=true", "inference.norm=batch"]


def experiment(environment, name, *, options=(), as_run=False, **changes):
    folder = environment.experiment_root / name
    folder.mkdir(exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}))
    return Experiment(name, environment, timestamp=STAMP, as_run=as_run, options=options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The environment, and a run of two steps."""
    root = tmp_path_factory.mktemp("modes")
    make_dataset(root / "data", train=4, val=2, test=3)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 2, "sample_freq": 2}))
    (root / "experiments").mkdir()
    environment = load_environment(root / "environment.json")
    exp = experiment(environment, "one")
    model = train(TinyGAN, exp, environment, start=Start(), say=lambda line: None).model
    return environment, model


def scored(trained, *options, draws=None):
    environment, model = trained
    exp = experiment(environment, "one", options=options, as_run=True)
    return evaluate_run(exp, exp.run, model, options=options, draws=draws)


def test_the_files_say_what_was_kept_of_the_training_mode(trained, capsys):
    environment, model = trained
    folder = environment.evaluation_dir
    plain = scored(trained)
    content = json.loads((folder / f"one_{STAMP}.json").read_text())
    assert "inference" not in content and content["inference_statistics"] == "train"
    assert "as in training" not in capsys.readouterr().out
    both = scored(trained, *BOTH)
    said = capsys.readouterr().out
    assert "scored as in training: dropout on, moments of batches of 2, the last of 1\n" in said
    content = json.loads((folder / f"one_{STAMP}_dropout-true_norm-batch.json").read_text())
    # Three tiles: the last is alone, and its moments are its own.
    expected = {"dropout": True, "draws": 1, "norm": "batch", "batch_size": 2, "last_batch": 1}
    assert content["inference"] == expected and content["inference_statistics"] == "batch"
    assert plain.values("model", "l1") != both.values("model", "l1")
    # But for the order of sums, which is that of the tiles scored together: there 3, here 2 and 1.
    np.testing.assert_allclose(
        plain.values("nearest", "l1"), both.values("nearest", "l1"), rtol=1e-13
    )
    fresh = TinyGAN(experiment(environment, "one"))
    restore_for_inference(fresh, model.exp.run, kind="batch")
    for one, two in zip(fresh.generator.variables, model.generator.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    (group,) = load(folder).groups
    labels = {group.label(result) for result in group.results}
    assert f"one ({STAMP}), dropout on, moments of batches of 2, the last of 1" in labels


def test_several_draws_are_scored_one_by_one_and_shown(trained):
    environment, _ = trained
    once, again = (scored(trained, BOTH[0]) for _ in range(2))
    assert once.values("model", "l1") == again.values("model", "l1")
    many = scored(trained, BOTH[0], draws=3)
    assert many.values("nearest", "l1") == once.values("nearest", "l1")
    name = f"one_{STAMP}_dropout-true_draws-3"
    content = json.loads((environment.evaluation_dir / f"{name}.json").read_text())
    assert content["inference"]["draws"] == 3
    with (environment.evaluation_dir / f"{name}.csv").open(newline="") as stream:
        rows = [float(row["l1"]) for row in csv.DictReader(stream) if row["method"] == "model"]
    assert rows == many.values("model", "l1")
    # A mean over three draws: other than the first, and no draw's mean image, which has less error.
    assert np.abs(np.subtract(rows, once.values("model", "l1"))).max() > 0
    sheets = [
        Image.open(next((environment.evaluation_dir / f"{stem}_gallery").glob("best.png"))).width
        for stem in (f"one_{STAMP}_dropout-true", name)
    ]
    assert sheets[1] > sheets[0]  # two more panels


def test_draws_without_dropout_are_refused(trained):
    with pytest.raises(ConfigError, match=r"--draws: without dropout every draw is the same"):
        scored(trained, draws=2)
    with pytest.raises(SystemExit):
        arguments().parse_args(["--exp", "one", "--draws", "0"])
    with pytest.raises(SystemExit):
        arguments().parse_args(["--exp", "one", "--set", "inference_statistics=image"])


def test_the_monitor_looks_at_what_will_be_scored(trained):
    environment, _ = trained
    exp = experiment(environment, "kept", inference={"dropout": True, "norm": "batch"})
    plain = experiment(environment, "plain")
    logged = []
    for each in (exp, plain):
        train(TinyGAN, each, environment, start=Start(), say=lambda line: None)
        rows = read_log(each.run.logs_dir / JSONL)
        logged.append([row["l1"] for row in rows if row["kind"] == "val"][-1])
    assert logged[0] != logged[1]
    model = TinyGAN(exp)
    scores = evaluate_run(exp, exp.run, model, split="val")
    assert np.mean(scores.values("model", "l1")) == pytest.approx(logged[0], rel=1e-5)
    # An experiment's own rule needs no name, and what it stored fits any other.
    assert (environment.evaluation_dir / f"kept_{STAMP}_val.json").exists()
    moving = experiment(environment, "kept", as_run=True, options=["inference.norm=moving"])
    evaluate_run(moving, moving.run, TinyGAN(moving), options=["inference.norm=moving"])
    assert (environment.evaluation_dir / f"kept_{STAMP}_norm-moving.json").exists()


@pytest.mark.parametrize("norm", ["batch", "moving"])
def test_one_thing_is_said_once(trained, norm):
    settings = {"inference_statistics": "image", "batch_size": 1, "inference": {"norm": norm}}
    with pytest.raises(ConfigErrors, match=rf"inference\.norm: '{norm}' contradicts or repeats"):
        experiment(trained[0], "twice", **settings)
    alone = experiment(trained[0], "twice", **{**settings, "inference": {"dropout": True}})
    assert alone.config.applied_statistics == "image"
