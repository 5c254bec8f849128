"""Which scenes step 40 is to cut, each with the partners it may take: nothing is written here."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.config.selection import Selection
from sensor2sensor.core import cli
from sensor2sensor.core.containers import bare_name
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.parallel import Failure, attempt
from sensor2sensor.core.times import format_utc
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.masks import find_masks, load_masks, mask_digest, project_mask
from sensor2sensor.preprocess.inventory.options import inventory_name
from sensor2sensor.preprocess.inventory.rows import InventoryRow, Joined, in_a_cell
from sensor2sensor.preprocess.tiles.options import Request, TileOptions
from sensor2sensor.preprocess.tiles.overlay import overlay_path
from sensor2sensor.products.s2_parts import open_parts


@dataclass(frozen=True)
class Pair(Joined):
    """A Sentinel-2 product and a partner of it, or None for Sentinel-2 alone.

    Paths are POSIX paths below the archives' roots, dates sensing starts in ISO 8601, as the
    columns of ``tiles.csv`` have them; joined are the products that belong to the first ones.
    """

    s2: str
    s2date: str
    s3: str | None
    s3date: str | None
    s2_joined: tuple[str, ...] = ()
    s3_joined: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        """As ``tiles.csv`` has them."""
        joined = {name: getattr(self, name) for name in ("s2_joined", "s3_joined")}
        cells = {name: in_a_cell(paths) or None for name, paths in joined.items()}
        return {**vars(self), **cells}

    def as_json(self) -> dict[str, Any]:
        """As fingerprints have it: joined products only where there are some."""
        return {name: value for name, value in vars(self).items() if value != ()}


@dataclass(frozen=True)
class SceneTask:
    """What a worker needs to know of one scene; can be pickled.

    Attributes:
        scene: id in the inventory.
        draw_key: what the draw of its tiles depends on beside the seed and the scene: the name of
            the inventory less what names may say of level, resolution and type, so that one ground
            is drawn alike.
        pairs: with its partners, the best first; the next is taken where one cannot be used.
        s2_root: the archive of Sentinel-2.
        s3_root: the archive of Sentinel-3.
        masks: KML file by name.
        folder: where tiles go.
        overlay: where the overlay picture goes.
        options: what decides the tiles.
        verify: compare the files read with the products' checksums.
    """

    scene: int
    draw_key: str
    pairs: tuple[Pair, ...]
    s2_root: Path
    s3_root: Path
    masks: dict[str, Path]
    folder: Path
    overlay: Path
    options: TileOptions
    verify: bool

    def asked(self, pair: Pair) -> str:
        """Fingerprint of what is asked for: options, products by name, masks; not their bytes."""
        masks = {name: mask_digest(path) for name, path in self.masks.items()}
        return fingerprint([self.options.deciding(), pair.as_json(), masks])

    @property
    def label(self) -> str:
        """How messages name the scene."""
        return f"scene {self.scene:05d}"


def plan_scenes(
    request: Request, scenes: Collection[int], report: cli.StepReport
) -> list[SceneTask]:
    """One task per scene; those without a partner are reported as failed.

    Args:
        request: selection, inventory and options.
        scenes: the selected ones, and those of selections before this one that are kept. Those of
            them the inventory does not know any more stay as they are.
        report: told of scenes without a partner, and of masks that touch no scene.

    Raises:
        InputError: ids the inventory does not know, products that changed since the review, masks
            that do not exist; all of them at once.
    """
    known, options = request.inventory.scenes(), request.options
    _check_ids(request.selection, known)
    masks_dir = request.env.masks_dir
    drawn = load_masks(masks_dir, options.masks, options.mask_edges)  # bad ones stop the run
    masks = find_masks(masks_dir, options.masks)
    tasks = []
    for scene in sorted(scene for scene in scenes if scene in known):
        rows = suitable(known[scene], options, alone=request.inventory.sentinel2_only)
        if rows:
            tasks.append(_task(request, scene, rows, masks))
        else:
            report.failed(f"scene {scene:05d}", _no_pair(known[scene], options))
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
        paths = [task.s2_root / path for path in task.pairs[0].s2_paths]
        product = attempt(open_parts, paths)
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
    rows: Sequence[InventoryRow], options: TileOptions, *, alone: bool
) -> Sequence[InventoryRow]:
    """The rows that overlap enough and are near enough in time, the smallest time gap first."""
    if alone:
        return rows[:1]
    fit = [
        row
        for row in _near(rows, options)
        if row.overlap is not None and row.overlap >= options.overlap
    ]
    # Ice drifts and clouds move between the looks: the nearest in time shows the same ground best.
    return sorted(fit, key=lambda row: (row.timediff_h or 0.0, row.index))


def _near(rows: Sequence[InventoryRow], options: TileOptions) -> list[InventoryRow]:
    """The rows with a partner that is near enough in time."""
    most_h = math.inf if options.max_timediff_h is None else options.max_timediff_h
    return [row for row in rows if row.s3 and (row.timediff_h or 0.0) <= most_h]


def _no_pair(rows: Sequence[InventoryRow], options: TileOptions) -> str:
    if not any(row.s3 for row in rows):
        return "its Sentinel-3 products are gone or superseded by none near in time; repeat step 20"
    near, overlap = _near(rows, options), options.overlap
    if not near:
        least_h = min(row.timediff_h or 0.0 for row in rows if row.s3)
        limit = f"within {options.max_timediff_h:g} h (nearest {least_h:.2f} h)"
        return f"no Sentinel-3 product {limit}; raise --max-timediff"
    best = max((row.overlap or 0.0 for row in near), default=0.0)
    return f"no Sentinel-3 product overlaps it by {overlap:g} (best {best:.2f}); lower --overlap"


def _check_ids(selection: Selection, scenes: Mapping[int, Sequence[InventoryRow]]) -> None:
    """Every id is known, and its product is the one that was reviewed."""
    where = f"selection {selection.name}"
    unknown = [scene for scene in selection.s2_indices if scene not in scenes]
    if unknown:
        known = suggestion(str(unknown[0]), [str(scene) for scene in scenes])
        what = f"ids not in {selection.inventory}: {', '.join(map(str, unknown))}"
        raise InputError(what, where=where, hint=known)
    # An inventory made anew may give an id to another scene, which nobody looked at.
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
    return bare_name(Path(text).name)


def _task(
    request: Request, scene: int, rows: Sequence[InventoryRow], masks: dict[str, Path]
) -> SceneTask:
    env, inventory, options = request.env, request.inventory, request.options
    overlay = overlay_path(
        env.inventory_dir, inventory.name, request.selection.name, options.tile_px, scene
    )
    return SceneTask(
        scene=scene,
        draw_key=inventory_name(inventory.options["tile"], inventory.options["timediff_h"]),
        pairs=tuple(_pairs(rows)),
        s2_root=env.s2_root,
        s3_root=env.s3_root,
        masks=masks,
        folder=request.folder,
        overlay=overlay,
        options=options,
        verify=request.verify,
    )


def _pairs(rows: Sequence[InventoryRow]) -> Iterator[Pair]:
    for row in rows:
        s3date = None if row.s3date is None else format_utc(row.s3date)
        dated = (row.s2, format_utc(row.s2date), row.s3, s3date)
        yield Pair(*dated, row.s2_joined, row.s3_joined)
