"""Statistics and intervals against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.evaluation.summary import (
    bootstrap_interval,
    clusters_of,
    gain,
    statistics,
    t_interval,
)

NAN, INF = math.nan, math.inf


def compared(values, baseline, groups=None, **options):
    given = {"better": "higher", "unit": "block", "seed": 0, "key": "hpsi", **options}
    groups = groups or [str(i) for i in range(len(values))]
    return gain(values, baseline, groups=groups, **given)


def test_missing_and_infinite_values_enter_no_statistic():
    got = statistics([1.0, NAN, 3.0, INF, 8.0])
    assert (got.mean, got.min, got.max, got.median) == (4.0, 1.0, 8.0, 3.0)
    assert got.std == pytest.approx(np.std([1, 3, 8], ddof=1))
    assert (got.count, got.undefined, got.infinite) == (3, 1, 1)


def test_nothing_to_average_gives_no_number():
    got = statistics([NAN, INF])
    assert got.mean is None and got.std is None and got.count == 0
    assert statistics([2.0]).std is None


def test_the_t_interval_of_single_tiles_is_the_ordinary_one():
    differences = np.random.default_rng(0).normal(0.1, 0.2, 17)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    got = t_interval(differences, np.ones(17))
    assert got == pytest.approx((expected.low, expected.high))


def test_the_t_interval_of_equal_clusters_is_that_of_their_means():
    differences = np.random.default_rng(1).normal(0.1, 0.2, (6, 4))
    expected = stats.ttest_1samp(differences.mean(axis=1), 0).confidence_interval(0.95)
    got = t_interval(differences.sum(axis=1), np.full(6, 4.0))
    assert got == pytest.approx((expected.low, expected.high))


def test_copies_of_a_tile_within_its_cluster_add_no_certainty():
    values = list(np.random.default_rng(2).normal(0.1, 0.2, 8))
    names = [str(i) for i in range(8)]
    once = compared(values, [0.0] * 8, names)
    often = compared(values * 9, [0.0] * 72, names * 9)
    assert (often.t_low, often.t_high) == pytest.approx((once.t_low, once.t_high))
    assert often.clusters == 8 and often.count == 72


def test_the_bootstrap_agrees_with_scipy():
    differences = np.random.default_rng(3).normal(0.1, 0.2, 25)
    expected = stats.bootstrap(
        (differences,), np.mean, method="percentile", n_resamples=5000, rng=4
    ).confidence_interval
    got = bootstrap_interval(differences, np.ones(25), rng(0, Purpose.BOOTSTRAP, "x"))
    assert got == pytest.approx((expected.low, expected.high), abs=0.012)


def test_the_bootstrap_is_keyed():
    values = list(np.random.default_rng(5).normal(0.1, 0.2, 9))
    assert compared(values, [0.0] * 9) == compared(values, [0.0] * 9)
    other = compared(values, [0.0] * 9, seed=1)
    assert other.bootstrap_low != compared(values, [0.0] * 9).bootstrap_low


def test_a_gain_is_positive_where_better():
    assert compared([3.0, 4.0], [1.0, 1.0]).mean == 2.5
    assert compared([3.0, 4.0], [1.0, 1.0], better="lower").mean == -2.5
    assert compared([3.0, 0.5], [1.0, 1.0], better="lower").better_share == 0.5


def test_tiles_without_a_value_on_either_side_are_left_out_and_counted():
    got = compared([1.0, NAN, INF, 4.0], [0.5, 1.0, 1.0, INF])
    assert (got.mean, got.count, got.left_out, got.clusters) == (0.5, 1, 3, 1)
    assert got.t_low is None and got.bootstrap_low is None
    assert compared([NAN], [1.0]).mean is None


def test_clusters_are_blocks_then_scenes_then_tiles():
    assert clusters_of(["a", "a", "b"], ["s", "t", "t"]) == ("block", ["a", "a", "b"])
    assert clusters_of(["a", "a", "a"], ["s", "t", "t"]) == ("scene", ["s", "t", "t"])
    assert clusters_of(["a", "a"], ["s", "s"]) == ("tile", ["0", "1"])
