"""What it costs on a processor to make every sum in one order (``deterministic``).

    python -m benchmarks.deterministic [--rounds 4] [--steps 20]

A pix2pix (a quarter of the filters, 64 pixels, batches of 4) is trained on random batches by
processes of their own, with ``enable_op_determinism`` and without, in turns and in changing order:
once enabled in a process, it stays so. Each process warms up, then tells wall and processor time a
step; medians are compared. It also tells whether two processes of a side gave the same losses.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIDES = {"deterministic": True, "free": False}


def main() -> int:
    """Measure both sides, print, write results/deterministic.json."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--side", choices=[*SIDES], help="what a process of its own measures")
    asked = options.parse_args()
    if asked.side is not None:
        print(json.dumps(one(asked.side, asked.steps)))
        return 0
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(asked.rounds):
        for side in list(SIDES)[:: 1 if number % 2 else -1]:
            found[side].append(apart(side, asked.steps))
    told = result(found, asked.steps)
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "deterministic.json", told)
    print(
        f"deterministic over free: {told['processor_ratio']:.3f} of processor time,"
        f" {told['wall_ratio']:.3f} of wall time; equal losses in {asked.rounds} processes:"
        f" {told['equal']}"
    )
    return 0


def apart(side: str, steps: int) -> dict[str, Any]:
    """What a process of its own measures."""
    command = [sys.executable, "-m", "benchmarks.deterministic", "--side", side]
    done = subprocess.run(
        [*command, "--steps", str(steps)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def one(side: str, steps: int) -> dict[str, Any]:
    """Wall and processor milliseconds a step, and the last loss to its last bit."""
    import tensorflow as tf

    from benchmarks.loop import prepare
    from sensor2sensor.training.run import make_repeatable

    make_repeatable(0, "CPU", SIDES[side])
    model, batches = prepare()
    for number in range(3 + steps):
        if number == 3:
            wall, processor = time.perf_counter(), time.process_time()
        batch = batches[number % len(batches)]
        losses = model.train_step(batch["input"], batch["target"], tf.constant(number, tf.int64))
    last = float(losses["total_gen_loss"])
    return {
        "wall_ms": 1e3 * (time.perf_counter() - wall) / steps,
        "processor_ms": 1e3 * (time.process_time() - processor) / steps,
        "last": last.hex(),
    }


def result(found: dict[str, list[dict[str, Any]]], steps: int) -> dict[str, Any]:
    """Medians of both sides and their ratios."""

    def median(side: str, name: str) -> float:
        return statistics.median(one[name] for one in found[side])

    return {
        "what": "pix2pix width 0.25, 64 px, batch 4: enable_op_determinism over without",
        "steps": steps,
        "runs": found,
        "processor_ratio": median("deterministic", "processor_ms") / median("free", "processor_ms"),
        "wall_ratio": median("deterministic", "wall_ms") / median("free", "wall_ms"),
        "equal": {side: len({run["last"] for run in runs}) == 1 for side, runs in found.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
