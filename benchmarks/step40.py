"""Step 40 on one full-size pair against reading, collocating and cropping everything.

    python -m benchmarks.step40 [--cache FOLDER] [--rounds 3] [--skip-whole]

The pair: a Sentinel-2 scene of 10980 x 10980 pixels at 10 m and an OLCI frame of 4091 x 4865, each
netCDF variable one deflated chunk (the worst case); generated once into the cache. 5, 50 and all
tiles of 256 pixels (--grid), checksums off, imports excluded on every side, each run a fresh
process. Some ten minutes on two idle cores, five more for generating the pair.

Sides (`step40_sides.py`): *ours* is step 40 as it is called; *naive* reads both products whole,
collocates the whole scene with pyresample (one search, then every layer that step 40 keeps of OLCI:
radiances, solar flux, sun zenith, position and flags) and crops the tiles, without writing them;
*written* writes the scene's bands, radiances and flags as well, for step 40 leaves files too;
*satpy* resamples the whole scene with Scene.resample and crops 50 tiles, radiances alone (fewer lie
in nearly as many of its chunks); *floor* decodes
the JPEG 2000 blocks under the tiles and inflates the netCDF chunks under them (with the HDF5
library), and does nothing else. *lean* is the naive side with the radiances and flags alone, and
*lean_ours* what of step 40 gives just these arrays: no table, drift, overlay or file.

Bounds by wall clock (run it on an idle machine); ratios of CPU seconds stand beside, and are bounds
where a name says so.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.step40_sides import BANDS, COLUMNS, SIDES, SIZE_PX, drawn_tiles  # noqa: E402

CACHE = ROOT / "data" / "_benchmarks" / "step40"
ROWS = 4091
# Each a ratio of two runs, or a figure of one, with what it has to keep.
BOUNDS: dict[str, tuple[str, float]] = {
    "naive / ours, 5 tiles": (">=", 20.0),
    "lean / lean_ours, 5 tiles": (">=", 25.0),
    "ours / floor, 5 tiles": ("<=", 1.5),
    "CPU of ours / floor, 5 tiles": ("<=", 1.2),
    "ours / floor, 50 tiles": ("<=", 1.5),
    "CPU of ours / floor, 50 tiles": ("<=", 1.5),
    "satpy / ours, 50 tiles": (">=", 2.0),
    "ours, all tiles / written": ("<=", 1.0),
    "GiB of ours, 5 tiles": ("<=", 1.0),
    "GiB of ours, all tiles": ("<=", 1.5),
}
# Runs: side, tiles (0: all of the grid), and whether the best of several rounds counts.
RUNS = (
    ("ours", 5, True), ("floor", 5, True), ("lean_ours", 5, True), ("ours", 50, False),
    ("floor", 50, False), ("ours", 0, False), ("satpy", 50, False),
    ("naive", 5, False), ("written", 5, False), ("lean", 5, False),
)  # fmt: skip
WHOLE = ("satpy", "naive", "written", "lean")  # these take minutes each


def main() -> int:
    """Measure, print, write results/step40.json; returns 1 where a bound is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--skip-whole", action="store_true", help="leave out what takes minutes")
    options.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options.add_argument("--tiles", type=int, help=argparse.SUPPRESS)
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.side:
        print(json.dumps(run_side(asked.side, asked.cache, asked.work, asked.tiles)))
        return 0
    build(asked.cache)
    result = measure(asked.cache, asked.rounds, skip_whole=asked.skip_whole)
    from sensor2sensor.core import files

    held = report(result)
    if not asked.skip_whole:
        files.write_json(ROOT / "benchmarks" / "results" / "step40.json", result)
    return 0 if held else 1


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


