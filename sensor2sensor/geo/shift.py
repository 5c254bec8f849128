"""How far the ground moved between two looks: phase correlation with sub-pixel peak.

Method: Kuglin and Hines (1975), the peak refined on an up-sampled grid by the matrix product of
Guizar-Sicairos, Thurman and Fienup, Optics Letters 33, 156 (2008).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_UPSAMPLING = 50
_MIN_VALID = 0.6
_CUTOFF = 0.35  # cycles per pixel: beyond it, OLCI's aliasing and noise outweigh the ground


@dataclass(frozen=True)
class Shift:
    """Displacement of a moved image against a reference.

    Attributes:
        rows: pixels downwards; rows and columns are those of the common grid.
        columns: pixels to the right.
        quality: height of the correlation peak, 1 for a perfect match, near 0 for noise.
    """

    rows: float
    columns: float
    quality: float


@dataclass(frozen=True)
class GroundShift:
    """A displacement on the ground in metres, with the height of its correlation peak."""

    east_m: float
    north_m: float
    quality: float

    @property
    def length_m(self) -> float:
        """Length of the displacement."""
        return math.hypot(self.east_m, self.north_m)


def phase_shift(reference: Floats, moved: Floats, *, limit_px: float) -> Shift | None:
    """Displacement of ``moved`` against ``reference``.

    Args:
        reference: image ``[H, W]``, NaN where unknown.
        moved: image of the same shape; gain and offset against the reference do not matter.
        limit_px: the largest displacement looked for along each axis.

    Returns:
        The displacement, or None where less than 60 % of the pixels are known in both or one of
        the images has no structure.
    """
    known = np.isfinite(reference) & np.isfinite(moved)
    # Holes correlate with themselves at no shift: too many of them, and that is the peak.
    if min(reference.shape) < 8 or known.mean() < _MIN_VALID:
        return None
    spectra = [_spectrum(image, known) for image in (reference, moved)]
    # A shift by d multiplies the spectrum by exp(-2 pi i f d): its inverse peaks at d.
    cross = np.conj(spectra[0]) * spectra[1]
    size = np.abs(cross)
    if not size.max() > 0.0:
        return None
    weight = _low_pass(cross.shape) * (size > 1e-12 * size.max())
    # By phase alone: radiance and reflectance differ in gain, land and ice in contrast.
    phase = weight * cross / np.where(size > 0.0, size, 1.0)
    return _peak(phase / weight.sum(), limit_px)


def common_grid(
    centre_xy: tuple[float, float], size_m: float, step_m: float
) -> tuple[Floats, Floats]:
    """Eastings and northings ``[n, n]`` of a square grid around a point, north up."""
    n = max(8, round(size_m / step_m))
    offset = (np.arange(n) - (n - 1) / 2.0) * step_m
    x, y = np.meshgrid(centre_xy[0] + offset, centre_xy[1] - offset)
    return x, y


def ground_shift(shift: Shift, step_m: float) -> GroundShift:
    """A displacement on a north-up grid of ``step_m`` in metres east and north."""
    return GroundShift(shift.columns * step_m, -shift.rows * step_m, shift.quality)


def box_average(image: NDArray[np.floating], width_px: float) -> Floats:
    """Mean over a box of ``width_px`` pixels around each pixel, of the known pixels alone.

    A width that is no whole number is met by weighting the outermost pixels. NaN where less than
    half of the box is known.
    """
    from scipy.ndimage import correlate1d

    kernel = _box_kernel(width_px)
    known = np.isfinite(image).astype(np.float64)
    total = np.where(known > 0.0, image, 0.0)
    for axis in (0, 1):
        total = correlate1d(total, kernel, axis=axis, mode="constant")
        known = correlate1d(known, kernel, axis=axis, mode="constant")
    mean = np.full(image.shape, np.nan)
    np.divide(total, known, out=mean, where=known >= 0.5)
    return mean


def bilinear(image: NDArray[np.floating], rows: Floats, columns: Floats) -> Floats:
    """Bilinear samples of an image at fractional positions; NaN outside and beside NaN."""
    from scipy.ndimage import map_coordinates

    at = np.stack([rows, columns])
    known = np.isfinite(image)
    value = map_coordinates(np.where(known, image, 0.0), at, order=1, cval=np.nan)
    # A hole is carried along by itself: as NaN it would spread, as 0 it would darken.
    hole = map_coordinates((~known).astype(np.float64), at, order=1, cval=1.0)
    return np.where(hole < 1e-6, value, np.nan)


def _box_kernel(width_px: float) -> Floats:
    half = max(0.0, (width_px - 1.0) / 2.0)
    whole = math.floor(half)
    kernel = np.ones(2 * whole + 3)
    kernel[[0, -1]] = half - whole
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


def _spectrum(image: Floats, known: NDArray[np.bool_]) -> NDArray[np.complex128]:
    """Spectrum of the image without its plane, faded out towards the border."""
    flat = np.where(known, image - _plane(image, known), 0.0)
    if np.abs(flat).max() <= 1e-9 * np.abs(image[known]).max():
        flat[:] = 0.0  # only rounding is left
    # The transform wraps around: without a fade the borders would be its strongest edge.
    rows, columns = (np.hanning(n + 2)[1:-1] for n in image.shape)
    return np.fft.fft2(flat * rows[:, None] * columns[None, :])


def _plane(image: Floats, known: NDArray[np.bool_]) -> Floats:
    """The plane through the known pixels: a gradient would wrap around as an edge."""
    rows, columns = np.indices(image.shape, dtype=np.float64)
    terms = np.stack([np.ones_like(rows), rows, columns], axis=-1)
    found = np.linalg.lstsq(terms[known], image[known], rcond=None)[0]
    return np.asarray(terms @ found, dtype=np.float64)


def _low_pass(shape: tuple[int, ...]) -> Floats:
    """Weight of each frequency: Gaussian, one at zero; the mean itself carries no position."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    weight = np.exp(-0.5 * (fy**2 + fx**2) / (_CUTOFF / 2.0) ** 2)
    weight[0, 0] = 0.0
    return np.asarray(weight, dtype=np.float64)


def _peak(phase: NDArray[np.complex128], limit_px: float) -> Shift:
    surface = np.fft.ifft2(phase).real * phase.size
    rows, columns = (np.fft.fftfreq(n, 1.0 / n) for n in surface.shape)
    allowed = (np.abs(rows) <= limit_px)[:, None] & (np.abs(columns) <= limit_px)[None, :]
    at = np.unravel_index(int(np.argmax(np.where(allowed, surface, -np.inf))), surface.shape)
    return _refined(phase, float(rows[at[0]]), float(columns[at[1]]))


def _refined(phase: NDArray[np.complex128], row: float, column: float) -> Shift:
    """The peak on a grid ``_UPSAMPLING`` times finer, one pixel around the coarse one."""
    fine = np.arange(-_UPSAMPLING, _UPSAMPLING + 1) / _UPSAMPLING
    rows, columns = row + fine, column + fine
    wave = [
        np.exp(2j * np.pi * np.outer(position, np.fft.fftfreq(n)))
        for position, n in zip((rows, columns), phase.shape, strict=True)
    ]
    surface = (wave[0] @ phase @ wave[1].T).real
    at = np.unravel_index(int(np.argmax(surface)), surface.shape)
    quality = float(np.clip(surface[at], 0.0, 1.0))
    return Shift(float(rows[at[0]]), float(columns[at[1]]), quality)
