"""The baseline that the looks of a training are held against, scored once on the same tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.dataset.order import looked_at
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.predictors.entries import TrainSplit
from sensor2sensor.predictors.registry import compared
from sensor2sensor.training.collapse import Held
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.validation import Monitor

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

KEY = "held_against"  # in run.json
FITTED_ON = 64  # tiles: a line a band needs no more, and a split may have 50 GB


@dataclass(frozen=True)
class SomeTiles(TrainSplit):
    """The first of the train tiles, for a baseline that is fitted."""

    def __iter__(self) -> Iterator[TileRecord]:
        return islice(super().__iter__(), FITTED_ON)


def held_against(
    experiment: ExperimentView,
    options: ReaderOptions,
    monitor: Monitor,
    known: dict[str, Any] | None,
) -> dict[str, Any] | None:
    """The scores of a data set's strongest baseline on the validation tiles; None: it has none.

    None too where looks show no whole tiles in physical values: the numbers would not compare.

    Args:
        experiment: The experiment.
        options: The reader's, of the looks.
        monitor: Scores tiles as it scores the model's.
        known: What this has given for the run before, for these tiles or others.

    Returns:
        Name, ``scores`` by metric (null where there is none) and which ``tiles``; for ``run.json``.
    """
    contract = experiment.contract
    whole = options.img_height == options.img_width == contract.tile_px
    entries = compared(contract)
    if not entries or not whole or not experiment.normaliser.invertible:
        return None
    refs = list_records(experiment.dataset_dir, "val", *options.filters)
    chosen = looked_at(len(refs), experiment.config.sample_val)
    seen = [refs[int(place)] for place in chosen]
    name, tiles = entries[-1].name, fingerprint([ref.name for ref in seen])
    if known is not None and (known["name"], known["tiles"]) == (name, tiles):
        return known
    train = SomeTiles(experiment.dataset_dir, contract, *options.filters)
    predictor = entries[-1].make(contract, train)
    scores = monitor.scores_of(predictor, iterate_refs(seen, contract))
    told = {metric: score if math.isfinite(score) else None for metric, score in scores.items()}
    return {"name": name, "scores": told, "tiles": tiles}


def held_again(known: Mapping[str, Any] | None) -> Held | None:
    """What :func:`held_against` has given, as looks are compared with it."""
    if known is None:
        return None
    scores = {name: score for name, score in known["scores"].items() if score is not None}
    higher = frozenset(name for name in scores if METRICS[name].better == "higher")
    return Held(known["name"], scores, higher)
