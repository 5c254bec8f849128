"""Step 50: make data sets of records, split by ground, out of the tiles of an inventory."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.dataset.blocks import BlockGrid
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import DROPPED, SplitRow, guard_reason
from sensor2sensor.dataset.splits import SplitRule, require_all
from sensor2sensor.preprocess.tfrecords_finish import Outcome, dropped_text, finish_all
from sensor2sensor.preprocess.tfrecords_forms import guard_m, siblings_for
from sensor2sensor.preprocess.tfrecords_inputs import Tile, TileSet, read_tiles
from sensor2sensor.preprocess.tfrecords_options import (
    DatasetOptions,
    add_arguments,
    from_arguments,
)
from sensor2sensor.preprocess.tfrecords_state import (
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
from sensor2sensor.preprocess.tfrecords_write import Sibling, WriteTask, Written, group, process


@dataclass(frozen=True)
class Plan:
    """Which tile goes where.

    Attributes:
        tiles: Of the inventory.
        units: Blocks (or the acquisition) of each tile by name.
        guarded: These and the blocks within its guard: what decides on its split.
        splits: Split of each tile by name, or ``dropped``.
        reasons: Why tiles were dropped; of tiles that are kept, what is not known of them.
        rule: How they were split.
    """

    tiles: TileSet
    units: dict[str, tuple[str, ...]]
    guarded: dict[str, tuple[str, ...]]
    splits: dict[str, str]
    reasons: dict[str, str]
    rule: SplitRule


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
    env = load_environment(args.environment)
    options = from_arguments(args)
    tiles = read_tiles(env, options.inventory, options.tile_px)
    siblings = siblings_for(Path(env.data_root), options, tiles)
    report = cli.StepReport("step 50")
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
        return _announce(plan, siblings, found if args.force else [], report)
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


def make_plan(tiles: TileSet, options: DatasetOptions, bound: dict[str, str], guard: float) -> Plan:
    """Give every tile its split; nothing is read or written."""
    grid = BlockGrid(options.block_tiles * options.tile_px * tiles.resolution_m)
    rule = SplitRule(
        options.split_by, options.seed, options.train_ratio, options.val_ratio, grid, bound, guard
    )
    units = {tile.name: rule.units(tile.place) for tile in tiles.tiles}
    guarded = {tile.name: rule.guarded(tile.place) for tile in tiles.tiles}
    splits, reasons = {}, {}
    for tile in tiles.tiles:
        reason = _shifted(tile, options) or _between(rule, units, guarded, tile.name)
        splits[tile.name] = DROPPED if reason else rule.split_of(guarded[tile.name])
        if reason := reason or _kept_unknown(tile, options):
            reasons[tile.name] = reason
    return Plan(tiles, units, guarded, splits, reasons, rule)


def _between(
    rule: SplitRule,
    units: dict[str, tuple[str, ...]],
    guarded: dict[str, tuple[str, ...]],
    name: str,
) -> str | None:
    """Why a tile belongs to no split, or None."""
    if rule.split_of(units[name]) == DROPPED:
        return f"touches {rule.by}s of two splits"
    return guard_reason(rule.guard_m) if rule.split_of(guarded[name]) == DROPPED else None


def _shifted(tile: Tile, options: DatasetOptions) -> str | None:
    """Why the shift between the sensors rules a tile out, or None."""
    if options.max_shift_m is None or not tile.s3:
        return None
    unknown = tile.unknown_shift(options.shift_quality)
    if unknown is not None or tile.shift_m is None:
        return unknown if options.unknown_shift == "drop" else None
    return None if tile.shift_m <= options.max_shift_m else f"shift of {tile.shift_m:g} m"


def _kept_unknown(tile: Tile, options: DatasetOptions) -> str | None:
    """What the ledger says of a tile that is kept although its shift is not known."""
    if not options.limits_shift or not tile.s3:
        return None
    unknown = tile.unknown_shift(options.shift_quality)
    return None if unknown is None else f"kept: {unknown}"


def _note_shifts(plan: Plan, options: DatasetOptions, report: cli.StepReport) -> None:
    """Count what ``--max-shift`` decided."""
    if not options.limits_shift:
        return
    reasons = list(plan.reasons.values())
    unknown = sum("not known" in reason for reason in reasons)
    beyond = sum(reason.startswith("shift of") for reason in reasons)
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
    require_all(units, plan.rule, f"data set '{options.dataset}'")


def _announce(
    plan: Plan, siblings: Sequence[Sibling], replaced: Sequence[Path], report: cli.StepReport
) -> int:
    counts = Counter(plan.splits.values())
    by_guard = sum(row.by_guard for row in _new_rows(plan).values())
    for folder in replaced:
        report.note(f"would remove what {folder.parent.name}/{folder.name} lists")
    for sibling in siblings:
        numbers = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
        dropped = dropped_text(counts[DROPPED], by_guard)
        report.note(f"would write {sibling.draft.name}: {numbers}, {dropped}")
    return report.finish()


def _build(
    plan: Plan,
    siblings: tuple[Sibling, ...],
    existing: Sequence[Existing],
    options: DatasetOptions,
    workers: int,
    report: cli.StepReport,
) -> None:
    by_folder = {item.folder: item for item in existing}
    if all(s.folder in by_folder and is_done(by_folder[s.folder], plan.tiles) for s in siblings):
        for sibling in siblings:
            report.skipped(sibling.draft.name)
        return
    tasks = group(plan.tiles.tiles, plan.splits, plan.tiles.inventory, options.shard, siblings)
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
    outcome = Outcome(_new_rows(plan), {s.draft.name: {} for s in siblings}, {})
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


def _new_rows(plan: Plan) -> dict[str, SplitRow]:
    """A line for every tile, still without the place of its record."""
    rows = {}
    for tile in plan.tiles.tiles:
        rows[tile.name] = SplitRow(
            name=tile.name,
            split=plan.splits[tile.name],
            block="+".join(plan.units[tile.name]),
            scene=tile.scene,
            inventory=plan.tiles.inventory,
            file="",
            record=0,
            offset=0,
            length=0,
            sha256="",
            source_sha256=tile.sha256,
            epsg=tile.place.epsg,
            ulx_m=tile.place.ulx_m,
            uly_m=tile.place.uly_m,
            time_gap_h=tile.time_gap_h,
            shift_m=tile.shift_m,
            incomplete_blocks=0,
            reason=plan.reasons.get(tile.name, ""),
            overpass=tile.overpass,
        )
    return rows
