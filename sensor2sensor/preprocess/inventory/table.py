"""The inventory of step 20: a table of Sentinel-2 scenes and their Sentinel-3 partners.

`<data_root>/_inventory/<name>.csv` holds one row per pair (or one per scene where Sentinel-2 is
listed alone); the manifest `<name>.json` beside it holds the options it was made with and the facts
read from each product. The manifest is written first, so a table always has one that covers it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.times import hours_from, parse_utc
from sensor2sensor.preprocess.inventory.rows import InventoryRow, read_rows, written

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

# Why a product that vanished cannot be used, as the manifest says it.
GONE = "is not there any more"
# What dates and gaps may differ by: a datatake's start is not said by every form of a product.
_S2_APART, _S3_APART, _GAP_H = timedelta(hours=1), timedelta(minutes=1), 0.1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


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

    def usable_scenes(self) -> set[frozenset[str]]:
        """Paths of the products of each scene that is there and, where it needs one, has a partner.

        As step 20 last saw the archive.
        """
        return {
            frozenset(rows[0].s2_paths)
            for rows in self.scenes().values()
            if not any(path in self.vanished for path in rows[0].s2_paths)
            and (self.sentinel2_only or any(row.s3 and not self.lost(row) for row in rows))
        }

    @property
    def unusable(self) -> dict[str, str]:
        """Why listed products that are in the archive still cannot be used, by path."""
        return {path: why for path, why in self.vanished.items() if why != GONE}

    def lost(self, row: InventoryRow) -> str:
        """Why the partner of a row cannot be used; empty where it can, or where there is none."""
        whys = [self.vanished[path] for path in row.s3_paths if path in self.vanished]
        return whys[0] if whys else ""

    @property
    def sentinel2_only(self) -> bool:
        """Whether the scenes stand alone, without Sentinel-3 partners."""
        return bool(self.options["s2_only"])

    def scenes(self) -> dict[int, list[InventoryRow]]:
        """Rows grouped by scene; the key is the scene's id, the smallest index among its rows.

        Superseded products are left out; the ids of the others do not depend on that. A scene that
        has lost its last partner that way stays, with one row and no partner.
        """
        by_product: dict[tuple[str, ...], list[InventoryRow]] = {}
        for row in sorted(self.rows, key=lambda row: row.index):
            by_product.setdefault(row.s2_paths, []).append(row)
        old = self.superseded.keys()
        return {
            rows[0].index: [row for row in rows if old.isdisjoint(row.s3_paths)]
            or [rows[0].without_partner()]
            for s2, rows in by_product.items()
            if old.isdisjoint(s2)
        }

    def frames_beside(self, row: InventoryRow, rows: Sequence[InventoryRow]) -> list[InventoryRow]:
        """Those of a scene's rows that have another frame of the pass this row has one of."""
        return [
            other
            for other in rows
            if set(row.s3_paths).isdisjoint(other.s3_paths) and self._one_pass(row, other)
        ]

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
    rows = read_rows(path)
    if wrong := [row.index for row in rows if not _as_known(row, products)]:
        named = ", ".join(map(str, wrong[:5])) + (" ..." if len(wrong) > 5 else "")
        hint = "undo the edit, or move it and its .json away and repeat step 20"
        what = f"rows whose dates are not those of their products: {named}"
        raise InputError(what, where=path, hint=hint)
    return Inventory(name, rows, options, products, manifest["superseded"], vanished)


def _as_known(row: InventoryRow, products: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether dates and gap of a row are those of its products, as far as step 20 noted them.

    A column that was sorted or shifted by itself pairs looks that are weeks apart.
    """

    def noted(path: str | None, what: str) -> datetime | None:
        known = products.get(path or "", {}).get(what)
        return None if known is None else parse_utc(known)

    dated = ((row.s2, row.s2date, _S2_APART), (row.s3, row.s3date, _S3_APART))
    for path, date, most in dated:
        start = noted(path, "sensing_start")
        if start is not None and date is not None and abs(start - date) > most:
            return False
    seen, over = noted(row.s2, "time"), noted(row.s3, "time")
    if row.time_gap_h is None or seen is None or over is None or row.s2_joined or row.s3_joined:
        return True
    return abs(hours_from(seen, over) - row.time_gap_h) < _GAP_H


def existing_inventory(env: Environment, name: str) -> Inventory:
    """The inventory as it stands; empty when there is none (a manifest alone is a leftover)."""
    table = csv_path(env.inventory_dir, name)
    if not table.is_file():
        return Inventory(name, [], {})
    if not manifest_path(env.inventory_dir, name).is_file():
        return Inventory(name, read_rows(table), {})
    return read_inventory(env, name)


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
    """Write the manifest, then the table; half-written ones of a killed run go first."""
    table = csv_path(env.inventory_dir, inventory.name)
    for suffix in (
        ".csv",
        ".json",
    ):  # of this inventory alone: others may be in another run's hands
        for leftover in table.parent.glob(f".{table.stem}{suffix}.*{files.PART_SUFFIX}"):
            leftover.unlink(missing_ok=True)
    files.write_json(manifest_path(env.inventory_dir, inventory.name), dict(manifest))
    files.write_csv(table, *written(inventory.rows))
