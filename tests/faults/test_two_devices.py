"""Two devices learn what one does, go on from each other's checkpoints, and refuse what cannot.

All runs in one other process, since TensorFlow splits a CPU only before it has computed anything:
:mod:`tests.two_devices`. Numbers differ by the order of float32 sums alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import evaluate
from tests.doors import HANG_S, call_door
from tests.real_data import REPOSITORY
from tests.two_devices import RUN

QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
CHIEFS, OTHERS = "0101-0010", "0101-0011"

# The largest differences seen were 1.3e-5 in variables, 8e-5 of a loss (with batch normalisation,
# whose variance is a difference of two sums on several devices) and 1.4e-5 after a resumption.
SAME, LOSSES = 1e-4, 2e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workplace in which the scenarios have been."""
    made = tmp_path_factory.mktemp("devices")
    command = [sys.executable, "-m", "tests.two_devices", str(made)]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=QUIET, capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return made


@pytest.fixture(scope="module")
def found(folder):
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize(
    "case",
    [
        # WGAN-GP with two critic steps after a warm-up, Nadam, clipping, EMA, instance norm.
        "critic",
        # Adam, batch normalisation in both networks, losses of Keras and of the batch's mean.
        "normed",
        # A module with plain @tf.function, Keras' SGD and a loss of Keras.
        "autograph",
    ],
)
def test_two_times_four_learns_what_one_times_eight_does(found, case):
    seen = found[case]
    assert seen["moved"] > 100 * SAME  # else nothing would be compared
    assert seen["differ"] < SAME and seen["losses"] < LOSSES and seen["names"]


def test_the_devices_drop_differently(found):
    assert found["dropout"] is False


def test_what_one_device_saved_two_go_on_with_and_the_other_way_round(found):
    assert found["resumed"]["apart"] < SAME
    one, two = ("one", 1), ("mirrored", 2)
    told = [(n["strategy"], n["replicas"]) for n in found["resumed"]["noted"]]
    assert told == [one, two, one]
    assert [n["step"] for n in found["resumed"]["noted"]] == [1, 2, 3]


def test_a_step_that_moves_a_weight_by_itself_is_refused(found):
    assert "moves generator/conv2d/kernel on each device by that one's tiles" in found["by itself"]
    assert "apply the gradients" in found["by itself"]


def test_a_step_that_updates_in_a_branch_is_refused(found):
    assert "within a tf.function, tf.cond or tf.while_loop" in found["nested"]
    assert "replicas.where(condition)" in found["nested"]


def test_a_signal_to_one_of_two_workers_ends_both_at_one_step(folder):
    """Over the loopback; the other worker than the chief leaves nothing behind."""
    ports = free_ports()
    started = [begin_worker(folder, number, ports) for number in range(2)]
    exp_dir = folder / "experiments" / "a"
    try:
        wait_for(exp_dir / "ckpt" / CHIEFS / "ckpt-2.index", started)
        started[1].send_signal(signal.SIGTERM)
        said = [worker.communicate(timeout=HANG_S)[0] for worker in started]
    finally:
        for worker in started:
            worker.kill()
    assert [worker.returncode for worker in started] == [143, 143], said
    step = int(re.search(r"stopped after step (\d+) of 1000, all is saved", said[0])[1])
    run = json.loads((exp_dir / "logs" / CHIEFS / "run.json").read_text())
    told = {"status": "interrupted", "step": step, "strategy": "multi_worker", "workers": 2}
    assert told.items() <= run.items()
    assert (exp_dir / "ckpt" / CHIEFS / f"ckpt-{step}.index").is_file()
    assert "img/s" in said[0] and "img/s" not in said[1]
    assert not [*exp_dir.rglob(f"*{OTHERS}*")]
    one, two = (weights_of(exp_dir / "ckpt" / stamp) for stamp in (RUN, CHIEFS))
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, two[name], atol=SAME, err_msg=name)


@pytest.mark.slow
def test_two_workers_write_the_scores_of_one_or_nothing(folder):
    """Each scores its share; where one dies of it, one line says so and no score is written."""
    scores, run = folder / "experiments" / "_evaluation", ("--set", "steps=2", "--timestamp")
    said, codes = ended(folder, [(*run, "0101-0020"), (*run, OTHERS)], {"DIES": "1"})
    assert codes == [1, -signal.SIGKILL], said
    (line,) = [line for line in said[0].splitlines() if line.startswith("train.py: ")]
    assert "a: worker 0 of 2 has lost the others; see what" in line
    assert line.endswith("then score it: evaluate.py --exp a") and not scores.exists()
    again = ("--resume", *run, "0101-0020")
    said, codes = ended(folder, [again, again])
    assert codes == [0, 0] and "pictures" in said[0] and "pictures" not in said[1], said
    two = {path.relative_to(scores): path.read_bytes() for path in scores.rglob("*.*")}
    shutil.rmtree(scores)
    place = ("--environment", folder / "one.json", "--exp", "a", "--timestamp", "0101-0020")
    assert call_door(evaluate, *place).returncode == 0
    one = {path.relative_to(scores): path.read_bytes() for path in scores.rglob("*.*")}
    assert one == two and len([name for name in one if name.suffix != ".png"]) == 5


def ended(folder, words, other=None):
    """What two workers say, and how they end; the second one has the variables ``other``, too."""
    ports = free_ports()
    started = [
        begin_worker(folder, number, ports, words[number], other if number else None)
        for number in range(2)
    ]
    try:
        said = [worker.communicate(timeout=HANG_S)[0] for worker in started]
    finally:
        for worker in started:
            worker.kill()
    return said, [worker.returncode for worker in started]


def free_ports():
    """Two that nobody listens at."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in (one, two)]


def begin_worker(folder, number, ports, words=None, variables=None):
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    task = {"type": "worker", "index": number}
    command = [
        sys.executable, "train.py", "--environment", str(folder / "workers.json"), "--exp", "a",
        *(words or ("--timestamp", [CHIEFS, OTHERS][number])),
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={
            **QUIET,
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": task}),
            **(variables or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(file, workers):
    end = time.monotonic() + HANG_S
    while not file.is_file() and time.monotonic() < end:
        assert all(worker.poll() is None for worker in workers), workers[0].communicate()[0]
        time.sleep(0.2)


def weights_of(ckpt):
    reader = tf.train.load_checkpoint(str(ckpt / "ckpt-2"))
    names = [name for name in reader.get_variable_to_shape_map() if name.startswith("generator")]
    return {name: reader.get_tensor(name) for name in names}
