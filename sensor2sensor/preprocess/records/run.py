r"""Make data sets out of tiles: cur_D (Sentinel-3 input) and alt<f>_D (degraded Sentinel-2 input).

    python preprocessing/50_create_tfrecords.py --inventory inv_T17XNA_10h --dataset arctic \
        --tilesize 256 --train_ratio 0.95 --val_ratio 0.05 --factors 3,6,12,20,30 --workers 4

Writes <dataset>/<tilesize>/{train,val,test}/*.tfrecord, split.csv and dataset.json. Tiles go to
their splits by the ground they show; with --add another inventory joins and no ground moves.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.notices import require_tensorflow
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import DROPPED
from sensor2sensor.dataset.splits import require_all
from sensor2sensor.preprocess.records.finish import Outcome, dropped_text, finish_all
from sensor2sensor.preprocess.records.forms import guard_m, siblings_for
from sensor2sensor.preprocess.records.inputs import TileSet, read_tiles
from sensor2sensor.preprocess.records.options import (
    DatasetOptions,
    add_arguments,
    from_arguments,
)
from sensor2sensor.preprocess.records.plan import Plan, make_plan
from sensor2sensor.preprocess.records.state import (
    BUILDING_FILE,
    Existing,
    bound_units,
    check,
    check_pixels,
    find_siblings,
    is_done,
    kept_guard_m,
    kept_rows,
    look,
    remove_listed,
)
from sensor2sensor.preprocess.records.write import (
    Sibling,
    WriteTask,
    Written,
    group,
    is_current,
    process,
)


def main(argv: Sequence[str] | None = None, *, doc: str = __doc__) -> int:
    """Run step 50 from the command line; returns the exit code."""
    parser = cli.parser(doc, prog="50_create_tfrecords.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Plan, check what is there, write records, split tables and contracts.

    Returns:
        0, or 1 where a tile had to be refused.
    """
    if not args.dry_run:
        require_tensorflow()
    env = load_environment(args.environment)
    options = from_arguments(args)
    tiles = read_tiles(env, options.inventory, options.tile_px)
    siblings = siblings_for(Path(env.data_root), options, tiles)
    report = cli.StepReport("step 50", dry_run=args.dry_run)
    found = find_siblings(Path(env.data_root), options.dataset, options.tile_px)
    if args.force:
        existing: list[Existing] = []
    else:
        existing = [look(folder) for folder in found]
        check(existing, _compared(options, tiles), tiles, adding=args.add)
        if args.add and not any(item.contract for item in existing):
            raise InputError(
                f"there is no data set '{options.dataset}' to add to",
                where=env.data_root,
                hint="leave out --add",
            )
        check_pixels(existing, {s.folder: s.draft.input.pixel_m for s in siblings})
    guard = _guard_m(existing, options, tiles, report)
    plan = make_plan(tiles, options, bound_units(existing, tiles.inventory), guard)
    _require_all(plan, existing, options)
    _note_shifts(plan, options, report)
    if args.dry_run:
        return _announce(plan, siblings, existing, options, found if args.force else [], report)
    with ExitStack() as locks:
        for sibling in siblings:
            locks.enter_context(files.lock(sibling.folder / ".lock"))
        for folder in found if args.force else []:
            remove_listed(folder)
        _build(plan, siblings, existing, options, args.workers, report)
    return report.finish()


def _compared(options: DatasetOptions, tiles: TileSet) -> dict[str, object]:
    """Options of this step and those of step 40 that all inventories of a data set must share."""
    shared = {key: tiles.options.get(key) for key in ("bands", "level")}
    return {
        **options.record(),
        "resolution_m": tiles.resolution_m,
        "sentinel3": tiles.with_s3,
        **shared,
    }


def _guard_m(
    existing: Sequence[Existing], options: DatasetOptions, tiles: TileSet, report: cli.StepReport
) -> float:
    """The guard of these data sets: once made, they keep the one they have, and it is said."""
    wanted, kept = guard_m(options, tiles), kept_guard_m(existing)
    if kept is None or kept == wanted:
        return wanted
    has = f"keeps its guard of {kept:g} m" if kept else "was made without a guard between splits"
    report.note(
        f"data set '{options.dataset}' {has}; --force makes it anew with the {wanted:g} m that keep"
        " every input pixel in one split"
    )
    return kept


def _note_shifts(plan: Plan, options: DatasetOptions, report: cli.StepReport) -> None:
    """Count what ``--max-shift`` decided."""
    if not options.limits_shift:
        return
    beyond, unknown = plan.shifted()
    became = "left out" if options.unknown_shift == "drop" else "kept (--unknown-shift keep)"
    report.note(
        f"shift between the sensors: {beyond} tiles beyond {options.max_shift_m:g} m left out,"
        f" {unknown} of unknown shift {became}"
    )


