"""Which scenes step 40 is to cut, each with the partners it may take: nothing is written here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.config.environment import Environment
from sensor2sensor.config.selection import Selection
from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.parallel import Failure, attempt
from sensor2sensor.core.times import format_utc
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.masks import find_masks, load_masks, project_mask
from sensor2sensor.preprocess.inventory.options import inventory_name
from sensor2sensor.preprocess.inventory.rows import InventoryRow
from sensor2sensor.preprocess.inventory.table import Inventory
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.preprocess.tiles.overlay import overlay_path
from sensor2sensor.preprocess.tiles.task import SceneTask
from sensor2sensor.products.sentinel2 import open_s2


def plan(
    env: Environment,
    selection: Selection,
    inventory: Inventory,
    options: TileOptions,
    report: cli.StepReport,
    *,
    kept: Collection[int],
    verify: bool,
) -> list[SceneTask]:
    """One task per selected or kept scene; those without a partner are reported as failed.

    Args:
        env: where things lie.
        selection: what was reviewed.
        inventory: it was made from.
        options: of the tiles.
        report: told of scenes without a partner.
        kept: further scenes of a union, of selections before this one; those the inventory does not
            know any more stay as they are.
        verify: compare files with their products' checksums.

    Raises:
        InputError: ids the inventory does not know, products that changed since the review, masks
            that do not exist; all of them at once.
    """
    scenes = inventory.scenes()
    _check_ids(selection, scenes)
    drawn = load_masks(env.masks_dir, options.masks, options.mask_edges)  # bad ones stop the run
    masks = find_masks(env.masks_dir, options.masks)
    tasks = []
    for scene in sorted({*selection.s2_indices, *(scene for scene in kept if scene in scenes)}):
        rows = suitable(scenes[scene], options.overlap, alone=inventory.sentinel2_only)
        if not rows:
            report.failed(f"scene {scene:05d}", _no_pair(scenes[scene], options.overlap))
        else:
            tasks.append(_task(env, selection, inventory, options, scene, rows, masks, verify))
    for name in _idle_masks(drawn, tasks, options):
        report.note(f"mask {name} touches none of the selected scenes")
    return tasks


def _idle_masks(
    drawn: Mapping[str, Any], tasks: Sequence[SceneTask], options: TileOptions
) -> list[str]:
    """Names of masks outside every scene that can be read: a slip in them, or in the selection.

    Scenes are opened until each mask has met one, so nearly always one of them alone.
    """
    idle, seen = dict(drawn), False
    for task in tasks:
        if not idle:
            break
        product = attempt(open_s2, task.s2)
        # A product that cannot be read, or not at this resolution, fails where it is worked on.
        if isinstance(product, Failure) or options.resolution_m not in product.grids:
            continue
        seen, grid = True, product.grids[options.resolution_m]
        outline = project(product.footprint, f"EPSG:{grid.epsg}")
        for name, mask in list(idle.items()):
            if project_mask(mask, grid, options.mask_edges).intersects(outline):
                del idle[name]
    return list(idle) if seen else []


def suitable(
    rows: Sequence[InventoryRow], overlap: float, *, alone: bool
) -> Sequence[InventoryRow]:
    """The rows that overlap enough, the smallest time gap first."""
    if alone:
        return rows[:1]
    fit = [row for row in rows if row.s3 and row.overlap is not None and row.overlap >= overlap]
    return sorted(fit, key=lambda row: (row.timediff_h or 0.0, row.index))


def _no_pair(rows: Sequence[InventoryRow], overlap: float) -> str:
    if not any(row.s3 for row in rows):
        return "its Sentinel-3 products are gone or superseded by none near in time; repeat step 20"
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


def _task(
    env: Environment,
    selection: Selection,
    inventory: Inventory,
    options: TileOptions,
    scene: int,
    rows: Sequence[InventoryRow],
    masks: dict[str, Path],
    verify: bool,
) -> SceneTask:
    first, *others = rows
    return SceneTask(
        scene=scene,
        draw=inventory_name(inventory.options["tile"], inventory.options["timediff_h"]),
        s2=env.s2_root / first.s2,
        s3=env.s3_root / first.s3 if first.s3 else None,
        facts=_facts(first),
        masks=masks,
        folder=env.tif_dir / inventory.name / str(options.tile_px),
        overlay=overlay_path(
            env.inventory_dir, inventory.name, selection.name, options.tile_px, scene
        ),
        options=options,
        verify=verify,
        others=tuple((env.s3_root / row.s3, _facts(row)) for row in others if row.s3),
    )


def _facts(row: InventoryRow) -> dict[str, Any]:
    """Columns of ``tiles.csv`` the inventory knows."""
    return {
        "s2": row.s2,
        "s2date": format_utc(row.s2date),
        "s3": row.s3,
        "s3date": format_utc(row.s3date) if row.s3date else None,
    }
