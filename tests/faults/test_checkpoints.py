"""Rows 30 to 33 and 36 of the fault table: checkpoints killed, damaged, of another model."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError, TrainingError
from sensor2sensor.core.runs import Run
from sensor2sensor.training import checkpoints
from sensor2sensor.training.checkpoints import (
    DAMAGED,
    SCRATCH,
    checkpoint_steps,
    has_any,
    members,
    save,
    tidy,
)
from sensor2sensor.training.layer_statistics import InferenceStatistics
from sensor2sensor.training.restoring import restore_for_inference, restore_latest
from sensor2sensor.training.state import TrainingState, build_optimizers
from tests.doors import HANG_S
from tests.unit.training.tiny import fresh


def make(seed=0, **options):
    model = fresh(seed, **options)
    build_optimizers(model)
    statistics = InferenceStatistics(model, "train", list)  # as they are in a new model
    return model, TrainingState(model, statistics=statistics.variables)


def kernel(model):
    return model.generator.layers[1].kernel


@pytest.fixture
def run(tmp_path):
    """A run with checkpoints at steps 2 and 4; the first kernel is filled with the step."""
    run = Run(tmp_path, "0715-0930")
    model, state = make()
    for step in (2, 4):
        kernel(model).assign(np.full(kernel(model).shape, step, np.float32))
        save(run.ckpt_dir, state, step)
    return run


def data_of(run, step):
    return next(run.ckpt_dir.glob(f"ckpt-{step}.data-*"))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "data truncated": lambda run: cut(data_of(run, 4)),
    "data flipped": lambda run: flip(data_of(run, 4)),
    "data missing": lambda run: data_of(run, 4).unlink(),
    "data empty": lambda run: data_of(run, 4).write_bytes(b""),
    "index truncated": lambda run: cut(run.ckpt_dir / "ckpt-4.index"),
    "index flipped": lambda run: flip(run.ckpt_dir / "ckpt-4.index"),
    "index empty": lambda run: (run.ckpt_dir / "ckpt-4.index").write_bytes(b""),
}


def test_the_newest_is_restored_whole(run):
    model, state = make(seed=9)
    assert restore_latest(run.ckpt_dir, state, repair=True) == 4
    assert np.all(kernel(model).numpy() == 4)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_falls_back_loudly_and_is_moved_aside(run, damage, caplog):
    DAMAGES[damage](run)
    model, state = make(seed=9)
    with caplog.at_level(logging.WARNING):
        assert restore_latest(run.ckpt_dir, state, repair=True) == 2
    assert np.all(kernel(model).numpy() == 2)
    assert "ckpt-4 IS DAMAGED" in caplog.text
    assert checkpoint_steps(run.ckpt_dir) == [2]
    assert (run.ckpt_dir / DAMAGED / "ckpt-4.index").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_inference_never_takes_an_older_one_in_silence(run, damage):
    DAMAGES[damage](run)
    model, _ = make(seed=9)
    with pytest.raises(CheckpointError, match=r"checkpoint 4 was not restored.*there: ckpt-2"):
        restore_for_inference(model, run)
    assert restore_for_inference(model, run, step=2) == 2
    assert np.all(kernel(model).numpy() == 2)


def test_a_kill_before_the_first_checkpoint_binds_the_run_to_no_architecture(tmp_path):
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(2):
        save(tmp_path, make()[1], 2)
    assert not checkpoint_steps(tmp_path)
    _, state = make(width=5)  # the module is edited, and the run begins again at step 0
    save(tmp_path, state, 2)
    assert restore_latest(tmp_path, make(width=5)[1], repair=True) == 2


def test_a_missing_index_is_set_aside_not_taken_for_an_empty_folder(run):
    (run.ckpt_dir / "ckpt-4.index").unlink()
    assert "checkpoint 4 has no index" in tidy(run.ckpt_dir)[0]
    assert checkpoint_steps(run.ckpt_dir) == [2]
    assert list((run.ckpt_dir / DAMAGED).glob("ckpt-4.data-*"))


def test_when_all_are_damaged_training_refuses_to_start_anew(run):
    for step in (2, 4):
        data_of(run, step).unlink()
    _, state = make()
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        restore_latest(run.ckpt_dir, state, repair=True)
    assert has_any(run.ckpt_dir)


@pytest.mark.parametrize(
    "content", [b"", b"\x00garbage", b'model_checkpoint_path: "ckpt-2"\n', None]
)
def test_tensorflows_own_pointer_file_is_not_believed(run, content):
    if content is not None:
        (run.ckpt_dir / "checkpoint").write_bytes(content)
    _, state = make()
    assert restore_latest(run.ckpt_dir, state, repair=True) == 4


def test_another_architecture_is_refused_with_the_differences(run):
    _, state = make(width=6)
    with pytest.raises(CheckpointError) as caught:
        restore_latest(run.ckpt_dir, state, repair=True)
    assert "conv2d/kernel 3x3x2x4 float32 (there) against" in str(caught.value)
    assert checkpoint_steps(run.ckpt_dir) == [2, 4]  # nothing was moved


def test_fewer_variables_than_stored_are_refused(run):
    model, _ = make()
    model.discriminator = None
    del model.discriminator_optimizer
    with pytest.raises(CheckpointError, match="discriminator: only in the checkpoint"):
        restore_latest(run.ckpt_dir, TrainingState(model), repair=True)


def test_another_architecture_without_its_names_moves_nothing_aside(run):
    (run.ckpt_dir / "architecture.json").unlink()
    _, state = make(width=6)
    with pytest.raises(CheckpointError):
        restore_latest(run.ckpt_dir, state, repair=True)
    assert checkpoint_steps(run.ckpt_dir) == [2, 4]


def test_inference_refuses_weights_that_are_not_there(tmp_path):
    model, _ = make()
    with pytest.raises(CheckpointError, match="no checkpoint; no run of this experiment has any"):
        restore_for_inference(model, Run(tmp_path, "0101-0000"))


def test_inference_names_the_neighbours(run):
    model, _ = make()
    with pytest.raises(CheckpointError, match="checkpoints there: ckpt-2, ckpt-4"):
        restore_for_inference(model, run, step=3)
    with pytest.raises(CheckpointError, match="runs with checkpoints: 0715-0930"):
        restore_for_inference(model, Run(run.exp_dir, "0716-0000"))


def test_inference_needs_the_generator_alone(run):
    model, _ = make(seed=9)
    model.discriminator = None
    assert restore_for_inference(model, run) == 4
    assert np.all(kernel(model).numpy() == 4)


def test_a_crash_at_any_write_of_a_save_keeps_the_previous_checkpoint(tmp_path):
    folder = tmp_path / "ckpt"
    model, state = make()
    save(folder, state, 2)
    crashed = 0
    for n in (1, 2, 3):
        kernel(model).assign(np.full(kernel(model).shape, 10 + n, np.float32))
        try:
            with files.crash_at_write(n):
                save(folder, state, 4)
        except files.SimulatedCrash:
            crashed += 1
            tidy(folder)
            _, fresh_state = make(seed=5)
            assert restore_latest(folder, fresh_state, repair=True) == 2
    assert crashed == 2  # data, index; the architecture is written once
    assert checkpoint_steps(folder) == [2, 4]


def test_leftovers_of_a_killed_save_are_swept(run):
    scratch = run.ckpt_dir / SCRATCH
    scratch.mkdir()
    (scratch / "ckpt-6.data-00000-of-00001").write_bytes(b"half")
    (run.ckpt_dir / ".ckpt-6.index.0a.part").write_bytes(b"half")
    assert tidy(run.ckpt_dir) == []
    assert not scratch.exists()
    assert not list(run.ckpt_dir.glob(".*.part"))
    _, state = make()
    assert restore_latest(run.ckpt_dir, state, repair=True) == 4


def test_saving_leaves_no_scratch_and_both_files(run):
    assert [p.name for p in members(run.ckpt_dir, 4)] == [
        "ckpt-4.data-00000-of-00001", "ckpt-4.index",
    ]  # fmt: skip
    assert not (run.ckpt_dir / SCRATCH).exists()


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.faults.test_checkpoints import make, save
folder = Path(sys.argv[1])
model, state = make(width=400)
save(folder, state, 2)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    save(folder, state, 4)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_keeps_the_previous_checkpoint(tmp_path, repository):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True, text=True, cwd=repository, timeout=HANG_S, check=False,
    )  # fmt: skip
    line = done.stdout.strip()
    assert line.startswith(TrainingError.__name__), done.stderr
    assert "cannot write checkpoint 4" in line
    assert "ckpt-2 is kept" in line
    assert checkpoint_steps(tmp_path) == [2]
    _, state = make(width=400)
    assert restore_latest(tmp_path, state, repair=True) == 2


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.EACCES, "make it writable"), (errno.ENOSPC, "free space")]
)
def test_what_tensorflow_cannot_write_is_told_in_the_systems_words(tmp_path, number, hint):
    """It names node and scratch file before the cause; free space mends no missing right."""

    def refuse(prefix: str) -> None:
        said = (
            f"{{{{function_node __wrapped__SaveV2}}}} {prefix}; {os.strerror(number)} [Op:SaveV2]"
        )
        raise tf.errors.PermissionDeniedError(None, None, said)

    (tmp_path / "ckpt-20.index").touch()
    state = SimpleNamespace(
        step=tf.Variable(0, dtype=tf.int64),
        architecture=dict,
        checkpoint=SimpleNamespace(write=refuse),
    )
    with pytest.raises(TrainingError) as error:
        checkpoints.save(tmp_path, state, 30)
    assert str(error.value) == (
        f"{tmp_path}: cannot write checkpoint 30: {os.strerror(number)};"
        f" {hint} and --resume (ckpt-20 is kept)"
    )
