"""Weights & Biases, offline: its own files are read back."""

from __future__ import annotations

import importlib.util
import io
import json
import logging

import numpy as np
import pytest
from PIL import Image

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import MissingExtraError
from sensor2sensor.training import tracking
from sensor2sensor.training.rows import GAUGES
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start, throwaway
from sensor2sensor.training.tracking import IDENTITY, Tracker, refuse_untracked
from sensor2sensor.training.writers import JSONL, Writers, read_log
from tests.fakes_dataset import make_dataset
from tests.unit.training.test_sinks import SETTINGS, KilledError
from tests.unit.training.tiny import TinyGAN
from tests.unit.training.wandb_file import history, identities, records

OFFLINE = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None,
    reason="wandb is not installed (pip install -r requirements/wandb.txt)",
)
CLOCK = {"_timestamp", "_runtime", "_step", "_wandb", *(f"train/{name}" for name in GAUGES)}


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "wandb"))


def png():
    stream = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 10, 10)).save(stream, "png")
    return stream.getvalue()


LOSSES = {
    "total_gen_loss": 9.0, "gen_gan": 1.0, "gen_l1": 0.08, "total_disc_loss": 1.5,
    "disc_bce_real": 0.5, "disc_bce_fake": 1.0, "psnr": 14.0,
}  # fmt: skip


@OFFLINE
def test_the_published_keys_are_those_of_an_epoch(tmp_path):
    tracker = Tracker(tmp_path, "maps/t9 0715-0930", {"batch_size": 1}, "pix2pix-maps")
    with Writers(tmp_path, start_step=0, sinks=[tracker]) as writers:
        writers.scalars(20, "train", {"gen_l1": 0.1}, steps_per_s=3.0)
        writers.scalars(40, "epoch", LOSSES, epoch=1)
        writers.picture(40, "samples", png())
        writers.histograms(40, {"weights/generator/a": np.arange(10.0)})
    found = history(tmp_path)
    assert {k: v for k, v in found[20].items() if not k.startswith("_")} == {
        "train/gen_l1": 0.1, "train/steps_per_s": 3.0,
    }  # fmt: skip
    epoch = found[40]
    assert {k: v for k, v in epoch.items() if "/" not in k and k not in CLOCK} == {
        "epoch": 1, "total_gen_loss": 9.0, "fake_d_real_class_loss": 1.0, "l1_loss": 0.08,
        "total_disc_loss": 1.5, "real_d_loss": 0.5, "fake_d_loss": 1.0,
    }  # fmt: skip
    assert epoch["epoch/psnr"] == 14.0
    assert (epoch["image/width"], epoch["image/height"]) == (6, 4)
    assert sum(epoch["weights/generator/a/values"]) == 10
    (run,) = [r.run for r in records(tmp_path) if r.WhichOneof("record_type") == "run"]
    assert (run.display_name, run.project) == ("maps/t9 0715-0930", tracking.PROJECT)
    assert {u.key for u in run.config.update} >= {"batch_size"}


@OFFLINE
def test_a_killed_and_resumed_run_is_one_run_with_the_history_of_an_undisturbed_one(tmp_path):
    make_dataset(tmp_path / "data", train=3, val=1, test=1)
    (tmp_path / "experiments" / "a").mkdir(parents=True)
    (tmp_path / "experiments" / "a" / "experiment.json").write_text(json.dumps(SETTINGS))
    settings = {"ckpt_freq": 4, "sample_freq": 4, "log_freq": 2}

    def go(timestamp, start=None, say=print, **further):
        (tmp_path / "environment.json").write_text(json.dumps({**settings, **further}))
        environment = load_environment(tmp_path / "environment.json")
        exp = Experiment("a", environment, timestamp=timestamp)
        outcome = train(TinyGAN, exp, environment, start=start or Start(), say=say)
        return exp.run.logs_dir, [v.numpy() for v in outcome.model.generator.variables]

    def until_six(line):
        if line.startswith("step 6/"):
            raise KilledError

    whole, expected = go("0715-0930", tracking="wandb")
    with pytest.raises(KilledError):
        go("0716-0930", say=until_six, tracking="wandb")
    logs, weights = go("0716-0930", Start(resume=True), tracking="wandb")
    identity = json.loads((logs / IDENTITY).read_text())["id"]
    assert identities(logs) == [identity] * 2
    assert identities(whole) != identities(logs)

    def curves(folder):
        found = history(folder)
        return {s: {k: v for k, v in row.items() if k not in CLOCK} for s, row in found.items()}

    assert sorted(curves(whole)) == [2, 4, 6, 8]
    assert {"train/gen", "val/l1", "samples/sha256"} <= curves(whole)[8].keys()
    assert curves(logs) == curves(whole)
    plain = go("0717-0930")[1]
    for other in (weights, plain):  # nor does it draw from anyone's random numbers
        assert all(np.array_equal(a, b) for a, b in zip(other, expected, strict=True))


def test_a_tracker_that_is_not_installed_is_refused_before_anything_else(tmp_path, monkeypatch):
    path = tmp_path / "environment.json"
    path.write_text('{"tracking": "wandb"}')
    environment = load_environment(path)
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"tracking: wandb is not installed; pip install"):
        refuse_untracked(environment)
    path.write_text("{}")
    refuse_untracked(load_environment(path))


def test_a_trial_that_is_kept_nowhere_is_not_tracked(tmp_path):
    path = tmp_path / "environment.json"
    path.write_text('{"tracking": "wandb", "experiment_root": "e"}')
    (tmp_path / "e" / "a").mkdir(parents=True)
    (tmp_path / "trial").mkdir()
    trial = throwaway(load_environment(path), tmp_path / "e" / "a", tmp_path / "trial")
    assert trial.tracking is None


def test_a_tracker_that_cannot_begin_costs_one_line(tmp_path, caplog):
    (tmp_path / IDENTITY).write_text("{")
    with Writers(tmp_path, start_step=0, sinks=[Tracker(tmp_path, "a", {})]) as writers:
        writers.scalars(1, "train", {"gen": 1.0})
    said = [r for r in caplog.records if r.name.startswith("sensor2sensor")]
    # An earlier test may have turned on what is for --debug.
    (line,) = [r.getMessage() for r in said if r.levelno >= logging.WARNING]
    assert line.startswith("Weights & Biases is left out from here on (")
    assert read_log(tmp_path / JSONL) == [{"step": 1, "kind": "train", "gen": 1.0}]
