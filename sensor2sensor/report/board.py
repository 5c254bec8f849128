"""The scores of a group side by side, tile by tile, and every comparison that they allow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sensor2sensor.config.evaluations import BY_DEFINITION
from sensor2sensor.config.trust import CLASSES
from sensor2sensor.core.clustered import (
    Bools,
    Floats,
    clusters_of,
    limits_of,
    p_value,
    signed_rank,
    t_interval,
    undefined_alike,
)
from sensor2sensor.dataset.strata import split_column
from sensor2sensor.report.comparison import Comparison
from sensor2sensor.report.entrants import Entrant, defined_within, entrants, rows
from sensor2sensor.report.file import Gain
from sensor2sensor.report.load import Group, Result
from sensor2sensor.report.places import facts_of

Pair = tuple[Entrant, Entrant]
KEPT = 4  # boards: of a group and its strata, not of all groups, whose scores may fill a memory


@dataclass(frozen=True)
class _Column:
    """One metric of one entrant over all tiles of the board.

    Attributes:
        values: NaN where undefined, ``+inf`` where perfect.
        defined: Where it has a value, or lacks it only since a stratum has few pixels there.
        alike: Where every method of its evaluations lacks it, so that the truth leaves it so.
    """

    values: Floats
    defined: Bools
    alike: Bools


class Board:
    """Compares entrants of a group on the same tiles, pair by pair.

    Args:
        group: The group, whose results are read once.

    Attributes:
        group: The group.
        entrants: Who stands on the board.
        names: The tiles, in the order of the first result.
        facts: What is known of each, in that order; None where that is not known of all.
        why: Why there are none.
        kept: Families of comparisons that were made of it: by baseline, and of each other.

    Raises:
        InputError: The results of the group must not share a table.
    """

    def __init__(self, group: Group) -> None:
        self.group, self.entrants = group, entrants(group)
        first = group.results[0]
        self.names = rows(first.table, first.methods[0]).index
        facts, self.why = facts_of(group)
        whole = facts is not None and bool(self.names.isin(facts.index).all())
        self.facts = facts.loc[self.names] if facts is not None and whole else None
        self._metrics = group.metrics
        self._tables = {e.label: e.table.reindex(self.names) for e in self.entrants}
        self._known: dict[tuple[str, str], _Column] = {}
        self._alike = {id(result): self._undefined(result) for result in group.results}
        self.kept: dict[str, list[Comparison]] = {}

    def compare(
        self, metric: str, pairs: Sequence[Pair], where: Bools | None = None
    ) -> list[Comparison]:
        """Each pair in one metric, without a correction; none of those that lack the metric.

        Args:
            metric: One of the group's.
            pairs: First and second of each.
            where: The tiles to compare on, ``[tiles]``; all by default.
        """
        having = [pair for pair in pairs if all(one.has(metric) for one in pair)]
        shown = np.ones(len(self.names), dtype=bool) if where is None else where
        if self.facts is None:
            return [self._stored(metric, pair, shown) for pair in having]
        # Pairs on the same tiles have the same clusters, and are taken at once.
        alike: dict[bytes, list[int]] = {}
        for number, pair in enumerate(having):
            alike.setdefault(self._usable(metric, pair, shown).tobytes(), []).append(number)
        found: dict[int, Comparison] = {}
        for numbers in alike.values():
            own = [having[number] for number in numbers]
            found |= zip(numbers, self._tested(metric, own, shown), strict=True)
        return [found[number] for number in range(len(having))]

    def scores(self, entrant: Entrant, metric: str) -> Floats:
        """Values of one metric over all tiles; NaN where undefined, ``+inf`` where perfect."""
        return self._column(entrant, metric).values

    def _column(self, entrant: Entrant, metric: str) -> _Column:
        key = (entrant.label, metric)
        if key not in self._known:
            self._known[key] = self._read(entrant, metric)
        return self._known[key]

    def _read(self, entrant: Entrant, metric: str) -> _Column:
        table = self._tables[entrant.label]
        values = table[metric].to_numpy(dtype=np.float64)
        defined = defined_within(table, metric, self.group.facts.dataset.factor).to_numpy()
        alike = np.ones(len(values), dtype=bool)
        for result in entrant.results:
            alike &= self._alike[id(result)][metric]
        return _Column(values, defined, alike)

    def _undefined(self, result: Result) -> dict[str, Bools]:
        """By the rule of the evaluation: over all of its methods, by metric."""
        names = [name for name in self._metrics if name in result.table.columns]
        told = result.table[["name", "method", *names]]
        tables = [rows(told, method).reindex(self.names)[names] for method in result.methods]
        stacked = np.stack([table.to_numpy(dtype=np.float64) for table in tables])
        return dict(zip(names, undefined_alike(stacked).T, strict=True))

    def _usable(self, metric: str, pair: Pair, shown: Bools) -> Bools:
        first, second = (self._column(one, metric).values for one in pair)
        return np.asarray(np.isfinite(first) & np.isfinite(second) & shown)

    def _tested(self, metric: str, pairs: Sequence[Pair], shown: Bools) -> list[Comparison]:
        """Pairs whose two sides have finite values on the same tiles."""
        assert self.facts is not None  # else there is no cluster to test over
        own = self.facts[self._usable(metric, pairs[0], shown)]
        places = own["block"].tolist(), own["scene"].tolist()
        described = [self._described(metric, pair, places, shown) for pair in pairs]
        found = [one for one, _ in described]
        clusters = clusters_of(*places)
        testable = [n for n, (_, barred) in enumerate(described) if not barred]
        if not clusters or not testable:
            return found
        values = np.stack([self._differences(metric, pairs[n], shown) for n in testable])
        low, high, freedom = t_interval(values, list(clusters.values()))
        p = p_value(low, high, freedom)
        # Of one kind alone: where blocks and scenes cross, blocks share what their scenes do.
        ranked = signed_rank(values, *clusters.values()) if len(clusters) == 1 else None
        over = " and ".join(f"{len(set(kind))} {name}s" for name, kind in clusters.items())
        for row, n in enumerate(testable):
            found[n] = _with(
                found[n],
                interval=(float(low[row]), float(high[row])),
                freedom=float(freedom[row]),
                p=float(p[row]),
                ranked=None if ranked is None else float(ranked[row]),
                over=over,
            )
        return found

    def _differences(self, metric: str, pair: Pair, shown: Bools) -> Floats:
        first, second = (self._column(one, metric).values for one in pair)
        usable = self._usable(metric, pair, shown)
        sign = 1.0 if self._metrics[metric].better == "higher" else -1.0
        return np.asarray(sign * (first[usable] - second[usable]))

    def _described(
        self, metric: str, pair: Pair, places: tuple[list[str], list[str]], shown: Bools
    ) -> tuple[Comparison, bool]:
        """What is known without a test, and whether tiles without a value bar one."""
        usable, values = self._usable(metric, pair, shown), self._differences(metric, pair, shown)
        note, count = limits_of(*places), int(shown.sum())
        first, second, barred = 0, 0, False
        if values.size < count or not count:
            whole, first, second = self._lost(metric, pair, usable, shown)
            if barred := not (whole and values.size):
                note = f"no verdict: finite on {values.size} of {count} tiles"
        if any(one.given for one in pair):
            note, barred = f"no verdict: perfect {BY_DEFINITION}", True
        elif any(self._adds_nothing(one, metric) for one in pair):
            note, barred = f"no verdict: the score of what adds nothing holds {BY_DEFINITION}", True
        known = Comparison(
            first=pair[0].label,
            second=pair[1].label,
            metric=metric,
            mean=float(values.mean()) if values.size else None,
            better_share=float((values > 0).mean()) if values.size else None,
            count=int(values.size),
            left_out=count - int(values.size),
            failed=(first, second),
            blocks=len(set(places[0])),
            scenes=len(set(places[1])),
            note=note,
        )
        return known, barred

    def _adds_nothing(self, entrant: Entrant, metric: str) -> bool:
        """Whether it is the interpolation that a metric of trust is told by: all omission."""
        trust = self.group.facts.trust
        if trust is None or trust.as_coded:
            return False
        named = {entrant.label, *(str(result.itself) for result in entrant.results)}
        return trust.up in named and split_column(metric)[0].rpartition("_")[0] in CLASSES

    def _lost(self, metric: str, pair: Pair, usable: Bools, shown: Bools) -> tuple[bool, int, int]:
        """Whether the tiles left out cost no verdict, and on how many either side failed."""
        columns = [self._column(one, metric) for one in pair]
        # Of a baseline nothing is known but its values: its evaluations are those of the runs.
        runs = [one.alike for one, entrant in zip(columns, pair, strict=True) if entrant.results]
        # An evaluation without baselines knows of nobody else: a value of the other side does.
        nobody = ~np.isfinite([one.values for one in columns]).any(axis=0)
        alike = np.logical_and.reduce([*runs, nobody])
        spared = alike | (columns[0].defined & columns[1].defined)
        first, second = (self._failed(one, metric, alike, shown) for one in columns)
        return bool((usable | spared)[shown].all()), first, second

    def _failed(self, column: _Column, metric: str, alike: Bools, shown: Bools) -> int:
        """Tiles without a value where the metric has one; a perfect tile is no failure."""
        perfect = (column.values == np.inf) & (self._metrics[metric].better == "higher")
        return int((~column.defined & ~perfect & ~alike & shown).sum())

    def _stored(self, metric: str, pair: Pair, shown: Bools) -> Comparison:
        """The comparison that an evaluation has made, where the tiles' places are unknown."""
        first, second = pair
        base = second.results[0].itself if second.results else second.label
        gains = [result.facts.gain.get(str(base), {}).get(metric) for result in first.results]
        if len(gains) == 1 and gains[0] is not None and shown.all():
            return of_gain(first.label, second.label, metric, gains[0])
        usable = int(self._usable(metric, pair, shown).sum())
        return Comparison(
            first.label, second.label, metric, None, count=usable,
            left_out=int(shown.sum()) - usable, note=f"no verdict: {self.why}",
        )  # fmt: skip


