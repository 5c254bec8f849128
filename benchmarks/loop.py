"""The training loop's own overhead: the loop against bare calls of ``train_step``.

    python -m benchmarks.loop [--rounds 60] [--steps 20]

Both sides train the same pix2pix (a quarter of the filters, 64 pixels, batches of 4) on the same
batches held in memory, in turns and in changing order within one run. The loop does what it does
in training: tensors for steps, losses kept and looked at, JSONL and TensorBoard, the question for
signals, the progress line. Checkpoints and sample sheets, which come every thousand steps, are
left out on both sides. The bound: under 3 % more time. The faster quarter of the rounds of each
side is compared, for other work on the machine only ever adds time; the ratio of processor times,
which other work hardly touches, is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BOUND = 1.03
TILE_PX, BATCH, INPUT_BANDS, TARGET_BANDS = 64, 4, 3, 3


def main() -> int:
    """Measure, print, write results/loop.json; returns 1 where the bound is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=60)
    options.add_argument("--steps", type=int, default=20)
    asked = options.parse_args()
    result = measure(asked.rounds, asked.steps)
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "loop.json", result)
    print(
        f"loop {result['loop_ms']:.2f} ms a step, bare train_step {result['bare_ms']:.2f} ms:"
        f" ratio {result['ratio']:.4f} (bound {BOUND});"
        f" of processor time {result['processor_ratio']:.4f}"
    )
    return 0 if result["ratio"] < BOUND else 1


def measure(rounds: int, steps: int) -> dict[str, Any]:
    """Time both sides in turns; wall and processor time in milliseconds a step."""
    model, batches = prepare()
    with tempfile.TemporaryDirectory() as folder:
        sides = {"bare": bare_side(model, batches), "loop": loop_side(model, batches, folder)}
        for side in sides.values():
            side(5)  # traces, warms up
        wall: dict[str, list[float]] = {"bare": [], "loop": []}
        processor: dict[str, list[float]] = {"bare": [], "loop": []}
        for number in range(rounds):
            order = list(sides) if number % 2 else list(sides)[::-1]
            for name in order:
                start, start_cpu = time.perf_counter(), time.process_time()
                sides[name](steps)
                wall[name].append(1e3 * (time.perf_counter() - start) / steps)
                processor[name].append(1e3 * (time.process_time() - start_cpu) / steps)
    quick = {name: statistics.quantiles(times, n=4)[0] for name, times in wall.items()}
    spent = {name: statistics.median(times) for name, times in processor.items()}
    return {
        "what": "training loop over bare train_step, pix2pix width 0.25, 64 px, batch 4",
        "rounds": rounds,
        "steps_per_round": steps,
        "bare_ms": quick["bare"],
        "loop_ms": quick["loop"],
        "ratio": quick["loop"] / quick["bare"],
        "processor_ratio": spent["loop"] / spent["bare"],
        "bound": BOUND,
    }


def prepare() -> tuple[Any, list[dict[str, Any]]]:
    """A pix2pix of reduced width and eight random batches."""
    import numpy as np
    import tensorflow as tf

    from model_tools.probe import experiment
    from models.loading import load_gan_class

    view = experiment(size=TILE_PX, params={"width": 0.25}, batch_size=BATCH)
    draw = np.random.default_rng(0)

    def image(bands: int) -> Any:
        values = draw.uniform(-1, 1, (BATCH, TILE_PX, TILE_PX, bands))
        return tf.constant(values, tf.float32)

    batches = [
        {"input": image(INPUT_BANDS), "target": image(TARGET_BANDS), "index": tf.range(BATCH)}
        for _ in range(8)
    ]
    return load_gan_class("pix2pix")(view), batches


def bare_side(model: Any, batches: list[dict[str, Any]]) -> Callable[[int], None]:
    """``train_step`` and nothing else; the last loss is read, so that the work is done."""
    import tensorflow as tf

    step_tensor = tf.constant(0, tf.int64)

    def run(steps: int) -> None:
        source = cycle(batches)
        for _ in range(steps):
            batch = next(source)
            losses = model.train_step(batch["input"], batch["target"], step_tensor)
        float(losses["total_gen_loss"])

    return run


def loop_side(model: Any, batches: list[dict[str, Any]], folder: str) -> Callable[[int], None]:
    """The loop of ``train.py`` with its writers."""
    from sensor2sensor.training.collapse import Signs
    from sensor2sensor.training.compiled import compiled_step
    from sensor2sensor.training.interrupts import StopSignal
    from sensor2sensor.training.loop import Actions, Plan, train_loop
    from sensor2sensor.training.memory import taken_mib
    from sensor2sensor.training.watch import LossWatch
    from sensor2sensor.training.writers import Writers

    writers = Writers(Path(folder), start_step=0)
    step = compiled_step(model, batches[0])
    stop = StopSignal(print)
    signs = Signs({"disc_bce": 1.0}, judged_from=0, compared_from=0)

    def report(step: int, losses: Any, pace: Any) -> None:
        gauges = taken_mib() | ({} if pace is None else pace.facts(BATCH))
        writers.scalars(step, "train", losses, **gauges)
        signs.read({"step": step, "kind": "train", **losses})

    def nothing(step: int) -> None:
        return None

    def run(steps: int) -> None:
        actions = Actions(report, nothing, nothing, lambda step: stop.requested)
        plan = Plan(start=0, steps=steps, ckpt_freq=10_000, sample_freq=1_000)
        source: Iterator[dict[str, Any]] = cycle(batches)
        train_loop(step, source, plan, actions, LossWatch("benchmark", lambda numbers: []))

    return run


if __name__ == "__main__":
    sys.exit(main())
