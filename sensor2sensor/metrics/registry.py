"""The registry of metrics and the one function that computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from sensor2sensor.config.vocabulary import PROFILES
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.metrics import arisgan, frequency, haarpsi, spatial, spectral
from sensor2sensor.metrics.arrays import NAN
from sensor2sensor.metrics.inputs import MetricInputs, prepare

Metric = Callable[[MetricInputs], tf.Tensor]

REGISTRY: dict[str, Metric] = {
    "hpsi": haarpsi.hpsi,
    "ergas": spectral.ergas,
    "scc": spatial.scc,
    "ssim": spatial.ssim,
    "psnr": spatial.psnr,
    "hp_l1": spatial.hp_l1,
    "sam": spectral.sam,
    "cc": spatial.cc,
    "uiqi": spatial.uiqi,
    "rmse": spatial.rmse,
    "l1": spatial.l1,
    "lsd_hf": frequency.lsd_hf,
}


def profile_metrics(profile: str) -> tuple[str, ...]:
    """Names of the metrics a profile defines, in table order.

    Raises:
        ConfigError: For an unknown profile.
    """
    if profile not in PROFILES:
        raise ConfigError(
            f"unknown profile {profile!r}", where="metrics", hint=suggestion(profile, PROFILES)
        )
    known = REGISTRY if profile == "standard" else arisgan.METRICS
    return tuple(name for name in REGISTRY if name in known)


def _choose(profile: str, names: Sequence[str] | None) -> tuple[str, ...]:
    known = profile_metrics(profile)
    for name in names or ():
        if name not in known:
            raise ConfigError(
                f"profile {profile!r} has no metric {name!r}",
                where="metrics",
                hint=suggestion(name, known),
            )
    return tuple(names) if names is not None else known


def _arisgan(
    inputs: MetricInputs, names: Sequence[str], *, prediction_is_normalised: bool
) -> dict[str, tf.Tensor]:
    target = arisgan.l2_normalise(inputs.target)
    guess = inputs.prediction
    guess = guess if prediction_is_normalised else arisgan.l2_normalise(guess)
    return {name: arisgan.METRICS[name](target, guess) for name in names}


def compute(
    target: Any,
    prediction: Any,
    *,
    value_ranges: Any,
    factor: float,
    profile: str = "standard",
    names: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    prediction_is_normalised: bool = False,
) -> dict[str, tf.Tensor]:
    """Score a batch, image by image.

    Args:
        target: Truth ``[B, H, W, C]`` in physical units, not clipped; NaN marks pixels without
            data.
        prediction: Prediction of the same shape and units.
        value_ranges: ``[C, 2]`` low and high of each band (``DatasetContract.target_ranges()``).
        factor: Input pixel size over target pixel size (``DatasetContract.factor``).
        profile: ``standard``, or ``arisgan`` (which normalises both images by their own norm
            first).
        names: Metrics to compute; all of the profile by default.
        bands: Names of the C bands; HPSI uses colour if B04, B03 and B02 are among them.
        prediction_is_normalised: Profile ``arisgan`` only: the prediction comes from a network that
            was trained on l2-normalised data and is taken as it is.

    Returns:
        ``[B]`` float64 per metric. NaN: undefined for this image (no valid pixel, a constant band
        where a correlation is asked, a prediction that is not finite). +inf: perfect (PSNR) or, in
        profile ``arisgan``, divided by zero. Neither may enter a mean.

    Raises:
        ConfigError: For an unknown profile or metric.
        InputError: For shapes or ranges that do not fit.
    """
    chosen = _choose(profile, names)
    inputs, scorable = prepare(
        target, prediction, value_ranges=value_ranges, factor=factor, bands=bands
    )
    if profile == "arisgan":
        values = _arisgan(inputs, chosen, prediction_is_normalised=prediction_is_normalised)
        scorable = scorable & tf.reduce_all(inputs.valid, axis=[1, 2])
    else:
        values = {name: REGISTRY[name](inputs) for name in chosen}
    nothing = tf.constant(NAN, tf.float64)
    return {name: tf.where(scorable, value, nothing) for name, value in values.items()}
