"""wsx2 and wsx4 as a source: pairs that were cut and co-registered already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.manifest import file_fingerprint
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.build import drawn
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.sources.exclusions import Exclusions, told_unmatched
from sensor2sensor.sources.source import (
    Item,
    LeftOut,
    Listing,
    Source,
    counted,
    listing,
    with_validation,
)
from sensor2sensor.sources.worldstrat import form
from sensor2sensor.sources.worldstrat.ground import Shown, refuse_shared
from sensor2sensor.sources.worldstrat.images import (
    DERIVED_BANDS,
    DERIVED_CHOSEN,
    DIVISOR,
    grid_of,
    read_image,
    stored_form,
)
from sensor2sensor.sources.worldstrat.layout import (
    INDEX,
    Pair,
    few,
    find_pairs,
    place_of,
    refuse_two_splits,
    split_places,
)
from sensor2sensor.sources.worldstrat.options import FACTORS, WorldstratOptions

Sides = tuple[int, int]


class DerivedSource(Source):
    """The pairs that an index lists.

    Args:
        folder: Of ``--data``.
        options: Of step 55.
        exclusions: What is left out.

    Raises:
        InputError: The index is damaged, no pair can be read, or an AOI is in two splits.
    """

    step, version = "55", 1

    def __init__(self, folder: Path, options: WorldstratOptions, exclusions: Exclusions) -> None:
        self._asked, self._folder = options, folder
        self.options = options.as_json(derived=True)
        self._excluded = exclusions
        self._pairs: Sequence[Pair] = find_pairs(folder)
        self._low_px, tile_px = _common_sides(self._pairs, folder)
        factor = tile_px // self._low_px
        self._asked = options = replace(options, dataset=options.dataset or f"wsx{factor}")
        self.dataset = options.dataset
        self.command = options.command(folder, derived=True)
        self._tile_px = tile_px
        self.drafts = (form.draft(options.dataset, tile_px, factor, drawn("given", 0)),)

    def __getstate__(self) -> dict[str, Any]:
        """All but the pairs: it goes to a worker process with every task."""
        return {**vars(self), "_pairs": (), "_excluded": Exclusions()}

    def plan(self) -> Listing:
        """Every pair with its split."""
        items = [self._item(pair) for pair in self._pairs]
        taken = [i for i, p in zip(items, self._pairs, strict=True) if p.aoi and not i.left_out]
        splits: dict[str, str] = {}
        for item in taken:
            known = splits.setdefault(item.unit, str(item.split))
            if known != item.split:
                splits[item.unit] = f"{known}+{item.split}"
        refuse_two_splits(splits, self._folder / INDEX)
        notes = [f"licence of the data: {form.LICENCE}"]
        if not any(item.split == "val" for item in items):
            items, told = _with_validation(items, self._asked.seed, self._folder / INDEX)
            notes.append(told)
        notes += [*self._neighbours(items), *self._unnamed()]
        shown = [
            Shown(pair.aoi or pair.high.name, str(item.split), pair.low)
            for item, pair in zip(items, self._pairs, strict=True)
            if not item.left_out
        ]
        notes += refuse_shared(shown, self._folder / INDEX, by_pixels=True)
        names = [name for pair in self._pairs for name in _names(pair)]
        idle = self._excluded.unmatched((None, None, None, name) for name in names)
        notes += told_unmatched(idle, self._excluded)
        made = listing(self._asked.name, items, **form.facts(self._excluded, idle))
        kinds = [_kind_of(item.left_out) for item in items if item.left_out]
        return replace(
            made,
            listed_in=f"{INDEX} or --exclude",
            notes=tuple(notes),
            left_out_by="pixels without data",
            unread_by=counted(kinds),
            advice=("--min-correlation with a smaller number",) if "correlation" in kinds else (),
        )

    def _neighbours(self, items: Sequence[Item]) -> Iterator[str]:
        taken = (item for item in items if item.overpass and not item.left_out)
        named = {item.unit: str(item.split) for item in taken}
        return split_places(named, "name those of one split in a list for --exclude")

    def _unnamed(self) -> Iterator[str]:
        lone = [pair.high.name for pair in self._pairs if not pair.aoi]
        if lone:
            yield (
                f"warning: {len(lone)} of {len(self._pairs)} names tell no AOI ({few(lone)}): each"
                " is a group of its own, and nobody can tell whether two splits share ground"
            )

    def _item(self, pair: Pair) -> Item:
        stem = pair.high.relative_to(self._folder).with_suffix("").as_posix()
        name = stem.replace("/", "_").replace(" ", "_").replace("+", "_")
        least = self._asked.least(pair.split)
        reason = next(filter(None, (self._excluded.reason(aoi=n) for n in _names(pair))), None)
        if not reason and not pair.correlation > least:
            reason = f"correlation {pair.correlation:.3f} is not above {least:g}"
        files = (pair.high, pair.low)
        return Item(
            name=f"{self._asked.name}__{name}",
            unit=pair.aoi or name,
            # A file that is missing is refused by name when it is read.
            made_from={
                "files": [file_fingerprint(path) if path.is_file() else None for path in files],
                "correlation": pair.correlation,
            },
            split=pair.split,
            overpass=pair.aoi,
            left_out=reason or "",
            payload=pair,
        )

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """One pair as it was cut.

        Raises:
            LeftOut: A pixel has no data.
            DatasetError: A file is missing, damaged, or of another size than most.
        """
        pair: Pair = item.payload
        made = []
        for path, side in ((pair.high, self._tile_px), (pair.low, self._low_px)):
            image = read_image(path, DERIVED_BANDS, DERIVED_CHOSEN, DIVISOR)
            if image.grid.shape != (side, side):
                size = " x ".join(map(str, image.grid.shape))
                raise DatasetError(f"has {size} pixels, most have {side} x {side}", where=path.name)
            if lost := int((~image.valid).sum()):
                raise LeftOut(f"{lost} of {side**2} pixels of {path.name} have no data")
            made.append(stored_form(image.values))
        extras = {"correlation": np.array(pair.correlation, np.float32)}
        return (dense_record(item.name, made[0], made[1], extras),)


def _names(pair: Pair) -> tuple[str, ...]:
    """What a list may call a pair: its AOI, or its file where that tells none."""
    return tuple(filter(None, (pair.aoi, pair.high.name)))


def _with_validation(items: Sequence[Item], seed: int, where: Path) -> tuple[list[Item], str]:
    """A tenth of the places of train for validation, whole: AOIs of one lie side by side.

    Raises:
        InputError: There is no place to spare.
    """
    train = {item.unit for item in items if item.split == "train" and not item.left_out}
    places = {place_of(unit) for unit in train}
    if len(places) < 2:
        what = f"has no validation, and its AOIs for training are of {len(places)} place"
        raise InputError(what, where=where, hint="give lines the split 'val'")
    count = max(1, len(places) // 10)
    drawn_by = with_validation((replace(i, unit=place_of(i.unit)) for i in items), count, seed)
    made = [replace(item, split=by.split) for item, by in zip(items, drawn_by, strict=True)]
    moved = {item.unit for item in made if item.split == "val" and not item.left_out}
    return made, (
        f"{len(moved)} of {len(train)} AOIs for training ({count} of {len(places)} places) are for"
        " validation: none was"
    )


def _kind_of(reason: str) -> str:
    return "correlation" if reason.startswith("correlation") else "--exclude"


def _common_sides(pairs: Sequence[Pair], folder: Path) -> Sides:
    """Edges of the low and the high image of most pairs.

    Raises:
        InputError: None can be read, or the high one is not 2 or 4 times finer.
    """
    seen: Counter[tuple[Sides, Sides]] = Counter()
    for pair in progress(pairs, desc="looking at pairs", unit="pair"):
        # What is wrong with one is told when its pixels are read.
        with suppress(DatasetError):
            seen[grid_of(pair.low).shape, grid_of(pair.high).shape] += 1
    if not seen:
        raise InputError(f"has no pair that can be read of {len(pairs)} listed", where=folder)
    low, high = seen.most_common(1)[0][0]
    square = low[0] == low[1] and high[0] == high[1]
    if not square or not any(low[0] * factor == high[0] for factor in FACTORS):
        sizes = " and ".join(f"{one[0]} x {one[1]}" for one in (low, high))
        raise InputError(f"its pairs have {sizes} pixels, not 2 or 4 times as many", where=folder)
    return low[0], high[0]
