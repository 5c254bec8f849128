"""``split.csv``: one line for each tile, where it lies and which split it belongs to."""

from __future__ import annotations

import csv
import re
from collections.abc import Hashable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, InputError

SPLIT_FILE = "split.csv"
BUILDING_FILE = "building.json"  # there while a run adds to a data set, or since it was cut off
DROPPED, REFUSED = "dropped", "refused"
_DOUBLE = "double: the same tile as "  # … ``<name>``, of another inventory
_GUARD = "guard: "  # how the reason of a tile starts that lies too near to another split
# The third part of a product's name is the start of its datatake, not of the product.
_PRODUCT = re.compile(r"(S2[A-Z])_(?:MSI[A-Z0-9]+_)?(\d{8}T\d{6})")


@dataclass(frozen=True)
class SplitRow:
    """One tile.

    Attributes:
        name: The record's name, ``<inventory>__<stem of the tif>``.
        split: ``train``, ``val``, ``test``; ``dropped`` (touches two splits, or a rule leaves it
            out) or ``refused``.
        block: The blocks of ground it touches, joined by ``+``; else its acquisition (the sensing
            start), its group, or the unit whose split was given.
        scene: Index of its scene in the inventory.
        inventory: The inventory, or other listing, it came from.
        file: Path below the data set's folder, empty where nothing was written.
        record: Number of the record in the file.
        offset: Byte at which the record starts in the file.
        length: Bytes of the serialised record.
        sha256: Of the file.
        source_sha256: Of the tif, or the main file it was made from; empty where not known.
        epsg: Projection of the tile, None where nobody knows one; so the two that follow.
        ulx_m: Easting of its upper-left corner.
        uly_m: Northing of its upper-left corner.
        time_gap_h: Hours from Sentinel-2 to Sentinel-3, signed; None without Sentinel-3.
        shift_m: Shift between the two sensors, None where not known.
        incomplete_blocks: Edge blocks of the input that lack pixels (degraded input).
        reason: Why it was dropped or refused; ``kept: …`` where something of it is not known.
        overpass: Which look at the ground it is from: platform and datatake start,
            ``S2A_20221005T115411``, the same for every tile and inventory; empty where not known.
    """

    name: str
    split: str
    block: str
    scene: int
    inventory: str
    file: str
    record: int
    offset: int
    length: int
    sha256: str
    source_sha256: str
    epsg: int | None
    ulx_m: float | None
    uly_m: float | None
    time_gap_h: float | None
    shift_m: float | None
    incomplete_blocks: int
    reason: str
    overpass: str = ""

    @property
    def by_guard(self) -> bool:
        """Whether it was dropped for another split within its guard, not on its own ground."""
        return self.split == DROPPED and self.reason.startswith(_GUARD)

    @property
    def seen_by(self) -> str:
        """The overpass, from the name where not recorded, else ``<inventory>/<scene>``."""
        return self.overpass or overpass_in(self.name) or f"{self.inventory}/{self.scene}"

    @property
    def double_of(self) -> str:
        """The tile of another inventory that it was dropped for; empty where it was not."""
        told = self.split == DROPPED and self.reason.startswith(_DOUBLE)
        return self.reason.removeprefix(_DOUBLE) if told else ""

    @property
    def looks(self) -> tuple[Hashable, ...]:
        """By what it is known as one tile, whoever lists it: its file, or its look at its place.

        Two passes of Sentinel-3 over one scene of Sentinel-2 have other gaps: they are two tiles.
        """
        of_file = (self.source_sha256,) if self.source_sha256 else ()
        if self.epsg is None:
            return of_file
        return (*of_file, (self.seen_by, self.epsg, self.ulx_m, self.uly_m, self.time_gap_h))


def guard_reason(guard_m: float) -> str:
    """Why a tile is dropped whose guard, and not itself, touches another split."""
    return f"{_GUARD}a block of another split within {guard_m:g} m"


def double_reason(name: str) -> str:
    """Why a tile is dropped that another inventory of the data set has, under that name."""
    return f"{_DOUBLE}{name}"


def overpass_in(name: str) -> str:
    """Platform and datatake start in the name of a Sentinel-2 product or tile; empty if absent."""
    found = _PRODUCT.search(name)
    return f"{found[1]}_{found[2]}" if found else ""


# Files have the fields in this order: a new one goes last and has a default.
HEADER = tuple(field.name for field in fields(SplitRow))


def write_split(dataset_dir: Path, rows: list[SplitRow]) -> None:
    """Write ``split.csv`` with the rows in the order of their names."""
    ordered = sorted(rows, key=lambda row: row.name)
    files.write_csv(Path(dataset_dir) / SPLIT_FILE, HEADER, map(astuple, ordered))


def read_split(dataset_dir: Path) -> list[SplitRow]:
    """Read ``split.csv``.

    Raises:
        DatasetError: It is missing, or not of this form; the line is named.
    """
    path = Path(dataset_dir) / SPLIT_FILE
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.reader(stream))
    except FileNotFoundError:
        raise DatasetError("missing", where=path, hint="run its step (50 to 55) again") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read ({error})", where=path) from None
    # Tables from before overpasses were recorded lack the last column.
    if not lines or tuple(lines[0]) not in (HEADER, HEADER[:-1]):
        raise DatasetError(
            "is not a split table of this version",
            where=path,
            hint="rebuild the data set with its step (50 to 55) and --force",
        )
    rows = enumerate(lines[1:], start=2)
    return [_row(lines[0], line, f"{path}:{number}") for number, line in rows]


def _row(header: list[str], line: list[str], where: str) -> SplitRow:
    try:
        # A line that was cut has fewer cells: strict makes that a ValueError too.
        cells = dict(zip(header, line, strict=True))
        return SplitRow(
            name=cells["name"],
            split=cells["split"],
            block=cells["block"],
            scene=int(cells["scene"]),
            inventory=cells["inventory"],
            file=cells["file"],
            record=int(cells["record"]),
            offset=int(cells["offset"]),
            length=int(cells["length"]),
            sha256=cells["sha256"],
            source_sha256=cells["source_sha256"],
            epsg=int(cells["epsg"]) if cells["epsg"] else None,
            ulx_m=_optional(cells["ulx_m"]),
            uly_m=_optional(cells["uly_m"]),
            time_gap_h=_optional(cells["time_gap_h"]),
            shift_m=_optional(cells["shift_m"]),
            incomplete_blocks=int(cells["incomplete_blocks"]),
            reason=cells["reason"],
            overpass=cells.get("overpass", ""),
        )
    except ValueError as error:
        raise DatasetError(
            f"damaged line ({error})",
            where=where,
            hint="rebuild the data set with its step (50 to 55) and --force",
        ) from None


def _optional(cell: str) -> float | None:
    return float(cell) if cell else None
