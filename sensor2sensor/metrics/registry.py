"""The table that metrics are entered in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import tensorflow as tf

from sensor2sensor.config.vocabulary import METRICS, MetricInfo, check_term
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.metrics.inputs import MetricInputs

Metric = Callable[[MetricInputs], tf.Tensor]

REGISTRY: dict[str, Metric] = {}
DECLARED: dict[str, MetricInfo] = {}
# Columns of an evaluation's table that are no metrics, and marks of a stratum (``rmse@cloudy``).
TAKEN = frozenset({"name", "scene", "split", "method", "pixels"})
_MAKERS: dict[str, str] = {}


def register(
    name: str, *, label: str, unit: str, better: Literal["higher", "lower"], paper: str
) -> Callable[[Metric], Metric]:
    """Decorator: enter a per-image metric ``MetricInputs -> [B]`` of profile ``standard``.

    Args:
        name: Its column; small letters, digits and ``_``.
        label: Its heading in tables.
        unit: ``1``, ``dB`` …; ``vocabulary.BAND_UNIT`` stands for that of the target bands.
        better: Which way is better.
        paper: The definition it follows.

    Raises:
        ModelContractError: The name cannot be had, or ``better`` is no direction.
    """
    if better not in ("higher", "lower"):
        raise ModelContractError(f"metric '{name}': better is {better!r}", hint="higher or lower")

    def enter(metric: Metric) -> Metric:
        check_term("metric", name, metric.__module__, _MAKERS)
        if name in TAKEN:
            raise ModelContractError(f"'{name}' is a column of its own", where=metric.__module__)
        REGISTRY[name] = metric
        DECLARED[name] = MetricInfo(name, label, unit, better, paper)
        METRICS[name] = DECLARED[name]
        return metric

    return enter
