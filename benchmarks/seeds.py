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
import csv
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

import real  # noqa: E402 - after the path above
from main_job import Job, latest_evaluation  # noqa: E402

from benchmarks.seeds_table import aggregate, insert, json_text, render  # noqa: E402
from sensor2sensor.config.jsonc import load_jsonc  # noqa: E402
from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.core.runs import Run, read_run_json  # noqa: E402

MODELS = ("edsr", "pix2pix", "aris-a")
SEEDS = (0, 1, 2, 3, 4)
RESULTS = ROOT / "benchmarks" / "results" / "seeds.json"
PAGE = ROOT / "docs" / "real_run.md"
MARKER = "seeds.json"  # beside the experiment: what was trained, written when it is evaluated
# Every clear 64-pixel tile of the product's grid; why this split seed: docs/real_run.md.
DATASET = (
    *("--tile", "T29UNU", "--level", "L2A", "--resolution", "60", "--tilesize", "64"),
    *("--quantity", "120", "--split-seed", "20", "--steps", "600"),
)
SETTINGS = (
    *("steps", "batch_size", "learning_rate", "normalisation", "input_upsampling"),
    *("params", "gen_loss", "disc_loss"),
)
DIGITS = 6  # of a tile's value in the results


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
    parser.add_argument("--work", type=Path, default=ROOT / "real" / "seeds")
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
    """Train and evaluate one model with one seed unless that is done; its marker."""
    source = f"real/{model}_alt6"
    name = f"seeds/{model}/{seed}"
    folder = job.work / "experiments" / name
    dataset = files.sha256(dataset_dir(job.work) / "dataset.json")
    wanted = {"experiment": content_of(source, seed), "dataset_sha256": dataset}
    marker = finished(folder, wanted)
    if marker is not None:
        job.announce(f"{name}: done before")
        return marker
    job.experiment(source, replace={"seed": seed}, under=name)
    start = time.monotonic()
    job.door(f"train.py: {model}, seed {seed}, then its evaluation", "train.py", "--exp", name)
    seconds = round(time.monotonic() - start)
    timestamp = latest_evaluation(job.work, name)["timestamp"]
    git = read_run_json(Run(folder, timestamp))["git"]
    marker = {**wanted, "timestamp": timestamp, "seconds": seconds, "git": git}
    files.write_json(folder / MARKER, marker)
    return marker


def content_of(source: str, seed: int) -> dict[str, Any]:
    """A shipped experiment with another seed and nothing else changed."""
    path = ROOT / "examples" / "experiments" / source / "experiment.json"
    return {**load_jsonc(path).data, "seed": seed}


def finished(folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The marker of a finished training of exactly this experiment on this data set, or None."""
    path = folder / MARKER
    if not path.is_file():
        return None
    marker: dict[str, Any] = files.read_json(path)
    same = all(marker[key] == value for key, value in wanted.items())
    return marker if same else None


def dataset_dir(work: Path) -> Path:
    """The data set all trainings share."""
    return work / "data" / "alt6_real" / "64"


def collect(work: Path, runs: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """Read the evaluations of these runs; settings, values of every tile and what follows."""
    from sensor2sensor.dataset.ledger import read_split

    read = {key: _evaluation(work, *key, marker["timestamp"]) for key, marker in runs.items()}
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
        "code": sorted({_version(marker["git"]) for marker in runs.values()}),
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


def _version(git: Mapping[str, Any]) -> str:
    return f"{git['commit']}{' with changes' if git['dirty'] else ''}"


Values = dict[str, dict[str, list[float | None]]]  # by method and metric, in tile order


def _evaluation(work: Path, model: str, seed: int, timestamp: str) -> tuple[dict[str, Any], Values]:
    """The summary and the values of one evaluation; the names of the tiles as a column too."""
    stem = work / "experiments" / "_evaluation" / f"seeds__{model}__{seed}_{timestamp}"
    facts: dict[str, Any] = files.read_json(stem.with_suffix(".json"))
    with stem.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    values: Values = {}
    for method in facts["methods"]:
        own = [row for row in rows if row["method"] == method]
        values[method] = {name: [_value(row[name]) for row in own] for name in facts["metrics"]}
        values[method]["name"] = [row["name"] for row in own]
    return facts, values


def _value(text: str) -> float | None:
    """A cell; None where the metric has no finite value on this tile."""
    value = float(text) if text else math.nan
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def merge(read: Mapping[tuple[str, int], Values]) -> dict[str, Any]:
    """Values of all runs by model and seed, baselines once.

    Raises:
        ValueError: Two runs saw other tiles or scored a baseline otherwise.
    """
    first, *others = read.values()
    baselines = [method for method in first if method != "model"]
    for other in others:
        if any(other[method] != first[method] for method in baselines):
            raise ValueError("two evaluations differ in a baseline: not the same tiles or metrics")
    models: dict[str, dict[str, Any]] = {}
    for (model, seed), values in read.items():
        models.setdefault(model, {})[str(seed)] = _metrics(values["model"])
    return {
        "names": first["model"]["name"],
        "baselines": {method: _metrics(first[method]) for method in baselines},
        "models": models,
    }


def _metrics(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in columns.items() if name != "name"}


if __name__ == "__main__":
    sys.exit(main())
