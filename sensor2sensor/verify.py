"""``verify``: whether the files of data sets are those their contracts promise."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from sensor2sensor.core import cli
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.paths import expanded
from sensor2sensor.dataset.contract import CONTRACT_FILE, DIGEST_FILE, SPLITS, load_contract
from sensor2sensor.dataset.ledger import SPLIT_FILE, read_split
from sensor2sensor.dataset.verification import faults, foreign, promised, rebuild_hint

MOST_LINES = 20  # of a data set, about files

DOC = """Compare the counts and the SHA-256 of every file of data sets with what dataset.json and
split.csv promise, without TensorFlow. DATASET_DIR is <dataset>/<tilesize>, or <dataset> for all of
its tile sizes. Every file at fault is named.

  s2s verify data/cur_D/256 data/alt12_D
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Verify the data sets named on the command line; returns 1 where one is not in order."""
    parser = cli.parser(DOC, prog="s2s verify")
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="DATASET_DIR",
        help="folder with a dataset.json in or below it",
    )
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    report = cli.StepReport("verify")
    for folder in [found for name in args.folders for found in datasets_below(expanded(name))]:
        label = f"{folder.parent.name}/{folder.name}"
        try:
            _look(folder, label, report)
        except DatasetError as error:
            report.failed(label, str(error))
    return report.finish()


def _look(folder: Path, label: str, report: cli.StepReport) -> None:
    """Enter what one data set's files are.

    Raises:
        DatasetError: Its tables do not tell.
    """
    found = list(faults(folder, thorough=True))
    contract, promises = load_contract(folder), promised(read_split(folder))
    for fault in found[:MOST_LINES]:
        report.note(f"{label}: {Path(str(fault.where)).relative_to(folder)}: {fault.what}")
    if len(found) > MOST_LINES:
        report.note(f"{label}: and {len(found) - MOST_LINES} more")
    if others := foreign(folder, promises):
        more = f" and {len(others) - 1} more" if others[1:] else ""
        report.note(f"{label}: {others[0]}{more}: not in {SPLIT_FILE}, nothing reads it")
    if found:
        what = f"{len(found)} of {len(promises)} files are not what was promised"
        way_out = "copy the named files again from where they are whole"
        report.failed(label, f"{what}; {way_out}, or {rebuild_hint(contract, folder)}")
        return
    tiles = ", ".join(f"{contract.splits[split].count} {split}" for split in SPLITS)
    report.note(f"{label}: in order; {tiles} tiles")
    if not (folder / DIGEST_FILE).is_file():
        report.note(
            f"{label}: without {DIGEST_FILE}, so a change of {CONTRACT_FILE} would not show"
        )
    report.done(label)


def datasets_below(folder: Path) -> Iterator[Path]:
    """The folder itself, or the tile sizes below it.

    Raises:
        InputError: No data set is there.
    """
    if (folder / CONTRACT_FILE).is_file():
        yield folder.absolute()
        return
    found = sorted(path.parent for path in folder.glob(f"*/{CONTRACT_FILE}"))
    if not found:
        hint = f"name <dataset>/<tilesize>, which holds {CONTRACT_FILE}"
        raise InputError("no data set", where=folder, hint=hint)
    yield from (path.absolute() for path in found)
