"""Score predictors tile by tile on one split of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.config.vocabulary import BAND_UNIT, METRICS, undefined
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.progress import progress
from sensor2sensor.evaluation.predictors import Images, Predictor
from sensor2sensor.evaluation.summary import Gain, Statistics, gain, statistics, undefined_alike

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

MODEL = "model"


@dataclass(frozen=True)
class TileScores:
    """One row: the scores of one method on one tile.

    Attributes:
        name: Name of the record.
        scene: The overpass, ``S2A_20221005T115411``; ``<inventory>/<index>`` where not recorded.
        block: Block of ground (the first, where a tile touches several).
        split: Split the tile belongs to.
        method: ``model`` or the name of a baseline.
        values: Every metric of the profile; NaN undefined, +inf perfect.
        state: Why a value may be missing, one of ``sensor2sensor.metrics.STATES``.
    """

    name: str
    scene: str
    block: str
    split: str
    method: str
    values: Mapping[str, float]
    state: str


@dataclass(frozen=True)
class Evaluation:
    """All rows of one evaluation and how they were made.

    Attributes:
        rows: A row per method and tile, methods in order, tiles in the data set's order.
        methods: ``model`` first, then baselines, the strongest last.
        metrics: Names of the metrics in table order.
        profile: Conventions they follow.
        split: The split that was scored.
        seed: Seed of the bootstrap intervals.
        unit: Unit of the target bands, that of RMSE and L1.
        undefined: Metrics that these bands cannot have, and why.
        sam_left_out: Share of the pixels that SAM leaves out because their truth is zero.
    """

    rows: tuple[TileScores, ...]
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    profile: str
    split: str
    seed: int
    unit: str = BAND_UNIT
    undefined: Mapping[str, str] = field(default_factory=dict)
    sam_left_out: float = 0.0

    def of(self, method: str) -> list[TileScores]:
        """The rows of one method, in tile order."""
        return [row for row in self.rows if row.method == method]

    def values(self, method: str, metric: str) -> list[float]:
        """One metric of one method, in tile order."""
        return [row.values[metric] for row in self.of(method)]

    @property
    def reference(self) -> str | None:
        """The strongest baseline, or None without any."""
        return self.methods[-1] if len(self.methods) > 1 else None

    @property
    def tiles(self) -> int:
        """Number of tiles scored."""
        return len(self.of(self.methods[0]))

    @cached_property
    def summary(self) -> dict[str, dict[str, Statistics]]:
        """Statistics by method and metric."""
        return {
            method: {name: statistics(self.values(method, name)) for name in self.metrics}
            for method in self.methods
        }

    @cached_property
    def gains(self) -> dict[str, dict[str, Gain]]:
        """Paired gain of the first method over each other method, by metric."""
        first, *others = self.methods
        rows = self.of(first)
        undefined = {
            name: undefined_alike([self.values(method, name) for method in self.methods])
            for name in self.metrics
        }
        return {
            other: {
                name: gain(
                    self.values(first, name),
                    self.values(other, name),
                    better=METRICS[name].better,
                    blocks=[row.block for row in rows],
                    scenes=[row.scene for row in rows],
                    undefined=undefined[name],
                    seed=self.seed,
                    key=f"{other}/{name}",
                )
                for name in self.metrics
            }
            for other in others
        }

    @property
    def scene_unit(self) -> str:
        """What tells two scenes apart; older data sets do not know which share an overpass."""
        known = all("/" not in row.scene for row in self.rows)
        return "overpass" if known else "inventory and index, as overpasses are not recorded"

    @property
    def states(self) -> dict[str, dict[str, int]]:
        """How many tiles of each method are perfect, constant, empty, not finite or ordinary."""
        counts: dict[str, dict[str, int]] = {}
        for row in self.rows:
            states = counts.setdefault(row.method, {})
            states[row.state] = states.setdefault(row.state, 0) + 1
        return counts


def _batches(tiles: Iterator[TileRecord], size: int) -> Iterator[list[TileRecord]]:
    while batch := list(islice(tiles, size)):
        yield batch


def _places(dataset_dir: Path) -> dict[str, tuple[str, str]]:
    """Overpass and block of each record, from ``split.csv``."""
    from sensor2sensor.dataset.ledger import read_split

    rows = read_split(dataset_dir)
    return {row.name: (row.seen_by, row.block.split("+")[0]) for row in rows}


class _Scorer:
    """Scores one batch of one method under the data set's fixed value ranges."""

    def __init__(self, contract: DatasetContract, profile: str) -> None:
        from sensor2sensor.metrics import profile_metrics

        self.names = profile_metrics(profile, colour=contract.colour() is not None)
        self.undefined = undefined(profile, len(contract.target.bands))
        self._zero, self._valid = 0, 0
        self._contract = contract
        self._profile = profile

    def __call__(
        self, target: Images, prediction: Images, *, normalised: bool
    ) -> tuple[list[dict[str, float]], list[str]]:
        """Values by metric, and the state, of each tile."""
        from sensor2sensor.metrics import compute, states

        values = compute(
            target,
            prediction,
            value_ranges=self._contract.target_ranges(),
            factor=self._contract.factor,
            profile=self._profile,
            names=self.names,
            colour=self._contract.colour(),
            prediction_is_normalised=normalised,
        )
        columns = {name: value.numpy() for name, value in values.items()}
        tiles = range(len(target))
        rows = [{name: float(column[i]) for name, column in columns.items()} for i in tiles]
        return rows, states(target, prediction)

    def see(self, target: Images) -> None:
        """Count the pixels of a batch of truth that SAM leaves out."""
        from sensor2sensor.metrics import zero_truth

        zero, valid = zero_truth(target)
        self._zero, self._valid = self._zero + zero, self._valid + valid

    @property
    def sam_left_out(self) -> float:
        """Share of the pixels seen; the published rule of another profile leaves out none."""
        scored = self._profile == "standard" and "sam" not in self.undefined
        return self._zero / max(self._valid, 1) if scored else 0.0


