"""Writing records: one task for each file name, the same samples in every sibling data set.

A sample is read where one sibling lacks its record; a file is written where its records change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from sensor2sensor.dataset.records import TileRecord, encode, identity, pixels_sha256
from sensor2sensor.sources.source import Item, LeftOut, Source, folder_of
from sensor2sensor.sources.writer.plan import Plan


@dataclass(frozen=True)
class WriteTask:
    """The items of one file, to be written in every data set.

    Attributes:
        file: Path below each data set's folder.
        items: In order.
        left_out: Those that a rule left out in an earlier run once it had seen them, and why.
        refused: Those that its part refused, and why; None unless parts have made the file, and
            nothing is read any more.
    """

    file: str
    items: tuple[Item, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] | None = None


class Placed(NamedTuple):
    """Where a sample's record lies in one data set, and how many input blocks lack pixels."""

    record: int
    offset: int
    length: int
    sha256: str
    incomplete_blocks: int


class Stored(NamedTuple):
    """A serialised record, and how many of its input blocks lack pixels."""

    data: bytes
    incomplete_blocks: int


Siblings = Mapping[str, Stored]  # of one sample, by data set


@dataclass(frozen=True)
class Written:
    """What came of a task, or of all.

    Attributes:
        places: For each data set (by name) and sample (by name) where its record lies.
        refused: Samples that cannot be used, with the reason.
        left_out: Samples that a rule of the source leaves out once it has seen them, and why.
        reused: Samples whose records were there already, made from equal inputs and options.
        shown: Digests of the pixels of samples that lie nowhere known, by name.
    """

    places: dict[str, dict[str, Placed]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    reused: frozenset[str] = frozenset()
    shown: dict[str, str] = field(default_factory=dict)


def tasks_of(plan: Plan, shard: int, left_out: Mapping[str, str]) -> list[WriteTask]:
    """Tasks for the items of a listing: a file for each, or ``shard`` of them in a file.

    Args:
        plan: Of the listing.
        shard: Samples in a file.
        left_out: What is known to be left out (:func:`writer.leftout.remembered`). It has its place
            in a shard all the same, so that no other sample moves.
    """
    tasks = []
    for split in SPLITS:
        # A source may make a sample otherwise for training than for what is scored.
        inside = [replace(item, split=split) for item in plan.inside(split)]
        for number, start in enumerate(range(0, len(inside), shard)):
            part = tuple(inside[start : start + shard])
            # Shards are numbered anew in each split, whose folder tells them apart.
            stem = part[0].name if shard == 1 else f"{plan.listing.name}__shard-{number:05d}"
            known = {item.name: left_out[item.name] for item in part if item.name in left_out}
            tasks.append(WriteTask(f"{split}/{stem}.tfrecord", part, known))
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
        every.shown.update(result.shown)
        _count(result, task, report)
    return every


def _count(written: Written, task: WriteTask, report: StepReport) -> None:
    for item in task.items:
        if item.name in written.refused:
            report.failed(item.name, written.refused[item.name])
        elif item.name in written.reused:
            report.skipped(item.name)
        elif item.name not in written.left_out:
            report.done(item.name)


def require_samples(source: Source, tasks: Sequence[WriteTask]) -> None:
    """Hold that each split has a sample, before another data set is given up for this one.

    Raises:
        DatasetError: None of a split's samples can be used.
    """
    for split in SPLITS:
        why = ""
        for item in (i for task in tasks if task.file.startswith(f"{split}/") for i in task.items):
            found = attempt(partial(_serialised, source), item)
            if isinstance(found, dict):
                break
            reason = found.reason if isinstance(found, Failure) else str(found)
            why = why or " ".join(reason.split())
        else:
            if why:
                what = f"no sample of {split} can be used ({why})"
                hint = "mend that and repeat the command; the data sets there stay as they are"
                raise DatasetError(what, where=source.dataset, hint=hint)


def write_file(source: Source, data_root: Path, task: WriteTask) -> Written:
    """Write one file in every data set, unless all are current.

    A sample that cannot be used, for whatever error of its source, is left out of all data sets, so
    they keep the same members.
    """
    held = held_records(source, data_root, task)
    made: dict[str, Siblings] = {}
    refused: dict[str, str] = {}
    left_out = dict(task.left_out)
    for item in task.items:
        if item.name in left_out:
            continue
        if item.name in held.records:
            made[item.name] = held.records[item.name]
            continue
        if task.refused is not None:
            if item.name not in task.refused:
                raise DatasetError(f"the record of {item.name} is not as its part left it")
            refused[item.name] = task.refused[item.name]
            continue
        # Around the reading alone: a disk that is full while writing is no fault of the sample.
        found = attempt(partial(_serialised, source), item)
        if isinstance(found, Failure):
            named = "" if source.reasons_with_names else f"{item.name}: "
            refused[item.name] = found.reason.removeprefix(named)
        elif isinstance(found, LeftOut):
            left_out[item.name] = " ".join(str(found).split())
        else:
            made[item.name] = found
    reused = frozenset(made.keys() & held.records.keys())
    places = {}
    for draft in source.drafts:
        path = folder_of(data_root, draft) / task.file
        records = {name: siblings[draft.name] for name, siblings in made.items()}
        # A refused sample that is tried again in vain changes nothing in its shard.
        current = len(reused) == len(made) and held.order[draft.name] == list(made)
        places[draft.name] = _placed(path, records, current=current)
    nowhere, one = {item.name for item in task.items if item.place is None}, source.drafts[0]
    data = {name: siblings[one.name].data for name, siblings in made.items() if name in nowhere}
    shown = {name: pixels_sha256(record, one) for name, record in data.items()}
    return Written(places, refused, left_out, reused, shown)


def source_key(source: Source, item: Item, draft: DatasetContract) -> str:
    """What a record was made from: equal keys give equal records."""
    made = dict(item.made_from)
    # Flat as ever, that files from before stay current, but where a name would hide ours.
    if made.keys() & {"version", "form", "made_from"}:
        made = {"made_from": made}
    form = draft.form()
    for band in (*form["input"]["bands"], *form["target"]["bands"]):
        # A mean over the satellites of all tiles: one of another would make every record stale.
        band.pop("wavelength_nm", None)
    return fingerprint({"version": source.version, **made, "form": form})


def _serialised(source: Source, item: Item) -> Siblings | LeftOut:
    """A sample's records for every data set; or why it has none."""
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
        made[draft.name] = Stored(encode(record, draft, text), incomplete)
    return made


def _same_values(record: TileRecord, first: TileRecord) -> bool:
    # Mostly it is the very same array, which costs nothing to see.
    return record.target is first.target or np.array_equal(record.target, first.target)


def _placed(path: Path, records: Mapping[str, Stored], *, current: bool) -> dict[str, Placed]:
    """Where the records of a file lie, which is written unless it holds just these."""
    # A file of an earlier run would go on holding samples that are refused now.
    if not records:
        files.remove(path)
        return {}
    if not current:
        write_records(path, [record.data for record in records.values()])
    spots = record_places([len(record.data) for record in records.values()])
    digest = files.sha256(path)
    return {
        name: Placed(number, *spots[number], digest, record.incomplete_blocks)
        for number, (name, record) in enumerate(records.items())
    }


@dataclass(frozen=True)
class Held:
    """What the files of a task hold already.

    Attributes:
        records: By sample its records, where every data set has one made from equal inputs.
        order: By data set the names of all records in its file, empty for those of other inputs.
    """

    records: Mapping[str, Siblings]
    order: Mapping[str, list[str]]


def held_records(source: Source, data_root: Path, task: WriteTask) -> Held:
    """The records of a task that are there, made from equal inputs and options."""
    found = {}
    for draft in source.drafts:
        keys = {item.name: source_key(source, item, draft) for item in task.items}
        found[draft.name] = _records_of(folder_of(data_root, draft) / task.file, keys)
    # All or none: the siblings' records come from one reading, which is what costs.
    whole = set.intersection(*(set(dict(records)) for records in found.values())) - {""}
    by_name = {dataset: dict(records) for dataset, records in found.items()}
    return Held(
        {name: {dataset: by_name[dataset][name] for dataset in found} for name in whole},
        {dataset: [name for name, _ in records] for dataset, records in found.items()},
    )


def _records_of(path: Path, keys: Mapping[str, str]) -> list[tuple[str, Stored]]:
    """Name and record of all that a file holds, the name empty where its key is another."""
    found = [(data, *_identity(data)) for _, data in scan_file(path) or ()]
    # One shard may hold other items than in an earlier run, under the same name.
    return [
        (name if keys.get(name) == key else "", Stored(data, incomplete))
        for data, name, key, incomplete in found
    ]


def _identity(data: bytes) -> tuple[str, str, int]:
    """Name, key and incomplete blocks of a serialised record, empty where it does not say."""
    try:
        name, text = identity(data)
        made = json.loads(text)
        return name, str(made["key"]), int(made["incomplete"])
    except (DatasetError, ValueError, KeyError, TypeError):
        return "", "", 0
