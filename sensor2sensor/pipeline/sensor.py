"""How a coarser sensor sees each band of a finer grid, bands of different pixels together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from sensor2sensor.pipeline import bicubic, psf


@dataclass(frozen=True)
class Sensor:
    """A sensor whose image is stored on one grid, coarser bands repeated on it.

    Attributes:
        factor: Fine pixels along a side of a pixel of that grid.
        native_px: Pixels of that grid along a side of each band's own pixel.
        mtf: Of each band, at the Nyquist frequency of its own pixel.
        half_width: Of the Gaussians.
        coefficient: Of bicubic interpolation.
    """

    factor: int
    native_px: tuple[int, ...]
    mtf: tuple[float, ...]
    half_width: psf.HalfWidth = "auto"
    coefficient: float = bicubic.KEYS

    def of(self, bands: Sequence[int]) -> Sensor:
        """The same for some bands, in their order."""
        native = tuple(self.native_px[band] for band in bands)
        return replace(self, native_px=native, mtf=tuple(self.mtf[band] for band in bands))

    def seen(self, image: tf.Tensor) -> tf.Tensor:
        """An image ``[B, H, W, C]`` as the sensor sees it, ``[B, H/factor, W/factor, C]``."""

        def one(part: tf.Tensor, native: int, mtf: Any) -> tf.Tensor:
            return bicubic.repeated(self._small(part, native, mtf), native)

        return self._by_pixel(image, one)

    def detail(self, image: tf.Tensor) -> tf.Tensor:
        """What the sensor does not see of an image, ``[B, H, W, C]``: its high frequencies."""

        def one(part: tf.Tensor, native: int, mtf: Any) -> tf.Tensor:
            small, shape = self._small(part, native, mtf), tf.shape(part)
            sides = (part.shape[1] or shape[1], part.shape[2] or shape[2])
            return part - bicubic.resize(small, *sides, coefficient=self.coefficient)

        return self._by_pixel(image, one)

    def _small(self, part: tf.Tensor, native: int, mtf: Any) -> tf.Tensor:
        options: dict[str, Any] = {"half_width": self.half_width, "coefficient": self.coefficient}
        return psf.degrade(part, self.factor * native, mtf, **options)

    def _by_pixel(
        self, image: tf.Tensor, apply: Callable[[tf.Tensor, int, Any], tf.Tensor]
    ) -> tf.Tensor:
        """``apply`` to the bands of one pixel size each, put together in the image's order."""
        groups = list(grouped(self.native_px))
        parts = [
            apply(picked(image, bands), native, [self.mtf[band] for band in bands])
            for native, bands in groups
        ]
        return together(parts, [bands for _, bands in groups])


def grouped(keys: Sequence[Any]) -> Iterator[tuple[Any, list[int]]]:
    """Each key with its positions, the smallest first."""
    for key in sorted(set(keys)):
        yield key, [place for place, other in enumerate(keys) if other == key]


def picked(image: tf.Tensor, bands: Sequence[int]) -> tf.Tensor:
    """Bands by position; the image itself where these are all in their order."""
    whole = list(bands) == list(range(image.shape[-1]))
    return image if whole else tf.gather(image, list(bands), axis=-1)


def together(parts: Sequence[tf.Tensor], bands: Sequence[Sequence[int]]) -> tf.Tensor:
    """Parts of an image, whose bands had these positions, as one image."""
    places = [band for part in bands for band in part]
    back = sorted(range(len(places)), key=places.__getitem__)
    return picked(tf.concat(parts, -1) if len(parts) > 1 else parts[0], back)
