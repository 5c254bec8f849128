"""The door train.py: a killed run resumed, restored, interrupted, checked; run as a user would."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import train
from sensor2sensor.training.checkpoints import checkpoint_steps
from sensor2sensor.training.rows import GAUGES
from sensor2sensor.training.writers import read_log
from tests.doors import HANG_S, call_door, run_door
from tests.evaluations import score_tables
from tests.fakes_dataset import make_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
# Of one block and alone: what the door does is the subject, and a trace of more takes longer.
EXPERIMENT = {
    "model_name": "edsr", "dataset": "alt6_toy", "tilesize": 64, "steps": 8, "batch_size": 2,
    "params": {"width": 0.07, "blocks": 1}, "random_resize": 1.2, "random_rotate": True, "seed": 3,
    "sample_val": 2,
}  # fmt: skip
# Everything that a resumed run must remember beside the weights, dropout's seeds and the statistics
# of batch normalisation among it, by the networks of fewest layers that have it: the step is traced
# three times. Epochs end at 4, 8 and 12, looks are at every second step.
RECIPE = {
    "model_name": "resnet_pix2pix",
    "params": {"width": 0.07, "blocks": 1, "dropout": True, "norm": "batch"},
    "gen_loss": {"gen_wstein": 1, "gen_lsgan": None, "gen_l1": 100},
    "disc_loss": {"disc_wstein": 1, "disc_lsgan": None, "disc_gp": 10},
    "discriminator": {"norm": "instance", "steps": 2, "receptive_field": 16},
    "generator_warmup": 3, "ema": 0.9,
    "learning_rate_schedule": {"kind": "cosine", "start": 0.25}, "gradient_clip": 1.0,
    "beta_1": 0.0,
    "epochs": 3, "val_freq": 2, "monitor": {"metric": "scc", "patience": 3}, "keep_last": 2,
}  # fmt: skip
NOTICES = re.compile(r"absl::InitializeLog|^[IWE]\d{4} .*\.cc:\d+\]", re.MULTILINE)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train=8, val=2, test=2)
    return root


@pytest.fixture
def workplace(tmp_path, data):
    """environment.json with a checkpoint every second step, and the experiment a/b/c."""
    settings = {"data_root": str(data), "ckpt_freq": 2, "sample_freq": 4}
    (tmp_path / "environment.json").write_text(json.dumps(settings))
    write_experiment(tmp_path)
    return tmp_path


def write_experiment(workplace, name="a/b/c", **changes):
    folder = workplace / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {**EXPERIMENT, **changes}
    if "epochs" in changes:
        del content["steps"]
    (folder / "experiment.json").write_text(json.dumps(content))


def words(workplace, *arguments, exp="a/b/c"):
    return ["--environment", str(workplace / "environment.json"), "--exp", exp, *arguments]


def command(workplace, *arguments, exp="a/b/c"):
    door = str(REPOSITORY / "train.py")
    return [sys.executable, door, *words(workplace, *arguments, exp=exp)]


def call(workplace, *arguments, exp="a/b/c"):
    return call_door(train, *words(workplace, *arguments, exp=exp))


def begin(workplace, *arguments, exp="a/b/c"):
    return subprocess.Popen(
        command(workplace, *arguments, exp=exp),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=workplace,
    )  # fmt: skip


def wait_for(path, process):
    hung = time.monotonic() + HANG_S
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < hung, path
        time.sleep(0.003)


def tensors(folder, step):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / f"ckpt-{step}"))
    names = [n for n in reader.get_variable_to_shape_map() if n != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    return {name: reader.get_tensor(name) for name in names}


def assert_equal_states(one, two):
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name], err_msg=name)


def run_json(workplace, timestamp, exp="a/b/c"):
    path = workplace / "experiments" / exp / "logs" / timestamp / "run.json"
    return json.loads(path.read_text())


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_with_the_weights_of_an_undisturbed_one(workplace):
    write_experiment(workplace, **RECIPE)
    write_experiment(workplace, "undisturbed", **RECIPE)
    folder = workplace / "experiments/a/b/c/ckpt/0715-0930"
    killed = begin(workplace, "--timestamp", "0715-0930")
    wait_for(folder / "ckpt-4.index", killed)
    killed.kill()
    killed.wait()
    last = checkpoint_steps(folder)[-1]
    assert last < 12
    assert run_json(workplace, "0715-0930")["status"] == "running"

    resumed = call(workplace, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert f"ckpt-{last}: continuing from step {last}" in resumed.stdout
    record = run_json(workplace, "0715-0930")
    assert (record["status"], record["restored_from"]["step"]) == ("done", last)

    undisturbed = call(workplace, "--timestamp", "0715-0930", exp="undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    other = workplace / "experiments/undisturbed/ckpt/0715-0930"
    whole = run_json(workplace, "0715-0930", "undisturbed")
    # Where patience is at its end before the last step depends on the numbers of this machine.
    ends = ("step", "best", "reason")
    assert [record.get(key) for key in ends] == [whole.get(key) for key in ends]
    assert checkpoint_steps(folder) == checkpoint_steps(other)
    names = (folder / "architecture.json").read_text()
    assert "seed_generator_state" in names and "_average" in names  # dropout and averages are on
    held = json.loads(names)["variables"]["generator"]
    assert any("moving_mean" in variable["name"] for variable in held)
    for step in checkpoint_steps(other):
        assert_equal_states(tensors(folder, step), tensors(other, step))
    assert logged_losses(workplace, "a/b/c") == logged_losses(workplace, "undisturbed")
    evaluated = [path.name for path in score_tables(workplace / "experiments/_evaluation")]
    assert sorted(evaluated) == ["a__b__c_0715-0930.csv", "undisturbed_0715-0930.csv"]


@pytest.mark.slow
def test_an_experiment_composed_of_files_and_options_stays_what_it_was(workplace):
    (workplace / "base.json").write_text(json.dumps(EXPERIMENT))
    folder = workplace / "experiments" / "a/b/c"
    (folder / "experiment.json").write_text('{"extends": "../../../../base.json", "sample_val": 1}')
    set_options = ("--set", "steps=2", "--set", "params.width=0.05")
    done = call(workplace, "--timestamp", "0715-0930", *set_options)
    assert done.returncode == 0, done.stderr
    kept = run_json(workplace, "0715-0930")
    assert kept["set"] == ["steps=2", "params.width=0.05"]
    assert kept["extends_chain"] == [str(workplace / "base.json")]
    resolved = json.loads((folder / "logs/0715-0930/experiment.json").read_text())
    assert (resolved["steps"], resolved["params"]["width"], resolved["sample_val"]) == (2, 0.05, 1)
    assert "extends" not in resolved

    refused = call(workplace, "--resume", "--set", "seed=9")
    assert refused.returncode == 2
    assert "changed since the run began: seed: 3 (there) against 9 (asked)" in refused.stderr
    # The same settings, written out in one file: nothing has changed.
    write_experiment(workplace, sample_val=1)
    resumed = call(workplace, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "0715-0930 runs with --set steps=2 --set params.width=0.05" in resumed.stdout
    assert "has changed since" not in resumed.stdout


def logged_losses(workplace, exp):
    rows = read_log(workplace / "experiments" / exp / "logs/0715-0930/metrics.jsonl")
    return [{k: v for k, v in row.items() if k not in GAUGES} for row in rows]


@pytest.mark.slow
def test_sigterm_saves_and_restore_continues_in_a_new_folder(workplace):
    write_experiment(workplace, steps=100_000)
    stopped = begin(workplace, "--timestamp", "0715-0930")
    experiment = workplace / "experiments/a/b/c"
    wait_for(experiment / "ckpt/0715-0930/ckpt-2.index", stopped)
    busy = call(workplace, "--timestamp", "0715-0930", "--resume")
    assert busy.returncode == 2
    assert f"in use by process {stopped.pid}" in busy.stderr
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(100) == 143
    record = run_json(workplace, "0715-0930")
    assert record["status"] == "interrupted"
    last = checkpoint_steps(experiment / "ckpt/0715-0930")[-1]
    assert record["step"] == last
    assert (
        f"stopped after step {last} of 100000, all is saved; --resume goes" in stopped.stdout.read()
    )
    assert not (workplace / "experiments/_evaluation").exists()

    write_experiment(workplace, steps=last + 1, learning_rate=1e-3)
    restored = call(workplace, "--restore", "0715-0930", "--timestamp", "0716-0000")
    assert restored.returncode == 0, restored.stderr
    assert checkpoint_steps(experiment / "ckpt/0716-0000")[-1] == last + 1
    assert run_json(workplace, "0716-0000")["restored_from"] == {
        "timestamp": "0715-0930", "step": last,
    }  # fmt: skip
    assert learning_rate(experiment / "ckpt/0715-0930", last) == pytest.approx(2e-4)
    assert learning_rate(experiment / "ckpt/0716-0000", last + 1) == pytest.approx(1e-3)


def learning_rate(folder, step):
    """The generator's, as its checkpoint holds it."""
    variables = json.loads((folder / "architecture.json").read_text())["variables"]
    names = [variable["name"] for variable in variables["generator_optimizer"]]
    place = next(number for number, name in enumerate(names) if name.endswith("learning_rate"))
    held = tensors(folder, step)
    return float(held[f"generator_optimizer/{place}/.ATTRIBUTES/VARIABLE_VALUE"])


