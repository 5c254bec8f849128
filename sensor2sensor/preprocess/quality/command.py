"""``quality``: the page of a folder of tiles or of a data set, written anew."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.paths import expanded
from sensor2sensor.dataset.contract import CONTRACT_FILE
from sensor2sensor.preprocess.quality import dataset, tiles
from sensor2sensor.preprocess.tiles.table import TABLE_FILE

DOC = """Write quality.html, one file that needs no network, and quality.csv: counts, what was left
out and why, times, shifts, maps of tiles and splits, numbers of every band, tiles unlike the others
as pictures. FOLDER is a folder of tiles (_tif/<inventory>/<tilesize>) or a data set
(<dataset>/<tilesize>), or the one above it for all of its tile sizes. Steps 40 and 50 do it at
their end; a repeat reads new tiles alone.

  s2s quality data/_tif/inv_T17XNA_10h/256 data/cur_arctic
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages of the folders named; returns the exit code."""
    parser = cli.parser(DOC, prog="s2s quality")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="tiles, or a data set")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that read tiles (1)"
    )
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    report = cli.StepReport("quality")
    found = [pair for name in args.folders for pair in writers_below(expanded(name))]
    for folder, write in found:
        with files.lock(folder / ".lock"):
            files.sweep(folder)
            report.note(f"open {write(folder, args.workers)}")
        report.done(f"{folder.parent.name}/{folder.name}")
    return report.finish()


Writer = Callable[[Path, int], Path]


def writers_below(folder: Path) -> Iterator[tuple[Path, Writer]]:
    """Folders of tiles and data sets: the folder itself, or the tile sizes below it.

    Raises:
        InputError: None is there.
    """
    kinds = ((CONTRACT_FILE, dataset.write_quality), (TABLE_FILE, tiles.write_quality))
    for sign, write in kinds:
        if (folder / sign).is_file():
            yield folder.absolute(), write
            return
    below = [
        (path.parent.absolute(), write)
        for sign, write in kinds
        for path in sorted(folder.glob(f"*/{sign}"))
    ]
    if not below:
        hint = f"name a folder that holds {TABLE_FILE} or {CONTRACT_FILE}"
        raise InputError("neither tiles nor a data set", where=folder, hint=hint)
    yield from below
