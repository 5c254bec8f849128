"""One scene of step 40: draw, judge, collocate and write its tiles."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from itertools import dropwhile, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.times import hours_from
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.masks import prepared, project_mask
from sensor2sensor.preprocess.quicklooks.render import display_bands, scene_picture
from sensor2sensor.preprocess.tiles import draw as tifs_draw
from sensor2sensor.preprocess.tiles import task as tifs_task
from sensor2sensor.preprocess.tiles.folder import Row, SceneRecord, TileFolder
from sensor2sensor.preprocess.tiles.olci import OlciWindow
from sensor2sensor.preprocess.tiles.options import OLCI_SHARE
from sensor2sensor.preprocess.tiles.overlay import drawn_of, is_current, overlay_png
from sensor2sensor.preprocess.tiles.shift import DriftMeter
from sensor2sensor.preprocess.tiles.task import SceneResult, SceneTask, check_usable, input_marks
from sensor2sensor.preprocess.tiles.tile import Candidate, tile_files, tile_row
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.s2_images import kept_open
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from sensor2sensor.products.sentinel3 import S3Product, open_s3

logger = logging.getLogger(__name__)

READ_AHEAD = 8  # tiles held in memory while Sentinel-3 is read
# Footprints have few corners: valid pixels lie up to 250 m outside of a real one; pixels decide.
FOOTPRINT_ERROR_M = 500.0


def process_scene(task: SceneTask) -> SceneResult:
    """Make the tiles of one scene, or find them done.

    Raises:
        ProductError: a product is damaged or incomplete (a PartnerError where it is the Sentinel-3
            one); nothing half-done is left listed.
    """
    scene = _Scene(task)
    try:
        return _process(task, scene)
    finally:
        scene.close()


def foresee_scene(task: SceneTask) -> SceneResult:
    """What is there of a scene, and what would become of it; nothing is written.

    Raises:
        ProductError: a product is damaged or incomplete.
    """
    scene = _Scene(task)
    try:
        record = TileFolder(task.folder).finished(task.scene, scene.fingerprint())
        there = record is not None and record.holds(task.options.quantity)
        too_small = min(scene.grid.shape) < task.options.tile_px
        return scene.result(record or SceneRecord(task.scene, ""), skipped=there or too_small)
    finally:
        scene.close()


def _process(task: SceneTask, scene: _Scene) -> SceneResult:
    folder, wanted = TileFolder(task.folder), task.options.quantity
    mark = scene.fingerprint()
    record = folder.finished(task.scene, mark)
    if record is not None and record.holds(wanted):
        _draw_overlay(scene, record.rows)
        return scene.result(record, skipped=True)
    scene.verify()
    if record is None or len(record.rows) > wanted:
        record = SceneRecord(task.scene, mark)
    with kept_open():
        for candidate in scene.accepted(record):
            if not record.rows:  # what was there goes when the first of the new ones is read
                folder.clear_scene(task.scene)
            record.status = "started"
            record.rows.append(_write_tile(folder, record, candidate, scene))
        if not record.rows:
            folder.clear_scene(task.scene)
        _draw_overlay(scene, record.rows)
    record.facts, record.status = scene.facts(len(record.rows)), "done"
    folder.write_record(record)
    return scene.result(record, skipped=False)


def _draw_overlay(scene: _Scene, rows: list[Row]) -> None:
    """Unless one of these tiles is there: the scene may have come with another selection."""
    with decoration(f"the overlay of scene {scene.task.scene:05d}", logger.warning):
        mark = drawn_of(scene.task.asked(), rows)
        if not is_current(scene.task.overlay, mark):
            files.write_bytes(scene.task.overlay, scene.overlay(rows, mark))


class _Scene:
    """A scene while it is worked on: each raster and each netCDF variable is read once."""

    def __init__(self, task: SceneTask) -> None:
        self.task = task
        self.options = task.options
        self.s2: S2Product = open_s2(task.s2)
        check_usable(self.s2, self.options)
        with tifs_task.partner_at_fault():
            self.s3: S3Product | None = open_s3(task.s3) if task.s3 else None
        self.grid = self.s2.grids[self.options.resolution_m]
        self.reasons: Counter[str] = Counter()
        self.radii_m: list[float] = []
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._loading: Future[OlciWindow] | None = None
        self.given = self.s2.quality_given(self.options.resolution_m)
        self.cloud_known = bool(self.given & tifs_draw.CLOUD)

    def fingerprint(self) -> str:
        """Of everything that decides the scene's tiles: inputs, options, masks."""
        return fingerprint(
            {
                "options": self.options.deciding(),
                "facts": self.task.facts,
                "s2": [self.s2.name, input_marks(self.task.s2, self._s2_members())],
                "s3": [self.s3.name, input_marks(self.s3.path, self.s3.members_in_use())]
                if self.s3
                else None,
                "masks": {name: files.sha256(path) for name, path in self.task.masks.items()},
            }
        )

    def verify(self) -> None:
        """Compare the files that will be opened with the checksums of their products."""
        if not self.task.verify:
            return
        hint = "fetch the product again, or give --no-verify"
        if problems := self.s2.verify(self._s2_members()):
            raise ProductError("; ".join(problems), hint=hint)
        if self.s3 is not None and (problems := self.s3.verify(self.s3.members_in_use())):
            raise tifs_task.PartnerError("; ".join(problems), hint=hint)

    def accepted(self, record: SceneRecord) -> Iterator[Candidate]:
        """Yield tiles of the scene until it has `quantity` of them or all there are.

        A record that has some was made up to its last tile: the draw goes on after it, with what
        was known then, as if it had never stopped.

        Sentinel-2 is decoded for a few tiles while a thread inflates Sentinel-3; which tiles pass,
        and in which order, does not depend on who is first.
        """
        wanted = self.options.quantity - len(record.rows)
        places = tifs_draw.positions(self.grid, self.options, self.task.draw, self.task.scene)
        if record.rows:
            self._recall(record.facts)
            last = record.rows[-1]["x"], record.rows[-1]["y"]
            places = dropwhile(lambda place: place != last, places)
            next(places)
        while wanted > 0:
            ahead = list(islice(self._sentinel2(places), min(wanted, READ_AHEAD)))
            if not ahead:
                return
            for candidate in ahead:
                whole = self._sentinel3(candidate)
                if whole is not None:
                    yield whole
                    wanted -= 1

    def close(self) -> None:
        """End the thread that reads Sentinel-3."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def result(self, record: SceneRecord, *, skipped: bool) -> SceneResult:
        """What the record says of the scene."""
        reasons, exhausted = record.facts.get("rejected", {}), record.facts.get("exhausted", False)
        tiles = len(record.rows)
        return SceneResult(record.scene, skipped, tiles, reasons, exhausted, self.cloud_known)

    def facts(self, tiles: int) -> dict[str, Any]:
        """What the record of the scene says beside its tiles."""
        return {
            "asked": self.task.asked(),
            "s2": self.s2.name,
            "s3": self.s3.name if self.s3 else None,
            "level": self.s2.level,
            "baseline": self.s2.baseline,
            "quality_source": self.s2.quality_source(self.options.resolution_m),
            "quality_bits": [str(bit.name) for bit in Quality if bit & self.given],
            "quantification": self.s2.quantification,
            "offsets": {band: self.s2.offsets[band] for band in self.options.bands},
            "wavelengths_nm": {b: self.s2.wavelengths_nm[b] for b in self.options.bands},
            "search_radius_m": self.radii_m,
            "rejected": dict(sorted(self.reasons.items())),
            "read_in_vain": dict(sorted(self._screen.vain.items())),
            "exhausted": tiles < self.options.quantity,
        }

    def _recall(self, facts: dict[str, Any]) -> None:
        """Know again what was known when the record was written."""
        self.reasons.update(facts["rejected"])
        self.radii_m += facts["search_radius_m"]
        for name in facts["quality_bits"]:
            self.given |= Quality[name]
        self._screen.recall(facts["read_in_vain"])

    def overlay(self, rows: list[Row], mark: str) -> bytes:
        """The picture of the scene with its tiles."""
        bands = display_bands(self.options.bands)
        reduction = tifs_draw.overview_reduction(self.grid)
        image, _ = scene_picture(self.s2, bands, self.options.resolution_m, reduction)
        return overlay_png(
            image,
            self.grid,
            rows,
            reduction=reduction,
            mark=mark,
            outlines={k.removeprefix("outside "): v for k, v in self._footprints.items()},
            masks=self._masks,
            title=f"scene {self.task.scene:05d}   {self.s2.name}",
        )

    def drift(self, tile: Grid) -> Any:
        """The drift around a tile; None for Sentinel-2 alone or where it cannot be measured."""
        return None if self.s3 is None else self._drift_meter.measure(tile)

    def _s2_members(self) -> list[str]:
        bands = dict.fromkeys([*self.options.bands, tifs_draw.red_band(self.options)])
        return self.s2.members_for(tuple(bands), self.options.resolution_m)

    @cached_property
    def _overview(self) -> tuple[NDArray[np.float32], int]:
        return tifs_draw.coarse_overview(self.s2, self.options)

    @cached_property
    def _footprints(self) -> dict[str, Any]:
        crs = f"EPSG:{self.grid.epsg}"
        found = {"outside Sentinel-2": project(self.s2.footprint, crs)}
        if self.s3 is not None:
            found["outside Sentinel-3"] = project(self.s3.footprint, crs)
        return found

    @cached_property
    def _masks(self) -> list[Any]:
        edges = self.options.mask_edges
        loaded = (prepared(path, edges) for path in self.task.masks.values())
        return [project_mask(mask, self.grid, edges) for mask in loaded]

    @cached_property
    def _screen(self) -> tifs_draw.Screen:
        reach = dict(self._footprints)
        reach["outside Sentinel-2"] = reach["outside Sentinel-2"].buffer(FOOTPRINT_ERROR_M)
        return tifs_draw.Screen(self.s2, self.options, reach, self._masks)

    @property
    def _olci(self) -> OlciWindow:
        """The swath over the scene; reading starts with the first call and is waited for."""
        return self._start_olci().result()

    def _start_olci(self) -> Future[OlciWindow]:
        if self._loading is None:
            assert self.s3 is not None
            self._loading = self._pool.submit(OlciWindow, self.s3, self.grid)
        return self._loading

    def _sentinel2(self, places: Iterator[tuple[int, int]]) -> Iterator[Candidate]:
        """The candidates among positions that pass all that Sentinel-2 can say."""
        for x, y in places:
            candidate = self._judge(x, y)
            if candidate is not None:
                yield candidate

    def _sentinel3(self, candidate: Candidate) -> Candidate | None:
        """The candidate with its OLCI pixels, or None where too few of them are valid."""
        if self.s3 is None:
            return candidate
        self.given |= self._olci.quality_given
        with tifs_task.partner_at_fault():
            olci = self._olci.tile(candidate.grid)
        if olci.valid_fraction < OLCI_SHARE:
            self.reasons["no OLCI"] += 1
            return None
        return replace(candidate, quality=candidate.quality | olci.quality, olci=olci)

    @cached_property
    def _drift_meter(self) -> DriftMeter:
        image, reduction = self._overview
        return DriftMeter(image, reduction, self._olci)

    def _judge(self, x: int, y: int) -> Candidate | None:
        """Everything read for a tile, or None with its reason counted."""
        candidate = None
        reason = self._screen.reason(x, y)
        if reason is None:
            word, _ = self.s2.read_quality(self.options.resolution_m, self.options.window(x, y))
            reason = self._screen.mask_reason(word)
        if reason is None:
            candidate = self._read(x, y, word)
            reason = self._screen.data_reason(candidate.quality)
        if reason is None:
            return candidate
        self.reasons[reason] += 1
        return None

    def _read(self, x: int, y: int, word: NDArray[np.uint32]) -> Candidate:
        """The pixels of Sentinel-2 for a tile whose mask is known."""
        opt, margin = self.options, self.options.margin_px
        if self.s3 is not None:
            self._start_olci()
        around, dn_word = self.s2.read_reflectance(
            opt.bands, opt.resolution_m, opt.window(x, y).expanded(margin)
        )
        inner = (slice(margin, margin + opt.tile_px),) * 2
        grid = self.grid.window(x, y, opt.tile_px, opt.tile_px)
        whole = word | dn_word[inner]
        inside = self._screen.inside_mask(x, y)
        return Candidate(x, y, grid, around[inner], whole, self.given, around, inside, None)


def _write_tile(
    folder: TileFolder, record: SceneRecord, candidate: Candidate, scene: _Scene
) -> Row:
    """Write the files of a tile and return its row of ``tiles.csv``."""
    task = scene.task
    outside = "_notinmask" if candidate.inside_mask is False else ""
    stem = f"{task.scene:05d}_{candidate.x}x{candidate.y}{outside}"
    contents = tile_files(stem, candidate, task.options, scene.s2.wavelengths_nm)
    record.files.update(dict.fromkeys(contents, ""))
    folder.write_record(record)
    for name, data in contents.items():
        files.write_bytes(folder.path / name, data)
        record.files[name] = hashlib.sha256(data).hexdigest()
    gap_h = None
    if candidate.olci is not None:
        scene.radii_m.append(round(candidate.olci.radius_m, 3))
        gap_h = round(hours_from(scene.s2.tile_time, candidate.olci.time), 4) + 0.0
    drift = scene.drift(candidate.grid)
    facts = {"tile": stem, "scene": task.scene, **task.facts, "overpass": scene.s2.overpass}
    facts |= {"time_gap_h": gap_h, "sha256": record.files[f"{stem}.tif"]}
    return tile_row(candidate, task.options, drift, facts)