@pytest.mark.slow
def test_smoke_keeps_nothing(workplace):
    before = sorted(workplace.rglob("*"))
    done = subprocess.run(
        command(workplace, "--smoke"),
        capture_output=True, text=True, timeout=HANG_S, check=False, cwd=workplace,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "steps 0 to 2" in done.stdout
    assert sorted(workplace.rglob("*")) == before
    assert NOTICES.findall(done.stdout + done.stderr) == []


def light(workplace, *arguments):
    """A call of the door that must not need TensorFlow."""
    done = run_door(*command(workplace, *arguments)[1:], cwd=workplace)
    assert not done.heavy
    return done


def test_help_is_free_of_tensorflow(workplace):
    done = light(workplace, "--help")
    assert done.code == 0
    assert "python train.py --exp sis2/s3/l1loss --resume" in done.out


def test_a_misspelt_key_is_answered_with_line_and_nearest_name(workplace):
    write_experiment(workplace, batchsize=4)
    done = light(workplace)
    assert done.code == 2
    assert "experiment.json:1" in done.err
    assert "batchsize" in done.err
    assert "batch_size" in done.err


def test_check_validates_everything_writes_nothing_and_with_debug_shows_notices(workplace):
    done = run_door(*command(workplace, "--check", "--debug")[1:], cwd=workplace)
    assert done.code == 0, done.err
    assert NOTICES.search(done.err)
    assert "tensorflow" in done.heavy  # the second stage constructs the model
    assert "in order" in done.out.splitlines()[-1]
    assert sorted(p.name for p in (workplace / "experiments/a/b/c").iterdir()) == [
        "experiment.json"
    ]


def test_check_finds_a_pretrained_generator_that_is_not_there(workplace):
    write_experiment(workplace, pretrained_generator="a/b/c/0715-0930")
    done = call(workplace, "--check")
    assert done.returncode == 2
    assert "experiment.json:1 pretrained_generator: " in done.stderr
    assert "no run '0715-0930'" in done.stderr


def test_check_names_the_nearest_model(workplace):
    write_experiment(workplace, model_name="pix2pixx")
    done = light(workplace, "--check")
    assert done.code == 2
    assert re.search(r"experiment\.json:\d+ model_name: .*nearest: 'pix2pix'", done.err)


def test_check_notices_a_damaged_data_set(workplace, data, tmp_path):
    import shutil

    copy = tmp_path / "damaged"
    shutil.copytree(data, copy)
    victim = sorted(copy.rglob("*.tfrecord"))[0]
    victim.write_bytes(victim.read_bytes()[:-7])
    settings = {"data_root": str(copy)}
    (workplace / "environment.json").write_text(json.dumps(settings))
    done = light(workplace, "--check")
    assert done.code == 2
    assert victim.name in done.err


def test_options_that_exclude_each_other_are_refused(workplace):
    done = light(workplace, "--resume", "--restore", "0715-0930")
    assert done.code == 2
    assert "use one" in done.err


def test_resume_without_a_run_is_one_line(workplace):
    done = light(workplace, "--resume")
    assert done.code == 2
    assert "no run yet" in done.err
    assert len(done.err.splitlines()) == 1
