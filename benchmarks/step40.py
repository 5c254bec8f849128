"""Step 40 on one full-size pair against reading, collocating and cropping everything.

    python -m benchmarks.step40 [--cache FOLDER] [--rounds 3] [--skip-naive]

The pair: a Sentinel-2 scene of 10980 x 10980 pixels at 10 m and an OLCI frame of 4091 x 4865, each
netCDF variable one deflated chunk (the worst case); generated once into the cache. Five tiles of
256 pixels, checksums off, imports excluded on every side, each run a fresh process.

Sides: *ours* is step 40 as it is called; *naive* reads both products whole, collocates the whole
scene with pyresample (one search, then every layer that step 40 keeps of OLCI: radiances, solar
flux, sun zenith, position and flags) and crops the same tiles; *floor* decodes the JPEG 2000
blocks under the tiles and inflates the netCDF chunks under them (with the HDF5 library), and does
nothing else. *lean* is the naive side with the radiances and flags alone, shown beside the verdict.

Bounds: naive / ours at least 20; ours / floor at most 1.5; peak memory of ours at most 1 GiB, by
wall clock (run it on an idle machine); ratios of CPU seconds stand beside.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CACHE = ROOT / "data" / "_benchmarks" / "step40"
SIZE_PX, ROWS, COLUMNS, BLOCK_PX, TILE_PX, MARGIN_PX = 10980, 4091, 4865, 1024, 256, 30
BANDS = ("B02", "B03", "B04")
BOUNDS = {"naive_over_ours": 20.0, "ours_over_floor": 1.5, "peak_gib": 1.0}
INVENTORY = "inv_T17XNA_2h"


def main() -> int:
    """Measure, print, write results/step40.json; returns 1 where a bound is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--skip-naive", action="store_true", help="the naive side takes minutes")
    options.add_argument(
        "--side", choices=("ours", "naive", "lean", "floor"), help=argparse.SUPPRESS
    )
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.side:
        print(json.dumps(run_side(asked.side, asked.cache, asked.work)))
        return 0
    build(asked.cache)
    result = measure(asked.cache, asked.rounds, skip_naive=asked.skip_naive)
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "step40.json", result)
    return report(result)


def build(cache: Path) -> None:
    """Generate the pair and its inventory, unless they are there."""
    from sensor2sensor.preprocess.inventory import run as inventory
    from tests.fakes import World, make_s2, make_s3
    from tests.fakes.s2 import DEFAULT_SENSING

    world = World(0)
    if not list(cache.glob("Sentinel-2/*.SAFE/manifest.safe")):
        print("generating the Sentinel-2 scene (minutes, some GiB of memory)", flush=True)
        make_s2(
            cache / "Sentinel-2", world=world, size_px=SIZE_PX, bands=BANDS, resolutions=(10,),
            quality_masks=False, cloud=0.05, sensing=DEFAULT_SENSING,
        )  # fmt: skip
    if not list(cache.glob("Sentinel-3/*.SEN3/xfdumanifest.xml")):
        print("generating the Sentinel-3 frame (minutes)", flush=True)
        make_s3(
            cache / "Sentinel-3", world=world, rows=ROWS, columns=COLUMNS, single_chunk=True,
            cloud=0.05, start=DEFAULT_SENSING + timedelta(minutes=20), centre_lonlat=centre(),
        )  # fmt: skip
    roots = {"data_root": "data", "s2_root": "Sentinel-2", "s3_root": "Sentinel-3"}
    (cache / "environment.json").write_text(json.dumps(roots))
    arguments = ["--environment", str(cache / "environment.json"), "--tile", "T17XNA"]
    if inventory.main([*arguments, "--timediff", "2"]):
        raise SystemExit("step 20 failed on the generated pair")


