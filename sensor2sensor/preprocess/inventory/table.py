"""The inventory of step 20: a table of Sentinel-2 scenes and their Sentinel-3 partners.

`<data_root>/_inventory/<name>.csv` holds one row per pair (or one per scene where Sentinel-2 is
listed alone); the manifest `<name>.json` beside it holds the options it was made with and the facts
read from each product. The manifest is written first, so a table always has one that covers it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.times import format_utc, parse_utc

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

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
# Tables of earlier versions end with the overlap.
_REQUIRED = HEADER[:10]
# Why a product that vanished cannot be used, as the manifest says it.
GONE = "is not there any more"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_T = TypeVar("_T")


@dataclass(frozen=True)
class InventoryRow:
    """One row: a Sentinel-2 scene and, unless it is listed alone, a Sentinel-3 product near it.

    `s2` and `s3` are POSIX paths relative to the archive roots, `s2date` and `s3date` their sensing
    starts, `overlap` the fraction of the Sentinel-2 footprint that the Sentinel-3 one covers.
    `time_gap_h` is the time of the OLCI rows over the tile minus the tile's own sensing time in
    hours, `timediff_h` its absolute value. `platform`, `baseline` and `cloud_fraction` (0..1) are
    those of Sentinel-2. None is unknown; tables of earlier versions lack the last four columns,
    and their `timediff_h` is the distance of the sensing starts.
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

    def without_partner(self) -> InventoryRow:
        """The scene alone."""
        alone = replace(self, s3=None, s3date=None, s3filetype=None, overlap=None)
        return replace(alone, timediff_h=None, time_gap_h=None)

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


@dataclass(frozen=True)
class Inventory:
    """A whole inventory.

    `options` has the keys `tile`, `timediff_h` (None for Sentinel-2 alone), `level` ("L1C" or
    "L2A"), `resolution_m` (int), `bands` (list of names), `s2_only` (bool) and `s3_type` ("EFR" or
    "ERR"; None for Sentinel-2 alone). `products` maps a product's relative path to the facts read
    from it; `superseded` maps the path of a listed product that is gone to the path of the one that
    stands for its acquisition now, `vanished` the path of one that nothing stands for to the reason
    it could not be used when step 20 last looked.
    """

    name: str
    rows: Sequence[InventoryRow]
    options: dict[str, Any]
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    superseded: dict[str, str] = field(default_factory=dict)
    vanished: dict[str, str] = field(default_factory=dict)

    def usable_scenes(self) -> set[str]:
        """Paths of the Sentinel-2 products that are there and, where it needs one, have a partner.

        As step 20 last saw the archive.
        """
        gone = self.vanished
        return {
            rows[0].s2
            for rows in self.scenes().values()
            if rows[0].s2 not in gone
            and (self.sentinel2_only or any(row.s3 and row.s3 not in gone for row in rows))
        }

    @property
    def sentinel2_only(self) -> bool:
        """Whether the scenes stand alone, without Sentinel-3 partners."""
        return bool(self.options["s2_only"])

    def scenes(self) -> dict[int, list[InventoryRow]]:
        """Rows grouped by scene; the key is the scene's id, the smallest index among its rows.

        Superseded products are left out; the ids of the others do not depend on that. A scene that
        has lost its last partner that way stays, with one row and no partner.
        """
        by_product: dict[str, list[InventoryRow]] = {}
        for row in sorted(self.rows, key=lambda row: row.index):
            by_product.setdefault(row.s2, []).append(row)
        old = self.superseded
        return {
            rows[0].index: [row for row in rows if row.s3 not in old] or [rows[0].without_partner()]
            for s2, rows in by_product.items()
            if s2 not in old
        }

    def frames_beside(self, row: InventoryRow, rows: Sequence[InventoryRow]) -> list[InventoryRow]:
        """Those of a scene's rows that have another frame of the pass this row has one of."""
        return [other for other in rows if other.s3 != row.s3 and self._one_pass(row, other)]

    def _one_pass(self, one: InventoryRow, other: InventoryRow) -> bool:
        if not (one.s3date and other.s3date and one.overlap and other.overlap):
            return False
        # A tile reaches into the next frame of three minutes, not further; other passes of the same
        # satellite are an hour and more away.
        near = abs(one.s3date - other.s3date) < timedelta(minutes=10)
        return near and one.overlap < 1.0 and self._satellite(one.s3) == self._satellite(other.s3)

    def _satellite(self, path: str | None) -> str | None:
        known = self.products.get(path) if path else None
        return str(known["acquisition"][0]) if known else None


