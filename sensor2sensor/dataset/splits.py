"""Which split a tile belongs to: by the ground it shows, never by the tile.

A block of ground goes to one split by a threshold on ``keyed_hash(seed, block)``: the same on every
machine, for every date, inventory and UTM zone, and whatever else is in the data set. A tile is
taken only where its surroundings, the guard, lie in blocks of that split too: an input pixel
reaches beyond the tile, and one that two splits share is seen in training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.blocks import BlockGrid, tile_ring
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import DROPPED
from sensor2sensor.geo.projections import from_lonlat

SEEDS_TRIED = 200


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
        by: ``block`` of ground or ``acquisition`` (sensing start).
        seed: Seed of the data set.
        train_ratio: See :func:`assign`.
        val_ratio: See :func:`assign`.
        grid: The blocks.
        bound: Blocks (or acquisitions) that already have a split and keep it.
        guard_m: Ground around a tile that has to lie in blocks of its split too: tiles of two
            splits are at least twice as far apart. By acquisition there is none.
    """

    by: str
    seed: int
    train_ratio: float
    val_ratio: float
    grid: BlockGrid
    bound: Mapping[str, str]
    guard_m: float = 0.0

    def units(self, place: TilePlace) -> tuple[str, ...]:
        """What a tile belongs to: the blocks it touches, or its acquisition."""
        return blocks_of(place, self.grid) if self.by == "block" else (place.acquisition,)

    def guarded(self, place: TilePlace) -> tuple[str, ...]:
        """What decides on the split of a tile: its units and the blocks within its guard."""
        if self.by != "block":
            return self.units(place)
        return blocks_of(place, self.grid, self.guard_m)

    def split_of(self, units: Sequence[str]) -> str:
        """The split of a tile that touches these; ``dropped`` if they belong to two splits."""
        splits = {self.unit_split(unit) for unit in units}
        return splits.pop() if len(splits) == 1 else DROPPED

    def unit_split(self, unit: str) -> str:
        """The split of a block or acquisition."""
        if unit in self.bound:
            return self.bound[unit]
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
        + f" and {counts[DROPPED]} dropped tiles on {len(units)} {rule.by}s"
        + (f" (guard {rule.guard_m:g} m)" if rule.guard_m else "")
        + left_out
    )
    raise DatasetError(what, where=where, hint=_advice(units_of, rule, ways))


def _advice(units_of: Mapping[str, tuple[str, ...]], rule: SplitRule, others: Sequence[str]) -> str:
    ways = [*others, "more ground or dates", "--train_ratio and --val_ratio nearer to the middle"]
    if rule.by == "block":
        # Small blocks are nothing but guard.
        guard_bound = rule.grid.block_m < 8 * rule.guard_m
        ways.append(f"{'larger' if guard_bound else 'smaller'} --block-tiles")
    for seed in range(SEEDS_TRIED):
        other = replace(rule, seed=seed, bound={})
        if {other.split_of(units) for units in units_of.values()} >= set(SPLITS):
            ways.append(f"another seed (--seed {seed} fills all three)")
            break
    return "give it " + ", or ".join(ways)


def ground_shared(places: Mapping[str, TilePlace], splits: Mapping[str, str]) -> dict[str, float]:
    """Share of the ground of ``val`` and ``test`` that the train split shows too.

    Areas are taken in each UTM zone of the evaluated tiles; train tiles of other zones are carried
    over.
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
        ground = shapely.union_all([_square(p, epsg) for p in other if p.epsg == epsg])
        near = shapely.box(*ground.bounds)
        known = [square for square in (_square(p, epsg) for p in train) if square.intersects(near)]
        inside += ground.intersection(shapely.union_all(known)).area if known else 0.0
        total += ground.area
    return round(inside / total, 6) if total else 0.0


def _square(place: TilePlace, epsg: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """A tile as a polygon in a UTM zone, its own or another."""
    import shapely

    if place.epsg == epsg:
        return shapely.box(
            place.ulx_m, place.uly_m - place.size_m, place.ulx_m + place.size_m, place.uly_m
        )
    ring = tile_ring(place.epsg, place.ulx_m, place.uly_m, place.size_m)
    x, y = from_lonlat(epsg).transform(*ring)
    return shapely.make_valid(shapely.Polygon(list(zip(x, y, strict=True))))