def centre() -> tuple[float, float]:
    """The middle of the tile, longitude and latitude."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(32617, 4326, always_xy=True)
    lon, lat = to_degrees.transform(499980.0 + 54900.0, 8100000.0 - 54900.0)
    return float(lon), float(lat)


def measure(cache: Path, rounds: int, *, skip_naive: bool) -> dict[str, Any]:
    """Every side in fresh processes; the best of the rounds for ours and floor, naive once."""
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "floor": []}
    with tempfile.TemporaryDirectory() as work:
        for _ in range(rounds):
            for side, runs in found.items():
                runs.append(fresh(side, cache, Path(work)))
        naive = None if skip_naive else fresh("naive", cache, Path(work))
        lean = None if skip_naive else fresh("lean", cache, Path(work))
    best = {side: min(runs, key=lambda run: run["seconds"]) for side, runs in found.items()}
    ours, floor = best["ours"], best["floor"]
    return {
        "what": f"step 40, {SIZE_PX}^2 and {ROWS}x{COLUMNS} in one chunk a variable, 5 tiles",
        "ours": ours,
        "floor": floor,
        "naive": naive,
        "naive_radiances_only": lean,
        "rounds": {side: [run["seconds"] for run in runs] for side, runs in found.items()},
        "naive_over_ours": naive["seconds"] / ours["seconds"] if naive else None,
        "naive_over_ours_cpu": naive["cpu_seconds"] / ours["cpu_seconds"] if naive else None,
        "naive_radiances_only_over_ours": lean["seconds"] / ours["seconds"] if lean else None,
        "ours_over_floor": ours["seconds"] / floor["seconds"],
        "ours_over_floor_cpu": ours["cpu_seconds"] / floor["cpu_seconds"],
        "peak_gib": max(run["peak_gib"] for run in found["ours"]),
        "bounds": BOUNDS,
    }


def fresh(side: str, cache: Path, work: Path) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.step40", "--side", side]
    command += ["--cache", str(cache.resolve()), "--work", str(work)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_side(side: str, cache: Path, work: Path) -> dict[str, Any]:
    """Time one side in this process; what it imports was imported before."""
    sides = {"ours": ours_side, "naive": naive_side, "lean": lean_side, "floor": floor_side}
    call = sides[side](cache, work)
    start, cpu = time.perf_counter(), time.process_time()
    call()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_gib": peak}


def ours_side(cache: Path, work: Path) -> Callable[[], None]:
    """Step 40 as its door calls it, into a fresh folder."""
    import h5netcdf  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.figure
    import matplotlib.patches  # noqa: F401
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

    def call() -> None:
        if tifs.main([*arguments, "--tilesize", str(TILE_PX), "--margin", str(MARGIN_PX)]):
            raise SystemExit("step 40 failed")

    return call


def drawn_tiles(work: Path) -> list[tuple[int, int]]:
    """Columns and rows of the tiles step 40 drew."""
    table = work / "data" / "_tif" / INVENTORY / str(TILE_PX) / "tiles.csv"
    with table.open(newline="") as stream:
        return [(int(row["x"]), int(row["y"])) for row in csv.DictReader(stream)]


def band_paths(cache: Path) -> list[Path]:
    """The JPEG 2000 files of the target bands."""
    return [
        next(cache.glob(f"Sentinel-2/*.SAFE/GRANULE/*/IMG_DATA/*_{band}.jp2")) for band in BANDS
    ]


def floor_side(cache: Path, work: Path) -> Callable[[], None]:
    """Decode touched blocks, inflate touched chunks."""
    import h5py
    import rasterio
    from rasterio.windows import Window

    blocks = touched_blocks(drawn_tiles(work))
    frame = next(cache.glob("Sentinel-3/*.SEN3"))
    variables = [(frame / f"Oa{n:02d}_radiance.nc", f"Oa{n:02d}_radiance") for n in range(1, 22)]
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


def naive_side(cache: Path, work: Path) -> Callable[[], None]:
    """Both products whole, every layer step 40 keeps collocated by pyresample, then cropped."""
    return _naive(cache, work, lambda frame: chain(image_layers(frame), table_layers(frame)))


def lean_side(cache: Path, work: Path) -> Callable[[], None]:
    """As naive, without the layers of the table: solar flux, sun zenith, position."""
    return _naive(cache, work, image_layers)


def _naive(cache: Path, work: Path, layers: Callable[[Path], Iterator[Any]]) -> Callable[[], None]:
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
        info = kd_tree.get_neighbour_info(swath, area, 500.0, neighbours=1, nprocs=1)
        cut = [[band[y : y + TILE_PX, x : x + TILE_PX] for x, y in tiles] for band in scene]
        for layer in layers(frame):
            whole = kd_tree.get_sample_from_neighbour_info("nn", area.shape, layer, *info[:3])
            cut.append([whole[y : y + TILE_PX, x : x + TILE_PX].copy() for x, y in tiles])

    return call


def opened(frame: Path, name: str) -> Any:
    """A file of the frame as xarray opens it."""
    import xarray

    return xarray.open_dataset(frame / f"{name}.nc", engine="h5netcdf")


def image_layers(frame: Path) -> Iterator[Any]:
    """Radiances and flags, whole, one after the other."""
    for number in range(1, 22):
        with opened(frame, f"Oa{number:02d}_radiance") as file:
            yield file[f"Oa{number:02d}_radiance"].values
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


def report(result: dict[str, Any]) -> int:
    """Print the figures of all sides; returns 1 where a bound is missed."""
    for side in ("ours", "floor", "naive", "naive_radiances_only"):
        if result[side]:
            seconds, cpu, peak = (
                result[side][key] for key in ("seconds", "cpu_seconds", "peak_gib")
            )
            print(f"{side:22} {seconds:8.2f} s ({cpu:.2f} s CPU), peak {peak:.2f} GiB")
    checks = [
        ("ours / floor", result["ours_over_floor"], "<=", BOUNDS["ours_over_floor"]),
        ("peak GiB", result["peak_gib"], "<=", BOUNDS["peak_gib"]),
    ]
    if result["naive"]:
        bound = BOUNDS["naive_over_ours"]
        checks.append(("naive / ours", result["naive_over_ours"], ">=", bound))
    beside = ("naive_over_ours_cpu", "ours_over_floor_cpu", "naive_radiances_only_over_ours")
    print("beside:", ", ".join(f"{k} {result[k]:.2f}" for k in beside if result[k] is not None))
    held = True
    for name, value, sign, bound in checks:
        good = value <= bound if sign == "<=" else value >= bound
        held &= good
        print(f"{name} {value:.2f} (bound {sign} {bound}){'' if good else '  MISSED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
