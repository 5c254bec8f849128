"""Patches of SEN2VENµS as a source of a data set: Sentinel-2 in, Venµs at 5 m out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.progress import progress
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.sources.exclusions import Excluded, facts_of, told_unmatched
from sensor2sensor.sources.sen2venus import form, ground
from sensor2sensor.sources.sen2venus.images import (
    Header,
    Numbers,
    common_side,
    header_of,
    read_patch,
)
from sensor2sensor.sources.sen2venus.layout import Patch, packed_sites, patches_of, sites_in
from sensor2sensor.sources.sen2venus.options import VenusOptions
from sensor2sensor.sources.source import Item, LeftOut, Listing, Source, counted, listing

_SCALE = np.float32(10000)


class VenusSource(Source):
    """The patches of the sites below a folder.

    Args:
        folder: Of ``--data``.
        options: Of step 54.

    Raises:
        InputError: There is no site, an index cannot be used, a list excludes nothing of it, or no
            patch can be read.
    """

    step, version = "54", 1

    def __init__(self, folder: Path, options: VenusOptions) -> None:
        self.dataset, self._asked = options.dataset, options
        self.options = options.as_json()
        self.command = options.command(folder)
        columns = form.columns_of(options)
        found = [patch for site in sites_in(folder) for patch in patches_of(site, columns)]
        self._packed = tuple(
            f"warning: {name} is not unpacked, so its site takes no part"
            for name in packed_sites(folder)
        )
        # Of all there are: a patch beyond the cap of its site is not misspelt.
        names = ((patch.site, patch.tile, patch.date, None) for patch in found)
        self._idle: Sequence[Excluded] = options.exclusions.unmatched(names)
        self._patches: Sequence[Patch] = _capped(found, options)
        looked_at = progress(self._patches, desc="looking at patches", unit="patch")
        # Of 5 m: where the target lies, and how large it is.
        self._headers: Sequence[Header | None] = [header_of(p, columns[0]) for p in looked_at]
        why = next((patch.missing for patch in found if patch.missing), "")
        self._side_px = common_side(self._headers, folder, why)
        self._counts = {c: len(g) for t in (form.HIGH, form.LOW) for g, c in t.items()}
        self._columns = columns
        self.drafts = (form.draft(self._side_px, options),)

    def __getstate__(self) -> dict[str, Any]:
        """All but the patches: it goes to a worker process with every task."""
        return {**vars(self), "_patches": (), "_headers": (), "_idle": ()}

    def plan(self) -> Listing:
        """Every patch, those that cannot be read or are excluded among them."""
        pairs = list(zip(self._patches, self._headers, strict=True))
        reasons = {patch.name: self._left_out(patch) for patch in self._patches}
        places = {p.name: _place(p, h, self._side_px) for p, h in pairs}
        of_site: defaultdict[str, list[TilePlace]] = defaultdict(list)
        for patch in (p for p in self._patches if not reasons[p.name]):
            place = places[patch.name]
            of_site[patch.site] += [place] if place is not None else []
        shared = ground.overlaps(of_site)
        splits = ground.site_splits(sorted(of_site), shared, self._asked)
        items = [
            self._item(p, places[p.name], splits.get(p.site), reasons[p.name])
            for p in self._patches
        ]
        made = listing(self._asked.name, items, sites=splits, **facts_of(self._idle))
        idle = told_unmatched(self._idle, self._asked.exclusions)
        return replace(
            made,
            listed_in="the indices of the sites",
            notes=(*_notes(splits, shared, self._lost(reasons), places), *idle, *self._packed),
            left_out_by="--min-valid",
            unread_by=counted(_kind_of(reason) for reason in reasons.values() if reason),
            advice=("--test-sites and --val-sites with sites that have patches",),
        )

    def _lost(self, reasons: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Site and reason of each patch that is left out."""
        return {p.name: (p.site, reasons[p.name]) for p in self._patches if reasons[p.name]}

    def _left_out(self, patch: Patch) -> str:
        excluded = self._asked.exclusions.reason(site=patch.site, tile=patch.tile, date=patch.date)
        return excluded or patch.missing

    def _item(self, patch: Patch, place: TilePlace | None, split: str | None, why: str) -> Item:
        return Item(
            name=patch.name,
            unit=patch.site,
            made_from={column: list(member.key) for column, member in patch.members.items()},
            split=split,
            place=place,
            overpass=_overpass(patch),
            left_out=why,
            payload=patch,
        )

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """One patch; nothing is clipped: negative reflectances and those above 1 are kept.

        Raises:
            LeftOut: Too many pixels lack data.
            DatasetError: A file is damaged, of another form, or lies elsewhere.
        """
        counts = {column: self._counts[column] for column in self._columns}
        read = read_patch(item.payload, self._side_px, counts)
        gaps = np.zeros((self._side_px, self._side_px), bool)
        for column, numbers in read.items():
            gaps |= _repeated((numbers == form.NODATA).any(axis=-1), form.PIXELS[column])
        share = 1.0 - float(gaps.mean())
        if share < self._asked.min_valid or share == 0.0:
            raise LeftOut(f"{share:.2%} of its pixels have data in every band")
        values = {column: _reflectance(numbers) for column, numbers in read.items()}
        extras = {form.GAPS: gaps.astype(np.uint8)} if self._asked.min_valid < 1 else {}
        return (dense_record(item.name, self._target(values), self._input(values), extras),)

    def _target(self, values: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """``[H, W, C]``; bands that Venµs does not have are the input's, each value repeated."""
        chosen = [form.HIGH.get(g, form.LOW[g]) for g in form.groups_of(self._asked)]
        return np.concatenate([_repeated(values[c], form.PIXELS[c]) for c in chosen], axis=-1)

    def _input(self, values: Mapping[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """``[h, w, C]`` on the input's grid: coarser bands are repeated, which loses nothing."""
        chosen = [form.LOW[group] for group in form.groups_of(self._asked)]
        parts = [_repeated(values[c], form.PIXELS[c] // self._asked.factor) for c in chosen]
        return np.concatenate(parts, axis=-1)


def _capped(patches: Sequence[Patch], options: VenusOptions) -> list[Patch]:
    """At most so many of each site, by a hash of their names."""
    if options.per_site is None:
        return list(patches)
    found, counts = [], Counter[str]()
    for patch in sorted(patches, key=lambda p: (keyed_hash(options.seed, "cap", p.name), p.name)):
        counts[patch.site] += 1
        if counts[patch.site] <= options.per_site:
            found.append(patch)
    return sorted(found, key=lambda patch: patch.name)


def _overpass(patch: Patch) -> str:
    told = [part for part in (patch.tile, patch.date) if part]
    return "_".join([patch.site, *told]) if patch.date else ""


def _place(patch: Patch, header: Header | None, side_px: int) -> TilePlace | None:
    if header is None or header.place is None:
        return None
    place, size_m = header.place, float(side_px * form.TARGET_M)
    return TilePlace(patch.name, place.epsg, place.ulx_m, place.uly_m, size_m, _overpass(patch))


def _repeated(values: npt.NDArray[Any], times: int) -> npt.NDArray[Any]:
    return values.repeat(times, axis=0).repeat(times, axis=1) if times > 1 else values


def _reflectance(numbers: Numbers) -> npt.NDArray[np.float32]:
    """Physical values, gaps filled by the band's median: -1 would be the darkest of all pixels."""
    found = numbers.astype(np.float32) / _SCALE
    for band in range(numbers.shape[-1]):
        empty = numbers[..., band] == form.NODATA
        if empty.any():
            # The lower median: a number that was measured, so that it can be stored.
            known = np.sort(found[..., band][~empty])
            found[..., band][empty] = known[(len(known) - 1) // 2]
    return found


def _kind_of(reason: str) -> str:
    return "--exclude" if reason.startswith("excluded by") else "missing files"


def _notes(
    splits: Mapping[str, str],
    shared: Sequence[tuple[str, str]],
    lost: Mapping[str, tuple[str, str]],
    places: Mapping[str, TilePlace | None],
) -> tuple[str, ...]:
    told = [
        f"{split}: {', '.join(sorted(s for s, own in splits.items() if own == split))}"
        for split in ("train", "val", "test")
    ]
    told = [f"sites for {'; '.join(told)}"]
    if shared:
        pairs = ", ".join(f"{a} and {b}" for a, b in shared)
        told.append(f"sites that share ground, kept in one split: {pairs}")
    # Files that are missing or excluded say nothing either, and need not.
    unplaced = sum(place is None for name, place in places.items() if name not in lost)
    if unplaced:
        told.append(f"{unplaced} patches say not where they lie: their sites stand for the ground")
    causes = Counter(lost.values())
    told += [
        f"{count} patches of {site} left out: {reason}"
        for (site, reason), count in causes.most_common(5)
    ]
    if len(causes) > 5:
        others = sum(causes.values()) - sum(count for _, count in causes.most_common(5))
        told.append(f"{others} patches left out for {len(causes) - 5} other reasons: split.csv")
    return tuple(told)
