"""``pairing.csv``: what was paired with what, read from the records, so a repeat tells the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import TileRecord

PAIRING_FILE = "pairing.csv"
# Reflectances of two sensors within days differ by atmosphere and angle; by this factor only where
# one is scaled otherwise.
LARGEST_GAIN = 2.0


def write_pairing(folder: Path) -> list[str]:
    """Write the table of a finished data set; returns what is to be said of it.

    Raises:
        DatasetError: The data set is damaged.
    """
    contract = load_contract(folder)
    refs = [ref for split in SPLITS for ref in list_records(folder, split)]
    units = {row.name: row for row in read_split(folder)}
    lines = []
    for record in iterate_refs(refs, contract):
        row = units[record.name]
        told = {"name": record.name, "split": row.split, "aoi": row.overpass or row.block}
        lines.append({**told, **_told(record, contract)})
    text = io.StringIO()
    table = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(lines, key=lambda line: line["name"]))
    files.write_text(folder / PAIRING_FILE, text.getvalue())
    return list(_notes([float(line["gain"]) for line in lines]))


def _told(record: TileRecord, contract: DatasetContract) -> dict[str, str]:
    """The extras of a record, and the gain of its target against its input."""
    told = {}
    for spec in contract.extras:
        value = np.asarray(record.extras[spec.name])
        ends = ("_down", "_right") if value.shape == (2,) else ("",)
        for end, number in zip(ends, value.ravel(), strict=True):
            told[spec.name + end] = f"{number:.6g}"
    assert record.input_dense is not None, "all inputs of WorldStrat are images"
    low = float(record.input_dense.mean())
    told["gain"] = f"{float(record.target.mean()) / low if low else float('nan'):.4g}"
    return told


def _notes(gains: list[float]) -> Iterator[str]:
    gain = float(np.median(gains))
    yield f"target over input, median of the means: {gain:.2f}; {PAIRING_FILE} tells each pair"
    if not 1 / LARGEST_GAIN < gain < LARGEST_GAIN:
        yield (
            "warning: the two sensors differ by more than an atmosphere does; is SPOT scaled"
            " otherwise? --hr-scale is its digital number at a reflectance of 1"
        )
