r"""Cut tiles out of the selected scenes: Sentinel-2 on its grid, Sentinel-3 collocated per window.

    python preprocessing/40_create_tifs.py --selection sel_T17XNA --masks seaice,land \
        --tilesize 256 --quantity 5 --overlap 0.5 --max-cloud 0.1 --workers 4 --seed 0

Writes _tif/<inventory>/<tilesize>/<scene>_<x>x<y>[_notinmask].tif with the table of OLCI pixels and
the margin beside it, tiles.csv, manifest.json, and an overlay picture per scene. Masks are KML
files in <data_root>/_masks: --masks seaice,land takes _masks/seaice.kml and _masks/land.kml.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.selection import Selection, load_selection
from sensor2sensor.core import cli, files
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.preprocess.inventory.table import Inventory, InventoryRow, read_inventory
from sensor2sensor.preprocess.tiles.folder import STEP, SceneRecord, TileFolder
from sensor2sensor.preprocess.tiles.options import TileOptions, add_arguments, from_arguments
from sensor2sensor.preprocess.tiles.overlay import remove_of, remove_others
from sensor2sensor.preprocess.tiles.plan import plan
from sensor2sensor.preprocess.tiles.scene import foresee_scene, process_scene
from sensor2sensor.preprocess.tiles.task import SceneResult, SceneTask, first_usable
from sensor2sensor.preprocess.tiles.write import tile_bands

FORMULAS = {
    "reflectance": "(DN + offset) / quantification, DN 0 excluded first; negative values kept",
    "olci": "top-of-atmosphere radiance as stored; reflectance = pi L / (F0 cos SZA) on request",
    "collocation": "nearest OLCI pixel on the WGS 84 ellipsoid within search_radius_m",
    "shift": "displacement of Oa08 against Sentinel-2 red over 20 km, phase correlation",
}

# What helps where a scene has no tile, by the reason that ruled most of its positions out.
ADVICE = {
    "cloud": "raise --max-cloud, or",
    "nodata": "raise --max-nodata, or",
    "saturated": "raise --max-nodata, or",
    "no OLCI": "its Sentinel-3 product has too few valid pixels there:",
}


def main(argv: Sequence[str] | None = None, *, doc: str = __doc__) -> int:
    """Run step 40 from the command line; returns the exit code."""
    parser = cli.parser(doc, prog="40_create_tifs.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Plan, check the output folder, make the tiles of every selected scene.

    Returns:
        0, or 1 where a scene failed.
    """
    env = load_environment(args.environment)
    selection = load_selection(args.selection, env)
    inventory = read_inventory(env, selection.inventory)
    options = from_arguments(args, inventory)
    report = cli.StepReport("step 40", dry_run=args.dry_run)
    folder = TileFolder(env.tif_dir / inventory.name / str(options.tile_px))
    scenes = folder.stands_for(selection.s2_indices, keep=args.keep)
    tasks = plan(env, selection, inventory, options, report, kept=scenes, verify=not args.no_verify)
    replace = folder.check(options.record(), force=args.force)
    leaving = folder.records() if replace else folder.others(scenes)
    if args.dry_run:
        if leaving:
            report.note(_leaving(folder, leaving, replace=replace, keep=args.keep))
        return _announce(tasks, inventory, args.workers, report)
    with files.lock(folder.path / ".lock"):
        folder.sweep()
        remove_others([task.overlay for task in tasks])
        manifest = _manifest(folder, inventory, selection, options, scenes, keep=args.keep)
        drawn = env.inventory_dir, inventory.name, options.tile_px
        if replace:
            folder.remove_listed()
            remove_of(*drawn, [record.scene for record in leaving])
            report.note(f"removed {_told(leaving)}, made with other options")
        folder.start(manifest)
        empty = _work(tasks, inventory, args.workers, report)
        rows = folder.finish(manifest)
        if leaving and not replace:
            whole = len(report.failed_items) == empty
            remove_of(*drawn, _drop(folder, leaving, report, whole=whole))
    report.note(f"{len(rows)} tiles in {folder.path}")
    return report.finish()


def _manifest(
    folder: TileFolder,
    inventory: Inventory,
    selection: Selection,
    options: TileOptions,
    scenes: Collection[int],
    *,
    keep: bool,
) -> dict[str, Any]:
    """What the folder's manifest says beside its files."""
    earlier = _selections(folder) if keep else []
    bands = tile_bands(options.bands, with_olci=not inventory.sentinel2_only)
    return {
        "step": STEP,
        "version": options.record()["version"],
        "inventory": inventory.name,
        "selections": sorted({*earlier, selection.name}),
        "selected": sorted(scenes),
        "options": options.record(),
        "s3_type": inventory.options.get("s3_type"),
        "bands": [band.record() for band in bands],
        "formulas": FORMULAS,
    }


def _selections(folder: TileFolder) -> list[str]:
    """Names of the selections a folder was made for."""
    if not folder.manifest.is_file():
        return []
    return list(files.read_json(folder.manifest)["selections"])


def _leaving(
    folder: TileFolder, leaving: Sequence[SceneRecord], *, replace: bool, keep: bool
) -> str:
    """What a dry run says of the tiles that a run would remove."""
    if replace:
        return f"would first remove {_told(leaving)}, made with other options"
    made_for = ", ".join(_selections(folder))
    advice = "" if keep else "; --keep keeps them"
    return f"would remove {_told(leaving)} (the folder was made for {made_for}){advice}"


