"""Triplets of SEN12MS-CR as a source of a data set: cloudy image and radar in, clear image out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.manifest import file_fingerprint
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.sources import pictures
from sensor2sensor.sources.sen12mscr import form, splits
from sensor2sensor.sources.sen12mscr.cloudmask import cloud_mask
from sensor2sensor.sources.sen12mscr.images import (
    LARGEST_DN,
    Header,
    Image,
    common_form,
    header_of,
    read_images,
    refuse_blank,
    where_of,
)
from sensor2sensor.sources.sen12mscr.layout import (
    CALLED,
    CLEAR,
    CLOUDY,
    RADAR,
    Found,
    Patch,
    Triplet,
    few,
    lacks,
)
from sensor2sensor.sources.sen12mscr.options import Sen12Options
from sensor2sensor.sources.sen12mscr.probe import probe
from sensor2sensor.sources.sen12mscr.radar import (
    LIMITS_DB,
    block_mean,
    in_db,
    measured,
    refuse_other_unit,
)
from sensor2sensor.sources.source import Item, LeftOut, Listing, Source, listing, with_validation

Values = npt.NDArray[np.float32]


class Sen12Source(Source):
    """The triplets below a folder.

    Shifts are looked for in the colours, radar left aside. Under clouds that stays sound: of 49
    squares of 128 pixels of real scenes 44 told theirs without clouds, 22 with a few, one and none
    with many, and what shows no structure in both does not count.

    Args:
        folder: Of ``--data``, for the provenance.
        found: What there is.
        options: Of step 53.

    Raises:
        InputError: No image can be read, all have other bands, or the radar is of another unit
            or no whole blocks.
    """

    step, version = "53", 1

    def __init__(self, folder: Path, found: Found, options: Sen12Options) -> None:
        self.dataset, self._asked = options.dataset, options
        self.options = options.as_json()
        self.command = options.command(folder)
        if options.s1_unit == "linear":
            self.version = 2  # before, padding of power 0 was stored as -48 dB
        self._found: Found | None = found
        # First of all: reading the headers of all triplets takes minutes.
        listed = options.split_list
        self._listed = {} if listed is None else splits.read_list(listed)
        looked_at = progress(found.triplets, desc="looking at triplets", unit="triplet")
        self._headers: Sequence[Header | None] = list(map(header_of, looked_at))
        self._form = common_form(self._headers, folder)
        self._block_px = form.block_px(self._form, options)
        self._told = probe(found.whole(), options.s1_unit)
        self.drafts = (form.draft(self._form, options),)

    def __getstate__(self) -> dict[str, Any]:
        """All but the triplets: it goes to a worker process with every task."""
        return {**vars(self), "_found": None, "_headers": (), "_listed": {}}

    def plan(self) -> Listing:
        """Every triplet, those that are not whole among them."""
        assert self._found is not None, "only worker processes lack the triplets"
        given, told = self._given([triplet.patch for triplet in self._found.triplets])
        pairs = zip(self._found.triplets, self._headers, strict=True)
        items = [
            self._item(triplet, header, given)
            for triplet, header in pairs
            if self._asked.split != "list" or triplet.patch in given
        ]
        if not items:
            where = self._asked.split_list
            raise InputError("names no patch that is here", where=where, hint="check --data")
        if self._asked.split == "list":
            items, drawn = self._with_validation(items)
            told += drawn
        made = listing(self._asked.name, items)
        return replace(
            made,
            listed_in="the list of triplets",
            notes=(*self._found.notes, *told, *self._told),
            left_out_by="pixels without data",
            unread_by=_unread_by(items),
            advice=tuple(self._advice(items)),
        )

    def _advice(self, items: Sequence[Item]) -> Iterator[str]:
        """What fills an empty split, beside other options of all sources."""
        lacking = [item.payload for item in items if item.payload.missing]
        if lacking:
            first = lacking[0]
            yield f"the images that are missing (first: {first.patch.name} has {lacks(first)})"
        regions = {item.unit for item in items if not item.payload.missing}
        if self._asked.split == "published" and len(regions) >= len(SPLITS):
            yield "--split roi"
        yield "--add, which takes the folder into a data set that is there"

    def _given(self, patches: Sequence[Patch]) -> tuple[Mapping[Patch, str], list[str]]:
        """The split of each patch that has one given, and what is to be said of the others."""
        if self._asked.split == "list":
            return self._listed, splits.unmatched(self._listed, patches)
        if self._asked.split == "roi":
            return {}, []
        found = {patch: splits.published_split(patch.unit) for patch in patches}
        unknown = sorted({patch.unit for patch, split in found.items() if split is None})
        told = [f"regions in no published list ({len(unknown)}): {few(unknown)}"]
        return {p: split for p, split in found.items() if split}, told if unknown else []

    def _item(self, triplet: Triplet, header: Header | None, given: Mapping[Patch, str]) -> Item:
        patch, drawn = triplet.patch, self._asked.split == "roi"
        left_out = lacks(triplet) if triplet.missing else ""
        if not drawn and patch not in given:
            left_out = left_out or f"{patch.unit} is in no published list"
        name = pictures.sample_name(self._asked.name, patch.name, None)
        # By size and time: digests would read all 480 GB of the data set in every run.
        files = {kind: file_fingerprint(path) for kind, path in triplet.paths.items()}
        return Item(
            name=name,
            unit=patch.unit,
            made_from=files,
            split=given.get(patch),
            place=_place(name, triplet.patch, header, self._form.side_px),
            overpass=patch.unit,
            left_out=left_out,
            payload=triplet,
        )

    def _with_validation(self, items: list[Item]) -> tuple[list[Item], list[str]]:
        """Validation drawn from a list that has none, by whole region.

        Raises:
            InputError: It has some, and more is asked for.
        """
        asked = self._asked.val_from_train
        if any(item.split == "val" for item in items):
            if asked is not None:
                where, hint = self._asked.split_list, "leave out --val-from-train"
                raise InputError("has patches for validation", where=where, hint=hint)
            return items, []
        units = len({i.unit for i in items if i.split == "train" and not i.left_out})
        count = max(1, units // 10) if asked is None else asked
        told = f"{count} of {units} regions for training are for validation: the list has none"
        return list(with_validation(items, count, self._asked.seed)), [told]

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """One triplet, clipped to the limits of its bands, with the mask of its cloudy image.

        Raises:
            LeftOut: A pixel of an image has no data.
            DatasetError: An image is damaged, shows nothing, or is of another kind or place than
                it should be.
        """
        images = read_images(item.payload, self._form)
        for kind, image in images.items():
            valid = image.valid
            if kind == RADAR:
                valid = valid & measured(image.values, self._asked.s1_unit)
            if lost := int((~valid).sum()):
                share = f"{lost} of {valid.size} pixels"
                raise LeftOut(f"{share} of its {CALLED[kind]} have no data")
        for kind in (CLEAR, CLOUDY):
            refuse_blank(images[kind])
        asked = self._asked
        mask = cloud_mask(
            images[CLOUDY].values, variant=asked.mask, threshold=asked.cloud_threshold
        )
        cloudy, clear = (self._reflectance(images[kind]) for kind in (CLOUDY, CLEAR))
        dense = np.concatenate([cloudy, self._backscatter(images[RADAR])], axis=-1)
        return (dense_record(item.name, clear, dense, {form.MASK: mask}),)

    def _reflectance(self, image: Image) -> Values:
        chosen = [S2_BANDS.index(band) for band in self._asked.s2_bands]
        numbers = image.values[..., chosen].clip(0, LARGEST_DN).astype(np.float32)
        return numbers / np.float32(LARGEST_DN)

    def _backscatter(self, image: Image) -> Values:
        """Averaged before it is clipped: a mean of clipped values would be that of neither."""
        refuse_other_unit(image.values, self._asked.s1_unit, where_of(image.path))
        decibels = in_db(image.values) if self._asked.s1_unit == "linear" else image.values
        if self._block_px > 1:
            decibels = block_mean(decibels, self._block_px, domain=self._asked.s1_domain)
        low, high = np.array(list(LIMITS_DB.values())).T
        return decibels.clip(low, high).astype(np.float32)


def _unread_by(items: Sequence[Item]) -> str:
    lacking = [bool(item.payload.missing) for item in items if item.left_out]
    reasons = {"missing images": any(lacking), "regions in no published list": not all(lacking)}
    return " and ".join(reason for reason, applies in reasons.items() if applies)


def _place(name: str, patch: Patch, header: Header | None, side_px: int) -> TilePlace | None:
    if header is None or header.place is None:
        return None
    place = header.place
    size_m = side_px * place.pixel_m
    return TilePlace(name, place.epsg, place.ulx_m, place.uly_m, size_m, patch.unit)
