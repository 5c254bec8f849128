"""How sure one may be of a mean over tiles that are alike in groups: intervals and tests.

What the evaluation says of one run and what the report says of many is computed here, by one code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
CONFIDENCE = 0.95
FEWEST_CLUSTERS = 4  # three means say next to nothing about their spread
FEWEST_RANKED = 10  # a signed rank of fewer can hardly reject once it is corrected


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


def sums_over(values: Floats, groups: Sequence[str]) -> Floats:
    """Sum over each group: ``[..., tiles]`` to ``[..., groups]``."""
    labels = np.asarray(groups)
    # Stable: sums that are taken in another order differ in their last digits.
    order = np.argsort(labels, kind="stable")
    _, begins = np.unique(labels[order], return_index=True)
    sums: Floats = np.add.reduceat(values[..., order], begins, axis=-1)
    return sums


def cluster_variance(differences: Floats, groups: Sequence[str]) -> Floats:
    """Cluster-robust variance of the mean over the last axis: CR2 of Bell & McCaffrey 2002.

    That of Liang & Zeger 1986, each group's part divided by what the mean has taken of it: 1 less
    its share of the tiles. Of groups of one size it is theirs with the factor G / (G - 1), and with
    one tile in each the ordinary s^2 / n.

    Args:
        differences: ``[..., tiles]``.
        groups: Cluster of each tile, at least two of them.
    """
    # Summed before they are squared: errors of one group that share a sign do not average out.
    sums = sums_over(differences - differences.mean(axis=-1, keepdims=True), groups)
    variance: Floats = (sums**2 / (1 - shares(groups))).sum(axis=-1) / differences.shape[-1] ** 2
    return variance


def shares(groups: Sequence[str]) -> Floats:
    """Each group's share of the tiles, in the order of :func:`sums_over`."""
    found: Floats = sums_over(np.ones(len(groups)), groups) / len(groups)
    return found


def degrees_of_freedom(groups: Sequence[str]) -> float:
    """Of :func:`cluster_variance` by Satterthwaite (Bell & McCaffrey 2002), tiles alike in nothing.

    Groups of one size have G - 1. Where few hold most of the tiles there are fewer, for the spread
    is then known from those few: with G - 1 an interval of blocks of 9, 8, 6, 4, 2 and 1 tiles was
    seen to reject true nulls in 8 % of runs, and of 24, 3, 2 and 1 in 29 % (Imbens & Kolesár 2016;
    benchmarks.false_rejections).

    Args:
        groups: Cluster of each tile, at least two of them.
    """
    share = shares(groups)
    weight = share**2 / (1 - share)
    return float(1 / ((share**2).sum() + weight.sum() ** 2 - (weight**2).sum()))


def t_interval(
    differences: Floats, clusters: Sequence[Sequence[str]]
) -> tuple[Floats, Floats, Floats]:
    """Student's t interval of the mean under the effects of one or two kinds of clusters.

    The variance is the sum of the cluster-robust ones. The usual two-way form (Cameron, Gelbach &
    Miller 2011) subtracts that of the cells, which turns negative with few clusters; without it the
    interval is too wide where neither kind has an effect. Degrees of freedom by Satterthwaite 1946,
    from those of each kind.

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
    freedoms = np.array([degrees_of_freedom(groups) for groups in clusters])
    total, squares = variances.sum(axis=0), np.tensordot(1 / freedoms, variances**2, axes=1)
    # Satterthwaite: the kind that holds most of the variance decides how far its few groups carry.
    freedom = np.divide(total**2, squares, out=np.full_like(total, np.inf), where=squares > 0)
    half = t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(total)
    mean = values.mean(axis=-1)
    return mean - half, mean + half, freedom


def p_value(low: Floats, high: Floats, freedom: Floats) -> Floats:
    """Two-sided p-value of "no difference", of the t whose interval is given.

    It is below 1 - ``CONFIDENCE`` where, and only where, the interval lies on one side of zero.

    Args:
        low: Lower end of :func:`t_interval`, ``[...]``.
        high: Upper end.
        freedom: Degrees of freedom; infinite where tiles do not differ at all.
    """
    from scipy.stats import t

    middle, half = (np.asarray(high) + low) / 2, (np.asarray(high) - low) / 2
    error = half / t.ppf(0.5 + CONFIDENCE / 2, freedom)
    # Without any spread the mean is exact: it is zero, or it is not.
    exact = np.where(middle == 0, 0.0, np.inf)
    score = np.divide(np.abs(middle), error, out=exact, where=error > 0)
    return np.asarray(2 * t.sf(score, freedom), dtype=np.float64)


def signed_rank(differences: Floats, groups: Sequence[str]) -> Floats | None:
    """Wilcoxon's signed rank of cluster means (Wilcoxon 1945): p-value of symmetry about zero.

    Never of tiles: those of one cluster are alike, and taken for independent they were seen to
    reject true nulls in 11 to 21 % of runs (benchmarks.false_rejections). Clusters weigh the same
    here, whatever their tiles, and must not share an effect, so they are of one kind.

    Args:
        differences: ``[..., tiles]``.
        groups: Cluster of each tile.

    Returns:
        p-values ``[...]``; None below ``FEWEST_RANKED`` clusters.
    """
    from scipy.stats import wilcoxon

    if len(set(groups)) < FEWEST_RANKED:
        return None
    values = np.asarray(differences, dtype=np.float64)
    means = sums_over(values, groups) / sums_over(np.ones(values.shape[-1]), groups)
    same = (means == 0).all(axis=-1)
    # Means that all are zero have no ranks, and nothing that speaks against a zero.
    ranked = np.where(same[..., None], np.arange(means.shape[-1]) - means.shape[-1] / 2, means)
    # scipy takes one method for all it is given: rows with ties or zeros, which have no exact
    # distribution there, must not make the others' p-values approximate.
    sizes = np.sort(np.abs(ranked), axis=-1)
    tied = (sizes[..., :1] == 0).any(axis=-1) | (np.diff(sizes, axis=-1) == 0).any(axis=-1)
    found = np.empty(tied.shape, dtype=np.float64)
    for rows in (tied, ~tied):
        if rows.any():
            found[rows] = wilcoxon(ranked[rows], axis=-1).pvalue
    return np.where(same, 1.0, found)


def holm(values: Sequence[float] | Floats) -> Floats:
    """p-values of one family corrected by Holm 1979: any false rejection stays below 5 %.

    The smallest is multiplied by their number m, the next by m - 1 and so on, and none may come
    out below one that was smaller. It holds however the tests depend on each other, as metrics of
    one image do.

    Args:
        values: Every test that the family has; what was not tested is not among them.
    """
    found = np.asarray(values, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    factors = np.arange(found.size, 0, -1)
    corrected = np.empty_like(found)
    corrected[order] = np.minimum(np.maximum.accumulate(found[order] * factors), 1.0)
    return corrected


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
