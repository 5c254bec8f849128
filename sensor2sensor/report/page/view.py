"""One group as the page looks at it: what several sections need is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from sensor2sensor.report import compare
from sensor2sensor.report.baselines import gained_over
from sensor2sensor.report.board import Board
from sensor2sensor.report.comparison import Comparison
from sensor2sensor.report.load import Group
from sensor2sensor.report.paired import over_baseline, pairs

if TYPE_CHECKING:
    import pandas as pd

MOST_MODELS = 20  # of which every two are compared; a table of more is read by nobody
Gains = Mapping[str, Mapping[str, Comparison]]  # by model and metric


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
    _gains: dict[str, Gains] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def board(self) -> Board:
        """Its scores side by side."""
        return Board(self.group)

    @property
    def found(self) -> list[compare.Entrant]:
        """Its entrants."""
        return self.board.entrants

    @cached_property
    def grey(self) -> frozenset[str]:
        """Labels of the baselines."""
        return frozenset(entrant.label for entrant in self.found if entrant.baseline)

    @cached_property
    def models(self) -> list[compare.Entrant]:
        """Its models, seeds as one, from the best mean rank down."""
        own = {entrant.label: entrant for entrant in self.found if not entrant.baseline}
        return [own[label] for label in self.ordered(own)]

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

    @property
    def seen(self) -> float | None:
        """Share of the scored ground that training has seen; None where nobody knows."""
        facts = self.group.facts
        if facts.scored_on is None:
            shared: float | None = facts.dataset.split_policy["ground_shared"].get(facts.split)
            return shared
        counts = [r.facts.scored_on for r in self.group.results if r.facts.scored_on is not None]
        known = [there.seen_tiles / there.tiles for there in counts if there.seen_tiles is not None]
        return max(known) if len(known) == len(counts) else None

    @cached_property
    def strata(self) -> tuple[View, ...]:
        """Its strata; none within a stratum."""
        if self.group.stratum is not None:
            return ()
        return tuple(View(part, part.title, self.key) for part in self.group.strata)

    def gains(self, over: str) -> Gains:
        """Comparisons with a baseline, one family, from the best mean rank down."""
        if over not in self._gains:
            told: dict[str, dict[str, Comparison]] = {}
            for one in over_baseline(self.group, over, board=self.board):
                told.setdefault(one.first, {})[one.metric] = one
            self._gains[over] = {label: told[label] for label in self.ordered(told)}
        return self._gains[over]

    @cached_property
    def every(self) -> list[Comparison]:
        """Every comparison with a baseline that is shown."""
        rows = [row for over in self.overs for row in self.gains(over).values()]
        return [one for row in rows for one in row.values()]

    @cached_property
    def pairs(self) -> list[Comparison]:
        """Every model against every other and each baseline, one family; of too many none."""
        return pairs(self.group, self.board) if 2 <= len(self.models) <= MOST_MODELS else []


def taken_over(found: Iterable[Comparison]) -> str:
    """What intervals are over, and for what: ``intervals over 6 blocks, for …``."""
    told = {", ".join(filter(None, (one.over, one.note))) for one in found if one.over}
    return f"intervals over {' or '.join(sorted(told))}" if told else "no interval"
