"""The main job on a generated archive: steps 20 to 50, two trainings, evaluation, notebook.

    make demo

Everything is made below runs/demo/. Running it again skips the steps that are finished and trains
anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from main_job import ROOT, RUNS, Job, latest_evaluation, run

TILE, HOURS, TILE_PX = "T17XNA", 10, 64
INVENTORY = f"inv_{TILE}_{HOURS}h"
CLEAR = 0.25  # a reviewer would reject scenes with more cloud than this
METRICS = ("hpsi", "scc", "ssim", "psnr")
PLAIN, ADVERSARIAL = "demo/edsr_alt6", "demo/edsr_lsgan_cur"


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=RUNS / "demo", help="folder for everything")
    parser.add_argument("--scenes", type=int, default=12, help="Sentinel-2 scenes to generate")
    parser.add_argument("--size", type=int, default=1920, help="10 m pixels a side of a scene")
    parser.add_argument("--quantity", type=int, default=60, help="tiles per scene")
    parser.add_argument("--steps", type=int, help="training steps in place of the experiments'")
    args = parser.parse_args()
    job = Job(args.work.resolve(), stages=8)
    prepare(job, args.scenes, args.size, args.quantity)
    for name, title in (
        (PLAIN, "train.py: edsr, 60 m to 10 m, then its evaluation"),
        (ADVERSARIAL, "train.py: edsr and a PatchGAN, Sentinel-3 to Sentinel-2, its evaluation"),
    ):
        job.experiment(name, replace={"steps": args.steps} if args.steps else None)
        job.door(title, "train.py", "--exp", name)
    page = job.notebook()
    conclude(job, page)
    return 0


def prepare(job: Job, scenes: int, size: int, quantity: int) -> None:
    """Generate the archive and run the numbered steps."""
    job.announce(f"generating {scenes} Sentinel-2 scenes and their Sentinel-3 passes")
    archive = job.work / "archive"
    made = ["-m", "tests.fakes", "--out", str(archive), "--workers", "2"]
    run([*made, "--scenes", str(scenes), "--size", str(size)])
    job.write_environment(
        data_root="data",
        experiment_root="experiments",
        s2_root="archive/s2",
        s3_root="archive/s3",
        sample_freq=100,
        ckpt_freq=150,
    )
    step = "preprocessing/{}.py".format
    inventory = ("--inventory", INVENTORY)
    title = f"step 20: Sentinel-2 scenes of {TILE} with Sentinel-3 passes within {HOURS} hours"
    job.door(title, step("20_create_inventory"), "--tile", TILE, "--timediff", HOURS)
    job.door("step 30: quick-looks and contact sheet", step("30_create_s2pngs"), *inventory)
    select_clear_scenes(job.work / "data" / "_inventory")
    options: list[object] = ["--tilesize", TILE_PX, "--quantity", quantity, "--grid"]
    title = f"step 40: {TILE_PX}-pixel tiles with collocated OLCI pixels"
    job.door(title, step("40_create_tifs"), "--selection", "demo", "--masks", "none", *options)
    options = ["--dataset", "demo", "--tilesize", TILE_PX, "--train_ratio", "0.8", "--factors", 6]
    options += ["--val_ratio", "0.1"]
    job.door("step 50: data sets", step("50_create_tfrecords"), *inventory, *options)


def select_clear_scenes(folder: Path) -> None:
    """Write the selection a reviewer would save from the contact sheet: the clear scenes."""
    sys.path.insert(0, str(ROOT))
    from sensor2sensor.preprocess.inventory.table import read_manifest, read_rows

    products = read_manifest(folder, INVENTORY)["products"]
    first: dict[str, int] = {}
    for row in read_rows(folder / f"{INVENTORY}.csv"):
        first.setdefault(row.s2, row.index)
    clear = [scene for s2, scene in first.items() if products[s2]["cloud_fraction"] <= CLEAR]
    content = {"inventory": INVENTORY, "s2_indices": sorted(clear)}
    (folder / "demo.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"      selected the {len(clear)} scenes with at most {CLEAR:.0%} cloud: demo.json")


def conclude(job: Job, page: Path) -> None:
    """Print what came out and which files to open."""
    job.finish()
    for name in (PLAIN, ADVERSARIAL):
        print_gains(name, latest_evaluation(job.work, name))
    experiments = job.work / "experiments"
    sheets = [f"{name.replace('/', '__')}.png" for name in (PLAIN, ADVERSARIAL)]
    print("\nOpen:")
    for path in (
        page,
        *(experiments / "_samples" / sheet for sheet in sheets),
        job.work / "data" / "_inventory" / INVENTORY / "index.html",
    ):
        print(f"  {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")


def print_gains(name: str, evaluation: Mapping[str, Any], metrics: Sequence[str] = METRICS) -> None:
    """Print the gain over the baselines for the metrics the claim is about."""
    print(f"\n{name}, {evaluation['tiles']} test tiles on ground never trained on:")
    for baseline, gains in evaluation["gain"].items():
        for metric in metrics:
            gain = gains[metric]
            print(f"  {metric.upper():5s} over {baseline:12s} {in_words(gain)}")


def in_words(gain: Mapping[str, Any]) -> str:
    """Mean, interval and verdict of one gain, and what they are limited to."""
    mean = "no value" if gain["mean"] is None else f"{gain['mean']:+.4f}"
    if gain["verdict"] == "none":
        return f"{mean}  ({gain['note']})"
    verdict = {"open": "no clear difference"}.get(gain["verdict"], gain["verdict"])
    interval = f"(95 % interval {gain['t_low']:+.4f} to {gain['t_high']:+.4f})"
    return f"{mean}  {interval}: {verdict} {gain['note']}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
