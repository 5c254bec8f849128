"""Apply an exported model to a Sentinel-2 product, window by window, without TensorFlow.

  python -m sensor2sensor.inference --model carn.yaml --product SENTINEL2B_….zip --out tile_5m.tif

The model is the .yaml of export.py, or one of the public tool sentinel2_superresolution. Products
are level 2A of Theia (MAJA), folders or zips. Writes a GeoTIFF: int16, reflectance x 10000, -10000
where there is no value, bands by name. Nothing is cut off at the edge, and gaps do not grow.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sensor2sensor.core.cli import main_guard, parser, positive
from sensor2sensor.inference.carded import TILE_PX, super_resolve


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="python -m sensor2sensor.inference")
    add = made.add_argument
    add("--model", required=True, type=Path, metavar="YAML", help="card of the model")
    add("--product", required=True, type=Path, metavar="PATH", help="product, a folder or a zip")
    add("--out", required=True, type=Path, metavar="TIF", help="GeoTIFF to write")
    add(
        "--tile-px", type=positive, default=TILE_PX, metavar="N",
        help=f"side of a window in input pixels; memory grows with its square ({TILE_PX})",
    )  # fmt: skip
    add("--threads", type=positive, metavar="N", help="of onnxruntime (its own choice)")
    add("--force", action="store_true", help="write over a file that is there")
    return made


def run(args: argparse.Namespace) -> int:
    """Apply the model and say what was written."""
    options = {"tile_px": args.tile_px, "threads": args.threads, "force": args.force}
    made = super_resolve(args.model, args.product, args.out, **options)
    if made.saturated:
        print(f"{made.saturated} values lie beyond what int16 holds and were written as its ends")
    print(f"wrote {made.path}: {made.shape[1]} x {made.shape[0]} pixels, {made.windows} windows")
    return 0


def main(words: list[str] | None = None) -> int:
    """The door; returns the exit code."""
    return main_guard(run, arguments(), words)


if __name__ == "__main__":
    sys.exit(main())
