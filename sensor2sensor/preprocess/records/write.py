"""Writing records: one task for each file name, the same tiles in every data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.parallel import reason_of
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.recordfile import record_places, scan_file, write_records
from sensor2sensor.dataset.records import encode, identity
from sensor2sensor.preprocess.records.inputs import Tile
from sensor2sensor.preprocess.records.options import VERSION
from sensor2sensor.preprocess.records.tiles import read_arrays, record_for


@dataclass(frozen=True)
class Sibling:
    """One of the data sets of a run: its folder and the contract its records follow."""

    folder: Path
    draft: DatasetContract


@dataclass(frozen=True)
class WriteTask:
    """The tiles of one file, to be written in every data set.

    Attributes:
        split: Their split.
        file: Path below each data set's folder.
        tiles: In order.
        siblings: The data sets.
    """

    split: str
    file: str
    tiles: tuple[Tile, ...]
    siblings: tuple[Sibling, ...]


@dataclass(frozen=True)
class Placed:
    """Where a tile's record lies in one data set."""

    record: int
    offset: int
    length: int
    sha256: str
    incomplete: int


@dataclass(frozen=True)
class Written:
    """What came of a task.

    Attributes:
        places: For each data set (by name) and tile (by name) where its record lies.
        refused: Tiles that cannot be used, with the reason.
        reused: Whether all files were there already, made from equal inputs and options.
    """

    places: dict[str, dict[str, Placed]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    reused: bool = False


def group(
    tiles: Sequence[Tile],
    splits: dict[str, str],
    inventory: str,
    shard: int,
    siblings: tuple[Sibling, ...],
) -> list[WriteTask]:
    """Tasks for the tiles of one inventory: a file for each, or ``shard`` of them in a file."""
    tasks = []
    for split in ("train", "val", "test"):
        inside = [tile for tile in tiles if splits[tile.name] == split]
        for number, start in enumerate(range(0, len(inside), shard)):
            part = tuple(inside[start : start + shard])
            stem = part[0].name if shard == 1 else f"{inventory}__shard-{number:05d}"
            tasks.append(WriteTask(split, f"{split}/{stem}.tfrecord", part, siblings))
    return tasks


def source_key(tile: Tile, draft: DatasetContract) -> str:
    """What a record was made from: equal keys give equal records."""
    made = {
        "version": VERSION,
        "tile": dict(tile.digests),
        "gap": tile.time_gap_h,
        "corner": [tile.place.ulx_m, tile.place.uly_m],
        "form": draft.form(),
    }
    return fingerprint(made)


def is_current(task: WriteTask) -> bool:
    """Whether the files of a task are there, made from equal inputs and options."""
    return all(_current(task, sibling) is not None for sibling in task.siblings)


def process(task: WriteTask) -> Written:
    """Write one file in every data set, unless all are current.

    A tile that cannot be used is left out of all data sets, so they keep the same members.
    """
    current = [_current(task, sibling) for sibling in task.siblings]
    if all(places is not None for places in current):
        found = {
            s.draft.name: places
            for s, places in zip(task.siblings, current, strict=True)
            if places is not None
        }
        return Written(found, reused=True)
    encoded, refused = _encode_all(task)
    kept = [tile for tile in task.tiles if tile.name not in refused]
    places = {
        sibling.draft.name: _write(task, sibling, kept, encoded[sibling.draft.name])
        for sibling in task.siblings
    }
    return Written(places, refused)


Encoded = dict[str, list[tuple[bytes, int]]]


def _encode_all(task: WriteTask) -> tuple[Encoded, dict[str, str]]:
    """Serialised records (and incomplete blocks) of the usable tiles for every data set."""
    encoded: Encoded = {sibling.draft.name: [] for sibling in task.siblings}
    refused: dict[str, str] = {}
    for tile in task.tiles:
        try:
            made = _encode_tile(tile, task.siblings)
        except (DatasetError, OSError) as error:
            refused[tile.name] = reason_of(error)
            continue
        for name, item in made.items():
            encoded[name].append(item)
    return encoded, refused


def _encode_tile(tile: Tile, siblings: Sequence[Sibling]) -> dict[str, tuple[bytes, int]]:
    with_s3 = any(sibling.draft.kind == "sentinel3" for sibling in siblings)
    arrays = read_arrays(tile, siblings[0].draft, with_s3=with_s3)
    made = {}
    for sibling in siblings:
        record, incomplete = record_for(tile, arrays, sibling.draft)
        source = json.dumps({"key": source_key(tile, sibling.draft), "incomplete": incomplete})
        made[sibling.draft.name] = (encode(record, sibling.draft, source), incomplete)
    return made


def _write(
    task: WriteTask, sibling: Sibling, kept: Sequence[Tile], encoded: list[tuple[bytes, int]]
) -> dict[str, Placed]:
    path = sibling.folder / task.file
    if not kept:
        files.remove(path)
        return {}
    spots = write_records(path, [data for data, _ in encoded])
    digest = files.sha256(path)
    return {
        tile.name: Placed(number, *spots[number], digest, encoded[number][1])
        for number, tile in enumerate(kept)
    }


def _current(task: WriteTask, sibling: Sibling) -> dict[str, Placed] | None:
    """Where the records lie if the file holds exactly these tiles made from equal inputs."""
    path = sibling.folder / task.file
    found = scan_file(path)
    if found is None or len(found) != len(task.tiles):
        return None
    digest = files.sha256(path)
    spots = record_places([len(data) for _, data in found])
    places = {}
    for number, (tile, (_, data)) in enumerate(zip(task.tiles, found, strict=True)):
        incomplete = _incomplete_if_same(data, tile, sibling.draft)
        if incomplete is None:
            return None
        places[tile.name] = Placed(number, *spots[number], digest, incomplete)
    return places


def _incomplete_if_same(data: bytes, tile: Tile, draft: DatasetContract) -> int | None:
    try:
        name, source = identity(data)
        made = json.loads(source)
        if name != tile.name or made["key"] != source_key(tile, draft):
            return None
        return int(made["incomplete"])
    except (DatasetError, ValueError, KeyError, TypeError):
        return None
