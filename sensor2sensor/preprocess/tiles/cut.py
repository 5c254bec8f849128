"""Tiles of one scene, one after the other: draw a place, judge it, collocate, measure the drift."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import cached_property
from itertools import dropwhile, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.times import hours_from
from sensor2sensor.preprocess.tiles.draw import OLCI_SHARE, Screen
from sensor2sensor.preprocess.tiles.folder import SceneLog
from sensor2sensor.preprocess.tiles.pair import OpenPair
from sensor2sensor.preprocess.tiles.shift import (
    TOO_SMALL,
    DriftMeter,
    aligned,
    is_sure,
    shows_enough,
)
from sensor2sensor.preprocess.tiles.table import TileRow
from sensor2sensor.preprocess.tiles.tile import CutTile, shift_cells, valid_fraction
from sensor2sensor.products.olci import OlciTile, OlciWindow
from sensor2sensor.products.quality import Quality

READ_AHEAD = 8  # tiles read while Sentinel-3 is: it takes as long as their blocks, about
# A drift takes as long to measure as all else of a tile, and all of a scene moves alike: of 20,000
# places the first so many in a row beyond --max-shift speak for the others.
MOST_SHIFTED = 300
SHIFTS = "shift"  # what ended a search that tried no further place for them
MOST_AHEAD_BYTES = 64 * 2**20  # held of tiles of Sentinel-2 whose turn has not come
# Footprints have few corners: valid pixels lie up to 250 m outside of a real one; pixels decide.
FOOTPRINT_ERROR_M = 500.0


class Cutter:
    """Finds the tiles of a scene; each raster and each netCDF variable is read once.

    A log that has tiles was made up to its last one: the draw goes on after it, with what was known
    then, as if it had never stopped.

    Args:
        pair: the products, inside :func:`kept_open`.
        log: what was found of the scene before.
        background: where Sentinel-3 is inflated while Sentinel-2 is decoded; which tiles pass, and
            in which order, does not depend on who is first.
    """

    def __init__(self, pair: OpenPair, log: SceneLog, background: Executor) -> None:
        self.pair, self.options = pair, pair.options
        self._background = background
        self._swath: Future[OlciWindow] | None = None
        self._found = len(log.rows)
        self._last = (log.rows[-1].x, log.rows[-1].y) if log.rows else None
        self._rejected: Counter[str] = Counter()
        self._read_ahead: deque[CutTile] = deque()
        self._radii_m: list[float] = []
        self._shifted = 0  # places beyond --max-shift since the last tile
        self._bits_given = pair.s2_bits_given
        reach = {f"outside {name}": outline for name, outline in pair.footprints.items()}
        reach["outside Sentinel-2"] = reach["outside Sentinel-2"].buffer(FOOTPRINT_ERROR_M)
        self._screen = Screen(pair.s2, self.options, reach, pair.masks)
        if (
            pair.s3 is not None and self.options.backend == "own"
        ):  # SNAP chooses by a rule of its own
            self._screen.swath = lambda: self._start_reading_olci().result()
        if log.rows:
            self._recall(log.facts)

    def tiles(self) -> Iterator[CutTile]:
        """Yield tiles until the scene has `quantity` of them or all there are.

        Raises:
            ProductError: a product is damaged, a PartnerError where it is the Sentinel-3 one.
        """
        places = self._places()
        seen = (tile for x, y in places if (tile := self._sentinel2(x, y)) is not None)
        while (wanted := self.options.quantity - self._found) > 0 and self._shifted < MOST_SHIFTED:
            # Sentinel-3 is not waited for before these are there; no more are read than may be used
            missing = min(wanted, self._most_ahead) - len(self._read_ahead)
            self._read_ahead.extend(islice(seen, max(missing, 0)))
            if not self._read_ahead:
                return
            whole = self._completed(self._read_ahead.popleft())
            if whole is not None:
                self._found += 1
                self._shifted = 0
                yield whole

    @property
    def ahead(self) -> list[CutTile]:
        """Tiles of Sentinel-2 that come next, if Sentinel-3 shows enough of them."""
        return list(self._read_ahead)

    @property
    def _most_ahead(self) -> int:
        """More of them the more there are: each time they run out the scene's log is written."""
        edge = self.options.tile_px + 2 * self.options.margin_px
        fit = MOST_AHEAD_BYTES // (4 * edge * edge * (len(self.options.bands) + 1))
        return max(READ_AHEAD, min(self._found, fit))

    def facts(self) -> dict[str, Any]:
        """What the scene log says beside its tiles."""
        s2, s3, options = self.pair.s2, self.pair.s3, self.options
        said = {} if s2.layout == "SAFE" else {"offset_source": s2.offset_source}
        if self.pair.cloud_source is not None:
            said["cloud_source"] = self.pair.cloud_source
        if options.correct_shift and not shows_enough(self.pair.grid):
            said["corrected"] = TOO_SMALL
        return {
            **said,
            "asked": self.pair.task.asked(self.pair.names),
            "s2": s2.name,
            "s3": s3.name if s3 else None,
            "level": s2.level,
            "baseline": s2.baseline,
            "quality_source": s2.quality_source(options.resolution_m),
            "quality_bits": [str(bit.name) for bit in Quality if bit & self._bits_given],
            "quantification": s2.quantification,
            # -1000 since baseline 04.00, 0 before: tiles of both hold the same reflectance.
            "offsets": {band: s2.offsets[band] for band in options.bands},
            "wavelengths_nm": {band: s2.wavelengths_nm[band] for band in options.bands},
            "search_radius_m": self._radii_m,
            "rejected": dict(sorted(self._rejected.items())),
            "read_in_vain": dict(sorted(self._screen.vain.items())),
            "exhausted": self._found < options.quantity,
            **({"ended_by": SHIFTS} if self._shifted >= MOST_SHIFTED else {}),
            **self.pair.parts(),
        }

    def weighed(self, rows: list[TileRow]) -> list[TileRow]:
        """The rows with their weights in the draw, which hang on how far it went."""
        drawn = self._screen.favoured
        if drawn is None:
            return rows
        return [replace(row, draw_weight=drawn.weight(row.x, row.y)) for row in rows]

    def _recall(self, facts: dict[str, Any]) -> None:
        """Know again what was known when the log was written."""
        self._rejected.update(facts["rejected"])
        self._radii_m += facts["search_radius_m"]
        for name in facts["quality_bits"]:
            self._bits_given |= Quality[name]
        self._screen.recall(facts["read_in_vain"])

    def _places(self) -> Iterator[tuple[int, int]]:
        """The draw of the scene, after the last tile there is."""
        task = self.pair.task
        places = self._screen.ordered(task.draw_key, task.scene)
        if self._last is not None:
            # Seeded, so the draw comes by the last tile again after all that was tried before it.
            places = dropwhile(lambda place: place != self._last, places)
            next(places)
        return places

    def _sentinel2(self, x: int, y: int) -> CutTile | None:
        """The tile at a place as Sentinel-2 shows it, or None with its reason counted.

        What costs least comes first: footprints, then the tile's part of the mask, then its bands.
        """
        tile = None
        reason = self._screen.reason(x, y)
        if reason is None:
            window = self.options.window(x, y)
            word, _ = self.pair.s2.read_quality(self.options.resolution_m, window)
            reason = self._screen.mask_reason(word)
        if reason is None:
            tile = self._read(x, y, word)
            reason = self._screen.data_reason(tile.quality)
        if reason is None:
            return tile
        self._rejected[reason] += 1
        return None

    def _read(self, x: int, y: int, word: NDArray[np.uint32]) -> CutTile:
        """The pixels of Sentinel-2 for a tile whose mask is known."""
        opt, margin = self.options, self.options.margin_px
        if self.pair.s3 is not None:
            self._start_reading_olci()
        around, dn_word = self.pair.s2.read_reflectance(
            opt.bands, opt.resolution_m, opt.window(x, y).expanded(margin)
        )
        inner = (slice(margin, margin + opt.tile_px),) * 2
        return CutTile(
            x=x,
            y=y,
            grid=self.pair.grid.window(x, y, opt.tile_px, opt.tile_px),
            reflectance=around[inner],
            margin=around,
            quality=word | dn_word[inner],
            inside_mask=self._screen.inside_mask(x, y),
        )

    def _completed(self, tile: CutTile) -> CutTile | None:
        """The tile with its OLCI pixels and the drift, or None with its reason counted.

        The drift is measured last: it costs more than all the rest of a tile.
        """
        whole = tile if self.pair.s3 is None else self._with_olci(tile)
        reason = self._valid_reason(whole)
        if reason is None and whole.olci is not None:
            whole = replace(whole, drift=self._drift_meter.measure(whole.grid))
            reason = self._shift_reason(whole)
            if reason is None and self.options.correct_shift:
                whole = replace(whole, aligned=self._aligned(whole))
        if reason is not None:
            self._rejected[reason] += 1
            if reason == "no OLCI":
                self._screen.no_olci()
            self._shifted += reason.endswith("shift")
            return None
        if whole.olci is not None:
            self._radii_m.append(round(whole.olci.radius_m, 3))
        return whole

    def _with_olci(self, tile: CutTile) -> CutTile:
        swath = self._start_reading_olci().result()
        self._bits_given |= swath.quality_given
        olci = swath.tile(tile.grid)
        gap_h = hours_from(self.pair.s2.tile_time, olci.time)
        return replace(tile, quality=tile.quality | olci.quality, olci=olci, time_gap_h=gap_h)

    def _valid_reason(self, tile: CutTile) -> str | None:
        if tile.olci is not None and tile.olci.valid_fraction < OLCI_SHARE:
            return "no OLCI"
        least = self.options.min_valid
        # As the table has it: step 50 and a reader of tiles.csv come to the same verdict.
        return "invalid" if least and valid_fraction(tile) < least else None

    def _shift_reason(self, tile: CutTile) -> str | None:
        limit = self.options.shift_limit
        if limit is None:
            return None
        found = shift_cells(tile.drift)
        return limit.rejects(found["shift_m"], found.get("shift_quality"))

    def _aligned(self, tile: CutTile) -> OlciTile | None:
        """Its OLCI pixels where they show its ground; None where the drift is not sure."""
        drift, meter = tile.drift, self._drift_meter
        if tile.olci is None or drift is None or tile.time_gap_h is None:
            return None
        if not meter.whole or not is_sure(drift, tile.time_gap_h):
            return None
        return aligned(tile.olci, self._start_reading_olci().result(), tile.grid, drift)

    def _start_reading_olci(self) -> Future[OlciWindow]:
        """The swath over the scene; its reading starts with the first call."""
        if self._swath is None:
            self._swath = self._background.submit(self.pair.olci)
        return self._swath

    @cached_property
    def _drift_meter(self) -> DriftMeter:
        overview = self.pair.overview_in_red()
        return DriftMeter(overview, self._start_reading_olci().result())
