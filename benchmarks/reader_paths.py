"""Further figures of ``benchmarks.reader``: enlarged at random, many tiles, a slow share, caches.

    python -m benchmarks.reader_paths DATASET default|compact TILES   (an epoch, in its own process)

* An experiment's default (``random_resize`` 1.11) on 256-pixel tiles, as table and map and, from
  the same records in turns, as pictures: CPU milliseconds a tile.
* 1,000 and 10,000 tiles of 32 pixels, each in a process of its own, an epoch: tiles per second and
  peak memory. The 10,000 are 100 records under 100 names each: what a reader holds for a tile, its
  name and place, is there 10,000 times; the disk's cache is warm, as it would not be on a share.
* A share that answers after 20 ms, imitated by a pause before each read: the second epoch without
  a cache, with 16 reads at a time (``parallel_reads``), and with a cache; the same without pause.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core.memory import GIB, peak_resident_bytes  # noqa: E402
from sensor2sensor.dataset import record_cache  # noqa: E402
from sensor2sensor.dataset.contract import DatasetContract, load_contract  # noqa: E402
from sensor2sensor.dataset.ledger import read_split, write_split  # noqa: E402
from sensor2sensor.dataset.record_cache import CacheOptions  # noqa: E402
from sensor2sensor.pipeline.batching import ReaderOptions  # noqa: E402
from sensor2sensor.pipeline.normalisation import Normalisation  # noqa: E402
from sensor2sensor.pipeline.reader import training_batches  # noqa: E402
from tests.fakes_dataset import make_dataset  # noqa: E402

DEFAULT = ReaderOptions(batch_size=4, random_resize=1.11, random_rotate=True)
PATHS = {"default": DEFAULT, "compact": replace(DEFAULT, random_resize=None)}
SMALL_PX, RECORDS, COUNTS = 32, 100, (1_000, 10_000)
PAUSE_S, READS = 0.02, 16
WARM = 4
MOST_CPU_MS, LEAST_AGAINST_PICTURES, MOST_GROWTH_MIB = 4.0, 1.3, 64.0


class _Painted(Normalisation):
    """A normalisation that keeps the reader from moving tables and maps in place of pictures."""

    elementwise = False


def cpu_ms(dataset: Path, rounds: int = 5, batches: int = 48) -> dict[str, list[float]]:
    """CPU milliseconds a tile of each path, in turns."""
    contract = load_contract(dataset)
    plain, painted = (kind("symmetric", contract) for kind in (Normalisation, _Painted))
    sides = {
        "compact": (PATHS["compact"], plain),
        "default": (DEFAULT, plain),
        "default_as_pictures": (DEFAULT, painted),
    }
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, (options, normalisation) in sides.items():
            iterator = iter(training_batches(dataset, contract, normalisation, options))
            for _ in range(WARM):  # the first makes the functions, at the cost of 50 batches
                next(iterator)
            begin = time.process_time()
            for _ in range(batches):
                next(iterator)
            # Ended before the clock is read: it would make batches ahead in another side's time.
            # What it made ahead by then stands for what it had made ahead before.
            del iterator
            found[name].append((time.process_time() - begin) * 1e3 / batches / DEFAULT.batch_size)
    return found


def many(root: Path) -> Path:
    """A data set of the larger count of tiles, whose records stand under many names."""
    folder = make_dataset(
        root, name="cur_many", kind="sentinel3", tile_px=SMALL_PX, train=RECORDS, val=1, test=1
    )
    rows = read_split(folder)
    train = [row for row in rows if row.split == "train"]
    copies = range(COUNTS[-1] // RECORDS)
    again = [replace(row, name=f"{row.name}_{n:03d}") for row in train for n in copies]
    write_split(folder, again + [row for row in rows if row.split != "train"])
    return folder


def epoch(dataset: Path, path: str, tiles: int) -> dict[str, float]:
    """Read an epoch of so many tiles, after a first batch: tiles per second and peak MiB."""
    contract, options = load_contract(dataset), replace(PATHS[path], sample=tiles)
    batches = iter(
        training_batches(dataset, contract, Normalisation("symmetric", contract), options)
    )
    next(batches)
    begin, used = time.perf_counter(), time.process_time()
    for _ in range(tiles // options.batch_size):
        next(batches)
    return {
        "tiles_per_s": tiles / (time.perf_counter() - begin),
        "cpu_ms": (time.process_time() - used) * 1e3 / tiles,
        "peak_mib": (peak_resident_bytes() or 0) / 2**20,
    }


def in_processes(dataset: Path) -> dict[str, dict[str, dict[str, float]]]:
    """:func:`epoch` of each path and count, each in a process of its own."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for path in PATHS:
        for tiles in COUNTS:
            command = [
                sys.executable,
                "-m",
                "benchmarks.reader_paths",
                str(dataset),
                path,
                str(tiles),
            ]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            values = [float(word) for word in done.stdout.split()[-3:]]
            names = ("tiles_per_s", "cpu_ms", "peak_mib")
            found.setdefault(path, {})[str(tiles)] = dict(zip(names, values, strict=True))
    return found


