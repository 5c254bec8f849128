"""HaarPSI (Reisenhofer, Bosse, Kutyniok, Wiegand 2018, Signal Processing: Image Comm. 61:33-43).

Written from the paper's formulas: C = 30, alpha = 4.2, images on 0-255, three Haar scales.
"""

from __future__ import annotations

import tensorflow as tf

from sensor2sensor.metrics.arrays import FLOAT32_STEP, NAN, whole_windows
from sensor2sensor.metrics.inputs import MetricInputs
from sensor2sensor.metrics.planes import Places, boxes, flat, pixels_first, places, size_of
from sensor2sensor.metrics.registry import register

C = 30.0  # of the paper, as is alpha: both fitted to opinions of people on 0-255 images
ALPHA = 4.2
# Luminance and two chromas of NTSC; rows of the last two sum to 0, so that grey has no chroma.
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
COARSEST_PX = 8


def _similarity(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return (2.0 * a * b + C) / (a * a + b * b + C)


def _halve(x: tf.Tensor) -> tf.Tensor:
    """The viewing-distance step: means of 2 x 2 pixels of ``[H, W, P]``, zeros behind the last."""
    high, wide = size_of(x, 0), size_of(x, 1)
    x = tf.pad(x, [[0, high % 2], [0, wide % 2], [0, 0]])
    high, wide, count = (high + 1) // 2, (wide + 1) // 2, size_of(x, -1)
    rows = tf.reshape(x, [high, 2, -1])
    pairs = tf.reshape(rows[:, 0] + rows[:, 1], [-1, 2, count])
    return tf.reshape(0.25 * (pairs[:, 0] + pairs[:, 1]), [high, wide, count])


def _untouched(valid: tf.Tensor, *, halve: bool) -> tf.Tensor:
    """Positions whose largest Haar kernel sees valid pixels only: ``[B, h, w]`` bool."""
    if halve:
        valid = whole_windows(_within(valid, 0, 1), 2)[:, ::2, ::2]
    half = COARSEST_PX // 2
    return whole_windows(_within(valid, half - 1, half), COARSEST_PX)


def _within(valid: tf.Tensor, before: int, after: int) -> tf.Tensor:
    """Outside of an image there is nothing invalid."""
    sides = [[0, 0], [before, after], [before, after]]
    return tf.pad(valid, sides, constant_values=True)


def _kernels(valid: tf.Tensor) -> tf.Tensor:
    """Where the largest kernel sees valid pixels only, on the halved grid: ``[B, h, w]``."""
    return _untouched(valid, halve=True)


class _Pair:
    """One plane of each image of both sides, under the Haar kernels of all scales.

    A kernel's sums are made of those of the next smaller one. Zeros lie around an image, three
    before it and four behind, as an even kernel has no centre and MATLAB's ``same`` puts its extra
    row and column below and to the right.

    Args:
        x: ``[h, w, P]`` of 0-255.
        y: Like ``x``.
    """

    def __init__(self, x: tf.Tensor, y: tf.Tensor) -> None:
        half = COARSEST_PX // 2
        self._row_px = size_of(x, 1) + COARSEST_PX - 1
        # To the end of the last position's largest kernel.
        self._count = size_of(x, 0) * self._row_px - (COARSEST_PX - 1)
        around = [[0, 0], [half - 1, half], [half - 1, half], [0, 0]]
        padded = tf.pad(tf.stack([x, y]), around)
        self._next = size_of(padded, 1) * self._row_px
        self._sums, self._side_px = flat(padded), 1

    def _sides(self, sums: tf.Tensor, size_px: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Magnitudes at the positions of both images, of kernels of +-1 / size."""
        first = (COARSEST_PX // 2 - size_px // 2) * (self._row_px + 1)
        starts = first, first + self._next
        x, y = (tf.abs(sums[start : start + self._count]) / size_px for start in starts)
        return x, y

    def scale(self) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Responses of the next scale, first of edges that lie flat and then of upright ones."""
        side, size = self._side_px, 2 * self._side_px
        down = side * self._row_px
        # A convolution would flip the kernel, which turns its sign alone: the magnitude is the
        # same.
        right = self._sums[:-side] + self._sums[side:]
        below = self._sums[:-down] + self._sums[down:]
        found = [right[:-down] - right[down:], below[:-side] - below[side:]]
        self._sums, self._side_px = right[:-down] + right[down:], size
        return [self._sides(one, size) for one in found]

    def means(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Magnitudes of the means over 2 x 2 pixels, of planes under no kernel yet."""
        x, y = self._sides(boxes(self._sums, self._row_px, 2), 2)
        return x / 2.0, y / 2.0

    def places(self, valid: tf.Tensor, repeats: int) -> Places:
        """Positions that count, ``[B, h, w]`` of ``repeats`` planes an image."""
        return places(valid, repeats, self._row_px)


def _index(
    grey: tuple[tf.Tensor, tf.Tensor],
    chroma: list[tuple[tf.Tensor, tf.Tensor]],
    valid: tf.Tensor,
    repeats: int = 1,
) -> tf.Tensor:
    """HaarPSI of luminance and chroma planes ``[h, w, P]``: ``[P]``; NaN where no weight is left.

    [logit(sum sigmoid(similarity) weight / sum weight)]^2 over all positions and orientations.
    """
    pair = _Pair(*grey)
    fine, middle, coarse = pair.scale(), pair.scale(), pair.scale()
    similarities = [
        (_similarity(*one) + _similarity(*two)) / 2.0 for one, two in zip(fine, middle, strict=True)
    ]
    where = pair.places(valid, repeats)
    weights = [tf.maximum(*sides) * where.weight for sides in coarse]
    if chroma:
        first, second = (_similarity(*_Pair(*sides).means()) for sides in chroma)
        similarities.append((first + second) / 2.0)
        # Chroma has no orientation: it is weighted by the mean of both.
        weights.append((weights[0] + weights[1]) / 2.0)
    total = sum(tf.reduce_sum(w, axis=0) for w in weights)
    squashed = sum(
        tf.reduce_sum(tf.sigmoid(ALPHA * s) * w, axis=0)
        for s, w in zip(similarities, weights, strict=True)
    )
    share = squashed / total
    # Similarities end at 1, so the share ends at sigmoid(4.2) = 0.985: never log of infinity.
    return (tf.math.log(share / (1.0 - share)) / ALPHA) ** 2


def _yiq(rgb: list[tf.Tensor]) -> list[tf.Tensor]:
    """Luminance and two chroma planes of red, green and blue ones."""
    return [tf.add_n([w * band for w, band in zip(row, rgb, strict=True)]) for row in YIQ]


def haarpsi(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """HaarPSI of whole images on 0-255.

    Args:
        x: Reference ``[B, H, W, 3]`` (red, green, blue) or ``[B, H, W, 1]`` (grey), float64.
        y: Like ``x``.

    Returns:
        ``[B]`` in [0, 1]; NaN where no position has weight.
    """
    sides = [tf.split(_halve(pixels_first(image)), x.shape[-1], axis=-1) for image in (x, y)]
    everywhere = tf.ones_like(x[:, ::2, ::2, 0], tf.bool)
    return _of_bands(sides[0], sides[1], everywhere)


def _of_bands(x: list[tf.Tensor], y: list[tf.Tensor], valid: tf.Tensor) -> tf.Tensor:
    """HaarPSI of halved images by band ``[h, w, B]``, three or one of them: ``[B]``."""
    if len(x) == 1:
        return _index((x[0], y[0]), [], valid)
    luminance, *chroma = zip(_yiq(x), _yiq(y), strict=True)
    return _index(luminance, chroma, valid)


def _on_255(inputs: MetricInputs) -> tuple[tf.Tensor, tf.Tensor]:
    """Both images with each band's range mapped to 0-255 and clipped, halved: ``[h, w, N]``."""
    planes = inputs.planes
    low = planes.planes(255.0 * inputs.lows / inputs.spans)
    pair = planes.target, planes.prediction
    x, y = (tf.clip_by_value(255.0 * image - low, 0.0, 255.0) for image in pair)
    return _halve(planes.images(x)), _halve(planes.images(y))


def _unless_flat(
    value: tf.Tensor, inputs: MetricInputs, order: tuple[int, ...] | None = None
) -> tf.Tensor:
    """NaN where both images are constant: only the zero padding around them would answer."""
    planes, flats = inputs.planes, []
    low = planes.planes(inputs.lows / inputs.spans)
    for ends in planes.ends:
        least, most = (tf.clip_by_value(end - low, 0.0, 1.0) for end in ends)
        flats.append(planes.fold(most - least <= 4 * FLOAT32_STEP * most))
    flat_bands = flats[0] & flats[1]
    flat_bands = flat_bands if order is None else tf.gather(flat_bands, order, axis=-1)
    flat_images = tf.reduce_all(flat_bands, axis=-1)
    return tf.where(flat_images, tf.constant(NAN, value.dtype), value)


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
    x, y = (tf.split(image, inputs.planes.bands, axis=-1) for image in _on_255(inputs))
    colour = inputs.colour or ()
    x, y = ([bands[place] for place in colour] for bands in (x, y))
    value = _of_bands(x, y, _untouched(inputs.valid, halve=True))
    return _unless_flat(value, inputs, colour)


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
    planes = inputs.planes
    single = _index(_on_255(inputs), [], _untouched(inputs.valid, halve=True), planes.bands)
    return _unless_flat(tf.reduce_mean(planes.fold(single), axis=-1), inputs)
