"""Step 40: cut tiles of co-located Sentinel-2 and Sentinel-3 pixels out of the selected scenes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.config.selection import Selection, load_selection
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.parallel import Failure, parallel_map
from sensor2sensor.core.times import format_utc
from sensor2sensor.preprocess.inventory_file import Inventory, InventoryRow, read_inventory
from sensor2sensor.preprocess.tifs_options import TileOptions, add_arguments, from_arguments
from sensor2sensor.preprocess.tifs_overlay import overlay_path, remove_others
from sensor2sensor.preprocess.tifs_records import STEP, TileFolder
from sensor2sensor.preprocess.tifs_scene import process_scene
from sensor2sensor.preprocess.tifs_task import SceneResult, SceneTask
from sensor2sensor.preprocess.tifs_write import tile_bands

FORMULAS = {
    "reflectance": "(DN + offset) / quantification, DN 0 excluded first; negative values kept",
    "olci": "top-of-atmosphere radiance as stored; reflectance = pi L / (F0 cos SZA) on request",
    "collocation": "nearest OLCI pixel on the WGS 84 ellipsoid within search_radius_m",
    "shift": "displacement of Oa08 against Sentinel-2 red over 20 km, phase correlation",
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
    report = cli.StepReport("step 40")
    tasks = plan(env, selection, inventory, options, report, verify=not args.no_verify)
    folder = TileFolder(env.tif_dir / inventory.name / str(options.tile_px))
    replace = folder.check(options.record(), force=args.force)
    if args.dry_run:
        return _announce(tasks, folder, report, replace=replace)
    with files.lock(folder.path / ".lock"):
        folder.sweep()
        remove_others(
            _overlay(env, selection, options, 0).parent, _overlays(env, selection, options)
        )
        if replace:
            folder.remove_listed()
        manifest = _manifest(folder, inventory, selection, options)
        folder.start(manifest)
        _work(tasks, args.workers, report)
        rows = folder.finish(manifest)
    report.note(f"{len(rows)} tiles in {folder.path}")
    return report.finish()


def plan(
    env: Environment,
    selection: Selection,
    inventory: Inventory,
    options: TileOptions,
    report: cli.StepReport,
    *,
    verify: bool,
) -> list[SceneTask]:
    """One task per selected scene; scenes without a partner are reported as failed.

    Raises:
        InputError: ids the inventory does not know, products that changed since the review, masks
            that do not exist; all of them at once.
    """
    scenes = inventory.scenes()
    _check_ids(selection, scenes)
    masks = _mask_files(env, options.masks)
    tasks = []
    for scene in selection.s2_indices:
        row = choose_pair(scenes[scene], options.overlap, alone=inventory.sentinel2_only)
        if row is None:
            report.failed(f"scene {scene:05d}", _no_pair(scenes[scene], options.overlap))
        else:
            tasks.append(_task(env, selection, inventory, options, scene, row, masks, verify))
    return tasks


def choose_pair(
    rows: Sequence[InventoryRow], overlap: float, *, alone: bool
) -> InventoryRow | None:
    """The row with the smallest time gap among those that overlap enough; None if none does."""
    if alone:
        return rows[0] if rows else None
    fit = [row for row in rows if row.s3 and row.overlap is not None and row.overlap >= overlap]
    return min(fit, key=lambda row: (row.timediff_h or 0.0, row.index), default=None)


def _no_pair(rows: Sequence[InventoryRow], overlap: float) -> str:
    best = max((row.overlap or 0.0 for row in rows), default=0.0)
    return f"no Sentinel-3 product overlaps it by {overlap:g} (best {best:.2f}); lower --overlap"


def _check_ids(selection: Selection, scenes: dict[int, list[InventoryRow]]) -> None:
    """Every id is known, and its product is the one that was reviewed."""
    where = f"selection {selection.name}"
    unknown = [scene for scene in selection.s2_indices if scene not in scenes]
    if unknown:
        known = suggestion(str(unknown[0]), [str(scene) for scene in scenes])
        what = f"ids not in {selection.inventory}: {', '.join(map(str, unknown))}"
        raise InputError(what, where=where, hint=known)
    changed = [
        f"{scene} was {selection.products[scene]}, is {_product(scenes[scene][0].s2)}"
        for scene in selection.s2_indices
        if scene in selection.products
        and _product(selection.products[scene]) != _product(scenes[scene][0].s2)
    ]
    if changed:
        hint = "look at these scenes again and renew the selection"
        raise InputError(
            f"products changed since the review: {'; '.join(changed)}", where=where, hint=hint
        )


def _product(text: str) -> str:
    """Name of a product without folder and extension."""
    return Path(text).name.removesuffix(".zip").removesuffix(".SAFE")


def _mask_files(env: Environment, names: Sequence[str]) -> dict[str, Path]:
    """KML file by mask name; all of them are read once here, so that bad ones stop the run."""
    from sensor2sensor.geo.masks import load_masks

    if names:
        load_masks(env.masks_dir, list(names))
    return {name: env.masks_dir / f"{name}.kml" for name in names}


def _task(
    env: Environment,
    selection: Selection,
    inventory: Inventory,
    options: TileOptions,
    scene: int,
    row: InventoryRow,
    masks: dict[str, Path],
    verify: bool,
) -> SceneTask:
    return SceneTask(
        scene=scene,
        inventory=inventory.name,
        s2=env.s2_root / row.s2,
        s3=env.s3_root / row.s3 if row.s3 else None,
        facts=_facts(row),
        masks=masks,
        folder=env.tif_dir / inventory.name / str(options.tile_px),
        overlay=_overlay(env, selection, options, scene),
        options=options,
        verify=verify,
    )


def _overlay(env: Environment, selection: Selection, options: TileOptions, scene: int) -> Path:
    return overlay_path(env.inventory_dir, selection.name, options.tile_px, scene)


def _overlays(env: Environment, selection: Selection, options: TileOptions) -> list[Path]:
    return [_overlay(env, selection, options, scene) for scene in selection.s2_indices]


def _facts(row: InventoryRow) -> dict[str, Any]:
    """Columns of ``tiles.csv`` the inventory knows."""
    gap = None if row.timediff_h is None else round(row.timediff_h, 4)
    return {
        "s2": row.s2,
        "s2date": format_utc(row.s2date),
        "s3": row.s3,
        "s3date": format_utc(row.s3date) if row.s3date else None,
        "time_gap_h": gap,
    }


def _manifest(
    folder: TileFolder, inventory: Inventory, selection: Selection, options: TileOptions
) -> dict[str, Any]:
    """What the folder's manifest says beside its files."""
    earlier: list[str] = []
    if folder.manifest.is_file():
        earlier = list(files.read_json(folder.manifest)["selections"])
    bands = tile_bands(options.bands, with_olci=not inventory.sentinel2_only)
    return {
        "step": STEP,
        "version": options.record()["version"],
        "inventory": inventory.name,
        "selections": sorted({*earlier, selection.name}),
        "options": options.record(),
        "bands": [band.record() for band in bands],
        "formulas": FORMULAS,
    }


