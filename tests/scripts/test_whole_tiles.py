"""A generator of any size, trained on crops: validation and evaluation see the same whole tiles."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import train
from sensor2sensor.core.cli import main_guard
from tests.evaluations import score_tables
from tests.fakes_dataset import make_dataset

MODULE = '''
"""open: two convolutions and a PatchGAN, of any size."""

import tensorflow as tf

from models import base
from models.parts.primitives import conv


class GAN:
    """Two convolutions."""

    SIDES_MULTIPLE_OF_PX = 1

    def __init__(self, experiment):
        base.assemble(self, experiment, {"judged": False, "side": 0})

    def Generator(self):
        side = self.params.side or None
        inputs = tf.keras.layers.Input([side, side, self.exp.INPUT_CHANNELS])
        x = conv(3, 4, activation="relu")(inputs)
        return tf.keras.Model(inputs, conv(3, self.exp.OUTPUT_CHANNELS)(x), name="generator")

    def Discriminator(self):
        judged = self.params.judged
        return base.patchgan(self.exp, 0.1, any_size=True) if judged else None

    @tf.function
    def train_step(self, input_image, target, step):
        return base.standard_step(self, input_image, target, step)
'''
TILES = 3
MONITORED = ("hpsi", "ergas", "scc", "ssim", "psnr", "hp_l1", "l1")
SMALL = {
    "model_name": "open", "dataset": "alt6_toy", "tilesize": 64, "img_height": 32, "img_width": 32,
    "random_crop": True, "steps": 2, "batch_size": 8, "normalisation": "reflectance",
    "gen_loss": {"gen_gan": None, "gen_l1": 1.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train=8, val=TILES, test=1)
    return root


@pytest.fixture
def run(tmp_path, data, capsys):
    """Trains the experiment with changes; returns exit code, what was said, and the run's files."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "open.py").write_text(MODULE)
    settings = {"data_root": str(data), "models_root": "mine", "sample_freq": 2}
    (tmp_path / "environment.json").write_text(json.dumps(settings))
    home = tmp_path / "experiments"

    def trained(*words, **changes):
        (home / "a").mkdir(parents=True, exist_ok=True)
        (home / "a" / "experiment.json").write_text(json.dumps({**SMALL, **changes}))
        place = ["--environment", str(tmp_path / "environment.json"), "--exp", "a"]
        code = main_guard(train.main, train.arguments(), [*place, "--split", "val", *words])
        said = capsys.readouterr()
        return code, said.out + said.err, home

    return trained


def looked_at(home) -> dict[str, float]:
    """What the last validation found."""
    (log,) = (home / "a" / "logs").glob("*/metrics.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row for row in rows if row["kind"] == "val"][-1]


def scored(home) -> dict[str, float]:
    """Means over the tiles that validation looked at, by the evaluation."""
    (table,) = score_tables(home / "_evaluation", "a_*.csv")
    rows = [row for row in csv.DictReader(table.open()) if row["method"] == "model"]
    assert len(rows) == TILES
    return {name: np.mean([float(row[name]) for row in rows]) for name in MONITORED}


def test_validation_and_evaluation_score_the_same_whole_tiles(run):
    judged = {"params": {"judged": True}, "gen_loss": {"gen_gan": 0.01, "gen_l1": 1.0}}
    code, said, home = run(**judged)
    assert code == 0
    # 64 pixels are four crops of 32.
    assert "crops of 32 x 32 pixels, validated on whole tiles of 64, 2 at a time" in said
    found = looked_at(home)
    for name, value in scored(home).items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    # The losses are of whole tiles too: with reflectance gen_l1 is l1.
    assert found["gen_l1"] == pytest.approx(found["l1"], rel=1e-5)
    assert found["gen_gan"] > 0


def test_a_check_says_what_validation_will_see(run):
    code, said, _ = run("--check")
    assert code == 0 and "validated on whole tiles of 64, 2 at a time" in said
    code, said, _ = run("--check", normalisation="l2")
    assert code == 0 and "in order" in said and "whole tiles" not in said


def test_a_generator_of_one_size_is_looked_at_as_it_was_trained(run):
    code, said, home = run(params={"side": 32})
    assert code == 0 and "whole tiles" not in said
    found, whole = looked_at(home), scored(home)
    assert found["gen_l1"] == pytest.approx(found["l1"], rel=1e-5)
    # The middle window here, all windows there.
    assert abs(found["l1"] - whole["l1"]) > 1e-4
