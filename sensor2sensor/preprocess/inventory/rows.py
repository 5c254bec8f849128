"""The rows of the table of step 20, as they are written and as spreadsheets give them back."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.times import format_utc, parse_utc

HEADER = (
    "index",
    "year",
    "month",
    "s2",
    "s2date",
    "s3",
    "s3date",
    "timediff",
    "s3filetype",
    "overlap",
    "time_gap_h",
    "platform",
    "baseline",
    "cloud_fraction",
)
# Only tables with a product that belongs to another one have these.
JOINED = ("s2_joined", "s3_joined")
# No path below a root has two slashes in a row.
_BETWEEN = "//"
# Tables of earlier versions end with the overlap.
_REQUIRED = HEADER[:10]
_T = TypeVar("_T")


class Joined:
    """Products of a pair that belong together, in columns of their own beside the first ones."""

    s2: str
    s3: str | None
    s2_joined: tuple[str, ...]
    s3_joined: tuple[str, ...]

    @property
    def s2_paths(self) -> tuple[str, ...]:
        """The Sentinel-2 products of the scene, the one of column `s2` first."""
        return (self.s2, *self.s2_joined)

    @property
    def s3_paths(self) -> tuple[str, ...]:
        """The Sentinel-3 products, the one of column `s3` first; none for a scene alone."""
        return (self.s3, *self.s3_joined) if self.s3 else ()


@dataclass(frozen=True)
class InventoryRow(Joined):
    """One row: a Sentinel-2 scene and, unless it is listed alone, a Sentinel-3 product near it.

    `s2` and `s3` are POSIX paths relative to the archive roots, `s2date` and `s3date` their sensing
    starts, `overlap` the fraction of the Sentinel-2 footprint that the Sentinel-3 one covers.
    `time_gap_h` is the time of the OLCI rows over the tile minus the tile's own sensing time in
    hours, `timediff_h` its absolute value. `platform`, `baseline` and `cloud_fraction` (0..1) are
    those of Sentinel-2. None is unknown; tables of earlier versions lack the last four columns,
    and their `timediff_h` is the distance of the sensing starts.

    `s3_joined` are further frames of the pass that `s3` is a frame of, `s2_joined` products with
    other parts of the tile that `s2` has a part of: each row is of all of them, `overlap` and times
    too. Dates, `platform` and `baseline` are those of `s2` and `s3`.
    """

    index: int
    year: int
    month: int
    s2: str
    s2date: datetime
    s3: str | None = None
    s3date: datetime | None = None
    timediff_h: float | None = None
    s3filetype: str | None = None
    overlap: float | None = None
    time_gap_h: float | None = None
    platform: str | None = None
    baseline: str | None = None
    cloud_fraction: float | None = None
    s2_joined: tuple[str, ...] = ()
    s3_joined: tuple[str, ...] = ()

    def without_partner(self) -> InventoryRow:
        """The scene alone."""
        alone = replace(self, s3=None, s3date=None, s3filetype=None, overlap=None, s3_joined=())
        return replace(alone, timediff_h=None, time_gap_h=None)

    def joined_cells(self) -> list[object]:
        """What stands in the columns `JOINED`."""
        return [in_a_cell(self.s2_joined), in_a_cell(self.s3_joined)]

    def cells(self) -> list[object]:
        """The row as it stands in the file, in the order of `HEADER`."""
        return [
            self.index,
            self.year,
            f"{self.month:02d}",
            self.s2,
            format_utc(self.s2date),
            self.s3 or "",
            format_utc(self.s3date) if self.s3date else "",
            _decimals(self.timediff_h),
            self.s3filetype or "",
            _decimals(self.overlap),
            _decimals(self.time_gap_h),
            self.platform or "",
            self.baseline or "",
            _decimals(self.cloud_fraction),
        ]


def in_a_cell(paths: Sequence[str]) -> str:
    """Paths as one cell of a table."""
    return f" {_BETWEEN} ".join(paths)


def written(rows: Sequence[InventoryRow]) -> tuple[tuple[str, ...], list[list[object]]]:
    """Header and lines of a table."""
    if any(row.s2_joined or row.s3_joined for row in rows):
        return (*HEADER, *JOINED), [[*row.cells(), *row.joined_cells()] for row in rows]
    return HEADER, [row.cells() for row in rows]


def read_rows(path: Path) -> list[InventoryRow]:
    """The rows of an inventory table, in file order.

    Raises:
        InputError: with all problems of the file, each with its line.
    """
    try:
        # Excel writes a mark of byte order before the first column's name.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "the table is not UTF-8", where=path, hint="save it as CSV UTF-8"
        ) from error
    lines = text.splitlines()
    delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    # Spreadsheets that separate by semicolons also write decimal commas.
    decimal_comma = delimiter == ";"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, path)
        rows, problems = _parse_lines(reader, header, decimal_comma)
    except csv.Error as error:  # a cell of more than 131072 letters, mostly a lost quote
        hint = "correct the table or repeat step 20"
        raise InputError(str(error), where=f"{path}:{reader.line_num}", hint=hint) from None
    problems += _duplicates(rows)
    if problems:
        raise InputError(
            "; ".join(problems), where=path, hint="correct the table or repeat step 20"
        )
    return rows


def _check_header(header: list[str], path: Path) -> None:
    absent = [name for name in _REQUIRED if name not in header]
    known = (*HEADER, *JOINED)
    extra = [name for name in header if name not in known or header.count(name) > 1]
    if absent or extra:
        what = f"columns missing: {absent or 'none'}, not known: {extra or 'none'}"
        raise InputError(what, where=path, hint=f"the columns are {','.join(HEADER)}")


def _parse_lines(
    reader: Any, header: list[str], decimal_comma: bool
) -> tuple[list[InventoryRow], list[str]]:
    rows: list[InventoryRow] = []
    problems: list[str] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            rows.append(_parse_row(header, cells, decimal_comma))
        except (ValueError, InputError) as error:
            problems.append(f"line {reader.line_num}: {error}")
    return rows, problems


def _parse_row(header: list[str], cells: list[str], decimal_comma: bool) -> InventoryRow:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells instead of {len(header)}")
    cell = dict.fromkeys((*HEADER, *JOINED), "")
    cell |= dict(zip(header, (text.strip() for text in cells), strict=True))

    def number(text: str) -> float:
        value = float(text.replace(",", ".") if decimal_comma else text)
        if not math.isfinite(value):
            raise ValueError(f"'{text}' is no finite number")
        return value

    s3 = _optional(cell["s3"], _relative)
    row = InventoryRow(
        index=_natural(cell["index"], "index"),
        year=_natural(cell["year"], "year"),
        month=_natural(cell["month"], "month"),
        s2=_relative(cell["s2"]),
        s2date=parse_utc(cell["s2date"]),
        s3=s3,
        s3date=_optional(cell["s3date"], parse_utc),
        timediff_h=_optional(cell["timediff"], number),
        s3filetype=_optional(cell["s3filetype"], str),
        overlap=_optional(cell["overlap"], number),
        time_gap_h=_optional(cell["time_gap_h"], number),
        platform=_optional(cell["platform"], str),
        baseline=_optional(cell["baseline"], str),
        cloud_fraction=_optional(cell["cloud_fraction"], number),
        s2_joined=_several(cell["s2_joined"]),
        s3_joined=_several(cell["s3_joined"]),
    )
    if s3 is not None and (row.s3date is None or row.timediff_h is None):
        raise ValueError("a Sentinel-3 product without its date or time difference")
    return row


def _optional(text: str, convert: Callable[[str], _T]) -> _T | None:
    return convert(text) if text else None


def _several(text: str) -> tuple[str, ...]:
    return tuple(_relative(one.strip()) for one in text.split(_BETWEEN)) if text else ()


def _natural(text: str, column: str) -> int:
    # int() would also read -1, 1_000 and blanks around.
    if not text.isdecimal():
        raise ValueError(f"{column} '{text}' is no whole number")
    return int(text)


def _relative(text: str) -> str:
    path = PurePosixPath(text)
    # Tables are edited by hand and passed on: none may lead out of the archive.
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text:
        raise ValueError(f"product path '{text}' is not relative to its archive root")
    return text


def _duplicates(rows: Sequence[InventoryRow]) -> list[str]:
    counts = Counter(row.index for row in rows)
    return [f"index {index} stands in {n} rows" for index, n in sorted(counts.items()) if n > 1]


def _decimals(value: float | None) -> str:
    # Adding 0.0 turns the -0.0000 of a small negative number into 0.0000.
    return "" if value is None else f"{round(value, 4) + 0.0:.4f}"