def measure(cache: Path, rounds: int, *, skip_whole: bool) -> dict[str, Any]:
    """Every run in a fresh process; of those that count by their best round, the fastest."""
    found: dict[str, dict[str, Any]] = {}
    spread: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=cache) as work:
        for side, tiles, several in RUNS:
            if skip_whole and (side in WHOLE or not tiles):
                continue
            folder, name = Path(work) / str(tiles), f"{side} {tiles or 'all'}"
            folder.mkdir(exist_ok=True)
            turns = [fresh(side, cache, folder, tiles) for _ in range(rounds if several else 1)]
            spread[name] = [turn["seconds"] for turn in turns]
            best = min(turns, key=lambda turn: turn["seconds"])
            drawn = len(drawn_tiles(folder))
            found[name] = {**best, "tiles": drawn, "tiles_per_second": drawn / best["seconds"]}
            shown(name, found[name])
    return {
        "what": f"step 40, {SIZE_PX}^2 and {ROWS}x{COLUMNS} in one chunk a variable",
        "runs": found,
        "rounds": spread,
        "ratios": ratios(found),
        "bounds": {name: f"{sign} {bound:g}" for name, (sign, bound) in BOUNDS.items()},
    }


def ratios(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """What the bounds are about, and further ratios to read beside them."""

    def over(one: str, other: str, key: str = "seconds") -> float | None:
        return found[one][key] / found[other][key] if {one, other} <= found.keys() else None

    given = {
        "naive / ours, 5 tiles": over("naive 5", "ours 5"),
        "lean / lean_ours, 5 tiles": over("lean 5", "lean_ours 5"),
        "ours / floor, 5 tiles": over("ours 5", "floor 5"),
        "ours / floor, 50 tiles": over("ours 50", "floor 50"),
        # The whole scene costs the same whichever tiles are cropped.
        "naive / ours, 50 tiles": over("naive 5", "ours 50"),
        "satpy / ours, 50 tiles": over("satpy 50", "ours 50"),
        "ours, all tiles / written": over("ours all", "written 5"),
        "ours, all tiles / naive": over("ours all", "naive 5"),
        "CPU of ours / floor, 5 tiles": over("ours 5", "floor 5", "cpu_seconds"),
        "CPU of ours / floor, 50 tiles": over("ours 50", "floor 50", "cpu_seconds"),
        "CPU of naive / ours, 5 tiles": over("naive 5", "ours 5", "cpu_seconds"),
        "CPU of lean / lean_ours, 5 tiles": over("lean 5", "lean_ours 5", "cpu_seconds"),
        "CPU of ours, all tiles / written": over("ours all", "written 5", "cpu_seconds"),
        "CPU of ours, all tiles / naive": over("ours all", "naive 5", "cpu_seconds"),
        "GiB of ours, 5 tiles": found["ours 5"]["peak_gib"],
        "GiB of ours, all tiles": found["ours all"]["peak_gib"] if "ours all" in found else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def fresh(side: str, cache: Path, work: Path, tiles: int) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.step40", "--side", side, "--tiles", str(tiles)]
    command += ["--cache", str(cache.resolve()), "--work", str(work.resolve())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_side(side: str, cache: Path, work: Path, tiles: int) -> dict[str, Any]:
    """Time one side in this process; what it imports was imported before."""
    call = SIDES[side](cache, work, tiles or None)
    start, cpu = time.perf_counter(), time.process_time()
    call()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_gib": peak}


def shown(name: str, run: dict[str, Any]) -> None:
    """Print the figures of a run."""
    print(
        f"{name:12} {run['seconds']:8.2f} s ({run['cpu_seconds']:.2f} s CPU), peak"
        f" {run['peak_gib']:.2f} GiB, {run['tiles_per_second']:.2f} tiles a second",
        flush=True,
    )


def report(result: dict[str, Any]) -> bool:
    """Print the ratios with their bounds; returns whether all hold."""
    held = True
    for name, value in result["ratios"].items():
        sign, bound = BOUNDS.get(name, ("", 0.0))
        good = {"<=": value <= bound, ">=": value >= bound, "": True}[sign]
        held &= good
        told = f" (bound {sign} {bound:g})" if sign else ""
        print(f"{name}: {value:.2f}{told}{'' if good else '  MISSED'}")
    return held


if __name__ == "__main__":
    sys.exit(main())
