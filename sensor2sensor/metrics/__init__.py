"""Per-tile metrics as TensorFlow operations: ``[B, H, W, C]`` physical values -> ``[B]``."""

from __future__ import annotations

from sensor2sensor.metrics import frequency, haarpsi, spatial, spectral  # they enter themselves
from sensor2sensor.metrics.compute import compute, profile_metrics
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import REGISTRY, register
from sensor2sensor.metrics.spectral import zero_truth
from sensor2sensor.metrics.status import STATES, states

__all__ = [
    "REGISTRY",
    "STATES",
    "MetricInputs",
    "compute",
    "frequency",
    "haarpsi",
    "profile_metrics",
    "register",
    "spatial",
    "spectral",
    "states",
    "zero_truth",
]
