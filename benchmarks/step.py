"""One training step of aris-a: our dense block against the port's, bfloat16 against float32.

    python -m benchmarks.step [--tile 256] [--batch 4] [--width 0.25] [--rounds 6]

``ours`` is models/aris-a.py as shipped. ``pairwise`` is the same network, whose dense block joins
its maps pair by pair as the published port does, so that every partial join is a tensor of its
own; that both give the same output from the same weights, and join in two ways, is checked first.
``mixed`` is ours in mixed_bfloat16. Times are taken in turns within one process; the peak of memory
of each side in a process of its own, above what is resident before the first step. On a machine
with a GPU all of it runs there, and the memory is the GPU's. The bound: ours is not slower than
pairwise. No bound for memory, since TensorFlow frees the partial joins at once, nor for bfloat16,
whose gain depends on the device.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIDES = ("ours", "pairwise", "mixed")
SLACK = 1.02  # of time, for other work on the machine
WARM_UP = 2


def main() -> int:
    """Measure, print, write results/step.json; returns 1 where the bound is missed."""
    asked = arguments().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if asked.peak_of:
        print(json.dumps(peak_mib(asked)))
        return 0
    result = measure(asked)
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "step.json", result)
    for name in SIDES[1:]:
        print(
            f"{name} / ours: time {result['ms'][name]:.0f} / {result['ms']['ours']:.0f} ms"
            f" = {result['time_ratio'][name]:.2f}; memory {result['peak_mib'][name]:.0f} /"
            f" {result['peak_mib']['ours']:.0f} MiB = {result['memory_ratio'][name]:.2f}"
        )
    return 0 if result["time_ratio"]["pairwise"] * SLACK > 1 else 1


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--tile", type=int, default=256)
    made.add_argument("--batch", type=int, default=4)
    made.add_argument("--width", type=float, default=0.25)
    made.add_argument("--rounds", type=int, default=6)
    made.add_argument("--peak-of", choices=SIDES, help=argparse.SUPPRESS)
    return made


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Time the sides in turns, and each one's memory alone."""
    peaks = {name: _apart(asked, name) for name in SIDES}
    sides = {name: Side(name, asked) for name in SIDES}
    _same_network(sides["ours"], sides["pairwise"])
    for side in sides.values():
        side.steps(WARM_UP)
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(asked.rounds):
        for name in SIDES if number % 2 else SIDES[::-1]:
            start = time.perf_counter()
            sides[name].steps(1)
            times[name].append(1e3 * (time.perf_counter() - start))
    quick = {name: statistics.quantiles(taken, n=4)[0] for name, taken in times.items()}
    return {
        "what": f"train_step of aris-a, width {asked.width}, {asked.tile} px, batch {asked.batch}",
        "device": _device(),
        "rounds": asked.rounds,
        "ms": quick,
        "peak_mib": peaks,
        "time_ratio": {name: quick[name] / quick["ours"] for name in SIDES[1:]},
        "memory_ratio": {name: peaks[name] / peaks["ours"] for name in SIDES[1:]},
    }


class Side:
    """A built aris-a with one batch."""

    def __init__(self, name: str, asked: argparse.Namespace) -> None:
        import tensorflow as tf

        from model_tools.probe import batch, experiment
        from models.loading import load_gan_class
        from sensor2sensor.pipeline.precision import computing_in

        view = experiment(size=asked.tile, params={"width": asked.width}, batch_size=asked.batch)
        gan_class = load_gan_class("aris-a")
        blocks = {"dense_block": pairwise_dense_block} if name == "pairwise" else {}
        # Where the model looks it up; it keeps the name that it imported.
        its_names = patch.dict(gan_class.Generator.__globals__, blocks)
        with computing_in("mixed_bfloat16" if name == "mixed" else "float32"), its_names:
            self.gan: Any = gan_class(view)
        self.input, self.target = map(tf.constant, batch(view, count=asked.batch))
        self.number = tf.constant(0, tf.int64)

    def steps(self, count: int) -> None:
        """Train; the last loss is read, so that the work is done."""
        for _ in range(count):
            losses = self.gan.train_step(self.input, self.target, self.number)
        float(losses["total_gen_loss"])


def pairwise_dense_block(input_tensor: Any, filters: int = 32) -> Any:
    """``blocks.dense_block`` with the port's joins: every new map with one other at a time."""
    import tensorflow as tf

    from models import layers

    join = tf.keras.layers.Concatenate
    earlier, x = [input_tensor], input_tensor
    for _ in range(4):
        new = x = layers.conv(3, filters, 1, batchnorm=False, lrelu=True)(x)
        for map_ in earlier:
            x = join()([x, map_])
        earlier.append(new)
    return layers.conv(3, filters, 1, batchnorm=False, lrelu=False)(x)


def _same_network(one: Side, other: Side) -> None:
    import numpy as np

    counts = [len(side.gan.generator.layers) for side in (one, other)]
    if counts[0] == counts[1]:
        raise AssertionError("both sides join their maps in one way: there is nothing to compare")
    for mine, its in zip(one.gan.generator.variables, other.gan.generator.variables, strict=True):
        its.assign(mine)
    outputs = [side.gan.generator(one.input, training=False) for side in (one, other)]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)


def _apart(asked: argparse.Namespace, name: str) -> float:
    command = [sys.executable, "-m", "benchmarks.step", "--peak-of", name]
    command += [f"--tile={asked.tile}", f"--batch={asked.batch}", f"--width={asked.width}"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def peak_mib(asked: argparse.Namespace) -> float:
    """Memory that a few steps take above what the built model takes."""
    import tensorflow as tf

    side = Side(asked.peak_of, asked)
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")
        before = tf.config.experimental.get_memory_info("GPU:0")["current"] / 2**20
        side.steps(WARM_UP)
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20 - before
    before = _resident_mib()
    side.steps(WARM_UP)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before


def _resident_mib() -> float:
    """What is resident now (the peak so far may lie higher, from building the networks)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(status.split("VmRSS:")[1].split()[0]) / 1024


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU, {os.cpu_count()} cores"
    return tf.config.experimental.get_device_details(gpus[0])["device_name"]


if __name__ == "__main__":
    sys.exit(main())
