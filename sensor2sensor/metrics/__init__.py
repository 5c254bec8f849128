"""Per-tile metrics as TensorFlow operations: ``[B, H, W, C]`` physical values -> ``[B]``."""

from __future__ import annotations

from sensor2sensor.core.notices import require_tensorflow

require_tensorflow()  # says in one line what a light installation lacks

from sensor2sensor.metrics import (  # noqa: E402 - they enter themselves
    clouds,
    frequency,
    gradients,
    haarpsi,
    maps,
    multiscale,
    ndvi,
    perceptual,
    spatial,
    spectral,
    superresolution,
)
from sensor2sensor.metrics.clouds import POOLED, support  # noqa: E402
from sensor2sensor.metrics.compute import compute, profile_metrics  # noqa: E402
from sensor2sensor.metrics.inputs import MetricInputs  # noqa: E402
from sensor2sensor.metrics.registry import REGISTRY, register, windows_within  # noqa: E402
from sensor2sensor.metrics.spectral import zero_truth  # noqa: E402
from sensor2sensor.metrics.status import STATES, states  # noqa: E402

__all__ = [
    "POOLED",
    "REGISTRY",
    "STATES",
    "MetricInputs",
    "clouds",
    "compute",
    "frequency",
    "gradients",
    "haarpsi",
    "maps",
    "multiscale",
    "ndvi",
    "perceptual",
    "profile_metrics",
    "register",
    "spatial",
    "spectral",
    "states",
    "superresolution",
    "support",
    "windows_within",
    "zero_truth",
]
