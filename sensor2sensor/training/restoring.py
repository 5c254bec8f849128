"""Reading checkpoints back, whole or not at all: for a training, or a generator for its use.

A file may be damaged, of another architecture, or out of reach for now: each has its own words, and
only what is damaged is moved aside.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError
from sensor2sensor.core.paths import plainly_named
from sensor2sensor.core.runs import Run
from sensor2sensor.training.averages import averages, take
from sensor2sensor.training.checkpoints import (
    ARCHITECTURE,
    DAMAGE,
    aside,
    checkpoint_steps,
    members,
    neighbours,
    reason_of,
    stored_statistics,
)
from sensor2sensor.training.contract import GANModel
from sensor2sensor.training.layer_modes import Kind, batchnorms
from sensor2sensor.training.layer_statistics import Batches, assign, estimate
from sensor2sensor.training.state import TrainingState, architecture_differences

logger = logging.getLogger(__name__)


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
            fate = f"moved to {aside(folder, step)}" if repair else "passed over"
            logger.warning(
                "CHECKPOINT %s IS DAMAGED (%s): %s; FALLING BACK to the one before it",
                folder / f"ckpt-{step}", reason_of(error), fate,
            )  # fmt: skip
    if steps:
        tried = ", ".join(f"ckpt-{step}" for step in steps)
        hint = "start a new run, or restore the files from a backup"
        raise CheckpointError(f"no readable checkpoint (tried {tried})", where=folder, hint=hint)
    raise CheckpointError("no checkpoint", where=folder, hint=neighbours(folder))


def restore_step(folder: Path, state: TrainingState, step: int, hint: str) -> int:
    """Restore the checkpoint of one step and no other; returns the step.

    Args:
        folder: ``ckpt/<timestamp>`` of a run.
        state: The state to fill.
        step: The checkpoint's.
        hint: What to do where that is impossible.

    Raises:
        CheckpointError: It is not there, damaged, or of another architecture.
    """
    _compare(folder, state)
    if step not in checkpoint_steps(folder):
        raise CheckpointError(f"no checkpoint at step {step}", where=folder, hint=hint)
    try:
        return _read(folder, state, step)
    except DAMAGE as error:
        problem = f"checkpoint {step} was not restored ({reason_of(error)})"
        raise CheckpointError(problem, where=folder, hint=hint) from error


def _read(folder: Path, state: TrainingState, step: int) -> int:
    """Read one checkpoint whole; any of :data:`DAMAGE` where that fails."""
    room = [tf.Variable(value) for value in stored_statistics(folder, step)]  # not used further
    with plainly_named(folder) as plain:
        # Whole or not at all: what the file or the model alone has is damage.
        state.reader(room).read(str(plain / f"ckpt-{step}")).assert_consumed()
    _same_step(state, step)
    return step


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
        kind: Whose moments batch normalisation is to take; but ``train`` none is needed.
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
