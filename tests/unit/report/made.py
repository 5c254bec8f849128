"""Results in memory, of made-up scores with facts per tile; no TensorFlow, no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.dataset.strata import split_column
from sensor2sensor.evaluation.summary import gain, statistics
from sensor2sensor.report.file import EvaluationFile
from sensor2sensor.report.load import Group, Result

METRIC_NAMES = ("rmse", "ssim", "cc")
BLOCKS, SCENES, TILES = 12, 5, 60
Scores = Mapping[str, Mapping[str, np.ndarray]]


class Told:
    """Stands for the facts per tile that a result reads from its own table."""

    def __init__(self, table: pd.DataFrame | None, why: str = "") -> None:
        self.table, self.why = table, why


def facts(tiles: int = TILES, blocks: int = BLOCKS, scenes: int = SCENES) -> pd.DataFrame:
    """Blocks, scenes, seasons, clouds and shifts; of every tenth tile no shift is known."""
    number = np.arange(tiles)
    scene = number % scenes
    shift = np.where(number % 10 == 9, np.nan, (number * 7 % 30) / 10)
    return pd.DataFrame(
        {
            "scene": [f"S2A_2022{1 + s:02d}05T115411" for s in scene],
            "block": [f"b{n // scenes % blocks:02d}" for n in number],
            "season": np.where(scene < 3, "summer", "winter"),
            "cloud_share": np.where(number % 3 == 0, (number % 17) / 20, 0.0),
            "shift_px": shift,
            "inside_mask": np.where(number % 4 == 0, "true", "false"),
        },
        index=pd.Index([f"tile{n:03d}" for n in number], name="name"),
    )


def scores(level: float, seed: int, where: pd.DataFrame, noise: float = 0.02) -> dict[str, Any]:
    """Values by metric: how hard a tile is, shared by all, and noise of the method's own."""
    hard = np.random.default_rng(99).normal(0, 0.05, len(where))
    own = np.random.default_rng(seed).normal(0, noise, (len(METRIC_NAMES), len(where)))
    made = {}
    for name, spread in zip(METRIC_NAMES, own, strict=True):
        good = level + hard + spread
        made[name] = good if METRICS[name].better == "higher" else 1.5 - good
    return made


def result(
    experiment: str,
    methods: Scores,
    where: pd.DataFrame,
    *,
    known: bool = True,
    **said: Any,
) -> Result:
    """One evaluation, with the gains that the evaluation itself takes of these scores."""
    names = list(next(iter(methods.values())))
    told = {n: _definition(n) for n in names}
    first, *others = methods
    content = {
        "format_version": 1, "metrics_version": 2, "experiment": experiment,
        "timestamp": "0715-0930", "model_name": "edsr", "step": 300, "dataset": _dataset(),
        "split": "test", "filters": {}, "profile": "standard", "metrics": told,
        "methods": list(methods), "reference": others[-1] if others else None, "baselines": {},
        "tiles": len(where), "states": {},
        "summary": {m: {n: asdict(statistics(v)) for n, v in own.items()}
                    for m, own in methods.items()},
        "gain": {other: {n: _gain(methods[first][n], methods[other][n], methods, n, where)
                         for n in names} for other in others},
        "csv": {"file": "x.csv", "rows": 0, "sha256": "00"}, "gallery": [],
    }  # fmt: skip
    content |= {key: value for key, value in said.items() if key != "dataset"}
    content["dataset"] |= said.get("dataset", {})
    parsed = EvaluationFile.model_validate(content)
    table = pd.concat([_rows(method, own, where) for method, own in methods.items()])
    stem = f"{experiment.replace('/', '__')}_{content['timestamp']}_{content['step']}"
    made = Result(Path(f"{stem}.json"), parsed, table.reset_index(drop=True))
    # As the property keeps what it has read.
    made.__dict__["tile_facts"] = Told(where) if known else Told(None, "no facts per tile")
    return made


def group(*results: Result) -> Group:
    return Group("a group", tuple(results))


def _rows(method: str, own: Mapping[str, np.ndarray], where: pd.DataFrame) -> pd.DataFrame:
    keys = {"name": where.index, "scene": where["scene"].to_numpy(), "split": "test"}
    return pd.DataFrame({**keys, "method": method, **own})


def _gain(
    values: Sequence[float], base: Sequence[float], methods: Scores, name: str, where: pd.DataFrame
) -> dict[str, Any]:
    from sensor2sensor.core.clustered import undefined_alike

    alike = undefined_alike([own[name] for own in methods.values()])
    better = METRICS[split_column(name)[0]].better
    blocks, scenes = where["block"].tolist(), where["scene"].tolist()
    found = gain(
        values, base, better=better, blocks=blocks, scenes=scenes, undefined=alike, seed=0, key=name
    )
    return asdict(found)


def _definition(name: str) -> dict[str, Any]:
    told = METRICS[split_column(name)[0]]
    return {"label": told.label, "unit": told.unit, "better": told.better, "paper": told.paper}


def _dataset() -> dict[str, Any]:
    return {
        "name": "alt6_toy", "sha256": "ab" * 32, "kind": "degraded", "tile_px": 64,
        "resolution_m": 10.0, "factor": 6.0, "value_ranges": {},
        "split_policy": {"by": "block", "ground_shared": {"test": 0.0}},
    }  # fmt: skip
