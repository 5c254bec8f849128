"""What every data set builder shares: a contract to write records by, and the finishing touch.

Records are written first, then ``split.csv``, then ``dataset.json``: a folder without the last one
is no data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import BandSpec, BandStatistics, StoredType
from sensor2sensor.dataset.contract import (
    SPLITS,
    DatasetContract,
    InputSpec,
    SplitInfo,
    SplitPolicy,
    TargetSpec,
    write_contract,
)
from sensor2sensor.dataset.ledger import SPLIT_FILE, SplitRow, write_split
from sensor2sensor.dataset.recordfile import RecordRef, read_record
from sensor2sensor.dataset.records import input_values, target_values, used_input_values
from sensor2sensor.dataset.splits import By
from sensor2sensor.dataset.statistics import band_statistics

Values = npt.NDArray[np.float32]


def draft_contract(
    *,
    name: str,
    kind: str,
    tile_px: int,
    resolution_m: float | None,
    factor: float,
    input: InputSpec,
    target: TargetSpec,
    split_policy: SplitPolicy,
    **others: Any,
) -> DatasetContract:
    """A contract to encode records with; statistics, counts and hashes are still blank."""
    # A draft is validated as a whole: its blanks have to be statistics, one for each band.
    blank = BandStatistics(low=0, high=1, minimum=0, maximum=1, mean=0, std=1, count=0)
    return DatasetContract.model_validate(
        {
            "format_version": 1,
            "name": name,
            "kind": kind,
            "tile_px": tile_px,
            "resolution_m": resolution_m,
            "factor": factor,
            "input": input,
            "target": target,
            "extras": (),
            "splits": {split: SplitInfo(count=0, blocks=0) for split in SPLITS},
            "statistics": {
                "input": (blank,) * len(input.bands),
                "target": (blank,) * len(target.bands),
            },
            "split_policy": split_policy,
            "degradation": None,
            "split_csv_sha256": "",
            "provenance": {},
            **others,
        }
    )


def drawn(
    by: By,
    seed: int,
    train_ratio: float | None = None,
    val_ratio: float | None = None,
    *,
    block_tiles: float | None = None,
    block_m: float | None = None,
    guard_m: float = 0.0,
) -> SplitPolicy:
    """How a draft's samples are to come to their splits; what that gives is counted at the end."""
    return SplitPolicy(
        by=by,
        seed=seed,
        train_ratio=train_ratio,
        val_ratio=val_ratio,
        block_tiles=block_tiles,
        block_m=block_m,
        guard_m=guard_m,
        dropped=0,
        refused=0,
        ground_shared={},
    )


def dense_input(
    bands: Sequence[BandSpec],
    dtype: StoredType,
    side_px: int,
    *,
    pixel_m: float | None = None,
    display: tuple[str, str, str] | None = None,
) -> InputSpec:
    """An input that is stored as an image of ``side_px`` rows and columns."""
    return InputSpec(
        layout="dense",
        bands=tuple(bands),
        dtype=dtype,
        index_dtype="uint8",  # required, and unused: an image has no index
        max_pixels=side_px**2,
        grid=(side_px, side_px),
        pixel_m=pixel_m,
        display=display,
    )


def finish(
    dataset_dir: Path,
    draft: DatasetContract,
    rows: list[SplitRow],
    *,
    target_statistics: tuple[BandStatistics, ...] | None = None,
    accept: Callable[[DatasetContract], object] = lambda _: None,
    **others: Any,
) -> DatasetContract:
    """Take the statistics of the train split and write ``split.csv``, then ``dataset.json``.

    Args:
        dataset_dir: The folder that holds the records.
        draft: The contract they were encoded with.
        rows: All tiles, with the places of their records.
        target_statistics: Of a sibling data set with the same members, to save two passes.
        accept: Raises where the finished contract may not be written.
        others: Fields of the contract to set.

    Raises:
        DatasetError: The train split is empty or a record is damaged.
    """
    refs = refs_of(dataset_dir, rows)
    statistics = {
        # Pixels around a tile may be of another split's ground: those in use alone count.
        "input": _statistics(refs["train"], draft, used_input_values, draft.input.bands),
        "target": target_statistics
        or _statistics(refs["train"], draft, target_values, draft.target.bands, outputs=True),
    }
    spec = draft.input.model_copy(update={"max_pixels": _most_pixels(refs, draft)})
    write_split(dataset_dir, rows)
    contract = draft.model_copy(
        update={
            "input": spec,
            "statistics": statistics,
            "splits": split_counts(rows),
            "split_csv_sha256": files.sha256(Path(dataset_dir) / SPLIT_FILE),
            **others,
        }
    )
    # model_copy takes whatever it is given: only this validates the update.
    checked = DatasetContract.model_validate(contract.model_dump())
    accept(checked)
    write_contract(dataset_dir, checked)
    return checked


def refs_of(dataset_dir: Path, rows: Sequence[SplitRow]) -> dict[str, list[RecordRef]]:
    """Where the records of each split lie, by name."""
    # Sums of floats depend on their order: by name, whatever was written first.
    ordered = sorted(rows, key=lambda row: row.name)
    return {
        split: [
            RecordRef(r.name, Path(dataset_dir) / r.file, r.offset, r.length)
            for r in ordered
            if r.split == split
        ]
        for split in SPLITS
    }


def split_counts(rows: Sequence[SplitRow]) -> dict[str, SplitInfo]:
    """Tiles and blocks in each split."""
    counts = {}
    for split in SPLITS:
        inside = [row for row in rows if row.split == split]
        blocks = {block for row in inside for block in row.block.split("+")}
        counts[split] = SplitInfo(count=len(inside), blocks=len(blocks))
    return counts


def _statistics(
    refs: Sequence[RecordRef],
    contract: DatasetContract,
    values: Callable[[bytes, DatasetContract], Values],
    bands: Sequence[BandSpec],
    *,
    outputs: bool = False,
) -> tuple[BandStatistics, ...]:
    if not refs:
        raise DatasetError("the train split is empty", where=contract.name)

    def stream() -> Iterable[Values]:
        return (values(read_record(ref), contract) for ref in refs)

    fixed = [band.value_range for band in bands]
    return band_statistics(stream, len(bands), outputs=outputs, fixed=fixed)


def _most_pixels(refs: dict[str, list[RecordRef]], contract: DatasetContract) -> int:
    if contract.input_px is not None:
        return contract.input_px[0] * contract.input_px[1]
    # A swath shows each tile with another number of pixels: only the records tell.
    return max(
        len(input_values(read_record(ref), contract)) for split in refs.values() for ref in split
    )
