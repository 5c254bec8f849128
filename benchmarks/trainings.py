"""Trainings through the doors, each done once: shared by benchmarks.seeds and recipes."""

from __future__ import annotations

import csv
import math
import resource
import sys
import time
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "examples"))
sys.path.insert(0, str(ROOT))

from main_job import Job, latest_evaluation  # noqa: E402 - after the path above
from sensor2sensor.config.compose import compose  # noqa: E402
from sensor2sensor.config.jsonc import load_jsonc  # noqa: E402
from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.core.runs import Run, read_run_json  # noqa: E402

MARKER = "seeds.json"  # beside the experiment: what was trained, written when it is evaluated
DIGITS = 6  # of a tile's value in the results
Values = dict[str, dict[str, list[Any]]]  # by method and metric, in tile order


def shipped(source: str, **replace: Any) -> dict[str, Any]:
    """The content of an experiment below examples/experiments, keys replaced."""
    path = ROOT / "examples" / "experiments" / source / "experiment.json"
    return {**compose(path, load_jsonc).data, **replace}


def train(
    job: Job, name: str, content: Mapping[str, Any], dataset: Path, split: str = "test"
) -> dict[str, Any]:
    """Train one experiment and score it on a split, unless exactly that is done; its marker.

    The marker holds ``timestamp``, ``seconds``, ``git`` and ``cpu_minutes``: processor time, user
    and system, of train.py and all it starts, with imports and the scoring at the end.
    """
    folder = job.work / "experiments" / name
    wanted = {
        "experiment": dict(content),
        "dataset_sha256": files.sha256(dataset / "dataset.json"),
        "split": split,
    }
    marker = finished(folder, wanted)
    if marker is not None:
        job.announce(f"{name}: done before")
        return marker
    files.write_json(folder / "experiment.json", dict(content))
    start, spent = time.monotonic(), _children_s()
    words = ["--exp", name, *([] if split == "test" else ["--split", split])]
    job.door(f"train.py: {name}, then its evaluation on {split}", "train.py", *words)
    spent, seconds = _children_s() - spent, round(time.monotonic() - start)
    timestamp = latest_evaluation(job.work, name)["timestamp"]
    git = read_run_json(Run(folder, timestamp))["git"]
    cost = {"seconds": seconds, "cpu_minutes": round(spent / 60, 2)}
    marker = {**wanted, "timestamp": timestamp, **cost, "git": git}
    files.write_json(folder / MARKER, marker)
    return marker


def _children_s() -> float:
    """Processor seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def finished(folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The marker of a finished training of exactly this experiment on this data set, or None."""
    path = folder / MARKER
    if not path.is_file():
        return None
    marker: dict[str, Any] = files.read_json(path)
    same = all(marker.get(key) == value for key, value in wanted.items())
    return marker if same else None


def version(git: Mapping[str, Any]) -> str:
    """The commit of a run, and whether the tree had changes."""
    return f"{git['commit']}{' with changes' if git['dirty'] else ''}"


def evaluation_stem(work: Path, name: str, timestamp: str, split: str = "test") -> Path:
    """Where the files of one evaluation are, without suffix."""
    stem = f"{name.replace('/', '__')}_{timestamp}"
    folder = work / "experiments" / "_evaluation"
    return folder / (stem if split == "test" else f"{stem}_{split}")


def evaluation(
    work: Path, name: str, timestamp: str, split: str = "test"
) -> tuple[dict[str, Any], Values]:
    """The summary and the values of one evaluation; the names of the tiles as a column too."""
    stem = evaluation_stem(work, name, timestamp, split)
    facts: dict[str, Any] = files.read_json(stem.with_name(f"{stem.name}.json"))
    with stem.with_name(f"{stem.name}.csv").open(encoding="utf-8", newline="") as file:
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


def merge(read: Mapping[tuple[str, Hashable], Values]) -> dict[str, Any]:
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


def spread(values: np.ndarray) -> str:
    """Mean of ``[seeds, tiles]``, and the standard deviation of the seeds' means: ``0.5 ± 0.1``."""
    means = np.nanmean(values, axis=1)
    std = float(means.std(ddof=1)) if len(means) > 1 else math.nan
    return f"{means.mean():.4g} ± {std:.2g}"
