"""Rows of a run's log, as far as they are needed, of logs that are being written."""

from __future__ import annotations

import json
import math
import os
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sensor2sensor.config.cadence import better
from sensor2sensor.config.vocabulary import METRICS

Row = dict[str, Any]

JSONL = "metrics.jsonl"
MOST_BYTES = 2**23  # of the end of a log: some 30,000 rows
TRAIN, VAL = "train", "val"
SPEED_ROWS = 5
MOST_STEPS = 2**53  # a file that names more was damaged, and they are no exact float
_KIND = re.compile(rb'"kind":\s*"(\w+)"')
FACTS = frozenset({"step", "kind", "steps_per_s", "epoch", "seconds", "final"})


@dataclass(frozen=True)
class Score:
    """One value of a metric at a step; None where it is of no step."""

    metric: str
    value: float
    step: int | None = None


@dataclass(frozen=True)
class Log:
    """The end of a log.

    Attributes:
        train: Its last rows of training.
        looks: Every row of a validation in it.
    """

    train: Sequence[Row] = ()
    looks: Sequence[Row] = ()

    @property
    def step(self) -> int:
        """The last step that is logged; 0 without any."""
        return max((row["step"] for row in (*self.train[-1:], *self.looks[-1:])), default=0)

    @property
    def steps_per_s(self) -> float | None:
        """Speed over the last rows; their median, since looks and saves slow some of them."""
        known = [v for row in self.train if (v := number(row.get("steps_per_s"))) is not None]
        return statistics.median(known) if known else None

    def best(self, metric: str | None) -> Score | None:
        """The best validation by a metric, or by the first one that validations have.

        Losses and what is only watched (the spread of the output) are taken where they are named.
        """
        names = (name for row in self.looks for name in values_of(row) if name in METRICS)
        name = metric or next(names, None)
        if name is None:
            return None
        known = [
            Score(name, value, row["step"])
            for row in self.looks
            if (value := number(row.get(name))) is not None
        ]
        sign = -1.0 if better(name) == "higher" else 1.0
        return min(known, key=lambda score: sign * score.value, default=None)


def number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an int of hundreds of digits
        return None


def values_of(row: Row) -> list[str]:
    """Names of the values of a row, in its order."""
    return [name for name in row if name not in FACTS]


def read_log(path: Path) -> Log:
    """The end of a log; an empty one where there is none."""
    lines = lines_of(path)
    train = islice((line for line in reversed(lines) if kind_of(line) == TRAIN), SPEED_ROWS)
    # Looked for as bytes first: of a hundred rows one is a validation.
    looks = (line for line in lines if b'"val"' in line and kind_of(line) == VAL)
    return Log(list(rows(train))[::-1], list(rows(looks)))


def lines_of(path: Path, most_bytes: int = MOST_BYTES) -> list[bytes]:
    """The whole lines at the end of a log; none where it is not there or cannot be read."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(size - most_bytes, 0))
            lines = stream.read().split(b"\n")
    except OSError:
        return []
    # What was cut off in front; the last one lacks its end while it is written.
    return lines[1:] if size > most_bytes else lines


def kind_of(line: bytes) -> str:
    """The kind of a row, told without reading all of it; empty where it has none."""
    found = _KIND.search(line)
    return found[1].decode() if found else ""


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """The rows of lines; what is none, as a kill leaves it, is passed over."""
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and type(row.get("step")) is int and abs(row["step"]) < MOST_STEPS:
            yield row
