"""At which checkpoint of a run something begins: a step, an epoch, the best or the last."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from sensor2sensor.core.errors import CheckpointError, InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.training.rows import EPOCH, JSONL, read_log

LAST, BEST = "last", "best"
ALIKE = "validated_alike_since"  # the step behind which all validations looked at the same tiles
_EPOCH = re.compile(r"epoch:([1-9]\d*)")


def point(text: str) -> str | int:
    """``4000``, ``epoch:3``, ``best`` or ``last``, as a type of an option."""
    if text in (LAST, BEST) or _EPOCH.fullmatch(text):
        return text
    if not re.fullmatch(r"\d+", text):
        near = suggestion(text, [LAST, BEST])
        problem = f"'{text}' is neither a number of steps nor epoch:N; {near}"
        raise argparse.ArgumentTypeError(problem)
    return int(text)


def step_at(run: Run, asked: str | int) -> int | None:
    """The step of the checkpoint that is asked for; None: the last.

    Args:
        run: The run.
        asked: As :func:`point` gives it.

    Raises:
        CheckpointError: The run has no such checkpoint; those that it has are named.
        InputError: It has not come so far, or counts no epochs.
    """
    if asked == LAST:
        return None
    if asked == BEST:
        return best_step(run)
    step = asked if isinstance(asked, int) else _step_of_epoch(run, int(asked.partition(":")[2]))
    there = steps_there(run.ckpt_dir)
    if step not in there:
        listed = ", ".join(f"ckpt-{other}" for other in there) or "none"
        which = f"step {step}" if isinstance(asked, int) else f"the end of {asked}, step {step}"
        hint = f"checkpoints there: {listed} (keep_every keeps more)"
        raise CheckpointError(f"no checkpoint at {which}", where=run.ckpt_dir, hint=hint)
    return step


def steps_there(folder: Path) -> list[int]:
    """Steps of the checkpoints in a folder, ascending."""
    return sorted(int(path.stem.partition("-")[2]) for path in folder.glob("ckpt-*.index"))


def best_step(run: Run) -> int:
    """The step of the best validation's checkpoint.

    Raises:
        CheckpointError: The run has none.
    """
    content = read_run_json(run)
    best = content.get("best")
    if best is None:
        why, hint = "no validation has had a value yet", f"take {LAST}, or train on"
        if content.get(ALIKE):
            why = f"no validation since step {content[ALIKE]} has had a value yet"
        if "best" not in content:
            why, hint = "its experiment states no monitor", 'train with "monitor": {"metric": "l1"}'
        raise CheckpointError(f"has no best checkpoint: {why}", where=run.run_json, hint=hint)
    return int(best["step"])


def _step_of_epoch(run: Run, number: int) -> int:
    """The step that completed an epoch, as the run's log has it."""
    log = run.logs_dir / JSONL
    rows = read_log(log) if log.is_file() else []
    ends = {row[EPOCH]: row["step"] for row in rows if row["kind"] == EPOCH}
    if not ends:
        raise InputError("counts no epochs, or has ended none", where=log, hint="name a step")
    # A batch larger than an epoch completes several at once, and its row names the last.
    step = next((step for epoch, step in sorted(ends.items()) if epoch >= number), None)
    if step is None:
        raise InputError(f"has ended {max(ends)} epochs", where=log, hint="name one of them")
    return int(step)
