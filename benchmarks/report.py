"""The page of many large evaluations: 50 runs of 2,000 tiles in 8 metrics, with two baselines.

    python -m benchmarks.report [--runs 50] [--tiles 2000] [--keep FOLDER]

The evaluations are generated: one is written by the evaluation's own writer, and the others are
its kin with scores drawn anew. Each run brings its best, median and worst tile and the eight fixed
ones as pictures of the size that evaluate.py draws.
Reading and writing take a process of their own, whose peak of memory is told. Bound: a minute, on a
machine that does nothing else.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from sensor2sensor.core import files  # noqa: E402

RUNS, TILES, METRICS = 50, 2000, 8
SCENES, BLOCKS = 20, 100
SEASONS = ("winter", "spring", "summer", "autumn")
METHODS = ("model", "nearest", "bicubic")
SHEET_PX = (1489, 311)  # of a sheet of six panels
TILE_PX, FIXED = (256, 256), 8
PANELS = ("input", "model", "bicubic", "truth")
RANKS = ("best", "median", "worst")
MOST_S = 60.0


def main() -> int:
    """Measure and write benchmarks/results/report.json; returns 1 beyond the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("--keep", type=Path, help="a folder for evaluations and page")
    parser.add_argument("--page-of", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.page_of:
        print(json.dumps(paged(args.page_of)))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        generate(folder, args.runs, args.tiles)
        result = {"runs": args.runs, "tiles": args.tiles, "metrics": METRICS, **measured(folder)}
    result["passed"] = result["seconds"] < MOST_S
    files.write_json(ROOT / "benchmarks" / "results" / "report.json", result)
    report(result)
    return 0 if result["passed"] else 1


def measured(folder: Path) -> dict[str, Any]:
    """What a process of its own says that it took."""
    command = [sys.executable, "-m", "benchmarks.report", "--page-of", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def paged(folder: Path) -> dict[str, Any]:
    """Read and write here; seconds by the clock and of the processor, bytes, peak of memory."""
    from sensor2sensor.report import load
    from sensor2sensor.report.page import write_page

    begin, cpu = time.perf_counter(), time.process_time()
    results = load(folder)
    read = time.perf_counter() - begin
    _, size = write_page(results, folder / "report.html")
    return {
        "seconds": time.perf_counter() - begin,
        "reading_s": read,
        "processor_s": time.process_time() - cpu,
        "page_mb": size / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def generate(folder: Path, runs: int, tiles: int) -> None:
    """Evaluations that differ in their scores; equal arguments give equal bytes."""
    from tests.unit.report import folders

    with tempfile.TemporaryDirectory() as scratch:
        path = folders.add(Path(scratch), "bench/run", 0.6, scenes=4, blocks=12, picture=False)
        template = json.loads(path.read_text(encoding="utf-8"))
    names = list(template["metrics"])[:METRICS]
    template["metrics"] = {name: template["metrics"][name] for name in names}
    for part in ("summary", "gain"):
        template[part] = {
            method: {name: row[name] for name in names} for method, row in template[part].items()
        }
    folder.mkdir(parents=True, exist_ok=True)
    sheets = [_picture(SHEET_PX, seed) for seed in range(len(RANKS))]
    panels = [_picture(TILE_PX, 10 + seed) for seed in range(FIXED * len(PANELS))]
    for number in range(runs):
        _run(folder, template, names, number, tiles, sheets, panels)


def _run(
    folder: Path, template: dict[str, Any], names: list[str], number: int, tiles: int,
    sheets: list[bytes], panels: list[bytes],
) -> None:  # fmt: skip
    """One evaluation; all runs show pictures of the same content, each from files of its own."""
    rng = np.random.default_rng(number)
    stem = f"bench__run{number:02d}_0715-0930"
    rows = []
    hard = np.random.default_rng(1).normal(0, 0.08, tiles)  # shared: tiles are hard for all
    for level, method in zip((0.55 + 0.004 * number, 0.3, 0.5), METHODS, strict=True):
        own = rng if method == "model" else np.random.default_rng(len(method))
        good = np.clip(level + hard[:, None] + own.normal(0, 0.05, (tiles, len(names))), 0, 1)
        lower = [template["metrics"][name]["better"] == "lower" for name in names]
        values = np.where(lower, 1.2 - good, good)
        rows += [
            (f"inv__{t:05d}_0x0", f"inv/{t % SCENES}", "test", method, *values[t].tolist())
            for t in range(tiles)
        ]
    table = folder / f"{stem}.csv"
    files.write_csv(table, ("name", "scene", "split", "method", *names), rows)
    csv = {"file": table.name, "rows": len(rows), "sha256": files.sha256(table)}
    about = {"kind": "text", "unit": "", "about": "made up"}
    kinds = dict.fromkeys(("name", "scene", "block", "season"), about)
    kinds["cloud_share"] = {**about, "kind": "number", "unit": "1"}
    places = [
        (f"inv__{t:05d}_0x0", f"inv/{t % SCENES}", f"b{t % BLOCKS}", SEASONS[t % 4], (t % 50) / 50)
        for t in range(tiles)
    ]
    known = folder / f"{stem}_tiles.csv"
    files.write_csv(known, tuple(kinds), places)
    told = {"file": known.name, "rows": tiles, "sha256": files.sha256(known), "columns": kinds}
    shown, gallery, fixed = f"{stem}_gallery", [], []
    for rank, data in zip(RANKS, sheets, strict=True):
        name = f"inv__{int(rng.integers(tiles)):05d}_0x0"
        files.write_bytes(folder / shown / f"{rank}.png", data)
        words = {"rank": rank, "tile": name, "caption": f"{rank} by HPSI, tile {name}"}
        gallery.append({"file": f"{shown}/{rank}.png", **words})
    for position, data in enumerate(panels):
        place, panel = position // len(PANELS), PANELS[position % len(PANELS)]
        name, path = f"inv__{place:05d}_0x0", f"{shown}/fixed-{place + 1}-{panel}.png"
        files.write_bytes(folder / path, data)
        words = {"rank": "fixed", "tile": name, "caption": f"{panel}, tile {name}"}
        fixed.append({"file": path, **words, "panel": panel})
    changes = {"experiment": f"bench/run{number:02d}", "tiles": tiles, "csv": csv}
    changes |= {"gallery": gallery, "fixed": fixed, "seed": number, "tile_facts": told}
    files.write_json(folder / f"{stem}.json", {**template, **changes})


def _picture(size: tuple[int, int], seed: int) -> bytes:
    """A picture as hard to compress as a scene is: smooth ground with fine texture on it."""
    from PIL import Image

    rng, (width, height) = np.random.default_rng(seed), size
    coarse = rng.uniform(40, 200, (height // 24 + 1, width // 24 + 1, 3)).astype(np.uint8)
    ground = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    noisy = np.asarray(ground, np.float64) + rng.normal(0, 6, (height, width, 1))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def report(result: dict[str, Any]) -> None:
    """Print the figures."""
    print(
        f"{result['runs']} runs x {result['tiles']} tiles x {result['metrics']} metrics: "
        f"{result['seconds']:.1f} s (reading {result['reading_s']:.1f} s; processor "
        f"{result['processor_s']:.1f} s), page {result['page_mb']:.1f} MB, peak "
        f"{result['peak_mb']:.0f} MB; bound {MOST_S:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