_BOARDS: OrderedDict[tuple[object, ...], Board] = OrderedDict()


def board_of(group: Group) -> Board:
    """The board of a group; the last ones are kept, since every table of a report asks for it."""
    # A board holds its group and so its results, whose ids are nobody else's as long as it is kept.
    key = (group.stratum, group.title, *map(id, group.results))
    if key not in _BOARDS:
        _BOARDS[key] = Board(group)
        while len(_BOARDS) > KEPT:
            _BOARDS.popitem(last=False)
    return _BOARDS[key]


def of_gain(first: str, second: str, metric: str, gain: Gain) -> Comparison:
    """A comparison that an evaluation has made of one run and a baseline."""
    # Evaluations from before scenes counted have ends too, which are too narrow to test anything.
    tested = gain.verdict != "none" and gain.t_low is not None and gain.t_high is not None
    made = Comparison(
        first=first,
        second=second,
        metric=metric,
        mean=gain.mean,
        better_share=gain.better_share,
        count=gain.count,
        left_out=gain.left_out,
        blocks=gain.blocks or 0,
        scenes=gain.scenes or 0,
        note=gain.note,
    )
    if not tested or gain.t_low is None or gain.t_high is None:
        return made
    freedom = np.inf if gain.degrees_of_freedom is None else gain.degrees_of_freedom
    ends = np.array(gain.t_low), np.array(gain.t_high)
    p = float(p_value(*ends, np.array(freedom)))
    return _with(made, (gain.t_low, gain.t_high), freedom, p, None, gain.over)


def _with(
    one: Comparison,
    interval: tuple[float, float],
    freedom: float,
    p: float,
    ranked: float | None,
    over: str,
) -> Comparison:
    """A comparison with its test."""
    known = freedom if np.isfinite(freedom) else None
    low, high = interval
    return replace(one, low=low, high=high, freedom=known, p=p, ranked=ranked, over=over)
