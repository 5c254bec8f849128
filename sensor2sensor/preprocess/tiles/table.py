"""``tiles.csv``: one line a tile, the one table that step 40 writes and step 50 reads."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.slips import decoded

MANIFEST_FILE = "manifest.json"
TABLE_FILE = "tiles.csv"
# Files of a tile beside its tif: the OLCI pixels that it uses, those that show its ground where it
# moved (--correct-shift), and the target pixels around it.
OLCI_SUFFIX, ALIGNED_SUFFIX, MARGIN_SUFFIX = "_olci.npz", "_aligned.npz", "_margin.tif"
_AGAIN = "run step 40 again"


@dataclass(frozen=True, kw_only=True)
class TileRow:
    """One tile; each field is a column, in the order of the file.

    A table without a column that has a default here is read as if each of its cells were empty.

    Attributes:
        tile: stem of its files.
        scene: id of the Sentinel-2 scene in the inventory.
        x: column of its upper-left pixel in the scene's grid.
        y: row of it.
        size_px: edge in target pixels.
        inside_mask: whether one mask covers 80 % of it; None where no masks were given.
        epsg: its projection.
        ulx_m: easting of its upper-left corner.
        uly_m: northing of it.
        resolution_m: size of a target pixel.
        s2: the Sentinel-2 product, a POSIX path below the archive's root.
        s2date: its sensing start, ISO 8601 in UTC.
        s3: the Sentinel-3 product; None for Sentinel-2 alone.
        s3date: its sensing start.
        time_gap_h: hours from Sentinel-2 to the mean of the OLCI pixels used, negative where those
            were seen first; None for Sentinel-2 alone.
        valid_fraction: share of pixels with every band of both sensors, unsaturated.
        cloud_fraction: share of cloud or cirrus; None where nothing tells of clouds.
        nodata_fraction: share without Sentinel-2 data.
        olci_valid_fraction: share with a valid OLCI pixel within the search radius.
        olci_pixels: how many OLCI pixels the collocation uses.
        shift_m: length of the ground's displacement between the looks; None where not measured.
        shift_east_m: eastward part of it.
        shift_north_m: northward part of it.
        shift_quality: height of the correlation peak it was read from, 0..1.
        margin_px: target pixels kept around the tile.
        sha256: of the tif.
        overpass: platform and datatake start, ``S2A_20221005T115411``; empty where not known.
        draw_weight: with ``--oversample``, how many times as likely as elsewhere in its scene a
            place like its own was tried: one over it is its weight. None where all were alike.
        s2_joined: products with other parts of the tile that ``s2`` has a part of, as inventories
            have them; None mostly.
        s3_joined: further frames of the pass that ``s3`` is a frame of; None mostly.
        aligned_pixels: with ``--correct-shift``, how many OLCI pixels it uses by the drift; None
            where that is not sure, and no pixel moved.
        cloud_source: what told of its clouds, where that is no mask of the product's own: a mask
            of ``--cloud-mask`` with its limit, or the scene's own percentage.
    """

    tile: str
    scene: int
    x: int
    y: int
    size_px: int
    inside_mask: bool | None = None
    epsg: int
    ulx_m: float
    uly_m: float
    resolution_m: float
    s2: str
    s2date: str
    s3: str | None
    s3date: str | None = None
    time_gap_h: float | None
    valid_fraction: float | None = None
    cloud_fraction: float | None = None
    nodata_fraction: float | None = None
    olci_valid_fraction: float | None = None
    olci_pixels: int | None = None
    shift_m: float | None
    shift_east_m: float | None = None
    shift_north_m: float | None = None
    shift_quality: float | None = None
    margin_px: int | None = None
    sha256: str
    overpass: str = ""
    draw_weight: float | None = None
    s2_joined: str | None = None
    s3_joined: str | None = None
    cloud_source: str | None = None
    aligned_pixels: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The row as plain JSON values, as scene logs keep it: what names its products first."""
        inside = None if self.inside_mask is None else str(self.inside_mask).lower()
        plain = {**asdict(self), "inside_mask": inside}
        for column in _WHERE_USED:
            if plain[column] is None:
                del plain[column]
        return {**{column: plain[column] for column in _FIRST_IN_LOGS}, **plain}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> TileRow:
        """The row that :meth:`as_json` gave, in this version or an earlier one.

        Raises:
            TypeError: it is not of this form.
        """
        return cls(**{**plain, "inside_mask": _YES_NO[plain.get("inside_mask") or ""]})