def csv_path(inventory_dir: Path, name: str) -> Path:
    """Path of the table of inventory `name`; InputError if the name could leave the folder."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name}' is no inventory name", hint="give the file's name without folder and .csv"
        )
    return inventory_dir / f"{name}.csv"


def manifest_path(inventory_dir: Path, name: str) -> Path:
    """Path of the manifest of the inventory `name`."""
    return csv_path(inventory_dir, name).with_suffix(".json")


def read_inventory(env: Environment, name: str) -> Inventory:
    """Read an inventory; a spreadsheet's BOM, semicolons and CRLF are accepted.

    Raises:
        InputError: the table or its manifest is absent or damaged; every bad line is named at once.
    """
    path = csv_path(env.inventory_dir, name)
    if not path.is_file():
        known = sorted(p.stem for p in env.inventory_dir.glob("inv_*.csv"))
        hint = suggestion(name, known) if known else "run step 20 first"
        raise InputError(f"no inventory '{name}'", where=path, hint=hint)
    manifest = read_manifest(env.inventory_dir, name)
    options, products = manifest["options"], manifest["products"]
    vanished = manifest.get("vanished", {})  # manifests of earlier versions lack it
    return Inventory(name, read_rows(path), options, products, manifest["superseded"], vanished)


def read_manifest(inventory_dir: Path, name: str) -> dict[str, Any]:
    """The manifest as written by step 20; InputError when it is absent or is not one."""
    path = manifest_path(inventory_dir, name)
    rerun = "repeat step 20 with the same options: it keeps every index"
    if not path.is_file():
        raise InputError("the inventory's manifest is missing", where=path, hint=rerun)
    manifest = files.read_json(path)
    wanted = {"step": str, "options": dict, "products": dict, "superseded": dict}
    for key, kind in wanted.items():
        if not isinstance(manifest, dict) or not isinstance(manifest.get(key), kind):
            raise InputError(f"no manifest of step 20: '{key}' is missing", where=path, hint=rerun)
    return dict(manifest)


def write_inventory(env: Environment, inventory: Inventory, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, then the table."""
    files.write_json(manifest_path(env.inventory_dir, inventory.name), dict(manifest))
    rows = (row.cells() for row in inventory.rows)
    files.write_csv(csv_path(env.inventory_dir, inventory.name), HEADER, rows)


def read_rows(path: Path) -> list[InventoryRow]:
    """The rows of an inventory table, in file order.

    Raises:
        InputError: with all problems of the file, each with its line.
    """
    try:
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
    extra = [name for name in header if name not in HEADER or header.count(name) > 1]
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
    cell = dict.fromkeys(HEADER, "")
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
    )
    if s3 is not None and (row.s3date is None or row.timediff_h is None):
        raise ValueError("a Sentinel-3 product without its date or time difference")
    return row


def _optional(text: str, convert: Callable[[str], _T]) -> _T | None:
    return convert(text) if text else None


def _natural(text: str, column: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{column} '{text}' is no whole number")
    return int(text)


def _relative(text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text:
        raise ValueError(f"product path '{text}' is not relative to its archive root")
    return text


def _duplicates(rows: Sequence[InventoryRow]) -> list[str]:
    counts = Counter(row.index for row in rows)
    return [f"index {index} stands in {n} rows" for index, n in sorted(counts.items()) if n > 1]


def _decimals(value: float | None) -> str:
    # Adding 0.0 turns the -0.0000 of a small negative number into 0.0000.
    return "" if value is None else f"{round(value, 4) + 0.0:.4f}"
