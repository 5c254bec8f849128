"""How far two pictures of one ground are shifted that share edges but no brightness.

A map and a photo, a mask and a photo, radar and reflectance: where one has an edge the other has
one, whatever its sign. So the strengths of edges are correlated, not values or phases. With real
maps the highest of all phases is chance in half of the pairs; the correlation finds the pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.geo.shift import Shift

Floats = NDArray[np.float64]

LEAST_PX = 32
REACH = 8  # shifts up to an eighth of the edge are looked for
LEAST_QUALITY = 1.0
# Of pairs of other places one in fifty has a peak so high, of real maps and their photos half.
_LEAST_DEVIATIONS = 5.0
# Where few shifts are looked for none stands out so far: looks of like sensors correlate instead.
_LEAST_CORRELATION = 0.7
_SMOOTH_PX = 1.0


def edge_shift(reference: NDArray[np.floating], moved: NDArray[np.floating]) -> Shift | None:
    """Displacement of the edges of ``moved`` against those of ``reference``.

    Args:
        reference: Picture ``[H, W, C]``.
        moved: Picture ``[H, W, D]``, of bands of its own.

    Returns:
        The displacement in pixels. Its ``quality`` is 1 where the peak lies five standard
        deviations above the correlation at all shifts that are looked for, or is a correlation of
        0.7; below :data:`LEAST_QUALITY` it may be chance. None where a picture is smaller than
        :data:`LEAST_PX` or has no edges.
    """
    if min(reference.shape[:2]) < LEAST_PX:
        return None
    spectra = [_spectrum(edge_strength(picture)) for picture in (reference, moved)]
    if not all(np.abs(spectrum).max() > 0.0 for spectrum in spectra):
        return None
    size = np.sqrt(np.prod([np.square(np.abs(spectrum)).mean() for spectrum in spectra]))
    surface = np.fft.fftshift(np.fft.ifft2(np.conj(spectra[0]) * spectra[1] / size).real)
    height, width = surface.shape
    reach = min(height, width) // REACH
    near = surface[
        height // 2 - reach : height // 2 + reach + 1, width // 2 - reach : width // 2 + reach + 1
    ]
    row, column = np.unravel_index(int(np.argmax(near)), near.shape)
    peak = float(near[row, column])
    deviations = (peak - float(near.mean())) / float(near.std())
    quality = max(deviations / _LEAST_DEVIATIONS, peak / _LEAST_CORRELATION)
    down, right = _vertex(near[:, column], int(row)), _vertex(near[row], int(column))
    return Shift(down - reach, right - reach, quality)


def edge_strength(picture: NDArray[np.floating]) -> Floats:
    """Strength of edges ``[H, W]``: gradients of each band, of equal weight whatever its unit."""
    from scipy.ndimage import gaussian_gradient_magnitude

    total = np.zeros(picture.shape[:2])
    for band in np.moveaxis(picture.astype(np.float64), -1, 0):
        strength = gaussian_gradient_magnitude(band, _SMOOTH_PX)
        # A flat band has rounding for edges.
        if strength.max() > 1e-9 * np.abs(band).max():
            total += strength / strength.mean()
    return total


def _spectrum(strength: Floats) -> NDArray[np.complex128]:
    rows, columns = (np.hanning(n + 2)[1:-1] for n in strength.shape)
    return np.fft.fft2((strength - strength.mean()) * rows[:, None] * columns[None, :])


def _vertex(line: Floats, at: int) -> float:
    """The top of the parabola through a peak and its neighbours; the peak itself at the rim."""
    if not 0 < at < len(line) - 1:
        return float(at)
    before, top, after = line[at - 1 : at + 2]
    bend = before - 2.0 * top + after
    return at + float(0.5 * (before - after) / bend) if bend < 0.0 else float(at)
