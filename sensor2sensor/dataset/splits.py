"""Which split a sample belongs to: by the ground it shows, never by the sample.

A block of ground goes to one split by a threshold on ``keyed_hash(seed, block)``: the same on every
machine, for every date, inventory and UTM zone, and whatever else is in the data set. A tile is
taken only where its surroundings, the guard, lie in blocks of that split too: an input pixel
reaches beyond the tile, and one that two splits share is seen in training. Where there is no
projection, a group (city, site, region) stands for the ground and goes to a split by the same hash,
or samples have the split that whoever published them gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.blocks import BlockGrid, tile_ring
from sensor2sensor.dataset.contract import SPLITS, SplitPolicy
from sensor2sensor.dataset.ledger import DROPPED, guard_reason
from sensor2sensor.geo.projections import from_lonlat

SEEDS_TRIED = 200
By = Literal["given", "block", "acquisition", "group"]
_UNITS = {"given": "units", "block": "blocks", "acquisition": "acquisitions", "group": "groups"}


@dataclass(frozen=True)
class TilePlace:
    """Where and when a tile is."""

    name: str
    epsg: int
    ulx_m: float
    uly_m: float
    size_m: float
    acquisition: str


def assign(seed: int, block: str, train_ratio: float, val_ratio: float) -> str:
    """The split of a block.

    Args:
        seed: Seed of the data set.
        block: Its name.
        train_ratio: Share of the blocks for training and validation; the rest is for testing.
        val_ratio: Share of that share for validation.
    """
    # Spans of one line: another ratio moves the blocks between its old and new limit, no other.
    draw = keyed_hash(seed, "split", block)
    if draw < train_ratio * (1.0 - val_ratio):
        return "train"
    return "val" if draw < train_ratio else "test"


def blocks_of(place: TilePlace, grid: BlockGrid, guard_m: float = 0.0) -> tuple[str, ...]:
    """Every block of ground a tile, grown by a guard on every side, touches."""
    west, north = place.ulx_m - guard_m, place.uly_m + guard_m
    return grid.touched(*tile_ring(place.epsg, west, north, place.size_m + 2 * guard_m))


@dataclass(frozen=True)
class SplitRule:
    """How a data set is split.

    Attributes:
        by: ``block`` of ground, ``acquisition`` (sensing start), ``group`` (city, site, region) or
            ``given`` by who made the samples.
        seed: Seed of the data set.
        train_ratio: See :func:`assign`; None where splits are given.
        val_ratio: See :func:`assign`; None where splits are given.
        grid: The blocks; None where nothing is split by them.
        bound: Units that already have a split and keep it; given ones, all of them.
        guard_m: Ground around a tile that has to lie in blocks of its split too: tiles of two
            splits are at least twice as far apart. None but by block.
    """

    by: By
    seed: int
    train_ratio: float | None
    val_ratio: float | None
    grid: BlockGrid | None
    bound: Mapping[str, str]
    guard_m: float = 0.0

    @classmethod
    def of(cls, policy: SplitPolicy, bound: Mapping[str, str], guard_m: float) -> SplitRule:
        """The rule that a contract's policy describes."""
        grid = None if policy.block_m is None else BlockGrid(policy.block_m)
        ratios = (policy.train_ratio, policy.val_ratio)
        return cls(policy.by, policy.seed, *ratios, grid, bound, guard_m)

    @property
    def unit_name(self) -> str:
        """What messages call several units."""
        return _UNITS[self.by]

    def units(self, place: TilePlace | None, unit: str = "") -> tuple[str, ...]:
        """What a sample belongs to: the blocks it touches, or its acquisition, group or unit."""
        return self._units(place, unit, 0.0)

    def guarded(self, place: TilePlace | None, unit: str = "") -> tuple[str, ...]:
        """What decides on the split of a sample: its units and the blocks within its guard."""
        return self._units(place, unit, self.guard_m)

    def _units(self, place: TilePlace | None, unit: str, guard_m: float) -> tuple[str, ...]:
        if self.by != "block":
            return (unit,)
        if place is None or self.grid is None:
            hint = "give every sample a place and the policy a block_m, or split by group"
            raise DatasetError("a split by block needs the ground", where=unit, hint=hint)
        return blocks_of(place, self.grid, guard_m)

    def split_of(self, units: Sequence[str]) -> str:
        """The split of a sample of these; ``dropped`` if they belong to two splits."""
        splits = {self.unit_split(unit) for unit in units}
        return splits.pop() if len(splits) == 1 else DROPPED

    def between(self, units: Sequence[str], deciding: Sequence[str]) -> str:
        """Why a sample of these units belongs to no split; empty where it belongs to one."""
        if self.split_of(units) == DROPPED:
            return f"touches {self.unit_name} of two splits"
        return guard_reason(self.guard_m) if self.split_of(deciding) == DROPPED else ""

    def unit_split(self, unit: str) -> str:
        """The split of a block, acquisition, group or unit.

        Raises:
            DatasetError: It should have been given one.
        """
        # Before any draw: a data set that grows must not move ground from test to train.
        if unit in self.bound:
            return self.bound[unit]
        if self.train_ratio is None or self.val_ratio is None:
            raise DatasetError("has no split, and there are no ratios to draw one by", where=unit)
        return assign(self.seed, unit, self.train_ratio, self.val_ratio)


