"""The sink for spreadsheets: ``steps.csv`` and ``epochs.csv`` beside the log.

They hold what the log holds, so they are made from it when a run begins or is resumed, and a row is
appended at each report: the tables of a resumed run are those of one that was never stopped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.training.rows import EPOCH, FINAL, GAUGES, Row, row_of

STEPS, EPOCHS = "steps.csv", "epochs.csv"


class Tables:
    """``epochs.csv`` has the rows of kind ``epoch``, ``steps.csv`` all others with their kind.

    A column stands where its name came first. One that comes later is added at the right, and the
    rows above have an empty cell there, as have values that are undefined or infinite.

    Args:
        logs_dir: The run's folder of logs.
        separator: Between two cells.
    """

    name = f"{STEPS} and {EPOCHS}"

    def __init__(self, logs_dir: Path, separator: str) -> None:
        self._steps = _Table(logs_dir / STEPS, separator)
        self._epochs = _Table(logs_dir / EPOCHS, separator)

    def resume(self, start_step: int, rows: Sequence[Row]) -> None:
        """Make both from the log, which ends at ``start_step``."""
        self._epochs.begin(row for row in rows if row["kind"] == EPOCH)
        self._steps.begin(row for row in rows if row["kind"] != EPOCH)

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Append a row."""
        table = self._epochs if kind == EPOCH else self._steps
        table.append(row_of(step, kind, values, facts))

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Nothing: a table has no pictures."""

    def histograms(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Nothing: a table has no histograms."""

    def flush(self) -> None:
        """Nothing: every row is written when it comes."""

    def close(self, *, failed: bool) -> None:
        """Nothing: no file is held open."""


class _Table:
    """One file; it is there once it has a row."""

    def __init__(self, path: Path, separator: str) -> None:
        self._path, self._separator = path, separator
        self._columns: list[str] = []

    def begin(self, rows: Iterable[Row]) -> None:
        """Write the file anew from ``rows``."""
        found = [_cells(row) for row in rows]
        self._columns = list(dict.fromkeys(name for row in found for name in row))
        if found:
            self._write(found)
        else:
            self._path.unlink(missing_ok=True)

    def append(self, row: Row) -> None:
        """Add a row; a new column costs writing the file anew."""
        cells = _cells(row)
        new = [name for name in cells if name not in self._columns]
        if new:
            above = self._read()
            self._columns += new
            self._write([*above, cells])
            return
        with self._path.open("a", encoding="utf-8", newline="") as stream:
            stream.write(self._text([cells]))

    def _read(self) -> list[Row]:
        if not self._columns:
            return []
        with self._path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream, delimiter=self._separator))

    def _write(self, rows: Sequence[Row]) -> None:
        header = dict(zip(self._columns, self._columns, strict=True))
        files.write_text(self._path, self._text([header, *rows]))

    def _text(self, rows: Sequence[Row]) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, delimiter=self._separator, lineterminator="\n")
        writer.writerows(rows)
        return text.getvalue()


def _cells(row: Row) -> Row:
    left_out = GAUGES | {FINAL} | ({"kind"} if row["kind"] == EPOCH else frozenset())
    return {name: value for name, value in row.items() if name not in left_out}
