"""One group as the page looks at it: what several sections need is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sensor2sensor.report import compare
from sensor2sensor.report.baselines import gained_over
from sensor2sensor.report.file import Gain
from sensor2sensor.report.load import Group

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class View:
    """A group with a short name and an anchor.

    Attributes:
        group: The results that may be compared.
        title: Its short name.
        key: Its anchor on the page; names its data set and filters where tiles are ticked.
    """

    group: Group
    title: str
    key: str

    @cached_property
    def found(self) -> list[compare.Entrant]:
        """Its entrants."""
        return compare.entrants(self.group)

    @cached_property
    def grey(self) -> frozenset[str]:
        """Labels of the baselines."""
        return frozenset(entrant.label for entrant in self.found if entrant.baseline)

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Ranks of the means, sorted by the mean rank."""
        return compare.rank_table(self.group)

    def ordered(self, labels: Iterable[str]) -> list[str]:
        """Labels from the best mean rank down; those without a rank last, in their order."""
        places = {str(label): place for place, label in enumerate(self.ranks.index)}
        return sorted(labels, key=lambda label: places.get(label, len(places)))

    @cached_property
    def overs(self) -> tuple[str, ...]:
        """Baselines that gains are shown over; the strongest comes last."""
        return gained_over(self.group)

    @cached_property
    def strata(self) -> tuple[View, ...]:
        """Its strata; none within a stratum."""
        if self.group.stratum is not None:
            return ()
        return tuple(View(part, part.title, self.key) for part in self.group.strata)

    def gains(self, over: str) -> Mapping[str, Mapping[str, Gain]]:
        """Gains over a baseline by run and metric, from the best mean rank down."""
        found = compare.gaining(self.group, over)
        return {run: found[run] for run in self.ordered(found)}
