"""Two workers of step 40 against one, on pairs that have nothing in common.

    python -m benchmarks.workers [--pairs 32] [--size 1830] [--rounds 2]

Generated pairs: scenes of 1830 x 1830 pixels at 10 m on as many days, each with an OLCI frame over
it; sixteen tiles of 256 pixels a scene, checksums verified. All sides make the same folder, byte
for byte. A worker is a new process that imports what it needs: the bound is for enough pairs that
this takes no part. Some ten minutes on two idle cores; a busy machine says nothing.

Bound: seconds of one worker on one processor / seconds of two workers at least 1.8, each the best
of the rounds. One worker that has both processors stands beside: it reads bands, inflates OLCI and
writes in threads, which several workers leave to one another.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BOUND = 1.8
INVENTORY = "inv_T17XNA_1h"
# Workers of each side, and the processors it may use; None: all.
SIDES: dict[str, tuple[int, int | None]] = {
    "one_processor": (1, 1),
    "one": (1, None),
    "two": (2, 2),
}


def main() -> int:
    """Measure, print, write results/workers.json; returns 1 where the bound is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=32)
    options.add_argument("--size", type=int, default=1830, help="edge of a scene, pixels")
    options.add_argument("--rounds", type=int, default=2)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build(root, asked.pairs, asked.size)
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
        for _ in range(asked.rounds):
            for name, found in runs.items():
                found.append(step40(root, name))
        same = all(contents(root, name) == contents(root, "two") for name in SIDES)
    best = {name: min(found) for name, found in runs.items()}
    ratio = best["one_processor"][0] / best["two"][0]
    result = {
        "what": f"step 40, {asked.pairs} pairs of {asked.size}^2, processors {os.cpu_count()}",
        "seconds": {name: [run[0] for run in found] for name, found in runs.items()},
        "cpu_seconds": {name: [run[1] for run in found] for name, found in runs.items()},
        "one_over_two": ratio,
        "one_with_threads_over_two": best["one"][0] / best["two"][0],
        "cpu_two_over_one": best["two"][1] / best["one_processor"][1],
        "equal_bytes": same,
        "bound": BOUND,
    }
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "workers.json", result)
    good = ratio >= BOUND and same
    print(f"one worker on one processor / two workers: {ratio:.2f} (bound >= {BOUND})")
    print(f"one worker with its threads / two: {result['one_with_threads_over_two']:.2f}")
    print(f"equal bytes: {same}{'' if good else '  MISSED'}")
    return 0 if good else 1


def build(root: Path, pairs: int, size_px: int) -> None:
    """Generate the pairs, a day apart, and their inventory."""
    from sensor2sensor.preprocess.inventory import run as inventory
    from tests.fakes import World, make_s2, make_s3
    from tests.fakes.s2 import DEFAULT_SENSING

    print(f"generating {pairs} pairs", flush=True)
    given = {"bands": ("B02", "B03", "B04"), "resolutions": (10,), "quality_masks": False}
    for day in range(pairs):
        start = DEFAULT_SENSING + timedelta(days=day)
        make_s2(
            root / "Sentinel-2",
            world=World(day),
            size_px=size_px,
            cloud=0.0,
            sensing=start,
            **given,
        )
        make_s3(
            root / "Sentinel-3", world=World(day), rows=80, columns=80, cloud=0.0,
            start=start + timedelta(minutes=20), centre_lonlat=_centre(size_px),
        )  # fmt: skip
    for side in SIDES:
        roots = {"data_root": f"data{side}", "s2_root": "Sentinel-2", "s3_root": "Sentinel-3"}
        (root / f"environment{side}.json").write_text(json.dumps(roots))
        arguments = ["--environment", str(root / f"environment{side}.json"), "--tile", "T17XNA"]
        if inventory.main([*arguments, "--timediff", "1"]):
            raise SystemExit("step 20 failed on the generated pairs")
        selection = {"inventory": INVENTORY, "s2_indices": list(range(pairs))}
        (root / f"data{side}" / "_inventory" / "bench.json").write_text(json.dumps(selection))


def _centre(size_px: int) -> tuple[float, float]:
    """The middle of the scenes, longitude and latitude."""
    from pyproj import Transformer

    half_m = 5.0 * size_px
    to_degrees = Transformer.from_crs(32617, 4326, always_xy=True)
    lon, lat = to_degrees.transform(499980.0 + half_m, 8100000.0 - half_m)
    return float(lon), float(lat)


def step40(root: Path, side: str) -> tuple[float, float]:
    """Wall and CPU seconds of step 40 as a side runs it, its processes included."""
    workers, processors = SIDES[side]
    shutil.rmtree(root / f"data{side}" / "_tif", ignore_errors=True)
    shutil.rmtree(root / f"data{side}" / "_inventory" / "_overlays", ignore_errors=True)
    command = [sys.executable, str(ROOT / "preprocessing" / "40_create_tifs.py")]
    command += ["--environment", str(root / f"environment{side}.json"), "--selection", "bench"]
    command += ["--quantity", "16", "--workers", str(workers)]
    given = sorted(os.sched_getaffinity(0))[:processors]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, given),
    )  # fmt: skip
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"step 40 failed:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{side}: {seconds:.1f} s, {cpu:.1f} s CPU", flush=True)
    return seconds, cpu


def contents(root: Path, side: str) -> dict[str, bytes]:
    """Every tile, table and log a side made, with its bytes."""
    data = root / f"data{side}"
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in sorted((data / "_tif").rglob("*"))
        if path.is_file() and path.suffix in (".tif", ".npz", ".csv", ".json")
    }


if __name__ == "__main__":
    sys.exit(main())