@contextmanager
def slow(pause_s: float) -> Iterator[None]:
    """Records of the data set answer late; those that are kept do not."""
    real = record_cache.read_record

    def late(ref: Any) -> bytes:
        if "near" not in ref.path.parts:
            time.sleep(pause_s)
        return real(ref)

    record_cache.read_record = late
    try:
        yield
    finally:
        record_cache.read_record = real


def share(dataset: Path, near: Path, tiles: int = RECORDS) -> dict[str, dict[str, float]]:
    """Tiles per second of a second epoch, by cache, from a share and from a disk."""
    contract, found = load_contract(dataset), {}
    compact = replace(PATHS["compact"], sample=tiles)
    sides = {
        "none": compact,
        f"{READS}_reads": replace(compact, reads=READS),
        "memory": replace(compact, cache=CacheOptions("memory", GIB)),
        "disk": replace(compact, cache=CacheOptions("disk", GIB, near)),
    }
    for where, pause in (("share", PAUSE_S), ("disk", 0.0)):
        found[where] = {
            name: _second_epoch(dataset, contract, options, tiles, pause)
            for name, options in sides.items()
        }
    return found


def _second_epoch(
    dataset: Path, contract: DatasetContract, options: ReaderOptions, tiles: int, pause_s: float
) -> float:
    steps = tiles // options.batch_size
    with slow(pause_s):
        batches = iter(training_batches(dataset, contract, None, options))
        for _ in range(steps):
            next(batches)
        begin = time.perf_counter()
        for _ in range(steps):
            next(batches)
        rate = tiles / (time.perf_counter() - begin)
        del batches
    return rate


def measure(root: Path, dataset: Path) -> dict[str, Any]:
    """All of it, with what must hold."""
    spent = cpu_ms(dataset)
    middle = {name: statistics.median(values) for name, values in spent.items()}
    small = many(root)
    counted = in_processes(small)
    shares = share(small, root / "near")
    shutil.rmtree(small)
    growth = {
        path: of[str(COUNTS[-1])]["peak_mib"] - of[str(COUNTS[0])]["peak_mib"]
        for path, of in counted.items()
    }
    against = middle["default_as_pictures"] / middle["default"]
    return {
        "cpu_ms_per_tile": middle,
        "cpu_ms_rounds": spent,
        "least_cpu_ms_per_tile": {name: min(values) for name, values in spent.items()},
        "default_against_pictures": against,
        "tiles": counted,
        "growth_mib": growth,
        "second_epoch_tiles_per_s": shares,
        "bounds": {
            "default_against_pictures": LEAST_AGAINST_PICTURES,
            "growth_mib": MOST_GROWTH_MIB,
        },
        "passed": against >= LEAST_AGAINST_PICTURES and max(growth.values()) <= MOST_GROWTH_MIB,
    }


def report(result: dict[str, Any]) -> None:
    """Print the figures."""
    spent, least = result["cpu_ms_per_tile"], result["least_cpu_ms_per_tile"]
    print(
        f"CPU-ms a tile of 256 pixels: default {spent['default']:.2f} (least"
        f" {least['default']:.2f}; goal {MOST_CPU_MS:g}), compact {spent['compact']:.2f}, as"
        f" pictures {spent['default_as_pictures']:.2f}: {result['default_against_pictures']:.2f}"
        f" times that of default (at least {LEAST_AGAINST_PICTURES:g})"
    )
    for path, of in result["tiles"].items():
        told = ", ".join(
            f"{count} of {SMALL_PX} pixels {v['tiles_per_s']:.0f}/s in {v['peak_mib']:.0f} MiB"
            for count, v in of.items()
        )
        print(
            f"{path}: {told} (growth {result['growth_mib'][path]:.0f}, at most {MOST_GROWTH_MIB:g})"
        )
    for where, rates in result["second_epoch_tiles_per_s"].items():
        told = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        print(f"second epoch from a {where}, tiles per second by cache: {told}")


if __name__ == "__main__":
    values = epoch(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print(values["tiles_per_s"], values["cpu_ms"], values["peak_mib"])
