"""The reader against one uncompressed float TFRecord per tile, read sequentially.

    python -m benchmarks.reader [--tiles 64] [--repeats 5]

Both sides give the same float32 batches of 256 x 256 x 21 + 3 (compared first), from a warm cache.
The bounds: at least 2 times the tiles per second and at most a fifth of the bytes on disk.
What it costs to enlarge at random, memory at 10,000 tiles, and caches: ``benchmarks.reader_paths``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from benchmarks import reader_paths  # noqa: E402
from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.dataset.contract import DatasetContract, load_contract  # noqa: E402
from sensor2sensor.dataset.upsampling import upsample  # noqa: E402
from sensor2sensor.pipeline.batching import (  # noqa: E402
    ReaderOptions,
)
from sensor2sensor.pipeline.reader import (  # noqa: E402
    iterate_tiles,
    training_batches,
)
from tests.fakes_dataset import make_dataset  # noqa: E402

TILE, BATCH = 256, 8
LEAST_SPEEDUP, MOST_BYTES = 2.0, 0.2


def main() -> int:
    """Measure both sides and write benchmarks/results/reader.json; returns 1 below a bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), args.tiles // BATCH * BATCH, args.repeats)
        result["paths"] = reader_paths.measure(Path(folder), result.pop("dataset"))
    result["passed"] = result["passed"] and result["paths"]["passed"]
    files.write_json(ROOT / "benchmarks" / "results" / "reader.json", result)
    report(result)
    return 0 if result["passed"] else 1


def measure(root: Path, tiles: int, repeats: int) -> dict[str, Any]:
    """Build both forms of the same tiles, compare their batches, time them in turn."""
    dataset = make_dataset(
        root, name="cur_bench", kind="sentinel3", tile_px=TILE, train=tiles, val=1, test=1
    )
    contract = load_contract(dataset)
    plain = write_plain(root / "plain", dataset, contract)
    sides: dict[str, Callable[[], tf.data.Dataset]] = {
        "reader": lambda: ours(dataset, contract, tiles),
        "plain": lambda: theirs(plain),
    }
    compare(sides["reader"](), sides["plain"]())
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            seconds[name].append(drain(side()))
    rate = {name: tiles / statistics.median(spent) for name, spent in seconds.items()}
    size = {
        "reader": sum(p.stat().st_size for p in (dataset / "train").iterdir()) / tiles,
        "plain": sum(p.stat().st_size for p in plain) / tiles,
    }
    speedup, share = rate["reader"] / rate["plain"], size["reader"] / size["plain"]
    return {
        "dataset": dataset,
        "tiles": tiles,
        "batch": BATCH,
        "cpus": os.cpu_count(),
        "tiles_per_s": rate,
        "seconds": seconds,
        "bytes_per_tile": size,
        "speedup": speedup,
        "share_of_bytes": share,
        "bounds": {"speedup": LEAST_SPEEDUP, "share_of_bytes": MOST_BYTES},
        "passed": speedup >= LEAST_SPEEDUP and share <= MOST_BYTES,
    }


def write_plain(folder: Path, dataset: Path, contract: DatasetContract) -> list[Path]:
    """One file per tile with the full float arrays, as the original wrote them."""
    folder.mkdir()
    paths = []
    for record in iterate_tiles(dataset, contract, "train"):
        arrays = {"raw_s2": record.target, "raw_s3": upsample(record, "nearest")}
        feature = {
            key: tf.train.Feature(float_list=tf.train.FloatList(value=value.ravel()))
            for key, value in arrays.items()
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        path = folder / f"{record.name}.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(example.SerializeToString())
        paths.append(path)
    return paths


def ours(dataset: Path, contract: DatasetContract, tiles: int) -> tf.data.Dataset:
    """The training reader by name, in physical values."""
    options = ReaderOptions(batch_size=BATCH, shuffle=False)
    batches = training_batches(dataset, contract, None, options)
    return batches.take(tiles // BATCH)


def theirs(paths: list[Path]) -> tf.data.Dataset:
    """The files one after the other, parsed from float lists."""
    features = {
        "raw_s2": tf.io.FixedLenFeature([TILE, TILE, 3], tf.float32),
        "raw_s3": tf.io.FixedLenFeature([TILE, TILE, 21], tf.float32),
    }

    def parse(data: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = tf.io.parse_single_example(data, features)
        return {"input": arrays["raw_s3"], "target": arrays["raw_s2"]}

    return tf.data.TFRecordDataset([str(path) for path in paths]).map(parse).batch(BATCH)


def compare(left: tf.data.Dataset, right: tf.data.Dataset) -> None:
    """Both sides give the same bits; this also warms the cache."""
    count = 0
    for a, b in zip(left, right, strict=True):
        for key in ("input", "target"):
            assert a[key].dtype == b[key].dtype == tf.float32
            assert np.array_equal(a[key], b[key]), f"{key} differs"
        count += 1
    assert count


def drain(batches: tf.data.Dataset) -> float:
    """Seconds to give every batch, from the first request on."""
    iterator = iter(batches)
    begin = time.perf_counter()
    for _ in iterator:
        pass
    return time.perf_counter() - begin


def report(result: dict[str, Any]) -> None:
    """Print the ratios with the figures of both sides."""
    rate, size = result["tiles_per_s"], result["bytes_per_tile"]
    print(
        f"tiles per second: {rate['reader']:.0f} against {rate['plain']:.0f}:"
        f" {result['speedup']:.2f} times (at least {LEAST_SPEEDUP:g})"
    )
    print(
        f"bytes per tile: {size['reader']:.0f} against {size['plain']:.0f}:"
        f" a share of {result['share_of_bytes']:.3f} (at most {MOST_BYTES:g})"
    )
    reader_paths.report(result["paths"])
    print("passed" if result["passed"] else "BELOW A BOUND")


if __name__ == "__main__":
    sys.exit(main())
