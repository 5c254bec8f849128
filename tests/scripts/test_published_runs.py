"""A model of others beside ours: trained by nobody, scored and compared like any run."""

from __future__ import annotations

import json
import shutil

import pytest

import evaluate
import predict
import train
from sensor2sensor import report
from sensor2sensor.predictors.tiling import Tiling
from sensor2sensor.report.compare import entrants
from tests.fakes.onnx_files import write_onnx
from tests.fakes_dataset import make_dataset
from tests.scripts.test_baseline_runs import rows, run_json
from tests.scripts.test_evaluate import call, evaluations, write_experiment

pytestmark = pytest.mark.slow

THEIRS = {
    "model_name": "onnx", "dataset": "alt2_toy", "tilesize": 32,
    "params": {"card": "theirs.yaml", "other_scale": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A file that repeats pixels, as the baseline ``nearest`` does, named beside the settings."""
    root = tmp_path_factory.mktemp("published")
    make_dataset(root / "data", name="alt2_toy", factor=2, tile_px=32, train=4, val=1, test=3)
    (root / "environment.json").write_text("{}")
    write_experiment(root, "a/theirs", THEIRS)
    folder = root / "experiments" / "a" / "theirs"
    write_onnx(folder / "theirs.onnx", 3, factor=2)
    keys = "bands: [B4, B3, B2]\nfactor: 2\nmargin: 4\n"
    (folder / "theirs.yaml").write_text(f"model: theirs.onnx\n{keys}")
    write_experiment(root, "a/bicubic", {**THEIRS, "model_name": "bicubic", "params": {}})
    for name in ("a/theirs", "a/bicubic"):
        done = call(root, train, "--exp", name, "--timestamp", "0101-0000")
        assert done.returncode == 0, done.stderr[-2000:]
    return root


def test_its_scores_are_those_of_what_it_does(place):
    own, nearest = (rows(place, "a/theirs", method) for method in ("model", "nearest"))
    assert len(own) == len(nearest) == 3
    for mine, theirs in zip(own, nearest, strict=True):
        for name in ("psnr", "rmse", "cc"):  # reflectance x 10000 and back rounds
            assert float(mine[name]) == pytest.approx(float(theirs[name]), rel=1e-4), name


def test_it_stands_in_a_table_like_any_run(place):
    (group,) = report.load(evaluations(place)).groups
    found = {one.label: one.baseline for one in entrants(group)}
    assert found == {"nearest": True, "a/bicubic = bicubic": True, "a/theirs": False}
    facts = {result.facts.experiment: result.facts for result in group.results}
    assert facts["a/theirs"].methods == ["model", "nearest", "bicubic"]
    assert facts["a/theirs"].reference == "bicubic" and facts["a/theirs"].weights == "none"


def test_it_is_led_over_a_scene_with_the_margin_of_its_card(place):
    """Windows cut as a baseline's of one pixel would leave seams."""
    words = ["--exp", "a/theirs", "--product", "x", "--environment"]
    args = predict.arguments().parse_args([*words, str(place / "environment.json")])
    method = predict.method_of(predict.members_of(args), 1, None)
    assert method.tiling == Tiling(4, align_px=2) and method.form.name == "alt2_toy"


def test_its_run_keeps_the_file_that_was_scored(place, tmp_path):
    root = shutil.copytree(place, tmp_path / "copy")
    kept = run_json(place, "a/theirs")
    assert kept["status"] == "done" and kept["baseline"]["method"] == "published model"
    said = json.loads((place / "experiments/a/theirs/logs/0101-0000/experiment.json").read_text())
    assert said["params"]["card"] == str(place / "experiments/a/theirs/theirs.yaml")
    assert call(root, evaluate, "--exp", "a/theirs").returncode == 0
    write_onnx(place / "experiments/a/theirs/theirs.onnx", 3, factor=2, gain=2.0)
    done = call(root, evaluate, "--exp", "a/theirs")
    write_onnx(place / "experiments/a/theirs/theirs.onnx", 3, factor=2)
    assert done.returncode == 2 and "is not the file of the run" in done.stderr


def test_check_says_what_does_not_fit(place):
    for changes, said in (
        ({"params": {"card": "theirs.yaml"}}, "takes pixels of 10 m, the data set has 20 m"),
        ({"params": {"card": "none.yaml"}}, "none.yaml: no such file"),
        ({"params": {}}, "params.card: names no file of a model"),
    ):
        write_experiment(place, "a/odd", {**THEIRS, **changes})
        for file in ("theirs.yaml", "theirs.onnx"):
            source = place / "experiments/a/theirs" / file
            shutil.copy(source, place / "experiments/a/odd" / file)
        done = call(place, train, "--exp", "a/odd", "--check")
        assert done.returncode == 2 and said in done.stderr, done.stderr
    write_experiment(place, "a/odd", THEIRS)
    done = call(place, train, "--exp", "a/odd", "--check")
    assert done.returncode == 0 and "params" not in done.stdout, done.stderr
