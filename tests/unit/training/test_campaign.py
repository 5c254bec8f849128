"""Several trainings of one call: which, in what order, what is skipped, what a signal leaves.

The trainings are those of a door that writes what a run writes and computes nothing; around it all
is as in ``train.py``.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import ConfigErrors, InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.training import chain
from sensor2sensor.training.arguments import arguments
from sensor2sensor.training.jobs import jobs_of
from sensor2sensor.training.standing import Aside, reserved, standing
from tests.doors import HANG_S
from tests.fakes_dataset import make_dataset

REPOSITORY = Path(__file__).resolve().parents[3]
SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 32, "steps": 4,
    "monitor": {"metric": "l1"},
}  # fmt: skip
DOOR = """
import argparse, json, os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {repository!r})
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.cli import main_guard
from sensor2sensor.core.errors import InputError
from sensor2sensor.training import run_file
from sensor2sensor.training.arguments import arguments
from several import campaign_of

HERE = Path(__file__).parent

def one(args):
    environment = load_environment(args.environment)
    experiment = Experiment(args.exp, environment, timestamp=args.timestamp, options=args.set)
    with (HERE / "calls").open("a") as stream:
        stream.write(json.dumps([args.exp, *experiment.document.options, args.timestamp,
                                 args.resume, args.split, bool(args.check)]) + "\\n")
    if experiment.config.params.get("width") == "wide":
        raise InputError("width is no number")
    if args.check:
        return 0
    record = run_file.begin(experiment, steps=experiment.STEPS, device="CPU", restored_from=None)
    if (HERE / "crash").exists() and args.exp == (HERE / "crash").read_text():
        record.update(status="failed", reason="TrainingError: gen_l1 is not finite")
        return 1
    if (HERE / "wait").exists():
        told = []
        signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
        (HERE / "waiting").touch()
        while not told:
            time.sleep(0.01)
        time.sleep(0.3)  # a second signal would be counted
        record.update(status="interrupted", step=2, signals=len(told))
        return 143
    weight = experiment.config.gen_loss.gen_l1
    rows = [(2, weight / 100), (4, weight / 100 + 1)]
    log = "".join(json.dumps({{"step": s, "kind": "val", "l1": v}}) + "\\n" for s, v in rows)
    files.write_text(experiment.run.logs_dir / "metrics.jsonl", log)
    record.update(status="done", step=experiment.STEPS)
    facts = {{"experiment": args.exp, "timestamp": args.timestamp, "split": args.split,
             "step": experiment.STEPS, "profile": "standard", "scored_on": None}}
    name = f"{{args.exp.replace('/', '__')}}_{{args.timestamp}}.json"
    files.write_json(environment.evaluation_dir / name, facts)
    return 0

def main(args):
    campaign = campaign_of(args)
    return one(args) if campaign is None else campaign.run(Path(__file__), one)

if __name__ == "__main__":
    sys.exit(main_guard(main, arguments("")))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, tile_px=32, train=2, val=1, test=1)
    return root


@pytest.fixture
def place(tmp_path, data):
    (tmp_path / "environment.json").write_text(json.dumps({"data_root": str(data)}))
    (tmp_path / "train.py").write_text(DOOR.format(repository=str(REPOSITORY)))
    return tmp_path


def write(place, name, **changes):
    folder = place / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}))