def _require_all(plan: Plan, existing: Sequence[Existing], options: DatasetOptions) -> None:
    """Refuse an empty split before anything is written."""
    old = max((kept_rows(item, plan.tiles.inventory) for item in existing), key=len, default=[])
    units = {
        name: touched
        for name, touched in plan.guarded.items()
        if not plan.reasons.get(name, "").startswith("shift")
    }
    units |= {row.name: tuple(row.block.split("+")) for row in old if row.split in SPLITS}
    beyond, unknown = plan.shifted()
    ways = []
    if beyond:
        ways.append(f"a larger --max-shift ({beyond} tiles lie beyond {options.max_shift_m:g} m)")
    if unknown and options.unknown_shift == "drop":
        ways.append(f"--unknown-shift keep ({unknown} tiles are of unknown shift)")
    lost = len(plan.guarded) - len(set(plan.guarded) & set(units))
    text = f"; {lost} of {len(plan.guarded)} tiles are left out by --max-shift" if lost else ""
    require_all(units, plan.rule, f"data set '{options.dataset}'", left_out=text, ways=ways)


def _announce(
    plan: Plan,
    siblings: tuple[Sibling, ...],
    existing: Sequence[Existing],
    options: DatasetOptions,
    replaced: Sequence[Path],
    report: cli.StepReport,
) -> int:
    tasks = _tasks(plan, siblings, options)
    if _all_done(plan, siblings, existing, tasks, report):
        return report.finish()
    counts = Counter(plan.splits.values())
    by_guard = sum(row.by_guard for row in plan.rows().values())
    for folder in replaced:
        report.note(f"would remove what {folder.parent.name}/{folder.name} lists")
    for sibling in siblings:
        numbers = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
        dropped = dropped_text(counts[DROPPED], by_guard)
        report.note(f"would write {sibling.draft.name}: {numbers}, {dropped}")
    for task in tasks:
        there = not replaced and is_current(task)
        for tile in task.tiles:
            (report.skipped if there else report.done)(tile.name)
    return report.finish()


def _tasks(plan: Plan, siblings: tuple[Sibling, ...], options: DatasetOptions) -> list[WriteTask]:
    inventory = plan.tiles.inventory
    return group(plan.tiles.tiles, plan.splits, inventory, options.shard, siblings)


def _all_done(
    plan: Plan,
    siblings: tuple[Sibling, ...],
    existing: Sequence[Existing],
    tasks: Sequence[WriteTask],
    report: cli.StepReport,
) -> bool:
    """Whether every data set holds the inventory already; its tiles are counted if so."""
    by_folder = {item.folder: item for item in existing}
    done = all(s.folder in by_folder and is_done(by_folder[s.folder], plan.tiles) for s in siblings)
    for task in tasks if done else ():
        for tile in task.tiles:
            report.skipped(tile.name)
    return done


def _build(
    plan: Plan,
    siblings: tuple[Sibling, ...],
    existing: Sequence[Existing],
    options: DatasetOptions,
    workers: int,
    report: cli.StepReport,
) -> None:
    by_folder = {item.folder: item for item in existing}
    tasks = _tasks(plan, siblings, options)
    if _all_done(plan, siblings, existing, tasks, report):
        return
    for sibling in siblings:
        for split in SPLITS:
            files.sweep(sibling.folder / split)
        files.sweep(sibling.folder)
        _start(
            sibling,
            by_folder.get(sibling.folder),
            [task.file for task in tasks],
            _compared(options, plan.tiles),
            plan.tiles.inventory,
        )
    outcome = Outcome(plan.rows(), {s.draft.name: {} for s in siblings}, {})
    for task, result in parallel_map(
        process, tasks, workers=workers, label=lambda task: task.file, desc="records"
    ):
        written = _as_written(result)
        outcome.add(task, written)
        _count(written, [tile.name for tile in task.tiles], report)
    command = options.command(plan.tiles.inventory)
    finish_all(
        outcome,
        siblings,
        by_folder,
        plan.tiles,
        plan.rule,
        _compared(options, plan.tiles),
        command,
        report,
    )


def _start(
    sibling: Sibling,
    item: Existing | None,
    planned: list[str],
    options: dict[str, object],
    inventory: str,
) -> None:
    """Say what is being built, so that a cut-off run can be recognised, repeated or removed."""
    old = item.listed_files() if item is not None else []
    known = list(item.inventories) if item is not None else []
    inventories = [name for name in known if name != inventory] + [inventory]
    content = {"options": options, "inventories": inventories, "files": sorted({*planned, *old})}
    if item is None or item.building != content:
        files.write_json(sibling.folder / BUILDING_FILE, content)


def _as_written(result: Written | Failure[WriteTask]) -> Written:
    """Tiles that cannot be used are refused; a file that cannot be written ends the run.

    Raises:
        DatasetError: A full disk, a killed worker: nothing a data set may be finished with.
    """
    if isinstance(result, Failure):
        raise DatasetError(
            f"could not be written ({result.reason})",
            where=result.item.file,
            hint="mend that and repeat the command; finished files are kept",
        )
    return result


def _count(written: Written, names: list[str], report: cli.StepReport) -> None:
    for name in names:
        if name in written.refused:
            report.failed(name, written.refused[name])
        elif written.reused:
            report.skipped(name)
        else:
            report.done(name)