def require_all(
    units_of: Mapping[str, tuple[str, ...]],
    rule: SplitRule,
    where: str,
    *,
    left_out: str = "",
    ways: Sequence[str] = (),
) -> None:
    """Refuse a division that leaves a split empty.

    Args:
        units_of: What decides on the split of each tile (:meth:`SplitRule.guarded`).
        rule: The rule of the data set.
        where: The data set, for the message.
        left_out: What the message says of tiles that are not among these.
        ways: What to change beside the division, so that there are more of them.

    Raises:
        DatasetError: With the counts and what to change.
    """
    counts = Counter(rule.split_of(units) for units in units_of.values())
    empty = [split for split in SPLITS if not counts[split]]
    if not empty:
        return
    units = {unit for touched in units_of.values() for unit in touched}
    what = (
        f"the {' and '.join(empty)} split would be empty: "
        + ", ".join(f"{counts[split]} {split}" for split in SPLITS)
        + f" and {counts[DROPPED]} dropped tiles on {len(units)} {rule.unit_name}"
        + (f" (guard {rule.guard_m:g} m)" if rule.guard_m else "")
        + left_out
    )
    raise DatasetError(what, where=where, hint=_advice(units_of, rule, ways))


def _advice(units_of: Mapping[str, tuple[str, ...]], rule: SplitRule, others: Sequence[str]) -> str:
    if rule.by == "given":
        return "give it " + ", or ".join([*others, "samples of every split"])
    units = {unit for touched in units_of.values() for unit in touched}
    if rule.by != "block" and len(units) < len(SPLITS):  # smaller blocks are more of them
        return "give it " + ", or ".join([*others, f"at least {len(SPLITS)} {rule.unit_name}"])
    ways = [*others, "more ground or dates", "--train_ratio and --val_ratio nearer to the middle"]
    if rule.grid is not None and rule.by == "block":
        # Small blocks are nothing but guard.
        guard_bound = rule.grid.block_m < 8 * rule.guard_m
        ways.append(f"{'larger' if guard_bound else 'smaller'} --block-tiles")
    for seed in range(SEEDS_TRIED):
        other = replace(rule, seed=seed, bound={})
        if {other.split_of(units) for units in units_of.values()} >= set(SPLITS):
            ways.append(f"another seed (--seed {seed} fills all three)")
            break
    return "give it " + ", or ".join(ways)


def groups_shared(units: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Share of the groups of ``val`` and ``test`` that the train split shows too.

    Where no projection is known, they stand for the ground.

    Args:
        units: The groups of each split.
    """
    train = set(units["train"])
    found = {side: set(units[side]) for side in ("val", "test")}
    return {side: round(len(u & train) / len(u), 6) if u else 0.0 for side, u in found.items()}


def ground_shared(places: Mapping[str, TilePlace], splits: Mapping[str, str]) -> dict[str, float]:
    """Share of the ground of ``val`` and ``test`` that the train split shows too.

    Areas are taken in each UTM zone of the evaluated tiles; tiles of other zones are carried over,
    and ground that tiles of two zones show counts once.
    """
    train = [places[name] for name, split in splits.items() if split == "train"]
    return {
        side: _share(train, [places[n] for n, split in splits.items() if split == side])
        for side in ("val", "test")
    }


def _share(train: Sequence[TilePlace], other: Sequence[TilePlace]) -> float:
    import shapely

    inside = total = 0.0
    for epsg in sorted({place.epsg for place in other}):
        # United first: ground that tiles share would count as often as there are tiles on it.
        ground = shapely.union_all([square_in(p, epsg) for p in other if p.epsg == epsg])
        box = shapely.box(*ground.bounds)
        # What an earlier zone counted; zones overlap by design, for all of a product's tile.
        ground = ground.difference(_united([p for p in other if p.epsg < epsg], epsg, box))
        inside += ground.intersection(_united(train, epsg, box)).area
        total += ground.area
    return round(inside / total, 6) if total else 0.0


def _united(places: Sequence[TilePlace], epsg: int, near: Any) -> Any:
    """The ground of those tiles that meet a box, in a UTM zone."""
    import shapely

    # Only what is near can meet it, and a union of squares costs time.
    squares = (square_in(place, epsg) for place in places)
    return shapely.union_all([square for square in squares if square.intersects(near)])


def square_in(place: TilePlace, epsg: int) -> Any:
    """A tile as a polygon in a UTM zone, its own or another."""
    import shapely

    if place.epsg == epsg:
        return shapely.box(
            place.ulx_m, place.uly_m - place.size_m, place.ulx_m + place.size_m, place.uly_m
        )
    ring = tile_ring(place.epsg, place.ulx_m, place.uly_m, place.size_m)
    x, y = from_lonlat(epsg).transform(*ring)
    return shapely.make_valid(shapely.Polygon(list(zip(x, y, strict=True))))
