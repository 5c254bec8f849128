"""Logs of a run: ``metrics.jsonl``, a row per report, which is its truth, and further sinks.

A sink takes what a run tells and shows it elsewhere: TensorBoard, tables, a tracker. One that fails
costs a line and is left out from there on; the log may not fail.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import TrainingError
from sensor2sensor.training.board import Board
from sensor2sensor.training.checkpoints import reason_of
from sensor2sensor.training.rows import FINAL, Row, row_of
from sensor2sensor.training.rows import JSONL as JSONL
from sensor2sensor.training.rows import read_log as read_log

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a run tells how it goes; constructing one writes nothing.

    Attributes:
        name: What a line calls it.
    """

    name: str

    def resume(self, start_step: int, rows: Sequence[Row]) -> None:
        """Open, to go on after ``start_step`` steps; ``rows`` are what the log holds up to it."""

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """As :meth:`Writers.scalars`."""

    def picture(self, step: int, name: str, png: bytes) -> None:
        """As :meth:`Writers.picture`."""

    def histograms(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """As :meth:`Writers.histograms`."""

    def flush(self) -> None:
        """Bring files up to date: a checkpoint was written."""

    def close(self, *, failed: bool) -> None:
        """The run ends here; ``failed``: by an error, which another one must not cover."""


class Log:
    """The rows of ``metrics.jsonl``: what a resumed run knows of what it told before."""

    name = JSONL

    def __init__(self, logs_dir: Path) -> None:
        self.path = logs_dir / JSONL

    def resume(self, start_step: int) -> list[Row]:
        """Open it without the rows after ``start_step``, which are about to be repeated.

        Returns:
            The rows that stay.
        """
        rows = _keep_rows(self.path, start_step)
        self._stream = self.path.open("a", encoding="utf-8")
        return rows

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Write a row; raises TrainingError where that is impossible."""
        try:
            self._stream.write(json.dumps(row_of(step, kind, values, facts), allow_nan=False))
            self._stream.write("\n")
            # Row by row, so that a kill costs one row at most.
            self._stream.flush()
        except OSError as error:
            raise TrainingError(
                f"cannot write: {reason_of(error)}",
                where=self.path,
                hint="free space and --resume",
            ) from error

    def close(self) -> None:
        """Close the file."""
        # Every row was written when it came; one that found no room is tried again here.
        with suppress(OSError):
            self._stream.close()


class Writers:
    """Tells the log and every sink of one run.

    Args:
        logs_dir: The run's folder of logs.
        start_step: Rows after this step are dropped: a killed run had gone further than its last
            checkpoint, and those steps are about to be repeated.
        sinks: Where it is told beside the log; TensorBoard by default.
    """

    def __init__(
        self, logs_dir: Path, *, start_step: int, sinks: Sequence[Sink] | None = None
    ) -> None:
        self.log = Log(logs_dir)
        rows = self.log.resume(start_step)
        self._kept = {(row["step"], row["kind"]) for row in rows}
        self._sinks = list([Board(logs_dir)] if sinks is None else sinks)
        self._each(lambda sink: sink.resume(start_step, rows))

    def __enter__(self) -> Writers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.log.close()
        self._each(lambda sink: sink.close(failed=error is not None))

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Log values after ``step`` steps.

        Args:
            step: Steps done.
            kind: ``train``, ``val`` or ``epoch``; the prefix of the names in TensorBoard.
            values: Value by name; NaN and infinities become null in JSON.
            facts: Further numbers, of which TensorBoard shows the ``seconds`` of an epoch alone.

        Raises:
            TrainingError: The log cannot be written.
        """
        self.log.scalars(step, kind, values, **facts)
        told = {name: fact for name, fact in facts.items() if name != FINAL}  # for --resume alone
        self._each(lambda sink: sink.scalars(step, kind, values, **told))

    def holds(self, step: int, kind: str) -> bool:
        """Whether the log already held a row of this kind and step when it was opened."""
        return (step, kind) in self._kept

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Show an encoded PNG."""
        self._each(lambda sink: sink.picture(step, name, png))

    def histograms(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Show how values are distributed, by name: ``weights/generator/conv/kernel``."""
        self._each(lambda sink: sink.histograms(step, values))

    def flush(self) -> None:
        """Bring the files of all sinks up to date."""
        self._each(lambda sink: sink.flush())

    def _each(self, tell: Callable[[Sink], None]) -> None:
        """Tell every sink; one that fails is left out from here on, and a line says so."""
        for sink in tuple(self._sinks):
            try:
                tell(sink)
            # Whatever a library or a full disk does: a run is not ended for the sake of its show.
            except Exception as error:
                self._sinks.remove(sink)
                logger.debug("%s", sink.name, exc_info=True)
                line = "%s is left out from here on (%s); %s goes on"
                logger.warning(line, sink.name, sentence(error), self.log.path)


def _keep_rows(path: Path, start_step: int) -> list[Row]:
    """Drop rows after ``start_step`` and a last row that a kill cut in two.

    Returns:
        The rows that stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if _step_of(line) <= start_step]
    # Not the lines: a last one that is whole may lack its end, and the next row would join it.
    if (whole := "".join(f"{line}\n" for line in kept)) != text:
        files.write_text(path, whole)
    return [json.loads(line) for line in kept]


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (json.JSONDecodeError, KeyError, TypeError):
        # A row that a kill cut in two: after every step, so it is dropped.
        return math.inf
