"""Super-resolution across two sensors on real images: with and without a registration.

    make real-sisr DATA=FOLDER      # FOLDER has s2_chips/, s2_multidate_120m/ and aerial_naip/

The same without make: python examples/sisr.py --data FOLDER. A data set whose targets are distorted
where they are trained on and true where they are tested, a registration trained on it without that
truth, one small network trained without and with it, both scored. Everything is made below
runs/real-sisr, which git ignores.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from main_job import RUNS, Job, latest_evaluation, run
from real import mean_cell

REGISTRATION = "real/registration_distorted"
PLAIN, REGISTERED = "real/carn_distorted", "real/carn_registered"
NETWORKS = {PLAIN: "targets as they are", REGISTERED: "targets registered"}
PARTS = ("s2_chips", "s2_multidate_120m", "aerial_naip")
PROFILE = "torchsisr"
BAND, TILE_PX = "B8", 64
TITLE_PX = 26  # of the line above each row of the sheet
Evaluated = tuple[Mapping[str, Any], list[dict[str, str]]]


def main() -> int:
    """Run the job; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the three samples")
    parser.add_argument("--work", type=Path, default=RUNS / "real-sisr", help="for everything")
    parser.add_argument("--steps", type=int, help="of each training, in place of the experiments'")
    args = parser.parse_args()
    missing = [name for name in PARTS if not (args.data / name).is_dir()]
    if missing:
        print(f"no folder {args.data / missing[0]}; DATA= names one with", end=" ", file=sys.stderr)
        print(", ".join(f"{name}/" for name in PARTS), file=sys.stderr)
        return 2
    job = Job(args.work.resolve(), stages=4 + 2 * len(NETWORKS))
    job.write_environment(data_root="data", experiment_root="experiments", sample_freq=1000)
    prepare(job, args.data.resolve())
    prepare_pairs(job)
    replace = {"steps": args.steps} if args.steps else None
    for name in (REGISTRATION, *NETWORKS):
        job.experiment(name, replace=replace)
    # Of the registration only training and validation squares are seen: its truth is not tested.
    job.door(
        "train.py: the registration, then its evaluation on val",
        "train.py", "--exp", REGISTRATION, "--split", "val",
    )  # fmt: skip
    job.announce("how far the targets are from the inputs, before and after")
    print("\n".join(accuracy(job)))
    for name, title in NETWORKS.items():
        job.door(f"train.py: carn, {title}", "train.py", "--exp", name)
    for name, title in NETWORKS.items():
        score = ("--exp", name, "--profile", PROFILE)
        job.door(f"evaluate.py: {title}, by the published scores", "evaluate.py", *score)
    job.finish()
    conclude(job)
    return 0


def prepare(job: Job, folder: Path, *, distorted: bool = True) -> Path:
    """Make the data set, or its twin whose targets are all true; the folder it is in."""
    name = "distorted" if distorted else "undistorted"
    options: list[object] = ["--data", folder, "--dataset", name]
    options += [] if distorted else ["--true"]
    job.door(f"real images as the data set '{name}'", "examples/distorted.py", *options)
    return job.work / "data" / name / str(TILE_PX)


