"""The main job on real Sentinel-2 products: steps 20, 40, 50, a short training, an evaluation.

    make real DATA=FOLDER [RESOLUTION=10] [TILESIZE=256]

Any folder with .SAFE products or their zips will do. The pixels stay in runs/real/, which git
ignores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo import print_gains
from main_job import ROOT, RUNS, Job, latest_evaluation

EXPERIMENT = "real/edsr_alt6"


def arguments() -> argparse.ArgumentParser:
    """The command line; benchmarks.seeds takes its data set's settings through it too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with Sentinel-2 products")
    parser.add_argument("--work", type=Path, default=RUNS / "real", help="folder for everything")
    parser.add_argument("--tile", help="tile code; default: the one with most products")
    parser.add_argument("--level", help="L1C or L2A; default: the one with most products")
    parser.add_argument("--resolution", type=int, default=10, choices=(10, 20, 60))
    parser.add_argument("--tilesize", type=int, default=256)
    parser.add_argument("--quantity", type=int, default=80, help="tiles per scene")
    parser.add_argument("--train-ratio", type=float, default=0.7)
    parser.add_argument("--val-ratio", type=float, default=0.2, help="of the train share")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--split-seed",
        type=int,
        default=7,
        help="which blocks of ground are tested; 7 divides the sample product evenly",
    )
    return parser


def main() -> int:
    """Run the job; returns the exit code."""
    args = arguments().parse_args()
    if not args.data.is_dir():
        print(f"no folder {args.data}; DATA= names one with .SAFE products", file=sys.stderr)
        return 2
    job = Job(args.work.resolve(), stages=4)
    tile, level = choose(args.data.resolve(), args.tile, args.level)
    prepare(job, args, tile, level)
    replace = {"tilesize": args.tilesize, "dataset": "alt6_real", "steps": args.steps}
    job.experiment(EXPERIMENT, replace=replace)
    job.door("train.py: edsr, then its evaluation", "train.py", "--exp", EXPERIMENT)
    job.finish()
    evaluation = latest_evaluation(job.work, EXPERIMENT)
    print_gains(EXPERIMENT, evaluation)
    report = job.work / "report.md"
    report.write_text(report_text(args, tile, level, evaluation), encoding="utf-8")
    print(f"\nOpen:\n  {report}\n  {job.work / 'experiments' / '_samples'}")
    return 0


def report_text(
    args: argparse.Namespace, tile: str, level: str, evaluation: Mapping[str, Any]
) -> str:
    """The numbers of the run as a page."""
    policy, dataset = evaluation["dataset"]["split_policy"], evaluation["dataset"]
    size, factor = args.tilesize, round(dataset["factor"])
    lines = [
        "# A run on real pixels",
        "",
        f"    make real DATA=FOLDER RESOLUTION={args.resolution} TILESIZE={size}",
        "",
        f"Tile {tile}, {level}; clear {size}-pixel tiles at {args.resolution} m on a grid.",
        f"Train ratio {policy['train_ratio']}, {policy['val_ratio']} of it for validation, split",
        f"seed {policy['seed']}, blocks of {policy['block_m'] / 1000:.2f} km; {policy['dropped']}"
        f" tiles touch blocks of two splits, or do within {policy['guard_m']:g} m: dropped.",
        f"Input: block means of {factor} x {factor} pixels. Model: {evaluation['model_name']},"
        f" {evaluation['step']} steps,",
        f"`examples/experiments/{EXPERIMENT}/experiment.json`. {evaluation['tiles']} test tiles,",
        f"{100 * policy['ground_shared']['test']:.1f} % of whose ground is in the train split too.",
        "",
        *metric_table(evaluation, "bicubic"),
        "",
        "Mean ± standard deviation over tiles. A positive gain is an improvement whatever the",
        "metric's direction; intervals are Student's t over blocks of ground and, from four on,",
        "scenes, since neighbouring tiles and tiles of one overpass resemble each other.",
        "",
    ]
    return "\n".join(lines)


