"""Exact statistics of the train split in bounded memory, equal in every run.

Quantiles are those of ``numpy.quantile`` (linear interpolation) over all values of a band, found
without holding them: float32 values are mapped to integers of the same order and counted by their
upper 16 bits, then, within the few bins that hold the wanted ranks, by their lower 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import BandStatistics

QUANTILES = (0.001, 0.999, 0.9999)
MARGIN, REACH = 0.1, 2.0  # of the output range beyond the value range, in spans of the latter
Values = npt.NDArray[np.float32]
Stream = Callable[[], Iterable[Values]]
BINS = 1 << 16


def _ordered(values: Values) -> npt.NDArray[np.uint32]:
    """Integers in the order of the floats (IEEE 754: flip the sign bit, or all bits below zero)."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint32)


def _float_of(key: int) -> float:
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array([bits], dtype=np.uint32).view(np.float32)[0])


class _Moments:
    """Count, mean and summed squares by Chan's pairwise update (stable, in float64)."""

    def __init__(self, bands: int) -> None:
        self.count = 0
        self.mean, self.square = np.zeros(bands), np.zeros(bands)
        self.low, self.high = np.full(bands, np.inf), np.full(bands, -np.inf)

    def add(self, values: Values) -> None:
        n, wide = len(values), values.astype(np.float64)
        mean = wide.mean(axis=0)
        square = ((wide - mean) ** 2).sum(axis=0)
        delta, total = mean - self.mean, self.count + n
        self.square += square + delta**2 * self.count * n / total
        self.mean += delta * n / total
        self.count = total
        self.low = np.minimum(self.low, wide.min(axis=0))
        self.high = np.maximum(self.high, wide.max(axis=0))


def output_range(low: float, high: float, highest: float) -> tuple[float, float]:
    """The values that a bounded output spans: the value range with room for what lies beyond it.

    Args:
        low: 0.1 % quantile of the band.
        high: 99.9 % quantile.
        highest: 99.99 % quantile. Cloud, snow and glint lie far above the range, hardly anything
            far below; what reaches beyond two spans would cost the rest its resolution.
    """
    span = high - low
    upper = min(max(high + MARGIN * span, highest), high + REACH * span)
    return low - MARGIN * span, upper


def band_statistics(
    stream: Stream,
    bands: int,
    *,
    outputs: bool = False,
    fixed: Sequence[tuple[float, float] | None] | None = None,
) -> tuple[BandStatistics, ...]:
    """Statistics of each band over a stream of ``[n, bands]`` float32 arrays.

    Args:
        stream: Gives the arrays; called twice, and must give the same ones in the same order.
        bands: Number of bands.
        outputs: Whether these are target bands, which get an output range too.
        fixed: Value range of each band, where its source fixes one: its range and output range
            whatever was measured.

    Raises:
        DatasetError: The stream holds no value, or one that is not finite.
    """
    moments, upper = _Moments(bands), np.zeros((bands, BINS), dtype=np.int64)
    for values in stream():
        if not np.isfinite(values).all():
            raise DatasetError("statistics met NaN or infinity")
        if len(values):
            moments.add(values)
            _count(upper, _ordered(values) >> 16)
    if not moments.count:
        raise DatasetError("there is no value to take statistics of")
    low, high, highest = _quantiles(stream, upper, moments.count)
    std = np.sqrt(moments.square / moments.count)
    ends = [output_range(*map(float, found)) for found in zip(low, high, highest, strict=True)]
    # 8-bit photos and decibels have limits of their own: quantiles would cut their bright ends off.
    for b, span in enumerate(fixed or ()):
        if span is not None:
            (low[b], high[b]), ends[b] = span, span
    return tuple(
        BandStatistics(
            low=float(low[b]),
            high=float(high[b]),
            minimum=float(moments.low[b]),
            maximum=float(moments.high[b]),
            mean=float(moments.mean[b]),
            std=float(std[b]),
            count=moments.count,
            output_low=ends[b][0] if outputs else None,
            output_high=ends[b][1] if outputs else None,
        )
        for b in range(bands)
    )


def _count(histogram: npt.NDArray[np.int64], bins: npt.NDArray[Any]) -> None:
    for band in range(bins.shape[-1]):
        histogram[band] += np.bincount(bins[:, band], minlength=BINS)


def band_quantiles(
    stream: Stream, bands: int, wanted: Sequence[float]
) -> list[npt.NDArray[np.float64]]:
    """One array ``[bands]`` for each wanted quantile of a stream as of :func:`band_statistics`."""
    upper, count = np.zeros((bands, BINS), dtype=np.int64), 0
    for values in stream():
        _count(upper, _ordered(values) >> 16)
        count += len(values)
    return _quantiles(stream, upper, count, wanted)


def _quantiles(
    stream: Stream, upper: npt.NDArray[np.int64], count: int, wanted: Sequence[float] = QUANTILES
) -> list[npt.NDArray[np.float64]]:
    """One array of the bands' values for each quantile wanted."""
    # numpy.quantile's "linear": type 7 of Hyndman & Fan 1996.
    positions = [q * (count - 1) for q in wanted]
    # Between two ranks: both values are needed.
    ranks = sorted({int(p) + step for p in positions for step in (0, 1) if int(p) + step < count})
    values = _order_statistics(stream, upper, ranks)
    found = []
    for position in positions:
        below, above = int(position), min(int(position) + 1, count - 1)
        fraction = position - below
        found.append(values[below] + (values[above] - values[below]) * fraction)
    return found


def _order_statistics(
    stream: Stream, upper: npt.NDArray[np.int64], ranks: list[int]
) -> dict[int, npt.NDArray[np.float64]]:
    """The values of the given ranks (0 is the smallest) in each band, by a second pass."""
    bands, before = len(upper), np.cumsum(upper, axis=1)
    bin_of = {
        (b, r): int(np.searchsorted(before[b], r, side="right"))
        for b in range(bands)
        for r in ranks
    }
    # Quantiles that are close share a bin, which is counted once.
    lower = {(b, bin_of[b, r]): np.zeros(BINS, dtype=np.int64) for b, r in bin_of}
    for values in stream():
        keys = _ordered(values)
        high, low = keys >> 16, keys & np.uint32(BINS - 1)
        for b, bucket in lower:
            inside = low[:, b][high[:, b] == bucket]
            lower[b, bucket] += np.bincount(inside, minlength=BINS)
    result = {}
    for rank in ranks:
        column = []
        for b in range(bands):
            bucket = bin_of[b, rank]
            rest = rank - int(before[b, bucket] - upper[b, bucket])
            within = int(np.searchsorted(np.cumsum(lower[b, bucket]), rest, side="right"))
            column.append(_float_of((bucket << 16) | within))
        result[rank] = np.array(column)
    return result
