"""A kind of data, a model, a loss and a metric of a user's own, through every door.

Photos with a mask and an input half as fine, split by city (`tests.fakes_source`): what the next
systems bring. Nothing of the package is touched for it.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

import train
from models.objectives import registry as losses
from sensor2sensor.config import vocabulary
from sensor2sensor.metrics import registry as metrics
from tests.doors import HANG_S, call_door
from tests.fakes_source import toy_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = '''
"""toy_sr: works on the input's own pixels and enlarges at its end."""

import tensorflow as tf

from models import base


class GAN:
    """Two convolutions around an enlargement."""

    OUTPUT_BOUNDS = (-1, 1)

    def __init__(self, experiment):
        base.assemble(self, experiment, {"filters": 8})

    @staticmethod
    def experiment_defaults(params):
        return {"input_upsampling": "none", "random_resize": 1.0, "gen_loss.gen_gan": None}

    def Generator(self):
        exp = self.exp
        inputs = tf.keras.layers.Input([exp.INPUT_HEIGHT, exp.INPUT_WIDTH, exp.INPUT_CHANNELS])
        x = tf.keras.layers.Conv2D(self.params.filters, 3, padding="same")(inputs)
        x = tf.keras.layers.UpSampling2D(exp.IMG_HEIGHT // exp.INPUT_HEIGHT)(x)
        x = tf.keras.layers.Conv2D(exp.OUTPUT_CHANNELS, 3, padding="same", activation="tanh")(x)
        return tf.keras.Model(inputs, x, name="generator")

    def Discriminator(self):
        return None

    @tf.function
    def train_step(self, input_image, target, step, **extras):
        return base.standard_step(self, input_image, target, step, **extras)
'''
LOSSES = """
import tensorflow as tf

from models.losses import LossInputs, register
from sensor2sensor import metrics
from sensor2sensor.config.vocabulary import BAND_UNIT
from sensor2sensor.metrics.arrays import masked_mean


@register("gen_shade", "generator", needs={"target", "output", "extras.shade"}, paper="L1 in shade")
def gen_shade(inputs):
    shade = tf.cast(inputs.extras["shade"], tf.float32)[..., None]
    return tf.reduce_mean(shade * tf.abs(inputs.target - inputs.output))


@metrics.register("bias", label="Bias", unit=BAND_UNIT, better="lower", paper="|mean difference|")
def bias(inputs):
    return tf.reduce_mean(tf.abs(masked_mean(inputs.difference, inputs.valid)), axis=-1)
"""
EXPERIMENT = {
    "model_name": "toy_sr", "dataset": "toy", "tilesize": 64, "steps": 4, "batch_size": 2,
    "modules": ["toy_losses"], "gen_loss": {"gen_l1": 1, "gen_shade": 10}, "seed": 3,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """What is declared in this process is not there for the next module."""
    tables = [vocabulary.LOSSES, vocabulary.METRICS]
    names = "REGISTRY", "DECLARED", "_MAKERS"
    tables += [getattr(module, name) for module in (losses, metrics) for name in names]
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    toy_dataset(root / "data", cities="abcdefghijkl", photos=2, tile_px=64)
    (root / "mine").mkdir()
    (root / "mine" / "toy_sr.py").write_text(MODEL)
    (root / "mine" / "toy_losses.py").write_text(LOSSES)
    settings = {"models_root": "mine", "ckpt_freq": 2, "sample_freq": 2}
    (root / "environment.json").write_text(json.dumps(settings))
    for name, changes in {
        "own": {},
        "baseline": {"model_name": "bicubic", "modules": ["toy_losses"], "gen_loss": {"gen_l1": 1}},
    }.items():
        folder = root / "experiments" / name
        folder.mkdir(parents=True)
        (folder / "experiment.json").write_text(json.dumps({**EXPERIMENT, **changes}))
    return root


def called(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return call_door(train, *words, "--environment", place / "environment.json")


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    for exp in ("own", "baseline"):
        done = called(place, "--exp", exp, "--timestamp", "0101-0000")
        assert done.returncode == 0, done.stdout + done.stderr
    return place


def evaluation(place: Path, exp: str) -> tuple[list[dict[str, str]], dict]:
    folder = place / "experiments" / "_evaluation"
    with (folder / f"{exp}_0101-0000.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return rows, json.loads((folder / f"{exp}_0101-0000.json").read_text())


@pytest.mark.slow
def test_own_loss_is_trained_and_own_metric_scored_within_the_strata(trained: Path) -> None:
    log = (trained / "experiments" / "own" / "logs" / "0101-0000" / "metrics.jsonl").read_text()
    assert "gen_shade" in log
    rows, facts = evaluation(trained, "own")
    assert {row["method"] for row in rows} == {"model", "mean_colour", "nearest", "bicubic"}
    assert facts["reference"] == "bicubic"
    for column in ("bias", "rmse@shaded", "bias@lit", "pixels@shaded"):
        assert all(float(row[column]) >= 0 for row in rows), column
    for row in rows:
        # Shade and light share out the tile, so the squared differences add up.
        shaded, lit = float(row["pixels@shaded"]), float(row["pixels@lit"])
        assert shaded + lit == 64 * 64
        parts = shaded * float(row["l1@shaded"]) + lit * float(row["l1@lit"])
        assert parts / (shaded + lit) == pytest.approx(float(row["l1"]))
    assert facts["dataset"]["split_policy"]["ground"] == "group"
    assert facts["dataset"]["value_ranges"] == {c: [0, 255] for c in ("red", "green", "blue")}


@pytest.mark.slow
def test_a_resumed_run_evaluates_to_the_same_numbers(trained: Path) -> None:
    """In another process than that of the training."""
    before = evaluation(trained, "own")[0]
    words = ["--exp", "own", "--timestamp", "0101-0000", "--environment", "environment.json"]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "evaluate.py"), *words],
        cwd=trained, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert evaluation(trained, "own")[0] == before
    assert "split by group" in done.stdout


@pytest.mark.slow
def test_a_baseline_is_evaluated_as_a_model_is(trained: Path) -> None:
    own, _ = evaluation(trained, "own")
    rows, facts = evaluation(trained, "baseline")
    assert facts["model_is_baseline"]
    assert {row["method"] for row in rows} == {"model", "mean_colour", "nearest"}
    there = [row["rmse"] for row in own if row["method"] == "bicubic"]
    assert [row["rmse"] for row in rows if row["method"] == "model"] == there


@pytest.mark.slow
def test_the_notebook_shows_the_strata_and_both_runs(trained: Path) -> None:
    notebook = nbformat.read(REPOSITORY / "summary_eval.ipynb", as_version=4)
    variable = {"SENSOR2SENSOR_ENVIRONMENT": str(trained / "environment.json")}
    client = NotebookClient(
        notebook, timeout=HANG_S, kernel_name="python3",
        resources={"metadata": {"path": str(REPOSITORY)}},
    )  # fmt: skip
    client.execute(env={**os.environ, **variable})
    page = HTMLExporter().from_notebook_node(notebook)[0]
    for text in ("own", "baseline", "shaded", "lit", "Bias"):
        assert text in page, text


def test_a_misspelt_loss_is_asked_of_the_module_first(place: Path) -> None:
    folder = place / "experiments" / "misspelt"
    folder.mkdir()
    changes = {"gen_loss": {"gen_shaed": 1}}
    (folder / "experiment.json").write_text(json.dumps({**EXPERIMENT, **changes}))
    done = called(place, "--exp", "misspelt", "--check")
    assert done.returncode == 2
    assert "gen_shaed" in done.stderr and "gen_shade" in done.stderr
