"""The table of one group as the literature prints it, of profile dsen2cr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor2sensor.config.evaluations import published_cells, published_title
from sensor2sensor.config.vocabulary import DSEN2CR
from sensor2sensor.report import compare
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    import pandas as pd


def title(group: Group) -> str:
    """What its scores are over, and by which mask."""
    return published_title(group.facts.strata.values())


def pooled_table(group: Group) -> pd.DataFrame | None:
    """Pooled scores, a row for each run and baseline; None of other profiles."""
    import pandas as pd

    if group.facts.profile != DSEN2CR:
        return None
    given: dict[str, set[str]] = {}
    for part in group.strata:
        for entrant in compare.entrants(part):
            if entrant.given:
                given.setdefault(entrant.label, set()).update(part.metrics)
    rows = {
        entrant.label: published_cells(entrant.pooled, given.get(entrant.label) or ())
        for entrant in compare.entrants(group)
    }
    return pd.DataFrame.from_dict(rows, orient="index")
