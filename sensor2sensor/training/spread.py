"""How much a generator's output varies over the validation tiles, beside the target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
# A target that varies by less of its value range than this (calm water) says nothing.
LEAST = 1e-3
SPREAD, BETWEEN = "output_spread", "output_spread_between_tiles"


class Spread:
    """Sums of tiles, taken in batch by batch.

    Args:
        widths: Of the value range of each band.
    """

    def __init__(self, widths: NDArray[Any]) -> None:
        self._widths = np.asarray(widths, np.float64)
        self._made, self._true = _Moments(), _Moments()

    def add(self, made: FloatArray, true: FloatArray) -> None:
        """Take in ``[B, H, W, C]`` of both; where the truth is not finite, neither counts."""
        known = np.isfinite(true)
        self._made.add(np.where(known, made, 0.0), known)
        self._true.add(np.where(known, true, 0.0), known)

    def shares(self) -> dict[str, float]:
        """Standard deviation of the output over that of the target, of the band where it is least.

        Over all pixels of all tiles, and between the means of the tiles. NaN where the target
        itself does not vary.
        """
        if self._true.tiles == 0:
            return {}
        made, true = self._made, self._true
        return {
            SPREAD: self._least(made.overall(), true.overall()),
            BETWEEN: self._least(made.between(), true.between()),
        }

    def _least(self, made: NDArray[Any], true: NDArray[Any]) -> float:
        told = true > LEAST * self._widths
        return float(np.min(made[told] / true[told])) if told.any() else float("nan")


class _Moments:
    """Sums per band, and the mean of every tile."""

    def __init__(self) -> None:
        self.tiles = 0
        self._count: Any = 0
        self._sum: Any = 0.0
        self._squares: Any = 0.0
        self._means: list[NDArray[Any]] = []

    def add(self, values: FloatArray, known: NDArray[Any]) -> None:
        values = values.astype(np.float64)  # squares of bright values leave float32 no digits
        count, total = known.sum((1, 2)), values.sum((1, 2))
        with np.errstate(invalid="ignore"):
            means = total / count
        self._means += list(means)
        self.tiles += len(values)
        self._count, self._sum = self._count + count.sum(0), self._sum + total.sum(0)
        self._squares = self._squares + (values**2).sum((0, 1, 2))

    def overall(self) -> NDArray[Any]:
        count = np.maximum(self._count, 1)
        variance = self._squares / count - (self._sum / count) ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def between(self) -> NDArray[Any]:
        return np.asarray(np.nanstd(np.stack(self._means), axis=0))
