"""Clouds away: the real triplet, a training on generated triplets, one on real dates of one tile.

    make real-clouds DATA=FOLDER      # FOLDER has sen12mscr/ and s2_multidate_120m/

The same without make: python examples/clouds.py --data FOLDER. Everything is made below
runs/real-clouds, which git ignores.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from main_job import RUNS, Job, latest_evaluation
from real import gain_cell, mean_cell

EXPERIMENTS = {
    "real/dsen2cr_triplets": "generated triplets with radar",
    "real/dsen2cr_multidate": "real dates without radar",
}
PARTS = {"sen12mscr": "SEN12MS-CR triplets", "s2_multidate_120m": "dates of one tile"}
# Regions by the published lists, whose split is theirs; ground and clouds are generated.
REGIONS = {
    "train": (
        *("spring_1", "spring_58", "spring_97", "spring_132", "summer_4", "summer_27"),
        *("summer_86", "summer_137", "fall_3", "fall_42", "fall_100", "fall_149"),
        *("winter_21", "winter_59", "winter_94", "winter_146"),
    ),
    "val": ("spring_17", "summer_80", "fall_65", "winter_107"),
    "test": (
        *("spring_31", "spring_44", "spring_106", "spring_140"),
        *("summer_73", "summer_119", "fall_139", "winter_63"),
    ),
}
PATCHES = {"train": 5, "val": 2, "test": 2}
# One colour is nearer to the ground than a cloud is: a gain over doing nothing alone says little.
BASELINES = ("do_nothing", "mean_colour")
STEP = "53_create_tfrecords_sen12mscr"
OPTIONS = "--dataset triplets_generated --bands all --mask dsen2cr --split published"
# Of seeds 0 to 3 the one with most test squares of those with 250 to train, by counts alone.
DATES = "--dataset multidate --tilesize 64 --train_ratio 0.7 --val_ratio 0.25 --seed 1"


def main() -> int:
    """Run the job; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the two samples")
    parser.add_argument("--work", type=Path, default=RUNS / "real-clouds", help="for everything")
    parser.add_argument("--steps", type=int, help="of training, in place of the experiments'")
    parser.add_argument("--patches", type=int, help="generated a region, in place of 5, 2 and 2")
    args = parser.parse_args()
    missing = [name for name in PARTS if not (args.data / name).is_dir()]
    if missing:
        print(f"no folder {args.data / missing[0]}; DATA= names one with", end=" ", file=sys.stderr)
        print(" and ".join(f"{name}/ ({what})" for name, what in PARTS.items()), file=sys.stderr)
        return 2
    data = args.data.resolve()
    job = Job(args.work.resolve(), stages=10)
    job.write_environment(data_root="data", experiment_root="experiments", sample_freq=200)
    job.door(
        "the real triplet: reader, mask, and what doing nothing scores",
        "examples/triplet.py", "--data", data / "sen12mscr",
    )  # fmt: skip
    prepare_triplets(job, args.patches)
    prepare_dates(job, data / "s2_multidate_120m")
    for name, title in EXPERIMENTS.items():
        job.experiment(name, replace={"steps": args.steps} if args.steps else None)
        job.door(f"show.py: {title} as the network gets them", "show.py", "--exp", name)
        job.door(f"train.py: dsen2cr on {title}", "train.py", "--exp", name)
        score = ("--exp", name, "--profile", "dsen2cr")
        job.door(f"evaluate.py: {title} by the published scores", "evaluate.py", *score)
    job.finish()
    conclude(job)
    return 0


def prepare_triplets(job: Job, patches: int | None = None, side_px: int = 256) -> None:
    """Generate triplets in the public layout and make a data set of them.

    Args:
        job: Where.
        patches: Of every region; None: :data:`PATCHES`.
        side_px: Side of a patch.
    """
    from sensor2sensor.core.progress import progress
    from tests.fakes.sen12mscr import write_triplets

    rois = {
        region: patches or PATCHES[split] for split, named in REGIONS.items() for region in named
    }
    folder = job.work / "triplets"
    job.announce(f"generating {sum(rois.values())} triplets of {len(rois)} regions")
    for region in progress(rois, desc="triplets", unit="region"):
        write_triplets(folder, {region: rois[region]}, side_px=side_px)
    options = ["--data", folder, *OPTIONS.split(), "--workers", 2]
    job.door("step 53: data set of the generated triplets", f"preprocessing/{STEP}.py", *options)


def prepare_dates(job: Job, folder: Path) -> None:
    """Make the data set of cloudy and clear dates of one tile."""
    options = ["--data", folder, *DATES.split()]
    job.door("cloudy and clear dates of one tile as a data set", "examples/multidate.py", *options)


def conclude(job: Job) -> None:
    """Print and write what came out, and which files to open."""
    opened = [job.work / "report.md", job.work / "experiments" / "_samples"]
    text = ["# Clouds away", "", "    make real-clouds DATA=FOLDER", ""]
    for name in EXPERIMENTS:
        evaluation = latest_evaluation(job.work, name)
        text += [f"## {EXPERIMENTS[name]}", "", *report_lines(name, evaluation), ""]
        folder = job.work / "experiments" / "_evaluation"
        opened += [folder / item["file"] for item in evaluation["gallery"]]
    opened[0].write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))
    print("Open:", *(f"  {path}" for path in opened), sep="\n")


def report_lines(name: str, evaluation: Mapping[str, Any]) -> list[str]:
    """The figures of one evaluation as a part of a page."""
    policy = evaluation["dataset"]["split_policy"]
    return [
        f"Model: {evaluation['model_name']}, `examples/experiments/{name}`, the",
        f"{evaluation['weights']} checkpoint, step {evaluation['step']}; profile",
        f"{evaluation['profile']}, {evaluation['tiles']} test tiles, split by {policy['by']}.",
        "",
        *part_table(evaluation, BASELINES),
        "",
        "Mean ± standard deviation over tiles. A positive gain is an improvement whatever the",
        "metric's direction; intervals are Student's t. `do_nothing` leaves the clouds where they",
        "are; `mean_colour` is the mean of the clear train images, one colour everywhere.",
    ]


def part_table(evaluation: Mapping[str, Any], baselines: Sequence[str]) -> list[str]:
    """A line for each metric, of whole tiles and of each part of them."""
    means = evaluation["summary"]
    heads = [f"{name} | gain, 95 % interval" for name in baselines]
    lines = [
        f"| metric | of | model | {' | '.join(heads)} |",
        "|---|---|---|" + "---|---|" * len(baselines),
    ]
    for part in ("", *(f"@{name}" for name in evaluation["strata"])):
        for metric, info in evaluation["metrics"].items():
            column = f"{metric}{part}"
            if column not in means["model"]:
                continue
            arrow = "↑" if info["better"] == "higher" else "↓"
            cells = [mean_cell(means["model"][column])]
            for baseline in baselines:
                gain = evaluation["gain"][baseline][column]
                known = "by definition" in gain["note"]
                held = "by definition" if known else mean_cell(means[baseline][column])
                cells += [held, gain_cell(gain)]
            label = f"{info['label']} {arrow} [{info['unit']}]"
            lines.append(f"| {label} | {part[1:] or 'target'} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
