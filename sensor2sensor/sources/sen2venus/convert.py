"""Version 1 of SEN2VENµS to the layout of version 2: stacks to GeoTIFFs in zips, with an index.

Where the patches lie is in the ``.gpkg`` beside the stacks, which is not read: the GeoTIFFs say not
where they are, and sites stand for the ground.
"""

from __future__ import annotations

import argparse
import re
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import DatasetError, InputError, Sensor2SensorError
from sensor2sensor.core.manifest import file_fingerprint
from sensor2sensor.core.paths import expanded
from sensor2sensor.core.progress import progress
from sensor2sensor.sources.sen2venus.form import NODATA
from sensor2sensor.sources.sen2venus.layout import INDEX
from sensor2sensor.sources.sen2venus.stacks import Stack, look, patches

# Files called b4b5b6b8a hold B5 B6 B7 B8A, as the columns of their index say.
COLUMNS = {
    ("b2b3b4b8", "05m"): "b2b3b4b8_05m",
    ("b2b3b4b8", "10m"): "b2b3b4b8_10m",
    ("b4b5b6b8a", "05m"): "b5b6b7b8a_05m",
    ("b4b5b6b8a", "20m"): "b5b6b7b8a_20m",
    ("b5b6b7b8a", "05m"): "b5b6b7b8a_05m",
    ("b5b6b7b8a", "20m"): "b5b6b7b8a_20m",
}
_BANDS, _SIDES = 4, {"05m": 1, "10m": 2, "20m": 4}
_NAME = re.compile(
    r"(?P<site>.+)_(?P<tile>T?\d{2}[A-Z]{3})_(?P<date>\d{4}-?\d{2}-?\d{2})"
    r"_(?P<size>05m|10m|20m)_(?P<bands>b2b3b4b8|b4b5b6b8a|b5b6b7b8a)\.pt"
)
CONVERTED = "converted.json"
_TOLD = 5
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of zip members: a repeat gives equal bytes

DOC = r"""
Convert stacks of SEN2VENµS version 1 (.pt) to the layout of version 2, for step 54.

  s2s convert-sen2venus --data SEN2VENUS_V1 --out SEN2VENUS

Reads <data>/**/SITE_TILE_DATE_05m_b2b3b4b8.pt and the like, unpacked from the .7z of each site;
writes <out>/<SITE>/index.csv and a zip of GeoTIFFs for each band group. Needs no torch, and no
pickle is run: a stack that is anything but a plain tensor is refused. A site whose stacks are those
that it was made from (converted.json) is kept; another one is converted anew, whole.
"""


@dataclass(frozen=True)
class Pair:
    """The stacks of one date of a site, by column of the index."""

    site: str
    tile: str
    date: str
    stacks: Mapping[str, Path]

    @property
    def name(self) -> str:
        """``SITE_TILE_DATE``."""
        return f"{self.site}_{self.tile}_{self.date}"

    def made_from(self) -> dict[str, dict[str, int]]:
        """Size and time of each of its files, by column."""
        return {column: file_fingerprint(path) for column, path in sorted(self.stacks.items())}


def main(argv: Sequence[str] | None = None) -> int:
    """Convert what the command line names; returns 1 where a pair had to be refused."""
    parser = cli.parser(DOC, prog="s2s convert-sen2venus")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="folder with .pt files")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write sites to")
    parser.add_argument("--force", action="store_true", help="convert finished sites again")
    return cli.main_guard(_run, parser, argv)


def _run(args: argparse.Namespace) -> int:
    source, out = expanded(args.data).absolute(), expanded(args.out).absolute()
    report = cli.StepReport("convert-sen2venus")
    by_site: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs_in(source):
        by_site[pair.site].append(pair)
    for site, pairs in by_site.items():
        there = {pair.name: pair.made_from() for pair in pairs}
        held = {} if args.force else _held(out / site)
        if held == there:
            report.skipped(site)
        elif gone := sorted({name for name, _ in _columns(held) - _columns(there)}):
            # Whoever removes stacks to save room would lose what came of them.
            told = ", ".join(gone[:_TOLD]) + (" ..." if len(gone) > _TOLD else "")
            what = f"{site}: holds {len(gone)} dates whose stacks are gone ({told})"
            report.failed(site, f"{what}; unpack them again, or --force to be without them")
        else:
            _convert_site(out / site, pairs, report)
    return report.finish()


