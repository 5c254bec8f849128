"""A run in epochs, killed wherever it writes and resumed, ends as an undisturbed one, in all files.

What a kill leaves is what stood in the folder at that moment: an undisturbed run is copied as it
goes, before every row and every file, and copies are resumed. Children are killed for good: what
Weights & Biases has written by then no copy can tell, since another process writes it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.training import checkpoints
from sensor2sensor.training.rows import GAUGES
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.writers import Log
from tests.doors import HANG_S
from tests.fakes_dataset import make_dataset
from tests.fakes_looks import plain_looks
from tests.faults import test_checkpoints_resume as steps_of
from tests.faults.test_epochs_resume import Judged
from tests.unit.training.wandb_file import history

# Five tiles, two a step: epochs end at 3, 5 and 8; looks at 2, 3, 4, 5, 6 and 8.
SETTINGS = {
    **steps_of.SETTINGS, "epochs": 3, "val_freq": 2, "monitor": {"metric": "gen_l1"},
    "keep_last": 1, "keep_best": 2,
}  # fmt: skip
del SETTINGS["steps"]
WATCHED = {"csv": ";", "histograms": 1, "log_freq": 1}
STAMP = "0715-0930"
TRACKED = importlib.util.find_spec("wandb") is not None
# Of the clock, of this call, and of how the run came to be.
OF_A_CALL = {"started", "argv", "git", "resumed", "restored_from"}
MOMENTS = [
    "1 train",  # before any checkpoint
    "5 ckpt-5.index",  # data without an index
    "5 run.json",  # a checkpoint that run.json does not know, and no validation
    "5 epoch cut",  # the row of the validation is there, that of the epoch is cut
    "5 step-0000005.png",  # rows, but no sheet
    "5 gone",  # in the middle of a deletion
]


def place_in(root: Path, data: Path) -> Path:
    """A workplace with the experiment ``a`` over a data set elsewhere."""
    (root / "experiments" / "a").mkdir(parents=True)
    (root / "experiments" / "a" / "experiment.json").write_text(json.dumps(SETTINGS))
    write_environment(root, data, **({"tracking": "wandb"} if TRACKED else {}))
    return root


def write_environment(root: Path, data: Path, **further: str) -> None:
    settings = {"data_root": str(data), **WATCHED, **further}
    (root / "environment.json").write_text(json.dumps(settings))


def go(root: Path, *, resume: bool):
    environment = load_environment(root / "environment.json")
    exp = steps_of.Experiment("a", environment, timestamp=STAMP)
    with plain_looks():  # in children, too
        train(Judged, exp, environment, start=Start(resume=resume), say=lambda line: None)
    return exp


class Copies:
    """Copies of a workplace at each moment, as ``<step> <what is about to be written>``."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root, self.data, self.shelf = root, data, root.parent / "copies"
        self.step, self.names = 0, []

    def take(self, what: str) -> Path:
        name = f"{self.step} {what}"
        if name not in self.names:
            self.names.append(name)
            shutil.copytree(self.root, self.shelf / name)
        return self.shelf / name

    def tick(self, part: Path | None) -> None:
        """Of every file that is written whole, or removed."""
        self.take("gone" if part is None else part.name[1:].rsplit(".", 2)[0])

    def row(self, log: Log, step: int, kind: str) -> None:
        self.step = step
        self.take(kind)
        cut = self.take(f"{kind} cut") / log.path.relative_to(self.root)
        with cut.open("a") as stream:
            stream.write(f'{{"step": {step}, "ki')


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "offline")
        patched.setenv("WANDB_SILENT", "true")
        for name in ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
            patched.setenv(f"WANDB_{name}", str(tmp_path_factory.mktemp("wandb")))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train=5, val=3, test=1)
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """An undisturbed run, and its copies."""
    root = place_in(tmp_path_factory.mktemp("whole") / "here", data)
    copies, told = Copies(root, data), Log.scalars

    def scalars(self, step, kind, values, **facts):
        copies.row(self, step, kind)
        told(self, step, kind, values, **facts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Log, "scalars", scalars)
        patched.setattr(files, "_crash", copies)
        return go(root, resume=False), copies


def values_of(folder: Path, step: int) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(folder / f"ckpt-{step}"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def facts_of(exp) -> dict:
    return {key: value for key, value in read_run_json(exp.run).items() if key not in OF_A_CALL}


def curves(exp) -> dict:
    clock = {"_timestamp", "_runtime", "_step", "_wandb"}
    clock |= {f"{kind}/{name}" for kind in ("train", "epoch") for name in GAUGES}
    rows = history(exp.run.logs_dir).items()
    # Histograms and pictures that its process had not written are in no log to tell them from.
    shown = {"train", "val", "epoch"}
    told = {(s, k): v for s, row in rows for k, v in row.items() if k.split("/")[0] in shown}
    return {key: value for key, value in told.items() if key[1] not in clock}


def assert_as_undisturbed(exp, whole) -> None:
    assert steps_of.log_of(exp) == steps_of.log_of(whole)
    for name in ("steps.csv", "epochs.csv"):
        assert (exp.run.logs_dir / name).read_bytes() == (whole.run.logs_dir / name).read_bytes()
    kept = checkpoints.checkpoint_steps(whole.run.ckpt_dir)
    assert checkpoints.checkpoint_steps(exp.run.ckpt_dir) == kept
    for step in kept:
        found, wanted = values_of(exp.run.ckpt_dir, step), values_of(whole.run.ckpt_dir, step)
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value, err_msg=f"{step} {name}")
    assert facts_of(exp) == facts_of(whole)
    sheets = [
        {path.name: path.read_bytes() for path in each.run.samples_dir.iterdir()}
        for each in (exp, whole)
    ]
    assert sheets[0] == sheets[1]
    kinds = [{path.name for path in each.run.ckpt_dir.iterdir()} for each in (exp, whole)]
    assert kinds[0] - {"damaged"} == kinds[1]  # where data without an index are set aside


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_moment_and_resumed_nothing_tells_of_it(whole, moment):
    exp, copies = whole
    root = copies.shelf / moment
    write_environment(root, copies.data)
    assert_as_undisturbed(go(root, resume=True), exp)


CHILD = """
import os, signal, sys
from pathlib import Path
from sensor2sensor.training.writers import Log
from tests.faults.test_killed_anywhere import go
told, (root, step, kind, resume) = Log.scalars, sys.argv[1:]
def scalars(self, *row, **facts):
    if row[:2] == (int(step), kind):
        os.kill(os.getpid(), signal.SIGKILL)
    told(self, *row, **facts)
Log.scalars = scalars
go(Path(root), resume=bool(resume))
"""


def test_killed_for_good_between_two_rows_and_once_more(whole, tmp_path, repository):
    root = place_in(tmp_path, whole[1].data)
    # A service of its own: that of this process would go on with the run of the killed child.
    own = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    for moment in (("5", "epoch", ""), ("6", "val", "resume")):
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(root), *moment], cwd=repository, env=own,
            capture_output=True, text=True, timeout=HANG_S, check=False,
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL, child.stderr
    exp = go(root, resume=True)
    assert_as_undisturbed(exp, whole[0])
    if not TRACKED:
        pytest.skip("wandb is not installed (pip install -r requirements/wandb.txt)")
    found, wanted = curves(exp), curves(whole[0])
    assert {step for step, _ in wanted} == {step for step, _ in found}
    assert not {key for key in {*found, *wanted} if found.get(key) != wanted.get(key)}
