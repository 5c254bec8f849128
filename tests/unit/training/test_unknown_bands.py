"""A band that nobody measured on the target's grid moves no score of training or evaluation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.training.batches import reader_options, validation_batches
from sensor2sensor.training.validation import Monitor
from tests.fakes_pairs import make_pairs
from tests.unit.evaluation.toys import Made

SETTINGS = {
    "model_name": "carn", "dataset": "pairs_toy", "tilesize": 32, "input_upsampling": "none",
    "random_resize": 1.0, "sample_val": 1, "discriminator": None, "gen_loss": {"gen_l1": 1.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("unknown")
    folder = make_pairs(root / "data")
    (root / "environment.json").write_text(json.dumps({"data_root": "data"}))
    environment = load_environment(root / "environment.json")
    place = environment.experiment_root / "e"
    place.mkdir(parents=True)
    (place / "experiment.json").write_text(json.dumps(SETTINGS))
    return Experiment("e", environment, timestamp="0715-0930"), folder


def guesses(shape, band, by):
    """The same numbers always, one band moved."""
    values = np.random.default_rng(0).uniform(0.0, 0.3, shape).astype(np.float32)
    values[..., band] += by
    return values


@pytest.mark.parametrize(("band", "moves"), [(3, False), (2, True)], ids=["B11", "B04"])
def test_the_monitor_sees_measured_bands_alone(made, band, moves):
    exp, _ = made
    options = reader_options(exp, exp.environment)
    monitor = Monitor(exp, exp.normaliser, validation_batches(exp, options))

    def scores(by):
        found, _, _ = monitor.look(lambda x, training: guesses((len(x), 32, 32, 4), band, by))
        return found

    one, other = scores(0.0), scores(0.2)
    assert one and (one["l1"] != other["l1"]) == moves
    assert moves or one == pytest.approx(other, nan_ok=True)


@pytest.mark.parametrize(("band", "moves"), [(3, False), (2, True)], ids=["B11", "B04"])
def test_profile_standard_scores_measured_bands_alone(made, band, moves):
    exp, folder = made

    def method(by):
        return Made(lambda tiles: np.stack([guesses((32, 32, 4), band, by) for _ in tiles]))

    methods = {"model": method(0.0), "other": method(0.2)}
    found = evaluate(methods, folder, exp.contract, profile="standard")
    one, other = ([row.values for row in found.of(name)] for name in methods)
    assert (one[0]["l1"] != other[0]["l1"]) == moves
    if not moves:
        for first, second in zip(one, other, strict=True):
            assert first == pytest.approx(second, nan_ok=True)
