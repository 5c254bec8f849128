"""Facts of a group's tiles: the blocks and scenes of intervals, and what scores depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    import pandas as pd

NO_FACTS = "no facts per tile; run evaluate.py again"


def facts_of(group: Group) -> tuple[pd.DataFrame | None, str]:
    """Facts of every tile, indexed by its name, and why there are none.

    They are of the data set, so that those of one result hold for all of its group.
    """
    # What a run has learned from its ground is the run's own, and no fact of the tile.
    found = [result.tile_facts for result in group.results]
    whole = [facts.table for facts in found if facts.table is not None]
    if whole:
        return max(whole, key=len), ""
    return None, found[0].why or NO_FACTS
