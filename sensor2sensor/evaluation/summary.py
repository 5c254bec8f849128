"""Summaries of per-tile values: plain statistics, and paired gains with honest intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sensor2sensor.core.clustered import (
    CONFIDENCE,
    Bools,
    Floats,
    clusters_of,
    limits_of,
    sums_over,
    t_interval,
    undefined_alike,
    verdict,
)
from sensor2sensor.core.seeds import Purpose, rng

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
        t_low: Lower end of the 95 % interval of
            :func:`~sensor2sensor.core.clustered.t_interval`; None where there is none.
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


def bootstrap_interval(
    differences: Floats, groups: Sequence[str], generator: np.random.Generator
) -> tuple[float, float]:
    """Percentile interval of the mean over clusters drawn with replacement."""
    sums, counts = sums_over(differences, groups), sums_over(np.ones_like(differences), groups)
    drawn = generator.integers(0, len(sums), size=(REPLICATES, len(sums)))
    # A ratio of sums, for clusters hold different numbers of tiles.
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1.0 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)


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
