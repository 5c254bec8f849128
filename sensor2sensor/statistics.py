"""``statistics``: mean, deviation, extremes and quantiles of every band of data sets, by split.

Exact, over every value that is used: a swath's pixel that a target pixel takes counts once, and a
repeated value as often as it stands in the records. ``dataset.json`` keeps those of train alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import require_tensorflow
from sensor2sensor.core.paths import expanded
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.recordfile import list_records, read_record
from sensor2sensor.dataset.records import target_values, used_input_values
from sensor2sensor.dataset.statistics import Values, band_quantiles, band_statistics
from sensor2sensor.verify import datasets_below

QUANTILES = (0.001, 0.01, 0.5, 0.99, 0.999)
COLUMNS = ("mean", "std", "min", *(f"q{100 * q:g}%" for q in QUANTILES), "max")
Table = dict[str, dict[str, dict[str, dict[str, float | int]]]]

DOC = """Print mean, standard deviation, extremes and quantiles of every band of data sets, in the
bands' own units, for each split. DATASET_DIR is <dataset>/<tilesize>, or <dataset> for all of its
tile sizes.

  s2s statistics data/sen2venus_x2 --split train --json sen2venus_x2.json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the statistics of the data sets named on the command line; returns the exit code."""
    parser = cli.parser(DOC, prog="s2s statistics")
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="DATASET_DIR",
        help="folder with a dataset.json in or below it",
    )
    parser.add_argument("--split", nargs="+", choices=SPLITS, help="these splits alone (all)")
    parser.add_argument("--json", metavar="FILE", help="write the numbers to a file as well")
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    folders = [found for name in args.folders for found in datasets_below(expanded(name))]
    require_tensorflow()
    wanted = tuple(split for split in SPLITS if split in (args.split or SPLITS))
    made: dict[str, Table] = {}
    for folder in folders:
        contract = load_contract(folder)
        label = f"{folder.parent.name}/{folder.name}"
        if label in made:
            raise InputError(f"two data sets are called {label}", where=folder)
        made[label] = statistics_of(folder, contract, wanted)
        sys.stdout.write("\n".join(lines_of(label, contract, made[label])) + "\n")
    if args.json:
        files.write_json(expanded(args.json), made)
    return cli.EXIT_DONE


def statistics_of(folder: Path, contract: DatasetContract, splits: Sequence[str]) -> Table:
    """Split, side (``input``, ``target``) and band to its numbers, by :data:`COLUMNS` and count."""
    sides: Mapping[str, tuple[tuple[BandSpec, ...], Callable[..., Values]]] = {
        "input": (contract.input.bands, used_input_values),
        "target": (contract.target.bands, target_values),
    }
    return {
        split: {
            side: _side(folder, contract, split, bands, values)
            for side, (bands, values) in sides.items()
        }
        for split in splits
        if contract.splits[split].count
    }


def _side(
    folder: Path,
    contract: DatasetContract,
    split: str,
    bands: Sequence[BandSpec],
    values: Callable[..., Values],
) -> dict[str, dict[str, float | int]]:
    refs = list_records(folder, split)

    def stream() -> Iterable[Values]:
        return (values(read_record(ref), contract) for ref in refs)

    known = band_statistics(stream, len(bands))
    quantiles = band_quantiles(stream, len(bands), QUANTILES)
    found = {}
    for place, (band, own) in enumerate(zip(bands, known, strict=True)):
        inner = [float(one[place]) for one in quantiles]
        numbers: list[Any] = [own.mean, own.std, own.minimum, *inner, own.maximum]
        found[band.name] = {"count": own.count, **dict(zip(COLUMNS, numbers, strict=True))}
    return found


def lines_of(label: str, contract: DatasetContract, table: Table) -> list[str]:
    """The numbers as aligned columns, a line for each band of each side and split."""
    units = {
        side: {band.name: band.unit for band in spec.bands}
        for side, spec in (("input", contract.input), ("target", contract.target))
    }
    heading = ["split", "side", "band", *COLUMNS, "unit", "values"]
    rows = [
        [split, side, band, *(f"{numbers[c]:.6g}" for c in COLUMNS), units[side][band],
         str(numbers["count"])]
        for split, sides in table.items()
        for side, bands in sides.items()
        for band, numbers in bands.items()
    ]  # fmt: skip
    widths = [max(len(row[place]) for row in [heading, *rows]) for place in range(len(heading))]
    texts = ["  ".join(f"{cell:<{w}}" for cell, w in zip(r, widths, strict=True)) for r in rows]
    top = "  ".join(f"{cell:<{w}}" for cell, w in zip(heading, widths, strict=True))
    return [label, *(f"  {text.rstrip()}" for text in [top, *texts])]
