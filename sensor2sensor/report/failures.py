"""Tiles that a method failed on: counted for each, so that none is dropped without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.report.compare import labels
from sensor2sensor.report.entrants import Entrant, entrants
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    import pandas as pd

ORDINARY = "ordinary"
FAILED, WHERE = "failed", "failed in"


def failures(group: Group, found: Sequence[Entrant] | None = None) -> pd.DataFrame:
    """How many tiles each entrant failed on, and the states of its images; a row for each.

    A tile is failed where a metric has no finite value for the entrant though the truth allows one:
    another entrant has it. Perfect tiles (an infinite PSNR) are none. Of seeds a tile counts that
    any of them failed on; states are summed over the seeds.

    Args:
        group: The group; within a stratum its metrics, and the states of whole tiles.
        found: Its entrants, where they are known already.

    Returns:
        Indexed by label: ``tiles``, ``failed`` (tiles), ``failed in`` (metrics with their tiles,
        as words), and a column for each state beside ``ordinary`` that any image is in.
    """
    import pandas as pd

    found = entrants(group) if found is None else found
    lost = _lost(group, found)
    states = {entrant.label: _states(group, entrant) for entrant in found}
    odd = sorted({state for own in states.values() for state in own} - {ORDINARY})
    spoken = labels(group)
    rows = {}
    for entrant in found:
        own = {name: tiles for name, tiles in lost[entrant.label].items() if tiles}
        told = ", ".join(f"{spoken[name]} {len(tiles)}" for name, tiles in own.items())
        failed = len(set().union(*own.values()))
        counts = {state.replace("_", " "): states[entrant.label][state] for state in odd}
        rows[entrant.label] = {"tiles": len(entrant.table), FAILED: failed, WHERE: told, **counts}
    return pd.DataFrame.from_dict(rows, orient="index")


def _lost(group: Group, found: Sequence[Entrant]) -> dict[str, dict[str, set[str]]]:
    """By entrant and metric the tiles without a value that the truth allows."""
    import pandas as pd

    lost: dict[str, dict[str, set[str]]] = {entrant.label: {} for entrant in found}
    for name, definition in group.metrics.items():
        frame = pd.DataFrame({e.label: e.table[name] for e in found if e.has(name)})
        perfect = (frame == np.inf) & (definition.better == "higher")
        known = pd.DataFrame(np.isfinite(frame), frame.index, frame.columns) | perfect
        allowed = known.any(axis=1)
        for label in frame.columns:
            lost[label][name] = set(frame.index[allowed & ~known[label]])
    return lost


def _states(group: Group, entrant: Entrant) -> Counter[str]:
    """Counts of the states of an entrant's images, over its seeds."""
    if entrant.results:
        every = [result.facts.states.get(MODEL, {}) for result in entrant.results]
    else:
        # A baseline scores the same beside any model: its images are counted once.
        having = (r.facts.states for r in group.results if entrant.label in r.facts.states)
        every = [states[entrant.label] for states in [next(having, {})] if states]
    return sum((Counter(states) for states in every), Counter())
