"""From a source to data sets: look around, plan splits, write samples, finish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from sensor2sensor.core import cli
from sensor2sensor.core.cluster import require_folders
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import require_tensorflow
from sensor2sensor.core.parts import Parts, of_a_part, of_the_whole
from sensor2sensor.dataset.compact import compacted
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import DROPPED
from sensor2sensor.dataset.splits import SplitRule
from sensor2sensor.sources.source import Listing, Source, folder_of
from sensor2sensor.sources.writer import alignment
from sensor2sensor.sources.writer.agreement import held_options
from sensor2sensor.sources.writer.existing import (
    There,
    begin,
    look_around,
    lost_with,
    remove_listed,
    sweep,
)
from sensor2sensor.sources.writer.finish import dropped_text, finish_all
from sensor2sensor.sources.writer.leftout import remember, remembered, tell, tell_doubles
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.plan import (
    Plan,
    plan_splits,
    require_splits,
    with_given_splits,
    without_doubles,
)
from sensor2sensor.sources.writer.samples import (
    WriteTask,
    held_records,
    require_samples,
    tasks_of,
    write_samples,
)


def write(source: Source, data_root: Path, options: WriteOptions) -> int:
    """Write the data sets of a source below ``data_root``, or go on with them.

    A repeat keeps every file that is current; a run that was killed anywhere is repeated with the
    same command. ``dataset.json`` comes last: without it a folder is no data set.

    Returns:
        0, or 1 where a sample had to be refused.

    Raises:
        Sensor2SensorError: What is there forbids it, a split would be empty, a target band has no
            span, or files could not be written.
    """
    # In one line and at once, not from a worker in the middle of the run.
    if not options.dry_run:
        require_tensorflow()
    require_folders(data_root)
    if options.compact:
        source.drafts = tuple(map(compacted, source.drafts))
        source.command += " --compact"
    report = cli.StepReport(f"step {source.step}", dry_run=options.dry_run)
    given = source.drafts[0].split_policy.by == "given"
    listing = source.plan().first(options.limit, given=given)
    there = look_around(source, listing, data_root, options)
    plan = _planned(source, listing, there, report)
    for line in plan.listing.notes:
        report.note(line)
    tasks = _tasks(source, data_root, there, plan, options)
    folders = [folder_of(data_root, draft) for draft in source.drafts]
    if all(folder in there.kept and there.kept[folder].holds(listing) for folder in folders):
        for task in tasks:
            for item in task.items:
                if item.name not in task.left_out:
                    report.skipped(item.name)
        tell(listing, sum(len(task.left_out) for task in tasks), report)
        tell_doubles(listing.name, there.kept[folders[0]].rows, report)
        for draft in source.drafts if source.looks_for_shift else ():
            for line in alignment.lines_of(alignment.known(folder_of(data_root, draft))):
                report.note(f"{draft.name}: {line}")
    elif options.dry_run:
        if options.merge:
            _parts(source, data_root, listing, tasks, options).collect(options.merge)
        _announce(source, data_root, there, plan, tasks, report)
    else:
        _write(source, data_root, options, listing, there, plan, tasks, report)
    return report.finish()


def _write(
    source: Source,
    data_root: Path,
    options: WriteOptions,
    listing: Listing,
    there: There,
    plan: Plan,
    tasks: list[WriteTask],
    report: cli.StepReport,
) -> None:
    """Write the records of all tasks, or of a part's, and what is of the whole data sets."""
    folders, part = [folder_of(data_root, draft) for draft in source.drafts], options.part
    if there.replaced and (part or options.merge):  # others may be writing there
        hint = "delete them, or give another --dataset"
        raise InputError("parts cannot replace data sets", where=there.replaced[0], hint=hint)
    # All siblings before the first change: two runs must not mix their members.
    with ExitStack() as locks:
        for folder in folders:
            lock = folder / ".lock"
            locks.enter_context(of_a_part(lock, part) if part else of_the_whole(lock))
        # Another run may have ended since: what it left must not be written over unseen.
        now = look_around(source, listing, data_root, options)
        if now != there:
            there, plan = now, _planned(source, listing, now, report)
            tasks = _tasks(source, data_root, there, plan, options)
        tell_doubles(listing.name, [*plan.rows.values()], report)
        _tell_lost(there, listing, report)
        parts = _parts(source, data_root, listing, tasks, options)
        if options.merge:
            tasks = _as_parts_left_them(tasks, parts, options.merge)
        # Old files go first: a name may stand for other samples now, or in another split.
        if there.replaced:
            require_samples(source, tasks)
        for folder in there.replaced:
            remove_listed(folder)
        held = held_options(source, options)
        for folder in folders:
            if not part:
                sweep(folder)
            begin(folder, there.kept.get(folder), held, listing.name, [t.file for t in tasks])
        if part:
            parts.begin(part)
        share = part.share(tasks) if part else tasks
        written = write_samples(source, data_root, share, options.workers, report)
        if part:
            parts.end(part, (), refused=written.refused, left_out=written.left_out)
            report.note(f"part {part}; --merge {part.of} joins all and finishes the data set")
            return
        # Before the tables, which may be refused: what was looked at is known all the same.
        remember(source, data_root, there, plan.listing, written.left_out)
        tell(listing, len(written.left_out), report)
        finish_all(source, data_root, options, there, plan, tasks, written, report)
        parts.clear()


