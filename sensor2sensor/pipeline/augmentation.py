"""Random geometry, drawn once for input, target and masks, and keyed by the sample.

Images are resampled bilinearly, masks by nearest neighbour. Every draw is stateless: the same seed
pair gives the same picture on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

Rotation = bool | Literal["flip"]


@dataclass(frozen=True)
class AugmentSpec:
    """What may be drawn.

    Attributes:
        height: Rows that come out.
        width: Columns that come out.
        random_resize: The picture is enlarged by a factor uniform in [1, f], then cropped back at
            random; None or 1 for never.
        random_rotate: True: eight symmetries of the square (four for other shapes); ``flip``:
            left and right exchanged half the time; False: never.
        random_crop: Cut a window of the wanted size instead of resizing the tile to it.
    """

    height: int
    width: int
    random_resize: float | None = None
    random_rotate: Rotation = False
    random_crop: bool = False

    @property
    def resizes(self) -> bool:
        """Whether pictures are enlarged at random."""
        return self.random_resize is not None and self.random_resize > 1


def augment(
    image: tf.Tensor,
    target: tf.Tensor,
    seed: tf.Tensor | Sequence[int],
    spec: AugmentSpec,
    mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, ...]:
    """Apply one draw to all pictures of a sample.

    Args:
        image: ``[h, w, Ci]``.
        target: ``[h, w, Ct]``.
        seed: Two integers that key the draw.
        spec: What may be drawn.
        mask: ``[h, w, Cm]`` class or bit values, optional.

    Returns:
        Image, target (and mask) of ``[height, width, C]``.
    """
    draw = tf.random.stateless_uniform([6], seed, alg="philox")
    images, masks = [image, target], [] if mask is None else [mask]
    pictures = [(p, "bilinear") for p in images] + [(m, "nearest") for m in masks]
    return tuple(_transform(p, method, draw, spec) for p, method in pictures)


def _transform(picture: tf.Tensor, method: str, draw: tf.Tensor, spec: AugmentSpec) -> tf.Tensor:
    picture = fit(picture, spec, method, draw[0:2])
    if spec.resizes:
        factor = 1.0 + draw[2] * (float(spec.random_resize or 1.0) - 1.0)
        size = tf.cast(tf.round(factor * [float(spec.height), float(spec.width)]), tf.int32)
        picture = crop(_resize(picture, size, method), spec.height, spec.width, draw[3:5])
    if spec.random_rotate:
        picture = _symmetry(picture, draw[5], spec)
    picture.set_shape([spec.height, spec.width, picture.shape[-1]])
    return picture


def fit(
    picture: tf.Tensor, spec: AugmentSpec, method: str, where: tf.Tensor | Sequence[float]
) -> tf.Tensor:
    """Bring a tile to the wanted size: a window at ``where`` (0-1 down, across), or resized."""
    if picture.shape[:2] == (spec.height, spec.width):
        return picture
    if spec.random_crop:
        return crop(picture, spec.height, spec.width, where)
    return _resize(picture, [spec.height, spec.width], method)


def _resize(picture: tf.Tensor, size: tf.Tensor | Sequence[int], method: str) -> tf.Tensor:
    return tf.cast(tf.image.resize(picture, size, method=method), picture.dtype)


def crop(
    picture: tf.Tensor, height: int, width: int, where: tf.Tensor | Sequence[float]
) -> tf.Tensor:
    """Cut ``[height, width]`` at ``where`` (0-1 down, across) of the places it can lie at."""
    room = tf.shape(picture)[:2] - [height, width]
    places = tf.cast(room + 1, tf.float32) * tf.cast(where, tf.float32)
    start = tf.minimum(tf.cast(places, tf.int32), room)
    return picture[start[0] : start[0] + height, start[1] : start[1] + width]


def _symmetry(picture: tf.Tensor, draw: tf.Tensor, spec: AugmentSpec) -> tf.Tensor:
    # tf.reverse, not a slice with step -1: that one copies number by number, 15 times slower.
    if spec.random_rotate == "flip":
        return tf.cond(draw < 0.5, lambda: picture, lambda: tf.reverse(picture, [1]))
    count = 8 if spec.height == spec.width else 4
    k = tf.minimum(tf.cast(draw * count, tf.int32), count - 1)
    picture = tf.cond(k % 2 == 1, lambda: tf.reverse(picture, [1]), lambda: picture)
    picture = tf.cond((k // 2) % 2 == 1, lambda: tf.reverse(picture, [0]), lambda: picture)
    if count == 8:
        # Both mirrors and a transposition generate all eight symmetries of the square.
        picture = tf.cond(k // 4 == 1, lambda: tf.transpose(picture, [1, 0, 2]), lambda: picture)
    return picture
