"""The experiment's own losses on the validation tiles, as inference sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

import tensorflow as tf

from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.training.contract import ExperimentView, GANModel
from sensor2sensor.training.layer_modes import kept, untrained

logger = logging.getLogger(__name__)

COMPUTES = "validation_terms"


class UncomputedMonitorError(ModelContractError, ConfigError):
    """A monitor names a loss, and the module computes none at validation."""


class Terms:
    """Mean over tiles of each loss of a model, while its generator is looked at.

    A module that does not offer ``validation_terms(input, target, output, step, **extras)``, as one
    of ARISGAN's does not, has none.

    Args:
        model: The model.
        extras: Fields of a batch that its ``train_step`` takes beside input and target.
        step: Steps done.
    """

    def __init__(self, model: GANModel, extras: Collection[str], step: int) -> None:
        self._model, self._extras = model, [name for name in extras if name != "index"]
        self._compute = getattr(model, COMPUTES, None)
        self._step = tf.constant(step, tf.int64)
        self._sums: dict[str, float] = {}
        self._tiles = 0

    def add(self, batch: Mapping[str, Any], output: tf.Tensor) -> None:
        """Take in a batch and what the generator made of its input; no variable is changed."""
        if self._compute is None:
            return
        compute, self._compute = self._compute, None
        # What trains by steps of its own may not bear being asked so: no run ends for that.
        with decoration(f"losses at the validation of step {int(self._step)}", logger.warning):
            self._note(self._asked(compute, batch, output), int(batch["input"].shape[0]))
            self._compute = compute
        if self._compute is None:
            self._sums = {}

    def _note(self, found: Mapping[str, Any], tiles: int) -> None:
        self._tiles += tiles
        for name, value in found.items():
            self._sums.setdefault(name, 0.0)
            self._sums[name] += tiles * float(value)

    def _asked(
        self, compute: Callable[..., Mapping[str, Any]], batch: Mapping[str, Any], output: tf.Tensor
    ) -> Mapping[str, Any]:
        further = {name: batch[name] for name in self._extras}
        judge = self._model.discriminator
        # A penalty asks the discriminator in training mode, whose norm may keep vectors.
        with kept([] if judge is None else untrained(judge)):
            return compute(batch["input"], batch["target"], output, self._step, **further)

    def means(self) -> dict[str, float]:
        """By name, of all tiles so far."""
        return {name: total / self._tiles for name, total in self._sums.items()}


def check_monitor(model: GANModel, experiment: ExperimentView) -> None:
    """Refuse a monitor that is a loss where the module computes none at validation.

    Raises:
        UncomputedMonitorError: It is one.
    """
    monitor = experiment.config.monitor
    if monitor is None or monitor.metric in METRICS or hasattr(model, COMPUTES):
        return
    raise UncomputedMonitorError(
        f"the module computes no loss at validation, so '{monitor.metric}' has no value",
        where="monitor.metric",
        hint=f"name a metric, or give GAN a {COMPUTES}(input, target, output, step, **extras)",
    )
