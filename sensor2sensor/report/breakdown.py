"""Scores broken down by what is known of the tiles: scene, season, masks, clouds, time, shift.

A mean over all tiles hides where a method fails. Every part says how many tiles and blocks of
ground are behind it, and has no interval below the minimum of the evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.core.clustered import Bools
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.strata import AT
from sensor2sensor.report.board import Board, board_of
from sensor2sensor.report.compare import NOTHING, number, share
from sensor2sensor.report.comparison import Comparison, family, many
from sensor2sensor.report.entrants import Entrant
from sensor2sensor.report.load import Group
from sensor2sensor.report.paired import against, beside
from sensor2sensor.report.places import facts_of

if TYPE_CHECKING:
    import pandas as pd

STRATUM = "stratum"  # parts of tiles, not of the data set: scores of their own
UNKNOWN = "unknown"
MOST = 12  # values of a text that still make parts; scenes may be any number
# Not broken down by: a name for each tile, and what scenes and seasons say better.
_KEYS = frozenset({"name", "block", "date"})


@dataclass(frozen=True)
class Part:
    """Tiles that are alike in a fact.

    Attributes:
        label: ``winter``, ``0.1 to 0.4``, or ``unknown``.
        tiles: Their names.
        blocks: Blocks of ground among them.
        scenes: Scenes among them.
    """

    label: str
    tiles: tuple[str, ...]
    blocks: int
    scenes: int


@dataclass(frozen=True)
class Cell:
    """One entrant on one part.

    Attributes:
        part: The part.
        label: Label of the entrant.
        mean: Mean over the tiles with a finite value; None without any.
        count: Tiles with a finite value.
        comparison: With the baseline, corrected over the whole breakdown; None of the baseline.
    """

    part: Part
    label: str
    mean: float | None
    count: int
    comparison: Comparison | None


@dataclass(frozen=True)
class Breakdown:
    """One metric of every entrant, part by part; all its comparisons are one family.

    Attributes:
        by: The fact.
        unit: Its unit; empty for texts, flags and shares.
        metric: Column of the scores.
        over: The baseline that is compared with; None without any.
        edges: Of a number, the terciles of the tiles; empty for others.
        parts: Parts in order.
        cells: Every entrant on every part.
    """

    by: str
    unit: str
    metric: str
    over: str | None
    edges: tuple[float, ...]
    parts: tuple[Part, ...]
    cells: tuple[Cell, ...]

    def comparisons(self) -> list[Comparison]:
        """Those of all cells."""
        return [cell.comparison for cell in self.cells if cell.comparison is not None]


Place = tuple[Part, Board, str]  # a part, the board it is on, and the column of its scores


def facts(group: Group) -> list[str]:
    """What the group can be broken down by: facts in which its tiles differ."""
    table, _ = facts_of(group)
    if table is None:
        return []
    found = [str(name) for name in table.columns if name not in _KEYS and _tells(table[name])]
    return [*found, *([STRATUM] if group.stratum is None and group.strata else [])]


def _tells(column: pd.Series) -> bool:
    different = column[_known(column)].nunique()
    return different > 1 and (_numeric(column) or column.name == "scene" or different <= MOST)


def _known(column: pd.Series) -> pd.Series:
    known: pd.Series = column.notna() if _numeric(column) else column != ""
    return known


def _numeric(column: pd.Series) -> bool:
    return column.dtype.kind == "f"


def breakdown(
    group: Group,
    by: str,
    metric: str | None = None,
    over: str | None = None,
    board: Board | None = None,
) -> Breakdown:
    """Break one metric down by one fact.

    Args:
        group: Of whole tiles, or within a stratum.
        by: One of :func:`facts`.
        metric: The first of the group by default.
        over: Baseline to compare with; the reference by default.
        board: Of the group, where the caller keeps one.

    Raises:
        InputError: The group cannot be broken down by that.
    """
    known, metric = facts(group), metric or next(iter(group.metrics))
    board, base = board or board_of(group), over or group.reference
    if by not in known or board.facts is None:
        why = suggestion(by, known) if known else board.why or "all tiles are alike in all facts"
        raise InputError(f"no breakdown by '{by}'", where=group.title, hint=why)
    if by == STRATUM:
        places = _by_stratum(board, metric)
        edges: tuple[float, ...] = ()
    else:
        column = board.facts[by]
        edges = terciles(column) if _numeric(column) else ()
        parted = _parts(board.facts, by, edges)
        places = [(part, board, metric) for part in parted]
    parts = tuple(part for part, _, _ in places)
    return Breakdown(by, _unit(group, by), metric, base, edges, parts, _cells(places, base))


def _unit(group: Group, by: str) -> str:
    told = [r.facts.tile_facts.columns for r in group.results if r.facts.tile_facts is not None]
    units = [columns[by].unit for columns in told if by in columns]
    return units[0] if units and units[0] != "1" else ""


def terciles(column: pd.Series) -> tuple[float, ...]:
    """The edges of three parts of equal size; fewer where many tiles share a value."""
    known = column[_known(column)].to_numpy(dtype=np.float64)
    edges = np.unique(np.quantile(known, [1 / 3, 2 / 3]))
    # An edge at the largest value has nothing beyond it: clouds on few tiles, and 0 on the rest.
    return tuple(float(edge) for edge in edges if edge < known.max()) or (float(known.min()),)


def _parts(table: pd.DataFrame, by: str, edges: tuple[float, ...]) -> list[Part]:
    column, known = table[by], _known(table[by])
    if edges:
        place = np.searchsorted(edges, column[known].to_numpy(dtype=np.float64), side="left")
        names = _ranges(edges)
        labels = [names[number] for number in place]
        order = names
    else:
        labels = column[known].tolist()
        order = sorted(set(labels))
    own = dict(zip(table.index[known], labels, strict=True))
    told = [(label, [n for n in own if own[n] == label]) for label in order]
    # A part of its own: a value may itself be called so.
    nothing = UNKNOWN if UNKNOWN not in order else f"{UNKNOWN} (no value)"
    told.append((nothing, list(table.index[~known])))
    return [_part(label, names, table) for label, names in told if names]


def _ranges(edges: tuple[float, ...]) -> list[str]:
    """``≤ 0.1``, ``0.1 to 0.4``, ``> 0.4``."""
    text = [f"{edge:.3g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(text)]
    return [f"≤ {text[0]}", *between, f"> {text[-1]}"]


def _part(label: str, names: Sequence[str], table: pd.DataFrame) -> Part:
    own = table.loc[list(names)]
    return Part(label, tuple(names), own["block"].nunique(), own["scene"].nunique())


def _by_stratum(board: Board, metric: str) -> list[Place]:
    """The whole tiles, then the ground of each stratum, by the scores within it."""
    assert board.facts is not None  # a board without facts has no breakdown
    places = [(_part("whole tiles", list(board.names), board.facts), board, metric)]
    for part in board.group.strata:
        column, own = f"{metric}{AT}{part.stratum}", board_of(part)
        if column in part.metrics and own.facts is not None:
            places.append((_part(str(part.stratum), list(own.names), own.facts), own, column))
    return places


def _cells(places: Sequence[Place], base: str | None) -> tuple[Cell, ...]:
    """Every entrant on every part; all comparisons are corrected together."""
    shown = [board.names.isin(part.tiles) for part, board, _ in places]
    made = [
        against(board, beside(board.entrants, base), [column], where)
        for (_, board, column), where in zip(places, shown, strict=True)
    ]
    corrected = iter(family([one for own in made for one in own]))
    cells: list[Cell] = []
    for (part, board, column), where, own in zip(places, shown, made, strict=True):
        compared = {one.first: one for one in (next(corrected) for _ in own)}
        for entrant in board.entrants:
            mean, count = _mean(board, entrant, column, where)
            cells.append(Cell(part, entrant.label, mean, count, compared.get(entrant.label)))
    return tuple(cells)


def _mean(board: Board, entrant: Entrant, column: str, where: Bools) -> tuple[float | None, int]:
    """Mean over the finite values of a part, and how many there are."""
    if not entrant.has(column) or entrant.given:
        return None, 0
    own = board.scores(entrant, column)[where]
    finite = own[np.isfinite(own)]
    return float(finite.mean()) if finite.size else None, int(finite.size)


def frame(found: Breakdown) -> pd.DataFrame:
    """A row for each entrant and a column for each part, with its tiles and blocks."""
    import pandas as pd

    labels = list(dict.fromkeys(cell.label for cell in found.cells))
    cells = {(cell.part.label, cell.label): _text(cell) for cell in found.cells}
    columns = {
        _heading(part, found.unit): [cells.get((part.label, label), NOTHING) for label in labels]
        for part in found.parts
    }
    return pd.DataFrame(columns, index=labels)


def _heading(part: Part, unit: str) -> str:
    """``≤ 0.1 px`` with what is behind it on a second line."""
    ranged = (unit and part.label[0] in "≤>") or " to " in part.label
    told = f"{part.label} {unit}".rstrip() if ranged else part.label
    return f"{told}\n({many(len(part.tiles), 'tile')}, {many(part.blocks, 'block')})"


def _text(cell: Cell) -> str:
    """Mean, then the gain with its verdict and interval."""
    if cell.mean is None:
        return NOTHING
    part = share(cell.count, len(cell.part.tiles))
    mean = f"{number(cell.mean)}{part and f' ({part})'}"
    one = cell.comparison
    if one is None or one.mean is None:
        return mean
    mark = {"better": " ✓", "worse": " ✗"}.get(one.verdict, "")
    ends = "" if one.low is None or one.high is None else f", {one.low:.2g} to {one.high:.2g}"
    return f"{mean}\n{one.mean:+.3g}{mark}{ends}"
