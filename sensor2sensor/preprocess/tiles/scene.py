"""One scene of step 40: open its products, find what is done, cut and write its tiles, log it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import parent_process
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.parallel import AtOnce
from sensor2sensor.preprocess.quicklooks.render import display_bands, scene_picture
from sensor2sensor.preprocess.tiles.cut import SHIFTS, Cutter
from sensor2sensor.preprocess.tiles.folder import SceneLog, TileFolder
from sensor2sensor.preprocess.tiles.overlay import drawn_of, is_current, overlay_png
from sensor2sensor.preprocess.tiles.pair import OpenPair, PartnerError, overview_reduction
from sensor2sensor.preprocess.tiles.plan import Pair, SceneTask
from sensor2sensor.preprocess.tiles.tile import CutTile, file_names, tile_files, tile_row
from sensor2sensor.products.quality import CLOUD, Quality
from sensor2sensor.products.s2_images import kept_open

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneResult:
    """What became of a scene.

    Attributes:
        scene: id in the inventory.
        skipped: it was there already.
        tiles: how many it has.
        reasons: positions rejected, by reason.
        exhausted: no further position is left to try, or worth it.
        by_shifts: it is not, for so many in a row were shifted too far.
        cloud_known: whether anything tells where it is cloudy.
        lacks_mask: no file of ``--cloud-mask`` is there for it, or for a part of it.
        passed_over: a line for each partner that could not be used.
        stays_because: why its tiles of before stay as they are, empty where nothing is the matter.
    """

    scene: int
    skipped: bool
    tiles: int
    reasons: dict[str, int] = field(default_factory=dict)
    exhausted: bool = False
    by_shifts: bool = False
    cloud_known: bool = True
    lacks_mask: bool = False
    passed_over: tuple[str, ...] = ()
    stays_because: str = ""


def cut_scene(task: SceneTask) -> SceneResult:
    """Make the tiles of one scene, or find them done.

    Raises:
        ProductError: no partner can be used, or the Sentinel-2 product cannot; nothing half-done
            is left listed.
    """
    return _with_first_usable(task, _cut)


def foresee_scene(task: SceneTask) -> SceneResult:
    """What is there of a scene, and what would become of it; nothing is written.

    Raises:
        ProductError: no partner can be used, or the Sentinel-2 product cannot.
    """
    return _with_first_usable(task, _foresee)


def try_scene(task: SceneTask) -> SceneResult:
    """What came of looking for one tile of a scene; nothing is written.

    Raises:
        ProductError: no partner can be used, or the Sentinel-2 product cannot.
    """
    return _with_first_usable(task, _try)


def _try(task: SceneTask, names: Pair) -> SceneResult:
    pair = OpenPair(task, names)
    with kept_open(_cache_mib(pair)), AtOnce() as background:
        cutter = Cutter(pair, SceneLog(task.scene, pair.fingerprint), background)
        tiles = int(next(cutter.tiles(), None) is not None)
        facts = cutter.facts()
    reasons, by_shifts = facts["rejected"], _ended_by_shifts(facts)
    return SceneResult(task.scene, skipped=False, tiles=tiles, reasons=reasons, by_shifts=by_shifts)


def _cut(task: SceneTask, names: Pair) -> SceneResult:
    """Open, look what is done, verify, cut tile after tile, draw the overlay, close the log."""
    folder, wanted = TileFolder(task.folder), task.options.quantity
    pair = OpenPair(task, names)
    log = _done_before(folder, pair)
    if log is not None and task.verify and not log.facts.get("verified", True):
        pair.verify()  # it was cut with --no-verify
        del log.facts["verified"]
        folder.write_log(log)
    if log is not None and log.holds(wanted):
        _draw_overlay(pair, log)
        return _result(log, pair, skipped=True)
    pair.verify()
    if log is None or len(log.rows) > wanted:
        log = SceneLog(task.scene, pair.fingerprint)
    # Tiles share decoded blocks of Sentinel-2; one thread inflates Sentinel-3, then writes.
    # Of several workers each has a processor's share already: threads would be in their way.
    alone = parent_process() is None
    threads = min(os.cpu_count() or 1, len(task.options.bands)) if alone else 1
    cache_mib = _cache_mib(pair)
    beside = ThreadPoolExecutor(max_workers=1) if alone else AtOnce()
    with kept_open(cache_mib, threads), beside as background:
        cutter = Cutter(pair, log, background)
        written: Future[None] | None = None
        for tile in cutter.tiles():
            if written is not None:
                written.result()  # one at a time: no more of them wait in memory
            written = background.submit(_write, folder, log, tile, pair, cutter.ahead)
        if written is not None:
            written.result()
        if not log.rows:
            folder.clear_scene(task.scene)
        _draw_overlay(pair, log)
    log.rows = cutter.weighed(log.rows)
    unverified = {} if task.verify else {"verified": False}
    facts = {**cutter.facts(), "outlines_m": pair.outlines_m(), **unverified}
    folder.close_log(log, facts)
    return _result(log, pair, skipped=False)


def _write(
    folder: TileFolder, log: SceneLog, tile: CutTile, pair: OpenPair, ahead: Sequence[CutTile]
) -> None:
    """Write a tile, list its row; names of those read ahead may go into the log with its own."""
    if not log.rows:  # what was there goes when the first of the new ones is read
        folder.clear_scene(pair.task.scene)
    names = [name for one in ahead for name in file_names(one, pair)]
    folder.write_tile(log, tile_files(tile, pair), names)
    sha256 = log.files[f"{tile.stem(pair.task.scene)}.tif"]
    log.rows.append(tile_row(tile, pair, sha256=sha256))


def _cache_mib(pair: OpenPair) -> int:
    """Room for every decoded block of the target bands: tiles lie anywhere, in any order.

    At most some 970 MiB (the four bands of 10 m); it fills only as far as tiles touch blocks.
    """
    height, width = pair.grid.shape
    scene_bytes = 2 * height * width * len(pair.options.bands)
    return 64 + math.ceil(scene_bytes / 2**20)


def _foresee(task: SceneTask, names: Pair) -> SceneResult:
    pair = OpenPair(task, names)
    log = _done_before(TileFolder(task.folder), pair)
    there = log is not None and log.holds(task.options.quantity)
    too_small = min(pair.grid.shape) < task.options.tile_px
    return _result(log or SceneLog(task.scene, ""), pair, skipped=there or too_small)


def _done_before(folder: TileFolder, pair: OpenPair) -> SceneLog | None:
    """The log of a scene done with equal inputs and options whose files are there."""
    log = folder.finished(pair.task.scene)
    return log if log is not None and log.fingerprint == pair.fingerprint else None


def _result(log: SceneLog, pair: OpenPair, *, skipped: bool) -> SceneResult:
    """What the log says of the scene."""
    reasons, exhausted = log.facts.get("rejected", {}), log.facts.get("exhausted", False)
    return SceneResult(
        log.scene,
        skipped=skipped,
        tiles=len(log.rows),
        reasons=reasons,
        exhausted=exhausted,
        by_shifts=_ended_by_shifts(log.facts),
        cloud_known=pair.cloud_known,
        lacks_mask=pair.lacks_mask,
    )


def _ended_by_shifts(facts: Mapping[str, Any]) -> bool:
    return facts.get("ended_by") == SHIFTS


def _draw_overlay(pair: OpenPair, log: SceneLog) -> None:
    """Unless one of these tiles is there: the scene may have come with another selection."""
    task = pair.task
    with decoration(f"the overlay of scene {task.scene:05d}", logger.warning):
        mark = drawn_of(task.asked(pair.names), log.rows)
        if not is_current(task.overlay, mark):
            files.write_bytes(task.overlay, _overlay(pair, log, mark))


def _overlay(pair: OpenPair, log: SceneLog, mark: str) -> bytes:
    bands, reduction = display_bands(pair.options.bands), overview_reduction(pair.grid)
    image, _ = scene_picture(pair.s2, bands, pair.options.resolution_m, reduction)
    return overlay_png(
        image,
        pair.grid,
        log.rows,
        reduction=reduction,
        mark=mark,
        outlines=pair.footprints,
        masks=pair.masks,
        title=f"scene {pair.task.scene:05d}   {pair.s2.name}",
    )


def _with_first_usable(
    task: SceneTask, act: Callable[[SceneTask, Pair], SceneResult]
) -> SceneResult:
    """Act on a scene with the first of its partners that can be used.

    Finished tiles outlive their products: where those they were made of are gone or damaged they
    stay, and no other partner is looked for.

    Raises:
        ProductError: no partner can be used, or the Sentinel-2 product cannot.
    """
    passed_over: list[str] = []
    for names in task.pairs:
        try:
            return replace(act(task, names), passed_over=tuple(passed_over))
        except ProductError as error:
            of_partner = isinstance(error, PartnerError)
            kept = _kept(task, [names] if of_partner else task.pairs, error)
            if kept is not None:
                return replace(kept, passed_over=tuple(passed_over))
            # Another partner would not mend Sentinel-2.
            if not of_partner:
                raise
            if names is task.pairs[-1]:
                raise ProductError("; ".join([*passed_over, str(error)])) from error
            passed_over.append(f"{names.s3} cannot be used ({error})")
    raise AssertionError("a task has a partner to try, or none to need")


def is_there(task: SceneTask) -> bool:
    """Whether a scene has all tiles that are asked for; its products are not looked at."""
    log = _asked_before(task, task.pairs)
    return log is not None and log.holds(task.options.quantity)


def _asked_before(task: SceneTask, pairs: Sequence[Pair]) -> SceneLog | None:
    """The log of a scene that was asked for as it is now, of one of these pairs."""
    log = TileFolder(task.folder).finished(task.scene)
    # The bytes of a product that is gone cannot be compared, what was asked of it can.
    asked = [task.asked(names) for names in pairs]
    return log if log is not None and log.facts.get("asked") in asked else None


def _kept(task: SceneTask, pairs: Sequence[Pair], error: ProductError) -> SceneResult | None:
    """The finished tiles of a scene that were made of one of these pairs; None without any."""
    log = _asked_before(task, pairs)
    if log is None or not log.rows or (task.verify and not log.facts.get("verified", True)):
        return None
    return SceneResult(
        task.scene,
        skipped=True,
        tiles=len(log.rows),
        cloud_known=any(Quality[name] & CLOUD for name in log.facts["quality_bits"]),
        stays_because=str(error),
    )