def prepare_pairs(job: Job) -> Path:
    """Make the data set that the registration is trained on; the folder it is in."""
    job.announce("pairs of one band of both sensors")
    words = ["records-pairs", "--from", "distorted", "--from-size", str(TILE_PX), "--band", BAND]
    run(["-m", "sensor2sensor", *words, "--environment", str(job.environment)])
    return job.work / "data" / "distorted_pairs" / str(TILE_PX // 2)


def accuracy(job: Job, name: str = REGISTERED) -> list[str]:
    """What is left of the known distortions of the validation squares, as lines of a page.

    Args:
        job: Where.
        name: An experiment that uses the registration, trained or not.
    """
    before, after = left_over(job, name)
    return [
        f"Distance of target and input, root mean square over {len(before)} validation squares:",
        f"{rms(before):.3f} input pixels as they are, {rms(after):.3f} after the registration"
        f" (median over squares {median_rms(before):.3f} and {median_rms(after):.3f}).",
    ]


def left_over(job: Job, name: str) -> tuple[Any, Any]:
    """Lengths of the distortion, ``[squares, H, W]`` in input pixels: known, and left over.

    Both without the outermost 4 pixels of the target, about which a reflected half says little.
    """
    import numpy as np

    from distorted import FACTOR
    from distorted import left_over as left
    from experiment import Experiment
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.dataset.build import refs_of
    from sensor2sensor.dataset.ledger import read_split
    from sensor2sensor.dataset.recordfile import read_record
    from sensor2sensor.dataset.records import decode
    from sensor2sensor.pipeline import flow

    experiment = Experiment(name, load_environment(str(job.environment)))
    folder = job.work / "data" / "distorted" / str(TILE_PX)
    refs = refs_of(folder, read_split(folder))["val"]
    tiles = [decode(read_record(ref), experiment.contract) for ref in refs]
    low = np.stack([tile.input_dense for tile in tiles if tile.input_dense is not None])
    found = experiment.REGISTRAR.flow(low, np.stack([tile.target for tile in tiles]))
    moved = flow.enlarge(found, FACTOR).numpy().astype(np.float64)
    lengths = [
        [
            np.linalg.norm(left(0, tile.name, one)[4:-4, 4:-4], axis=-1) / FACTOR
            for tile, one in zip(tiles, flows, strict=True)
        ]
        for flows in (0 * moved, moved)
    ]
    return np.stack(lengths[0]), np.stack(lengths[1])


def rms(values: Any) -> float:
    """Root mean square."""
    return float((values**2).mean() ** 0.5)


def median_rms(values: Any) -> float:
    """Median over squares of each square's root mean square."""
    import numpy as np

    return float(np.median((values**2).mean(axis=(1, 2)) ** 0.5))


def conclude(job: Job) -> None:
    """Print and write what came out, and which files to open."""
    page = job.work / "report.md"
    evaluations = {name: standard(job, name) for name in NETWORKS}
    text = ["# Super-resolution across sensors", "", "    make real-sisr DATA=FOLDER", ""]
    dataset = job.work / "data" / "distorted" / "64"
    text += [*accuracy(job), "", *table(evaluations, dataset), ""]
    page.write_text("\n".join(text), encoding="utf-8")
    sheet = job.work / "sheet.png"
    stacked({title: gallery(job, name) for name, title in NETWORKS.items()}).save(sheet)
    print("\n".join(text))
    galleries = sorted((job.work / "experiments" / "_evaluation").glob(f"*_{PROFILE}_gallery"))
    print("Open:", *(f"  {path}" for path in (page, sheet, *galleries)), sep="\n")


def stem(job: Job, name: str) -> Path:
    """Where the files of the evaluation that ended a training are, without suffix."""
    timestamp = latest_evaluation(job.work, name)["timestamp"]
    evaluation = f"{name.replace('/', '__')}_{timestamp}"
    return job.work / "experiments" / "_evaluation" / evaluation


def standard(job: Job, name: str) -> Evaluated:
    """Summary of the evaluation that ended a training, and its rows of the model."""
    from sensor2sensor.core import files

    found = stem(job, name)
    with Path(f"{found}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "model"]
    return files.read_json(Path(f"{found}.json")), rows


def gallery(job: Job, name: str) -> list[Path]:
    """Pictures of the test squares that ``sample_tiles`` names, in its order."""
    return sorted(Path(f"{stem(job, name)}_gallery").glob("chosen-*.png"))


def stacked(galleries: Mapping[str, Sequence[Path]]) -> Any:
    """One picture of several galleries by their titles: square by square, one below the other."""
    from PIL import Image, ImageDraw, ImageFont

    squares = zip(*galleries.values(), strict=True)
    rows = [
        (title, Image.open(path))
        for square in squares
        for title, path in zip(galleries, square, strict=True)
    ]
    width, height = max(row.width for _, row in rows), sum(row.height for _, row in rows)
    whole = Image.new("RGB", (width, height + TITLE_PX * len(rows)), "white")
    draw, font, top = ImageDraw.Draw(whole), ImageFont.load_default(TITLE_PX * 0.6), 0
    for title, row in rows:
        # The networks see the same squares: nothing in a row tells which of them made it.
        draw.text((8, top + TITLE_PX // 2), title, "black", font, anchor="lm")
        whole.paste(row.convert("RGB"), (0, top + TITLE_PX))
        top += TITLE_PX + row.height
    return whole


def places(dataset: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Block and image of each square, which intervals count."""
    from sensor2sensor.dataset.ledger import read_split

    rows = {row.name: row for row in read_split(dataset)}
    found = [rows[name] for name in names]
    return {
        "blocks": [row.block.split("+")[0] for row in found],
        "scenes": [row.seen_by for row in found],
    }


def table(evaluations: Mapping[str, Evaluated], dataset: Path) -> list[str]:
    """A line for each metric: bicubic, both networks, and what the registration gains."""
    from sensor2sensor.evaluation.summary import gain

    (plain, plain_rows), (registered, rows) = (evaluations[name] for name in NETWORKS)
    where = places(dataset, [row["name"] for row in rows])
    lines = [
        "| metric | bicubic | not registered | registered | gain of it, 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for metric, info in plain["metrics"].items():
        own, other = (_values(found, metric) for found in (rows, plain_rows))
        found = gain(own, other, better=info["better"], seed=0, key=metric, **where)
        ends = "–" if found.t_low is None else f"({found.t_low:+.3g} to {found.t_high:+.3g})"
        summaries = [plain["summary"][name][metric] for name in ("bicubic", "model")]
        cells = [*map(mean_cell, [*summaries, registered["summary"]["model"][metric]])]
        arrow = "↑" if info["better"] == "higher" else "↓"
        mean = "–" if found.mean is None else f"{found.mean:+.3g} {ends}"
        mean = ", ".join(filter(None, (mean, found.note)))
        lines.append(f"| {info['label']} {arrow} [{info['unit']}] | {' | '.join(cells)} | {mean} |")
    return lines


def _values(rows: Sequence[Mapping[str, str]], metric: str) -> list[float]:
    return [float(row[metric] or "nan") for row in rows]


if __name__ == "__main__":
    sys.exit(main())
