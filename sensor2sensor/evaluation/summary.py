"""Summaries of per-tile values: plain statistics, and paired gains with honest intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.seeds import Purpose, rng

Floats = npt.NDArray[np.float64]
CONFIDENCE = 0.95
REPLICATES = 2000


@dataclass(frozen=True)
class Statistics:
    """One metric of one method over the tiles where it is a finite number.

    Attributes:
        mean: None, like the other statistics, where no tile has a finite value.
        min: Smallest value.
        max: Largest value.
        std: Sample standard deviation (n - 1); None for a single tile.
        median: Middle value.
        count: Tiles in the statistics.
        undefined: Tiles without a value (NaN), in no statistic.
        infinite: Tiles with an infinite value (PSNR of a perfect prediction), in no statistic.
    """

    mean: float | None
    min: float | None
    max: float | None
    std: float | None
    median: float | None
    count: int
    undefined: int
    infinite: int


def statistics(values: Sequence[float] | Floats) -> Statistics:
    """Statistics of the finite values; NaN and infinity are counted apart, never averaged."""
    array = np.asarray(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    undefined, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    if finite.size == 0:
        return Statistics(None, None, None, None, None, 0, undefined, infinite)
    return Statistics(
        mean=float(finite.mean()),
        min=float(finite.min()),
        max=float(finite.max()),
        std=float(finite.std(ddof=1)) if finite.size > 1 else None,
        median=float(np.median(finite)),
        count=int(finite.size),
        undefined=undefined,
        infinite=infinite,
    )


@dataclass(frozen=True)
class Gain:
    """Mean paired difference to a baseline, signed so that positive is better.

    Attributes:
        mean: Mean over the tiles where both have a finite value; None without any.
        t_low: Lower end of the 95 % interval by Student's t with a cluster-robust standard error.
        t_high: Upper end.
        bootstrap_low: Lower end of the 95 % percentile interval over resampled clusters.
        bootstrap_high: Upper end.
        better_share: Share of tiles that gained.
        count: Tiles compared.
        left_out: Tiles where one of the two has no finite value.
        clusters: Independent groups of tiles.
        cluster_unit: ``block``, ``scene`` or ``tile``.
    """

    mean: float | None
    t_low: float | None
    t_high: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    better_share: float | None
    count: int
    left_out: int
    clusters: int
    cluster_unit: str


def clusters_of(blocks: Sequence[str], scenes: Sequence[str]) -> tuple[str, list[str]]:
    """The groups that intervals are taken over, for tiles of one block or scene depend on another.

    Blocks of ground where there are several, else scenes where there are several, else single
    tiles.

    Returns:
        The unit and each tile's group.
    """
    for unit, groups in (("block", list(blocks)), ("scene", list(scenes))):
        if len(set(groups)) > 1:
            return unit, groups
    return "tile", [str(number) for number in range(len(blocks))]


def _group(differences: Floats, groups: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and number of the differences of each group."""
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(number, differences), np.bincount(number).astype(np.float64)


def t_interval(sums: Floats, counts: Floats) -> tuple[float, float] | None:
    """Student's t interval of the mean with a cluster-robust standard error.

    With one tile per cluster this is the ordinary t interval; None for a single cluster.
    """
    from scipy.stats import t

    groups, total = len(sums), counts.sum()
    if groups < 2:
        return None
    mean = sums.sum() / total
    spread = np.sum((sums - counts * mean) ** 2) * groups / (groups - 1)
    half = t.ppf(0.5 + CONFIDENCE / 2, groups - 1) * math.sqrt(spread) / total
    return float(mean - half), float(mean + half)


def bootstrap_interval(
    sums: Floats, counts: Floats, generator: np.random.Generator
) -> tuple[float, float] | None:
    """Percentile interval of the mean over clusters drawn with replacement, or None."""
    groups = len(sums)
    if groups < 2:
        return None
    drawn = generator.integers(0, groups, size=(REPLICATES, groups))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1.0 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)


def gain(
    values: Sequence[float],
    baseline: Sequence[float],
    *,
    better: str,
    groups: Sequence[str],
    unit: str,
    seed: int,
    key: str,
) -> Gain:
    """Paired gain of one method over a baseline in one metric.

    Args:
        values: The method's value per tile.
        baseline: The baseline's value per tile, same order.
        better: ``higher`` or ``lower``.
        groups: Cluster of each tile.
        unit: What the clusters are.
        seed: Seed of the bootstrap.
        key: Names the bootstrap's stream, so that metrics do not share draws by accident.
    """
    sign = 1.0 if better == "higher" else -1.0
    first, second = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    usable = np.isfinite(first) & np.isfinite(second)
    differences = sign * (first[usable] - second[usable])
    left_out = int((~usable).sum())
    if differences.size == 0:
        return Gain(None, None, None, None, None, None, 0, left_out, 0, unit)
    sums, counts = _group(differences, [g for g, use in zip(groups, usable, strict=True) if use])
    t_low, t_high = t_interval(sums, counts) or (None, None)
    low, high = bootstrap_interval(sums, counts, rng(seed, Purpose.BOOTSTRAP, key)) or (None, None)
    return Gain(
        mean=float(differences.mean()),
        t_low=t_low,
        t_high=t_high,
        bootstrap_low=low,
        bootstrap_high=high,
        better_share=float((differences > 0).mean()),
        count=int(differences.size),
        left_out=left_out,
        clusters=len(sums),
        cluster_unit=unit,
    )


def plain(item: Statistics | Gain) -> dict[str, Any]:
    """A dict for JSON."""
    return asdict(item)
