"""One scene of step 40: draw, judge, collocate and write its tiles."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.manifest import file_fingerprint, fingerprint
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.masks import load_mask, project_mask
from sensor2sensor.preprocess.s2pngs_render import display_bands
from sensor2sensor.preprocess.tifs_draw import (
    CLOUD,
    CoarseMap,
    Screen,
    coarse_cloud,
    coarse_overview,
    exact_maps,
    overview_reduction,
    positions,
    red_band,
)
from sensor2sensor.preprocess.tifs_olci import OlciWindow
from sensor2sensor.preprocess.tifs_options import OLCI_SHARE, TileOptions
from sensor2sensor.preprocess.tifs_overlay import drawn_of, is_current, overlay_png
from sensor2sensor.preprocess.tifs_records import Row, SceneRecord, TileFolder
from sensor2sensor.preprocess.tifs_shift import DriftMeter
from sensor2sensor.preprocess.tifs_task import SceneResult, SceneTask
from sensor2sensor.preprocess.tifs_tile import Candidate, tile_files, tile_row
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.s2_images import kept_open
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from sensor2sensor.products.sentinel3 import S3Product, open_s3

logger = logging.getLogger(__name__)

READ_AHEAD = 8  # tiles held in memory while Sentinel-3 is read
VAIN_READS = 24  # as many blocks as a fifth of a scene has


def process_scene(task: SceneTask) -> SceneResult:
    """Make the tiles of one scene, or find them done.

    Raises:
        ProductError: a product is damaged or incomplete; nothing half-done is left listed.
    """
    scene = _Scene(task)
    try:
        return _process(task, scene)
    finally:
        scene.close()


def _process(task: SceneTask, scene: _Scene) -> SceneResult:
    folder = TileFolder(task.folder)
    mark = scene.fingerprint()
    done = folder.finished(task.scene, mark)
    if done is not None:
        if any("overpass" not in row for row in done.rows):  # made by an earlier version
            done.rows = [{**row, "overpass": scene.s2.overpass} for row in done.rows]
            folder.write_record(done)
        _draw_overlay(scene, done.rows)
        return SceneResult(task.scene, True, len(done.rows))
    scene.verify()
    folder.clear_scene(task.scene)
    record = SceneRecord(task.scene, mark)
    with kept_open():
        for candidate in scene.accepted():
            record.rows.append(_write_tile(folder, record, candidate, scene))
        _draw_overlay(scene, record.rows)
    record.facts, record.status = scene.facts(), "done"
    folder.write_record(record)
    exhausted = len(record.rows) < task.options.quantity
    return SceneResult(task.scene, False, len(record.rows), dict(scene.reasons), exhausted)


def _draw_overlay(scene: _Scene, rows: list[Row]) -> None:
    """Unless one of these tiles is there: the scene may have come with another selection."""
    with decoration(f"the overlay of scene {scene.task.scene:05d}", logger.warning):
        mark = drawn_of(scene.s2.name, rows)
        if not is_current(scene.task.overlay, mark):
            files.write_bytes(scene.task.overlay, scene.overlay(rows, mark))


class _Scene:
    """A scene while it is worked on: each raster and each netCDF variable is read once."""

    def __init__(self, task: SceneTask) -> None:
        self.task = task
        self.options = task.options
        self.s2: S2Product = open_s2(task.s2)
        self.s3: S3Product | None = open_s3(task.s3) if task.s3 else None
        _check_usable(self.s2, self.options)
        self.grid = self.s2.grids[self.options.resolution_m]
        self.reasons: Counter[str] = Counter()
        self.radii_m: list[float] = []
        self._vain = 0
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._loading: Future[OlciWindow] | None = None
        self.quality_source = self.s2.quality_source(self.options.resolution_m)

    def fingerprint(self) -> str:
        """Of everything that decides the scene's tiles: inputs, options, masks."""
        return fingerprint(
            {
                "options": self.options.record(),
                "facts": self.task.facts,
                "s2": [self.s2.name, _input_marks(self.task.s2, self._s2_members())],
                "s3": [self.s3.name, _input_marks(self.s3.path, self.s3.members_for())]
                if self.s3
                else None,
                "masks": {name: files.sha256(path) for name, path in self.task.masks.items()},
            }
        )

    def verify(self) -> None:
        """Compare the files that will be opened with the checksums of their products."""
        if not self.task.verify:
            return
        problems = self.s2.verify(self._s2_members())
        if self.s3 is not None:
            problems += self.s3.verify(self.s3.members_for())
        if problems:
            hint = "fetch the product again, or give --no-verify"
            raise ProductError("; ".join(problems), hint=hint)

    def accepted(self) -> Iterator[Candidate]:
        """Yield the tiles of the scene, `quantity` of them or as many as there are.

        Sentinel-2 is decoded for a few tiles while a thread inflates Sentinel-3; which tiles pass,
        and in which order, does not depend on who is first.
        """
        wanted = self.options.quantity
        places = positions(self.grid, self.options, self.task.inventory, self.task.scene)
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

    def facts(self) -> dict[str, Any]:
        """What the record of the scene says beside its tiles."""
        return {
            "s2": self.s2.name,
            "s3": self.s3.name if self.s3 else None,
            "level": self.s2.level,
            "baseline": self.s2.baseline,
            "quality_source": self.quality_source,
            "quantification": self.s2.quantification,
            "offsets": {band: self.s2.offsets[band] for band in self.options.bands},
            "search_radius_m": self.radii_m,
            "rejected": dict(sorted(self.reasons.items())),
        }

    def overlay(self, rows: list[Row], mark: str) -> bytes:
        """The picture of the scene with its tiles."""
        bands, reduction = display_bands(self.options.bands), overview_reduction(self.grid)
        image, _ = self.s2.read_reflectance(bands, self.options.resolution_m, overview=reduction)
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
        bands = dict.fromkeys([*self.options.bands, red_band(self.options)])
        return self.s2.members_for(tuple(bands), self.options.resolution_m)

    @cached_property
    def _overview(self) -> tuple[NDArray[np.float32], int]:
        return coarse_overview(self.s2, self.options)

    @cached_property
    def _footprints(self) -> dict[str, Any]:
        crs = f"EPSG:{self.grid.epsg}"
        found = {"outside Sentinel-2": project(self.s2.footprint, crs)}
        if self.s3 is not None:
            found["outside Sentinel-3"] = project(self.s3.footprint, crs)
        return found

    @cached_property
    def _masks(self) -> list[Any]:
        loaded = (load_mask(path) for path in self.task.masks.values())
        return [project_mask(mask, self.grid.epsg) for mask in loaded]

    @cached_property
    def _screen(self) -> Screen:
        image, reduction = self._overview
        nodata = CoarseMap(np.isnan(image).astype(np.float32), float(reduction))
        cloud, _ = coarse_cloud(self.s2, self.options)
        return Screen(self.grid, self.options, nodata, cloud, self._footprints, self._masks)

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
        for check in (self._screened, self._quality_reason):
            reason = check(x, y)
            if reason is not None:
                self.reasons[reason] += 1
                return None
        return self._read(x, y)

    def _screened(self, x: int, y: int) -> str | None:
        return self._screen.reason(x, y)

    def _quality_reason(self, x: int, y: int) -> str | None:
        """Cloud by the exact mask of the tile: no image has been decoded yet."""
        word, _ = self.s2.read_quality(self.options.resolution_m, self.options.window(x, y))
        return "cloud" if _share(word, CLOUD) > self.options.max_cloud else None

    def _refine_screen(self) -> None:
        """After many tiles were decoded in vain, look at every pixel once."""
        self._vain += 1
        if self._vain == VAIN_READS:
            self._screen.nodata, self._screen.saturated = exact_maps(self.s2, self.options)

    def _read(self, x: int, y: int) -> Candidate | None:
        opt, margin = self.options, self.options.margin_px
        window = opt.window(x, y)
        if self.s3 is not None:
            self._start_olci()
        around, dn_word = self.s2.read_reflectance(
            opt.bands, opt.resolution_m, window.expanded(margin)
        )
        inner = (slice(margin, margin + opt.tile_px),) * 2
        word = self.s2.read_quality(opt.resolution_m, window)[0] | dn_word[inner]
        reason = _data_reason(word, opt)
        if reason is not None:
            self.reasons[reason] += 1
            self._refine_screen()
            return None
        grid = self.grid.window(x, y, opt.tile_px, opt.tile_px)
        inside = self._screen.inside_mask(x, y)
        return Candidate(x, y, grid, around[inner], word, around, inside, None)


