"""Profile ``torchsisr``: scores of each band, averaged, beside the one from the pooled error."""

from __future__ import annotations

import math

import tensorflow as tf

from sensor2sensor.config.vocabulary import BAND_UNIT, LR_RMSE, TORCHSISR
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import mean_over_bands


@register(
    "psnr_bands",
    label="PSNR",
    unit="dB",
    better="higher",
    paper="mean over bands of each band's 10 log10(L²/MSE), L its value range",
    profile=TORCHSISR,
)
def psnr_bands(inputs: MetricInputs) -> tf.Tensor:
    """Mean of the bands' own PSNR in dB; +inf where a band is perfect.

    Never below ``psnr``, whose one logarithm is of the bands' mean error: a band that is bad moves
    this mean less.
    """
    decibel = -10.0 / math.log(10.0) * tf.math.log(inputs.planes.square_error)
    return mean_over_bands(decibel)


@register(
    "rmse_bands",
    label="RMSE",
    unit=BAND_UNIT,
    better="lower",
    paper="mean over bands of each band's root of the mean squared difference",
    profile=TORCHSISR,
)
def rmse_bands(inputs: MetricInputs) -> tf.Tensor:
    """Mean of the bands' own RMSE, in physical units; never above ``rmse``."""
    return mean_over_bands(tf.sqrt(inputs.planes.square_error) * inputs.spans)


@register(
    LR_RMSE,
    label="LR RMSE",
    unit=BAND_UNIT,
    better="lower",
    paper="mean over bands of the RMSE between the prediction, degraded by each band's MTF, and "
    "the input",
    profile=TORCHSISR,
)
def lr_rmse(inputs: MetricInputs) -> tf.Tensor:
    """``rmse_bands`` on the input's grid: its truth is the input, its prediction was degraded.

    What a prediction adds must be invisible to the coarser sensor. A target of another sensor, or
    moved against the input, is not perfect here.
    """
    return rmse_bands(inputs)
