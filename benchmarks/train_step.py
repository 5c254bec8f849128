"""Training steps of this repository against a plain one, and bfloat16 against float32.

    python -m benchmarks.train_step [--rounds 5] [--curve-steps 120] [--parts aris-a pix2pix curves]

``plain`` (:mod:`benchmarks.plain`) is a ``tf.function`` step as ARISGAN describes it, with its
summaries; ``float32`` and ``bfloat16`` are models/ as an experiment has them. All train on the same
batches in turns within one process: aris-a at 256 px (21 bands, batches of 1) and pix2pix at 64 px
(batches of 8), at full width. The bounds, of processor time, which other work on the machine hardly
touches: float32 takes no more than plain, and bfloat16 is at least 1.4 times faster than plain
where the CPU multiplies in bfloat16 (AVX512-BF16 or AMX).

Then the losses of bfloat16 beside those of float32: pix2pix at 64 px, an eighth of the filters,
three seeds. They are drawn to docs/images/bfloat16_curves.png, and the bound is the noise of seeds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.curves import compared, curves  # noqa: E402
from benchmarks.sides import BFLOAT16, FLOAT32, OLCI_BANDS, PLAIN, Case, Side, batches_of  # noqa: E402
from sensor2sensor.core import files  # noqa: E402

SIDES = (PLAIN, FLOAT32, BFLOAT16)
CASES = {"aris-a": Case("aris-a", 256, 1, OLCI_BANDS), "pix2pix": Case("pix2pix", 64, 8)}
PARTS = (*CASES, "curves")
CURVE = Case("pix2pix", 64, 8, params={"width": 0.125})
SEEDS = 3
SLACK, FASTER = 1.03, 1.4
FLAGS = ("avx512_bf16", "amx_bf16")
RESULT = ROOT / "benchmarks" / "results" / "train_step.json"
PICTURE = ROOT / "docs" / "images" / "bfloat16_curves.png"


def main() -> int:
    """Measure, print, write results/train_step.json; returns 1 where a bound is missed."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--curve-steps", type=int, default=120)
    made.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="the rest is kept")
    asked = made.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    result: dict[str, Any] = {"steps": {}}
    if set(asked.parts) < set(PARTS) and RESULT.is_file():
        result = files.read_json(RESULT)
    result |= {"cpus": os.cpu_count(), "bfloat16_in_cpu": multiplies_bfloat16()}
    for part in asked.parts:  # each written at once: all of them take minutes
        if part == "curves":
            result["curves"] = curved(asked.curve_steps)
        else:
            case = CASES[part]
            result["steps"][case.name] = in_turns(case, asked.rounds)
        files.write_json(RESULT, result)
    for line in report(result):
        print(line)
    return 1 if missed(result) else 0


def curved(steps: int) -> dict[str, Any]:
    """Train three seeds of both precisions, draw them, and hold them against each other."""
    found = curves(CURVE, (FLOAT32, BFLOAT16), SEEDS, steps)
    draw(found, PICTURE)
    return {"case": CURVE.name, "steps": steps, **compared(found, FLOAT32)}


def multiplies_bfloat16() -> list[str]:
    """What the CPU has for products of bfloat16."""
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:  # not Linux
        return []
    return [flag for flag in FLAGS if flag in known]


def in_turns(case: Case, rounds: int) -> dict[str, Any]:
    """Milliseconds a step of every side: of the processor (median), and of the clock (least)."""
    sides, batches = {name: Side(name, case) for name in SIDES}, batches_of(case, 2)
    for side in sides.values():
        side.steps(batches, 2)
    spent: dict[str, list[float]] = {name: [] for name in SIDES}
    passed: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(rounds):
        for name in SIDES if number % 2 else SIDES[::-1]:
            clock, processor = time.perf_counter(), time.process_time()
            sides[name].steps(batches, 2)
            spent[name].append(1e3 * (time.process_time() - processor) / 2)
            passed[name].append(1e3 * (time.perf_counter() - clock) / 2)
    # Round by round: what else runs slows all sides of a round alike.
    faster = {
        name: statistics.median(a / b for a, b in zip(spent[PLAIN], spent[name], strict=True))
        for name in SIDES[1:]
    }
    return {
        "rounds": rounds,
        "processor_ms": {name: statistics.median(values) for name, values in spent.items()},
        "clock_ms": {name: min(values) for name, values in passed.items()},
        "times_faster_than_plain": faster,
    }


def draw(found: dict[str, list[list[float]]], path: Path) -> None:
    """Every seed's curve, smoothed over ten steps, one colour a side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    # The first broad and pale: where both agree, the second runs within it.
    styles = ({"color": "#8fb4d9", "lw": 4}, {"color": "#b3470f", "lw": 1})
    for name, style in zip(found, styles, strict=True):
        for seed, curve in enumerate(found[name]):
            means = [statistics.mean(curve[max(0, at - 9) : at + 1]) for at in range(len(curve))]
            label = name if seed == 0 else None
            axes.plot(range(1, len(means) + 1), means, label=label, **style)
    axes.set(
        xlabel="step",
        ylabel="L1 in training, mean of 10 steps",
        title=f"{CURVE.name}, width {CURVE.params['width']}",
    )
    axes.legend(title=f"{SEEDS} seeds each")
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=110)
    pyplot.close(figure)


def missed(result: dict[str, Any]) -> list[str]:
    """The bounds that were not kept."""
    found = []
    for case, step in result["steps"].items():
        faster = step["times_faster_than_plain"]
        if faster[FLOAT32] * SLACK < 1:
            found.append(f"{case}: float32 is slower than plain")
        if result["bfloat16_in_cpu"] and faster[BFLOAT16] < FASTER:
            found.append(f"{case}: bfloat16 is not {FASTER} times faster than plain")
    if not result.get("curves", {}).get("within", True):
        found.append("bfloat16 leaves the noise of seeds")
    return found


def report(result: dict[str, Any]) -> list[str]:
    """The figures of all sides, and the verdicts."""
    lines = []
    for case, step in result["steps"].items():
        for name in SIDES:
            text = f"{case}, {name:8}: {step['processor_ms'][name]:7.0f} ms of the processor,"
            text += f" {step['clock_ms'][name]:7.0f} ms by the clock"
            if name != PLAIN:
                text += f"; {step['times_faster_than_plain'][name]:.2f} times faster than plain"
            lines.append(text)
    if found := result.get("curves"):
        away = found["deviations"][BFLOAT16]
        lines.append(
            f"curves: bfloat16 ends {away:.2f} standard deviations between seeds from float32"
            f" (at most {found['most']:g})"
        )
    return [*lines, *(f"MISSED: {text}" for text in missed(result))]


if __name__ == "__main__":
    sys.exit(main())
