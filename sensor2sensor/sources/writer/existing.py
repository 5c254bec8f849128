"""What stands where data sets are to be written, and what may be done with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, OutputExistsError, Sensor2SensorError
from sensor2sensor.core.page.whole import QUALITY_PAGE, QUALITY_TABLE
from sensor2sensor.dataset.contract import (
    CONTRACT_FILE,
    DIGEST_FILE,
    SPLITS,
    DatasetContract,
    load_contract,
)
from sensor2sensor.dataset.ledger import (
    BUILDING_FILE,
    REFUSED,
    SPLIT_FILE,
    SplitRow,
    read_split,
)
from sensor2sensor.sources.source import Listing, Source, folder_of, limit_of
from sensor2sensor.sources.writer.agreement import (
    disagreements,
    held_options,
    refuse_other_options,
)
from sensor2sensor.sources.writer.alignment import ALIGNMENT_FILE
from sensor2sensor.sources.writer.options import WriteOptions

PRODUCTS_FILE = "products.csv"  # of step 50, in preprocess.records.products
LEFT_OUT_FILE = "left_out.json"
_LISTED = re.compile(rf"(?:{'|'.join(SPLITS)})/[^/\",\n]+\.tfrecord")
SIGNS = (CONTRACT_FILE, SPLIT_FILE, BUILDING_FILE)


@dataclass(frozen=True)
class Existing:
    """One data set folder as found.

    Attributes:
        folder: The folder.
        contract: Its contract, None where unfinished.
        rows: Lines of its split table, empty where unfinished.
        building: Options, inventories and files of a run that has not ended, or None.
        left_out: By name the ``key`` and ``reason`` of samples left out once they were read.
    """

    folder: Path
    contract: DatasetContract | None
    rows: tuple[SplitRow, ...]
    building: Mapping[str, Any] | None
    left_out: Mapping[str, Mapping[str, str]]

    @property
    def options(self) -> Mapping[str, Any] | None:
        """The options it was, or is being, made with."""
        if self.contract is not None:
            # A free-form table: a data set that another program made may lack the key.
            return dict(self.contract.provenance.get("options", {}))
        return None if self.building is None else dict(self.building["options"])

    @property
    def inventories(self) -> dict[str, dict[str, Any]]:
        """What it knows of each inventory in it, by name."""
        listed = self.contract.provenance.get("inventories", []) if self.contract else []
        return {facts["name"]: facts for facts in listed}

    def listed_files(self) -> list[str]:
        """Every record file it, or the run that has not ended, lists."""
        listed = {row.file for row in self.rows if row.file}
        if self.building is not None:
            listed |= set(self.building["files"])
        return sorted(listed)

    def kept_rows(self, inventory: str) -> list[SplitRow]:
        """Lines of the inventories it already holds, but not of the one that is being added.

        After a run that was cut off between the two last files the table may list more than
        ``dataset.json`` does: only what the latter knows counts.
        """
        known = set(self.inventories) - {inventory}
        return [row for row in self.rows if row.inventory in known]

    def holds(self, listing: Listing) -> bool:
        """Whether the listing is in it, finished, unchanged and with all files in place."""
        facts = self.inventories.get(listing.name)
        if self.contract is None or self.building is not None or facts is None:
            return False
        if any(facts[key] != listing.facts[key] for key in listing.decisive):
            return False
        if limit_of(facts) != listing.limit:
            return False
        if self.contract.split_csv_sha256 != files.sha256(self.folder / SPLIT_FILE):
            return False
        # What was refused is tried again: its file may have been mended since.
        if any(row.split == REFUSED or not self._in_place(row) for row in self.rows):
            return False
        own = {row.double_of for row in self.rows if row.inventory == listing.name} - {""}
        # Of a tile that the other inventory has no more, this one is no double.
        return own <= {row.name for row in self.rows if row.split in SPLITS}

    def _in_place(self, row: SplitRow) -> bool:
        if row.split not in SPLITS:
            return True
        path = self.folder / row.file
        # By size: hashing every file would cost a repeat what it is there to save.
        return path.is_file() and path.stat().st_size >= row.offset + row.length


def look(folder: Path) -> Existing:
    """What a data set folder holds."""
    building, left_out = folder / BUILDING_FILE, folder / LEFT_OUT_FILE
    contract = load_contract(folder) if (folder / CONTRACT_FILE).is_file() else None
    rows = tuple(read_split(folder)) if (folder / SPLIT_FILE).is_file() else ()
    return Existing(
        folder,
        contract,
        rows,
        files.read_json(building) if building.is_file() else None,
        files.read_json(left_out) if left_out.is_file() else {},
    )


@dataclass(frozen=True)
class There:
    """What is there of a source's data sets.

    Attributes:
        kept: Data sets that are gone on with, by folder.
        replaced: Folders whose data sets ``--force`` removes.
    """

    kept: Mapping[Path, Existing]
    replaced: tuple[Path, ...]

    def bound(self, inventory: str) -> dict[str, str]:
        """Units that have a split already."""
        return {
            unit: row.split
            for item in self.kept.values()
            for row in item.kept_rows(inventory)
            # A dropped tile belongs to no split, so it binds no ground.
            if row.split in SPLITS
            for unit in row.block.split("+")
        }

    def rows(self, inventory: str) -> list[SplitRow]:
        """Lines of other inventories: siblings have the same, one cut off in between may lack."""
        return max((i.kept_rows(inventory) for i in self.kept.values()), key=len, default=[])

    def no_more_in(self, listing: Listing) -> set[str]:
        """Samples of a listing that are there, and that it has no more."""
        held = {
            row.name
            for item in self.kept.values()
            for row in item.rows
            if row.inventory == listing.name and row.split in SPLITS
        }
        return held - {item.name for item in listing.items}

    @property
    def guard_m(self) -> float | None:
        """The guard of what is there, which what is added keeps to. None where nothing is."""
        found = [i.contract.split_policy.guard_m for i in self.kept.values() if i.contract]
        return min(found, default=None)


def look_around(source: Source, listing: Listing, data_root: Path, options: WriteOptions) -> There:
    """See what is there of a source's data sets, and whether this run may go on with it.

    Raises:
        OutputExistsError: It is of other options, samples or, without ``--add``, listings.
        InputError: There is nothing to add to.
    """
    kin = source.kin(data_root)
    found = [folder for folder in kin if any((folder / sign).is_file() for sign in SIGNS)]
    if options.force:
        return There({}, tuple(found))
    kept = [look(folder) for folder in found]
    drafts = {folder_of(data_root, draft): draft for draft in source.drafts}
    asked = held_options(source, options)
    for item in kept:
        draft, others = drafts.get(item.folder), []
        if item.contract is not None and draft is not None:
            others = disagreements(source, draft, item.contract)
        refuse_other_options(item.options or {}, asked, others, item.folder)
        if options.add:
            _refuse_shorter(item, listing)
        else:
            _refuse_other_samples(item, listing)
    if options.add and not any(item.contract for item in kept):
        what = f"there is no data set '{source.dataset}' to add to"
        raise InputError(what, where=data_root, hint="leave out --add")
    for item in kept:
        if item.folder in drafts:
            _refuse_other_pixels(item, drafts[item.folder].input.pixel_m)
    return There({item.folder: item for item in kept}, ())


def _refuse_other_samples(item: Existing, listing: Listing) -> None:
    """Without ``--add`` a data set is repeated from the one listing it was made of."""
    known, name = item.inventories, listing.name
    if item.contract is None:
        started = list(item.building["inventories"]) if item.building else []
        if started != [name]:
            what = f"holds an unfinished data set of {', '.join(started) or 'unknown inventories'}"
            hint = "repeat the command that was cut off, or give --force to start anew"
            raise OutputExistsError(what, where=item.folder, hint=hint)
    elif name not in known:
        what = f"holds a data set of {', '.join(known)}, not of {name}"
        hint = "give --add to add that inventory, another --dataset, or --force to replace it"
        raise OutputExistsError(what, where=item.folder, hint=hint)
    elif known[name][listing.decisive[0]] != listing.facts[listing.decisive[0]]:
        what = f"{listing.listed_in} of {name} has changed since"
        hint = "give --add to take its tiles as they are now, or --force to replace the data set"
        raise OutputExistsError(what, where=item.folder, hint=hint)
    elif (held := limit_of(known[name])) != listing.limit:
        what = f"holds {'all' if held is None else f'the first {held}'} samples of {name}"
        asked = "all" if listing.limit is None else f"the first {listing.limit}"
        hint = f"give --add to go on to {asked}, or --force to replace the data set"
        if listing.limit is not None and (held is None or held > listing.limit):
            hint = f"give --force to replace it by {asked}, or another --dataset"
        raise OutputExistsError(what, where=item.folder, hint=hint)


def _refuse_shorter(item: Existing, listing: Listing) -> None:
    """Refuse to take samples away by adding the beginning of what is there."""
    facts = item.inventories.get(listing.name)
    if facts is None or listing.limit is None:
        return
    held = limit_of(facts)
    if held is None or held > listing.limit:
        what = f"holds {'all' if held is None else f'the first {held}'} samples of {listing.name}"
        hint = f"leave out --limit {listing.limit}, or give --force to replace the data set"
        raise OutputExistsError(what, where=item.folder, hint=hint)


def _refuse_other_pixels(item: Existing, asked_m: float | None) -> None:
    """Refuse inputs of another pixel size: its factor and guard would not hold for them."""
    known_m = None if item.contract is None else item.contract.input.pixel_m
    if known_m is not None and asked_m is not None and asked_m != known_m:
        raise OutputExistsError(
            f"has input pixels of {known_m:g} m, these tiles {asked_m:g} m",
            where=item.folder,
            hint="give them a --dataset of their own, or --force to replace it",
        )


def lost_with(folders: Iterable[Path], name: str) -> dict[str, int]:
    """How many samples of other listings than one, by name, go with the data sets of folders."""
    held: dict[str, set[str]] = {}
    for folder in folders:
        # Of what is damaged nobody can say it.
        with suppress(Sensor2SensorError, KeyError, TypeError):
            for row in look(folder).rows:
                if row.inventory != name and row.split in SPLITS:
                    held.setdefault(row.inventory, set()).add(row.name)
    return {inventory: len(names) for inventory, names in sorted(held.items())}


def remove_listed(folder: Path) -> None:
    """Remove exactly what a data set, or a run that has not ended, lists; the lists last."""
    try:
        item = look(folder)
        listed = item.listed_files()
    except (Sensor2SensorError, KeyError, TypeError):
        # A damaged contract, table or note: what still can be read decides.
        listed = salvaged_names(folder)
    # First: without it the folder is no data set, wherever a kill stops the rest.
    files.remove(folder / CONTRACT_FILE)
    files.remove(folder / LEFT_OUT_FILE)
    for name in (DIGEST_FILE, ALIGNMENT_FILE, QUALITY_PAGE, QUALITY_TABLE, PRODUCTS_FILE):
        files.remove(folder / name)
    _remove_within(folder, listed)
    files.remove(folder / SPLIT_FILE)
    files.remove(folder / BUILDING_FILE)


def salvaged_names(folder: Path) -> list[str]:
    """Files that a table or note names which as a whole can no longer be read."""
    found: set[str] = set()
    # Where it is the contract or the note that is damaged, the table is whole.
    with suppress(Sensor2SensorError):
        found |= {row.file for row in read_split(folder) if row.file}
    for name in (SPLIT_FILE, BUILDING_FILE):
        with suppress(OSError):
            found |= set(_LISTED.findall((folder / name).read_text("utf-8", "replace")))
    return sorted(found)


def _remove_within(folder: Path, names: Sequence[str]) -> None:
    """Remove listed files: only those of a split's folder, wherever a list points to."""
    for name in names:
        path = PurePosixPath(name)
        if len(path.parts) == 2 and path.parts[0] in SPLITS and path.parts[1] != "..":
            files.remove(folder / path)


def begin(
    folder: Path, item: Existing | None, options: Mapping[str, Any], inventory: str, made: list[str]
) -> None:
    """Say what is being built, so that a cut-off run can be recognised, repeated or removed."""
    old = item.listed_files() if item is not None else []
    known = list(item.inventories) if item is not None else []
    inventories = [name for name in known if name != inventory] + [inventory]
    # With the old files: end() removes those that the new table does not list.
    content = {"options": options, "inventories": inventories, "files": sorted({*made, *old})}
    if item is None or item.building != content:
        files.write_json(folder / BUILDING_FILE, content)


def sweep(folder: Path) -> None:
    """Remove what killed runs left half written, while nobody else writes there."""
    for place in (*(folder / split for split in SPLITS), folder):
        files.sweep(place)


def end(folder: Path, rows: Sequence[SplitRow]) -> None:
    """Remove record files that are no longer listed, then the note of the unfinished run."""
    note = folder / BUILDING_FILE
    if note.is_file():
        current = {row.file for row in rows}
        _remove_within(folder, [n for n in files.read_json(note)["files"] if n not in current])
        files.remove(note)
