"""Summaries of per-tile values: plain statistics, and paired gains with honest intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.seeds import Purpose, rng

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
CONFIDENCE = 0.95
FEWEST_CLUSTERS = 4  # three means say next to nothing about their spread
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
    # Undefined is not 0: a 0 would be the worst correlation, and the best RMSE, that there is.
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
        t_low: Lower end of the 95 % interval of :func:`t_interval`; None where there is none.
        t_high: Upper end.
        degrees_of_freedom: Of Student's t.
        bootstrap_low: Lower end of the 95 % percentile interval over resampled clusters of one
            kind; kept for comparison, no verdict looks at it.
        bootstrap_high: Upper end.
        better_share: Share of tiles that gained.
        count: Tiles compared.
        left_out: Tiles where one of the two has no finite value.
        blocks: Blocks of ground (or acquisitions) among the tiles compared.
        scenes: Overpasses among them.
        over: What the interval is taken over: ``6 blocks and 5 scenes``; empty without one.
        verdict: ``better`` or ``worse`` where the interval lies on one side of zero, ``open`` where
            it includes zero, ``none`` where there is no interval.
        note: What the interval is limited to, or why there is none; empty for neither.
    """

    mean: float | None
    t_low: float | None
    t_high: float | None
    degrees_of_freedom: float | None
    bootstrap_low: float | None
    bootstrap_high: float | None
    better_share: float | None
    count: int
    left_out: int
    blocks: int
    scenes: int
    over: str
    verdict: str
    note: str


def clusters_of(blocks: Sequence[str], scenes: Sequence[str]) -> dict[str, Sequence[str]]:
    """The groups that an interval is taken over, for tiles of one block or scene are alike.

    Both kinds, unless one lies within the other: where every block lies in one scene, or every
    scene in one block (a site that no overpass shares with another), the larger ones alone, whose
    effect holds that of their parts. Fewer than four scenes say nothing about others: the blocks
    alone are left.

    Returns:
        Each tile's group by kind, ``block`` or ``scene``; empty below four blocks.
    """
    if len(set(blocks)) < FEWEST_CLUSTERS:
        return {}
    if len(set(scenes)) < FEWEST_CLUSTERS:
        return {"block": blocks}
    # Nested: one pair for each of the smaller ones, whose spread the sum would count twice.
    pairs = len(set(zip(blocks, scenes, strict=True)))
    if pairs == len(set(blocks)):
        return {"scene": scenes}
    if pairs == len(set(scenes)):
        return {"block": blocks}
    return {"block": blocks, "scene": scenes}


def limits_of(blocks: Sequence[str], scenes: Sequence[str]) -> str:
    """What an interval over these groups cannot speak for, or why there is none."""
    if (count := len(set(blocks))) < FEWEST_CLUSTERS:
        return f"no verdict below {FEWEST_CLUSTERS} blocks ({count} here)"
    if (count := len(set(scenes))) < FEWEST_CLUSTERS:
        return "for this scene only" if count == 1 else f"for these {count} scenes only"
    return ""


def _sums(values: Floats, groups: Sequence[str]) -> Floats:
    """Sum over each group: ``[..., tiles]`` to ``[..., groups]``."""
    labels = np.asarray(groups)
    # Stable: sums that are taken in another order differ in their last digits.
    order = np.argsort(labels, kind="stable")
    _, begins = np.unique(labels[order], return_index=True)
    sums: Floats = np.add.reduceat(values[..., order], begins, axis=-1)
    return sums


def cluster_variance(differences: Floats, groups: Sequence[str]) -> Floats:
    """Cluster-robust variance of the mean over the last axis, with the factor G / (G - 1).

    Liang & Zeger 1986. With one tile in each of the G groups it is the ordinary s^2 / n.

    Args:
        differences: ``[..., tiles]``.
        groups: Cluster of each tile, at least two of them.
    """
    count = len(set(groups))
    # Summed before they are squared: errors of one group that share a sign do not average out.
    sums = _sums(differences - differences.mean(axis=-1, keepdims=True), groups)
    variance: Floats = count / (count - 1) * (sums**2).sum(axis=-1) / differences.shape[-1] ** 2
    return variance


def t_interval(
    differences: Floats, clusters: Sequence[Sequence[str]]
) -> tuple[Floats, Floats, Floats]:
    """Student's t interval of the mean under the effects of one or two kinds of clusters.

    The variance is the sum of the cluster-robust ones. The usual two-way form (Cameron, Gelbach &
    Miller 2011) subtracts that of the cells, which turns negative with few clusters; without it the
    interval is too wide where neither kind has an effect. Degrees of freedom by Satterthwaite 1946.

    Args:
        differences: ``[..., tiles]``.
        clusters: For each kind the cluster of each tile.

    Returns:
        Lower end, upper end and degrees of freedom (infinite without any spread), ``[...]``.
    """
    from scipy.stats import t

    values = np.asarray(differences, dtype=np.float64)
    # A gain differs from ground to ground (one forest on all dates) and from overpass to overpass
    # (one haze on all ground): V_blocks alone takes tiles under one sky for independent, and was
    # seen to cover 22 % where scenes matter (benchmarks.coverage).
    variances = np.stack([cluster_variance(values, groups) for groups in clusters])
    freedoms = np.array([len(set(groups)) - 1 for groups in clusters], dtype=np.float64)
    total, squares = variances.sum(axis=0), np.tensordot(1 / freedoms, variances**2, axes=1)
    # Satterthwaite: the kind that holds most of the variance decides how far its few groups carry.
    freedom = np.divide(total**2, squares, out=np.full_like(total, np.inf), where=squares > 0)
    half = t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(total)
    mean = values.mean(axis=-1)
    return mean - half, mean + half, freedom


