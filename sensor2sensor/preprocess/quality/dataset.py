"""The quality page of a data set: what its splits hold, where, and what is odd in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.dataset.contract import SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.recordfile import RecordRef, read_record
from sensor2sensor.dataset.records import target_values, used_input_values
from sensor2sensor.preprocess.quality.dataset_page import page_of
from sensor2sensor.preprocess.quality.measured import (
    PARTS,
    Measured,
    numbers_of,
    processes,
    read_measured,
    write_both,
)
from sensor2sensor.preprocess.quality.outliers import Outlier, outliers

Numbers = NDArray[np.float64]
# What siblings of one run share: numbers of a target by tile, source and bands.
Shared = dict[tuple[str, str, tuple[str, ...]], Numbers]


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set.

    Attributes:
        path: ``<dataset>/<tilesize>``.
        contract: Its ``dataset.json``.
        rows: Of ``split.csv``, by name.
        measured: Of each tile with a record.
        unreadable: A line for each tile that could not be measured.
    """

    path: Path
    contract: DatasetContract
    rows: Sequence[SplitRow]
    measured: Measured
    unreadable: Sequence[str] = ()

    @cached_property
    def placed(self) -> list[SplitRow]:
        """Tiles of the splits."""
        return [row for row in self.rows if row.split in SPLITS]

    @cached_property
    def odd(self) -> list[Outlier]:
        """Tiles unlike the others."""
        return outliers(self.measured)

    def colours(self, place: int, bands: tuple[int, int, int]) -> NDArray[np.float32]:
        """Red, green and blue of a tile's target ``[H, W, 3]``."""
        name, edge = self.measured.tiles[place], self.contract.tile_px
        row = next(row for row in self.placed if row.name == name)
        values = target_values(read_record(_ref(self.path, row)), self.contract)
        return values.reshape(edge, edge, -1)[..., list(bands)]


def write_quality(path: Path, workers: int = 1, shared: Shared | None = None) -> Path:
    """Measure the tiles of a data set that are not yet, and write ``quality.csv`` and the page.

    Args:
        path: ``<dataset>/<tilesize>``.
        workers: Processes that read records.
        shared: Numbers of targets that siblings have in common; it is added to.

    Returns:
        The page.

    Raises:
        DatasetError: There is no finished data set, or its tables are damaged.
    """
    found = look(path, workers, {} if shared is None else shared)
    return write_both(path, found.measured, page_of(found))


def look(path: Path, workers: int, shared: Shared) -> Dataset:
    """What is known of a data set, its pixels measured."""
    contract = load_contract(path)
    rows = sorted(read_split(path), key=lambda row: row.name)
    names, placed = bands_of(contract), [row for row in rows if row.split in SPLITS]
    targets = names[: len(contract.target.bands)]
    known = dict(read_measured(path, names))
    if names == targets:
        _take(known, placed, targets, shared)
    new = [row for row in placed if (row.name, mark(row)) not in known]
    lost = []
    measure = partial(_measure, path, contract)
    for row, found in parallel_map(
        measure, new, workers=processes(workers, len(new)), label=_name, desc="measured"
    ):
        if isinstance(found, Failure):
            lost.append(f"{row.name}: {found.reason}")
        else:
            known[row.name, mark(row)] = found
    there = [row for row in placed if (row.name, mark(row)) in known]
    values = np.array([known[row.name, mark(row)] for row in there])
    for row, numbers in zip(there, values, strict=True):
        shared[row.name, row.source_sha256, targets] = numbers[: len(targets)]
    tiles, marks = tuple(row.name for row in there), tuple(map(mark, there))
    shape = (len(there), len(names), len(PARTS))
    return Dataset(path, contract, rows, Measured(names, tiles, marks, values.reshape(shape)), lost)


def _take(
    known: dict[tuple[str, str], Numbers],
    placed: Sequence[SplitRow],
    targets: tuple[str, ...],
    shared: Mapping[tuple[str, str, tuple[str, ...]], Numbers],
) -> None:
    for row in placed:
        key = (row.name, row.source_sha256, targets)
        if row.source_sha256 and key in shared:
            known.setdefault((row.name, mark(row)), shared[key])


def bands_of(contract: DatasetContract) -> tuple[str, ...]:
    """What is measured: the target, and an input that is no coarser copy of it."""
    targets = [band.name for band in contract.target.bands]
    if contract.kind == "degraded":
        return tuple(targets)
    inputs = [band.name for band in contract.input.bands]
    return (*targets, *(f"input {name}" if name in targets else name for name in inputs))


def mark(row: SplitRow) -> str:
    """What tells a record from another: its file's SHA-256, and its number there."""
    return row.sha256 if row.record == 0 else f"{row.sha256}:{row.record}"


def _ref(path: Path, row: SplitRow) -> RecordRef:
    return RecordRef(row.name, path / row.file, row.offset, row.length)


def _name(row: SplitRow) -> str:
    return row.name


def _measure(path: Path, contract: DatasetContract, row: SplitRow) -> Numbers:
    data = read_record(_ref(path, row))
    found = numbers_of(target_values(data, contract))
    if contract.kind == "degraded":
        return found
    return np.concatenate([found, numbers_of(used_input_values(data, contract))])
