"""Random geometry, drawn once for all pictures of a sample, and keyed by the sample.

Images are resampled bilinearly, masks by nearest neighbour. Every draw is stateless: the same seed
pair gives the same picture on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from sensor2sensor.pipeline.pixel_map import PixelMap, enlarged

Rotation = bool | Literal["flip"]
Resize = float | tuple[float, float]
Method = Literal["bilinear", "nearest"]


@dataclass(frozen=True)
class AugmentSpec:
    """What may be drawn.

    Attributes:
        height: Rows that come out, of pictures on the target's grid.
        width: Columns that come out.
        random_resize: The picture is enlarged by a factor uniform in [1, f] or, of two, between
            them, then cropped back at random; None or 1 for never.
        random_rotate: True: eight symmetries of the square (four for other shapes); ``flip``:
            left and right exchanged half the time; False: never.
        random_crop: Cut a window of the wanted size instead of resizing the tile to it.
        factor: Target pixels along a side of a pixel of the coarse pictures. Windows lie on whole
            coarse pixels, so that all pictures show the same ground.
        native_px: Coarse pixels along a side of the coarsest band's own pixel: windows lie on whole
            ones of these too, for 20 m bands on a 10 m grid are taken back by every second pixel.
    """

    height: int
    width: int
    random_resize: Resize | None = None
    random_rotate: Rotation = False
    random_crop: bool = False
    factor: int = 1
    native_px: int = 1

    @property
    def factors(self) -> tuple[float, float]:
        """Least and largest enlargement."""
        asked = self.random_resize or 1.0
        ends = asked if isinstance(asked, tuple) else (1.0, float(asked))
        return min(ends), max(ends)

    @property
    def resizes(self) -> bool:
        """Whether pictures are enlarged at random."""
        return self.factors[1] > 1

    def size(self, *, coarse: bool) -> tuple[int, int]:
        """Rows and columns that come out of a picture."""
        cell = self.factor if coarse else 1
        return self.height // cell, self.width // cell


@dataclass(frozen=True)
class Picture:
    """One picture of a sample.

    Attributes:
        values: ``[h, w, C]``.
        method: How it is resampled; classes have no mean.
        coarse: Whether it has one pixel where the target has ``factor`` squared.
        table: Of a picture that is a :class:`PixelMap`, whose ``values`` are its index.
    """

    values: tf.Tensor
    method: Method = "bilinear"
    coarse: bool = False
    table: tf.Tensor | None = None


def augment(
    image: tf.Tensor | PixelMap,
    target: tf.Tensor,
    seed: tf.Tensor | Sequence[int] | None,
    spec: AugmentSpec,
    extras: Sequence[Picture] = (),
) -> tuple[Any, ...]:
    """Apply one draw to all pictures of a sample.

    Args:
        image: ``[h, w, Ci]``; with a ``factor`` above 1 the coarse picture. A map's tile has the
            wanted size, or a window is cut from it: its numbers bear no resizing.
        target: ``[h, w, Ct]``.
        seed: Two integers that key the draw; None for the middle of all that may be drawn.
        spec: What may be drawn.
        extras: Further pictures, masks among them.

    Returns:
        Image, target and extras of ``[height, width, C]``; the image a map where it was one.
    """
    # Named, since the algorithm that TensorFlow would choose is another one on another device.
    # All six whatever is asked for: an option turned off leaves the draws of the others.
    drawn = seed is not None
    draw = tf.random.stateless_uniform([6], seed, alg="philox") if drawn else tf.fill([6], 0.5)
    coarse = spec.factor > 1
    mapped = isinstance(image, PixelMap)
    first = Picture(image.index, table=image.table) if mapped else Picture(image, coarse=coarse)
    return tuple(_transform(picture, draw, spec) for picture in (first, Picture(target), *extras))


def _transform(picture: Picture, draw: tf.Tensor, spec: AugmentSpec) -> tf.Tensor | PixelMap:
    height, width = spec.size(coarse=picture.coarse)
    values, table = fit(picture, spec, draw[0:2]), picture.table
    if spec.resizes:
        # The jitter of pix2pix, there always 286 / 256 (Isola et al. 2017, appendix 6.2).
        least, largest = spec.factors
        factor = least + draw[2] * (largest - least)
        size = tf.cast(tf.round(factor * [float(height), float(width)]), tf.int32)
        # Of any pixel, not of whole coarse ones: an input on its own grid refuses random_resize.
        if table is None:
            values = crop(_resize(values, size, picture.method), height, width, draw[3:5])
        else:
            start = corner(size, height, width, draw[3:5])
            table, values = enlarged(PixelMap(table, values), size, start, height, width)
    if spec.random_rotate:
        values = _symmetry(values, draw[5], spec)
    values.set_shape([height, width, values.shape[-1]])
    return values if table is None else PixelMap(table, values)


def fit(picture: Picture, spec: AugmentSpec, where: tf.Tensor | Sequence[float]) -> tf.Tensor:
    """Bring a tile to the wanted size: a window at ``where`` (0-1 down, across), or resized."""
    values, size = picture.values, spec.size(coarse=picture.coarse)
    if values.shape[:2] == size:
        return values
    if spec.random_crop:
        # The same count of places on both grids, so that one draw cuts the same ground.
        cell = spec.native_px * (1 if picture.coarse else spec.factor)
        return crop(values, *size, where, cell=cell)
    return _resize(values, size, picture.method)


def _resize(picture: tf.Tensor, size: tf.Tensor | Sequence[int], method: Method) -> tf.Tensor:
    # Half-pixel centres: pictures of other pixel sizes keep covering the same ground. Bilinear
    # gives float32 whatever goes in, and takes no mean of what it skips where it makes smaller.
    return tf.cast(tf.image.resize(picture, size, method=method), picture.dtype)


def crop(
    picture: tf.Tensor,
    height: int,
    width: int,
    where: tf.Tensor | Sequence[float],
    cell: int = 1,
) -> tf.Tensor:
    """Cut ``[height, width]`` at ``where`` (0-1 down, across) of the places it can lie at.

    These are ``cell`` pixels apart, from the upper-left corner on.
    """
    start = corner(tf.shape(picture)[:2], height, width, where, cell)
    # Of a known size, unlike picture[a : a + height].
    return tf.slice(picture, tf.concat([start, [0]], 0), [height, width, picture.shape[-1]])


def corner(
    size: tf.Tensor,
    height: int,
    width: int,
    where: tf.Tensor | Sequence[float],
    cell: int = 1,
) -> tf.Tensor:
    """First row and column, int32, of the window that :func:`crop` cuts from a picture so large."""
    room = (size - [height, width]) // cell
    places = tf.cast(room + 1, tf.float32) * tf.cast(where, tf.float32)
    # A draw just below 1 is rounded up to room + 1 places where there are many.
    return tf.minimum(tf.cast(places, tf.int32), room) * cell


def _symmetry(picture: tf.Tensor, draw: tf.Tensor, spec: AugmentSpec) -> tf.Tensor:
    # tf.reverse, not a slice with step -1: that one copies number by number, 15 times slower.
    if spec.random_rotate == "flip":
        return tf.cond(draw < 0.5, lambda: picture, lambda: tf.reverse(picture, [1]))
    count = 8 if spec.height == spec.width else 4
    k = tf.minimum(tf.cast(draw * count, tf.int32), count - 1)  # rounding, as in crop
    picture = tf.cond(k % 2 == 1, lambda: tf.reverse(picture, [1]), lambda: picture)
    picture = tf.cond((k // 2) % 2 == 1, lambda: tf.reverse(picture, [0]), lambda: picture)
    if count == 8:
        # Both mirrors and a transposition generate all eight symmetries of the square.
        picture = tf.cond(k // 4 == 1, lambda: tf.transpose(picture, [1, 0, 2]), lambda: picture)
    return picture
