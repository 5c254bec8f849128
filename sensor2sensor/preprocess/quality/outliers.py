"""Tiles unlike the others: robust z-scores of every band's mean and deviation.

``z = (x - median) / s``, ``s`` being the larger of ``MAD / 0.6745`` and ``(q95 - q5) / 3.29``, both
the standard deviation where values are normal. The first alone (Iglewicz and Hoaglin, How to Detect
and Handle Outliers, 1993) calls a third of all tiles odd where ground is of two kinds, ice and
water: half of the tiles then lie close together, and all others far away. Up to one tile in twenty
on each side may be wrong without moving ``s``. From 3.5 on, their limit, a tile is an outlier.
Deviations are compared by their logarithm: they are never negative and skewed to the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.page.svg import number
from sensor2sensor.preprocess.quality.measured import Measured

LIMIT = 3.5
LEAST_TILES = 8  # of fewer nobody can say what is usual
# Of a normal distribution: MAD, q95 - q5 and the mean absolute deviation by the standard one.
_MAD, _INNER, _MEAN = 0.6745, 3.2897, 0.7979
_SMALLEST = 1e-6  # of the median deviation: a tile of one colour has a logarithm too


@dataclass(frozen=True)
class Outlier:
    """A tile and what is odd about it.

    Attributes:
        place: Of the tile among those measured.
        tile: Its name.
        score: The largest of its scores, signed.
        reason: That number in words, beside the median of all tiles.
    """

    place: int
    tile: str
    score: float
    reason: str


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of the columns of ``[N, M]``; 0 where a column does not vary, or has no value."""
    if not values.size:
        return np.zeros_like(values)
    known = np.isfinite(values)
    filled = np.where(known, values, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        empty = ~known.any(axis=0)
        filled[:, empty] = 0.0
        apart = filled - np.nanmedian(filled, axis=0)
        middle = np.nanmedian(np.abs(apart), axis=0) / _MAD
        spread = np.maximum(middle, np.subtract(*np.nanpercentile(apart, (95, 5), axis=0)) / _INNER)
        # Nearly all values are equal: the mean deviation still tells the others apart.
        mean = np.nanmean(np.abs(apart), axis=0) / _MEAN
        scores = apart / np.where(spread > 0, spread, mean)
    return np.where(known & np.isfinite(scores), scores, 0.0)


def scores_of(measured: Measured) -> NDArray[np.float64]:
    """Scores of each tile ``[N, 2 B]``: of the bands' means, then of their deviations."""
    std = measured.part("std")
    with np.errstate(invalid="ignore"):
        known = np.where(np.isfinite(std), std, np.nan)
        usual = np.array([np.nanmedian(c) if np.isfinite(c).any() else 1.0 for c in known.T])
        least = _SMALLEST * np.where(usual > 0, usual, 1.0)
        spread = np.log(np.maximum(known, least))
    return robust_z(np.concatenate([measured.part("mean"), spread], axis=1))


def outliers(measured: Measured) -> list[Outlier]:
    """Tiles with a score beyond the limit, the oddest first; none among too few tiles."""
    if len(measured.tiles) < LEAST_TILES:
        return []
    scores = scores_of(measured)
    most = np.abs(scores).argmax(axis=1)
    found = [
        Outlier(
            place,
            measured.tiles[place],
            float(scores[place, column]),
            _why(measured, place, column),
        )
        for place, column in enumerate(map(int, most))
        if abs(scores[place, column]) > LIMIT
    ]
    return sorted(found, key=lambda one: (-abs(one.score), one.tile))


def typical(measured: Measured, count: int) -> list[int]:
    """Places of the tiles that are odd in nothing, the most usual first."""
    if len(measured.tiles) < LEAST_TILES:
        return list(range(min(count, len(measured.tiles))))
    most = np.abs(scores_of(measured)).max(axis=1)
    return sorted(range(len(most)), key=lambda place: (most[place], measured.tiles[place]))[:count]


def _why(measured: Measured, place: int, column: int) -> str:
    bands = len(measured.bands)
    part, band = ("mean", column) if column < bands else ("std", column - bands)
    values = measured.part(part)[:, band]
    word = "mean" if part == "mean" else "deviation"
    usual = float(np.nanmedian(values))
    name = measured.bands[band]
    return f"{name} {word} {number(float(values[place]))}, median {number(usual)}"
