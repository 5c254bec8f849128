"""HaarPSI (Reisenhofer, Bosse, Kutyniok, Wiegand 2018, Signal Processing: Image Comm. 61:33-43).

Written from the paper's formulas: C = 30, alpha = 4.2, images on 0-255, three Haar scales.
"""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.metrics.arrays import NAN, pad, windows
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.registry import register
from sensor2sensor.metrics.spatial import is_constant

C = 30.0  # of the paper, as is alpha: both fitted to opinions of people on 0-255 images
ALPHA = 4.2
# Luminance and two chromas of NTSC; rows of the last two sum to 0, so that grey has no chroma.
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
COARSEST_PX = 8


def _same(x: tf.Tensor, column: list[float], row: list[float]) -> tf.Tensor:
    """Correlation with an even kernel, zeros outside, aligned as MATLAB's ``same``."""
    half = len(column) // 2
    # An even kernel has no centre: its extra row and column lie below and to the right.
    return windows(pad(x, half - 1, half), column, row)


def _mean2(x: tf.Tensor) -> tf.Tensor:
    """Mean over 2 x 2 pixels at the original size."""
    return _same(x, [0.5, 0.5], [0.5, 0.5])


def _halve(x: tf.Tensor) -> tf.Tensor:
    """The viewing-distance step: 2 x 2 mean, then every second row and column."""
    return _mean2(x)[:, ::2, ::2]


