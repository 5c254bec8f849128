"""Memory of a training step of dsen2cr: batches of 128 x 128 pixels, the whole process.

    python -m benchmarks.clouds [--size 128] [--blocks 16] [--features 64] [--steps 3]

Ten bands and radar, ``gen_carl``, Nadam of Keras 2, float32, on the CPU: what
``examples/experiments/clouds/carl`` trains. Each batch size in a process of its own; the peak is
that of the process from its start, with TensorFlow. The bound: a batch of 16 stays below 4 GB
(10⁹ bytes).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BATCHES = (2, 4, 8, 16)
LIMIT_GB = 4.0


def main() -> int:
    """Measure, print, write results/clouds.json; returns 1 where the bound is missed."""
    asked = arguments().parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    if asked.peak_of:
        print(json.dumps(peak(asked)))
        return 0
    result = measure(asked)
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "clouds.json", result)
    for batch, gb in result["peak_gb"].items():
        print(f"batch {batch}: {gb:.2f} GB in all, of which {result['built_gb']:.2f} GB untrained")
    largest = result["peak_gb"][str(max(BATCHES))]
    print(f"batch {max(BATCHES)} / limit: {largest:.2f} / {LIMIT_GB:.2f} GB")
    return 0 if largest < LIMIT_GB else 1


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--size", type=int, default=128, help="rows and columns, pixels")
    made.add_argument("--blocks", type=int, default=16)
    made.add_argument("--features", type=int, default=64)
    made.add_argument("--steps", type=int, default=3)
    made.add_argument("--peak-of", type=int, choices=BATCHES, help=argparse.SUPPRESS)
    return made


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Every batch size apart."""
    found = {batch: _apart(asked, batch) for batch in BATCHES}
    return {
        "what": f"train_step of dsen2cr, 10 + 2 bands, {asked.blocks} x {asked.features}, "
        f"gen_carl, {asked.size} px, {asked.steps} steps",
        "device": f"CPU, {os.cpu_count()} cores",
        "parameters": found[BATCHES[0]]["parameters"],
        "limit_gb": LIMIT_GB,
        "built_gb": found[BATCHES[0]]["built_gb"],
        "peak_gb": {str(batch): one["peak_gb"] for batch, one in found.items()},
    }


def _apart(asked: argparse.Namespace, batch: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.clouds", f"--peak-of={batch}"]
    given = ("size", "blocks", "features", "steps")
    command += [f"--{name}={getattr(asked, name)}" for name in given]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak(asked: argparse.Namespace) -> dict[str, float]:
    """Peaks of this process: with the model built, and after a few steps of it."""
    import numpy as np
    import tensorflow as tf

    from models.loading import load_gan_class
    from tests.models import clouds

    exp = clouds.experiment(
        size=asked.size,
        batch_size=asked.peak_of,
        params={"blocks": asked.blocks, "features": asked.features},
        gen_loss={"gen_carl": 1.0},
        optimizer="nadam_keras2",
    )
    gan = load_gan_class("dsen2cr")(exp)
    random = np.random.default_rng(0)
    sides = (asked.peak_of, asked.size, asked.size)
    image, target = (
        tf.constant(random.uniform(0, 5, (*sides, bands)), tf.float32)
        for bands in (exp.INPUT_CHANNELS, exp.OUTPUT_CHANNELS)
    )
    mask = tf.constant(random.integers(0, 3, sides), tf.uint8)
    built = _peak_gb()
    for number in range(asked.steps):
        losses = gan.train_step(image, target, tf.constant(number, tf.int64), cloud_mask=mask)
        float(losses["total_gen_loss"])  # read, so that the work is done
    return {
        "parameters": gan.generator.count_params(),
        "built_gb": built,
        "peak_gb": _peak_gb(),
    }


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    sys.exit(main())
