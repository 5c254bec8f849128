"""That no two splits hold one picture where nobody knows on which ground samples lie.

Files are told apart by their bytes before anything is read. Saved once more, without loss, or under
another name in a source that is added, one picture has other bytes, and its pixels tell it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.contract import SPLITS, DatasetContract
from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.dataset.recordfile import RecordRef, read_record
from sensor2sensor.dataset.records import pixels_sha256

_TOLD = 5


def refuse_twins(
    folder: Path, draft: DatasetContract, rows: Sequence[SplitRow], shown: Mapping[str, str]
) -> None:
    """Refuse samples of two splits with equal pixels.

    Args:
        folder: Of the data set; records of earlier sources are read there.
        draft: What its records hold.
        rows: Its table. Where all lie on known ground that is held against each other instead.
        shown: Digests of the pixels of what this run made or found, by name.

    Raises:
        DatasetError: There are some.
    """
    taken = [row for row in rows if row.split in SPLITS]
    if all(row.epsg is not None for row in taken):
        return
    first: dict[str, SplitRow] = {}
    twins = []
    for row in taken:
        digest = shown[row.name] if row.name in shown else _of_record(folder, draft, row)
        if digest and (other := first.setdefault(digest, row)).split != row.split:
            twins.append(f"{other.name} ({other.split}) and {row.name} ({row.split})")
    if twins:
        more = f" and {len(twins) - _TOLD} more" if len(twins) > _TOLD else ""
        raise DatasetError(
            f"two splits hold one picture, pixel by pixel: {', '.join(twins[:_TOLD])}{more}",
            where=draft.name,
            hint="train would show what is tested; take one of each away and repeat the command",
        )


def _of_record(folder: Path, draft: DatasetContract, row: SplitRow) -> str:
    ref = RecordRef(row.name, folder / row.file, row.offset, row.length)
    return pixels_sha256(read_record(ref), draft)
