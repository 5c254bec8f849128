"""``show``: what the first steps of a training get, on a sheet."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import show
from experiment import Experiment
from sensor2sensor.__main__ import main as commands
from sensor2sensor.config.environment import load_environment
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.training.batches import chain_of, reader_options, train_batches
from sensor2sensor.training.show import BINS, _between_levels, read_pairs, sheet
from tests.doors import run_door
from tests.fakes_dataset import make_dataset
from tests.fakes_pairs import make_pairs

NAMES = ["nearest", "small", "norms"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("show")
    make_dataset(root / "data", train=6, val=3, test=1)
    (root / "environment.json").write_text('{"data_root": "data", "experiment_root": "exp"}')
    common = {"dataset": "alt6_toy", "tilesize": 64, "batch_size": 4, "steps": 2, "seed": 5}
    own = {
        "nearest": {"model_name": "nearest"},
        "small": {"model_name": "pix2pix", "params": {"width": 0.07}, "random_crop": True,
                  "img_height": 32, "img_width": 32},
        "norms": {"model_name": "nearest", "normalisation": "l2"},
    }  # fmt: skip
    for name in NAMES:
        (root / "exp" / name).mkdir(parents=True)
        text = json.dumps({**common, **own[name]})
        (root / "exp" / name / "experiment.json").write_text(text)
    return root


def _experiment(place, name):
    environment = load_environment(str(place / "environment.json"))
    return Experiment(name, environment), environment


def _show(place, *words):
    return commands(["show", "--environment", str(place / "environment.json"), *words])


@pytest.mark.parametrize("name", NAMES)
def test_the_sheet_lies_among_the_samples(place, name, capsys):
    assert _show(place, "--exp", name, "--count", "5") == 0
    path = place / "exp" / name / "samples" / "show_train_seed5.png"
    assert f"wrote {path}" in capsys.readouterr().out
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert picture.shape[0] > 500 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 200
    assert not (place / "exp" / name / "logs").exists()


def test_pairs_are_those_of_the_first_steps(place):
    experiment, environment = _experiment(place, "small")
    options = reader_options(experiment, environment)
    steps = list(train_batches(experiment, options, extras=()).take(2))
    for count in (3, 6):
        pairs = read_pairs(experiment, options, split="train", count=count)
        assert pairs.inputs.shape == (count, 32, 32, 3)
        for key, found in (("input", pairs.inputs), ("target", pairs.targets)):
            trained = np.concatenate([batch[key].numpy() for batch in steps])
            np.testing.assert_array_equal(found, trained[:count])
    known = {ref.name for ref in list_records(experiment.dataset_dir, "train")}
    assert set(pairs.names) == known
    other = read_pairs(experiment, replace(options, seed=6), split="train", count=6)
    assert set(other.names) == known and not np.array_equal(other.targets, pairs.targets)


def test_pairs_have_gone_through_the_stages_that_training_has(tmp_path):
    make_pairs(tmp_path / "data")
    (tmp_path / "environment.json").write_text('{"data_root": "data", "experiment_root": "exp"}')
    (tmp_path / "exp" / "staged").mkdir(parents=True)
    asked = {"model_name": "bicubic", "dataset": "pairs_toy", "tilesize": 32, "batch_size": 2}
    asked |= {"input_upsampling": "none", "random_resize": 1.0}
    asked |= {"degradation": {"paths": {"simulated": 1}, "noise": [0.1, 0.2]}}
    (tmp_path / "exp" / "staged" / "experiment.json").write_text(json.dumps(asked))
    experiment, environment = _experiment(tmp_path, "staged")
    options = reader_options(experiment, environment)
    first = next(iter(train_batches(experiment, options, chain=chain_of(experiment))))
    # One pair of a batch of two: noise is drawn for the whole batch.
    pairs = read_pairs(experiment, options, split="train", count=1)
    np.testing.assert_array_equal(pairs.inputs, first["input"][:1])
    plain = next(iter(train_batches(experiment, options)))
    assert not np.allclose(pairs.inputs, plain["input"][:1], atol=0.05)


def test_val_is_shown_whole_and_at_most_once(place):
    experiment, environment = _experiment(place, "nearest")
    options = reader_options(experiment, environment)
    pairs = read_pairs(experiment, options, split="val", count=16)
    refs = list_records(experiment.dataset_dir, "val")
    truths = {r.name: r.target for r in iterate_refs(refs, experiment.contract)}
    assert sorted(pairs.names) == sorted(truths)
    restored = np.asarray(experiment.normaliser.restore(pairs.targets))
    for name, target in zip(pairs.names, restored, strict=True):
        np.testing.assert_allclose(target, truths[name], atol=1e-6)


def test_more_pairs_make_more_rows(place):
    experiment, environment = _experiment(place, "nearest")
    options = reader_options(experiment, environment)
    sizes = []
    for count in (4, 6):
        pairs = read_pairs(experiment, options, split="train", count=count)
        sizes.append(Image.open(io.BytesIO(sheet(pairs, experiment, "a $ title"))).size)
    assert sizes[0][0] == sizes[1][0] and sizes[0][1] < sizes[1][1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--exp", "nowhere"), "nowhere"),
        (("--exp", "small", "--split", "test"), "invalid choice: 'test'"),
        (("--exp", "small", "--count", "0"), "0 is not 1 or more"),
        (("--exp", "small", "--set", "img_width=128"), "random_crop"),
    ],
)
def test_a_slip_is_one_line(place, words, says, capsys):
    try:
        code = _show(place, *words)
    except SystemExit as ended:
        code = ended.code
    err = capsys.readouterr().err
    assert code == 2 and says in err and err.count("\n") == 1


def test_help_needs_no_tensorflow(repository):
    ran = run_door("-m", "sensor2sensor", "show", "--help", cwd=repository)
    assert ran.code == 0 and not ran.heavy and "--split {train,val}" in ran.out
    assert show.arguments().prog == "show.py"


def test_bins_of_8_bits_hold_equally_many_levels():
    values = (
        np.clip(np.random.default_rng(0).normal(128, 40, 400_000).round(), 0, 255)
    ) / 127.5 - 1
    values = values.astype(np.float32).astype(np.float64)
    low, high = np.quantile(values, (0.0005, 0.9995))
    edges = _between_levels(np.unique(values), low, high)
    counts = np.histogram(values, bins=edges)[0]
    levels = np.unique(values)
    held = np.histogram(levels, bins=edges)[0][1:-1]
    assert set(held) == {held[0]} and 60 <= len(counts) <= BINS + 2
    middle = counts[len(counts) // 4 : -len(counts) // 4]
    assert np.abs(np.diff(middle)).max() < 0.1 * middle.max()  # bins of equal width fall by 0.3
