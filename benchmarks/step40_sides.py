"""The sides of `benchmarks/step40.py`: what each does, timed in a process of its own."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

SIZE_PX, COLUMNS, BLOCK_PX, TILE_PX, MARGIN_PX = 10980, 4865, 1024, 256, 30
BANDS = ("B02", "B03", "B04")
RADIANCES = tuple(f"Oa{number:02d}_radiance" for number in range(1, 22))
INVENTORY = "inv_T17XNA_2h"
RADIUS_M = 500.0  # of the sides that take one for the whole scene
Side = Callable[[Path, Path, int | None], Callable[[], None]]


def ours(cache: Path, work: Path, tiles: int | None) -> Callable[[], None]:
    """Step 40 as its door calls it, into a fresh folder; all tiles of a grid where None."""
    import dask.array  # noqa: F401  # xarray imports it where it is installed
    import h5netcdf  # noqa: F401
    import isal.isal_zlib  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.figure
    import matplotlib.patches  # noqa: F401
    import PIL.PngImagePlugin  # noqa: F401
    import pykdtree.kdtree  # noqa: F401
    import pyproj  # noqa: F401
    import rasterio.io  # noqa: F401
    import scipy.ndimage  # noqa: F401
    import shapely  # noqa: F401
    import xarray  # noqa: F401

    from sensor2sensor.preprocess.tiles import run as tifs

    shutil.rmtree(work / "data", ignore_errors=True)
    shutil.copytree(cache / "data" / "_inventory", work / "data" / "_inventory")
    roots = {"s2_root": str(cache / "Sentinel-2"), "s3_root": str(cache / "Sentinel-3")}
    environment = work / "environment.json"
    environment.write_text(json.dumps({"data_root": "data", **roots}))
    selection = {"inventory": INVENTORY, "s2_indices": [0]}
    (work / "data" / "_inventory" / "bench.json").write_text(json.dumps(selection))
    arguments = ["--environment", str(environment), "--selection", "bench", "--no-verify"]
    arguments += ["--tilesize", str(TILE_PX), "--margin", str(MARGIN_PX)]
    # More than a grid has: every place is tried.
    arguments += ["--quantity", str(tiles)] if tiles else ["--grid", "--quantity", "9999"]

    def call() -> None:
        if tifs.main(arguments):
            raise SystemExit("step 40 failed")

    return call


def drawn_tiles(work: Path) -> list[tuple[int, int]]:
    """Columns and rows of the tiles step 40 drew."""
    table = work / "data" / "_tif" / INVENTORY / str(TILE_PX) / "tiles.csv"
    with table.open(newline="") as stream:
        return [(int(row["x"]), int(row["y"])) for row in csv.DictReader(stream)]


def lean_ours(cache: Path, work: Path, _: int | None) -> Callable[[], None]:
    """The functions of step 40 for what *lean* gives: bands, radiances and flags of the tiles."""
    import h5netcdf  # noqa: F401
    import numpy as np
    import rasterio  # noqa: F401
    import scipy.ndimage  # noqa: F401
    import xarray  # noqa: F401

    from sensor2sensor.geo.collocation import grid_geocentric_m
    from sensor2sensor.geo.grids import PixelWindow
    from sensor2sensor.products.olci import OlciSwath
    from sensor2sensor.products.s2_images import kept_open
    from sensor2sensor.products.sentinel2 import open_s2
    from sensor2sensor.products.sentinel3 import open_s3

    windows = [PixelWindow(x, y, TILE_PX, TILE_PX) for x, y in drawn_tiles(work)]

    def collocated(swath: OlciSwath, window: PixelWindow) -> tuple[Any, Any]:
        points = grid_geocentric_m(swath.grid.window(window.x, window.y, TILE_PX, TILE_PX))
        number, rows, _ = swath.numbered(swath.index.nearest_on(points, swath.radius_m(points)))
        radiance = swath.radiance.reshape(len(RADIANCES), -1)[:, rows]
        return np.take(radiance, number - 1, axis=1), swath.flags.reshape(-1)[rows][number - 1]

    def call() -> None:
        scene = open_s2(next(cache.glob("Sentinel-2/*.SAFE")))
        frame = open_s3(next(cache.glob("Sentinel-3/*.SEN3")))
        # Nothing else is to do: a processor decodes, the other one inflates.
        with kept_open(threads=1), ThreadPoolExecutor(1) as background:
            swath = background.submit(OlciSwath, frame, scene.grids[10])
            bands = [scene.read_reflectance(BANDS, 10, window) for window in windows]
            layers = [collocated(swath.result(), window) for window in windows]
        if len(bands) != len(layers):
            raise SystemExit("a tile is missing")

    return call


def band_paths(cache: Path) -> list[Path]:
    """The JPEG 2000 files of the target bands."""
    return [
        next(cache.glob(f"Sentinel-2/*.SAFE/GRANULE/*/IMG_DATA/*_{band}.jp2")) for band in BANDS
    ]


def floor(cache: Path, work: Path, _: int | None) -> Callable[[], None]:
    """Decode touched blocks, inflate touched chunks."""
    import h5py
    import rasterio
    from rasterio.windows import Window

    blocks = touched_blocks(drawn_tiles(work))
    frame = next(cache.glob("Sentinel-3/*.SEN3"))
    variables = [(frame / f"{name}.nc", name) for name in RADIANCES]
    variables += [(frame / "geo_coordinates.nc", name) for name in ("latitude", "longitude")]
    variables.append((frame / "qualityFlags.nc", "quality_flags"))
    variables.append((frame / "instrument_data.nc", "detector_index"))

    def call() -> None:
        for path in band_paths(cache):
            with rasterio.open(path) as source:
                for column, row in blocks:
                    width = min(BLOCK_PX, SIZE_PX - column * BLOCK_PX)
                    height = min(BLOCK_PX, SIZE_PX - row * BLOCK_PX)
                    source.read(1, window=Window(column * BLOCK_PX, row * BLOCK_PX, width, height))
        for path, name in variables:
            with h5py.File(path) as file:
                file[name][:1, :1]  # one value inflates the whole chunk

    return call


def touched_blocks(tiles: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Columns and rows of the blocks that hold the tiles and their margins."""
    found = set()
    for x, y in tiles:
        spans = []
        for start in (x, y):
            first = max(0, start - MARGIN_PX) // BLOCK_PX
            last = (min(SIZE_PX, start + TILE_PX + MARGIN_PX) - 1) // BLOCK_PX
            spans.append(range(first, last + 1))
        found |= {(column, row) for column in spans[0] for row in spans[1]}
    return sorted(found)


