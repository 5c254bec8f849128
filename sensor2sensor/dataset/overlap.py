"""Ground of one data set that the train split of another one shows, or its val.

Whoever scores a run on a data set that it was not trained on wants to know how it does elsewhere.
Two data sets may still show one place: another inventory of the same overpass, a sibling, a copy.
Val counts as well: it chose the checkpoint, and blocks of it may have calibrated intervals.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from sensor2sensor.dataset.blocks import EARTH_RADIUS_M, BlockGrid
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.splits import TilePlace, blocks_of, square_in
from sensor2sensor.geo.projections import to_lonlat

Floats = npt.NDArray[np.float64]
# Of a tile's area: neighbours that touch along an edge share what rounding gives them.
_LEAST_SHARE = 1e-6
_UNITS = re.compile(r"[+&]")


@dataclass(frozen=True)
class Common:
    """What tiles have of the ground that others show.

    Attributes:
        ground: How that is known: by coordinates (``crs``), by ``group`` (city, site, region), or
            ``unknown``.
        seen: Names of those that show ground of the others, or are made of the same file.
        beside: Those that show none of it but lie in a block of ground that the others show.
        shared: Blocks of ground, or groups, that both show.
        note: What cannot be known, and why; empty where all is known.
    """

    ground: Literal["crs", "group", "unknown"]
    seen: frozenset[str]
    beside: frozenset[str] = field(default_factory=frozenset)
    shared: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Overlap:
    """What a split of one data set has of the ground that another one trains and validates on.

    Attributes:
        ground: As of :class:`Common`, of the train split.
        tiles: Names of the split's tiles.
        seen: Those that show ground of the train split, or are made of the same file.
        beside: Those that show none of it but lie in a block of ground that the train split shows.
        shared: Blocks of ground, or groups, that both show.
        note: What cannot be known, and why; empty where all is known.
        shown: Those that show ground of val, or are made of the same file; of ``seen``, too.
        aside: Of these, those on ground of the tiles of val that are set aside for calibration.
    """

    ground: Literal["crs", "group", "unknown"]
    tiles: tuple[str, ...]
    seen: frozenset[str]
    beside: frozenset[str] = field(default_factory=frozenset)
    shared: tuple[str, ...] = ()
    note: str = ""
    shown: frozenset[str] = field(default_factory=frozenset)
    aside: frozenset[str] = field(default_factory=frozenset)

    @property
    def known(self) -> bool:
        """Whether a tile that is not ``seen`` is known to be unseen."""
        return self.ground != "unknown"

    def of(self, name: str) -> bool | None:
        """Whether training has seen ground of a tile; None where nobody knows."""
        return True if name in self.seen else False if self.known else None

    def of_val(self, name: str) -> bool | None:
        """Whether val shows ground of a tile; None where nobody knows."""
        return True if name in self.shown else False if self.known else None


def overlap(
    trained: tuple[Path, DatasetContract],
    scored: tuple[Path, DatasetContract],
    split: str,
    aside: Collection[str] = (),
) -> Overlap:
    """What a split has of the ground that another data set trains and validates on.

    Args:
        trained: Folder and contract of the data set whose train split was learned from.
        scored: Those of the data set that is scored.
        split: The split that is scored.
        aside: Names of the tiles of val that are set aside for calibration.

    Raises:
        DatasetError: A table of splits is missing or damaged.
    """
    rows = read_split(trained[0])
    tested = [row for row in read_split(scored[0]) if row.split == split]
    val = [row for row in rows if row.split == "val"]
    parts = (
        [row for row in rows if row.split == "train"],
        val,
        [row for row in val if row.name in aside],
    )
    train, shown, kept = (common(part, trained[1], tested, scored[1]) for part in parts)
    names = tuple(row.name for row in tested)
    about = (train.ground, names, train.seen, train.beside, train.shared, train.note)
    return Overlap(*about, shown.seen, kept.seen)


def common(
    rows: Sequence[SplitRow],
    theirs: DatasetContract,
    tested: Sequence[SplitRow],
    own: DatasetContract,
) -> Common:
    """What tiles of one data set have of the ground that tiles of another one show.

    Args:
        rows: Of the other.
        theirs: Its contract.
        tested: The tiles that are asked about.
        own: The contract of their data set.
    """
    there, here = _places(rows, theirs), _places(tested, own)
    if len(there) == len(rows) and len(here) == len(tested):
        return Common("crs", *_by_place(there, here, own))
    # Where the ground is known it decides: two squares of one picture may lie far apart.
    same = _same_files(rows, tested)
    if _grouped(theirs, own):
        known = {unit for row in rows for unit in _units(row)}
        units = {row.name: _units(row) & known for row in tested}
        seen = frozenset(name for name, found in units.items() if found)
        return Common("group", seen | same, shared=_sorted(units.values()))
    both = f"{theirs.name} and {own.name}"
    note = f"{both} do not both say where their tiles lie: only tiles of the same file are found"
    return Common("unknown", same, note=note)


def _same_files(train: Sequence[SplitRow], tested: Sequence[SplitRow]) -> frozenset[str]:
    """Tiles made of a file that the other's are made of; by names where a file is not known."""
    digests = {row.source_sha256 for row in train} - {""}
    unnamed = {(row.inventory, row.name) for row in train if not row.source_sha256}
    return frozenset(
        row.name
        for row in tested
        if row.source_sha256 in digests
        or (not row.source_sha256 and (row.inventory, row.name) in unnamed)
    )


