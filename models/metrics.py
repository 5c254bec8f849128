"""Metrics for models: hands on :mod:`sensor2sensor.metrics`, which documents them."""

from __future__ import annotations

from sensor2sensor.metrics import REGISTRY, STATES, compute, profile_metrics, states, zero_truth

__all__ = ["REGISTRY", "STATES", "compute", "profile_metrics", "states", "zero_truth"]