def naive(cache: Path, work: Path, _: int | None) -> Callable[[], None]:
    """Both products whole, every layer step 40 keeps collocated by pyresample, then cropped."""
    return _naive(cache, work, lambda frame: chain(image_layers(frame), table_layers(frame)))


def lean(cache: Path, work: Path, _: int | None) -> Callable[[], None]:
    """As naive, without the layers of the table: solar flux, sun zenith, position."""
    return _naive(cache, work, image_layers)


def written(cache: Path, work: Path, _: int | None) -> Callable[[], None]:
    """As naive, each band, radiance and the flags written: one deflated GeoTIFF of the scene each.

    This is what a whole-scene collocation leaves for later crops, and less than what step 40 does.
    """
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    folder = work / "written"
    folder.mkdir(exist_ok=True)
    profile = {
        "driver": "GTiff", "count": 1, "width": SIZE_PX, "height": SIZE_PX, "crs": "EPSG:32617",
        "transform": from_origin(499980.0, 8100000.0, 10.0, 10.0), "tiled": True,
        "compress": "deflate", "zlevel": 4, "dtype": "float32",
    }  # fmt: skip
    names = iter([*BANDS, *RADIANCES, "quality_flags"])

    def keep(whole: Any) -> None:
        if name := next(names, None):
            with rasterio.open(folder / f"{name}.tif", "w", **profile) as target:
                target.write(np.asarray(whole, np.float32), 1)

    call = _naive(cache, work, lambda frame: chain(image_layers(frame), table_layers(frame)), keep)

    def call_and_clear() -> None:
        call()
        shutil.rmtree(folder)

    return call_and_clear


