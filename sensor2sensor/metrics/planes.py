"""Images with their pixels first: windows slide, and sums run, over whole vectors of planes.

Of ``[B, H, W, C]`` a window's step is a slice that copies, and a sum over pixels goes by C numbers
at a time, of which there are three. Here the planes of all bands and images lie innermost, ``[H, W,
N]`` with N = C * B: a step down or to the right is a slice of the flattened pixels that copies
nothing, at the price of places at the end of each row whose window runs into the next one. They are
never counted. Everything is float64: a variance of flat snow is what is left of two large numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from sensor2sensor.metrics.inputs import MetricInputs


def size_of(x: tf.Tensor, axis: int) -> Any:
    """How long an axis is: a number where it is known while tracing, else a tensor."""
    known = x.shape[axis]
    return tf.shape(x)[axis] if known is None else known


def pixels_first(images: tf.Tensor) -> tf.Tensor:
    """``[B, H, W, C]`` to ``[H, W, C * B]``: all images of one band, then of the next."""
    turned = tf.transpose(images, [1, 2, 3, 0])
    return tf.reshape(turned, [size_of(turned, 0), size_of(turned, 1), -1])


def flat(x: tf.Tensor) -> tf.Tensor:
    """``[..., H, W, N]`` to ``[pixels, N]``, row by row."""
    return tf.reshape(x, [-1, size_of(x, -1)])


@dataclass(frozen=True)
class Places:
    """Where values count.

    Attributes:
        weight: 1 there and 0 elsewhere, ``[L, N]`` float64.
        count: How many there are, ``[N]`` float64.
    """

    weight: tf.Tensor
    count: tf.Tensor

    def mean(self, x: tf.Tensor) -> tf.Tensor:
        """Mean over the places of finite values ``[L, N]``: ``[N]``, NaN without any place."""
        return tf.reduce_sum(x * self.weight, axis=0) / self.count

    def centred(self, x: tf.Tensor) -> tf.Tensor:
        """Values less their mean, 0 where they do not count."""
        return (x - self.mean(x)) * self.weight


def places(valid: tf.Tensor, bands: int, row_px: Any = None) -> Places:
    """The places of all bands' planes.

    Args:
        valid: ``[B, h, w]`` bool.
        bands: C.
        row_px: From one row to the next, where that is more than w: of windows in flattened pixels.
    """
    turned = tf.transpose(valid, [1, 2, 0])
    wide = size_of(turned, 1)
    if row_px is not None:
        turned = tf.pad(turned, [[0, 0], [0, row_px - wide], [0, 0]])
    every = flat(turned)
    # The last row ends with its last window: behind it there is no pixel left.
    every = every if row_px is None else every[: size_of(every, 0) - (row_px - wide)]
    weight = tf.cast(every, tf.float64)
    count = tf.reduce_sum(weight, axis=0)
    return Places(tf.tile(weight, [1, bands]), tf.tile(count, [bands]))


def boxes(x: tf.Tensor, row_px: Any, size_px: int) -> tf.Tensor:
    """Sums over square windows of flattened pixels ``[L, N]``; 2, or a multiple of it, wide.

    Each sum is made of its own values alone: a running one would carry the rounding of all before.
    """
    for by in (row_px, 1):
        # Pairs first: half as many terms are left.
        x = x[:-by] + x[by:]
        count = size_of(x, 0) - (size_px - 2) * by
        x = tf.add_n([x[i * by : i * by + count] for i in range(0, size_px, 2)])
    return x


def laplacian8(x: tf.Tensor, row_px: Any) -> tf.Tensor:
    """Response of [-1 -1 -1; -1 8 -1; -1 -1 -1] where it fits, of flattened pixels ``[L, N]``."""
    rows = tf.add_n([x[: -2 * row_px], x[row_px:-row_px], x[2 * row_px :]])
    around = tf.add_n([rows[:-2], rows[1:-1], rows[2:]])
    # Nine times the centre less the sum of all nine is 8 and eight times -1.
    return 9.0 * x[row_px + 1 : -row_px - 1] - around


def laplacian4(x: tf.Tensor, row_px: Any) -> tf.Tensor:
    """Response of [0 -1 0; -1 4 -1; 0 -1 0] where it fits, of flattened pixels ``[L, N]``."""
    count = size_of(x, 0) - 2 * row_px - 2
    starts = (1, row_px, row_px + 2, 2 * row_px + 1)
    around = tf.add_n([x[start : start + count] for start in starts])
    return 4.0 * x[row_px + 1 : row_px + 1 + count] - around


def separable(x: tf.Tensor, kernel: Sequence[float]) -> tf.Tensor:
    """Correlate rows and columns with a kernel, where it fits: ``[K, H, W, N]``."""
    for shape in ([-1, 1, 1, 1], [1, -1, 1, 1]):
        side = tf.reshape(tf.constant(kernel, x.dtype), shape)
        every = tf.tile(side, [1, 1, size_of(x, -1), 1])
        x = tf.nn.depthwise_conv2d(x, every, [1, 1, 1, 1], "VALID")
    return x


def pearson(
    x: tf.Tensor, y: tf.Tensor, where: Places, noise_x: tf.Tensor, noise_y: tf.Tensor
) -> tf.Tensor:
    """Pearson correlation of each plane; NaN where either is constant.

    Args:
        x: ``[L, N]`` float64, centred (:meth:`Places.centred`).
        y: Like ``x``.
        where: The places they are centred over.
        noise_x: Spread up to which ``x`` counts as constant, ``[N]`` (rounding of its source).
        noise_y: The same for ``y``.

    Returns:
        ``[N]`` in [-1, 1].
    """
    # Centred first: E[xy] - E[x]E[y] loses its digits on bright, smooth images.
    xx, yy, xy = (tf.reduce_sum(a * b, axis=0) / where.count for a, b in ((x, x), (y, y), (x, y)))
    scale = tf.sqrt(xx * yy)
    varies = [
        tf.reduce_max(z, axis=0) - tf.reduce_min(z, axis=0) > noise
        for z, noise in ((x, noise_x), (y, noise_y))
    ]
    known = varies[0] & varies[1] & (scale > 0.0)
    # Rounding carries a perfect correlation a last digit beyond 1.
    value = tf.clip_by_value(tf.math.divide_no_nan(xy, scale), -1.0, 1.0)
    return tf.where(known, value, tf.constant(float("nan"), x.dtype))


class Planes:
    """A batch of truth and prediction, pixels first, in units of each band's value range.

    A range's lower end is not taken away: what is 0 stays exactly 0.

    Args:
        inputs: The batch as it was given.

    Attributes:
        target: ``[H * W, N]`` float64, 0 where it is not usable.
        prediction: Like ``target``.
        bands: C.
        height_px: H.
        row_px: W, from one row of flattened pixels to the next.
    """

    def __init__(self, inputs: MetricInputs) -> None:
        self.bands: int = inputs.truth.shape[-1]
        self.height_px, self.row_px = size_of(inputs.truth, 1), size_of(inputs.truth, 2)
        self._images, self._inputs = size_of(inputs.truth, 0), inputs
        usable = self.pixels if inputs.seen is None else places(inputs.usable, self.bands)
        scale = usable.weight / self.planes(inputs.spans)
        # Of NaN, where nothing is usable, it makes 0; a choice among three arrays takes longer.
        self.target, self.prediction = (
            tf.math.multiply_no_nan(tf.cast(flat(pixels_first(images)), tf.float64), scale)
            for images in (inputs.truth, inputs.guess)
        )

    def planes(self, of_bands: tf.Tensor) -> tf.Tensor:
        """A value of each band for each plane: ``[C]`` to ``[N]``."""
        return tf.repeat(of_bands, self._images)

    def fold(self, of_planes: tf.Tensor) -> tf.Tensor:
        """A value of each plane by image and band: ``[N]`` to ``[B, C]``."""
        return tf.transpose(tf.reshape(of_planes, [self.bands, -1]))

    def images(self, flattened: tf.Tensor) -> tf.Tensor:
        """``[..., H * W, N]`` to ``[..., H, W, N]``."""
        last = [self.height_px, self.row_px, size_of(flattened, -1)]
        return tf.reshape(flattened, [*flattened.shape[:-2], *last])

    def norm(self, x: tf.Tensor) -> tf.Tensor:
        """Root of the sum of squares over bands: ``[H * W, N]`` to ``[H * W, B]``."""
        bands = tf.reshape(x * x, [-1, self.bands, self._images])
        return tf.sqrt(tf.reduce_sum(bands, axis=1))

    @cached_property
    def pixels(self) -> Places:
        """The pixels that are scored."""
        return places(self._inputs.valid, self.bands)

    def mean(self, x: tf.Tensor) -> tf.Tensor:
        """Mean over the pixels that are scored, of values that are 0 where nothing is usable."""
        if self._inputs.seen is None:
            return tf.reduce_sum(x, axis=0) / self.pixels.count
        return self.pixels.mean(x)

    @cached_property
    def moments(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Sum and difference of prediction and truth, and their squares: each ``[2, H * W, N]``.

        All second moments of the pair follow from these two variances, and the difference of a
        perfect prediction is 0 to the last digit. SSIM and UIQI slide their windows over them.
        """
        # Two variances in place of two and a covariance: xy = ((x + y)² - (x - y)²) / 4.
        pair = tf.stack([self.prediction + self.target, self.prediction - self.target])
        return pair, pair * pair

    @cached_property
    def square_error(self) -> tf.Tensor:
        """Mean squared difference, in squared value ranges: ``[B, C]``."""
        return self.fold(self.mean(self.moments[1][1]))

    @cached_property
    def centred(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Truth and prediction less their means over the pixels, 0 where not scored."""
        weight = self.pixels.weight
        truth, guess = ((x - self.mean(x)) * weight for x in (self.target, self.prediction))
        return truth, guess

    @cached_property
    def ends(self) -> tuple[tuple[tf.Tensor, tf.Tensor], ...]:
        """Smallest and largest value of truth and of prediction, each ``[N]``."""
        found = []
        for x, centred in zip((self.target, self.prediction), self.centred, strict=True):
            # A centred plane holds 0 where it is not scored, which lies between its two ends.
            mean = self.mean(x)
            least, most = tf.reduce_min(centred, axis=0), tf.reduce_max(centred, axis=0)
            found.append((mean + least, mean + most))
        return tuple(found)

    @cached_property
    def magnitudes(self) -> tuple[tf.Tensor, ...]:
        """Largest absolute value of truth and of prediction, each ``[N]``."""
        return tuple(tf.maximum(tf.abs(low), tf.abs(high)) for low, high in self.ends)
