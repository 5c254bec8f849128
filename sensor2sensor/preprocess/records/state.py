"""What is there already: finished data sets, unfinished ones, and what may be done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import OutputExistsError, Sensor2SensorError
from sensor2sensor.core.manifest import differences
from sensor2sensor.dataset.contract import CONTRACT_FILE, SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import REFUSED, SPLIT_FILE, SplitRow, read_split
from sensor2sensor.preprocess.records.inputs import TileSet

BUILDING_FILE = "building.json"


@dataclass(frozen=True)
class Existing:
    """One data set folder as found.

    Attributes:
        folder: The folder.
        contract: Its contract, None where unfinished.
        rows: Lines of its split table, empty where unfinished.
        building: Options, inventories and files of a run that has not ended, or None.
    """

    folder: Path
    contract: DatasetContract | None
    rows: tuple[SplitRow, ...]
    building: Mapping[str, Any] | None

    @property
    def options(self) -> Mapping[str, Any] | None:
        """The options it was, or is being, made with."""
        if self.contract is not None:
            return dict(self.contract.provenance["options"])
        return None if self.building is None else dict(self.building["options"])

    @property
    def inventories(self) -> dict[str, dict[str, Any]]:
        """What it knows of each inventory in it, by name."""
        listed = self.contract.provenance["inventories"] if self.contract is not None else []
        return {facts["name"]: facts for facts in listed}

    def listed_files(self) -> list[str]:
        """Every record file it, or the run that has not ended, lists."""
        listed = {row.file for row in self.rows if row.file}
        if self.building is not None:
            listed |= set(self.building["files"])
        return sorted(listed)


def look(folder: Path) -> Existing:
    """What a data set folder holds."""
    building = folder / BUILDING_FILE
    contract = load_contract(folder) if (folder / CONTRACT_FILE).is_file() else None
    rows = tuple(read_split(folder)) if (folder / SPLIT_FILE).is_file() else ()
    return Existing(
        folder, contract, rows, files.read_json(building) if building.is_file() else None
    )


def find_siblings(data_root: Path, dataset: str, tile_px: int) -> list[Path]:
    """Folders of ``cur_D`` and ``alt<factor>_D`` at one tile size that hold a data set or a run."""
    found = [
        folder
        for pattern in (f"cur_{escape(dataset)}", f"alt*_{escape(dataset)}")
        for folder in sorted(data_root.glob(f"{pattern}/{tile_px}"))
        if _is_alt_or_cur(folder.parent.name, dataset)
    ]
    signs = (CONTRACT_FILE, SPLIT_FILE, BUILDING_FILE)
    return [folder for folder in found if any((folder / sign).is_file() for sign in signs)]


def _is_alt_or_cur(name: str, dataset: str) -> bool:
    prefix = name[: -len(dataset) - 1]
    return prefix == "cur" or prefix[3:].isdigit()


def check(
    existing: Sequence[Existing], options: Mapping[str, Any], tiles: TileSet, *, adding: bool
) -> None:
    """Refuse to mix what is there with other options, tiles or, without ``--add``, inventories.

    Raises:
        OutputExistsError: With the differences.
    """
    for item in existing:
        found = differences(item.options or {}, options)
        if found:
            raise OutputExistsError(
                f"holds a data set of other options: {'; '.join(found)}",
                where=item.folder,
                hint="repeat with those, give another --dataset, or --force to replace it",
            )
        if not adding:
            _check_tiles(item, tiles)


def check_pixels(existing: Sequence[Existing], pixel_m: Mapping[Path, float | None]) -> None:
    """Refuse inputs of another pixel size: its factor and guard would not hold for them.

    Args:
        existing: What is there.
        pixel_m: Input pixel of each data set of the run, by folder.

    Raises:
        OutputExistsError: With both sizes.
    """
    for item in existing:
        asked = pixel_m.get(item.folder)
        if item.contract is not None and asked not in (None, item.contract.input.pixel_m):
            raise OutputExistsError(
                f"has input pixels of {item.contract.input.pixel_m:g} m, these tiles {asked:g} m",
                where=item.folder,
                hint="give them a --dataset of their own, or --force to replace it",
            )


def kept_guard_m(existing: Sequence[Existing]) -> float | None:
    """The guard of the data sets that are there: what is added keeps to it. None where none is."""
    found = [item.contract.split_policy.guard_m for item in existing if item.contract is not None]
    return min(found, default=None)


def _check_tiles(item: Existing, tiles: TileSet) -> None:
    """Without ``--add`` a data set is repeated from the one inventory it was made of.

    Raises:
        OutputExistsError: With what ``--add`` or ``--force`` would do.
    """
    known = item.inventories
    if item.contract is None:
        started = list(item.building["inventories"]) if item.building else []
        if started != [tiles.inventory]:
            what = f"holds an unfinished data set of {', '.join(started) or 'unknown inventories'}"
            hint = "repeat the command that was cut off, or give --force to start anew"
            raise OutputExistsError(what, where=item.folder, hint=hint)
    elif tiles.inventory not in known:
        what = f"holds a data set of {', '.join(known)}, not of {tiles.inventory}"
        hint = "give --add to add that inventory, another --dataset, or --force to replace it"
        raise OutputExistsError(what, where=item.folder, hint=hint)
    elif known[tiles.inventory]["tiles_csv_sha256"] != tiles.sha256:
        what = f"tiles.csv of {tiles.inventory} has changed since"
        hint = "give --add to take its tiles as they are now, or --force to replace the data set"
        raise OutputExistsError(what, where=item.folder, hint=hint)


def is_done(item: Existing, tiles: TileSet) -> bool:
    """Whether the inventory is in a finished data set, unchanged and with all files in place."""
    facts = item.inventories.get(tiles.inventory)
    if item.contract is None or item.building is not None or facts is None:
        return False
    if facts["tiles_csv_sha256"] != tiles.sha256 or facts["step40"] != dict(tiles.options):
        return False
    if item.contract.split_csv_sha256 != files.sha256(item.folder / SPLIT_FILE):
        return False
    return not any(row.split == REFUSED or not _in_place(item.folder, row) for row in item.rows)


def _in_place(folder: Path, row: SplitRow) -> bool:
    if row.split not in SPLITS:
        return True
    path = folder / row.file
    return path.is_file() and path.stat().st_size >= row.offset + row.length


def kept_rows(item: Existing, inventory: str) -> list[SplitRow]:
    """Lines of the inventories a data set already holds, but not of the one that is being added.

    After a run that was cut off between the two last files the table may list more than
    ``dataset.json`` does: only what the latter knows counts.
    """
    known = set(item.inventories) - {inventory}
    return [row for row in item.rows if row.inventory in known]


def bound_units(existing: Sequence[Existing], inventory: str) -> dict[str, str]:
    """Blocks (or acquisitions) that have a split already."""
    return {
        unit: row.split
        for item in existing
        for row in kept_rows(item, inventory)
        if row.split in SPLITS
        for unit in row.block.split("+")
    }


def remove_listed(folder: Path) -> None:
    """Remove exactly what a data set, or a run that has not ended, lists; the lists last."""
    try:
        item = look(folder)
    except Sensor2SensorError:
        # A damaged contract or table: what still can be read decides.
        rows = tuple(read_split(folder)) if (folder / SPLIT_FILE).is_file() else ()
        item = Existing(folder, None, rows, None)
    files.remove(folder / CONTRACT_FILE)
    for name in item.listed_files():
        files.remove(folder / name)
    files.remove(folder / SPLIT_FILE)
    files.remove(folder / BUILDING_FILE)