def _announce(
    tasks: Sequence[SceneTask], inventory: Inventory, workers: int, report: cli.StepReport
) -> int:
    """What a run would do, without doing it."""
    for task, result in _each(foresee_scene, tasks, inventory, workers, report):
        if not result.skipped:
            there = result.tiles if result.tiles < task.options.quantity else 0
            number = f"{task.options.quantity - there} {'further ' if there else ''}tiles"
            taken = task.attempts()[len(result.passed_over)].facts["s3"]
            partner = f" with {taken}" if taken else ""
            report.note(f"would cut {number} of {task.label}: {task.facts['s2']}{partner}")
            report.done(task.label)
        elif not result.tiles:
            report.failed(task.label, _nothing(task, result))
    return report.finish()


def _drop(
    folder: TileFolder, leaving: Sequence[SceneRecord], report: cli.StepReport, *, whole: bool
) -> list[int]:
    """Remove the files of scenes that were taken out, once all others could be worked through.

    Returns:
        The scenes that are gone.
    """
    if not whole:
        why = "their files stay until a run without a failure, or one with --keep"
        report.note(f"no longer listed: {_told(leaving)}; {why}")
        return []
    for record in leaving:
        folder.clear_scene(record.scene)
    report.note(f"removed {_told(leaving)}, not in the selection")
    return [record.scene for record in leaving]


def _told(records: Sequence[SceneRecord]) -> str:
    """How many tiles of which scenes: ``6 tiles of 2 scenes (00004, 00007)``."""
    tiles = sum(len(record.rows) for record in records)
    named = ", ".join(f"{record.scene:05d}" for record in records[:10])
    more = f" and {len(records) - 10} more" if len(records) > 10 else ""
    return f"{tiles} tiles of {len(records)} scenes ({named}{more})"


def _work(
    tasks: Sequence[SceneTask], inventory: Inventory, workers: int, report: cli.StepReport
) -> int:
    """Make the tiles of every scene; how many scenes have none although nothing was wrong."""
    empty = 0
    for task, result in _each(process_scene, tasks, inventory, workers, report):
        if not result.tiles:
            empty += 1
            report.failed(task.label, _nothing(task, result))
        elif not result.skipped:
            report.done(task.label)
            _note_shortage(task, result, report)
    return empty


def _each(
    act: Callable[[SceneTask], SceneResult],
    tasks: Sequence[SceneTask],
    inventory: Inventory,
    workers: int,
    report: cli.StepReport,
) -> Iterator[tuple[SceneTask, SceneResult]]:
    """What became of each scene; those that failed or were there already are counted here."""
    scenes = inventory.scenes()
    work = partial(first_usable, act=act)
    found = parallel_map(work, tasks, workers=workers, label=lambda task: task.label, desc="tiles")
    unknown = []
    for task, result in found:
        if isinstance(result, Failure):
            report.failed(task.label, result.reason)
            continue
        if result.stays_because:
            stay = f"its {result.tiles} tiles of before stay"
            report.note(f"{task.label}: {stay}, although {result.stays_because}")
        for text in _partner_notes(task, result, inventory, scenes[task.scene]):
            report.note(text)
        if not result.cloud_known:
            unknown.append(task.label)
        if result.skipped and result.tiles:
            report.skipped(task.label)
        yield task, result
    if unknown:
        what = "no cloud mask, cloud_fraction left empty"
        report.note(f"{what} ({len(unknown)}): {', '.join(unknown)}")


def _partner_notes(
    task: SceneTask, result: SceneResult, inventory: Inventory, rows: Sequence[InventoryRow]
) -> list[str]:
    """Which partner was taken in place of another, and what of the scene it leaves out."""
    taken = task.attempts()[len(result.passed_over)].facts["s3"]
    notes = [f"{task.label}: {why}; {taken} takes its place" for why in result.passed_over]
    for row in rows:
        if taken is None or row.s3 != taken:
            continue
        notes += [
            f"{task.label}: {taken} covers {row.overlap:.2f} of it; {beside.s3}, another frame of"
            f" the same pass, covers {beside.overlap:.2f} and gave no tile"
            for beside in inventory.frames_beside(row, rows)
        ]
    return notes


def _nothing(task: SceneTask, result: SceneResult) -> str:
    """Why a scene has no tile at all: it was asked for, so that is a failure."""
    if not result.reasons:
        return f"no tile: the scene is smaller than {task.options.tile_px} pixels; lower --tilesize"
    most = max(sorted(result.reasons), key=lambda name: result.reasons[name])
    advice = ADVICE.get(most, "its tiles lie outside one of the products:")
    return (
        f"no tile passes (rejected: {_counts(result.reasons)}); {advice} take the scene out of the"
        " selection"
    )


def _note_shortage(task: SceneTask, result: SceneResult, report: cli.StepReport) -> None:
    """Say when fewer tiles than asked for exist, and what ruled the others out."""
    if result.exhausted:
        tried = sum(result.reasons.values()) + result.tiles
        report.note(
            f"{task.label}: {result.tiles} of {task.options.quantity} tiles, no more exist among"
            f" {tried} positions (rejected: {_counts(result.reasons) or 'none'})"
        )


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()))
