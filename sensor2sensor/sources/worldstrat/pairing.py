"""Whether a look of Sentinel-2 fits one of SPOT: clouds, co-registration, correlation.

How the authors of wsx2 and wsx4 paired is not known to us (their appendix could not be checked), so
what was used is our own and recorded: see ``pairing.csv``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensor2sensor.geo.shift import phase_shift
from sensor2sensor.sources.worldstrat.area import area_mean, edges
from sensor2sensor.sources.worldstrat.images import Floats, Image

UNKNOWN = -1.0  # cloud share where no mask was fetched
_CLOUD = 1  # of CLM; 0 is clear, 255 unknown
_PASSES = 3  # each looks for what the last one left
_ENOUGH_PX = 0.02  # of the search itself
_VISIBLE = slice(0, 3)  # near infrared has the opposite contrast over plants, and would cancel


@dataclass(frozen=True)
class Window:
    """A square of the low image: its first row and column, and its edge."""

    row: int
    column: int
    side: int

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.row, self.row + self.side)

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.column, self.column + self.side)


@dataclass(frozen=True)
class Fit:
    """How two looks fit in a window.

    Attributes:
        shift: Of the high image against the low one, rows and columns in low pixels.
        correlation: Mean over the bands of Pearson's correlation at the low resolution.
    """

    shift: tuple[float, float]
    correlation: float


def cloud_share(mask: npt.NDArray[np.generic] | None, window: Window) -> float:
    """Share of a window under clouds; :data:`UNKNOWN` without a mask."""
    return UNKNOWN if mask is None else float((mask[window.rows, window.columns] == _CLOUD).mean())


def fit(low: Image, high: Image, window: Window, limit_px: float) -> Fit | None:
    """The shift of the whole images that correlates best in the window; None without data there.

    Phase correlation finds it on the low grid, at most ``limit_px`` along each axis. A shift is
    taken only where it raises the correlation: over water or bare sand any peak is chance.
    """
    best = _at(low, high, window, (0.0, 0.0))
    shift = (0.0, 0.0)
    for _ in range(_PASSES if limit_px > 0 else 0):
        found = phase_shift(
            _grey(low.values, low.valid), _grey(*_lowered(low, high, shift)), limit_px=limit_px
        )
        if found is None:
            break
        shift = (shift[0] + found.rows, shift[1] + found.columns)
        tried = _at(low, high, window, shift) if max(map(abs, shift)) <= limit_px else None
        if tried is None or (best is not None and tried.correlation <= best.correlation):
            break
        best = tried
        if max(abs(found.rows), abs(found.columns)) <= _ENOUGH_PX:
            break
    return best


def target(
    low: Image, high: Image, window: Window, factor: int, shift: tuple[float, float]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The high image on the window's grid, ``factor`` times finer, and where it is known."""
    count = window.side * factor
    rows = edges(low.grid, high.grid, window.row + shift[0], count, factor, 0)
    columns = edges(low.grid, high.grid, window.column + shift[1], count, factor, 1)
    return area_mean(high, rows, columns)


def correlation(one: Floats, other: Floats) -> float:
    """Mean over the bands ``[H, W, C]`` of Pearson's correlation; a flat band has none, 0."""
    parts = [picture.reshape(-1, picture.shape[-1]) for picture in (one, other)]
    first, second = (part - part.mean(axis=0) for part in parts)
    size = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    shared = (first * second).sum(axis=0)
    return float(np.divide(shared, size, out=np.zeros_like(size), where=size > 0).mean())


def _at(low: Image, high: Image, window: Window, shift: tuple[float, float]) -> Fit | None:
    means, known = target(low, high, window, 1, shift)
    if not known.all():
        return None
    return Fit(shift, correlation(low.values[window.rows, window.columns], means))


def _lowered(
    low: Image, high: Image, shift: tuple[float, float]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The whole high image on the low grid."""
    height, width = low.grid.shape
    rows = edges(low.grid, high.grid, shift[0], height, 1, 0)
    columns = edges(low.grid, high.grid, shift[1], width, 1, 1)
    return area_mean(high, rows, columns)


def _grey(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Mean of the visible bands, each of equal weight, NaN where unknown."""
    visible = values[..., _VISIBLE]
    spread = visible[known].std(axis=0) if known.any() else np.zeros(3)
    weight = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    return np.where(known, (visible * weight).sum(axis=-1), np.nan)
