"""Runs by data sets: how each run does on the data set it was trained on, and elsewhere.

A column compares: everything in it is scored on the same tiles in the same value ranges. Along a
row PSNR, SSIM and HPSI change with the ranges of the data sets too; what can be read there is the
gain over the baseline of the same column.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.predictors.registry import REGISTRY
from sensor2sensor.report.compare import heading, number, share
from sensor2sensor.report.entrants import Entrant, entrants, values
from sensor2sensor.report.file import Definition
from sensor2sensor.report.kinds import conditions, data_in_words, digits
from sensor2sensor.report.load import Group, Results
from sensor2sensor.report.paired import over_baseline

if TYPE_CHECKING:
    import pandas as pd

READING = (
    "Compare within a column. Along a row compare gains: value ranges and ground differ between "
    "data sets. A star marks the data set that a run was trained on."
)
MARKS = {"better": " ✓", "worse": " ✗"}
Key = tuple[Hashable, ...]


@dataclass(frozen=True)
class Cell:
    """One run, its seeds together, or one baseline on one data set.

    Attributes:
        mean: Over the tiles with a finite value; NaN without one.
        count: These tiles.
        tiles: All tiles that were scored.
        seeds: How many seeds are behind it.
        spread: Standard deviation (n - 1) of their means; None without several.
        home: Whether it was trained on this data set; None of a baseline.
        gain: Mean paired gain over the reference of the column, positive is better; None without.
        verdict: ``better``, ``worse``, ``open`` or ``none``, after Holm's correction over the table
            of its group.
        seen: Share of the tiles that show ground it was trained on; None where nobody knows, and at
            home, where the split policy says it.
    """

    mean: float
    count: int
    tiles: int
    seeds: int = 1
    spread: float | None = None
    home: bool | None = None
    gain: float | None = None
    verdict: str = "none"
    seen: float | None = None


@dataclass(frozen=True)
class Matrix:
    """One metric of every run on every data set of the same conditions.

    Attributes:
        title: What all scores have in common: split, profile, filters.
        metric: Its name.
        definition: What it is.
        rows: Baselines, then runs.
        columns: Data sets.
        cells: By row and column; what was not scored is missing.
        references: By column the baseline that gains are over.
        notes: What the reader has to know.
    """

    title: str
    metric: str
    definition: Definition
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[tuple[str, str], Cell]
    references: dict[str, str | None]
    notes: tuple[str, ...] = ()

    def means(self) -> pd.DataFrame:
        """Means as numbers, NaN where a run was not scored."""
        return self._frame(lambda cell: cell.mean)

    def gains(self) -> pd.DataFrame:
        """Gains over the reference of each column as numbers; of runs alone."""
        runs = [row for row in self.rows if any(c.home is not None for c in self._row(row))]
        return self._frame(lambda cell: np.nan if cell.gain is None else cell.gain).loc[runs]

    def table(self) -> pd.DataFrame:
        """As words: mean, spread over seeds, gain with its verdict, and what was seen."""
        import pandas as pd

        data = {
            column: [_in_words(self.cells.get((row, column))) for row in self.rows]
            for column in self.columns
        }
        return pd.DataFrame(data, index=pd.Index(self.rows, name=heading(self.definition)))

    def _row(self, row: str) -> list[Cell]:
        return [cell for (name, _), cell in self.cells.items() if name == row]

    def _frame(self, value: Callable[[Cell], float]) -> pd.DataFrame:
        import pandas as pd

        found = {
            column: [
                np.nan if (cell := self.cells.get((row, column))) is None else value(cell)
                for row in self.rows
            ]
            for column in self.columns
        }
        return pd.DataFrame(found, index=list(self.rows), dtype=float)


@dataclass
class _Board:
    """What is gathered for one set of conditions before rows have names."""

    entrants: dict[tuple[Key, str], tuple[Group, Entrant]] = field(default_factory=dict)
    labels: dict[Key, str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)


def matrix(results: Results, metrics: Sequence[str] | None = None) -> tuple[Matrix, ...]:
    """A table for each metric and each set of conditions where a run is scored on two data sets.

    Args:
        results: Of :func:`sensor2sensor.report.load.load`.
        metrics: Names of those to tell; by default every metric of whole tiles.

    Returns:
        In the order of the groups, then of the metrics; empty where no run is scored elsewhere.
    """
    boards: dict[tuple[str, ...], _Board] = {}
    for group in results.groups:
        board = boards.setdefault(tuple(conditions(group.facts)), _Board())
        _gather(board, group, _column(group, results.groups))
    found = []
    for told, board in boards.items():
        if any(len(_columns(board, key)) > 1 for key in board.labels if key[0] == "run"):
            found += _tables(board, ", ".join(told), metrics)
    return tuple(found)


def _column(group: Group, every: Sequence[Group]) -> str:
    """Name of the data set of a group, with digits of its hash where two go by that name."""
    name, own = data_in_words(group.facts), digits(group.facts.dataset)
    named = {digits(g.facts.dataset) for g in every if data_in_words(g.facts) == name}
    return f"{name} ({own})" if len(named) > 1 else name


def _gather(board: _Board, group: Group, column: str) -> None:
    if column not in board.columns:
        board.columns.append(column)
    for entrant in entrants(group):
        entrant = _plain(entrant)
        key = _key(entrant)
        if (key, column) in board.entrants:
            if key[0] == "baseline":
                continue  # the same beside any run
            key = (*key, entrant.label)  # another step, or another mode, of the same recipe
        board.entrants[key, column] = group, entrant
        # At home first: groups of runs from elsewhere come behind all others.
        board.labels.setdefault(key, entrant.label)


def _plain(entrant: Entrant) -> Entrant:
    """A run of a baseline that learns nothing as that baseline: it is at home nowhere."""
    itself = entrant.results[0].itself if entrant.results else None
    if itself is None or itself not in REGISTRY or REGISTRY[itself].fitted:
        return entrant
    return replace(entrant, label=itself, results=())


def _key(entrant: Entrant) -> Key:
    """What is one row: a recipe, a run whose recipe nobody kept, or a baseline."""
    if not entrant.results:
        return ("baseline", entrant.label)
    facts = entrant.results[0].facts
    if facts.recipe is None:
        return ("run", facts.experiment, facts.timestamp)
    mode = None if facts.inference is None else facts.inference.model_dump_json()
    there = facts.scored_on
    # A recipe names its data set; one that was built anew has other trainings.
    trained_on = digits(facts.dataset if there is None else there.trained_on)
    steps = {result.facts.step for result in entrant.results}
    step = steps.pop() if len(steps) == 1 else "best"
    applied = (facts.weights, facts.inference_statistics, mode, *facts.options)
    return ("run", facts.recipe, trained_on, step, *applied)


def _columns(board: _Board, key: Key) -> set[str]:
    return {column for (row, column) in board.entrants if row == key}


def _tables(board: _Board, title: str, metrics: Sequence[str] | None) -> list[Matrix]:
    names = _names(board)
    known: dict[str, Definition] = {}
    for group, _ in board.entrants.values():
        known |= {n: d for n, d in group.metrics.items() if n not in known and not d.undefined}
    wanted = [name for name in known if metrics is None or name in metrics]
    cells: dict[str, dict[tuple[str, str], Cell]] = {name: {} for name in wanted}
    references: dict[str, str | None] = {}
    gains: dict[int, dict[tuple[str, str], tuple[float | None, str]]] = {}
    for (key, column), (group, entrant) in board.entrants.items():
        # One baseline a column, or its gains would not compare.
        over = references.setdefault(column, group.reference)
        if id(group) not in gains:
            gains[id(group)] = _gains(group, over)
        gained = gains[id(group)]
        for metric in wanted:
            if entrant.has(metric):
                gain = gained.get((entrant.label, metric), (None, "none"))
                cells[metric][names[key], column] = _cell(entrant, metric, *gain)
    order = sorted(board.labels, key=lambda key: key[0] != "baseline")
    rows, columns = tuple(names[key] for key in order), tuple(board.columns)
    notes = (READING, *_notes(board, names))
    return [
        Matrix(title, name, known[name], rows, columns, own, references, notes)
        for name, own in cells.items()
    ]


def _names(board: _Board) -> dict[Key, str]:
    """Name of each row; numbered where two entries go by one."""
    taken: dict[str, int] = {}
    names = {}
    for key, label in board.labels.items():
        taken[label] = taken.get(label, 0) + 1
        names[key] = label if taken[label] == 1 else f"{label} [{taken[label]}]"
    return names


def _gains(group: Group, over: str | None) -> dict[tuple[str, str], tuple[float | None, str]]:
    """By entrant and metric the mean gain over a baseline, and the verdict; none without it."""
    if over is None:
        return {}
    found = over_baseline(group, over)
    return {(one.first, one.metric): (one.mean, one.verdict) for one in found}


def _cell(entrant: Entrant, metric: str, gain: float | None, verdict: str) -> Cell:
    finite = values(entrant, metric)
    mean = float(finite.mean()) if len(finite) else np.nan
    count = (len(finite), len(entrant.table))
    if not entrant.results:
        return Cell(mean, *count)
    there = entrant.results[0].facts.scored_on
    seen = None if there is None or there.seen_tiles is None else there.seen_tiles / there.tiles
    seeds = len(entrant.results), entrant.seed_spread(metric)
    return Cell(mean, *count, *seeds, there is None, gain, verdict, seen)


def _notes(board: _Board, names: dict[Key, str]) -> list[str]:
    """Rows that not every column holds the same seeds of, and ground that was seen."""
    notes = []
    for key, name in names.items():
        found = {c: e for (row, c), (_, e) in board.entrants.items() if row == key and e.results}
        own = {column: _seeds(entrant) for column, entrant in found.items()}
        if len(set(own.values())) > 1:
            told = ", ".join(f"{seeds} on {column}" for column, seeds in own.items())
            notes.append(f"{name}: not the same seeds everywhere ({told}).")
        for column, entrant in found.items():
            there = entrant.results[0].facts.scored_on
            if there is not None and there.seen_tiles:
                shown = f"{there.seen_tiles} of {there.tiles} tiles of {column}"
                notes.append(f"{name}: {shown} show ground that it was trained on.")
            elif there is not None and there.seen_tiles is None:
                notes.append(f"{name}: nobody knows how much of {column} it was trained on.")
    return notes


def _seeds(entrant: Entrant) -> str:
    """Its seeds in their order: ``1, 2``."""
    seeds = [result.facts.seed for result in entrant.results if result.facts.seed is not None]
    return ", ".join(map(str, sorted(seeds))) or "unknown"


def _in_words(cell: Cell | None) -> str:
    if cell is None:
        return number(None)
    parts = [f"{number(cell.mean)}{'*' if cell.home else ''}"]
    if cell.spread is not None:
        parts.append(f"± {number(cell.spread)} over {cell.seeds} seeds")
    if (part := share(cell.count, cell.tiles)) != "":
        parts.append(f"({part})")
    if cell.gain is not None:
        parts.append(f"\n{cell.gain:+.3g}{MARKS.get(cell.verdict, '')}")
    if cell.seen:
        parts.append(f"\n{100 * cell.seen:.0f} % seen")
    return " ".join(parts).replace(" \n", "\n")
