"""Checkpoints that survive a kill at any moment; ``restoring`` reads them back.

``ckpt/<timestamp>/ckpt-<steps done>.{data-00000-of-00001,index}`` are TensorFlow's own files. They
are written into a scratch folder and renamed, the index last: a checkpoint exists once its index
does. TensorFlow's pointer file ``checkpoint`` is neither written nor read, for an empty or stale
one makes it start over in silence. ``architecture.json`` names every variable of the training.

Beside these a checkpoint holds the statistics of batch normalisation that inference takes (group
``inference_statistics``); training goes on with its moving averages and does not read them.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.errors import TrainingError
from sensor2sensor.core.paths import plainly_named
from sensor2sensor.predictors.intervals import SUFFIX as INTERVALS
from sensor2sensor.training.state import STATISTICS, TrainingState

logger = logging.getLogger(__name__)

INDEX = re.compile(r"ckpt-(\d+)\.index")
MEMBER = re.compile(r"ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})")
ARCHITECTURE, SCRATCH, DAMAGED = "architecture.json", ".saving", "damaged"
DELETED = ".deleted"
FORMAT_VERSION = 1
VALUE = ".ATTRIBUTES/VARIABLE_VALUE"  # ends the name of a variable in a checkpoint
# Causes that TensorFlow tells in the system's own words, and those that no free space mends.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_RIGHT = (errno.EACCES, errno.EROFS, errno.EPERM)
CAUSES = tuple(map(os.strerror, (*NO_ROOM, *NO_RIGHT)))
# What TensorFlow raises for truncated, flipped, missing and empty bundle files.
DAMAGE = (tf.errors.OpError, IndexError, OSError, ValueError, AssertionError)


def checkpoint_steps(folder: Path) -> list[int]:
    """Steps of the checkpoints whose index is there, ascending."""
    if not folder.is_dir():
        return []
    matches = (INDEX.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


def members(folder: Path, step: int) -> list[Path]:
    """Files of one checkpoint, data first and index last."""
    return sorted(folder.glob(f"ckpt-{step}.data-*")) + list(folder.glob(f"ckpt-{step}.index"))


def save(folder: Path, state: TrainingState, step: int) -> Path:
    """Write the state after ``step`` steps; an older checkpoint is never touched.

    Returns:
        The prefix ``<folder>/ckpt-<step>``.

    Raises:
        TrainingError: The files cannot be written (disk full, no right); earlier ones are kept.
    """
    # Inside as well: a file that was renamed must not pass for another step.
    state.step.assign(step)
    scratch = folder / SCRATCH
    try:
        # Before the first checkpoint: one without it could be of any network.
        _write_architecture(folder, state)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        # write, not save: save counts by itself and keeps a pointer file.
        state.checkpoint.write(str(scratch / f"ckpt-{step}"))
        # The index last: a checkpoint that has one is whole.
        for part in members(scratch, step):
            with files.atomic_path(folder / part.name) as temporary:
                part.replace(temporary)
    except (OSError, tf.errors.OpError) as error:
        kept, why = checkpoint_steps(folder), reason_of(error)
        hint = "make it writable" if why in map(os.strerror, NO_RIGHT) else "free space"
        hint = f"{hint} and --resume (ckpt-{kept[-1]} is kept)" if kept else hint
        problem = f"cannot write checkpoint {step}: {why}"
        raise TrainingError(problem, where=folder, hint=hint) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder / f"ckpt-{step}"


def reason_of(error: BaseException) -> str:
    """One line from an exception of the system or of TensorFlow's C++ side."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(getattr(error, "message", error)).strip() or type(error).__name__
    # TensorFlow puts the node and the path of the scratch file before the cause.
    return next((cause for cause in CAUSES if cause in text), text.splitlines()[0][:200])


def _write_architecture(folder: Path, state: TrainingState) -> None:
    path = folder / ARCHITECTURE
    # Written anew while it vouches for nothing: a kill may have left it of a module edited since.
    if not (path.is_file() and has_any(folder)):
        content = {"format_version": FORMAT_VERSION, "variables": state.architecture()}
        files.write_json(path, content)


def tidy(folder: Path) -> list[str]:
    """Clear what a killed run left in ``folder``: scratch files, data without an index.

    Data whose index is missing is moved to ``damaged/``: it may be a lost checkpoint.

    Returns:
        A phrase for each thing that was moved.
    """
    if not folder.is_dir():
        return []
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    files.sweep(folder)
    _finish_deletion(folder)
    shutil.rmtree(folder / DELETED, ignore_errors=True)
    known = set(checkpoint_steps(folder))
    orphans = {
        int(match[1])
        for path in folder.iterdir()
        if (match := MEMBER.fullmatch(path.name)) and int(match[1]) not in known
    }
    return [f"checkpoint {step} has no index, moved to {aside(folder, step)}" for step in orphans]


def delete(folder: Path, step: int) -> None:
    """Delete one checkpoint; after a kill it is whole, or none and cleared at the next begin.

    Its index goes first, to a place of its own: data without one would pass for a lost checkpoint.

    Raises:
        OSError: The files cannot be removed.
    """
    index = folder / f"ckpt-{step}.index"
    target = folder / DELETED / index.name
    target.parent.mkdir(exist_ok=True)
    index.replace(target)
    _finish_deletion(folder)
    target.parent.rmdir()


def _finish_deletion(folder: Path) -> None:
    """Remove what is left of checkpoints whose index is put away."""
    for path in sorted((folder / DELETED).glob("ckpt-*.index")):
        for data in folder.glob(f"{path.stem}.data-*"):
            files.remove(data)
        # The quantiles of its intervals are of no other weights.
        files.remove(folder / f"{path.stem}{INTERVALS}")
        files.remove(path)


def aside(folder: Path, step: int) -> Path:
    """Move one checkpoint to ``damaged/``, for whoever can read it; returns that folder."""
    target = folder / DAMAGED
    target.mkdir(exist_ok=True)
    for path in members(folder, step):
        path.replace(target / path.name)
    return target


def stored_statistics(folder: Path, step: int) -> list[Any]:
    """The statistics for inference in a checkpoint: empty in one without; may raise ``DAMAGE``."""
    with opened(folder, step) as reader:
        held = sum(name.startswith(f"{STATISTICS}/") for name in reader.get_variable_to_shape_map())
        return [reader.get_tensor(f"{STATISTICS}/{place}/{VALUE}") for place in range(held)]


@contextmanager
def opened(folder: Path, step: int) -> Iterator[Any]:
    """TensorFlow's reader of one checkpoint, good inside the block; may raise ``DAMAGE``."""
    with plainly_named(folder) as plain:  # it opens the data by name when a tensor is asked for
        yield tf.train.load_checkpoint(str(plain / f"ckpt-{step}"))


def neighbours(folder: Path) -> str:
    """What is there instead of an absent checkpoint, as a hint."""
    here = checkpoint_steps(folder)
    if here:
        return "checkpoints there: " + ", ".join(f"ckpt-{step}" for step in here)
    others = sorted(path.parent.name for path in folder.parent.glob("*/ckpt-*.index"))
    runs = ", ".join(dict.fromkeys(others))
    return f"runs with checkpoints: {runs}" if runs else "no run of this experiment has any"


def has_any(folder: Path) -> bool:
    """Whether a run has, or ever had, a checkpoint: then it must not start at step 0."""
    return bool(checkpoint_steps(folder)) or any((folder / DAMAGED).glob("ckpt-*.index"))
