"""Pairs to pre-train a registration on: one band of the target as the coarser sensor would see it.

The input holds S, the target's band degraded to the input's grid (named as the band), and L, the
input's own band (``<band>_fixed``); the target is L. A registration moves S onto L. Splits are
those of the data set the pairs are made of: what is test there is test here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import (
    CONTRACT_FILE,
    SPLITS,
    DatasetContract,
    TargetSpec,
    load_contract,
)
from sensor2sensor.dataset.degradation import degrade
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import RecordRef, read_record
from sensor2sensor.dataset.records import TileRecord, decode, dense_record
from sensor2sensor.dataset.upsampling import grid_of
from sensor2sensor.sources.source import Item, Listing, Source, listing

FIXED = "_fixed"  # behind the name of the band that stays where it is


class PairsSource(Source):
    """One band of a data set whose input is coarser than its target.

    Args:
        folder: ``<data_root>/<dataset>/<tilesize>`` of the data set the pairs are made of.
        dataset: Name of the one that is made.
        band: A band of its input and its target.
        mtf: Transfer of the coarser sensor at its Nyquist frequency.

    Raises:
        InputError: The band or the grids do not serve.
    """

    # S and L are displaced by intention: to find by how much is what they are for.
    step, version, looks_for_shift = "pairs", 1, False

    def __init__(self, folder: Path, dataset: str, band: str, mtf: float) -> None:
        self.dataset, self._folder, self._mtf = dataset, folder, mtf
        self._contract = contract = load_contract(folder)
        self._places = [_place(contract, side, band) for side in ("input", "target")]
        side_px = _side_px(contract)
        self._factor = contract.tile_px // side_px
        digest = files.sha256(folder / CONTRACT_FILE)
        self._made_of = {"dataset": contract.name, "dataset_sha256": digest}
        self.options = {**self._made_of, "band": band, "mtf": mtf, "factor": self._factor}
        self.command = (
            f"s2s records-pairs --from {contract.name} --from-size {contract.tile_px}"
            f" --dataset {dataset} --band {band} --mtf {mtf:g}"
        )
        low = contract.input.bands[self._places[0]]
        high = contract.target.bands[self._places[1]]
        self.drafts = (_draft(contract, dataset, side_px, low, high),)

    def plan(self) -> Listing:
        """Every tile of the three splits."""
        items = [
            Item(
                name=row.name,
                # A tile may touch several blocks, whose names are joined by a sign units lack.
                unit=row.block.replace("+", "&") or row.name,
                made_from={**self._made_of, "sha256": row.sha256, "record": row.record},
                split=row.split,
                overpass=row.overpass,
                payload=RecordRef(row.name, Path(row.file), row.offset, row.length),
            )
            for row in read_split(self._folder)
            if row.split in SPLITS
        ]
        return listing(self._contract.name, items)

    def read(self, item: Item) -> Sequence[TileRecord]:
        """S and L of one tile."""
        ref = item.payload
        placed = RecordRef(ref.name, self._folder / ref.path, ref.offset, ref.length)
        tile = decode(read_record(placed), self._contract)
        low, high = self._places
        if tile.input_dense is not None:
            image = tile.input_dense
        else:
            rows, columns, _ = grid_of(tile.input_index)
            image = tile.input_pixels.reshape(rows, columns, -1)
        fixed = image[..., low : low + 1]
        seen = degrade(
            tile.target[..., high : high + 1],
            self._factor,
            resolution_m=1.0,  # of positions, which nothing asks for
            method="mtf",
            mtf_nyquist=self._mtf,
        )
        moving = seen.pixels.reshape(fixed.shape)
        return [dense_record(item.name, fixed, np.concatenate([moving, fixed], axis=-1))]


def _place(contract: DatasetContract, side: str, band: str) -> int:
    """The position of a band among those of a side that can be registered by."""
    bands: tuple[BandSpec, ...] = getattr(contract, side).bands
    names = [one.name for one in bands]
    if band not in names:
        problem = f"'{band}' is no band of the {side} of '{contract.name}'"
        raise InputError(problem, where="--band", hint=suggestion(band, names))
    found = bands[names.index(band)]
    if found.native_px > 1 or not found.reference:
        what = "coarser than the input's grid" if found.native_px > 1 else "without a reference"
        problem = f"band '{band}' of '{contract.name}' is {what}"
        usable = [one.name for one in bands if one.native_px == 1 and one.reference]
        raise InputError(problem, where="--band", hint=f"take one of {', '.join(usable)}")
    return names.index(band)


def _side_px(contract: DatasetContract) -> int:
    """Pixels along a side of the input, a whole number of times fewer than the target's."""
    shape, tile = contract.input_px, contract.tile_px
    if shape is None or shape[0] != shape[1] or tile % shape[0] or tile == shape[0]:
        raise DatasetError(
            "has no square input grid that is a whole number of times coarser than its target",
            where=contract.name,
            hint="pairs are made of data sets for super-resolution",
        )
    return shape[0]


def _draft(
    contract: DatasetContract, dataset: str, side_px: int, low: BandSpec, high: BandSpec
) -> DatasetContract:
    def stored(band: BandSpec, name: str) -> BandSpec:
        # As floats: what is degraded lies between the digital numbers.
        change = {"name": name, "scale": 1.0, "offset": 0.0, "nodata": None, "groups": ()}
        return band.model_copy(update=change)

    bands = stored(high, high.name), stored(low, low.name + FIXED)
    pixel_m = contract.input.pixel_m
    return draft_contract(
        name=dataset,
        kind="paired",
        tile_px=side_px,
        resolution_m=pixel_m,
        factor=1.0,
        input=dense_input(bands, "float32", side_px, pixel_m=pixel_m),
        target=TargetSpec(bands=(stored(low, low.name),), dtype="float32"),
        split_policy=drawn("given", 0),
    )