COLUMNS = tuple(field.name for field in fields(TileRow))
NEEDED = tuple(field.name for field in fields(TileRow) if field.default is MISSING)
# Logs have had this order since before their rows had a type: equal tiles, equal bytes.
_FIRST_IN_LOGS = (
    *("tile", "scene", "s2", "s2date", "s3", "s3date"),
    *("overpass", "time_gap_h", "sha256"),
)
# Columns that a table has only where a row says anything: other tables stay those of before.
_WHERE_USED = ("draw_weight", "s2_joined", "s3_joined", "cloud_source", "aligned_pixels")
_YES_NO = {"true": True, "false": False, "": None}


def write_table(folder: Path, rows: Iterable[TileRow]) -> None:
    """Write ``tiles.csv`` into a folder, whole or not at all; None is an empty cell."""
    plain = [row.as_json() for row in rows]
    told = set().union(*plain)
    columns = [column for column in COLUMNS if column not in _WHERE_USED or column in told]
    cells = ([row.get(column) for column in columns] for row in plain)
    files.write_csv(folder / TABLE_FILE, columns, cells)


def read_table(path: Path) -> list[TileRow]:
    """Read a ``tiles.csv`` of this version or an earlier one.

    Raises:
        InputError: a column is missing, or a line is damaged: its number is named.
    """
    text = decoded(path.read_bytes(), path, InputError)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"lacks the columns {', '.join(missing)}", where=path, hint=_AGAIN)
        return [_row(cells, f"{path}:{reader.line_num}") for cells in reader]
    except csv.Error as error:
        # The number of DictReader itself is that of the last good line.
        where = f"{path}:{reader.reader.line_num}"
        raise InputError(f"damaged line ({error})", where=where, hint=_AGAIN) from None


def _row(cells: Mapping[str, str | None], where: str) -> TileRow:
    try:
        there = {column: _cell(cells[column], column) for column in COLUMNS if column in cells}
    except ValueError as error:
        raise InputError(f"damaged line ({error})", where=where, hint=_AGAIN) from None
    return TileRow(**there)


def _cell(text: str | None, column: str) -> Any:
    if text is None:
        raise ValueError(f"it ends before {column}")
    return _READ[_TYPES[column]](text)


def _finite(text: str) -> float:
    value = float(text)
    # A comparison with NaN is False: a limit on it would hold for every tile.
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is no finite number")
    return value


def _yes_no(text: str) -> bool | None:
    if text not in _YES_NO:
        raise ValueError(f"'{text}' is neither true nor false")
    return _YES_NO[text]


_TYPES = get_type_hints(TileRow)
_READ: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: _finite,
    str | None: lambda text: text or None,
    int | None: lambda text: int(text) if text else None,
    float | None: lambda text: _finite(text) if text else None,
    bool | None: _yes_no,
}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder of tiles.

    Raises:
        InputError: It is not there, or not one.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise InputError("no such file", where=path, hint="run step 40 again")
    found = files.read_json(path)
    form = {"options": dict, "bands": list, "files": dict}
    plain = found if isinstance(found, dict) else {}
    if lacking := [key for key, kind in form.items() if not isinstance(plain.get(key), kind)]:
        hint = "delete it and run step 40 again: whole tiles stay"
        raise InputError(f"lacks {', '.join(lacking)}", where=path, hint=hint)
    return plain