def _haar(luminance: tf.Tensor, scale: int, *, vertical: bool) -> tf.Tensor:
    """Magnitude of the Haar response with a 2^scale kernel of +-2^-scale: ``[B, H, W, 1]``."""
    size = 2**scale
    # A convolution would flip the kernel, which turns its sign alone: the magnitude is the same.
    step = [1.0] * (size // 2) + [-1.0] * (size // 2)
    flat = [2.0**-scale] * size
    return tf.abs(_same(luminance, *((step, flat) if vertical else (flat, step))))


def _similarity(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return (2.0 * a * b + C) / (a * a + b * b + C)


def _orientation(x: tf.Tensor, y: tf.Tensor, *, vertical: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Local similarity (scales 1 and 2) and weight (scale 3) of one orientation."""
    pairs = [(_haar(x, j, vertical=vertical), _haar(y, j, vertical=vertical)) for j in (1, 2, 3)]
    similarity = (_similarity(*pairs[0]) + _similarity(*pairs[1])) / 2.0
    return similarity, tf.maximum(*pairs[2])


def _yiq(rgb: tf.Tensor) -> list[tf.Tensor]:
    """Luminance and two chroma planes, each ``[B, H, W, 1]``."""
    rows = [tf.constant(row, rgb.dtype) for row in YIQ]
    return [tf.reduce_sum(rgb * row, axis=-1, keepdims=True) for row in rows]


def _untouched(valid: tf.Tensor, *, halve: bool) -> tf.Tensor:
    """Positions whose largest Haar kernel sees valid pixels only: ``[B, h, w, 1]`` float64."""
    invalid = tf.cast(~valid, tf.float32)[..., tf.newaxis]
    if halve:
        invalid = tf.nn.max_pool2d(pad(invalid, 0, 1), 2, 1, "VALID")[:, ::2, ::2]
    half = COARSEST_PX // 2
    touched = tf.nn.max_pool2d(pad(invalid, half - 1, half), COARSEST_PX, 1, "VALID")
    return tf.cast(touched == 0.0, tf.float64)


def _kernels(valid: tf.Tensor) -> tf.Tensor:
    """Where the largest kernel sees valid pixels only, on the halved grid: ``[B, h, w]``."""
    return _untouched(valid, halve=True)[..., 0] > 0.0


def _pool(similarities: list[tf.Tensor], weights: list[tf.Tensor]) -> tf.Tensor:
    """[logit(sum sigmoid(sim) weight / sum weight)]^2; NaN where no weight is left."""
    total = sum(tf.reduce_sum(w, axis=[1, 2, 3]) for w in weights)
    squashed = sum(
        tf.reduce_sum(tf.sigmoid(ALPHA * s) * w, axis=[1, 2, 3])
        for s, w in zip(similarities, weights, strict=True)
    )
    share = squashed / total
    # Similarities end at 1, so the share ends at sigmoid(4.2) = 0.985: never log of infinity.
    return (tf.math.log(share / (1.0 - share)) / ALPHA) ** 2


def haarpsi(
    x: tf.Tensor, y: tf.Tensor, *, valid: tf.Tensor | None = None, halve: bool = True
) -> tf.Tensor:
    """HaarPSI of images on 0-255.

    Args:
        x: Reference ``[B, H, W, 3]`` (red, green, blue) or ``[B, H, W, 1]`` (grey), float64.
        y: Like ``x``.
        valid: ``[B, H, W]`` bool; positions whose kernels touch an invalid pixel get no weight.
        halve: Apply the viewing-distance step (the published default).

    Returns:
        ``[B]`` in [0, 1]; NaN where no position has weight.
    """
    planes_x = _yiq(x) if x.shape[-1] == 3 else [x]
    planes_y = _yiq(y) if y.shape[-1] == 3 else [y]
    if halve:
        planes_x, planes_y = [_halve(p) for p in planes_x], [_halve(p) for p in planes_y]
    similarities, weights = [], []
    for vertical in (True, False):
        similarity, weight = _orientation(planes_x[0], planes_y[0], vertical=vertical)
        similarities.append(similarity)
        weights.append(weight)
    if len(planes_x) == 3:
        chroma = [
            _similarity(tf.abs(_mean2(a)), tf.abs(_mean2(b)))
            for a, b in zip(planes_x[1:], planes_y[1:], strict=True)
        ]
        similarities.append((chroma[0] + chroma[1]) / 2.0)
        # Chroma has no orientation: it is weighted by the mean of both.
        weights.append((weights[0] + weights[1]) / 2.0)
    if valid is not None:
        weights = [weight * _untouched(valid, halve=halve) for weight in weights]
    return _pool(similarities, weights)


def _on_255(inputs: MetricInputs) -> tuple[tf.Tensor, tf.Tensor]:
    """Both images with each band's value range mapped to 0-255 and clipped."""
    x = tf.clip_by_value(inputs.scaled_target, 0.0, 1.0) * 255.0
    return x, tf.clip_by_value(inputs.scaled_prediction, 0.0, 1.0) * 255.0


def _unless_flat(value: tf.Tensor, x: tf.Tensor, y: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """NaN where both images are constant: only the zero padding around them would answer."""
    flat = is_constant(x, valid) & is_constant(y, valid)
    return tf.where(flat, tf.constant(NAN, value.dtype), value)


@register(
    "hpsi",
    label="HPSI (colour)",
    unit="1",
    better="higher",
    paper="Reisenhofer et al. 2018, SPIC 61:33-43",
    places=_kernels,
)
def hpsi(inputs: MetricInputs) -> tf.Tensor:
    """HaarPSI in colour (YIQ) of the bands that are declared true-colour red, green and blue.

    Each band's value range is mapped to 0-255 and clipped. NaN where target and prediction are both
    constant.
    """
    x, y = (tf.gather(image, inputs.colour, axis=-1) for image in _on_255(inputs))
    return _unless_flat(haarpsi(x, y, valid=inputs.valid), x, y, inputs.valid)


@register(
    "hpsi_bands",
    label="HPSI (mean of bands)",
    unit="1",
    better="higher",
    paper="Reisenhofer et al. 2018, SPIC 61:33-43, grey, band by band",
    places=_kernels,
)
def hpsi_bands(inputs: MetricInputs) -> tf.Tensor:
    """Mean over the bands of each band's grey HaarPSI, for images without declared colours.

    Ranges and NaN as in :func:`hpsi`.
    """
    x, y = _on_255(inputs)
    bands = x.shape[-1]
    # All images of one band, then of the next: tile and reshape below count in that order.
    grey_x, grey_y = (tf.concat(tf.split(image, bands, axis=-1), axis=0) for image in (x, y))
    single = haarpsi(grey_x, grey_y, valid=tf.tile(inputs.valid, [bands, 1, 1]))
    value = tf.reduce_mean(tf.reshape(single, [bands, -1]), axis=0)
    return _unless_flat(value, x, y, inputs.valid)
