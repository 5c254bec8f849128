"""Step 20 over an archive of 10,000 Sentinel-2 and 10,000 Sentinel-3 products.

    python -m benchmarks.inventory [--cache FOLDER] [--products 10000] [--workers 2] [--share 0.02]

The archive (`tests.fakes.metadata_only`; folders and zips mixed, 20 tiles, five years) has whole
metadata and stubs for images; it is generated once into the cache, in some minutes. Measured: the
first run over one tile; the run after one new product of that tile; the most memory of all
processes together, as the sum of their proportional shares (PSS of /proc/PID/smaps_rollup, looked
at ten times a second). Beside it the way of before, one process that parses every product, on a
share of both sensors' products, and what it would take for all of them.

Bounds: the first run within 120 s and 500 MB. Seconds are by the wall clock: run it on an idle
machine; seconds of CPU stand beside.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CACHE = ROOT / "data" / "_benchmarks" / "inventory"
BOUNDS = {"first_run_s": 120.0, "peak_mb": 500.0}
PRODUCTS = 10_000
HOURS = "10"
SETTLED_S = 3.0


def main() -> int:
    """Measure, print, write results/inventory.json; returns 1 where a bound is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cache", type=Path, default=CACHE)
    options.add_argument("--products", type=int, default=PRODUCTS, help="of each sensor")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--share", type=float, default=0.02, help="of the way of before")
    options.add_argument("--before", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.before:
        print(json.dumps(before_side(asked.cache, asked.share)))
        return 0
    tile = build(asked.cache, asked.products, asked.workers)
    result = measure(asked.cache, tile, asked.products, asked.workers, asked.share)
    from sensor2sensor.core import files

    if asked.products == PRODUCTS:  # a smaller one is a trial
        files.write_json(ROOT / "benchmarks" / "results" / "inventory.json", result)
    return report(result)


def build(cache: Path, products: int, workers: int) -> str:
    """Generate the archive, unless it is there; returns the tile to list."""
    from tests.fakes.metadata_only import Archive, make_metadata

    archive = Archive(cache, products, products)
    if not (cache / "whole").is_file():
        print(f"generating {2 * products} products", flush=True)
        shutil.rmtree(cache, ignore_errors=True)
        for done in make_metadata(archive, workers=workers):
            print(f"\r{done}", end="", flush=True)
        print()
        (cache / "whole").touch()
    return archive.tile(0)


def measure(cache: Path, tile: str, products: int, workers: int, share: float) -> dict[str, Any]:
    """Each side in processes of its own."""
    shutil.rmtree(cache / "data", ignore_errors=True)
    roots = {"data_root": "data", "s2_root": "s2", "s3_root": "s3"}
    (cache / "environment.json").write_text(json.dumps(roots))
    command = [sys.executable, "preprocessing/20_create_inventory.py"]
    command += ["--environment", str(cache / "environment.json"), "--tile", tile]
    command += ["--timediff", HOURS, "--workers", str(workers)]
    # One product is put into the archive after the first run.
    found = sorted((cache / "s2").rglob(f"*_{tile}_*"))
    new = next(path for path in found[len(found) // 2 :] if path.suffix in (".SAFE", ".zip"))
    aside = cache / new.name
    new.rename(aside)
    try:
        first = run(command)
    finally:
        aside.rename(new)
    time.sleep(SETTLED_S)
    again = run(command)
    old = [sys.executable, "-m", "benchmarks.inventory", "--before", "--cache", str(cache)]
    done = subprocess.run([*old, "--share", str(share)], cwd=ROOT, capture_output=True, check=True)
    before = json.loads(done.stdout.splitlines()[-1])
    return {
        "what": f"step 20, one of 20 tiles, {products} products of each sensor, {workers} workers",
        "first": first,
        "after_one_new_product": again,
        "before": before,
        "before_over_first_cpu": before["cpu_seconds_for_all"] / first["cpu_seconds"],
        "first_run_s": first["seconds"],
        "peak_mb": max(first["peak_mb"], again["peak_mb"]),
        "bounds": BOUNDS,
    }


def run(command: list[str]) -> dict[str, Any]:
    """Seconds, seconds of CPU of all processes, and the most memory of all of them together."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        peak = max(peak, sum(map(share_of_memory, [process.pid, *below(process.pid)])))
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = process.stdout.read().splitlines() if process.stdout else []
    if process.returncode:
        raise SystemExit(f"step 20 failed: {said}")
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak, "said": said[-1]}


def below(pid: int) -> list[int]:
    """The processes that a process started, and those they started."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:  # it is gone
            continue
        parents.setdefault(int(words[1]), []).append(int(path.parent.name))
    found = list(parents.get(pid, []))
    for one in found:
        found += parents.get(one, [])
    return found


def share_of_memory(pid: int) -> float:
    """Memory of a process in MB; what several share is divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("Pss:")), 0.0)


def before_side(cache: Path, share: float) -> dict[str, Any]:
    """Open and check a share of all products, one after the other, as it was done before."""
    from sensor2sensor.preprocess.inventory.scan import check_sentinel2, check_sentinel3
    from sensor2sensor.products.candidates import candidates
    from sensor2sensor.products.sentinel2 import open_s2
    from sensor2sensor.products.sentinel3 import open_s3

    step = max(1, round(1 / share))
    s2, s3 = candidates(cache / "s2"), candidates(cache / "s3")
    start = time.process_time()
    for path in s2[::step]:
        bands = ("B02", "B03", "B04")
        check_sentinel2(open_s2(path), bands=bands, resolution_m=10, verify=False)
    for path in s3[::step]:
        check_sentinel3(open_s3(path), verify=False)
    spent = time.process_time() - start
    done = len(s2[::step]) + len(s3[::step])
    return {"products": done, "cpu_seconds": spent,
            "cpu_seconds_for_all": spent * (len(s2) + len(s3)) / done}  # fmt: skip


def report(result: dict[str, Any]) -> int:
    """Print the figures; returns 1 where a bound is missed."""
    for side in ("first", "after_one_new_product"):
        one = result[side]
        figures = f"{one['seconds']:7.1f} s ({one['cpu_seconds']:.1f} s CPU), {one['peak_mb']:.0f}"
        print(f"{side:22} {figures} MB; {one['said']}")
    print(f"before, all parsed: {result['before']['cpu_seconds_for_all']:.0f} s CPU (from a share)")
    missed = [name for name, bound in BOUNDS.items() if result[name] > bound]
    for name, bound in BOUNDS.items():
        print(f"{name} {result[name]:.1f} (bound {bound:.0f}){'  MISSED' * (name in missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