def begin(place, *words):
    command = [sys.executable, place / "train.py", "--environment", place / "environment.json"]
    return subprocess.Popen(
        [*map(str, command), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=place,
    )  # fmt: skip


def call(place, *words):
    process = begin(place, *words)
    out, _ = process.communicate(timeout=HANG_S)
    return process.returncode, out


def calls(place):
    path = place / "calls"
    made = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return made


def jobs(place, exp, options=(), sweeps=()):
    return jobs_of(exp, load_environment(place / "environment.json"), options, sweeps)


def test_jobs_are_experiments_in_natural_order_by_values_by_seeds(place):
    write(place, "a/run-10")
    write(place, "a/run-2", seeds=[0, 1])
    write(place, "a/run-2/logs/0715-0930")  # a run's own copy is no experiment
    write(place, "b/run-1")
    assert [job.label for job in jobs(place, "a/*").jobs] == [
        "a/run-2 seed=0", "a/run-2 seed=1", "a/run-10",
    ]  # fmt: skip
    assert len(jobs(place, "**").jobs) == 4
    sweeps = ["gen_loss.gen_l1=10,2.5", 'learning_rate_schedule={"kind":"cosine","start":0.5}']
    found = jobs(place, "a/run-2", ["seed=7"], sweeps)
    assert [job.options for job in found.jobs] == [
        ("gen_loss.gen_l1=10", sweeps[1]), ("gen_loss.gen_l1=2.5", sweeps[1]),
    ]  # fmt: skip
    assert not jobs(place, "b/run-1").several
    with pytest.raises(InputError, match=r"no experiment matches 'c/\*'"):
        jobs(place, "c/*")
    for wrong in ("steps", "steps=", "steps=1,,2", "=1"):
        with pytest.raises(InputError, match="is not key"):
            jobs(place, "b/run-1", sweeps=[wrong])
    with pytest.raises(InputError, match="twice"):
        jobs(place, "b/run-1", sweeps=["gen_loss.gen_l1=10,10.0"])
    with pytest.raises(ConfigErrors, match="steps"):
        jobs(place, "b/run-1", sweeps=["steps=5,half"])


def test_a_pattern_skips_what_is_finished_and_goes_on_behind_what_fails(place):
    for name in ("a/one", "a/two"):
        write(place, name)
    write(place, "a/bad", stepz=1)
    (place / "crash").write_text("a/one")
    code, out = call(place, "--exp", "a/*")
    assert code == 1
    assert [made[0] for made in calls(place)] == ["a/one", "a/two"]
    assert "failed: a/bad: " in out and "nearest: 'steps'" in out
    assert "failed: a/one: TrainingError: gen_l1 is not finite" in out
    assert "== 1 trained, 0 finished before, 2 failed" in out

    (place / "crash").unlink()
    write(place, "a/bad")
    code, out = call(place, "--exp", "a/*")
    assert (code, len(made := calls(place))) == (0, 2)
    assert [(exp, resume) for exp, _, resume, *_ in made] == [("a/bad", False), ("a/one", True)]
    assert "== 2 trained, 1 finished before, 0 failed" in out

    write(place, "a/two", steps=6, val_freq=2)  # longer: the same run goes on
    write(place, "a/one", learning_rate=0.5)  # another recipe: a run of its own
    assert call(place, "--exp", "a/*")[0] == 0
    assert [(exp, resume) for exp, _, resume, *_ in calls(place)] == [
        ("a/one", False), ("a/two", True),
    ]  # fmt: skip
    code, out = call(place, "--exp", "a/*", "--list")
    assert (code, calls(place), out.count("finished (")) == (0, [], 3)


def test_a_signal_ends_the_training_once_and_the_chain_with_it(place):
    write(place, "seeded", seeds=[3, 4])
    (place / "wait").touch()
    chained = begin(place, "--exp", "seeded", "--tag", "x")
    hung = time.monotonic() + HANG_S
    while not (place / "waiting").exists():
        assert chained.poll() is None and time.monotonic() < hung, chained.stdout.read()
        time.sleep(0.01)
    chained.send_signal(signal.SIGTERM)
    out, _ = chained.communicate(timeout=HANG_S)
    assert chained.returncode == 143, out
    assert "left: seeded seed=3\n  left: seeded seed=4\n" in out
    ((_, _, stamp, *_),) = calls(place)
    record = json.loads((place / f"experiments/seeded/logs/{stamp}/run.json").read_text())
    assert (record["signals"], record["seed"], record["set"]) == (1, 3, ["seed=3"])

    (place / "wait").unlink()
    assert call(place, "--exp", "seeded", "--resume")[0] == 0
    first, second = calls(place)
    assert first[:4] == ["seeded", "seed=3", stamp, True]
    assert second[:2] == ["seeded", "seed=4"] and second[2] != stamp and not second[3]
    # One of a queue's tasks: nothing is left to do.
    code, out = call(place, "--exp", "seeded", "--only", "1")
    assert (code, calls(place)) == (0, []) and "finished" in out
    code, out = call(place, "--exp", "seeded", "--set", "learning_rate=1", "--only", "1")
    assert code == 0
    assert [made[1:3] for made in calls(place)] == [["learning_rate=1", "seed=4"]]
    assert "0 to 1" in call(place, "--exp", "seeded", "--only", "2")[1]
    code, out = call(place, "--exp", "seeded", "--timestamp", "0715-0930")
    assert (code, calls(place)) == (2, []) and "--set seed=3" in out


def test_a_sweep_is_checked_whole_trained_in_order_and_compared_on_val(place):
    write(place, "s", params={})
    sweep = ("--exp", "s", "--sweep", "gen_loss.gen_l1=100,50,75")
    code, out = call(place, "--exp", "s", "--sweep", "params.width=0.1,wide")
    assert code == 2 and "1 of 2 values checked are in order" in out
    assert [made[-1] for made in calls(place)] == [True, True]  # nothing but --check
    assert not (place / "experiments/s/ckpt").exists()
    code, out = call(place, *sweep, "--max-minutes", "0.00001")
    assert (code, calls(place)) == (124, []) and "0 of 3 values checked" in out

    code, out = call(place, *sweep)
    assert code == 0, out
    made = [one for one in calls(place) if not one[-1]]
    assert [(one[1], one[4]) for one in made] == [
        ("gen_loss.gen_l1=100", "val"), ("gen_loss.gen_l1=50", "val"),
        ("gen_loss.gen_l1=75", "val"),
    ]  # fmt: skip
    table = [line for line in out.splitlines() if "at step 2" in line]
    assert [line.split()[:3] for line in table] == [
        ["gen_loss.gen_l1=100", "1", "at"], ["*", "gen_loss.gen_l1=50", "0.5"],
        ["gen_loss.gen_l1=75", "0.75", "at"],
    ]  # fmt: skip
    assert "chosen by val alone" in out and f"--timestamp {made[1][2]} --step best" in out
    assert call(place, *sweep)[0] == 0
    assert calls(place) == []  # all are there

    write(place, "s", monitor=None)
    code, out = call(place, *sweep)
    assert (code, calls(place)) == (2, []) and "monitor names no metric" in out


def test_a_run_is_that_of_an_experiment_only_with_its_settings(place):
    write(place, "e")
    environment = load_environment(place / "environment.json")
    assert call(place, "--exp", "e", "--timestamp", "0715-0930", "--set", "batch_size=3")[0] == 0

    asked = []

    def found(*options):
        def view(timestamp, kept):
            return Experiment("e", environment, timestamp=timestamp, options=options, kept=kept)

        def alike(timestamp):
            asked.append(timestamp)
            return True

        return str(standing(view, alike, environment.evaluation_dir, "test"))

    assert found("batch_size=3") == "finished (0715-0930)"
    assert found() == "not begun"  # --resume would keep the 3
    assert found("batch_size=3", "steps=9") == "unfinished (0715-0930, step 4)"
    assert asked == []
    # What no file says may be the model's own default, which the model alone knows.
    run = Run(place / "experiments/e", "0715-0930")
    kept = json.loads(run.resolved.read_text())
    run.resolved.write_text(json.dumps({**kept, "normalisation": "reflectance"}))
    assert (found("batch_size=3"), asked) == ("finished (0715-0930)", ["0715-0930"])
    assert found("batch_size=3", "normalisation=standard") == "not begun"
    # An evaluation of another split, or of an earlier step, is none of this.
    (path,) = environment.evaluation_dir.glob("e_*.json")
    path.write_text(path.read_text().replace('"test"', '"val"'))
    assert found("batch_size=3").startswith("unfinished")


def test_what_is_asked_aside_is_imported_elsewhere():
    aside = Aside()
    assert aside(math.isfinite, 1.0)
    assert not aside(math.isfinite, math.inf)
    aside.close()


def test_two_runs_of_one_minute_have_two_names(tmp_path):
    now = datetime(2026, 7, 15, 9, 30)
    assert [reserved(tmp_path, now) for _ in range(3)] == [
        "0715-0930",
        "0715-0930-2",
        "0715-0930-3",
    ]


def test_every_option_is_passed_on_or_means_the_whole_call():
    made = set(vars(arguments().parse_args(["--exp", "a"])))
    of_the_call = {"exp", "resume", "set", "split", "sweep", "list", "only", "max_minutes"}
    assert made == {*chain.PASSED_ON, *chain.OF_ONE, *of_the_call}
