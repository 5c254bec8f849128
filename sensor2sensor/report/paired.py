"""Paired comparisons of a group's entrants: run against baseline, run against run.

Every comparison is of the same tiles and has the interval of the evaluation: Student's t with the
cluster-robust variances of blocks of ground and of scenes. All comparisons of one table are one
family, whose p-values Holm's correction makes larger before anything is called better or worse.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensor2sensor.report.board import Board
from sensor2sensor.report.comparison import Comparison, family
from sensor2sensor.report.entrants import Entrant, competing, entrants
from sensor2sensor.report.load import Group


def over_baseline(group: Group, over: str) -> list[Comparison]:
    """Every model against a baseline in every metric, as one family; empty without the baseline."""
    every = entrants(group)
    base = _named(every, over)
    if base is None:
        return []
    models = [e for e in every if e.results and e is not base and not _lacks(e, over)]
    return family(against(group, [(model, base) for model in models]))


def pairs(group: Group) -> list[Comparison]:
    """Every model against every other and each baseline, as one family."""
    found = competing(group)
    models = [e for e in found if e.results]
    others = [e for e in found if not e.results]
    chosen = [(one, two) for i, one in enumerate(models) for two in models[i + 1 :]]
    chosen += [(model, other) for model in models for other in others]
    return family(against(group, chosen))


def _named(found: Sequence[Entrant], name: str) -> Entrant | None:
    """The baseline of that name, wherever it stands."""
    for entrant in found:
        if entrant.results and entrant.results[0].itself == name:
            return entrant
        if not entrant.results and entrant.label == name:
            return entrant
    return None


def _lacks(entrant: Entrant, over: str) -> bool:
    """Whether a model was never compared with a baseline by its evaluation."""
    return any(over not in result.facts.gain for result in entrant.results)


def against(
    group: Group, chosen: Sequence[tuple[Entrant, Entrant]], tiles: Sequence[str] | None = None
) -> list[Comparison]:
    """Compare pairs of entrants in every metric that both have, without a correction.

    Args:
        group: The group they are of.
        chosen: First and second of each pair.
        tiles: Names of the tiles to compare on; all by default.
    """
    board = Board(group, tiles)
    metrics = group.metrics.items()
    return [one for name, told in metrics for one in board.compare(name, told, chosen)]
