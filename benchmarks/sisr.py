"""Does a registration help? A small network across two sensors, with and without, several seeds.

    python -m benchmarks.sisr --data FOLDER [--seeds 0 1 2]

FOLDER has s2_chips/, s2_multidate_120m/ and aerial_naip/. Makes the data set of `make real-sisr`
and its twin without distortion; for each seed trains the registration, then `real/carn_distorted`
on targets as they are, on registered ones, and on the twin: as good as a registration can get.
Scores all on the same true targets and prints the table of docs/log.md. Killed and started again,
it goes on after the last training that was finished.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

import sisr  # noqa: E402 - after the path above
from benchmarks import trainings  # noqa: E402
from main_job import RUNS, Job  # noqa: E402
from sensor2sensor.core.clustered import undefined_alike  # noqa: E402
from sensor2sensor.evaluation.summary import gain  # noqa: E402

ARMS = ("plain", "registered", "undistorted")
PAIRS = (("registered", "plain"), ("undistorted", "registered"))


def main() -> int:
    """Train what is missing, print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the three samples")
    parser.add_argument("--work", type=Path, default=RUNS / "sisr")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    if missing := [name for name in sisr.PARTS if not (args.data / name).is_dir()]:
        print(f"no folder {args.data / missing[0]}", file=sys.stderr)
        return 2
    job = Job(args.work.resolve(), stages=3 + (1 + len(ARMS)) * len(args.seeds))
    job.write_environment(data_root="data", experiment_root="experiments", sample_freq=1000)
    distorted = sisr.prepare(job, args.data.resolve())
    pairs = sisr.prepare_pairs(job)
    twin = sisr.prepare(job, args.data.resolve(), distorted=False)
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    facts: Mapping[str, Any] = {}
    # Seed by seed: a run that is cut short has whole groups.
    for seed in args.seeds:
        register(job, seed, pairs)
        for arm in ARMS:
            content = settings(arm, seed)
            folder = twin if arm == "undistorted" else distorted
            marker = trainings.train(job, f"sisr/{arm}/{seed}", content, folder)
            facts, values = trainings.evaluation(
                job.work, f"sisr/{arm}/{seed}", marker["timestamp"]
            )
            found[arm].append(values)
            if arm == "registered":
                print("\n".join(sisr.accuracy(job, f"sisr/{arm}/{seed}")), flush=True)
    job.finish()
    print("\n".join(table(facts, found, distorted)))
    return 0


def register(job: Job, seed: int, dataset: Path) -> None:
    """Train the registration of one seed; of its own evaluation nothing is used."""
    content = trainings.shipped(sisr.REGISTRATION, seed=seed)
    trainings.train(job, f"sisr/registration/{seed}", content, dataset, split="val")


def settings(arm: str, seed: int) -> dict[str, Any]:
    """An experiment: all arms differ by their targets alone."""
    content = trainings.shipped(sisr.PLAIN, seed=seed)
    if arm == "registered":
        stated = trainings.shipped(sisr.REGISTERED)["registration"]
        content["registration"] = {**stated, "run": f"sisr/registration/{seed}"}
    return content if arm != "undistorted" else {**content, "dataset": "undistorted"}


def table(
    facts: Mapping[str, Any], found: Mapping[str, Sequence[Mapping[str, Any]]], dataset: Path
) -> list[str]:
    """Mean and spread over seeds of each arm, paired gains, and each seed's."""
    first = found[ARMS[0]][0]["model"]["name"]
    if any(run["model"]["name"] != first for runs in found.values() for run in runs):
        raise ValueError("two evaluations scored other squares")
    where = sisr.places(dataset, first)
    heads = [f"gain of {one} over {other}, 95 % interval; by seed" for one, other in PAIRS]
    lines = [
        f"| metric | bicubic | {' | '.join(ARMS)} | {' | '.join(heads)} |",
        "|---|" + "---|" * (1 + len(ARMS) + len(PAIRS)),
    ]
    for metric, info in facts["metrics"].items():
        values = {arm: array([run["model"][metric] for run in runs]) for arm, runs in found.items()}
        bicubic = array([found[ARMS[0]][0]["bicubic"][metric]])
        cells = [f"{np.nanmean(bicubic):.4g}", *(trainings.spread(values[arm]) for arm in ARMS)]
        cells += [
            paired(values[one], values[other], info["better"], metric, where)
            for one, other in PAIRS
        ]
        arrow = "↑" if info["better"] == "higher" else "↓"
        lines.append(f"| {info['label']} {arrow} [{info['unit']}] | {' | '.join(cells)} |")
    return lines


def array(rows: Sequence[Sequence[float | None]]) -> np.ndarray:
    """Values ``[seeds, squares]``, NaN where a square has none."""
    return np.array(
        [[math.nan if value is None else value for value in row] for row in rows], np.float64
    )


def paired(
    first: np.ndarray, second: np.ndarray, better: str, key: str, where: Mapping[str, Sequence[str]]
) -> str:
    """``+0.5 (+0.4 to +0.6); +0.5, +0.6, +0.4``: means over seeds by square, then each seed's."""
    mean = gain(
        first.mean(axis=0), second.mean(axis=0), better=better, seed=0, key=key,
        undefined=undefined_alike([*first, *second]), **where,
    )  # fmt: skip
    sign = 1.0 if better == "higher" else -1.0
    each = ", ".join(f"{value:+.3g}" for value in sign * np.nanmean(first - second, axis=1))
    note = f", {mean.note}" if mean.note else ""
    if mean.mean is None:
        return f"–{note}; {each}"
    ends = "" if mean.t_low is None else f" ({mean.t_low:+.3g} to {mean.t_high:+.3g})"
    return f"{mean.mean:+.3g}{ends}{note}; {each}"


if __name__ == "__main__":
    sys.exit(main())
