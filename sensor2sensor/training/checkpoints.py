"""Checkpoints that survive a kill at any moment, and say plainly when they did not.

``ckpt/<timestamp>/ckpt-<steps done>.{data-00000-of-00001,index}`` are TensorFlow's own files. They
are written into a scratch folder and renamed, the index last: a checkpoint exists once its index
does. TensorFlow's pointer file ``checkpoint`` is neither written nor read, for an empty or stale
one makes it start over in silence. ``architecture.json`` names every variable of the training.

Beside these a checkpoint holds the statistics of batch normalisation that inference takes (group
``inference_statistics``); training goes on with its moving averages and does not read them.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError, TrainingError
from sensor2sensor.core.paths import plainly_named
from sensor2sensor.core.runs import Run
from sensor2sensor.training.averages import averages, take
from sensor2sensor.training.contract import GANModel
from sensor2sensor.training.layer_statistics import Batches, Kind, assign, batchnorms, estimate
from sensor2sensor.training.state import STATISTICS, TrainingState, architecture_differences

logger = logging.getLogger(__name__)

INDEX = re.compile(r"ckpt-(\d+)\.index")
MEMBER = re.compile(r"ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})")
ARCHITECTURE, SCRATCH, DAMAGED = "architecture.json", ".saving", "damaged"
FORMAT_VERSION = 1
VALUE = ".ATTRIBUTES/VARIABLE_VALUE"  # ends the name of a variable in a checkpoint
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
    state.step.assign(step)
    scratch = folder / SCRATCH
    try:
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
        kept = checkpoint_steps(folder)
        hint = f"free space and --resume (ckpt-{kept[-1]} is kept)" if kept else "free space"
        reason = f"cannot write checkpoint {step}: {reason_of(error)}"
        raise TrainingError(reason, where=folder, hint=hint) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder / f"ckpt-{step}"


def reason_of(error: BaseException) -> str:
    """One line from an exception of the system or of TensorFlow's C++ side."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(getattr(error, "message", error)).strip() or type(error).__name__
    line = text.splitlines()[0]
    # TensorFlow puts the path of the scratch file before the cause.
    return "No space left on device" if "No space left" in text else line[:200]


def _write_architecture(folder: Path, state: TrainingState) -> None:
    path = folder / ARCHITECTURE
    if not path.is_file():
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
    known = set(checkpoint_steps(folder))
    orphans = {
        int(match[1])
        for path in folder.iterdir()
        if (match := MEMBER.fullmatch(path.name)) and int(match[1]) not in known
    }
    return [f"checkpoint {step} has no index, moved to {_aside(folder, step)}" for step in orphans]


def _aside(folder: Path, step: int) -> Path:
    target = folder / DAMAGED
    target.mkdir(exist_ok=True)
    for path in members(folder, step):
        path.replace(target / path.name)
    return target


def restore_latest(folder: Path, state: TrainingState, *, repair: bool) -> int:
    """Restore the newest checkpoint that can be read.

    Args:
        folder: ``ckpt/<timestamp>`` of a run.
        state: The state to fill; every variable of it must be found and no other may be there.
        repair: Move damaged checkpoints to ``damaged/``; else they are only passed over.

    Returns:
        The step it was saved at.

    Raises:
        CheckpointError: None is readable, or they belong to another architecture.
    """
    # Without the named architecture a failure may be a wrong model, not a damaged file.
    repair = _compare(folder, state) and repair
    steps = checkpoint_steps(folder)
    for step in reversed(steps):
        try:
            return _read(folder, state, step)
        except DAMAGE as error:
            _refuse_unopened(folder, step, error)
            fate = f"moved to {_aside(folder, step)}" if repair else "passed over"
            logger.warning(
                "CHECKPOINT %s IS DAMAGED (%s): %s; FALLING BACK to the one before it",
                folder / f"ckpt-{step}", reason_of(error), fate,
            )  # fmt: skip
    if steps:
        tried = ", ".join(f"ckpt-{step}" for step in steps)
        hint = "start a new run, or restore the files from a backup"
        raise CheckpointError(f"no readable checkpoint (tried {tried})", where=folder, hint=hint)
    raise CheckpointError("no checkpoint", where=folder, hint=neighbours(folder))


def restore_step(folder: Path, state: TrainingState, step: int) -> int:
    """Restore the checkpoint of one step and no other; returns the step.

    Raises:
        CheckpointError: It is not there, damaged, or of another architecture.
    """
    _compare(folder, state)
    if step not in checkpoint_steps(folder):
        what = f"no checkpoint at step {step}"
        raise CheckpointError(what, where=folder, hint=neighbours(folder))
    try:
        return _read(folder, state, step)
    except DAMAGE as error:
        problem = f"checkpoint {step} was not restored ({reason_of(error)})"
        raise CheckpointError(problem, where=folder, hint="start a new run") from error


def _read(folder: Path, state: TrainingState, step: int) -> int:
    """Read one checkpoint whole; any of :data:`DAMAGE` where that fails."""
    room = [tf.Variable(value) for value in stored_statistics(folder, step)]  # not used further
    with plainly_named(folder) as plain:
        # Whole or not at all: what the file or the model alone has is damage.
        state.reader(room).read(str(plain / f"ckpt-{step}")).assert_consumed()
    _same_step(state, step)
    return step


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


