"""Five seeds on real pixels: aris-a, pix2pix and edsr against bicubic and nearest.

    python -m benchmarks.seeds --data FOLDER [--seeds 0 1 2 3 4] [--models edsr pix2pix aris-a]
    python -m benchmarks.seeds --render

Makes the data set of the page from the 60 m product in FOLDER, trains and evaluates every model
with every seed through train.py, and writes benchmarks/results/seeds.json and the tables of
docs/real_run.md. Killed and started again, it goes on after the last training that was finished.
With fewer seeds or models the tables are only printed.
``--render`` only takes statistics and tables anew from the values of the tiles in the results.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

import real  # noqa: E402 - after the path above
from benchmarks import trainings  # noqa: E402
from benchmarks.seeds_table import aggregate, insert, json_text, render  # noqa: E402
from benchmarks.trainings import evaluation, merge, shipped, version  # noqa: E402
from main_job import RUNS, Job  # noqa: E402
from sensor2sensor.core import files  # noqa: E402

MODELS = ("edsr", "pix2pix", "aris-a")
SEEDS = (0, 1, 2, 3, 4)
RESULTS = ROOT / "benchmarks" / "results" / "seeds.json"
PAGE = ROOT / "docs" / "real_run.md"
# Every clear 64-pixel tile of the product's grid; why this split seed: docs/real_run.md.
DATASET = (
    *("--tile", "T29UNU", "--level", "L2A", "--resolution", "60", "--tilesize", "64"),
    *("--quantity", "120", "--split-seed", "20", "--steps", "600"),
)
SETTINGS = (
    *("steps", "batch_size", "learning_rate", "normalisation", "input_upsampling"),
    *("params", "gen_loss", "disc_loss"),
)


def main() -> int:
    """Train what is missing, collect, write results and page; returns the exit code."""
    args = arguments().parse_args()
    if args.render:
        content = files.read_json(RESULTS)
        content["results"] = aggregate(content["tiles"], content["metrics"])
    else:
        if args.data is None or not args.data.is_dir():
            print("--data names the folder with the Sentinel-2 product", file=sys.stderr)
            return 2
        insert(PAGE.read_text(encoding="utf-8"), "")  # a page without markers costs no training
        content = run(args)
        if (tuple(args.seeds), tuple(args.models)) != (SEEDS, MODELS):
            print(render(content), "\nnot all models and seeds: nothing written", sep="\n")
            return 0
    files.write_text(RESULTS, json_text(content) + "\n")
    files.write_text(PAGE, insert(PAGE.read_text(encoding="utf-8"), render(content)))
    print(f"wrote {RESULTS.relative_to(ROOT)} and the tables of {PAGE.relative_to(ROOT)}")
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with the Sentinel-2 product")
    parser.add_argument("--work", type=Path, default=RUNS / "seeds")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--render", action="store_true", help="only write the tables anew")
    return parser


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the data set, train what is missing; the content of seeds.json."""
    job = Job(args.work.resolve(), stages=3 + len(args.models) * len(args.seeds))
    words = ["--data", str(args.data), "--work", str(args.work), *DATASET]
    options = real.arguments().parse_args(words)
    real.prepare(job, options, options.tile, options.level)
    # Seed by seed: a run that is cut short has whole seeds of every model.
    runs = {(model, seed): train(job, model, seed) for seed in args.seeds for model in args.models}
    job.finish()
    return collect(job.work, runs)


def train(job: Job, model: str, seed: int) -> dict[str, Any]:
    """Train and evaluate one shipped model with one seed unless that is done; its marker."""
    content = shipped(f"real/{model}_alt6", seed=seed)
    return trainings.train(job, f"seeds/{model}/{seed}", content, dataset_dir(job.work))


def dataset_dir(work: Path) -> Path:
    """The data set all trainings share."""
    return work / "data" / "alt6_real" / "64"


def collect(work: Path, runs: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """Read the evaluations of these runs; settings, values of every tile and what follows."""
    from sensor2sensor.dataset.ledger import read_split

    read = {
        (model, seed): evaluation(work, f"seeds/{model}/{seed}", marker["timestamp"])
        for (model, seed), marker in runs.items()
    }
    facts = next(iter(read.values()))[0]
    splits = read_split(dataset_dir(work))
    tiles = {
        **merge({key: values for key, (_, values) in read.items()}),
        "blocks": {row.name: row.block.split("+")[0] for row in splits if row.split == "test"},
        "scenes": {row.name: row.seen_by for row in splits if row.split == "test"},
    }
    return {
        "dataset": _dataset(facts["dataset"], [row.split for row in splits]),
        "settings": {model: _settings(marker) for (model, _), marker in runs.items()},
        "seconds": {f"{model} {seed}": m["seconds"] for (model, seed), m in runs.items()},
        "code": sorted({version(marker["git"]) for marker in runs.values()}),
        "metrics": facts["metrics"],
        "tiles": tiles,
        "results": aggregate(tiles, facts["metrics"]),
    }


def _dataset(facts: Mapping[str, Any], splits: Sequence[str]) -> dict[str, Any]:
    return {
        "sha256": facts["sha256"],
        "split_policy": facts["split_policy"],
        "counts": {name: splits.count(name) for name in ("train", "val", "test", "dropped")},
    }


def _settings(marker: Mapping[str, Any]) -> dict[str, Any]:
    content = marker["experiment"]
    return {key: content[key] for key in SETTINGS if key in content}


if __name__ == "__main__":
    sys.exit(main())