def _columns(made_from: Mapping[str, Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(name, column) for name, stacks in made_from.items() for column in stacks}


def _held(folder: Path) -> dict[str, Any]:
    """What the pairs of a finished site were made from; empty where there is none or none says."""
    try:
        found = files.read_json(folder / CONVERTED) if (folder / INDEX).is_file() else {}
    except (OSError, Sensor2SensorError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def pairs_in(folder: Path) -> list[Pair]:
    """The pairs whose stacks lie in or below a folder, by name.

    Raises:
        InputError: There is none, or two files are of one pair and column.
    """
    found: defaultdict[tuple[str, str, str], dict[str, Path]] = defaultdict(dict)
    for path in sorted(folder.rglob("*.pt")):
        said = _NAME.fullmatch(path.name)
        if said is None:
            continue
        stacks = found[said["site"], said["tile"], said["date"]]
        column = COLUMNS[said["bands"], said["size"]]
        if column in stacks:
            what = f"holds what {stacks[column].name} holds"
            raise InputError(what, where=path, hint="remove one of the two")
        stacks[column] = path
    if not found:
        hint = "unpack the .7z of a site; names are like SITE_TILE_DATE_05m_b2b3b4b8.pt"
        raise InputError("holds no stack of SEN2VENµS", where=folder, hint=hint)
    return [Pair(*key, stacks) for key, stacks in sorted(found.items())]


def _convert_site(folder: Path, pairs: Sequence[Pair], report: cli.StepReport) -> None:
    """Write the zips of a site and what they were made from, then its index: it makes it one."""
    columns = sorted({column for pair in pairs for column in pair.stacks})
    files.remove(folder / INDEX)
    rows: list[list[str]] = []
    held: dict[str, Any] = {}
    with ExitStack() as open_zips:
        zips = {}
        for column in columns:
            path = open_zips.enter_context(files.atomic_path(_zip_of(folder, column)))
            zips[column] = open_zips.enter_context(zipfile.ZipFile(path, "w"))
        for pair in progress(pairs, desc=folder.name, unit="pair"):
            # Before they are read: one that is replaced meanwhile is read again by the next run.
            made_from = pair.made_from()
            try:
                stacks = _checked(pair)
            except DatasetError as error:
                report.failed(pair.name, str(error))
                continue
            count = next(iter(stacks.values())).shape[0]
            for column, stack in stacks.items():
                _pack(zips[column], pair, column, stack)
            rows += [_row(folder, pair, number, columns, stacks) for number in range(count)]
            held[pair.name] = made_from
            report.done(pair.name)
    if rows:
        files.write_json(folder / CONVERTED, held)
        header = ["vns_site", "s2_tile", "date", *columns]
        lines = ["\t".join(row) for row in [header, *rows]]
        files.write_text(folder / INDEX, "\n".join(lines) + "\n")
    else:
        files.remove(folder / CONVERTED)
        for column in columns:
            files.remove(_zip_of(folder, column))


def _checked(pair: Pair) -> dict[str, Stack]:
    """Its stacks, looked at before anything of them is written.

    Raises:
        DatasetError: One is damaged or of another form, or they hold different numbers of patches.
    """
    stacks = {column: look(path) for column, path in sorted(pair.stacks.items())}
    forms = {}
    for column, stack in stacks.items():
        name, (count, bands, rows, width) = pair.stacks[column].name, stack.shape
        if bands != _BANDS or rows != width:
            raise DatasetError(f"is {list(stack.shape)}, not [n, 4, side, side]", where=name)
        forms[name] = (count, rows * _SIDES[column[-3:]])
        _drain(pair.stacks[column], stack)
    if len(set(forms.values())) > 1:
        told = ", ".join(f"{name} {count} of {side} px" for name, (count, side) in forms.items())
        raise DatasetError(f"stacks of one date differ at 5 m: {told}", where=pair.name)
    return stacks


def _drain(path: Path, stack: Stack) -> None:
    """Read a stack to its end: a damaged one is refused before a zip holds half of it."""
    for patch in patches(path, stack):
        _int16(patch, path.name)


def _pack(zipped: zipfile.ZipFile, pair: Pair, column: str, stack: Stack) -> None:
    path = pair.stacks[column]
    for number, patch in enumerate(patches(path, stack)):
        info = zipfile.ZipInfo(_member(pair, column, number), _EPOCH)
        zipped.writestr(info, _geotiff(_int16(patch, path.name)))


def _int16(patch: npt.NDArray[Any], where: str) -> npt.NDArray[np.int16]:
    """The numbers of version 2; other types are taken where they hold the same.

    Raises:
        DatasetError: They are no whole numbers of 16 bits.
    """
    with np.errstate(invalid="ignore"):
        found = patch.astype(np.int16)
    if not np.array_equal(found, patch):
        hint = "they are to be reflectance x 10000"
        raise DatasetError("holds numbers that are none of int16", where=where, hint=hint)
    return found


def _geotiff(values: npt.NDArray[np.int16]) -> bytes:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    form = {"driver": "GTiff", "dtype": "int16", "nodata": NODATA, "compress": "deflate"}
    count, height, width = values.shape
    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(**form, count=count, height=height, width=width) as file:
            file.write(values)
        return bytes(memory.read())


def _zip_of(folder: Path, column: str) -> Path:
    return folder / f"{folder.name}_{column}.zip"


def _member(pair: Pair, column: str, number: int) -> str:
    return f"{pair.name}_{number:05d}_{column}.tif"


def _row(
    folder: Path, pair: Pair, number: int, columns: Sequence[str], stacks: Mapping[str, Stack]
) -> list[str]:
    def cells() -> Iterator[str]:
        for column in columns:
            named = f"{_zip_of(folder, column).name}/{_member(pair, column, number)}"
            yield named if column in stacks else ""

    return [pair.site, pair.tile, pair.date, *cells()]


if __name__ == "__main__":
    raise SystemExit(main())
