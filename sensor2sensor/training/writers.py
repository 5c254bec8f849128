"""Logs of a run: ``metrics.jsonl`` (a row per report) and TensorBoard."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.core.errors import TrainingError
from sensor2sensor.training.checkpoints import reason_of

JSONL = "metrics.jsonl"


class Writers:
    """Writes scalars and pictures of one run.

    Args:
        logs_dir: The run's folder of logs.
        start_step: Rows after this step are dropped: a killed run had gone further than its last
            checkpoint, and those steps are about to be repeated.
    """

    def __init__(self, logs_dir: Path, *, start_step: int) -> None:
        self.path = logs_dir / JSONL
        self._kept = _keep_rows(self.path, start_step)
        self._jsonl = self.path.open("a", encoding="utf-8")
        self._tensorboard = tf.summary.create_file_writer(str(logs_dir))

    def __enter__(self) -> Writers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._jsonl.close()
        # Not after an error: a full disk would raise once more, over the cause.
        if error is None:
            self.flush()
        self._tensorboard.close()

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Log values after ``step`` steps.

        Args:
            step: Steps done.
            kind: ``train`` or ``val``; the prefix of the names in TensorBoard.
            values: Value by name; NaN and infinities become null in JSON.
            facts: Further numbers for the JSON row alone, such as ``steps_per_s``.

        Raises:
            TrainingError: The log cannot be written.
        """
        row: dict[str, Any] = {"step": step, "kind": kind, **facts, **values}
        row = {key: _json_value(value) for key, value in row.items()}
        try:
            self._jsonl.write(json.dumps(row, allow_nan=False) + "\n")
            # Row by row, so that a kill costs one row at most.
            self._jsonl.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error
        with self._tensorboard.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"{kind}/{name}", value, step=step)

    def holds(self, step: int, kind: str) -> bool:
        """Whether the log already held a row of this kind and step when it was opened."""
        return (step, kind) in self._kept

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Show an encoded PNG in TensorBoard."""
        with self._tensorboard.as_default():
            tf.summary.image(name, tf.io.decode_png(png, channels=3)[tf.newaxis], step=step)

    def flush(self) -> None:
        """Bring TensorBoard's file up to date.

        Raises:
            TrainingError: It cannot be written.
        """
        try:
            self._tensorboard.flush()
        except tf.errors.OpError as error:
            raise _unwritable(self.path.parent, error) from error


def _unwritable(path: Path, error: Exception) -> TrainingError:
    return TrainingError(
        f"cannot write: {reason_of(error)}", where=path, hint="free space and --resume"
    )


def _json_value(value: Any) -> Any:
    # Python would write NaN, which is no JSON and stops other readers.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _keep_rows(path: Path, start_step: int) -> set[tuple[int, str]]:
    """Drop rows after ``start_step`` and a last row that a kill cut in two.

    Returns:
        Step and kind of the rows that stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if _step_of(line) <= start_step]
    if kept != lines:
        files.write_text(path, "".join(f"{line}\n" for line in kept))
    return {(row["step"], row["kind"]) for row in map(json.loads, kept)}


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (json.JSONDecodeError, KeyError, TypeError):
        # A row that a kill cut in two: after every step, so it is dropped.
        return math.inf


def read_log(path: Path) -> list[dict[str, Any]]:
    """Rows of a ``metrics.jsonl``, in order."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
