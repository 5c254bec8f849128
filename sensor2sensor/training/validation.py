"""Monitoring on the validation split: metrics per tile, and the sample sheet.

The test split is never read here. As in ``evaluate.py`` the truth is whole: a bounded model is held
against what it cannot reach too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from sensor2sensor.core import files
from sensor2sensor.dataset.bands import among
from sensor2sensor.dataset.display import View, view
from sensor2sensor.dataset.statistics import QUANTILES
from sensor2sensor.metrics import compute, profile_metrics
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.samples import FloatArray, SampleRow, sheet
from sensor2sensor.training.spread import Spread
from sensor2sensor.training.terms import Terms

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.predictors.protocol import Predictor

# Those of the ARISGAN paper, and L1; HPSI in the variant that the data set has.
MONITORED = ("hpsi", "hpsi_bands", "ergas", "scc", "ssim", "psnr", "hp_l1", "l1")
SHEET_ROWS = 5
# One by one, as many models are trained, a tile costs twice as much to score.
SCORED_AT_A_TIME = 8


class Monitor:
    """Looks at the generator on the fixed validation tiles.

    Args:
        experiment: Names, ranges and bands.
        normalisation: The run's normalisation.
        batches: Finite batches of the validation split, in order, restarted at each look.
        shown: Batches of the tiles of the sheet; None: the first of ``batches``.
    """

    def __init__(
        self, experiment: ExperimentView, normalisation: Any, batches: Any, shown: Any = None
    ) -> None:
        self._experiment = experiment
        self._normalisation = normalisation
        self._batches, self._shown = batches, shown
        contract = experiment.contract
        ranges = np.asarray(contract.target_ranges(), np.float32)
        self._unit = contract.target_unit()
        # Divided by each tile's own norm, which no network learns: scored as it is normalised.
        if not normalisation.invertible:
            low, high = experiment.OUTPUT_RANGE
            ranges = np.tile(np.asarray([[low, high]], np.float32), (len(ranges), 1))
            self._unit = "normalised"
        # A band that nobody measured is its input: a score would be that of the input.
        self._scored = [i for i, band in enumerate(contract.target.bands) if band.reference]
        self._ranges, self._colour = ranges, among(contract.colour(), self._scored)
        known = profile_metrics("standard", colour=self._colour is not None)
        asked = experiment.config.monitor
        names = MONITORED if asked is None else dict.fromkeys((*MONITORED, asked.metric))
        self.monitored = tuple(name for name in names if name in known)

    def look(
        self, generator: Any, terms: Terms | None = None
    ) -> tuple[dict[str, float], list[SampleRow], dict[str, float]]:
        """Predict every validation tile.

        Args:
            generator: As inference applies it.
            terms: Takes every batch and what is made of it, for the losses.

        Returns:
            Mean over the tiles of each metric of :data:`MONITORED` and of that of ``monitor`` (NaN
            where none is defined), and of each loss of ``terms``,
            for the sheet the tiles that are named, else the first :data:`SHEET_ROWS`, and how much
            the output varies (:meth:`~.spread.Spread.shares`).
        """
        rows: list[SampleRow] = []
        spread = Spread(self._ranges[self._scored, 1] - self._ranges[self._scored, 0])

        def seen() -> Iterator[tuple[FloatArray, FloatArray]]:
            for batch in self._batches:
                prediction, truth = self._seen(generator, batch, terms)
                spread.add(prediction[..., self._scored], truth[..., self._scored])
                if len(rows) < SHEET_ROWS:
                    rows.extend(_rows(batch, prediction, truth))
                yield prediction, truth

        scores = self._means(seen())
        if self._shown is not None:
            shown = [_rows(batch, *self._seen(generator, batch)) for batch in self._shown]
            rows = [row for found in shown for row in found]
        else:
            rows = rows[:SHEET_ROWS]
        losses = {} if terms is None else terms.means()
        return scores | losses, rows, spread.shares()

    def scores_of(self, predictor: Predictor, tiles: Iterable[TileRecord]) -> dict[str, float]:
        """The same metrics of what predicts tiles in physical values, a baseline."""
        truths = ((tile, np.asarray(tile.target, np.float32)[np.newaxis]) for tile in tiles)
        return self._means((predictor([tile]), truth) for tile, truth in truths)

    def _means(self, pairs: Iterable[tuple[FloatArray, FloatArray]]) -> dict[str, float]:
        """Mean of each metric over the tiles of batches of prediction and truth."""
        values: dict[str, list[float]] = {name: [] for name in self.monitored}
        for prediction, truth in _gathered(pairs):
            for name, scores in self._scores(truth, prediction).items():
                values[name].extend(float(score) for score in scores)
        return {name: _mean(found) for name, found in values.items()}

    def _seen(
        self, generator: Any, batch: Any, terms: Terms | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Prediction and truth of a batch, in the units that are scored."""
        # Under mixed precision a module's own last layer may answer in bfloat16.
        made = generator(batch["input"], training=False, **_named(generator, batch))
        output = tf.cast(made, tf.float32)
        if terms is not None:
            terms.add(batch, output)
        # "truth" is whole; "target" ends where the model's output does.
        side = "truth" if self._normalisation.invertible else "target"
        return self._physical(output), np.asarray(batch[side], np.float32)

    def _physical(self, values: Any) -> FloatArray:
        if self._normalisation.invertible:
            values = self._normalisation.restore(values)
        return np.asarray(values, np.float32)

    def _scores(self, truth: FloatArray, prediction: FloatArray) -> dict[str, tf.Tensor]:
        return compute(
            truth[..., self._scored],
            prediction[..., self._scored],
            value_ranges=self._ranges[self._scored],
            factor=self._experiment.contract.factor,
            names=self.monitored,
            colour=self._colour,
        )

    def draw(self, rows: list[SampleRow], step: int) -> bytes:
        """The sample sheet of ``rows`` as PNG."""
        title = f"{self._experiment.name}, step {step}"
        return sheet(
            rows, self._input_view(rows), self._target_view(), title=title, unit=self._unit
        )

    def _target_view(self) -> View:
        contract = self._experiment.contract
        return _view(contract.target, self._ranges, contract.colour())

    def _input_view(self, rows: list[SampleRow]) -> View:
        """Stretch of the normalised input: the images of the bands' fixed ranges."""
        contract = self._experiment.contract
        if self._normalisation.invertible:
            low, high = np.moveaxis(np.asarray(contract.input_ranges(), np.float32), 1, 0)
            ends = [np.asarray(self._normalisation.input(end)) for end in (low, high)]
        else:
            # Scaled by each tile's own norm: no fixed range exists, these fixed tiles give one.
            seen = np.concatenate([row.input.reshape(-1, row.input.shape[-1]) for row in rows])
            ends = [np.quantile(seen, q, axis=0) for q in QUANTILES[:2]]
        ranges = np.stack(ends, axis=-1).astype(np.float32)
        return _view(contract.input, ranges, contract.colour("input"))