def _announce(
    tasks: Sequence[SceneTask], folder: TileFolder, report: cli.StepReport, *, replace: bool
) -> int:
    """What a run would do, without doing it."""
    if replace:
        report.note(f"would first remove the tiles of {folder.path}")
    for task in tasks:
        partner = f" with {task.facts['s3']}" if task.s3 else ""
        report.note(
            f"would cut {task.options.quantity} tiles of {task.label}: {task.facts['s2']}{partner}"
        )
    return report.finish()


def _work(tasks: Sequence[SceneTask], workers: int, report: cli.StepReport) -> None:
    found = parallel_map(
        process_scene, tasks, workers=workers, label=lambda task: task.label, desc="tiles"
    )
    for task, result in found:
        if isinstance(result, Failure):
            report.failed(task.label, result.reason)
        elif result.skipped:
            report.skipped(task.label)
        else:
            report.done(task.label)
            _note_shortage(task, result, report)


def _note_shortage(task: SceneTask, result: SceneResult, report: cli.StepReport) -> None:
    """Say when fewer tiles than asked for exist, and what ruled the others out."""
    if not result.exhausted:
        return
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(result.reasons.items()))
    tried = sum(result.reasons.values()) + result.tiles
    report.note(
        f"{task.label}: {result.tiles} of {task.options.quantity} tiles, no more exist among"
        f" {tried} positions (rejected: {reasons or 'the scene is smaller than a tile'})"
    )
