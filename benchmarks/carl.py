"""CARL against L1: the network of the real run on cloudy and clear dates, three seeds of each.

    python -m benchmarks.carl --data FOLDER [--seeds 0 1 2]

FOLDER has s2_multidate_120m/. Makes the data set of `make real-clouds`, trains
`real/dsen2cr_multidate` with both losses through train.py, all else equal, scores each by profile
dsen2cr and prints the table of docs/log.md. Killed and started again, it goes on after the last
training that was finished.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

import clouds  # noqa: E402 - after the path above
from benchmarks import trainings  # noqa: E402
from main_job import RUNS, Job  # noqa: E402
from sensor2sensor.core.clustered import undefined_alike  # noqa: E402
from sensor2sensor.dataset.ledger import SplitRow, read_split  # noqa: E402
from sensor2sensor.evaluation.summary import gain  # noqa: E402

EXPERIMENT = "real/dsen2cr_multidate"
LOSSES = {"carl": {"gen_carl": 1}, "l1": {"gen_l1": 1}}
METRICS = ("mae", "rmse", "psnr", "ssim", "sam")
PARTS = {"": "target", "@reconstruction": "reconstruction", "@reproduction": "reproduction"}


@dataclass(frozen=True)
class Scored:
    """The scores of one network: names of the tiles, and a value of each by column."""

    names: list[str]
    columns: dict[str, list[float]]


def main() -> int:
    """Train what is missing, print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of s2_multidate_120m/")
    parser.add_argument("--work", type=Path, default=RUNS / "carl")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    folder = args.data / "s2_multidate_120m"
    if not folder.is_dir():
        print(f"no folder {folder}", file=sys.stderr)
        return 2
    job = Job(args.work.resolve(), stages=1 + 2 * len(LOSSES) * len(args.seeds))
    job.write_environment(data_root="data", experiment_root="experiments", sample_freq=1000)
    clouds.prepare_dates(job, folder.resolve())
    dataset = job.work / "data" / "multidate" / "64"
    scored: dict[str, list[Scored]] = {loss: [] for loss in LOSSES}
    # Seed by seed: a run that is cut short has whole pairs.
    for seed in args.seeds:
        for loss in LOSSES:
            scored[loss].append(run(job, loss, seed, dataset))
    job.finish()
    rows = {row.name: row for row in read_split(dataset) if row.split == "test"}
    print("\n".join(table(scored["carl"], scored["l1"], places(scored, rows))))
    return 0


def run(job: Job, loss: str, seed: int, dataset: Path) -> Scored:
    """Train and score one; its values."""
    name = f"carl/{loss}/{seed}"
    content = trainings.shipped(EXPERIMENT, seed=seed, gen_loss=LOSSES[loss])
    # Of a training's own evaluation nothing is used: val is the smaller split.
    marker = trainings.train(job, name, content, dataset, split="val")
    stem = trainings.evaluation_stem(job.work, name, marker["timestamp"])
    table_file = stem.with_name(f"{stem.name}_dsen2cr.csv")
    if table_file.is_file():
        job.announce(f"{name}: scored before")
    else:
        words = ["--exp", name, "--timestamp", marker["timestamp"], "--profile", "dsen2cr"]
        job.door(f"evaluate.py: {name} by the published scores", "evaluate.py", *words)
    return read_scores(table_file)


def read_scores(table_file: Path) -> Scored:
    """The model's rows of an evaluation; NaN where a score has no value."""
    with table_file.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "model"]
    wanted = [f"{metric}{part}" for part in PARTS for metric in METRICS]
    found = {column: [float(row[column] or "nan") for row in rows] for column in wanted}
    return Scored([row["name"] for row in rows], found)


def places(
    scored: Mapping[str, Sequence[Scored]], rows: Mapping[str, SplitRow]
) -> dict[str, list[str]]:
    """Block and overpass of each tile.

    Raises:
        ValueError: Two runs scored other tiles.
    """
    names = scored["carl"][0].names
    if any(run.names != names for runs in scored.values() for run in runs):
        raise ValueError("two evaluations scored other tiles")
    found = [rows[name] for name in names]
    return {
        "blocks": [row.block.split("+")[0] for row in found],
        "scenes": [row.seen_by for row in found],
    }


def table(
    first: Sequence[Scored], second: Sequence[Scored], where: Mapping[str, Sequence[str]]
) -> list[str]:
    """Mean and spread over seeds of both losses, the paired gain of CARL, and each seed's gain."""
    lines = [
        "| of | metric | CARL | L1 | gain of CARL, 95 % interval | by seed |",
        "|---|---|---|---|---|---|",
    ]
    for part, told in PARTS.items():
        for metric in METRICS:
            column = f"{metric}{part}"
            better = "higher" if metric in ("psnr", "ssim") else "lower"
            a, b = (np.array([run.columns[column] for run in runs]) for runs in (first, second))
            sign = 1.0 if better == "higher" else -1.0
            paired = gain(
                a.mean(axis=0), b.mean(axis=0), better=better, seed=0, key=column,
                undefined=undefined_alike([*a, *b]), **where,
            )  # fmt: skip
            each = sign * np.nanmean(a - b, axis=1)
            interval = (
                "–" if paired.t_low is None else f"({paired.t_low:+.3g} to {paired.t_high:+.3g})"
            )
            seeds = ", ".join(f"{value:+.3g}" for value in each)
            arrow = "↑" if better == "higher" else "↓"
            lines.append(
                f"| {told} | {metric.upper()} {arrow}"
                f" | {trainings.spread(a)} | {trainings.spread(b)}"
                f" | {paired.mean:+.3g} {interval} {paired.note} | {seeds} |"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