def _tell_lost(there: There, listing: Listing, report: cli.StepReport) -> None:
    """Say which samples of before a run takes out."""
    for name, count in lost_with(there.replaced, listing.name).items():
        report.note(
            f"--force removes {count} samples of {name} too; repeat it with --add after this"
        )
    if gone := len(there.no_more_in(listing)):
        report.note(f"{gone} samples of before are taken out: {listing.name} lists them no more")


def _parts(
    source: Source,
    data_root: Path,
    listing: Listing,
    tasks: Sequence[WriteTask],
    options: WriteOptions,
) -> Parts:
    """The notes of the parts of one data set, and what these agree in."""
    facts = {key: listing.facts[key] for key in listing.decisive}
    asked = {"options": held_options(source, options), "of": listing.name, "facts": facts}
    first = folder_of(data_root, source.drafts[0])
    return Parts(first, asked, [task.file for task in tasks])


def _as_parts_left_them(tasks: Sequence[WriteTask], parts: Parts, of: int) -> list[WriteTask]:
    """The tasks with what parts know of their samples: none of them is read again."""
    notes = parts.collect(of).notes
    refused = {name: why for note in notes for name, why in note["refused"].items()}
    left_out = {name: why for note in notes for name, why in note["left_out"].items()}
    done = []
    for task in tasks:
        known = {one.name: left_out[one.name] for one in task.items if one.name in left_out}
        left = {**task.left_out, **known}
        why = {one.name: refused[one.name] for one in task.items if one.name in refused}
        done.append(replace(task, left_out=left, refused=why))
    return done


def _tasks(
    source: Source, data_root: Path, there: There, plan: Plan, options: WriteOptions
) -> list[WriteTask]:
    known = remembered(source, data_root, there, plan.listing.items)
    return tasks_of(plan, options.shard, known)


def _planned(source: Source, listing: Listing, there: There, report: cli.StepReport) -> Plan:
    """The splits of a listing beside what is there, none of them empty."""
    plan, kept = (
        plan_splits(listing, _rule(source, listing, there, report)),
        there.rows(listing.name),
    )
    require_splits(plan, kept, source.dataset)
    if source.one_look_one_tile:
        plan = without_doubles(plan, kept)
    return plan


def _rule(source: Source, listing: Listing, there: There, report: cli.StepReport) -> SplitRule:
    """How the listing is split: what is there already keeps its splits and its guard."""
    policy, bound = source.drafts[0].split_policy, there.bound(listing.name)
    if policy.by == "given":
        bound = with_given_splits(listing, bound)
    kept, wanted = there.guard_m, policy.guard_m
    if kept is None or kept == wanted:
        return SplitRule.of(policy, bound, wanted)
    has = f"keeps its guard of {kept:g} m" if kept else "was made without a guard between splits"
    report.note(
        f"data set '{source.dataset}' {has}; --force makes it anew with the {wanted:g} m that keep"
        " every input pixel in one split"
    )
    return SplitRule.of(policy, bound, kept)


def _announce(
    source: Source,
    data_root: Path,
    there: There,
    plan: Plan,
    tasks: Sequence[WriteTask],
    report: cli.StepReport,
) -> None:
    """Say what a run would do."""
    rows = [*there.rows(plan.listing.name), *plan.rows.values()]
    counts, by_guard = Counter(row.split for row in rows), sum(row.by_guard for row in rows)
    tell_doubles(plan.listing.name, [*plan.rows.values()], report)
    _tell_lost(there, plan.listing, report)
    for folder in there.replaced:
        report.note(f"would remove what {folder.parent.name}/{folder.name} lists")
    for draft in source.drafts:
        numbers = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
        dropped = dropped_text(counts[DROPPED], by_guard)
        report.note(f"would write {draft.name}: {numbers}, {dropped}")
    for task in tasks:
        held = {} if there.replaced else held_records(source, data_root, task).records
        for item in (one for one in task.items if one.name not in task.left_out):
            (report.skipped if item.name in held else report.done)(item.name)
    tell(plan.listing, sum(len(task.left_out) for task in tasks), report)
