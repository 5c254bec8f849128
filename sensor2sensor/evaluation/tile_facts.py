"""What is known of each tile beside its scores, so that scores can be broken down by it.

Each fact is read from what the data set records. A column is written where at least one tile has
a value in it; an empty cell means that nobody knows.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.config.evaluations import TILES_SUFFIX
from sensor2sensor.core import files
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.strata import AT, strata_of
from sensor2sensor.dataset.when import date_of, hemispheres, season_of
from sensor2sensor.geo.edges import LEAST_QUALITY
from sensor2sensor.sources.writer.alignment import comparable, sample_shift

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec
    from sensor2sensor.dataset.records import TileRecord

logger = logging.getLogger(__name__)

GAP, SHIFT, CLOUD, MASK = "time_difference_h", "shift_px", "cloud_share", "inside_mask"
SEEN, SHOWN = "seen_in_training", "seen_in_validation"
HOURS_A_DAY = 24.0
# What sources call the time from the target to the input, and how many hours its unit has.
_GAPS = {"time_gap_h": 1.0, "days": HOURS_A_DAY}
# Extras and strata that tell of clouds, the plainest first.
_CLOUDS = ("cloud", "cloudy", "covered")
Fact = str | float
Measured = dict[str, Any]  # what the record of a tile tells, as JSON


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes:
        kind: ``text``, ``number``, or ``flag`` for ``true`` and ``false``.
        unit: Of numbers; ``1`` for shares.
        about: What it is, in words.
    """

    kind: str
    unit: str
    about: str


_COLUMNS = {
    "name": Column("text", "", "record"),
    "scene": Column("text", "", "overpass, or what tells two looks apart"),
    "block": Column("text", "", "block of ground, or the group that stands for it"),
    "date": Column("text", "", "day of the target, UTC"),
    "season": Column("text", "", "meteorological season, by day and hemisphere"),
    GAP: Column("number", "h", "from the target's time to the input's"),
    SHIFT: Column("number", "px", "length of the input's shift against the target, target pixels"),
    CLOUD: Column("number", "1", "share under clouds"),
    MASK: Column("flag", "", "whether one mask of step 40 covers 80 % of it"),
    SEEN: Column("flag", "", "whether the run was trained on any of its ground"),
    SHOWN: Column(
        "flag", "", "whether val of the run, or its calibration, shows any of its ground"
    ),
}


