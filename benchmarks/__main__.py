"""Run every benchmark, or those named: ``python -m benchmarks [startup step40 reader …]``.

Each prints its ratios with the figures of both sides and writes benchmarks/results/<name>.json.
What needs a GPU is a command of its own: ``python -m benchmarks.gpu``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

NAMES = (
    "startup", "inventory", "step40", "reader", "metrics_speed", "pictures", "loop",
    "deterministic", "step", "train_step", "clouds", "gain", "coverage", "false_rejections",
    "predict", "report", "drift",
)  # fmt: skip


def main() -> int:
    """Run the benchmarks one after the other; returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    failed = []
    for name in names or NAMES:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        sys.stdout.write(f"\nfailed or below their bound: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
