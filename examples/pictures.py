"""Maps or masks of buildings to aerial photos: data set, a short training, an evaluation.

    make real-maps DATA=FOLDER      # FOLDER has train/ with photo and map side by side
    make real-aerial DATA=FOLDER    # FOLDER has images/ and gt/ with GeoTIFFs of the same names

The same without make: python examples/pictures.py maps --data FOLDER. Everything is made below
runs/real-maps or runs/real-aerial, which git ignores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import print_gains
from main_job import RUNS, Job, latest_evaluation
from real import metric_table

METRICS = ("hpsi", "ssim", "psnr", "uiqi", "hp_l1", "l1")


@dataclass(frozen=True)
class Kind:
    """One kind of pictures.

    Attributes:
        title: What is translated to what.
        holds: What the folder of pictures has in it.
        step: Numbered script that makes the data set.
        options: Its options, chosen by the counts of tiles they give on the samples of the page.
        experiment: Shipped experiment that is trained.
    """

    title: str
    holds: str
    step: str
    options: str
    experiment: str


KINDS = {
    "maps": Kind(
        title="Maps to aerial photos",
        holds="train/ with photo and map side by side",
        step="51_create_tfrecords_maps",
        options="--dataset maps_real --val-from-train 8",
        experiment="real/pix2pix_maps",
    ),
    "aerial": Kind(
        title="Masks of buildings to aerial photos",
        holds="images/ and gt/ with GeoTIFFs of the same names",
        step="52_create_tfrecords_aerial",
        # Of seeds 0 to 9 the one with most test tiles among those with 60 to train and 15 to look.
        options="--dataset aerial_real --split 6 --stored-size 143 --split-by block"
        " --block-tiles 3 --train_ratio 0.7 --val_ratio 0.25 --seed 4",
        experiment="real/resnet_aerial",
    ),
}


def main() -> int:
    """Run the job; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS, help="what the pictures are")
    parser.add_argument("--data", type=Path, required=True, help="folder with the pictures")
    parser.add_argument("--work", type=Path, help="folder for everything (runs/real-<kind>)")
    parser.add_argument("--epochs", type=int, help="in place of the experiment's")
    args = parser.parse_args()
    kind = KINDS[args.kind]
    if not args.data.is_dir():
        print(f"no folder {args.data}; DATA= names one with {kind.holds}", file=sys.stderr)
        return 2
    job = Job((args.work or RUNS / f"real-{args.kind}").resolve(), stages=3)
    job.write_environment(data_root="data", experiment_root="experiments", sample_freq=100)
    options = ["--data", args.data.resolve(), *kind.options.split(), "--workers", 2]
    # A damaged picture is named and left out; the job goes on with the others.
    door = f"preprocessing/{kind.step}.py"
    job.door(f"step {kind.step[:2]}: data set", door, *options, accept=(0, 1))
    name = job.experiment(kind.experiment, replace={"epochs": args.epochs} if args.epochs else None)
    job.door("show.py: pairs as the network gets them", "show.py", "--exp", name)
    job.door("train.py: the training, then its evaluation", "train.py", "--exp", name)
    job.finish()
    conclude(job, args.kind, latest_evaluation(job.work, name))
    return 0


def conclude(job: Job, kind: str, evaluation: Mapping[str, Any]) -> None:
    """Print and write what came out, and which files to open."""
    name = KINDS[kind].experiment
    folder = job.work / "experiments"
    run_file = folder / name / "logs" / evaluation["timestamp"] / "run.json"
    best = json.loads(run_file.read_text(encoding="utf-8"))["best"]
    report = job.work / "report.md"
    report.write_text(report_text(kind, evaluation, best), encoding="utf-8")
    print_gains(name, evaluation, METRICS)
    shown = [item["file"] for item in evaluation["gallery"]]
    print("\nOpen:")
    for path in (report, folder / "_samples", *(folder / "_evaluation" / file for file in shown)):
        print(f"  {path}")


def report_text(kind: str, evaluation: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    """The numbers of the run as a page."""
    chosen, policy = KINDS[kind], evaluation["dataset"]["split_policy"]
    split = f"split by {policy['by']}, {policy['dropped']} tiles dropped between splits"
    lines = [
        f"# {chosen.title}: a run on real pictures",
        "",
        f"    make real-{kind} DATA=FOLDER",
        "",
        f"`{chosen.step}.py {chosen.options}`:",
        f"{split}.",
        f"Model: {evaluation['model_name']}, `examples/experiments/{chosen.experiment}`.",
        f"Scored: the {evaluation['weights']} checkpoint, step {evaluation['step']}, on"
        f" {evaluation['tiles']} test tiles;",
        f"the best validation was {best['metric']} {best['value']:.4g} at step {best['step']}.",
        "",
        *metric_table(evaluation, evaluation["reference"]),
        "",
        "Mean ± standard deviation over tiles. A positive gain is an improvement whatever the",
        "metric's direction; intervals are Student's t over images (maps) or blocks of ground",
        "(masks), for tiles of one image or block resemble each other.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
