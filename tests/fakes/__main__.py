"""Write a generated archive of Sentinel-2 and Sentinel-3 products.

Example:
    python -m tests.fakes --out runs/demo/archive --scenes 12 --size 1920 --seed 0 --workers 2
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fakes.archive import make_archive


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for s2/ and s3/")
    parser.add_argument("--scenes", type=int, default=12, help="Sentinel-2 acquisitions")
    parser.add_argument("--size", type=int, default=1920, help="side of the tile in 10 m pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write the archive and say where it is."""
    asked = _arguments(argv)
    began = time.monotonic()

    def report(done: int, total: int, names: list[str]) -> None:
        spent = time.monotonic() - began
        left = spent / done * (total - done)
        print(f"{done}/{total} acquisitions, {spent:.0f} s, {left:.0f} s left: {names[0]}")
        sys.stdout.flush()

    made = make_archive(
        asked.out, scenes=asked.scenes, size_px=asked.size, seed=asked.seed,
        workers=asked.workers, report=report,
    )  # fmt: skip
    print(f"tile {made['tile']}: Sentinel-2 in {made['s2_root']}, Sentinel-3 in {made['s3_root']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
