"""A tiny kind of data of its own: RGB photos, the same half as fine, a mask, split by city."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import ExtraSpec, TargetSpec
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.sources.source import Item, Listing, Source, folder_of, listing
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from tests.fakes_dataset import scene

COLOURS = ("red", "green", "blue")


def _band(name: str) -> BandSpec:
    return BandSpec(
        name=name, unit="DN", wavelength_nm=None, scale=1.0, offset=0.0, nodata=None,
        groups=("rgb",), value_range=(0.0, 255.0),
    )  # fmt: skip


class ToySource(Source):
    """``photos`` samples of each city; those named in ``bad`` cannot be read."""

    step, version, dataset, command = "59", 1, "toy", "python 59_toy.py"

    def __init__(
        self, cities: str = "abcdefgh", photos: int = 3, *, name: str = "album", tile_px: int = 32,
        factor: int = 2, by: str = "group", seed: int = 9, bad: tuple[str, ...] = (),
        ratios: tuple[float, float] = (0.7, 0.4),
    ) -> None:  # fmt: skip
        self.cities, self.photos, self.name, self.bad = cities, photos, name, bad
        self.factor, self.by, self.seed = factor, by, seed
        bands = tuple(map(_band, COLOURS))
        ratios = (None, None) if by == "given" else ratios
        strata = {"shaded": (1,), "lit": (0,)}
        draft = draft_contract(
            name="toy", kind="paired", tile_px=tile_px, resolution_m=None, factor=float(factor),
            input=dense_input(bands, "uint8", tile_px // factor, display=COLOURS),
            target=TargetSpec(bands=bands, dtype="uint8", display=COLOURS),
            extras=(ExtraSpec(name="shade", dtype="uint8", shape=(tile_px,) * 2, unit="1",
                              role="mask", strata=strata),),
            split_policy=drawn(by, seed, *ratios),
        )  # fmt: skip
        self.drafts = (draft,)
        self.options = {"version": 1, "seed": seed, "factor": factor, "tile_px": tile_px}

    def plan(self) -> Listing:
        given = dict(zip(self.cities, ("train", "val", "test") * 9, strict=False))
        photos = [(f"{self.name}__{c}{n}", c) for c in self.cities for n in range(self.photos)]
        items = [Item(name, c, {"photo": name}, given[c], overpass=name) for name, c in photos]
        return listing(self.name, items)

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        if item.name in self.bad:
            raise DatasetError("its photo is torn", where=item.name)
        tile, factor = self.drafts[0].tile_px, self.factor
        reflectance = scene(rng(self.seed, Purpose.FAKES, item.name), tile)
        photo = np.rint(reflectance.clip(0, 0.6) * 400).astype(np.float32)
        coarse = photo.reshape(tile // factor, factor, -1, factor, 3).mean(axis=(1, 3))
        shade = (photo.mean(axis=-1) < np.median(photo)).astype(np.uint8)
        return (dense_record(item.name, photo, np.rint(coarse), {"shade": shade}),)


def toy_dataset(folder: Path, *, write_with: WriteOptions | None = None, **source: Any) -> Path:
    """Write the toy data set below a folder; returns ``<folder>/toy/<tile_px>``."""
    made = ToySource(**source)
    write(made, folder, write_with or WriteOptions())
    return folder_of(folder, made.drafts[0])
