"""Curves of many runs, thinned so that a page of a hundred stays one that opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sensor2sensor.config.cadence import better
from sensor2sensor.config.vocabulary import ARROWS, LOSSES, METRICS
from sensor2sensor.core.runs import Run
from sensor2sensor.report.runs.logs import (
    JSONL, TRAIN, VAL, Row, kind_of, lines_of, number, rows, values_of,
)  # fmt: skip

MOST_BYTES = 2**26  # of the end of a log
MOST_ROWS = 1200  # that are read of it, evenly
POINTS, FEWEST = 240, 24  # of a curve: at best, and where there are very many
IN_ALL = 260_000  # points of a page: some three megabytes
SPEED = "steps_per_s"
# What is no loss: how fast it goes, what it takes, what is only watched.
WATCHED = {
    "learning_rate": "learning rate",
    SPEED: "steps a second",
    "img_per_s": "images a second",
    "step_ms": "a step [ms]",
    "data_wait": "share of time waiting for data",
    "memory_mib": "memory [MiB]",
    "gpu_peak_mib": "peak memory of the GPU [MiB]",
    "output_spread": "spread of the output over the target's",
    "output_spread_between_tiles": "the same between tiles",
}

Points = tuple[list[int], list[float]]


@dataclass(frozen=True)
class Panel:
    """One value of all runs.

    Attributes:
        name: As the log calls it.
        title: Above its drawing.
        better: ``higher`` or ``lower``; empty where neither is.
        train: Number of the run and its points, from its reports of training.
        looks: The same of its validations.
    """

    name: str
    title: str
    better: str
    train: list[tuple[int, Points]] = field(default_factory=list)
    looks: list[tuple[int, Points]] = field(default_factory=list)

    @property
    def metric(self) -> bool:
        """Whether it is a metric of validations, and no loss."""
        return self.name in METRICS

    @property
    def loss(self) -> bool:
        """Whether it is a loss: neither a metric nor what is only watched."""
        return not self.metric and self.name not in WATCHED


def panels(runs: Sequence[Run]) -> list[Panel]:
    """Every value that any run has logged: metrics, totals, terms, then what is watched."""
    read = [_read(run) for run in runs]
    names = dict.fromkeys(name for one in read for kind in one.values() for name in kind)
    curves = sum(len(kind) for one in read for kind in one.values())
    most = max(min(POINTS, IN_ALL // max(curves, 1)), FEWEST)
    found = {name: Panel(name, _title(name), _better(name)) for name in names}
    for number_, one in enumerate(read):
        for name, points in one[TRAIN].items():
            found[name].train.append((number_, thinned(points, most)))
        for name, points in one[VAL].items():
            found[name].looks.append((number_, thinned(points, most)))
    place = {name: number_ for number_, name in enumerate(names)}
    return sorted(found.values(), key=lambda panel: (_rank(panel), place[panel.name]))


def _read(run: Run) -> dict[str, dict[str, Points]]:
    lines = lines_of(run.logs_dir / JSONL, MOST_BYTES)
    by_kind: dict[str, list[bytes]] = {TRAIN: [], VAL: []}
    for line in lines:
        if (kind := kind_of(line)) in by_kind:
            by_kind[kind].append(line)
    return {
        kind: _points(rows(own[:: max(1, -(-len(own) // MOST_ROWS))]))
        for kind, own in by_kind.items()
    }


def _points(found: Iterable[Row]) -> dict[str, Points]:
    """Steps and values by name; what is no number is left out."""
    made: dict[str, Points] = {}
    for row in found:
        for name in (*values_of(row), SPEED):
            value = number(row.get(name))
            if value is not None:
                steps, values = made.setdefault(name, ([], []))
                steps.append(row["step"])
                values.append(value)
    return made


def thinned(points: Points, most: int) -> Points:
    """At most so many points: means over neighbours, each at its last step."""
    steps, values = points
    count = len(steps)
    if count <= most:
        return points
    ends = [round((i + 1) * count / most) for i in range(most)]
    parts = list(zip([0, *ends[:-1]], ends, strict=True))
    means = [sum(values[a:b]) / (b - a) for a, b in parts]
    return [steps[b - 1] for _, b in parts], means


def _title(name: str) -> str:
    if name in METRICS:
        return f"{METRICS[name].label} {ARROWS[METRICS[name].better]}"
    return WATCHED.get(name, name)


def _better(name: str) -> str:
    told = name in METRICS or name in LOSSES or name.startswith("total_")
    return better(name) if told else ""


def _rank(panel: Panel) -> int:
    if panel.metric:
        return 0
    if panel.name in WATCHED:
        return 4 + list(WATCHED).index(panel.name)
    if panel.name.startswith("total_"):
        return 1
    return 2 if panel.looks else 3
