"""The scores of a group side by side, tile by tile, and every comparison that they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sensor2sensor.config.evaluations import BY_DEFINITION
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
from sensor2sensor.report.entrants import Entrant, rows
from sensor2sensor.report.file import Definition, Gain
from sensor2sensor.report.load import Group, Result
from sensor2sensor.report.places import facts_of

Pair = tuple[Entrant, Entrant]


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
        group: The group.
        tiles: Names of the tiles to compare on; all by default.
    """

    def __init__(self, group: Group, tiles: Sequence[str] | None = None) -> None:
        first = group.results[0]
        self._names = list(rows(first.table, first.methods[0]).index if tiles is None else tiles)
        self._known: dict[tuple[str, str], _Column] = {}
        facts, self._why = facts_of(group)
        self._places: list[tuple[str, str]] | None = None
        if facts is not None and set(self._names) <= set(facts.index):
            own = facts.loc[self._names]
            self._places = list(zip(own["block"], own["scene"], strict=True))
        self._whole = tiles is None

    def compare(self, metric: str, told: Definition, pairs: Sequence[Pair]) -> list[Comparison]:
        """Each pair in one metric, without a correction; none of those that lack the metric."""
        having = [pair for pair in pairs if all(one.has(metric) for one in pair)]
        if self._places is None:
            return [self._stored(metric, *pair) for pair in having]
        # Pairs on the same tiles have the same clusters, and are taken at once.
        alike: dict[bytes, list[int]] = {}
        for number, pair in enumerate(having):
            alike.setdefault(self._usable(metric, pair).tobytes(), []).append(number)
        found: dict[int, Comparison] = {}
        for numbers in alike.values():
            own = [having[number] for number in numbers]
            found |= zip(numbers, self._tested(metric, told, own), strict=True)
        return [found[number] for number in range(len(having))]

    def _column(self, entrant: Entrant, metric: str) -> _Column:
        key = (entrant.label, metric)
        if key not in self._known:
            self._known[key] = self._read(entrant, metric)
        return self._known[key]

    def _read(self, entrant: Entrant, metric: str) -> _Column:
        table = entrant.table.reindex(self._names)
        values = table[metric].to_numpy(dtype=np.float64)
        whole = table[split_column(metric)[0]].to_numpy(dtype=np.float64)
        # A value on the whole tile and none within: too few pixels, and no fault of the method's.
        defined = np.isfinite(values) | (np.isnan(values) & np.isfinite(whole))
        alike = np.ones(len(values), dtype=bool)
        for result in entrant.results:
            alike &= self._undefined(result, metric)
        return _Column(values, defined, alike)

    def _undefined(self, result: Result, metric: str) -> Bools:
        """By the rule of the evaluation: over all of its methods."""
        columns = [
            rows(result.table, method)[metric].reindex(self._names).to_numpy(dtype=np.float64)
            for method in result.methods
        ]
        return undefined_alike(columns)

    def _usable(self, metric: str, pair: Pair) -> Bools:
        first, second = (self._column(one, metric).values for one in pair)
        return np.asarray(np.isfinite(first) & np.isfinite(second))

    def _tested(self, metric: str, told: Definition, pairs: Sequence[Pair]) -> list[Comparison]:
        """Pairs whose two sides have finite values on the same tiles."""
        assert self._places is not None  # else there is no cluster to test over
        usable = self._usable(metric, pairs[0])
        own = [place for place, use in zip(self._places, usable, strict=True) if use]
        blocks, scenes = [block for block, _ in own], [scene for _, scene in own]
        clusters = clusters_of(blocks, scenes)
        found = [self._described(metric, told, pair, blocks, scenes) for pair in pairs]
        testable = [n for n, one in enumerate(found) if not one.note.startswith("no verdict")]
        if not clusters or not testable:
            return found
        values = np.stack([self._differences(metric, told, pairs[n]) for n in testable])
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

    def _differences(self, metric: str, told: Definition, pair: Pair) -> Floats:
        first, second = (self._column(one, metric).values for one in pair)
        usable = self._usable(metric, pair)
        sign = 1.0 if told.better == "higher" else -1.0
        return np.asarray(sign * (first[usable] - second[usable]))

    def _described(
        self,
        metric: str,
        told: Definition,
        pair: Pair,
        blocks: Sequence[str],
        scenes: Sequence[str],
    ) -> Comparison:
        """What is known without a test, and why there is none."""
        columns = [self._column(one, metric) for one in pair]
        usable, values = self._usable(metric, pair), self._differences(metric, told, pair)
        models = [one for one, entrant in zip(columns, pair, strict=True) if entrant.results]
        alike = np.logical_and.reduce([one.alike for one in models])
        spared = alike | (columns[0].defined & columns[1].defined)
        failed = [self._failed(one, told, alike) for one in columns]
        note = limits_of(blocks, scenes)
        if not ((usable | spared).all() and values.size):
            note = f"no verdict: finite on {values.size} of {len(usable)} tiles"
        if any(one.given for one in pair):
            note = f"no verdict: perfect {BY_DEFINITION}"
        return Comparison(
            first=pair[0].label,
            second=pair[1].label,
            metric=metric,
            mean=float(values.mean()) if values.size else None,
            better_share=float((values > 0).mean()) if values.size else None,
            count=int(values.size),
            left_out=int((~usable).sum()),
            failed=(failed[0], failed[1]),
            blocks=len(set(blocks)),
            scenes=len(set(scenes)),
            note=note,
        )

    def _failed(self, column: _Column, told: Definition, alike: Bools) -> int:
        """Tiles without a value where the metric has one; a perfect tile is no failure."""
        perfect = (column.values == np.inf) & (told.better == "higher")
        return int((~column.defined & ~perfect & ~alike).sum())

    def _stored(self, metric: str, first: Entrant, second: Entrant) -> Comparison:
        """The comparison that an evaluation has made, where the tiles' places are unknown."""
        base = second.results[0].itself if second.results else second.label
        gains = [result.facts.gain.get(str(base), {}).get(metric) for result in first.results]
        if len(gains) == 1 and gains[0] is not None and self._whole:
            return of_gain(first.label, second.label, metric, gains[0])
        sides = [one.table.reindex(self._names)[metric] for one in (first, second)]
        usable = int(np.isfinite(sides[0] - sides[1]).sum())
        return Comparison(
            first.label, second.label, metric, None, count=usable,
            left_out=len(self._names) - usable, note=f"no verdict: {self._why}",
        )  # fmt: skip


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
