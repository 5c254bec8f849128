"""Cloudy and clear dates of one Sentinel-2 tile as a data set: a source outside of the package.

    python examples/multidate.py --data s2_multidate_120m

FOLDER holds one folder for each date, `S2?_<tile>_<date>_<n>_L2A`, with B02, B03, B04, B08 and SCL
as JPEG 2000 on one grid and the STAC item of the scene. A cloudy date is the input, the clear date
next to it in time the target. Radar there is none.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli, files
from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, TargetSpec
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources import pictures
from sensor2sensor.sources.source import Item, LeftOut, Listing, Source, listing
from sensor2sensor.sources.writer import options as shared
from sensor2sensor.sources.writer.run import write

WAVELENGTH_NM = {"B02": 492.4, "B03": 559.8, "B04": 664.6, "B08": 832.8}
DISPLAY = ("B04", "B03", "B02")
CLEAR_PERCENT = 2.0  # cloud in a date that others are held against
UNCLEAR_SHARE = 0.01  # of a target's pixels that may be cloud or shadow
# Scene classes of level 2A: 3 shadow, 8 and 9 cloud, 10 cirrus.
CLOUD_CLASSES, SHADOW_CLASS = (8, 9, 10), 3
CLOUD, SHADOW = 1, 2
BLOCK_TILES = 4.0

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Scene:
    """One date: its folder, when it was seen and how much of it is cloud."""

    folder: Path
    time: datetime
    cloud_percent: float

    @property
    def date(self) -> str:
        """``20230815``."""
        return f"{self.time:%Y%m%d}"

    def files(self) -> list[Path]:
        """Its bands in their order, then its scene classes."""
        return [self.folder / f"{name}.jp2" for name in (*WAVELENGTH_NM, "SCL")]

    def sums(self) -> list[str]:
        """SHA-256 of each file."""
        return [files.sha256(path) for path in self.files()]


def scenes(data: Path) -> list[Scene]:
    """The dates below a folder, in the order of time.

    Raises:
        InputError: There is no clear date, or no cloudy one.
    """
    found = []
    for item in sorted(data.glob("*/*_L2A.json")):
        said = json.loads(item.read_text(encoding="utf-8"))["properties"]
        time = datetime.fromisoformat(said["datetime"])
        found.append(Scene(item.parent, time, float(said["eo:cloud_cover"])))
    clear = [scene for scene in found if scene.cloud_percent <= CLEAR_PERCENT]
    if not clear or len(clear) == len(found):
        what = f"has {len(found)} dates, {len(clear)} of them clear; both kinds are needed"
        raise InputError(what, where=data, hint="--data names the folder that holds the dates")
    return sorted(found, key=lambda scene: scene.time)


def pairs(found: list[Scene]) -> Iterator[tuple[Scene, Scene]]:
    """Every cloudy date with the clear one next to it in time."""
    clear = [scene for scene in found if scene.cloud_percent <= CLEAR_PERCENT]
    for scene in found:
        if scene not in clear:
            yield scene, min(clear, key=lambda other: abs(other.time - scene.time))


@lru_cache(maxsize=4)
def pixels(scene: Scene) -> tuple[Pixels, Pixels]:
    """Digital numbers ``[H, W, 4]`` and scene classes ``[H, W]`` of a date."""
    import rasterio

    layers = []
    for path in scene.files():
        with rasterio.open(path) as file:
            layers.append(file.read(1))
    return np.stack(layers[:-1], axis=-1), layers[-1]


def cloud_mask(classes: Pixels) -> npt.NDArray[np.uint8]:
    """0 clear, 1 cloud, 2 shadow of scene classes ``[H, W]``."""
    shadow = np.where(classes == SHADOW_CLASS, np.uint8(SHADOW), np.uint8(0))
    return np.where(np.isin(classes, CLOUD_CLASSES), np.uint8(CLOUD), shadow)


class MultidateSource(Source):
    """Squares of cloudy dates, each with the same square on a clear date.

    Args:
        data: Folder with the dates.
        dataset: Name of the data set.
        tile_px: Edge of a square.
        seed: Of the draw of blocks of ground.
        ratios: Of blocks for training and validation, and of those for validation.
    """

    step, version = "multidate", 1

    def __init__(
        self, data: Path, dataset: str, tile_px: int, seed: int, ratios: tuple[float, float]
    ) -> None:
        self._data, self.dataset = data, dataset
        found = scenes(data)
        self._epsg, self._corner_m, self._pixel_m, self._side_px = _grid(found[0])
        self.drafts = (_draft(dataset, tile_px, self._pixel_m, seed, ratios),)
        self.options = {"version": self.version, "tile_px": tile_px, "seed": seed}
        self.command = f"python examples/multidate.py --data {data.name} --tilesize {tile_px}"

    def plan(self) -> Listing:
        """The squares of every pair of dates."""
        items = []
        for cloudy, clear in pairs(scenes(self._data)):
            made_from = {"input": cloudy.sums(), "target": clear.sums()}
            gap_h = (cloudy.time - clear.time).total_seconds() / 3600.0
            side = self.drafts[0].tile_px
            for window in pictures.squares(self._side_px, self._side_px, side):
                name = pictures.sample_name(self.dataset, cloudy.date, window)
                items.append(
                    Item(
                        name=name,
                        unit=cloudy.date,
                        made_from={**made_from, "corner": [window.x, window.y]},
                        place=self._place(name, window, cloudy.date),
                        overpass=cloudy.date,
                        time_gap_h=gap_h,
                        payload=(cloudy, clear, window),
                    )
                )
        return listing(self.dataset, items)

    def _place(self, name: str, window: PixelWindow, date: str) -> TilePlace:
        east = self._corner_m[0] + window.x * self._pixel_m
        north = self._corner_m[1] - window.y * self._pixel_m
        return TilePlace(name, self._epsg, east, north, window.width * self._pixel_m, date)

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """One square on both dates.

        Raises:
            LeftOut: The clear date is not clear here, or either date has no data.
            DatasetError: The dates are not on one grid.
        """
        cloudy, clear, window = item.payload
        rows = slice(window.y, window.y + window.height)
        columns = slice(window.x, window.x + window.width)
        numbers, classes = (layer[rows, columns] for layer in pixels(cloudy))
        truth, truth_classes = (layer[rows, columns] for layer in pixels(clear))
        if numbers.shape != truth.shape:
            raise DatasetError("the two dates have grids of other sizes", where=item.name)
        if missing := float(((numbers == 0) | (truth == 0)).mean()):
            raise LeftOut(f"{missing:.2%} of it has no data on one of the dates")
        unclear = float((cloud_mask(truth_classes) != 0).mean())
        if unclear > UNCLEAR_SHARE:
            raise LeftOut(f"{unclear:.2%} of the clear date is cloud or shadow")
        mask = {"cloud_mask": cloud_mask(classes)}
        return (dense_record(item.name, reflectance(truth), reflectance(numbers), mask),)


def reflectance(numbers: Pixels) -> npt.NDArray[np.float32]:
    """Reflectance 0 to 1 of digital numbers; clouds may be brighter and are cut there."""
    # The STAC items say that the offset of baseline 04.00 is applied already.
    return (np.minimum(numbers, 10000).astype(np.float32) / np.float32(10000)).astype(np.float32)


def _grid(scene: Scene) -> tuple[int, tuple[float, float], float, int]:
    """EPSG code, upper-left corner and pixel in metres, pixels a side."""
    import rasterio

    with rasterio.open(scene.files()[0]) as file:
        place = file.transform
        return file.crs.to_epsg(), (place.c, place.f), place.a, min(file.shape)


def _draft(
    name: str, tile_px: int, pixel_m: float, seed: int, ratios: tuple[float, float]
) -> DatasetContract:
    bands = tuple(
        BandSpec(
            name=band, unit="reflectance", wavelength_nm=centre, scale=1e-4, offset=0.0,
            nodata=0.0, groups=("S2", "L2A"), value_range=(0.0, 1.0),
        )
        for band, centre in WAVELENGTH_NM.items()
    )  # fmt: skip
    mask = ExtraSpec(
        name="cloud_mask", dtype="uint8", shape=(tile_px, tile_px), unit="1", role="mask",
        strata={"covered": (CLOUD, SHADOW), "clear": (0,)}, variant="scl",
    )  # fmt: skip
    block_m = BLOCK_TILES * tile_px * pixel_m
    return draft_contract(
        name=name,
        kind="paired",
        tile_px=tile_px,
        resolution_m=pixel_m,
        factor=1.0,
        input=dense_input(bands, "uint16", tile_px, pixel_m=pixel_m, display=DISPLAY),
        target=TargetSpec(bands=bands, dtype="uint16", display=DISPLAY),
        extras=(mask,),
        # A guard of one pixel: the products were resampled to this grid.
        split_policy=drawn(
            "block", seed, *ratios, block_tiles=BLOCK_TILES, block_m=block_m, guard_m=pixel_m
        ),
    )


def main() -> int:
    """The door; returns the exit code."""
    parser = cli.parser(__doc__ or "", prog="multidate.py", steps=True)
    pictures.add_arguments(parser, dataset="multidate", holds="one folder a date")
    parser.add_argument("--tilesize", type=int, default=64, metavar="PX", help="of a square (64)")
    shared.add_arguments(parser, ratios=(0.7, 0.25))
    return cli.main_guard(run, parser)


def run(args: argparse.Namespace) -> int:
    """Write the data set; 1 where a sample had to be refused."""
    env = load_environment(args.environment)
    ratios = (args.train_ratio, args.val_ratio)
    folder = pictures.folder_of_data(args)
    source = MultidateSource(folder, args.dataset, args.tilesize, args.seed, ratios)
    return write(source, Path(env.data_root), shared.write_options(args))


if __name__ == "__main__":
    sys.exit(main())
