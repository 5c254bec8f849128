"""Data sets of the Level-2A chips: three places, one of which no training sees.

Ground on which no recipe was tried: Wrocław (2018), a bend of the Paraná on two dates (2023, 2024)
and fields near Demmin. Tiles of 64 pixels at 10 m without missing pixels, bands B02, B03, B04,
degraded 6 times as the 60 m product is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.transform
import rasterio.warp
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from sensor2sensor.core import files
from sensor2sensor.dataset.bands import float_band, reflectance_band
from sensor2sensor.dataset.build import draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, Degradation, InputSpec, TargetSpec
from sensor2sensor.dataset.degradation import degrade
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.sources.source import Item, Listing, Source, listing
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write

Image = npt.NDArray[np.float64]
TILE_PX, FACTOR, RESOLUTION_M = 64, 6, 10.0
MARGIN_PX = FACTOR
S2_NM = {"B02": 492.4, "B03": 559.8, "B04": 664.6}


@dataclass(frozen=True)
class Chip:
    """One picture: ``indexes`` are those of B02, B03, B04; ``offset`` is added to its numbers."""

    place: str
    file: str
    indexes: tuple[int, int, int]
    offset: int = 0
    epsg: int | None = None


# From baseline 04.00 (2022) on 1000 is added to the digital numbers. Demmin comes in degrees, its
# columns 5.9 m apart; on its UTM grid again, a ninth of the pixels still repeat their neighbour.
CHIPS = (
    Chip("wroclaw", "l2a_wroclaw/000000000699_image.tif", (2, 3, 4)),
    Chip("parana", "l2a_parana/20231217.tif", (2, 3, 4), offset=-1000),
    Chip("parana", "l2a_parana/20240101.tif", (2, 3, 4), offset=-1000),
    Chip("demmin", "l2a_demmin/sentinel2_fields.tif", (3, 2, 1), epsg=32633),
)
PLACES = tuple(dict.fromkeys(chip.place for chip in CHIPS))


class ChipSource(Source):
    """The tiles of all chips: one place is for testing, of the others the last column of tiles.

    Places lie in different countries, so each is a group of its own; the last column of tiles of a
    training chip, its validation split, touches no other tile of it.

    Args:
        folder: Holds the files of ``chips``.
        tested: The place no training tile is of.
        chips: The pictures.
    """

    step, version, command = "chips", 1, "python -m benchmarks.recipes"

    def __init__(self, folder: Path, tested: str, chips: tuple[Chip, ...]) -> None:
        self.folder, self.tested, self.chips = folder, tested, chips
        self.dataset = f"alt6_chips_{tested}"
        self.drafts = (_draft(self.dataset),)
        self.options: Mapping[str, Any] = {"tested": tested}

    def plan(self) -> Listing:
        """Tiles without missing pixels, which do not overlap."""
        source = {chip.file: files.sha256(self.folder / chip.file) for chip in self.chips}
        items = []
        for scene, chip in enumerate(self.chips):
            corners = _corners(read(self.folder, chip))
            last = max(x for _, x in corners)
            for y, x in corners:
                name = f"chips__{chip.place}_{scene}_{x}x{y}"
                split = "test" if chip.place == self.tested else "val" if x == last else "train"
                unit = f"{chip.place}_last" if split == "val" else chip.place
                made = {"file": source[chip.file], "corner": [x, y]}
                place = {"scene": scene, "payload": (chip, y, x)}
                items.append(Item(name, unit, made, split, **place))
        return listing("chips", items, source=source)

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """The tile and its degraded self."""
        chip, y, x = item.payload
        return (_record(item.name, read(self.folder, chip), y, x),)


def make(folder: Path, data_root: Path, tested: str, chips: tuple[Chip, ...] = CHIPS) -> str:
    """Write the data set that tests one place and trains on the others; returns its name."""
    source = ChipSource(folder, tested, chips)
    write(source, data_root, WriteOptions())
    return source.dataset


@lru_cache(maxsize=2)
def read(folder: Path, chip: Chip) -> Image:
    """Reflectance ``[H, W, 3]`` of B02, B03, B04 on a 10 m grid, NaN where there is none."""
    with rasterio.open(folder / chip.file) as source:
        if chip.epsg is None:
            numbers = source.read(chip.indexes, out_dtype="float64", masked=True)
        else:
            options = {"resampling": Resampling.nearest, "add_alpha": True}
            place = _grid(source, chip.epsg)
            with WarpedVRT(source, crs=CRS.from_epsg(chip.epsg), **place, **options) as vrt:
                present = vrt.read(vrt.count) > 0
                numbers = vrt.read(chip.indexes, out_dtype="float64")
                numbers = np.ma.array(numbers, mask=np.broadcast_to(~present, numbers.shape))
    filled = np.ma.filled(numbers, np.nan).transpose(1, 2, 0)
    return (np.rint(filled) + chip.offset) / 10000.0


def _grid(source: rasterio.DatasetReader, epsg: int) -> dict[str, object]:
    """The 10 m grid of Sentinel-2 over a picture: corners are multiples of 10 m."""
    left, bottom, right, top = rasterio.warp.transform_bounds(source.crs, epsg, *source.bounds)
    west, north = (np.floor(left / 10) * 10, np.ceil(top / 10) * 10)
    transform = rasterio.transform.from_origin(west, north, RESOLUTION_M, RESOLUTION_M)
    width, height = int((right - west) // 10), int((north - bottom) // 10)
    return {"transform": transform, "width": width, "height": height}


def _corners(image: Image) -> list[tuple[int, int]]:
    """Row and column of tiles without missing pixels, on the grid that holds most of them."""
    whole = np.isfinite(image).all(axis=-1)
    starts = range(0, TILE_PX, 8)
    return max((_on_grid(whole, y, x) for y in starts for x in starts), key=len)


def _on_grid(whole: npt.NDArray[np.bool_], first_y: int, first_x: int) -> list[tuple[int, int]]:
    return [
        (y, x)
        for y in range(first_y, whole.shape[0] - TILE_PX + 1, TILE_PX)
        for x in range(first_x, whole.shape[1] - TILE_PX + 1, TILE_PX)
        if whole[y : y + TILE_PX, x : x + TILE_PX].all()
    ]


def _record(name: str, image: Image, y: int, x: int) -> TileRecord:
    border = ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0))
    wide = np.pad(image, border, constant_values=np.nan)
    wide = wide[y : y + TILE_PX + 2 * MARGIN_PX, x : x + TILE_PX + 2 * MARGIN_PX]
    tile = image[y : y + TILE_PX, x : x + TILE_PX].astype(np.float32)
    low = degrade(tile, FACTOR, resolution_m=RESOLUTION_M, margin=wide)
    return TileRecord(name, tile, low.pixels, low.xy, low.index)


def _draft(name: str) -> DatasetContract:
    side = -(-TILE_PX // FACTOR)
    return draft_contract(
        name=name,
        kind="degraded",
        tile_px=TILE_PX,
        resolution_m=RESOLUTION_M,
        factor=float(FACTOR),
        input=InputSpec(
            layout="pixels",
            bands=tuple(float_band(band, "reflectance", nm) for band, nm in S2_NM.items()),
            dtype="float32",
            index_dtype="uint16",
            max_pixels=side * side,
            grid=(side, side),
            pixel_m=FACTOR * RESOLUTION_M,
        ),
        target=TargetSpec(
            bands=tuple(reflectance_band(band, nm) for band, nm in S2_NM.items()),
            dtype="uint16",
            display=("B04", "B03", "B02"),
        ),
        split_policy=drawn("given", seed=0),
        degradation=Degradation(
            method="mean",
            factor=FACTOR,
            mtf_nyquist=None,
            sigma_px=None,
            incomplete_blocks=0,
            tiles_with_incomplete_blocks=0,
        ),
    )
