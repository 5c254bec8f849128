"""evaluate.py --profile torchsisr, as a user runs it: files, tables, pictures."""

from __future__ import annotations

import json

import pytest

import evaluate
import train
from sensor2sensor.evaluation import mosaics
from tests.fakes_pairs import make_pairs
from tests.scripts.test_evaluate import call, evaluations, write_experiment

pytestmark = pytest.mark.slow

STAMP = "0101-0000"
BASELINE = {"model_name": "nearest", "dataset": "pairs_toy", "tilesize": 32}


def test_a_run_is_scored_on_real_and_simulated_inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(mosaics, "MOSAICS", 1)
    make_pairs(tmp_path / "data", test=2)
    (tmp_path / "environment.json").write_text("{}")
    write_experiment(tmp_path, "a/published", {**BASELINE, "compat": "torchsisr"})
    done = call(tmp_path, train, "--exp", "a/published", "--timestamp", STAMP)
    assert done.returncode == 0, done.stderr[-2000:]
    done = call(tmp_path, evaluate, "--exp", "a/published", "--profile", "torchsisr")
    assert done.returncode == 0, done.stderr[-2000:]
    said = " ".join(done.stdout.split())
    assert "mode torchsisr, no interval below 10 sites (2 here)" in said
    assert "Scores on simulated inputs, the target degraded" in said
    stem = evaluations(tmp_path) / f"a__published_{STAMP}_torchsisr"
    facts = json.loads(stem.with_suffix(".json").read_text())
    assert facts["cross_sensor"]["half_width"] == 3 and facts["cross_sensor"]["warp"] == {}
    assert facts["reference"] == "bicubic" and facts["methods"][0] == "model"
    ranks = [entry["rank"] for entry in facts["gallery"]]
    assert ranks[-3:] == ["spectra-windowed", "spectra-torchsisr", "mosaic-01"]
    assert stem.with_name(f"{stem.name}_gallery").joinpath("bands.csv").is_file()
