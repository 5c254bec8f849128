"""Writing records: one task for each file name, the same samples in every sibling data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.cli import StepReport
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.parallel import Failure, attempt, parallel_map
from sensor2sensor.dataset.contract import SPLITS, DatasetContract
from sensor2sensor.dataset.recordfile import record_places, scan_file, write_records
from sensor2sensor.dataset.records import TileRecord, encode, identity
from sensor2sensor.sources.source import Item, LeftOut, Source, folder_of
from sensor2sensor.sources.writer.plan import Plan


@dataclass(frozen=True)
class WriteTask:
    """The items of one file, to be written in every data set.

    Attributes:
        file: Path below each data set's folder.
        items: In order.
    """

    file: str
    items: tuple[Item, ...]


class Placed(NamedTuple):
    """Where a sample's record lies in one data set, and how many input blocks lack pixels."""

    record: int
    offset: int
    length: int
    sha256: str
    incomplete_blocks: int


@dataclass(frozen=True)
class Written:
    """What came of a task, or of all.

    Attributes:
        places: For each data set (by name) and sample (by name) where its record lies.
        refused: Samples that cannot be used, with the reason.
        left_out: Samples that a rule of the source leaves out once it has seen them, and why.
        reused: Whether all files were there already, made from equal inputs and options.
    """

    places: dict[str, dict[str, Placed]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    reused: bool = False


def tasks_of(plan: Plan, shard: int) -> list[WriteTask]:
    """Tasks for the items of a listing: a file for each, or ``shard`` of them in a file."""
    tasks = []
    for split in SPLITS:
        inside = plan.inside(split)
        for number, start in enumerate(range(0, len(inside), shard)):
            part = tuple(inside[start : start + shard])
            # Shards are numbered anew in each split, whose folder tells them apart.
            stem = part[0].name if shard == 1 else f"{plan.listing.name}__shard-{number:05d}"
            tasks.append(WriteTask(f"{split}/{stem}.tfrecord", part))
    return tasks


def write_samples(
    source: Source, data_root: Path, tasks: Sequence[WriteTask], workers: int, report: StepReport
) -> Written:
    """Write the files of all tasks, but those that are current.

    Raises:
        DatasetError: A full disk, a killed worker: nothing a data set may be finished with.
    """
    every = Written({draft.name: {} for draft in source.drafts})
    work = partial(write_file, source, data_root)
    for task, result in parallel_map(
        work, tasks, workers=workers, label=lambda task: task.file, desc="records"
    ):
        # A sample that cannot be used is none: write_file took note of it.
        if isinstance(result, Failure):
            raise DatasetError(
                f"could not be written ({result.reason})",
                where=task.file,
                hint="mend that and repeat the command; finished files are kept",
            )
        for dataset, placed in result.places.items():
            every.places[dataset].update(placed)
        every.refused.update(result.refused)
        every.left_out.update(result.left_out)
        _count(result, task, report)
    return every


def _count(written: Written, task: WriteTask, report: StepReport) -> None:
    for item in task.items:
        if item.name in written.refused:
            report.failed(item.name, written.refused[item.name])
        elif written.reused:
            report.skipped(item.name)
        else:
            report.done(item.name)


def write_file(source: Source, data_root: Path, task: WriteTask) -> Written:
    """Write one file in every data set, unless all are current.

    A sample that cannot be used, for whatever error of its source, is left out of all data sets, so
    they keep the same members.
    """
    # All or none: the siblings' records come from one reading, which is what costs.
    current = current_places(source, data_root, task)
    if current is not None:
        return Written(current, reused=True)
    serialised: dict[str, list[tuple[bytes, int]]] = {draft.name: [] for draft in source.drafts}
    refused: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for item in task.items:
        # Around the reading alone: a disk that is full while writing is no fault of the sample.
        made = attempt(partial(_serialised, source), item)
        if isinstance(made, Failure):
            refused[item.name] = made.reason
        elif isinstance(made, LeftOut):
            left_out[item.name] = " ".join(str(made).split())
        else:
            for name, record in made.items():
                serialised[name].append(record)
    kept = [item for item in task.items if item.name not in refused | left_out]
    places = {}
    for draft in source.drafts:
        path = folder_of(data_root, draft) / task.file
        places[draft.name] = _write(path, kept, serialised[draft.name])
    return Written(places, refused, left_out)


def source_key(source: Source, item: Item, draft: DatasetContract) -> str:
    """What a record was made from: equal keys give equal records."""
    made = dict(item.made_from)
    # Flat as ever, that files from before stay current, but where a name would hide ours.
    if made.keys() & {"version", "form", "made_from"}:
        made = {"made_from": made}
    return fingerprint({"version": source.version, **made, "form": draft.form()})


def _serialised(source: Source, item: Item) -> dict[str, tuple[bytes, int]] | LeftOut:
    """A sample's record, and its incomplete blocks, for every data set; or why it has none."""
    made = {}
    try:
        records = tuple(source.read(item))
    except LeftOut as rule:
        return rule
    if len(records) != len(source.drafts):
        what = f"its source gave {len(records)} records for {len(source.drafts)} data sets"
        raise DatasetError(what, where=item.name)
    for draft, record in zip(source.drafts, records, strict=True):
        # Its file and its line in split.csv bear the item's name: under another nobody finds it.
        if record.name != item.name:
            raise DatasetError(f"its record is named '{record.name}'", where=item.name)
        if source.shared_target and not _same_values(record, records[0]):
            raise DatasetError("its siblings have several targets", where=item.name)
        key, incomplete = source_key(source, item, draft), record.incomplete_blocks
        # The count goes along: a repeat that keeps the file never makes the sample again.
        text = json.dumps({"key": key, "incomplete": incomplete})
        made[draft.name] = (encode(record, draft, text), incomplete)
    return made


def _same_values(record: TileRecord, first: TileRecord) -> bool:
    # Mostly it is the very same array, which costs nothing to see.
    return record.target is first.target or np.array_equal(record.target, first.target)


def _write(
    path: Path, kept: Sequence[Item], serialised: Sequence[tuple[bytes, int]]
) -> dict[str, Placed]:
    # A file of an earlier run would go on holding samples that are refused now.
    if not kept:
        files.remove(path)
        return {}
    spots = write_records(path, [data for data, _ in serialised])
    digest = files.sha256(path)
    return {
        item.name: Placed(number, *spots[number], digest, serialised[number][1])
        for number, item in enumerate(kept)
    }


def current_places(
    source: Source, data_root: Path, task: WriteTask
) -> dict[str, dict[str, Placed]] | None:
    """Where the records of a task lie if its files are there, made from equal inputs and options.

    None where one of them is not.
    """
    found = {}
    for draft in source.drafts:
        places = _current(source, draft, folder_of(data_root, draft) / task.file, task.items)
        if places is None:
            return None
        found[draft.name] = places
    return found


def _current(
    source: Source, draft: DatasetContract, path: Path, items: Sequence[Item]
) -> dict[str, Placed] | None:
    """Where the records lie if the file holds exactly these items made from equal inputs."""
    # One shard may hold other items than in an earlier run, under the same name.
    found = scan_file(path)
    if found is None or len(found) != len(items):
        return None
    digest = files.sha256(path)
    spots = record_places([len(data) for _, data in found])
    places = {}
    for number, (item, (_, data)) in enumerate(zip(items, found, strict=True)):
        incomplete = _incomplete_if_same(data, item, source_key(source, item, draft))
        if incomplete is None:
            return None
        places[item.name] = Placed(number, *spots[number], digest, incomplete)
    return places


def _incomplete_if_same(data: bytes, item: Item, key: str) -> int | None:
    try:
        name, text = identity(data)
        made = json.loads(text)
        return int(made["incomplete"]) if (name, made["key"]) == (item.name, key) else None
    except (DatasetError, ValueError, KeyError, TypeError):
        return None
