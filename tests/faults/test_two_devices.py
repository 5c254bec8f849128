"""Two devices learn what one does, go on from each other's checkpoints, and refuse what cannot.

All runs in one other process, since TensorFlow splits a CPU only before it has computed anything:
:mod:`tests.two_devices`. Numbers differ by the order of float32 sums alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.doors import HANG_S
from tests.real_data import REPOSITORY

# The largest differences seen were 1.3e-5 in variables, 8e-5 of a loss (with batch normalisation,
# whose variance is a difference of two sums on several devices) and 1.4e-5 after a resumption.
SAME, LOSSES = 1e-4, 2e-4


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    command = [sys.executable, "-m", "tests.two_devices", str(folder)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=quiet, capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr[-2000:]
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
    seen = found["resumed"]
    assert seen["there"] < SAME and seen["back"] < SAME
    assert {**seen["noted"], "resumed": len(seen["noted"]["resumed"])} == {
        "strategy": "mirrored", "replicas": 2, "workers": 1, "resumed": 1,
    }  # fmt: skip


def test_a_step_that_moves_a_weight_by_itself_is_refused(found):
    assert "moves generator/conv2d/kernel on each device by that one's tiles" in found["by itself"]
    assert "apply the gradients" in found["by itself"]


def test_a_step_that_updates_in_a_branch_is_refused(found):
    assert "within a tf.function, tf.cond or tf.while_loop" in found["nested"]
    assert "replicas.where(condition)" in found["nested"]