def _refuse_unopened(folder: Path, step: int, error: BaseException) -> None:
    """Call nothing damaged that could not be opened: a missing right or a share that hangs passes.

    Raises:
        CheckpointError: A file of the checkpoint cannot be opened, or TensorFlow finds none of them
            although all are there.
    """
    found = members(folder, step)
    try:
        for path in found:
            with path.open("rb") as stream:
                # Opening proves little: a share may fail at the first byte.
                stream.read(1)
    except OSError as fault:
        problem = f"cannot be read: {reason_of(fault)}"
        hint = "see to that; the checkpoint was left where it is"
        raise CheckpointError(problem, where=path, hint=hint) from error
    # The name of a data file ends in the number of all: data-00000-of-00001.
    shards = int(found[0].name.rsplit("-", 1)[1]) if len(found) > 1 else 0
    if isinstance(error, tf.errors.NotFoundError) and len(found) == shards + 1:
        problem = f"TensorFlow does not find ckpt-{step} by its name"
        hint = "use a folder whose name has letters, digits, - and _ only"
        raise CheckpointError(problem, where=folder, hint=hint) from error


def _same_step(state: TrainingState, step: int) -> None:
    stored = int(state.step.numpy())
    if stored != step:
        raise ValueError(f"holds step {stored}, its name says {step}")


def _compare(folder: Path, state: TrainingState, *, only: tuple[str, ...] | None = None) -> bool:
    """Hold the stored architecture against the model's; False where none is stored."""
    path = folder / ARCHITECTURE
    if not path.is_file():
        return False
    content = files.read_json(path)
    stored = content["variables"]
    if only is not None:
        stored = {group: listed for group, listed in stored.items() if group in only}
    found = architecture_differences(stored, state.architecture())
    if found:
        raise CheckpointError(
            f"saved by another architecture: {'; '.join(found)}",
            where=folder,
            hint="use the experiment.json beside its run.json, or start a new run",
        )
    return True


def neighbours(folder: Path) -> str:
    """What is there instead of an absent checkpoint, as a hint."""
    here = checkpoint_steps(folder)
    if here:
        return "checkpoints there: " + ", ".join(f"ckpt-{step}" for step in here)
    others = sorted(path.parent.name for path in folder.parent.glob("*/ckpt-*.index"))
    runs = ", ".join(dict.fromkeys(others))
    return f"runs with checkpoints: {runs}" if runs else "no run of this experiment has any"


def restore_for_inference(
    model: GANModel,
    run: Run,
    step: int | None = None,
    *,
    kind: Kind = "train",
    batches: Callable[[], Batches] | None = None,
    say: Callable[[str], None] = logger.warning,
) -> int:
    """Restore the generator alone, or refuse: never score or apply untrained weights.

    Where the generator's optimizer keeps averages (EMA), the generator gets these. Its batch
    normalisation gets the statistics that were measured when the checkpoint was written; for a
    checkpoint from before these were kept they are measured now, and one line says so.

    Args:
        model: A model whose generator is built; its optimizer too, where that keeps averages.
        run: The run whose checkpoint is wanted.
        step: The checkpoint's step; the newest by default.
        kind: ``inference_statistics`` of the experiment; ``image`` needs none.
        batches: Makes batches of training tiles, for a checkpoint without statistics.
        say: Where the line goes.

    Returns:
        The step the weights were saved at.

    Raises:
        CheckpointError: It is missing, damaged or of another architecture; others are named.
    """
    folder = run.ckpt_dir
    steps = checkpoint_steps(folder)
    wanted = step if step is not None else (steps[-1] if steps else None)
    if wanted is None or wanted not in steps:
        what = "no checkpoint" if wanted is None else f"no checkpoint at step {wanted}"
        raise CheckpointError(what, where=folder, hint=neighbours(folder))
    holds_averages = model.generator_optimizer.use_ema
    groups = ("generator", "generator_optimizer") if holds_averages else ("generator",)
    state = TrainingState(model, only=groups)
    _compare(folder, state, only=groups)
    try:
        with plainly_named(folder) as plain:
            # Without a check TensorFlow leaves what it does not find as it was initialised.
            status = state.checkpoint.read(str(plain / f"ckpt-{wanted}"))
            status.assert_existing_objects_matched().expect_partial()
        _same_step(state, wanted)
        statistics = stored_statistics(folder, wanted)
    except DAMAGE as error:
        others = ", ".join(f"ckpt-{other}" for other in steps if other != wanted) or "none"
        raise CheckpointError(
            f"checkpoint {wanted} was not restored ({reason_of(error)})",
            where=folder,
            hint=f"other checkpoints there: {others}",
        ) from error
    take(averages(model))
    layers = batchnorms(model.generator)
    if kind == "train" and layers:
        assign(layers, statistics or _measured(model, folder / f"ckpt-{wanted}", batches, say))
    return wanted


def _measured(
    model: GANModel,
    prefix: Path,
    batches: Callable[[], Batches] | None,
    say: Callable[[str], None],
) -> list[Any]:
    if batches is None:
        raise CheckpointError(
            "holds no statistics of batch normalisation",
            where=prefix,
            hint="evaluate.py measures them on the training tiles",
        )
    say(f"{prefix}: from before statistics were kept; measuring them on the training tiles")
    return estimate(model.generator, batches)


def has_any(folder: Path) -> bool:
    """Whether a run has, or ever had, a checkpoint: then it must not start at step 0."""
    return bool(checkpoint_steps(folder)) or any((folder / DAMAGED).glob("ckpt-*.index"))
