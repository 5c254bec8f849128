"""The point spread function of a coarser sensor, once: Gaussians named by their MTF.

The modulation transfer function (MTF) of a sensor of pixel r at its own Nyquist frequency is m; a
Gaussian of standard deviation sigma = (r / pi) sqrt(-2 ln m) has the same value there (Aiazzi et
al. 2006, doi:10.14358/PERS.72.5.591). All lengths are in pixels of the finer grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.pipeline import bicubic

HalfWidth = int | Literal["auto"]
# MTF of Sentinel-2's bands at the Nyquist frequency of their own pixel (sensorsio's table).
MTF: Mapping[str, float] = {
    "B2": 0.304, "B3": 0.276, "B4": 0.233, "B8": 0.222, "B5": 0.343, "B6": 0.336, "B7": 0.338,
    "B8A": 0.325, "B11": 0.21, "B12": 0.19,
}  # fmt: skip
# Beyond 4 sigma lie 6e-5 of a Gaussian; at 3 sigma its cut moves an MTF of 0.1 by 3 %.
_REACH_SIGMA = 4.0
# A Gaussian of no width is the nearest pixel, or the mean of those equally near.
_NARROWEST_PX = 0.05


def sigma_px(mtf: Any, factor: float) -> Any:
    """Standard deviation, in fine pixels, whose MTF at the coarse Nyquist frequency is ``mtf``.

    Args:
        mtf: In (0, 1): a number, an array or a tensor of any shape; the result is alike.
        factor: Fine pixels along a side of a coarse one.
    """
    if tf.is_tensor(mtf):
        return factor / math.pi * tf.sqrt(-2.0 * tf.math.log(mtf))
    return factor / math.pi * np.sqrt(-2.0 * np.log(mtf))


def reach_px(sigma: Any, half_width: HalfWidth = "auto") -> int:
    """Pixels on either side that a kernel has: as asked, or 4 sigma of the widest."""
    if half_width != "auto":
        return int(half_width)
    return max(math.ceil(_REACH_SIGMA * float(np.max(sigma))), 1)


def kernel(sigma: float, half_width: HalfWidth = "auto") -> np.ndarray[Any, Any]:
    """The Gaussian along one axis, ``[2 half_width + 1]`` float32, of sum 1."""
    reach = reach_px(sigma, half_width)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, _NARROWEST_PX)) ** 2)
    made: np.ndarray[Any, Any] = (weights / weights.sum()).astype(np.float32)
    return made


def blur(image: tf.Tensor, sigma: Any, half_width: HalfWidth = "auto") -> tf.Tensor:
    """An image ``[B, H, W, C]`` seen through a Gaussian, on its own grid.

    Args:
        image: Finite values; beyond the border they are reflected.
        sigma: In pixels: one, ``[C]`` or ``[B, C]``. A tensor needs a ``half_width`` in numbers.
        half_width: Pixels on either side, or ``auto``.
    """
    height, width = _sizes(image)
    return _apply(image, tf.range(height), tf.range(width), sigma, reach_px_of(sigma, half_width))


def degrade(
    image: tf.Tensor,
    factor: int,
    mtf: Any,
    *,
    half_width: HalfWidth = "auto",
    coefficient: float = bicubic.KEYS,
) -> tf.Tensor:
    """An image as a sensor of coarser pixels sees it, ``[B, H // factor, W // factor, C]``.

    With ``auto`` the Gaussian is sampled at the centres of the coarse pixels, so the MTF at their
    Nyquist frequency is ``mtf`` within 1 % (for ``mtf`` up to 0.5; a narrower Gaussian is aliased
    by the fine grid). With a number it is cut there, and the blurred image is interpolated
    bicubically at those centres without antialiasing, as torchsisr does: for factor 4 and 3 pixels
    0.1 becomes 0.28, and the interpolation takes some more.

    Args:
        image: Finite values ``[B, H, W, C]``; beyond the border they are reflected.
        factor: Fine pixels along a side of a coarse one; 1 blurs only.
        mtf: At the coarse Nyquist frequency, in (0, 1): one, ``[C]`` or ``[B, C]``. A tensor needs
            a ``half_width`` in numbers or one of :func:`reach_px`.
        half_width: Pixels on either side of the Gaussian, or ``auto``.
        coefficient: Of the bicubic interpolation, where ``half_width`` is a number.
    """
    sigma = sigma_px(mtf, factor)
    if half_width == "auto":
        return sampled(image, factor, sigma, reach_px_of(sigma, half_width))
    small = blur(image, sigma, half_width)
    if factor == 1:
        return small
    height, width = _sizes(image)
    rows, columns = height // factor, width // factor
    # A rest of pixels makes no coarse one: without it the ratio of the sides is the factor.
    whole = small[:, : rows * factor, : columns * factor]
    return bicubic.resize(whole, rows, columns, coefficient=coefficient)


def sampled(image: tf.Tensor, factor: int, sigma: Any, reach: int) -> tf.Tensor:
    """The Gaussian of ``sigma`` at the centres of coarse pixels; see :func:`degrade`."""
    rows, columns = (
        (tf.range(size // factor, dtype=tf.float32) + 0.5) * factor - 0.5 for size in _sizes(image)
    )
    return _apply(image, rows, columns, sigma, reach)


def reach_px_of(sigma: Any, half_width: HalfWidth) -> int:
    """:func:`reach_px`, refusing to measure a tensor, which has no value yet in a graph."""
    if half_width == "auto" and tf.is_tensor(sigma):
        sigma = tf.get_static_value(sigma)
        if sigma is None:
            raise ValueError("half_width 'auto' needs a sigma known when the graph is made")
    return reach_px(sigma, half_width)


def highpass(
    image: tf.Tensor,
    mtf: Any = 0.1,
    factor: int = 2,
    *,
    half_width: HalfWidth = "auto",
    coefficient: float = bicubic.KEYS,
) -> tf.Tensor:
    """What :func:`degrade` takes from an image and bicubic enlargement does not give back."""
    height, width = _sizes(image)
    small = degrade(image, factor, mtf, half_width=half_width, coefficient=coefficient)
    return image - bicubic.resize(small, height, width, coefficient=coefficient)


def mtf_of(
    bands: Sequence[str], given: float | Mapping[str, float] | None = None, where: str = "mtf"
) -> np.ndarray[Any, Any]:
    """The MTF of each band, ``[C]`` float32: as given, else Sentinel-2's.

    Args:
        bands: Names, as B2 or B02.
        given: One number, or numbers by band; bands left out take Sentinel-2's.
        where: The key, for the message.

    Raises:
        ConfigError: A band has no number, or a number names no band.
    """
    if isinstance(given, int | float):
        return np.full(len(bands), given, np.float32)
    stated = {short(name): value for name, value in (given or {}).items()}
    known = {short(name) for name in bands}
    for name in stated:
        if name not in known:
            hint = suggestion(name, list(bands))
            raise ConfigError(f"there is no band '{name}'", where=where, hint=hint)
    numbers = {**MTF, **stated}
    for name in bands:
        if short(name) not in numbers:
            problem = f"the MTF of band '{name}' is not known"
            raise ConfigError(problem, where=where, hint=f'state it, as {{"{name}": 0.2}}')
    return np.array([numbers[short(name)] for name in bands], np.float32)


def short(band: str) -> str:
    """The name of a band without the zero of the long form: B02 is B2."""
    return f"B{band[2:]}" if band[:2] == "B0" and len(band) > 2 else band


def half_width_of(compat: str | None) -> HalfWidth:
    """The width of kernels that ``compat`` of ``experiment.json`` asks for."""
    return 3 if compat == "torchsisr" else "auto"


def _sizes(image: tf.Tensor) -> tuple[Any, Any]:
    shape = tf.shape(image)
    return image.shape[1] or shape[1], image.shape[2] or shape[2]


def _apply(image: tf.Tensor, rows: Any, columns: Any, sigma: Any, reach: int) -> tf.Tensor:
    height, width = _sizes(image)
    matrices = [
        _matrix(size, tf.cast(centres, tf.float32), sigma, reach)
        for size, centres in ((height, rows), (width, columns))
    ]
    return bicubic.along(image, *matrices)


def _matrix(size: Any, centres: tf.Tensor, sigma: Any, reach: int) -> tf.Tensor:
    """Weights ``[..., O, size]`` of Gaussians at ``centres`` [O]; leading axes are sigma's."""
    wide = tf.maximum(tf.cast(sigma, tf.float32), _NARROWEST_PX)[..., tf.newaxis, tf.newaxis]
    # One tap more after than before: a centre between two pixels has as many on either side.
    index = tf.floor(centres)[:, tf.newaxis] + tf.range(-reach, reach + 2, dtype=tf.float32)
    distance = centres[:, tf.newaxis] - index
    weights = tf.exp(-0.5 * tf.square(distance / wide))
    weights = tf.where(tf.abs(distance) <= reach, weights, 0.0)
    weights /= tf.reduce_sum(weights, -1, keepdims=True)
    pixels = bicubic.reflected(tf.cast(index, tf.int32), size)
    return bicubic.scattered(weights, pixels, size)
