"""Masks of buildings and aerial photos as a source of a data set: the mask is the input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, SplitPolicy, TargetSpec
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources import pictures
from sensor2sensor.sources.aerial.options import AerialOptions
from sensor2sensor.sources.aerial.pairs import Form, Found, Pair
from sensor2sensor.sources.aerial.rasters import DTYPES, read_image, read_mask
from sensor2sensor.sources.source import Item, LeftOut, Listing, Source, listing

_SAME = 1e-6
WEB_MERCATOR = 3857


@dataclass(frozen=True)
class Square:
    """What is read for one sample."""

    pair: Pair
    window: PixelWindow


class AerialSource(Source):
    """The pairs below a folder.

    Args:
        folder: Of ``--data``, for the provenance.
        found: What there is.
        options: Of step 52.

    Raises:
        InputError: The split is by block and the ground is not known.
    """

    step, version = "52", 1

    def __init__(self, folder: Path, found: Found, options: AerialOptions) -> None:
        self.dataset, self._asked = options.dataset, options
        self.options = options.as_json()
        self.command = options.command(folder)
        self._found: Found | None = found
        if options.split_by == "block":
            _refuse_unplaced(found.pairs)
            # One that cannot be read is refused by name, wherever it is counted till then.
            self._somewhere = next(pair for pair in found.pairs if pair.place is not None)
        self._resolution_m = _resolution_m(found.pairs, options)
        self.drafts = (_draft(found.form, options, self._resolution_m),)

    def __getstate__(self) -> dict[str, Any]:
        """All but the pairs: it goes to a worker process with every task."""
        return {**vars(self), "_found": None}

    def plan(self) -> Listing:
        """The squares of every pair."""
        assert self._found is not None, "only worker processes lack the pairs"
        pairs = self._found.pairs
        if self._asked.split_by == "number":
            _refuse_unnumbered(pairs)
        elif self._asked.split_by == "city":
            _refuse_without_city(pairs)
        items = [item for pair in pairs for item in self._items(pair)]
        made = listing(self._asked.name, items)
        return replace(
            made,
            listed_in="the list of images",
            notes=(*self._found.notes, *self._told(pairs)),
            left_out_by="--min-density and pixels without data",
            advice=("--split-by city or block",) if self._asked.split_by == "number" else (),
        )

    def _items(self, pair: Pair) -> Iterable[Item]:
        height, width = pair.shape
        side = min(height, width) // self._asked.split
        fault = pair.fault
        lost = self._asked.split_by == "block" and pair.place is None
        if not fault and side < 1:
            fault = f"has {height} x {width} pixels, too few for --split {self._asked.split}"
        # The shorter side gives N, though its remainder may hold one more.
        wide, high = (
            self._asked.split * side if edge == min(pair.shape) else edge
            for edge in (width, height)
        )
        windows = pictures.squares(wide, high, side) if side else []
        # A pair of which nothing can be read is refused once; it has no place either.
        for window in windows or [PixelWindow(0, 0, 1, 1)]:
            corner = window if len(windows) > 1 else None
            image = pictures.sample_name(self._asked.name, pair.name, None)
            name = pictures.sample_name(self._asked.name, pair.name, corner)
            yield Item(
                name=name,
                unit=pair.city if self._asked.split_by == "city" else image,
                made_from={
                    "image": pair.image.sha256,
                    "mask": pair.mask.sha256,
                    "cut": [window.x, window.y, window.width],
                },
                split=pair.split,
                place=_place_of(name, self._somewhere if lost else pair, window),
                overpass=pair.city,
                source_sha256=pair.image.sha256,
                payload=Square(replace(pair, fault=fault), window),
            )

    def _told(self, pairs: Sequence[Pair]) -> Iterable[str]:
        """What the user is to know of sizes and places."""
        sound = [pair for pair in pairs if not pair.fault]
        sides = [min(pair.shape) // self._asked.split for pair in sound]
        if small := [side for side in sides if side < self._asked.stored_px]:
            yield f"squares of {min(small)} pixels are enlarged to {self._asked.stored_px}"
        if self.drafts[0].target.display is None and len(self.drafts[0].target.bands) > 2:
            yield "no file says which bands are red, green and blue; --bands names them"
        if self._asked.split_by == "city":
            cities = Counter(pair.city for pair in sound).items()
            yield f"cities, by their names: {', '.join(f'{c} ({n})' for c, n in sorted(cities))}"
        if self._resolution_m is None:
            yield "size of a pixel on the ground: not known, or not one for all"
        elif any(p.place is not None and p.place.epsg == WEB_MERCATOR for p in sound):
            yield "metres are those of Web Mercator: off the equator the ground is smaller"

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """The mask and the photo of a square, at the size that is stored.

        Raises:
            LeftOut: Less of it is building than asked for, or a pixel has no data.
            DatasetError: The files do not fit together, or one is damaged.
        """
        square: Square = item.payload
        pair, stored_px = square.pair, self._asked.stored_px
        if pair.fault:
            raise DatasetError(pair.fault)
        mask, density, unknown = read_mask(pair.mask, square.window, stored_px)
        if unknown:
            raise LeftOut(f"{unknown:.2%} of its mask has no data")
        if density < self._asked.min_density:
            least = f"{self._asked.min_density:.2%}"
            raise LeftOut(f"{density:.2%} of it is building, less than {least}")
        photo, lost = read_image(pair.image, square.window, stored_px)
        if lost:
            by = ", by its alpha band (infrared? name it in --bands)" if pair.image.alpha else ""
            raise LeftOut(f"{lost:.2%} of it has no data{by}")
        target = photo.astype(np.float32)
        return (dense_record(item.name, target, mask[..., None].astype(np.float32)),)


def _place_of(name: str, pair: Pair, window: PixelWindow) -> TilePlace | None:
    place = pair.place
    if place is None:
        return None
    east = place.ulx_m + window.x * place.pixel_m
    north = place.uly_m - window.y * place.pixel_m
    size_m = window.width * place.pixel_m
    return TilePlace(name, place.epsg, east, north, size_m, pair.city)


def _resolution_m(pairs: Sequence[Pair], options: AerialOptions) -> float | None:
    """Edge of a stored pixel, where all squares have one."""
    sizes = [
        min(pair.shape) // options.split * pair.place.pixel_m / options.stored_px
        for pair in pairs
        if pair.place is not None and not pair.fault
    ]
    known = len(sizes) == sum(not pair.fault for pair in pairs) > 0
    same = known and max(sizes) - min(sizes) <= _SAME * max(sizes)
    # Digits that only the arithmetic made would tell equal folders apart.
    return float(f"{sizes[0]:.9g}") if same and sizes[0] > 0 else None


def _refuse_unnumbered(pairs: Sequence[Pair]) -> None:
    without = [pair.name for pair in pairs if pair.split is None]
    if without:
        what = f"names that end in no number: {len(without)}, first of them {without[0]}"
        raise InputError(what, hint="give --split-by city or block")


def _refuse_without_city(pairs: Sequence[Pair]) -> None:
    without = [pair.name for pair in pairs if pair.city == pair.name and pair.split is not None]
    if without:
        what = f"names that are numbers alone: {len(without)}, first of them {without[0]}"
        raise InputError(what, hint="put the city before the number, or give --split-by block")


def _refuse_unplaced(pairs: Sequence[Pair]) -> None:
    without = [pair.name for pair in pairs if pair.place is None and not pair.fault]
    without = without or [pair.name for pair in pairs if all(p.place is None for p in pairs)]
    if without:
        what = f"pairs that do not say where they lie: {len(without)}, first of them {without[0]}"
        raise InputError(what, hint="take them out, or give --split-by number or city")


def _draft(form: Form, options: AerialOptions, resolution_m: float | None) -> DatasetContract:
    dtype = cast(Literal["float32", "uint16", "uint8"], DTYPES[form.dtype])
    bands = tuple(pictures.picture_band(name, "photo", dtype) for name in form.bands)
    named = set(pictures.COLOURS) <= set(form.bands)
    mask = BandSpec(
        name="building",
        unit="1",
        wavelength_nm=None,
        scale=1.0,
        offset=0.0,
        nodata=None,
        groups=("mask",),
        value_range=(0.0, 1.0),
    )
    return draft_contract(
        name=options.dataset,
        kind="paired",
        tile_px=options.stored_px,
        resolution_m=resolution_m,
        factor=1.0,
        input=dense_input((mask,), "uint8", options.stored_px, pixel_m=resolution_m),
        target=TargetSpec(bands=bands, dtype=dtype, display=pictures.COLOURS if named else None),
        split_policy=_policy(options, resolution_m),
    )


def _policy(options: AerialOptions, resolution_m: float | None) -> SplitPolicy:
    ratios = options.train_ratio, options.val_ratio
    if options.split_by == "number":
        return drawn("given", 0)
    if options.split_by == "city":
        return drawn("group", options.seed, *ratios)
    if resolution_m is None:
        what = "a split by block needs north-up images of one pixel size in metres"
        raise InputError(what, hint="give --split-by number or city")
    block_m = options.block_tiles * options.stored_px * resolution_m
    # No guard: a square is resampled from its own pixels alone.
    return drawn("block", options.seed, *ratios, block_tiles=options.block_tiles, block_m=block_m)
