"""p-values and their correction against hand-made examples and other implementations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from sensor2sensor.core.clustered import holm, p_value, signed_rank, t_interval

# Written out by hand: 4 x 0.01, 3 x 0.02, and 0.06 for the third since 2 x 0.03 is no larger.
HAND = [0.01, 0.04, 0.03, 0.02]
HAND_CORRECTED = [0.04, 0.06, 0.06, 0.06]


def step_down(values: list[float]) -> list[float]:
    """Holm by its closed form: the largest of the scaled values among those that are no larger."""
    m, found = len(values), []
    for own in values:
        below = sorted(value for value in values if value <= own)
        found.append(min(1.0, max((m - rank) * value for rank, value in enumerate(below))))
    return found


def rejected(values: list[float], level: float) -> list[bool]:
    """Holm as he put it: from the smallest on, stop at the first that is not small enough."""
    order = sorted(range(len(values)), key=values.__getitem__)
    said = [False] * len(values)
    for rank, place in enumerate(order):
        if values[place] >= level / (len(values) - rank):
            break
        said[place] = True
    return said


def test_holm_is_the_hand_example() -> None:
    assert holm(HAND) == pytest.approx(HAND_CORRECTED)
    assert holm([]).size == 0 and holm([0.2]) == pytest.approx([0.2])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_another_implementation_of_it(seed: int) -> None:
    values = (np.random.default_rng(seed).random(23) ** 4).round(3).tolist()  # some are equal
    found = holm(values)
    assert found == pytest.approx(step_down(values))
    assert (found < 0.05).tolist() == rejected(values, 0.05)


def test_the_p_value_of_single_tiles_is_the_ordinary_one() -> None:
    values = np.random.default_rng(0).normal(0.3, 1.0, (3, 17))
    own = [str(tile) for tile in range(17)]
    expected = stats.ttest_1samp(values, 0, axis=-1).pvalue
    assert p_value(*t_interval(values, [own])) == pytest.approx(expected)


def test_a_p_value_is_below_five_percent_where_the_interval_leaves_zero() -> None:
    values = np.random.default_rng(1).normal(0.1, 1.0, (400, 24))
    blocks, scenes = [str(i % 6) for i in range(24)], [str(i % 4) for i in range(24)]
    low, high, freedom = t_interval(values, [blocks, scenes])
    p = p_value(low, high, freedom)
    beside = (low > 0) | (high < 0)
    assert 0 < beside.sum() < 400 and ((p < 0.05) == beside).all()


def test_without_any_spread_a_mean_is_zero_or_it_is_not() -> None:
    values = np.repeat([[0.0], [0.2], [-1.0]], 8, axis=1)
    p = p_value(*t_interval(values, [[str(i % 4) for i in range(8)]]))
    assert p.tolist() == [1.0, 0.0, 0.0]


def signed_by_hand(means: np.ndarray) -> float:
    """Every pattern of signs of ten ranks: how many are as far from even as the one seen."""
    ranks = np.argsort(np.argsort(np.abs(means))) + 1.0
    signs = np.array(list(itertools.product((0, 1), repeat=len(means))))
    sums, seen = signs @ ranks, ranks[means > 0].sum()
    middle = ranks.sum() / 2
    return float((np.abs(sums - middle) >= abs(seen - middle)).mean())


def test_the_signed_rank_is_of_cluster_means_and_counts_every_pattern_of_signs() -> None:
    values = np.random.default_rng(2).normal(0.4, 1.0, 40)
    groups = [f"b{tile % 10}" for tile in range(40)]
    means = values.reshape(4, 10).mean(axis=0)
    found = signed_rank(values, groups)
    assert found == pytest.approx(signed_by_hand(means))


def test_a_signed_rank_does_not_depend_on_who_is_tested_beside_it() -> None:
    values = np.random.default_rng(5).normal(0.1, 1.0, (3, 14))
    values[1, :2] = values[1, 2], -values[1, 2]  # ties, of which scipy has no exact distribution
    groups = [str(tile) for tile in range(14)]
    alone = [float(signed_rank(row, groups)) for row in values]
    assert signed_rank(values, groups).tolist() == alone
    assert alone[0] == pytest.approx(signed_by_hand(values[0]))


def test_there_is_no_signed_rank_below_ten_clusters() -> None:
    values = np.ones((2, 90))
    assert signed_rank(values, [str(tile % 9) for tile in range(90)]) is None
    assert signed_rank(np.zeros(30), [str(tile % 10) for tile in range(30)]) == 1.0