def _places(rows: Sequence[SplitRow], contract: DatasetContract) -> list[TilePlace]:
    """Where tiles lie; of those alone whose place is known."""
    if contract.resolution_m is None:
        return []
    size_m = contract.tile_px * contract.resolution_m
    return [
        TilePlace(row.name, row.epsg, row.ulx_m, row.uly_m, size_m, "")
        for row in rows
        if row.epsg is not None and row.ulx_m is not None and row.uly_m is not None
    ]


def _by_place(
    train: Sequence[TilePlace], tested: Sequence[TilePlace], contract: DatasetContract
) -> tuple[frozenset[str], frozenset[str], tuple[str, ...]]:
    """Tiles on ground of the train split, tiles beside it, and the blocks that both show."""
    block_m = contract.split_policy.block_m
    grid = None if block_m is None else BlockGrid(block_m)
    reach_m = 0.0 if block_m is None else math.hypot(block_m, block_m)
    near = _near(train, tested, reach_m)
    seen = {
        place.name
        for place, found in zip(tested, near, strict=True)
        if any(_meet(train[i], place) for i in found)
    }
    if grid is None:
        return frozenset(seen), frozenset(), ()
    # Each once, and those near any tile alone: cutting along blocks takes a millisecond.
    wanted = sorted({i for found in near for i in found})
    learned = {block for i in wanted for block in blocks_of(train[i], grid)}
    own = {
        place.name: set(blocks_of(place, grid)) & learned
        for place, found in zip(tested, near, strict=True)
        if found
    }
    beside = {name for name, blocks in own.items() if blocks} - seen
    return frozenset(seen), frozenset(beside), _sorted(own.values())


def _near(
    train: Sequence[TilePlace], tested: Sequence[TilePlace], reach_m: float
) -> list[list[int]]:
    """For each tile the places of the train split that may meet it or lie in a block of it."""
    from scipy.spatial import cKDTree

    if not train or not tested:
        return [[] for _ in tested]
    largest = max(place.size_m for place in (*train, *tested))
    # Half a diagonal of each, an ellipsoid's and a projection's excess, and what blocks add.
    tree, radius = cKDTree(_on_sphere(train)), 1.1 * math.sqrt(2.0) * largest + reach_m
    return [list(found) for found in tree.query_ball_point(_on_sphere(tested), radius)]


def _on_sphere(places: Sequence[TilePlace]) -> Floats:
    """Middles of tiles, metres from the Earth's centre: no meridian has another side there."""
    found = np.empty((len(places), 3))
    of_system: dict[int, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        of_system[place.epsg].append(number)
    for epsg, numbers in of_system.items():
        here = [places[number] for number in numbers]
        x = np.array([place.ulx_m + place.size_m / 2 for place in here])
        y = np.array([place.uly_m - place.size_m / 2 for place in here])
        lon, lat = (np.radians(np.asarray(side)) for side in to_lonlat(epsg).transform(x, y))
        flat = np.cos(lat)
        unit = np.stack([flat * np.cos(lon), flat * np.sin(lon), np.sin(lat)], axis=-1)
        found[numbers] = EARTH_RADIUS_M * unit
    return found


def _meet(one: TilePlace, other: TilePlace) -> bool:
    """Whether two tiles show common ground, in the projection of the second."""
    there, here = square_in(one, other.epsg), square_in(other, other.epsg)
    return bool(there.intersection(here).area > _LEAST_SHARE * here.area)


def _grouped(one: DatasetContract, other: DatasetContract) -> bool:
    """Whether units of both are names of one kind, as those of one source are."""
    told = [contract.split_policy.ground == "group" for contract in (one, other)]
    steps = [contract.provenance.get("step") for contract in (one, other)]
    return all(told) and steps[0] is not None and steps[0] == steps[1]


def _units(row: SplitRow) -> set[str]:
    return {unit for unit in _UNITS.split(row.block) if unit}


def _sorted(found: Iterable[set[str]]) -> tuple[str, ...]:
    return tuple(sorted({unit for units in found for unit in units}))
