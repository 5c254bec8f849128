"""Profile ``dsen2cr``: the scores of cloud removal, and how many pixels are behind each.

All but the name ``mae`` are those of profile ``standard`` on the range 0 to 1 of reflectance. They
are taken of a part of whole images, whose windows count where their centre lies in it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from sensor2sensor.config.vocabulary import BAND_UNIT, DSEN2CR
from sensor2sensor.metrics.inputs import MetricInputs, prepare
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import l1, ssim_places
from sensor2sensor.metrics.spectral import has_angle

# What a score is a mean over, and of which power of it. PSNR follows from the RMSE.
POOLED = MappingProxyType({
    "mae": ("pixels", 1),
    "rmse": ("pixels", 2),
    "ssim": ("windows", 1),
    "sam": ("angles", 1),
})  # fmt: skip


@register(
    "mae",
    label="MAE",
    unit=BAND_UNIT,
    better="lower",
    paper="mean absolute difference, as l1 of profile standard",
    profile=DSEN2CR,
)
def mae(inputs: MetricInputs) -> tf.Tensor:
    """``l1`` of profile ``standard``, by its name in the literature of cloud removal."""
    return l1(inputs)


def support(reference: Any, within: Any) -> dict[str, npt.NDArray[np.int64]]:
    """What the scores of each image are means over, as counts ``[B]``.

    Args:
        reference: What predictions are held against, ``[B, H, W, C]``; NaN = no data.
        within: The pixels that are scored, ``[B, H, W]`` bool.

    Returns:
        ``pixels`` (MAE, RMSE), ``angles`` (pixels that have one: SAM) and ``windows`` (SSIM).
    """
    truth = tf.cast(tf.convert_to_tensor(reference), tf.float64)
    unit = tf.constant([[0.0, 1.0]] * int(truth.shape[-1]), tf.float64)
    part = tf.cast(within, tf.bool)
    inputs, _ = prepare(truth, truth, unit, tf.constant(1.0, tf.float64), part=part)
    places = {
        "pixels": inputs.valid,
        "angles": inputs.valid & has_angle(inputs.target),
        "windows": ssim_places(inputs),
    }
    return {n: tf.math.count_nonzero(p, axis=[1, 2]).numpy() for n, p in places.items()}