def _share(word: NDArray[np.uint32], bits: Quality) -> float:
    return float(((word & np.uint32(bits)) != 0).mean())


def _data_reason(word: NDArray[np.uint32], options: TileOptions) -> str | None:
    if _share(word, Quality.S2_NODATA) > options.max_nodata:
        return "nodata"
    return "saturated" if _share(word, Quality.S2_SATURATED) > options.max_nodata else None


def _check_usable(product: S2Product, options: TileOptions) -> None:
    """The product has the level and the files the inventory was made for."""
    if options.level is not None and product.level != options.level:
        what = f"is {product.level}, the inventory lists {options.level}"
        raise ProductError(what, where=product.name, hint="repeat step 20")
    if options.resolution_m not in product.grids:
        raise ProductError(f"has no grid of {options.resolution_m} m", where=product.name)
    missing = product.missing(options.bands, options.resolution_m)
    if missing:
        raise ProductError(f"lacks {', '.join(missing)}", where=product.name)


def _input_marks(path: Path, members: list[str]) -> list[Any]:
    """Cheap identity of a product: the zip, or every file of the folder that will be opened."""
    if path.is_file():
        return [file_fingerprint(path)]
    found = (path / member for member in members)
    return [[file.name, file_fingerprint(file)] for file in found if file.is_file()]


def _write_tile(
    folder: TileFolder, record: SceneRecord, candidate: Candidate, scene: _Scene
) -> Row:
    """Write the files of a tile and return its row of ``tiles.csv``."""
    task = scene.task
    outside = "_notinmask" if candidate.inside_mask is False else ""
    stem = f"{task.scene:05d}_{candidate.x}x{candidate.y}{outside}"
    contents = tile_files(stem, candidate, task.options)
    record.files.update(dict.fromkeys(contents, ""))
    folder.write_record(record)
    for name, data in contents.items():
        files.write_bytes(folder.path / name, data)
        record.files[name] = hashlib.sha256(data).hexdigest()
    if candidate.olci is not None:
        scene.radii_m.append(round(candidate.olci.radius_m, 3))
    drift = scene.drift(candidate.grid)
    facts = {"tile": stem, "scene": task.scene, **task.facts, "overpass": scene.s2.overpass}
    facts["sha256"] = record.files[f"{stem}.tif"]
    return tile_row(candidate, task.options, drift, facts)
