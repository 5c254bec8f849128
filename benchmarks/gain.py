"""The claim of the demo, for three seeds: edsr against bicubic on ground never trained on.

    python -m benchmarks.gain [--seeds 0 1 2]

Uses the data set of ``make demo`` (built if absent). For each seed the mean per-tile gain in HPSI
and SCC must have a 95 % interval above zero.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))

from demo import PLAIN, prepare, print_gains  # noqa: E402 - after the path above
from main_job import RUNS, Job, latest_evaluation  # noqa: E402

METRICS = ("hpsi", "scc")


def main() -> int:
    """Train and evaluate once per seed; returns 1 if an interval touches zero."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=RUNS / "demo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    job = Job(args.work.resolve(), stages=len(args.seeds))
    if not (job.work / "data" / "alt6_demo" / "64" / "dataset.json").is_file():
        job.stages += 5
        prepare(job, scenes=12, size=1920, quantity=60)
    results = {seed: train(job, seed) for seed in args.seeds}
    path = ROOT / "benchmarks" / "results" / "gain.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    held = all(
        gains["bicubic"][metric]["verdict"] == "better"
        for gains in results.values()
        for metric in METRICS
    )
    print("holds for every seed" if held else "DOES NOT HOLD for every seed")
    return 0 if held else 1


def train(job: Job, seed: int) -> dict[str, Any]:
    """One training with its evaluation; returns the gains over each baseline."""
    name = job.experiment(PLAIN, replace={"seed": seed}, under=f"{PLAIN}_seed{seed}")
    job.door(f"edsr, seed {seed}", "train.py", "--exp", name)
    evaluation = latest_evaluation(job.work, name)
    print_gains(name, evaluation)
    gains: dict[str, Any] = evaluation["gain"]
    return gains


if __name__ == "__main__":
    sys.exit(main())