def _check(predictors: Mapping[str, Predictor], profile: str) -> None:
    for name, predictor in predictors.items():
        if getattr(predictor, "normalised", False) and profile != "arisgan":
            raise ConfigError(
                f"{name} predicts in units of its l2 normalisation, which cannot be undone",
                where="evaluation",
                hint="score it with --profile arisgan, or train with normalisation 'symmetric'",
            )


def _predict(name: str, predictor: Predictor, batch: Sequence[TileRecord]) -> Images:
    prediction = np.asarray(predictor(batch))
    expected = (len(batch), *batch[0].target.shape)
    if prediction.shape != expected:
        raise InputError(
            f"{name} returned {list(prediction.shape)}, the tiles have {list(expected)}",
            where="evaluation",
            hint="a predictor returns [B, H, W, target bands]",
        )
    return prediction


def evaluate(
    predictors: Mapping[str, Predictor],
    dataset_dir: Path,
    contract: DatasetContract,
    *,
    split: str = "test",
    profile: str = "standard",
    batch_size: int = 8,
    limit: int | None = None,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    seed: int = 0,
) -> Evaluation:
    """Score every predictor on every tile of a split.

    Args:
        predictors: By name: ``model`` first, then baselines, the strongest last; gains are those of
            the first over each other one.
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        contract: The data set's contract: bands, value ranges, factor.
        split: The split to score; ``test`` is scored whole.
        profile: Metric conventions.
        batch_size: Tiles held in memory at a time.
        limit: Only the first tiles (monitoring).
        enforce_suffix: Only tiles whose name ends so, as in training.
        exclude_suffix: Only tiles whose name does not end so.
        seed: Seed of the bootstrap intervals.

    Raises:
        ConfigError: The profile is unknown or cannot score a predictor.
        InputError: No tile is left, or a predictor returns another shape.
    """
    from sensor2sensor.pipeline.reader import iterate_tiles, list_records

    _check(predictors, profile)
    scorer, places = _Scorer(contract, profile), _places(dataset_dir)
    filters = {"enforce_suffix": enforce_suffix, "exclude_suffix": exclude_suffix}
    count = len(list_records(dataset_dir, contract, split, **filters))
    total = count if limit is None else min(limit, count)
    tiles = iterate_tiles(dataset_dir, contract, split, limit=limit, **filters)
    found: dict[str, list[TileScores]] = {name: [] for name in predictors}
    for batch in _batches(progress(tiles, total=total, desc="evaluate", unit="tile"), batch_size):
        target = np.stack([tile.target for tile in batch])
        scorer.see(target)
        for method, predictor in predictors.items():
            guess = _predict(method, predictor, batch)
            normalised = bool(getattr(predictor, "normalised", False))
            scores, states = scorer(target, guess, normalised=normalised)
            for tile, values, state in zip(batch, scores, states, strict=True):
                row = TileScores(tile.name, *places[tile.name], split, method, values, state)
                found[method].append(row)
    rows = tuple(row for method in predictors for row in found[method])
    return Evaluation(
        rows,
        tuple(predictors),
        scorer.names,
        profile,
        split,
        seed,
        unit=contract.target_unit(),
        undefined=scorer.undefined,
        sam_left_out=scorer.sam_left_out,
    )
