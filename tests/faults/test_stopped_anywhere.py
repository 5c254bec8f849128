"""Rows 35 and 36 of the fault table: a signal in any phase, a disk that is full at any write.

One run is stopped or fails again and again and goes on; in the end it is the undisturbed one.
"""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path

import pytest
import tensorflow as tf

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import TrainingError
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.training.checkpoints import SCRATCH, checkpoint_steps
from sensor2sensor.training.start import Start
from sensor2sensor.training.time_limit import TimeLimit
from sensor2sensor.training.writers import JSONL, Log
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.faults import test_checkpoints_resume as steps_of
from tests.faults.test_epochs_resume import Judged

RESUME = Start(resume=True)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A checkpoint and a look after every second step of six."""
    root = tmp_path_factory.mktemp("stopped")
    make_dataset(root / "data", train=7, val=2, test=1)
    settings = {"ckpt_freq": 2, "sample_freq": 2, "log_freq": 1}
    (root / "environment.json").write_text(json.dumps(settings))
    (root / "experiments").mkdir()
    with plain_looks():
        yield load_environment(root / "environment.json")


@pytest.fixture(scope="module")
def whole(environment):
    exp = steps_of.experiment(environment, "whole")
    return exp, steps_of.go(environment, exp, model=Judged)[0]


class Hook:
    """Stands where every write of a whole file passes, and acts at one of a name."""

    def __init__(self, at, act):
        self.at, self.act, self.met = at, act, False

    def tick(self, part: Path | None) -> None:
        if not self.met and part is not None and part.name[1:].rsplit(".", 2)[0] == self.at:
            self.met = True
            self.act()


class Full(Hook):
    """From that write on there is no room for any."""

    def __init__(self, at):
        super().__init__(at, lambda: None)

    def tick(self, part: Path | None) -> None:
        super().tick(part)
        if self.met:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def signalled():
    signal.raise_signal(signal.SIGTERM)


class InBuilding(Judged):
    def __init__(self, experiment=None):
        signalled()
        super().__init__(experiment)


class InTracing(Judged):
    @tf.function
    def train_step(self, input_image, target, step):
        signalled()  # Python runs while it is traced, and then no more
        return {"gen": tf.reduce_mean(self.generator(input_image, training=True))}


class InALook(Judged):
    def validation_terms(self, image, target, output, step):
        tf.py_function(lambda at: signalled() if int(at) == 4 else None, [step], [])
        return super().validation_terms(image, target, output, step)


def test_a_signal_in_any_phase_ends_the_run_with_all_that_was_done(environment, whole, monkeypatch):
    exp = steps_of.experiment(environment, "signals")

    def ended(model, start=RESUME, limit=None):
        outcome, said = steps_of.go(environment, exp, start=start, model=model, limit=limit)
        noted, reason = read_run_json(exp.run), "SIGTERM" if limit is None else str(limit)
        assert outcome.exit_code == (143 if limit is None else 124)
        assert (noted["status"], noted["reason"]) == ("interrupted", reason)
        assert noted["step"] == outcome.step == max(checkpoint_steps(exp.run.ckpt_dir), default=0)
        assert sum(line.startswith(f"{reason}: ") for line in said) == 1
        return outcome.step

    assert ended(InBuilding, Start()) == 0
    assert ended(InTracing) == 0
    with monkeypatch.context() as patched:
        patched.setattr(files, "_crash", Hook("ckpt-2.index", signalled))
        # Asked for after the next step: the signal came when this one's question was over.
        assert ended(Judged) == 3
    now = iter(range(10**6))
    # Its clock moves whenever it is looked at, so soon there is no time for another step.
    assert ended(Judged, limit=TimeLimit(1, clock=lambda: 18.0 * next(now))) == 4
    assert ended(InALook) == 4  # in the look that the stop before it has left out
    outcome, _ = steps_of.go(environment, exp, start=RESUME, model=Judged)
    steps_of.assert_equal_models(outcome.model, whole[1].model)
    assert steps_of.log_of(exp) == steps_of.log_of(whole[0])


ROW = "a row of the log"
# Where it fails, and the checkpoint that is there then.
WRITES = [("run.json", 0), ("ckpt-2.index", 0), ("ckpt-4.index", 2), (JSONL, 2), (ROW, 2)]


def test_a_disk_that_is_full_at_any_write_costs_no_checkpoint(environment, whole, monkeypatch):
    exp = steps_of.experiment(environment, "full")
    opened = Log.resume

    def to_nowhere(log, step):
        rows = opened(log, step)
        log.close()
        log._stream = open("/dev/full", "w")  # noqa: SIM115 - takes nothing, as a full disk
        return rows

    for name, kept in WRITES:
        start = RESUME if exp.run.run_json.is_file() else Start()
        with monkeypatch.context() as patched:
            disk = Full(name)
            patched.setattr(files, "_crash", disk)
            if name == ROW:
                patched.setattr(Log, "resume", to_nowhere)
            with pytest.raises((TrainingError, OSError)) as error:
                steps_of.go(environment, exp, start=start, model=Judged)
        text = f"{error.value} {getattr(error.value, 'filename', '')}"
        assert "No space left on device" in text and len(text.splitlines()) == 1
        assert str(exp.exp_dir) in text and disk.met == (name != ROW)
        assert max(checkpoint_steps(exp.run.ckpt_dir), default=0) == kept, name
        assert not list(exp.exp_dir.rglob("*.part")) and not (exp.run.ckpt_dir / SCRATCH).exists()
    outcome, _ = steps_of.go(environment, exp, start=RESUME, model=Judged)
    steps_of.assert_equal_models(outcome.model, whole[1].model)
    assert steps_of.log_of(exp) == steps_of.log_of(whole[0])
