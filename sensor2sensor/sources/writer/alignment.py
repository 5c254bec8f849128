"""Whether inputs lie on their targets: the shift between the two, looked for in drawn samples.

It is found in the records, so a data set that is added to or repeated is looked at as a whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import SPLITS, DatasetContract
from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.dataset.recordfile import RecordRef, read_record
from sensor2sensor.dataset.records import TileRecord, decode
from sensor2sensor.geo.edges import LEAST_PX, LEAST_QUALITY, edge_shift
from sensor2sensor.geo.shift import Shift

ALIGNMENT_FILE = "alignment.csv"
DRAWN = 200  # samples, four seconds at 256 pixels
LARGEST_PX = 512  # of the middle of a larger picture
LEAST_COUNTED = 8  # below so many samples with structure nobody can tell chance from fault
LIMIT_PX = 1.0  # of the shift that all have in common: the median along each axis
# Of the median length, which never averages out: footprints drawn one by one lie 1.1 px off.
SCATTER_PX = 1.5
FAR_PX, FAR_SHARE = 4.0, 0.25
_BINS_PX = (1.0, 2.0, 4.0, 8.0, 16.0)
_COLUMNS = ("name", "down_px", "right_px", "quality")
Shifts = Mapping[str, Shift | None]


def look(folder: Path, contract: DatasetContract, rows: Sequence[SplitRow]) -> Shifts:
    """Look for the shift of drawn samples; it is kept in ``alignment.csv``.

    Args:
        folder: Of the data set, with its record files.
        contract: What its records hold.
        rows: Lines of its split table.

    Returns:
        By name the shift of the input against the target in pixels of the target, None where the
        sample shows no structure. Empty where inputs are no pictures on a grid.
    """
    if not comparable(contract):
        files.remove(folder / ALIGNMENT_FILE)
        return {}
    taken = [row for row in rows if row.split in SPLITS]
    # By a hash of the name: what is added later leaves most of the draw as it is.
    drawn = sorted(taken, key=lambda row: (keyed_hash(0, "alignment", row.name), row.name))[:DRAWN]
    found = {}
    for row in sorted(drawn, key=lambda row: row.name):
        ref = RecordRef(row.name, folder / row.file, row.offset, row.length)
        found[row.name] = sample_shift(decode(read_record(ref), contract), contract)
    files.write_text(folder / ALIGNMENT_FILE, _table(found))
    # Rounded as the table is, which a repeat reads: else that may say 1.0 px after this said 0.9.
    return known(folder)


def known(folder: Path) -> Shifts:
    """What an earlier run found; empty where it did not look.

    Raises:
        DatasetError: The table is damaged.
    """
    path = folder / ALIGNMENT_FILE
    if not path.is_file():
        return {}
    try:
        lines = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
        return {line["name"]: _shift(line) for line in lines}
    except (KeyError, TypeError, ValueError) as error:
        hint = "remove it; --force looks again"
        raise DatasetError("cannot be read", where=path, hint=hint) from error


def sample_shift(record: TileRecord, contract: DatasetContract) -> Shift | None:
    """The shift of a record's input against its target in pixels of the target, None if unknown."""
    assert record.input_dense is not None, "only inputs on a grid are compared"
    factor = contract.tile_px // record.input_dense.shape[0]
    moved = _shown(record.input_dense, contract.input.bands, contract.input.display)
    target = _shown(record.target, contract.target.bands, contract.target.display)
    n = contract.tile_px // factor
    means = target.reshape(n, factor, n, factor, -1).mean(axis=(1, 3))
    found = edge_shift(_middle(means), _middle(moved))
    if found is None or found.quality < LEAST_QUALITY:
        return None
    return Shift(found.rows * factor, found.columns * factor, found.quality)


def lines_of(shifts: Shifts) -> list[str]:
    """What to say of shifts: how many are how large and, where that must not be, a warning."""
    found = np.array([(s.rows, s.columns) for s in shifts.values() if s is not None])
    lengths = np.hypot(*found.reshape(-1, 2).T)
    if not shifts:
        return []
    head = f"shift between input and target, looked for in {len(shifts)} samples:"
    if len(lengths) < LEAST_COUNTED:
        return [f"{head} {len(lengths)} show structure in both, too few to tell"]
    counts = np.histogram(lengths, bins=(0.0, *_BINS_PX, np.inf))[0]
    lows = ("0", *(f"{low:g}" for low in _BINS_PX))
    spans = [f"{low}-{high:g} px" for low, high in zip(lows, _BINS_PX, strict=False)]
    told = ", ".join(
        f"{span} {count}"
        for span, count in zip((*spans, f"beyond {lows[-1]} px"), counts, strict=True)
    )
    median, far = float(np.median(lengths)), float(np.mean(lengths > FAR_PX))
    down, right = np.median(found, axis=0)
    lies = f"{down:+z.1f} px down and {right:+z.1f} px to the right of its target"
    common = f"in common the input lies {lies}"
    said = [
        f"{head} {told}; median {median:.1f} px, {common} ({len(lengths)} show structure in both)"
    ]
    if np.hypot(down, right) > LIMIT_PX or median > SCATTER_PX or far > FAR_SHARE:
        said.append(
            f"warning: inputs do not lie on their targets (median {median:.1f} px, {far:.0%} beyond"
            f" {FAR_PX:g} px, {common}); are both sides cut, turned and resized alike?"
            f" {ALIGNMENT_FILE} names the samples"
        )
    return said


def comparable(contract: DatasetContract) -> bool:
    """Whether inputs are pictures on a grid that the target's is a whole number of times finer."""
    size = contract.input_px
    if contract.input.layout != "dense" or size is None or size[0] != size[1]:
        return False
    return contract.tile_px % size[0] == 0 and size[0] >= LEAST_PX


def _shown(
    picture: NDArray[np.float32], bands: Sequence[BandSpec], display: Sequence[str] | None
) -> NDArray[np.float32]:
    names = [band.name for band in bands]
    return picture[..., [names.index(name) for name in display or names]]


def _middle(picture: NDArray[np.floating]) -> NDArray[np.floating]:
    top, left = (max(0, (n - LARGEST_PX) // 2) for n in picture.shape[:2])
    return picture[top : top + LARGEST_PX, left : left + LARGEST_PX]


def _table(found: Shifts) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for name, s in found.items():
        told = ("", "", "") if s is None else (s.rows, s.columns, s.quality)
        table.writerow([name, *(f"{value:.2f}" if value != "" else "" for value in told)])
    return text.getvalue()


def _shift(line: Mapping[str, str]) -> Shift | None:
    if not line["quality"]:
        return None
    return Shift(float(line["down_px"]), float(line["right_px"]), float(line["quality"]))
