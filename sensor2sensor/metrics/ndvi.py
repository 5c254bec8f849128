"""The error of an index that users compute of a prediction: NDVI."""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.config.vocabulary import EXTENDED, NDVI
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.metrics.arrays import masked_mean
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register

# Reflectance of red and near infrared together. At 0.02 an error of 0.001 in each already moves the
# index by up to 0.1: below it, on deep water and in shadow, it measures noise.
LEAST_SUM = 0.02


@register(
    NDVI,
    label="NDVI error",
    unit="1",
    better="lower",
    paper="mean |Δ NDVI|; Rouse et al. 1974, NASA SP-351",
    profile=EXTENDED,
)
def ndvi_error(inputs: MetricInputs) -> tf.Tensor:
    """Mean absolute error of NDVI = (nir - red) / (nir + red) (Rouse et al. 1974), in [0, 2].

    Pixels whose truth has nir + red below 0.02 are left out. A prediction below it has no NDVI and
    counts as the worst there is, 1 + |NDVI| of the truth, so that nothing is gained by predicting
    black. Both indices are clipped to [-1, 1], where those of reflectances above 0 lie. NaN where
    no pixel is left.

    Raises:
        ConfigError: It is not known which bands are red and near infrared.
    """
    if inputs.red_nir is None:
        raise ConfigError(
            f"{NDVI} needs to know which bands are red and near infrared",
            where="metrics",
            hint="pass red_nir=(position of red, position of near infrared)",
        )
    truth, has_truth = _index(inputs.target, inputs.red_nir)
    guess, has_guess = _index(inputs.prediction, inputs.red_nir)
    error = tf.where(has_guess, tf.abs(guess - truth), 1.0 + tf.abs(truth))
    return masked_mean(error[..., tf.newaxis], inputs.valid & has_truth)[:, 0]


def _index(image: tf.Tensor, red_nir: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
    """NDVI ``[B, H, W]``, 0 where there is none, and where there is one."""
    red, nir = (image[..., place] for place in red_nir)
    defined = nir + red >= LEAST_SUM
    value = tf.math.divide_no_nan(nir - red, tf.where(defined, nir + red, 0.0))
    return tf.clip_by_value(value, -1.0, 1.0), defined