def _naive(
    cache: Path,
    work: Path,
    layers: Callable[[Path], Iterator[Any]],
    keep: Callable[[Any], None] | None = None,
) -> Callable[[], None]:
    import rasterio
    import xarray
    from pyresample import AreaDefinition, SwathDefinition, kd_tree

    tiles = drawn_tiles(work)
    frame = next(cache.glob("Sentinel-3/*.SEN3"))
    extent = (499980.0, 8100000.0 - 10.0 * SIZE_PX, 499980.0 + 10.0 * SIZE_PX, 8100000.0)

    def call() -> None:
        scene = [rasterio.open(path).read(1) for path in band_paths(cache)]
        with xarray.open_dataset(frame / "geo_coordinates.nc", engine="h5netcdf") as place:
            swath = SwathDefinition(place["longitude"].values, place["latitude"].values)
        area = AreaDefinition("s2", "s2", "s2", "EPSG:32617", SIZE_PX, SIZE_PX, extent)
        info = kd_tree.get_neighbour_info(swath, area, RADIUS_M, neighbours=1, nprocs=1)
        cut = [[band[y : y + TILE_PX, x : x + TILE_PX] for x, y in tiles] for band in scene]
        for band in scene if keep else ():
            keep(band)
        for layer in layers(frame):
            whole = kd_tree.get_sample_from_neighbour_info("nn", area.shape, layer, *info[:3])
            if keep:
                keep(whole)
            cut.append([whole[y : y + TILE_PX, x : x + TILE_PX].copy() for x, y in tiles])

    return call


def satpy(cache: Path, work: Path, _: int | None) -> Callable[[], None]:
    """The Scene.resample of satpy onto the scene's grid, then crop: radiances and bands alone.

    Cropped before anything is computed, so that only chunks under tiles are, and all crops in one
    call, so that the search is done once: the fastest way that satpy offers.
    """
    import warnings

    import dask
    from satpy import Scene

    warnings.simplefilter("ignore")
    tiles = drawn_tiles(work)
    safe = next(cache.glob("Sentinel-2/*.SAFE"))
    frame = next(cache.glob("Sentinel-3/*.SEN3"))
    granule = [*band_paths(cache), *safe.glob("GRANULE/*/MTD_TL.xml"), safe / "MTD_MSIL1C.xml"]
    names = [*RADIANCES, "instrument_data", "geo_coordinates", "tie_geometries"]

    def call() -> None:
        target = Scene(filenames=[str(path) for path in granule], reader="msi_safe")
        target.load(list(BANDS))
        olci = Scene(filenames=[str(frame / f"{name}.nc") for name in names], reader="olci_l1b")
        olci.load([name.partition("_")[0] for name in RADIANCES], calibration="radiance")
        area = target[BANDS[0]].attrs["area"]
        local = olci.resample(area, resampler="nearest", radius_of_influence=RADIUS_M)
        layers = [*(target[band].data for band in BANDS), *(each.data for each in local)]
        crops = [each[y : y + TILE_PX, x : x + TILE_PX] for each in layers for x, y in tiles]
        dask.compute(*crops)

    return call


def opened(frame: Path, name: str) -> Any:
    """A file of the frame as xarray opens it."""
    import xarray

    return xarray.open_dataset(frame / f"{name}.nc", engine="h5netcdf")


def image_layers(frame: Path) -> Iterator[Any]:
    """Radiances and flags, whole, one after the other."""
    for name in RADIANCES:
        with opened(frame, name) as file:
            yield file[name].values
    with opened(frame, "qualityFlags") as file:
        yield file["quality_flags"].values


def table_layers(frame: Path) -> Iterator[Any]:
    """What the table of OLCI pixels holds beside: position, sun zenith, solar flux."""
    import numpy as np

    with opened(frame, "geo_coordinates") as file:
        yield from (file[name].values for name in ("latitude", "longitude"))
    with opened(frame, "tie_geometries") as file:
        tie = file["SZA"].values
    at, ties = np.arange(COLUMNS), np.linspace(0, COLUMNS - 1, tie.shape[1])
    yield np.stack([np.interp(at, ties, row) for row in tie]).astype(np.float32)
    with opened(frame, "instrument_data") as file:
        detector = np.nan_to_num(file["detector_index"].values).astype(np.int64)
        flux = file["solar_flux"].values
    yield from (band[detector] for band in flux)


SIDES: dict[str, Side] = {
    "ours": ours,
    "lean_ours": lean_ours,
    "floor": floor,
    "naive": naive,
    "written": written,
    "lean": lean,
    "satpy": satpy,
}
