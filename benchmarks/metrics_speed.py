"""Every metric of profile standard on tiles of 256 x 256 x 3, against one image at a time.

    python -m benchmarks.metrics_speed [--tiles 1000] [--part 12]

Ours takes batches of 8 as an evaluation does, the other side each image by itself: scikit-image
where it has the metric, else sewar, else NumPy and SciPy by the published formula. Both take turns
in one run; the other side sees every ``--part``-th batch alone, being slow. What sewar defines in
another way (UIQI, SCC: docs/metrics.md) is computed by its formula, too. Values are compared to
1e-6, and CPU time. Each side has one core: the libraries use no more, and what TensorFlow spreads
over two takes more of their time (4.1 times less than the libraries, and 5.6 on one). The bound: at
least 5 times less a tile than the libraries. How it stands against the formulas alone is printed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from scipy import ndimage  # noqa: E402

from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.metrics import compute  # noqa: E402
from tests.unit.metrics import oracles  # noqa: E402

PX, BATCH, FACTOR, COLOUR = 256, 8, 6.0, (2, 1, 0)
RANGES = np.array([[0.02, 0.6], [0.03, 0.62], [0.0, 0.7]])
LOW, SPAN = RANGES[:, 0], RANGES[:, 1] - RANGES[:, 0]
LEAST_SPEEDUP, TOLERANCE = 5.0, 1e-6
Array = np.ndarray[Any, Any]


def main() -> int:
    """Measure both sides and write benchmarks/results/metrics_speed.json; 1 below the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=1000)
    parser.add_argument("--part", type=int, default=12, help="one batch in so many of theirs")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    result = measure(max(args.tiles // BATCH, 1), args.part)
    files.write_json(ROOT / "benchmarks" / "results" / "metrics_speed.json", result)
    report(result)
    return 0 if result["passed"] else 1


def measure(batches: int, part: int) -> dict[str, Any]:
    """Score the tiles in turns and compare the values."""
    draw = tiles()
    ours(*draw(0))  # builds the graph
    spent: Counter[str] = Counter()
    gaps: dict[str, float] = {}
    seconds, scored = 0.0, 0
    for number in range(batches):
        truth, guess = draw(number)
        begin = time.process_time()
        found = ours(truth, guess)
        seconds += time.process_time() - begin
        if number % part:
            continue
        for place, (x, y) in enumerate(zip(truth, guess, strict=True)):
            other = theirs(x, y, spent)
            for name, values in found.items():
                gaps[name] = max(gaps.get(name, 0.0), abs(float(values[place]) - other[name]))
        scored += len(truth)
    by_metric = {name: 1e3 * total / scored for name, total in spent.items()}
    replaced = [name.removeprefix(SEWAR) for name in DIFFERENT]
    cpu_ms = {
        "ours": 1e3 * seconds / (batches * BATCH),
        "libraries": sum(ms for name, ms in by_metric.items() if name not in replaced),
        "formulas": sum(ms for name, ms in by_metric.items() if name not in DIFFERENT),
    }
    speedup = {side: cpu_ms[side] / cpu_ms["ours"] for side in ("libraries", "formulas")}
    return {
        "tiles": {"ours": batches * BATCH, "theirs": scored},
        "tile": [PX, PX, 3],
        "batch": BATCH,
        "cpus": 1,
        "cpu_ms_a_tile": cpu_ms,
        "theirs_ms_by_metric": by_metric,
        "largest_difference": gaps,
        "speedup": speedup,
        "bounds": {"speedup": LEAST_SPEEDUP, "difference": TOLERANCE},
        "passed": speedup["libraries"] >= LEAST_SPEEDUP and max(gaps.values()) <= TOLERANCE,
    }


def tiles() -> Callable[[int], tuple[Array, Array]]:
    """Batches by number, no two alike: drawn pictures, moved and brightened."""
    pictures = [oracles.texture(seed, (PX, PX, 3)) for seed in range(2 * BATCH)]

    def draw(number: int) -> tuple[Array, Array]:
        rng = np.random.default_rng(number)
        moved = [np.roll(one, rng.integers(PX, size=2), (0, 1)) for one in pictures]
        truth = np.stack(moved[:BATCH]) * rng.uniform(0.5, 1.0, (BATCH, 1, 1, 1))
        guess = 0.85 * truth + 0.1 * np.stack(moved[BATCH:])
        return truth.astype(np.float32), guess.astype(np.float32)

    return draw


def ours(truth: Array, guess: Array) -> dict[str, Array]:
    """Every metric of the profile for a batch."""
    found = compute(truth, guess, value_ranges=RANGES, factor=FACTOR, colour=COLOUR)
    return {name: value.numpy() for name, value in found.items()}


def theirs(truth: Array, guess: Array, spent: Counter[str]) -> dict[str, float]:
    """The same for one image, and how long each took."""
    x, y = truth.astype(np.float64), guess.astype(np.float64)
    found = {}
    for name, metric in {**OTHERS, **DIFFERENT}.items():
        begin = time.process_time()
        found[name] = float(np.real(metric(x, y)))
        spent[name] += time.process_time() - begin
    return found


def _unit(image: Array) -> Array:
    return (image - LOW) / SPAN


def _hpsi(x: Array, y: Array) -> float:
    pair = (255 * np.clip(_unit(image), 0, 1)[..., list(COLOUR)] for image in (x, y))
    return float(oracles.haarpsi(*pair))


def _ssim(x: Array, y: Array) -> Any:
    from skimage.metrics import structural_similarity

    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return structural_similarity(_unit(x), _unit(y), data_range=1.0, channel_axis=-1, **gaussian)


def _psnr(x: Array, y: Array) -> Any:
    from skimage.metrics import peak_signal_noise_ratio

    return peak_signal_noise_ratio(_unit(x), _unit(y), data_range=1.0)


def _rmse(x: Array, y: Array) -> Any:
    from skimage.metrics import mean_squared_error

    return np.sqrt(mean_squared_error(x, y))


def _sam(x: Array, y: Array) -> Any:
    from sewar.full_ref import sam

    return np.degrees(sam(x, y))


def _ergas(x: Array, y: Array) -> Any:
    from sewar.full_ref import ergas

    return ergas(x, y, r=1.0 / FACTOR)


def _sewar(name: str) -> Callable[[Array, Array], Any]:
    def metric(x: Array, y: Array) -> Any:
        return getattr(importlib.import_module("sewar.full_ref"), name)(x, y)

    return metric


def _uiqi(x: Array, y: Array) -> float:
    values = []
    for band in range(3):
        a, b = x[..., band], y[..., band]
        parts = (a, b, a * a + b * b, a * b)
        means = [ndimage.uniform_filter(part, 8)[4:-3, 4:-3] for part in parts]
        squares = means[0] ** 2 + means[1] ** 2
        product = means[0] * means[1]
        top = 4 * (means[3] - product) * product
        values.append(np.mean(top / ((means[2] - squares) * squares)))
    return float(np.mean(values))


def _cc(x: Array, y: Array) -> Any:
    return np.mean([np.corrcoef(x[..., b].ravel(), y[..., b].ravel())[0, 1] for b in range(3)])


def _lsd_hf(x: Array, y: Array) -> float:
    place = np.arange(PX)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (place + 0.5) / PX)
    steps = np.minimum(place, PX - place)
    ring = np.rint(np.hypot(steps[:, None], steps)).astype(int).ravel()
    count = np.bincount(ring)
    found = []
    for band in range(3):
        levels = []
        for image in (_unit(x)[..., band], _unit(y)[..., band]):
            power = np.abs(np.fft.fft2((image - image.mean()) * hann[:, None] * hann)) ** 2
            rings = np.bincount(ring, power.ravel()) / count / np.sum(hann**2) ** 2
            levels.append(10 * np.log10(rings[: PX // 2 + 1] + 1e-8 / 12))
        beyond = np.arange(PX // 2 + 1) > PX / (2 * FACTOR)
        found.append(np.mean(np.abs(levels[0] - levels[1])[beyond]))
    return float(np.mean(found))


OTHERS: Mapping[str, Callable[[Array, Array], Any]] = {
    "hpsi": _hpsi,
    "ergas": _ergas,
    "scc": oracles.scc,
    "ssim": _ssim,
    "psnr": _psnr,
    "hp_l1": lambda x, y: oracles.hp_l1(x, y, RANGES),
    "sam": _sam,
    "cc": _cc,
    "uiqi": _uiqi,
    "rmse": _rmse,
    "l1": lambda x, y: np.mean(np.abs(y - x)),
    "lsd_hf": _lsd_hf,
}


# By the name of ours that they stand for, where their definition is another.
SEWAR = "sewar "
DIFFERENT = {f"{SEWAR}uiqi": _sewar("uqi"), f"{SEWAR}scc": _sewar("scc")}


def report(result: Mapping[str, Any]) -> None:
    """Print the ratios with the figures of both sides."""
    cpu, count, speedup = (result[key] for key in ("cpu_ms_a_tile", "tiles", "speedup"))
    print(f"{count['ours']} tiles of {PX} x {PX} x 3, {count['theirs']} of them by the others, too")
    print(
        f"CPU time a tile: {cpu['ours']:.1f} ms against {cpu['libraries']:.0f} ms of the libraries:"
        f" {speedup['libraries']:.1f} times less (at least {LEAST_SPEEDUP:g})"
    )
    print(f"against the formulas alone, {cpu['formulas']:.0f} ms: {speedup['formulas']:.1f} times")
    slow = sorted(result["theirs_ms_by_metric"].items(), key=lambda item: -item[1])
    print("theirs: " + ", ".join(f"{name} {ms:.1f}" for name, ms in slow) + " ms")
    name, gap = max(result["largest_difference"].items(), key=lambda item: item[1])
    print(f"largest difference: {gap:.1e} ({name}; at most {TOLERANCE:g})")
    print("passed" if result["passed"] else "BELOW A BOUND")


if __name__ == "__main__":
    sys.exit(main())
