"""An epoch of step 52's records against opening the TIFFs anew, and the memory of a large tile.

    python -m benchmarks.pictures [--pairs 6] [--side 5000] [--repeats 3]

The other side is what the data were read by before they were transformed once: the whole files,
resized to 286 pixels, a random crop of 256. Both from a warm cache, one sample a batch. Bounds: at
least 20 times the samples per second; a pair is read in at most 150 MiB beside what the libraries
take (its photo alone has 72).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.sources.aerial.options import AerialOptions  # noqa: E402
from sensor2sensor.sources.aerial.pairs import find  # noqa: E402
from sensor2sensor.sources.aerial.source import AerialSource  # noqa: E402
from sensor2sensor.sources.source import folder_of  # noqa: E402
from tests.fakes.town import write_aerial  # noqa: E402

STORED, CROP = 286, 256
EPOCHS = 20  # of the records: one is over before the clock says anything
LEAST_SPEEDUP, MOST_MIB = 20.0, 150.0


def main() -> int:
    """Measure and write benchmarks/results/pictures.json; returns 1 beyond a bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=6, help="of the train split")
    parser.add_argument("--side", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_of:
        print(_peak_mib(args.peak_of))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), args.pairs, args.side, args.repeats)
    files.write_json(ROOT / "benchmarks" / "results" / "pictures.json", result)
    report(result)
    return 0 if result["passed"] else 1


def source_of(folder: Path) -> AerialSource:
    """The pairs of a folder, each as one sample."""
    options = AerialOptions("bench", "bench", STORED, 1, 0.0, "number", 0.8, 0.2, 4.0, None, 0)
    return AerialSource(folder, find(folder, None), options)


def _peak_mib(folder: Path) -> float:
    """How much more than its libraries and headers this process takes to read one pair."""
    source = source_of(folder)
    (item, *_) = source.plan().items
    before = _high_water_mib()
    source.read(item)
    return _high_water_mib() - before


def _high_water_mib() -> float:
    # Not getrusage: a new process begins with its parent's peak there.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(root: Path, pairs: int, side: int, repeats: int) -> dict[str, Any]:
    """Make both forms of the same pairs, time an epoch of each in turn."""
    from sensor2sensor.sources.writer.options import WriteOptions
    from sensor2sensor.sources.writer.run import write

    train = [f"austin{number}" for number in range(1, 10 * pairs, 10)][:pairs]
    found = write_aerial(root / "found", [*train, "austin7", "austin9"], side)
    words = (sys.executable, "-m", "benchmarks.pictures", "--peak-of", str(found))
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    peak_mib = float(told.stdout)
    source = source_of(found)
    write(source, root, WriteOptions())
    dataset = folder_of(root, source.drafts[0])
    seconds: dict[str, list[float]] = {"records": [], "tiffs": []}
    for _ in range(repeats):
        seconds["records"].append(_drained(records(dataset, EPOCHS * pairs)) / EPOCHS)
        seconds["tiffs"].append(_drained(tiffs(found, train)))
    rate = {name: pairs / statistics.median(spent) for name, spent in seconds.items()}
    speedup = rate["records"] / rate["tiffs"]
    return {
        "pairs": pairs,
        "side_px": side,
        "cpus": os.cpu_count(),
        "samples_per_s": rate,
        "seconds": seconds,
        "speedup": speedup,
        "peak_mib": peak_mib,
        "bounds": {"speedup": LEAST_SPEEDUP, "peak_mib": MOST_MIB},
        "passed": speedup >= LEAST_SPEEDUP and peak_mib <= MOST_MIB,
    }


def records(dataset: Path, samples: int) -> Iterator[Any]:
    """Samples of the training reader, as an experiment with crops asks for it."""
    from sensor2sensor.dataset.contract import load_contract
    from sensor2sensor.pipeline.batching import ReaderOptions
    from sensor2sensor.pipeline.reader import training_batches

    options = ReaderOptions(batch_size=1, random_crop=True, img_height=CROP, img_width=CROP)
    batches = iter(training_batches(dataset, load_contract(dataset), None, options))
    next(batches)  # builds the pipeline, which an epoch does not
    return (next(batches) for _ in range(samples))


def tiffs(found: Path, names: list[str]) -> Iterator[Any]:
    """The same pairs, opened, resized and cropped each time."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for name in names:
        y, x = draw.integers(0, STORED - CROP + 1, 2)
        pair = []
        for kind in ("gt", "images"):
            with Image.open(found / kind / f"{name}.tif") as picture:
                small = picture.convert("RGB").resize((STORED, STORED), Image.Resampling.BICUBIC)
            pair.append(np.asarray(small, np.float32)[y : y + CROP, x : x + CROP] / 127.5 - 1)
        yield pair


def _drained(samples: Iterator[Any]) -> float:
    begin = time.perf_counter()
    for _ in samples:
        pass
    return time.perf_counter() - begin


def report(result: dict[str, Any]) -> None:
    """Print the ratio with the figures of both sides."""
    rate = result["samples_per_s"]
    print(
        f"samples per second: {rate['records']:.1f} against {rate['tiffs']:.2f}:"
        f" {result['speedup']:.0f} times (at least {LEAST_SPEEDUP:g})"
    )
    print(f"memory of one pair: {result['peak_mib']:.0f} MiB (at most {MOST_MIB:g})")
    print("passed" if result["passed"] else "BEYOND A BOUND")


if __name__ == "__main__":
    sys.exit(main())
