"""A row of a run's log, as ``metrics.jsonl`` holds it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]
JSONL = "metrics.jsonl"
EPOCH = "epoch"  # the kind of rows that sum up an epoch
SECONDS = "seconds"  # how long an epoch took
FINAL = "final"  # of a look that is due because the run ends there, and not by how often it looks
STEPS_PER_S = "steps_per_s"
# What clocks and gauges say: another thing in each run, however equal the numbers are.
GAUGES = frozenset(
    {STEPS_PER_S, "img_per_s", "step_ms", "data_wait", "memory_mib", "gpu_peak_mib", SECONDS}
)


def row_of(step: int, kind: str, values: Mapping[str, float], facts: Mapping[str, float]) -> Row:
    """Step, kind, facts, values; NaN and infinities are None.

    Python would write them to JSON as they are, which is none and stops other readers.
    """
    row: Row = {"step": step, "kind": kind, **facts, **values}
    return {key: _finite(value) for key, value in row.items()}


def read_log(path: Path) -> list[Row]:
    """Rows of a ``metrics.jsonl``, in order; what is none, as a kill leaves it, is passed over."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [row for line in lines if (row := _row(line)) is not None]


def _row(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(row, dict) and type(row.get("step")) is int
    return row if whole and isinstance(row.get("kind"), str) else None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
