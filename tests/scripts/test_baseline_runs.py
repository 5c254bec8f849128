"""A baseline named as the model of an experiment: made, evaluated and reported like any other."""

from __future__ import annotations

import csv
import json

import pytest

import evaluate
import train
from sensor2sensor import report
from sensor2sensor.core import files
from tests.fakes_dataset import make_dataset
from tests.scripts.test_evaluate import call, evaluations, write_experiment

pytestmark = pytest.mark.slow

BICUBIC = {"model_name": "bicubic", "dataset": "alt6_toy", "tilesize": 64}
LINES = {"model_name": "bilinear_fit", "dataset": "cur_toy", "tilesize": 64}
LINES["exclude_suffix"] = "_notinmask"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three baselines with a run each."""
    root = tmp_path_factory.mktemp("baselines")
    make_dataset(root / "data", train=4, val=1, test=3)
    make_dataset(root / "data", name="cur_toy", kind="sentinel3", train=4, val=1, test=3)
    (root / "environment.json").write_text("{}")
    write_experiment(root, "a/bicubic", {**BICUBIC, "steps": 7, "gen_loss": {"gen_l1": 1}})
    write_experiment(root, "a/nearest", {**BICUBIC, "model_name": "nearest"})
    write_experiment(root, "a/lines", LINES)
    said = {}
    for name in ("a/bicubic", "a/nearest", "a/lines"):
        done = call(root, train, "--exp", name, "--timestamp", "0101-0000")
        assert done.returncode == 0, done.stderr[-2000:]
        said[name] = done.stdout
    return root, said


def run_json(root, name):
    return json.loads((root / f"experiments/{name}/logs/0101-0000/run.json").read_text())


def rows(root, name, method):
    """The rows of one method without its name."""
    (table,) = evaluations(root).glob(f"{name.replace('/', '__')}_0101-0000.csv")
    with table.open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row.pop("method") == method]


def test_its_run_is_done_and_keeps_its_numbers(made):
    root, _ = made
    run = run_json(root, "a/lines")
    assert (run["status"], run["step"], run["steps"]) == ("done", 0, 0)
    kept = run["baseline"]
    fitted_on = {"split": "train", "enforce_suffix": None, "exclude_suffix": "_notinmask"}
    assert kept["fitted_on"] == {**fitted_on, "tiles": 3} and kept["name"] == "bilinear_fit"
    assert [line["target"] for line in kept["lines"]] == ["B02", "B03", "B04"]
    assert run_json(root, "a/bicubic")["baseline"]["fitted_on"] is None
    assert not (root / "experiments/a/bicubic/ckpt/0101-0000").exists()


def test_its_scores_are_those_it_has_beside_another_model(made):
    root, said = made
    assert rows(root, "a/bicubic", "model") == rows(root, "a/nearest", "bicubic")
    assert rows(root, "a/bicubic", "nearest") == rows(root, "a/nearest", "model")
    assert not rows(root, "a/bicubic", "bicubic") and not rows(root, "a/lines", "bilinear_fit")
    assert "not compared with itself" in said["a/bicubic"]
    assert "Gain of model over nearest" in said["a/bicubic"]
    facts = {r.facts.experiment: r.facts for r in report.load(evaluations(root)).results}
    assert facts["a/bicubic"].model_is_baseline and len(facts["a/bicubic"].gallery) == 3
    assert (facts["a/bicubic"].step, facts["a/bicubic"].weights) == (0, "none")
    assert facts["a/lines"].methods == ["model"] and facts["a/lines"].reference is None


def test_evaluating_it_again_reads_its_numbers_and_gives_the_same(made):
    root, _ = made
    before = rows(root, "a/lines", "model")
    assert call(root, evaluate, "--exp", "a/lines").returncode == 0
    assert rows(root, "a/lines", "model") == before
    again = call(root, train, "--exp", "a/lines", "--resume")
    assert again.returncode == 0 and rows(root, "a/lines", "model") == before
    assert run_json(root, "a/lines")["resumed"] == []


@pytest.mark.parametrize("write", [1, 2, 3])
def test_a_kill_leaves_what_resume_carries_on_or_refuses_with_a_way_out(made, write):
    root, _ = made
    name, stamp = f"a/killed{write}", ("--timestamp", "0101-0000")
    write_experiment(root, name, LINES)
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(write):
        call(root, train, "--exp", name, *stamp)
    done = call(root, train, "--exp", name, "--resume", *stamp)
    if done.returncode:
        assert write < 3 and done.returncode == 2
        assert "repeat the command that was cut off" in done.stderr or "none" in done.stderr
        done = call(root, train, "--exp", name, *stamp)
    assert done.returncode == 0, done.stderr
    assert rows(root, name, "model") == rows(root, "a/lines", "model")


def test_a_run_whose_numbers_an_earlier_version_did_not_come_to_write_gets_them(made):
    root, _ = made
    write_experiment(root, "a/half", LINES)
    assert call(root, train, "--exp", "a/half", "--timestamp", "0101-0000").returncode == 0
    kept = run_json(root, "a/half")
    half = {key: value for key, value in kept.items() if key != "baseline"}
    path = root / "experiments/a/half/logs/0101-0000/run.json"
    path.write_text(json.dumps({**half, "status": "running"}))
    done = call(root, train, "--exp", "a/half", "--resume")
    assert done.returncode == 0, done.stderr
    after = run_json(root, "a/half")
    assert after["baseline"] == kept["baseline"] and after["status"] == "done"
    assert after["started"] == kept["started"]


def test_check_names_the_keys_that_it_does_not_look_at(made):
    root, _ = made
    done = call(root, train, "--exp", "a/bicubic", "--check")
    assert done.returncode == 0
    line = "bicubic is a baseline and is not trained; not used: gen_loss, steps"
    assert done.stdout.splitlines() == [f"a/bicubic: in order; {line}"]


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        (BICUBIC, ["--restore", "0101-0000"], "has no state to restore"),
        (BICUBIC, ["--timestamp", "0101-0000"], "holds a run"),
        (
            BICUBIC,
            ["--resume", "--set", "seed=9"],
            "; undo it, or start a new run\n",
        ),
        (
            {**LINES, "model_name": "bicubic"},
            ["--check"],
            "json:1 model_name: bicubic is no",
        ),
        ({**BICUBIC, "model_name": "bicubik"}, ["--check"], "nearest: 'bicubic'"),
    ],
)
def test_what_a_baseline_cannot_have_is_one_line(made, content, options, problem):
    root, _ = made
    name = "a/bicubic" if "--check" not in options else "b/refused"
    write_experiment(root, name, content)
    done = call(root, train, "--exp", name, *options)
    assert done.returncode == 2 and problem in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