class FactSheet:
    """Gathers the facts of the tiles of one split while they are scored.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        contract: Of the data set.
        seen: By name of a tile, whether the run learned from its ground; None of tiles where
            nobody knows. Empty where the split itself rules that out.
        shown: Likewise, whether its val shows the ground.

    Raises:
        DatasetError: ``split.csv`` is missing or damaged.
    """

    def __init__(
        self,
        dataset_dir: Path,
        contract: DatasetContract,
        seen: Mapping[str, bool | None] | None = None,
        shown: Mapping[str, bool | None] | None = None,
    ) -> None:
        rows = read_split(dataset_dir)
        self._contract = contract
        self._rows = {row.name: row for row in rows}
        self._north = hemispheres(rows)
        self._dataset_dir = dataset_dir
        self._seen, self._shown = seen or {}, shown or {}
        self._strata = strata_of(contract)
        self._compared = comparable(contract)
        self._values = [e for e in contract.extras if e.role == "value" and e.shape == ()]
        self._found: list[dict[str, Fact | None]] = []

    def measured(self, tiles: Sequence[TileRecord]) -> list[Measured]:
        """What only the records of some tiles tell."""
        return [
            {
                "name": tile.name,
                "own": {e.name: _scalar(tile.extras[e.name]) for e in self._values},
                "shares": {s.name: float(s.of(tile).mean()) for s in self._strata},
                "shift": self._shift(self._rows[tile.name], tile),
            }
            for tile in tiles
        ]

    def see(self, found: Sequence[Measured]) -> None:
        """Take in what was measured of the next tiles, in the order of the split."""
        self._found += [self._facts(**one) for one in found]

    def table(self) -> tuple[dict[str, Column], list[tuple[Fact, ...]]]:
        """The columns that hold anything, and a row for each tile."""
        known = {**_COLUMNS, **self._own_columns()}
        told = {name for row in self._found for name, value in row.items() if value is not None}
        columns = {name: column for name, column in known.items() if name in told}
        filled = [{n: v for n, v in row.items() if v is not None} for row in self._found]
        return columns, [tuple(row.get(name, "") for name in columns) for row in filled]

    def write(self, folder: Path, base: str) -> dict[str, Any]:
        """Write ``<base>_tiles.csv``; returns what the JSON says of it."""
        columns, rows = self.table()
        path = folder / f"{base}{TILES_SUFFIX}"
        files.write_csv(path, tuple(columns), rows)
        vouched = {"file": path.name, "rows": len(rows), "sha256": files.sha256(path)}
        return {**vouched, "columns": {name: vars(column) for name, column in columns.items()}}

    def _own_columns(self) -> dict[str, Column]:
        shares = {
            f"share{AT}{s.name}": Column("number", "1", f"share of pixels of '{s.name}'")
            for s in self._strata
        }
        values = {
            e.name: Column("text" if e.dtype == "string" else "number", e.unit, "of the records")
            for e in self._others
        }
        return {**shares, **values}

    @property
    def _others(self) -> list[ExtraSpec]:
        """Extras that have no column of a common name."""
        taken = {*_COLUMNS, *_GAPS, *_CLOUDS}
        return [extra for extra in self._values if extra.name not in taken]

    @cached_property
    def _cut(self) -> dict[str, dict[str, Fact | None]]:
        return _cut_tiles(self._dataset_dir, self._contract, list(self._rows.values()))

    def _facts(
        self, name: str, own: Mapping[str, Fact | None], shares: Mapping[str, float],
        shift: float | None,
    ) -> dict[str, Fact | None]:  # fmt: skip
        row, cut = self._rows[name], self._cut.get(name, {})
        day = date_of(row)
        facts: dict[str, Fact | None] = {
            "name": name,
            "scene": row.seen_by,
            "block": row.block.split("+")[0],
            "date": None if day is None else day.isoformat(),
            "season": season_of(row, day, self._north[name]) or None,
            GAP: self._gap(row, own),
            SHIFT: shift,
            CLOUD: _first(cut.get(CLOUD), *(v.get(n) for n in _CLOUDS for v in (own, shares))),
            MASK: cut.get(MASK),
            SEEN: _flag(self._seen.get(name)),
            SHOWN: _flag(self._shown.get(name)),
        }
        facts |= {f"share{AT}{part}": share for part, share in shares.items()}
        return facts | {extra.name: own[extra.name] for extra in self._others}

    def _gap(self, row: SplitRow, own: Mapping[str, Fact | None]) -> Fact | None:
        # An input made of its own target was seen at the same instant, whatever Sentinel-3 did.
        if self._contract.kind == "degraded":
            return None
        found = ((own.get(name), hours) for name, hours in _GAPS.items())
        extras = (value * hours for value, hours in found if isinstance(value, float))
        return _first(row.time_gap_h, *extras)

    def _shift(self, row: SplitRow, tile: TileRecord) -> float | None:
        if self._contract.kind == "degraded":
            return None
        if row.shift_m is not None and self._contract.resolution_m:
            return round(row.shift_m / self._contract.resolution_m, 2)
        if not self._compared:
            return None
        found = sample_shift(tile, self._contract)
        sure = found is not None and found.quality >= LEAST_QUALITY
        return round(math.hypot(found.rows, found.columns), 2) if found and sure else None


def _scalar(value: Any) -> Fact | None:
    """A number or text of a record; None for NaN, which is an unknown number."""
    plain = np.asarray(value)
    if plain.dtype.kind in "US":
        return str(plain) or None
    return float(plain) if np.isfinite(plain) else None


def _first(*values: Fact | None) -> Fact | None:
    return next((value for value in values if value is not None), None)


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _cut_tiles(
    dataset_dir: Path, contract: DatasetContract, rows: Sequence[SplitRow]
) -> dict[str, dict[str, Fact | None]]:
    """What step 40 said of the tiles that records were made of; of those it still has as they were.

    Its table is of another folder, which may have been cut anew: only a tile of the same bytes
    counts, and a table that is gone or cannot be read says nothing.
    """
    made_of = {row.source_sha256: row.name for row in rows if row.source_sha256}
    root = Path(dataset_dir).parent.parent / "_tif"
    found: dict[str, dict[str, Fact | None]] = {}
    for inventory in sorted({row.inventory for row in rows if row.inventory}):
        path = root / inventory / str(contract.tile_px) / "tiles.csv"
        try:
            found |= _cut_in(path, made_of) if path.is_file() else {}
        except (OSError, ValueError, csv.Error) as error:
            # Not worth the scores: it is no part of the data set.
            logger.warning("%s: clouds and masks of its tiles stay unknown (%s)", path, error)
    return found


def _cut_in(path: Path, made_of: Mapping[str, str]) -> dict[str, dict[str, Fact | None]]:
    found: dict[str, dict[str, Fact | None]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            name = made_of.get(line.get("sha256") or "")
            if name is not None:
                share = line.get("cloud_fraction")
                found[name] = {CLOUD: float(share) if share else None, MASK: line.get(MASK) or None}
    return found
