"""The tiles of step 40 as a source of data sets: ``cur_D`` and ``alt<factor>_D`` in one reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.preprocess.records.forms import drafts_for
from sensor2sensor.preprocess.records.inputs import Tile, TileSet
from sensor2sensor.preprocess.records.options import VERSION, DatasetOptions
from sensor2sensor.preprocess.records.tiles import read_arrays, record_for
from sensor2sensor.products.bands import mean_nm
from sensor2sensor.sources.source import Item, Listing, Source


class TileSource(Source):
    """The tiles of one inventory, with the data sets that the options ask for.

    Args:
        tiles: What step 40 left.
        options: Of step 50.
        notes: What else is to be said of the tiles.
    """

    step = "50"
    version = VERSION
    options_say_all = True
    shared_target = True
    reasons_with_names = True
    one_look_one_tile = True
    looks_for_shift = False  # step 40 measured it over more ground than a tile

    def __init__(
        self, tiles: TileSet, options: DatasetOptions, notes: tuple[str, ...] = ()
    ) -> None:
        self.dataset = options.dataset
        # Of step 40 only what all inventories of a data set must share.
        shared = {key: tiles.options.get(key) for key in ("bands", "level")}
        form = {"resolution_m": tiles.resolution_m, "sentinel3": tiles.with_s3}
        self.options = {**options.as_json(), **form, **shared}
        self.command = options.command(tiles.inventory)
        self.drafts = drafts_for(options, tiles)
        _check_aligned(options, tiles)
        self._tiles: TileSet | None = tiles
        self._asked, self._said = options, notes

    def __getstate__(self) -> dict[str, Any]:
        """All but the tiles: it goes to a worker process with every task."""
        return {**vars(self), "_tiles": None}

    def plan(self) -> Listing:
        """The tiles as items, with those that the shift between the sensors rules out."""
        assert self._tiles is not None, "only worker processes lack the tiles"
        tiles, asked = self._tiles, self._asked
        items = tuple(_item(tile, asked) for tile in tiles.tiles)
        return Listing(
            name=tiles.inventory,
            items=items,
            facts=tiles.facts(),
            decisive=("tiles_csv_sha256", "step40"),
            listed_in="tiles.csv",
            notes=(*self._said, *_notes(items, asked, tiles)),
            left_out_by="--max-shift",
            advice=_advice(items, asked),
        )

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """The record of a tile in every data set, from one reading of its files."""
        with_s3 = any(draft.kind == "sentinel3" for draft in self.drafts)
        # The shift is measured on the target: scores, and what chooses a model, know none of it.
        aligned = self._asked.correct_shift and item.split == "train"
        arrays = read_arrays(item.payload, self.drafts[0], with_s3=with_s3, aligned=aligned)
        return tuple(record_for(item.payload, arrays, draft) for draft in self.drafts)

    def kin(self, data_root: Path) -> list[Path]:
        """``cur_D`` and every ``alt<factor>_D`` of the tile size, also of other factors."""
        return kin_of(data_root, self.dataset, self._asked.tile_px)

    def completed(
        self, draft: DatasetContract, inventories: Sequence[Mapping[str, Any]]
    ) -> DatasetContract:
        """The draft at the mean wavelengths of all its tiles."""
        return at_mean_wavelengths(draft, inventories)


def kin_of(data_root: Path, dataset: str, tile_px: int) -> list[Path]:
    """Folders of ``cur_D``, then of each ``alt<factor>_D``, at one tile size."""
    name = re.compile(rf"(cur|alt\d+)_{re.escape(dataset)}")
    there = [folder for folder in Path(data_root).glob(f"*/{tile_px}") if folder.is_dir()]
    found = [folder for folder in there if name.fullmatch(folder.parent.name)]
    return sorted(found, key=lambda f: (not f.parent.name.startswith("cur"), f.parent.name))


def _check_aligned(options: DatasetOptions, tiles: TileSet) -> None:
    """Raise InputError where step 40 was not asked where the OLCI pixels show the ground."""
    if options.correct_shift and not tiles.options.get("correct_shift"):
        what = "--correct-shift, and its tiles were cut without"
        hint = (
            "run step 40 with --correct-shift as well (--force replaces the tiles that are there)"
            if tiles.with_s3
            else "leave it out: the inventory is of Sentinel-2 alone"
        )
        raise InputError(what, where=tiles.inventory, hint=hint)


def _item(tile: Tile, options: DatasetOptions) -> Item:
    plain = _as_it_comes(tile, options)
    if not (options.correct_shift and tile.is_aligned):
        return plain
    place, (east_m, north_m) = tile.place, tile.moved_m
    said = "not aligned: its drift leads to ground of another split"
    return replace(
        plain,
        made_from={**plain.made_from, "tile": dict(tile.digests)},
        train_place=replace(place, ulx_m=place.ulx_m + east_m, uly_m=place.uly_m + north_m),
        instead=replace(
            plain,
            remark="; ".join(filter(None, (plain.remark, said))),
            payload=replace(tile, digests=tile.as_it_comes()),
        ),
    )


def _as_it_comes(tile: Tile, options: DatasetOptions) -> Item:
    """The item of a tile with the pixels that lie over it."""
    left_out, remark = _judged(tile, options)
    place = tile.place
    return Item(
        name=tile.name,
        # Counts where the split is by acquisition; by block the place decides.
        unit=place.acquisition,
        made_from={
            "tile": tile.as_it_comes(),
            "gap": tile.time_gap_h,
            "corner": [place.ulx_m, place.uly_m],  # input_xy is measured from it
        },
        place=place,
        overpass=tile.overpass,
        scene=tile.scene,
        left_out=left_out,
        remark=remark,
        source_sha256=tile.sha256,
        time_gap_h=tile.time_gap_h,
        shift_m=tile.shift_m,
        payload=tile,
    )


def _judged(tile: Tile, options: DatasetOptions) -> tuple[str, str]:
    """Why the shift between the sensors rules a tile out, or what is to be said of it if not."""
    limit = options.shift_limit
    return (
        ("", "") if limit is None or not tile.s3 else limit.judged(tile.shift_m, tile.shift_quality)
    )


def _shifted(items: Sequence[Item]) -> tuple[int, int]:
    """How many tiles are shifted too far, and of how many the shift is not known."""
    beyond = sum(item.left_out.startswith("shift of") for item in items)
    return beyond, sum("not known" in item.left_out + item.remark for item in items)


def _notes(items: Sequence[Item], options: DatasetOptions, tiles: TileSet) -> tuple[str, ...]:
    """What ``--max-shift`` and ``--correct-shift`` decided, counted."""
    if options.max_shift_m is not None and not tiles.with_s3:
        # Not refused: data sets were made so, and would count as made with other options.
        return (f"--max-shift has no meaning here: {tiles.inventory} is of Sentinel-2 alone",)
    return (*_limited(items, options), *_moved(items, options, tiles))


def _moved(items: Sequence[Item], options: DatasetOptions, tiles: TileSet) -> tuple[str, ...]:
    if not tiles.options.get("correct_shift"):
        return ()
    of = f"{sum(item.payload.is_aligned for item in items)} of {len(items)} tiles"
    if not options.correct_shift:
        return (f"step 40 found a sure shift for {of}; --correct-shift uses it for train",)
    # Which of them train gets is not known before the split.
    told = f"step 40 found a sure shift for {of}"
    return (f"{told}; inputs of those in train are aligned with their targets",)


def _limited(items: Sequence[Item], options: DatasetOptions) -> tuple[str, ...]:
    if options.max_shift_m is None:
        return ()
    beyond, unknown = _shifted(items)
    became = "left out" if options.unknown_shift == "drop" else "kept (--unknown-shift keep)"
    text = f"shift between the sensors: {beyond} tiles beyond {options.max_shift_m:g} m left out,"
    return (f"{text} {unknown} of unknown shift {became}",)


def _advice(items: Sequence[Item], options: DatasetOptions) -> tuple[str, ...]:
    """What brings back the tiles that ``--max-shift`` leaves out."""
    beyond, unknown = _shifted(items)
    ways = []
    if beyond:
        ways.append(f"a larger --max-shift ({beyond} tiles lie beyond {options.max_shift_m:g} m)")
    if unknown and options.unknown_shift == "drop":
        ways.append(f"--unknown-shift keep ({unknown} tiles are of unknown shift)")
    return tuple(ways)


def at_mean_wavelengths(
    draft: DatasetContract, inventories: Sequence[Mapping[str, Any]]
) -> DatasetContract:
    """The contract with the mean wavelength of all its tiles for each Sentinel-2 band.

    Inventories may be of different satellites, whose bands lie up to 17 nm apart; those added by
    earlier versions do not say, and the wavelengths of the others stand for them.
    """
    told = [one for one in inventories if "wavelengths_nm" in one]

    def moved(band: BandSpec) -> BandSpec:
        if not all(band.name in one["wavelengths_nm"] for one in told):
            return band
        known = [(one["wavelengths_nm"][band.name], one["tiles"]) for one in told]
        return band.model_copy(update={"wavelength_nm": mean_nm(known)})

    sides = {
        side: spec.model_copy(update={"bands": tuple(map(moved, spec.bands))})
        for side, spec in (("input", draft.input), ("target", draft.target))
    }
    return draft.model_copy(update=sides)
