"""Which checkpoint of a run is used: ``--step N``, ``best`` or ``last``; free of TensorFlow."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.runs import Run
from sensor2sensor.training.baseline import baseline_of
from sensor2sensor.training.points import BEST, LAST, best_step, steps_there

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract


def add_step(made: argparse.ArgumentParser) -> None:
    """The option that names the checkpoint."""
    made.add_argument(
        "--step",
        metavar="N|best|last",
        type=_step,
        default=LAST,
        help="checkpoint to score: of this step, the best by 'monitor', or the last (default)",
    )


def _step(text: str) -> str | int:
    if text in (LAST, BEST):
        return text
    if not re.fullmatch(r"\d+", text):
        near = suggestion(text, [LAST, BEST])
        raise argparse.ArgumentTypeError(f"'{text}' is no number of steps; {near}")
    return int(text)


def chosen_step(run: Run, asked: str | int, contract: DatasetContract) -> int | None:
    """The step whose checkpoint is asked for; None where that is the last, however it was named.

    Args:
        run: The run.
        asked: A step, ``best`` or ``last``.
        contract: Of its data set.

    Raises:
        CheckpointError: The run has no best.
        InputError: It is a baseline's, which has no steps.
    """
    if asked == LAST:
        return None
    if baseline_of(run, contract) is not None:
        raise InputError("a baseline has no checkpoints", where=run.run_json, hint="omit --step")
    step = best_step(run) if asked == BEST else int(asked)
    there = steps_there(run.ckpt_dir)
    # One evaluation of the same weights, under one name.
    return None if there and step == max(there) else step
