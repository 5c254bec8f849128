"""A small ``_evaluation`` folder written by the evaluation itself, from made-up scores."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.core import files
from sensor2sensor.evaluation.output import Subject, stem, write
from sensor2sensor.evaluation.run import Evaluation, TileScores
from sensor2sensor.metrics import profile_metrics
from tests.fakes_dataset import toy_contract

TILES = 12


class Named:
    def describe(self):
        return {"method": "made up"}


def contract(name="alt6_toy"):
    statistics = {"low": 0.0, "high": 0.5, "minimum": 0.0, "maximum": 0.6}
    statistics |= {"mean": 0.2, "std": 0.1, "count": 100}
    content = toy_contract(name, "degraded", 6, 64, 0).model_dump(mode="json")
    content["statistics"] = {"input": [statistics] * 3, "target": [statistics] * 3}
    from sensor2sensor.core.files import json_text
    from sensor2sensor.dataset.contract import DatasetContract

    return DatasetContract.model_validate_json(json_text(content))


def scores(level, seed, metrics):
    """Values per tile: ``level`` 0..1 is quality; lower-better metrics fall with it."""
    rng = np.random.default_rng(seed)
    found = []
    for tile in range(TILES):
        noise = rng.normal(0, 0.01) + 0.02 * np.sin(tile)
        good = level + noise
        found.append({m: good if METRICS[m].better == "higher" else 1.2 - good for m in metrics})
    return found


def evaluation(level, *, profile="standard", spoil=(), undefined=(), scenes=3, blocks=6):
    """Model at ``level``, nearest at 0.3, bicubic at 0.5; ``spoil`` gives (tile, metric, value).

    Nobody has a value of the metrics that are ``undefined``.
    """
    metrics = profile_metrics(profile)
    rows = []
    for method, quality, seed in (("model", level, 1), ("nearest", 0.3, 2), ("bicubic", 0.5, 3)):
        for tile, values in enumerate(scores(quality, seed, metrics)):
            for place, metric, value in spoil if method == "model" else ():
                if place == tile:
                    values[metric] = value
            values |= dict.fromkeys(undefined, math.nan)
            name = f"inv__{tile:05d}_0x0"
            place = (f"inv/{tile % scenes}", f"b{tile % blocks}")
            rows.append(TileScores(name, *place, "test", method, values, "ordinary"))
    methods = ("model", "nearest", "bicubic")
    facts = {"unit": contract().target_unit()}
    return Evaluation(tuple(rows), methods, metrics, profile, "test", 0, **facts)


def add(
    folder: Path, experiment: str, level: float, *, timestamp="0715-0930", profile="standard",
    dataset="alt6_toy", sha="ab" * 32, spoil=(), undefined=(), picture=True, scenes=3, blocks=6,
    itself=None,
) -> Path:  # fmt: skip
    """Write one evaluation, that of a baseline where ``itself`` names it; returns its JSON file."""
    filters = {"enforce_suffix": None, "exclude_suffix": None}
    named = {"model_name": itself or "edsr", "baseline": itself is not None}
    subject = Subject(
        experiment,
        timestamp,
        step=300,
        dataset=dataset,
        dataset_sha256=sha,
        filters=filters,
        **named,
    )
    gallery = []
    if picture:
        buffer = io.BytesIO()
        Image.new("RGB", (60, 20), (0, 90, 160)).save(buffer, format="PNG")
        file = f"{stem(subject, profile)}_gallery/best.png"
        files.write_bytes(folder / file, buffer.getvalue())
        gallery = [{"file": file, "rank": "best", "tile": "inv__00001", "caption": "best tile"}]
    baselines = {"nearest": Named(), "bicubic": Named()}
    shape = {"spoil": spoil, "undefined": undefined, "scenes": scenes, "blocks": blocks}
    made = evaluation(level, profile=profile, **shape)
    if itself is not None:
        kept = tuple(row for row in made.rows if row.method != itself)
        methods = tuple(method for method in made.methods if method != itself)
        made = replace(made, rows=kept, methods=methods)
    return write(made, folder, subject, contract(), baselines=baselines, gallery=gallery)[1]
