"""By which means and variances batch normalisation normalises at inference.

The moving averages that training keeps belong to the weights of some steps ago. So a generator is
used with statistics measured under the very weights that are used (the averaged ones where such are
kept), over training tiles in a fixed order: batch normalisation alone in training mode, so that
every layer sees what the layers before it hand on in training; dropout and all else as at
inference. A layer that runs with its moving averages in training too keeps them. What else may be
taken at inference says :mod:`sensor2sensor.training.applied`. Training goes on with its moving
averages, bit for bit. No discriminator is used at inference, so only generators are
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.core.seeds import Purpose
from sensor2sensor.dataset.recordfile import count_records
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import fixed_batches
from sensor2sensor.training.applied import Applied, at_inference
from sensor2sensor.training.averages import averaged
from sensor2sensor.training.contract import ExperimentView, GANModel
from sensor2sensor.training.layer_modes import (
    Generator,
    Kind,
    batchnorms,
    by_batch,
    by_moments,
    kept,
    run_eagerly,
    untrained,
)
from sensor2sensor.training.stages import StageChain
from sensor2sensor.training.state import TrainingState

Batches = Iterable[Mapping[str, Any]]
Values = npt.NDArray[np.float32]
BATCHES, TILES = 200, 16


def statistics_batches(
    experiment: ExperimentView,
    normalisation: Normalisation,
    options: ReaderOptions,
    chain: StageChain | None = None,
) -> Batches:
    """The training tiles once, or :data:`BATCHES` batches of at most :data:`TILES` of them.

    Neither step nor batch size nor augmentation of the training matters, so every process measures
    the same. The batches are of nearly equal size: one of a single tile would normalise by itself.

    Args:
        experiment: Data set and seed.
        normalisation: The run's.
        options: The reader's for its training.
        chain: The stages of its training, which end in the normalisation: layers are used on what
            they learned from. Of what it prepares only the inputs are given.
    """
    place = (experiment.dataset_dir, experiment.contract)
    used = count_records(experiment.dataset_dir, "train", options.sample, *options.filters)
    tiles = min(used, BATCHES * TILES)
    # The least number of batches first, then their size: 17 tiles are 9 and 8, not 16 and 1.
    size = -(-tiles // -(-tiles // TILES))
    sized = replace(options, batch_size=size)
    batches = fixed_batches(
        *place,
        normalisation if chain is None else None,
        sized,
        split="train",
        limit=tiles,
        order=Purpose.STATISTICS,
        extras=(),
    )
    return batches if chain is None else chain.inputs(batches)


@dataclass
class _Pooled:
    """Mean and sum of squared deviations over all values seen, float64 (Chan et al. 1979)."""

    count: float = 0.0
    mean: Any = 0.0
    squares: Any = 0.0

    def add(self, count: Any, mean: Any, variance: Any) -> None:
        """Take in a batch; what results is the law of total variance."""
        total = self.count + count
        if total == 0.0:
            return
        shift = mean - self.mean
        self.mean = self.mean + shift * (count / total)
        between = np.square(shift) * (self.count * count / total)
        self.squares = self.squares + count * variance + between
        self.count = total


def estimate(generator: Any, batches: Callable[[], Batches]) -> list[Values]:
    """Mean and variance of every layer of :func:`batchnorms` under the present weights.

    Mean of the batch means; mean of the batch variances plus the variance of the batch means,
    weighted by the number of values. A layer that is frozen (``trainable`` false), that
    training runs at inference, or that the pass does not reach, keeps what it has. The generator is
    left as it was.

    Args:
        generator: A built network.
        batches: Makes finite batches with ``input [B, H, W, Ci]``; not called without need.

    Returns:
        ``[mean, variance, mean, variance, ...]``.

    Raises:
        ModelContractError: A layer runs in a graph even where functions run eagerly.
    """
    layers = batchnorms(generator)
    pooled = _measured(generator, batches()) if any(x.trainable for x in layers) else {}
    return [np.array(v, np.float32) for x in layers for v in _statistics(x, pooled.get(id(x)))]


def _measured(generator: Any, batches: Batches) -> dict[int, _Pooled]:
    """By the ``id`` of the layer."""
    pooled: dict[int, _Pooled] = {}
    rest = iter(batches)
    for first in rest:  # once: the first batch also tells which layers to measure
        layers = by_moments(batchnorms(generator), generator, first["input"][:1])
        if not layers:
            break
        with kept(untrained(generator)), by_batch(layers) as seen:
            for batch in chain([first], rest):
                run_eagerly(generator, batch["input"], training=False)
                for layer, *moments in seen:
                    held = pooled.setdefault(id(layer), _Pooled())
                    held.add(*(_known(moment, layer) for moment in moments))
                seen.clear()
    return pooled


def _known(moment: Any, layer: Any) -> npt.NDArray[Any]:
    if tf.is_symbolic_tensor(moment):
        raise ModelContractError(
            "batch normalisation runs in a graph of its own, as in tf.vectorized_map",
            where=layer.path,
        )
    return np.asarray(moment)


def _statistics(layer: Any, pooled: _Pooled | None) -> tuple[Any, Any]:
    if pooled is None or pooled.count == 0.0:
        return layer.moving_mean, layer.moving_variance
    return pooled.mean, pooled.squares / pooled.count


def assign(layers: list[Any], statistics: Iterable[Any]) -> None:
    """Give layers the statistics that :func:`estimate` found; ValueError where they do not fit."""
    variables = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    for variable, value in zip(variables, statistics, strict=True):
        variable.assign(value)


class InferenceStatistics:
    """The statistics of a model in training, measured when its weights are looked at or saved.

    Args:
        model: A model whose networks are built.
        kind: ``inference_statistics``; only of ``train`` anything is measured.
        batches: Makes the finite batches of :func:`statistics_batches`.
        applied: The generator as looks at it apply it; by default as ``kind`` alone says.

    Attributes:
        variables: What a checkpoint keeps of them, as :func:`estimate` orders them; empty where
            the generator has no batch normalisation.
    """

    def __init__(
        self,
        model: GANModel,
        kind: Kind,
        batches: Callable[[], Batches],
        applied: Generator | None = None,
    ) -> None:
        self._model, self._batches = model, batches
        self._generator = applied or at_inference(model.generator, kind)
        self._layers = batchnorms(model.generator) if kind == "train" else []
        held = [v for layer in self._layers for v in (layer.moving_mean, layer.moving_variance)]
        self.variables = [tf.Variable(np.array(v), trainable=False, name=v.path) for v in held]
        self._step: int | None = None

    def attempt(self, form: tf.TensorSpec) -> None:
        """Refuse before the first step a generator that a look or a save would refuse.

        It is measured on one blank image, and nothing of that is kept.

        Args:
            form: Of the input of a batch, ``[B, H, W, Ci]``.

        Raises:
            ModelContractError: It cannot be measured.
        """
        blank = tf.zeros([1, *form.shape[1:]], form.dtype)
        try:
            with kept(self._counters()):
                if self._layers:
                    estimate(self._model.generator, lambda: [{"input": blank}])
                if isinstance(self._generator, Applied):
                    self._generator(blank)
        except Exception as error:
            raise ModelContractError(
                f"inference_statistics cannot be measured for this module ({sentence(error)})",
                where=type(self._model).__module__,
                hint="call batch normalisation where TensorFlow can run it eagerly, or take group"
                " or instance normalisation, which need no statistics",
            ) from error

    def refresh(self, step: int) -> None:
        """Measure under the weights that inference takes, once for each ``step``."""
        if not self._layers or step == self._step:
            return
        with kept(self._counters()), averaged(self._model):
            found = estimate(self._model.generator, self._batches)
        for variable, value in zip(self.variables, found, strict=True):
            variable.assign(value)
        self._step = step

    def _counters(self) -> list[tf.Variable]:
        """What random draws move, wherever the model holds it: its generator may draw from it."""
        held = (v for group in TrainingState(self._model).groups.values() for v in group)
        return [variable for variable in held if variable.dtype.is_integer]

    @contextmanager
    def in_use(self, step: int) -> Iterator[Generator]:
        """The generator as evaluation will apply it; afterwards training finds it as it was."""
        self.refresh(step)
        everything = [*untrained(self._model.generator), *self._counters()]
        with kept(everything), averaged(self._model):
            assign(self._layers, self.variables)
            yield self._generator
