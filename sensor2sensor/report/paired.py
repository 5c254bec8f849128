"""Paired comparisons of a group's entrants: run against baseline, run against run.

Every comparison is of the same tiles and has the interval of the evaluation: Student's t with the
cluster-robust variances of blocks of ground and of scenes. All comparisons of one table are one
family, whose p-values Holm's correction makes larger before anything is called better or worse.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensor2sensor.core.clustered import Bools
from sensor2sensor.report.board import Board, Pair, board_of
from sensor2sensor.report.comparison import Comparison, family
from sensor2sensor.report.entrants import Entrant
from sensor2sensor.report.load import Group

EACH_OTHER = "each other"  # the family of pairs among those that a board keeps; no baseline's name


def over_baseline(group: Group, over: str, board: Board | None = None) -> list[Comparison]:
    """Every model against a baseline in all metrics, as one family; empty without the baseline.

    Args:
        group: The group.
        over: The baseline.
        board: Of the group, where the caller keeps one.
    """
    board = board or board_of(group)
    if over not in board.kept:
        board.kept[over] = family(against(board, beside(board.entrants, over)))
    return board.kept[over]


def pairs(group: Group, board: Board | None = None) -> list[Comparison]:
    """Every model against every other and each baseline, in all metrics, as one family."""
    board = board or board_of(group)
    if EACH_OTHER in board.kept:
        return board.kept[EACH_OTHER]
    found = [entrant for entrant in board.entrants if not entrant.given]
    models = [e for e in found if e.results]
    others = [e for e in found if not e.results]
    chosen = [(one, two) for i, one in enumerate(models) for two in models[i + 1 :]]
    chosen += [(model, other) for model in models for other in others]
    board.kept[EACH_OTHER] = family(against(board, chosen))
    return board.kept[EACH_OTHER]


def beside(every: Sequence[Entrant], over: str | None) -> list[Pair]:
    """Each model and a baseline, wherever that stands; none without it.

    A model whose evaluation did not score the baseline is not compared with it.
    """
    base = next((e for e in every if over is not None and over in (_itself(e), _alone(e))), None)
    if base is None:
        return []
    models = [e for e in every if e.results and e is not base]
    known = [e for e in models if all(over in result.facts.gain for result in e.results)]
    return [(model, base) for model in known]


def _itself(entrant: Entrant) -> str | None:
    return entrant.results[0].itself if entrant.results else None


def _alone(entrant: Entrant) -> str | None:
    return None if entrant.results else entrant.label


def against(
    board: Board,
    chosen: Sequence[Pair],
    metrics: Sequence[str] | None = None,
    where: Bools | None = None,
) -> list[Comparison]:
    """Compare pairs of entrants in every metric that both have, without a correction."""
    names = board.group.metrics if metrics is None else metrics
    return [one for name in names for one in board.compare(name, chosen, where)]
