"""The raw data set as a source: looks paired in time, cropped, co-registered, resampled once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.manifest import file_fingerprint
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.build import drawn
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.splits import assign
from sensor2sensor.sources import pictures
from sensor2sensor.sources.exclusions import Exclusions, told_unmatched
from sensor2sensor.sources.source import Item, LeftOut, Listing, Source, counted, listing
from sensor2sensor.sources.worldstrat import form, pairing
from sensor2sensor.sources.worldstrat.ground import Shown, refuse_shared
from sensor2sensor.sources.worldstrat.images import (
    L2A_BANDS,
    L2A_CHOSEN,
    SPOT_BANDS,
    SPOT_CHOSEN,
    Image,
    beside,
    grid_of,
    read_image,
    read_mask,
    stored_form,
)
from sensor2sensor.sources.worldstrat.lacking import advice, kind_of, lacks, too_small
from sensor2sensor.sources.worldstrat.layout import (
    SPLIT,
    Aoi,
    Revisit,
    few,
    find_aois,
    refuse_two_splits,
    split_places,
)
from sensor2sensor.sources.worldstrat.options import WorldstratOptions
from sensor2sensor.sources.worldstrat.pairing import Window


@dataclass(frozen=True)
class Crop:
    """What is read for one sample."""

    high: Path
    candidates: tuple[Revisit, ...]
    window: Window
    split: str


class RawSource(Source):
    """The AOIs below a folder.

    Args:
        folder: Of ``--data``.
        options: Of step 55.
        exclusions: What is left out.

    Raises:
        InputError: A table is damaged, or an AOI that is not left out is in two splits.
    """

    step, version = "55", 1

    def __init__(self, folder: Path, options: WorldstratOptions, exclusions: Exclusions) -> None:
        self.dataset, self._asked = options.dataset, options
        self.options = options.as_json(derived=False)
        self.command = options.command(folder, derived=False)
        self._excluded, self._folder = exclusions, folder
        self._aois: Sequence[Aoi] = find_aois(folder)
        self._by_place = options.split == "place"
        policy = drawn("given", 0)
        if self._by_place:
            policy = drawn("group", options.seed, options.train_ratio, options.val_ratio)
        else:
            kept = {aoi.name: aoi.split for aoi in self._aois if not self._reason(aoi)}
            refuse_two_splits(kept, folder / SPLIT)
        tile_px = options.low_px * options.factor
        self.drafts = (form.draft(options.dataset, tile_px, options.factor, policy, form.PAIRING),)

    def __getstate__(self) -> dict[str, Any]:
        """All but the AOIs: it goes to a worker process with every task."""
        return {**vars(self), "_aois": (), "_excluded": Exclusions()}

    def plan(self) -> Listing:
        """The crops of every AOI; headers are read, no pixels."""
        looked_at = progress(self._aois, desc="looking at AOIs", unit="AOI")
        items = [item for aoi in looked_at for item in self._items(aoi)]
        reasons = [item.left_out for item in items if item.left_out]
        idle = self._excluded.unmatched((None, None, None, aoi.name) for aoi in self._aois)
        made = listing(self._asked.name, items, **form.facts(self._excluded, idle))
        return replace(
            made,
            listed_in="the list of AOIs or --exclude",
            notes=(*self._notes(items), *told_unmatched(idle, self._excluded)),
            left_out_by="clouds, missing pixels and correlation",
            unread_by=counted(map(kind_of, reasons)),
            advice=tuple(advice(reasons, self._asked)),
        )

    def _notes(self, items: Sequence[Item]) -> Iterator[str]:
        yield f"licence of the data: {form.LICENCE}"
        yield from refuse_shared(self._shown(items), self._folder)
        out = sorted({item.unit for item in items if item.left_out})
        if out:
            yield f"AOIs left out before they are read ({len(out)}), see split.csv: {few(out)}"
        if not self._by_place:
            taken = {item.unit: item.split or "" for item in items if not item.left_out}
            yield from split_places(taken, "--split place draws whole places")

    def _shown(self, items: Sequence[Item]) -> Iterator[Shown]:
        """The nearest look of each AOI; all of its crops are of one image."""
        kept = {item.overpass: item.payload for item in items if not item.left_out}
        for aoi, crop in kept.items():
            yield Shown(aoi, crop.split, crop.candidates[0].path)

    def _items(self, aoi: Aoi) -> Iterator[Item]:
        candidates = tuple(r for r in aoi.revisits if abs(r.days) <= self._asked.max_days)
        reason = self._reason(aoi) or lacks(aoi, candidates, self._asked.max_days)
        windows: Sequence[Window] = [Window(0, 0, self._asked.low_px)]
        if not reason:
            windows, reason = self._windows(candidates[0])
        split = aoi.split
        if self._by_place:
            asked = self._asked
            split = assign(asked.seed, aoi.place, asked.train_ratio, asked.val_ratio)
        files = {revisit.number: file_fingerprint(revisit.path) for revisit in candidates}
        for window in windows:
            corner = f"_{window.column}x{window.row}" if len(windows) > 1 else ""
            yield Item(
                name=f"{self._asked.name}__{aoi.name.replace(' ', '_')}{corner}",
                unit=aoi.place if self._by_place else aoi.name,
                made_from={
                    "high": file_fingerprint(aoi.high) if aoi.high else None,
                    "low": [[r.number, r.days, files[r.number]] for r in candidates],
                    "window": [window.column, window.row],
                    "split": split,
                },
                split=None if self._by_place else split,
                overpass=aoi.name,
                left_out=reason,
                payload=Crop(aoi.high, candidates, window, split) if aoi.high else None,
            )

    def _reason(self, aoi: Aoi) -> str:
        return self._excluded.reason(aoi=aoi.name) or ""

    def _windows(self, first: Revisit) -> tuple[list[Window], str]:
        """Squares side by side in the middle: what is left around them is room for the shift."""
        side = self._asked.low_px
        # What is wrong with the file is told when its pixels are read.
        with suppress(DatasetError):
            height, width = grid_of(first.path).shape
            if min(height, width) < side:
                return [Window(0, 0, side)], too_small((height, width), side)
            top, left = (height % side) // 2, (width % side) // 2
            return [
                Window(top + square.y, left + square.x, side)
                for square in pictures.squares(width, height, side)
            ], ""
        return [Window(0, 0, side)], ""

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """The nearest look in time that fits, and SPOT on its grid.

        Raises:
            LeftOut: None fits, and why.
            DatasetError: An image is damaged.
        """
        crop: Crop = item.payload
        high = read_image(crop.high, SPOT_BANDS, SPOT_CHOSEN, self._asked.hr_scale)
        reasons = []
        for revisit in crop.candidates:
            made = self._pair(item.name, crop, revisit, high)
            if isinstance(made, TileRecord):
                return (made,)
            reasons.append(f"{revisit.number} ({revisit.days:+d} d): {made}")
        raise LeftOut(f"no look fits; {'; '.join(reasons)}")

    def _pair(self, name: str, crop: Crop, revisit: Revisit, high: Image) -> TileRecord | str:
        """A record, or why the look does not fit."""
        asked, window = self._asked, crop.window
        low, cloud = _look(revisit, window)
        if cloud > asked.max_cloud:
            return f"{cloud:.0%} of it is under clouds"
        if lost := int((~low.valid[window.rows, window.columns]).sum()):
            return f"{lost} of {window.side**2} pixels have no data"
        high = beside(high, low)
        found = pairing.fit(low, high, window, asked.max_shift)
        if found is None:
            return "SPOT does not show all of it"
        if not found.correlation > asked.least(crop.split):
            return f"correlation {found.correlation:.3f} is not above {asked.least(crop.split):g}"
        target, known = pairing.target(low, high, window, asked.factor, found.shift)
        if not known.all():
            return "SPOT does not show all of it"
        numbers = (revisit.number, revisit.days, cloud, found.shift, found.correlation)
        extras = {
            spec.name: np.array(number, spec.dtype)
            for spec, number in zip(form.PAIRING, numbers, strict=True)
        }
        dense = low.values[window.rows, window.columns]
        return dense_record(name, stored_form(target), stored_form(dense), extras)


def _look(revisit: Revisit, window: Window) -> tuple[Image, float]:
    """The low image without what its data mask leaves out, and the share under clouds.

    Raises:
        DatasetError: A file is damaged, or a mask is of another size.
    """
    low = read_image(revisit.path, L2A_BANDS, L2A_CHOSEN, 1.0)
    masks = {kind: read_mask(revisit.beside(kind)) for kind in ("dataMask", "CLM")}
    for kind, mask in masks.items():
        if mask is not None and mask.shape != low.grid.shape:
            size, others = (f"{one[0]} x {one[1]}" for one in (mask.shape, low.grid.shape))
            what = f"has {size} pixels, its image {others}"
            raise DatasetError(what, where=revisit.beside(kind).name)
    if (seen := masks["dataMask"]) is not None:
        low = replace(low, valid=low.valid & (seen != 0))
    return low, pairing.cloud_share(masks["CLM"], window)