def bootstrap_interval(
    differences: Floats, groups: Sequence[str], generator: np.random.Generator
) -> tuple[float, float]:
    """Percentile interval of the mean over clusters drawn with replacement."""
    sums, counts = _sums(differences, groups), _sums(np.ones_like(differences), groups)
    drawn = generator.integers(0, len(sums), size=(REPLICATES, len(sums)))
    # A ratio of sums, for clusters hold different numbers of tiles.
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1.0 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)


def verdict(low: float | None, high: float | None) -> str:
    """``better``, ``worse``, ``open`` or ``none``: see :class:`Gain`."""
    if low is None or high is None:
        return "none"
    return "better" if low > 0 else "worse" if high < 0 else "open"


def undefined_alike(columns: Sequence[Sequence[float]] | Floats) -> Bools:
    """Tiles where a metric is NaN, or infinite, for every method: the truth leaves it so.

    A constant truth has no correlation, whoever predicts it. A value that only some methods lack is
    their own failure, and one that only some have infinite is a gain that no mean can hold.
    """
    values = np.asarray(columns, dtype=np.float64)
    return np.asarray(np.isnan(values).all(axis=0) | np.isposinf(values).all(axis=0))


def gain(
    values: Sequence[float],
    baseline: Sequence[float],
    *,
    better: str,
    blocks: Sequence[str],
    scenes: Sequence[str],
    undefined: Sequence[bool] | Bools | None = None,
    seed: int,
    key: str,
) -> Gain:
    """Paired gain of one method over a baseline in one metric.

    There is no interval and no verdict where a tile that the metric is defined on has no finite
    value on either side: the tiles left are not those that the others are judged on.

    Args:
        values: The method's value per tile.
        baseline: The baseline's value per tile, same order.
        better: ``higher`` or ``lower``.
        blocks: Block of ground of each tile.
        scenes: Overpass of each tile.
        undefined: Tiles whose absence from the pairs costs no verdict; by default those undefined
            for these two.
        seed: Seed of the bootstrap.
        key: Names the bootstrap's stream, so that metrics do not share draws by accident.
    """
    # Paired: most of the spread is how hard a tile is, which both methods meet alike.
    sign = 1.0 if better == "higher" else -1.0
    first, second = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    usable = np.isfinite(first) & np.isfinite(second)
    both = np.stack([first, second])
    alike = undefined_alike(both) if undefined is None else np.asarray(undefined)
    differences = sign * (first[usable] - second[usable])
    own = [np.asarray(groups)[usable].tolist() for groups in (blocks, scenes)]
    whole = bool((usable | alike).all()) and differences.size > 0
    clusters = clusters_of(*own) if whole else {}
    low, high, freedom = _ends(differences, list(clusters.values()))
    drawn = rng(seed, Purpose.BOOTSTRAP, key)
    kind = next(iter(clusters.values()), None)
    drawn_low, drawn_high = bootstrap_interval(differences, kind, drawn) if kind else (None, None)
    lacking = f"no verdict: finite on {differences.size} of {len(first)} tiles"
    return Gain(
        mean=float(differences.mean()) if differences.size else None,
        t_low=low,
        t_high=high,
        degrees_of_freedom=freedom,
        bootstrap_low=drawn_low,
        bootstrap_high=drawn_high,
        better_share=float((differences > 0).mean()) if differences.size else None,
        count=int(differences.size),
        left_out=int((~usable).sum()),
        blocks=len(set(own[0])),
        scenes=len(set(own[1])),
        over=" and ".join(f"{len(set(groups))} {name}s" for name, groups in clusters.items()),
        verdict=verdict(low, high),
        note=limits_of(*own) if whole else lacking,
    )


def spared(found: Gain, why: str) -> Gain:
    """A gain that no verdict is passed on."""
    kept = {"mean", "better_share", "count", "left_out", "blocks", "scenes"}
    unsaid: dict[str, Any] = {key: None for key in vars(found) if key not in kept}
    told = {"over": "", "verdict": "none", "note": f"no verdict: {why}"}
    return replace(found, **{**unsaid, **told})


def _ends(
    differences: Floats, clusters: Sequence[Sequence[str]]
) -> tuple[float | None, float | None, float | None]:
    """Ends and degrees of freedom as JSON can hold them; None without clusters."""
    if not clusters:
        return None, None, None
    low, high, freedom = (float(value) for value in t_interval(differences, clusters))
    return low, high, freedom if math.isfinite(freedom) else None


def plain(item: Statistics | Gain) -> dict[str, Any]:
    """A dict for JSON."""
    return asdict(item)