def metric_table(evaluation: Mapping[str, Any], baseline: str) -> list[str]:
    """A line for each metric: every method's mean and spread, and the gain over a baseline."""
    methods = evaluation["methods"]
    lines = [
        f"| metric | {' | '.join(methods)} | gain over {baseline}, 95 % interval |",
        "|---|" + "---|" * (len(methods) + 1),
    ]
    for metric, info in evaluation["metrics"].items():
        arrow = "↑" if info["better"] == "higher" else "↓"
        means = [evaluation["summary"][method][metric] for method in methods]
        cells = [*map(mean_cell, means), gain_cell(evaluation["gain"][baseline][metric])]
        lines.append(f"| {info['label']} {arrow} [{info['unit']}] | {' | '.join(cells)} |")
    return lines


def mean_cell(value: Mapping[str, Any]) -> str:
    """``0.84 ± 0.04``; a dash where no tile, or no second one, has a value."""
    if value["mean"] is None:
        return "–"
    return f"{value['mean']:.4g} ± " + ("–" if value["std"] is None else f"{value['std']:.2g}")


def gain_cell(gain: Mapping[str, Any]) -> str:
    """``+0.1 (+0.05 to +0.15), for this scene only``."""
    mean = "–" if gain["mean"] is None else f"{gain['mean']:+.3g}"
    interval = "" if not gain["over"] else f" ({gain['t_low']:+.3g} to {gain['t_high']:+.3g})"
    return ", ".join(filter(None, (mean + interval, gain["note"])))


def choose(data: Path, tile: str | None, level: str | None) -> tuple[str, str]:
    """Tile and level with the most products among those that match what was asked."""
    sys.path.insert(0, str(ROOT))
    from collections import Counter

    from sensor2sensor.products.discovery import find_s2

    products, _ = find_s2(data, tile)
    counts = Counter((p.tile, p.level) for p in products if level in (None, p.level))
    if not counts:
        print(f"no readable Sentinel-2 product in {data}", file=sys.stderr)
        raise SystemExit(2)
    (tile, level), count = counts.most_common(1)[0]
    print(f"tile {tile}, {level}: {count} product(s) of {sum(counts.values())}")
    return tile, level


def prepare(job: Job, args: argparse.Namespace, tile: str, level: str) -> None:
    """Run steps 20, 40 and 50 on every product of the tile."""
    from sensor2sensor.preprocess.inventory.options import inventory_name

    job.write_environment(
        data_root="data",
        experiment_root="experiments",
        s2_root=str(args.data.resolve()),
        s3_root=str(args.data.resolve()),
        sample_freq=100,
        ckpt_freq=args.steps,
    )
    step = "preprocessing/{}.py".format
    inventory = inventory_name(tile, None, level=level, resolution_m=args.resolution)
    options: list[object] = ["--tile", tile, "--s2-only", "--level", level]
    options += ["--resolution", args.resolution]
    # A folder of samples holds damaged or incomplete products: they are listed, the job goes on.
    title = "step 20: the Sentinel-2 scenes"
    job.door(title, step("20_create_inventory"), *options, accept=(0, 1))
    select_all(job.work / "data" / "_inventory", inventory)
    options = ["--selection", "all", "--masks", "none", "--grid", "--tilesize", args.tilesize]
    options += ["--quantity", args.quantity]
    # A scene of which no tile is clear enough is a failure there; the job goes on with the others.
    job.door("step 40: tiles", step("40_create_tifs"), *options, accept=(0, 1))
    options = ["--inventory", inventory, "--dataset", "real", "--tilesize", args.tilesize]
    options += ["--train_ratio", args.train_ratio, "--val_ratio", args.val_ratio, "--factors", 6]
    options += ["--seed", args.split_seed]
    job.door("step 50: data set", step("50_create_tfrecords"), *options)


def select_all(folder: Path, inventory: str) -> None:
    """Select every scene of the inventory; its cloud is left to step 40's limit."""
    from sensor2sensor.preprocess.inventory.table import read_rows

    first: dict[str, int] = {}
    for row in read_rows(folder / f"{inventory}.csv"):
        first.setdefault(row.s2, row.index)
    content = {"inventory": inventory, "s2_indices": sorted(first.values())}
    (folder / "all.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