def _gathered(
    pairs: Iterable[tuple[FloatArray, FloatArray]],
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Batches of at least :data:`SCORED_AT_A_TIME` tiles, and what is left at the end."""
    waiting: list[tuple[FloatArray, FloatArray]] = []
    for pair in pairs:
        waiting.append(pair)
        if sum(len(truth) for _, truth in waiting) >= SCORED_AT_A_TIME:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(pairs: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    prediction, truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return prediction, truth


def _view(spec: Any, ranges: FloatArray, display: tuple[int, int, int] | None) -> View:
    """How the bands of a side of the contract are shown."""
    return view(spec.bands, ranges, display, photo=spec.dtype == "uint8")


def _named(generator: Any, batch: Any) -> dict[str, list[str]]:
    """The names of a batch, for a generator that draws by them."""
    if not getattr(generator, "by_name", False):
        return {}
    return {"names": [name.decode("utf-8") for name in batch["name"].numpy()]}


def _rows(batch: Any, prediction: FloatArray, truth: FloatArray) -> Iterator[SampleRow]:
    inputs = np.asarray(batch["input"], np.float32)
    for index, name in enumerate(batch["name"].numpy()):
        yield SampleRow(name.decode("utf-8"), inputs[index], prediction[index], truth[index])


def _mean(values: Iterable[float]) -> float:
    """Mean of the finite values: undefined and perfect tiles enter no mean."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def sheet_path(experiment: ExperimentView, step: int) -> Path:
    """Where the sheet of a step is kept."""
    path: Path = experiment.run.samples_dir / f"step-{step:07d}.png"
    return path


def write_sheet(experiment: ExperimentView, latest_dir: Any, step: int, png: bytes) -> None:
    """Keep the sheet under its step, and as the latest one of the experiment.

    Files: ``samples/<timestamp>/step-<step>.png`` and ``_samples/<a__b__c>.png``.
    """
    files.write_bytes(sheet_path(experiment, step), png)
    files.write_bytes(latest_dir / f"{experiment.name.replace('/', '__')}.png", png)
