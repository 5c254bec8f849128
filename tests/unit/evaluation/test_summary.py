"""Statistics and intervals against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sensor2sensor.core.clustered import (
    cluster_variance,
    clusters_of,
    degrees_of_freedom,
    t_interval,
    undefined_alike,
)
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.evaluation.summary import bootstrap_interval, gain, statistics

NAN, INF = math.nan, math.inf


def compared(values, baseline, blocks=None, scenes=None, **options):
    """Each tile in a block of its own and in the one scene unless said otherwise."""
    given = {"better": "higher", "seed": 0, "key": "hpsi", **options}
    blocks = blocks or [str(i) for i in range(len(values))]
    return gain(values, baseline, blocks=blocks, scenes=scenes or ["s"] * len(values), **given)


def crossed(blocks, scenes):
    """Block and scene of one tile in every cell."""
    cells = [(f"b{b}", f"s{s}") for b in range(blocks) for s in range(scenes)]
    return [list(names) for names in zip(*cells, strict=True)]


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
    low, high, freedom = t_interval(differences, [[str(i) for i in range(17)]])
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert freedom == pytest.approx(16)


def test_the_t_interval_of_equal_clusters_is_that_of_their_means():
    differences = np.random.default_rng(1).normal(0.1, 0.2, (6, 4))
    expected = stats.ttest_1samp(differences.mean(axis=1), 0).confidence_interval(0.95)
    low, high, _ = t_interval(differences.ravel(), [np.repeat(list("abcdef"), 4).tolist()])
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_the_cluster_variance_of_a_table_worked_out_by_hand():
    # Clusters of 3, 2 and 1 tiles with mean 3: residuals sum to -3, 0 and 3, and the clusters hold
    # 1/2, 1/3 and 1/6 of the tiles, so (9 / (1/2) + 0 + 9 / (5/6)) / 36.
    values, groups = np.array([1.0, 2.0, 3.0, 2.0, 4.0, 6.0]), list("aaabbc")
    assert cluster_variance(values, groups) == pytest.approx(0.8)
    # 1 / (14/36 + 0.7^2 - (1/4 + 1/36 + 1/900)), of weights 1/2, 1/6 and 1/30.
    assert degrees_of_freedom(groups) == pytest.approx(5 / 3)


@pytest.mark.parametrize("sizes", [(9, 8, 6, 4, 2, 1), (24, 3, 2, 1), (5, 5, 5, 5)])
def test_the_degrees_of_freedom_are_those_of_the_quadratic_form(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    kind = (groups[:, None] == np.arange(len(sizes))).astype(float)
    left = np.eye(len(groups)) - 1 / len(groups)  # residuals of the mean
    adjusted = left @ kind / np.sqrt(1 - np.array(sizes) / len(groups))
    omega = adjusted.T @ adjusted
    expected = np.trace(omega) ** 2 / np.trace(omega @ omega)
    assert degrees_of_freedom([str(group) for group in groups]) == pytest.approx(expected)


def test_blocks_and_scenes_add_up_with_satterthwaites_degrees_of_freedom():
    # 4 x 4 cells, gain = 1 + block effect + scene effect. Variance of the mean by blocks
    # 20/3 / 4 = 5/3, by scenes 4/3 / 4 = 1/3: V = 2,
    # degrees of freedom 2^2 / ((5/3)^2 / 3 + (1/3)^2 / 3) = 4 * 27 / 26.
    blocks, scenes = crossed(4, 4)
    of_block = dict(zip(("b0", "b1", "b2", "b3"), (-3, -1, 1, 3), strict=True))
    of_scene = dict(zip(("s0", "s1", "s2", "s3"), (-1, -1, 1, 1), strict=True))
    values = [1.0 + of_block[b] + of_scene[s] for b, s in zip(blocks, scenes, strict=True)]
    got = compared(values, [0.0] * 16, blocks, scenes)
    half = stats.t.ppf(0.975, 108 / 26) * math.sqrt(2)
    assert got.degrees_of_freedom == pytest.approx(108 / 26)
    assert (got.t_low, got.t_high) == pytest.approx((1 - half, 1 + half))
    assert (got.over, got.note, got.verdict) == ("4 blocks and 4 scenes", "", "open")


def test_intervals_of_many_runs_at_once_are_those_of_each():
    values = np.random.default_rng(7).normal(0, 1, (3, 16))
    clusters = crossed(4, 4)
    together = t_interval(values, clusters)
    for number, run in enumerate(values):
        alone = t_interval(run, clusters)
        found = [float(ends[number]) for ends in together]
        assert found == pytest.approx([float(value) for value in alone])


def test_a_gain_without_any_spread_is_a_point():
    got = compared([0.5] * 4, [0.25] * 4)
    assert (got.t_low, got.t_high, got.degrees_of_freedom) == (0.25, 0.25, None)
    assert compared([0.5] * 4, [0.5] * 4).verdict == "open"


def test_copies_of_a_tile_within_its_cluster_add_no_certainty():
    values = list(np.random.default_rng(2).normal(0.1, 0.2, 8))
    names = [str(i) for i in range(8)]
    once = compared(values, [0.0] * 8, names)
    often = compared(values * 9, [0.0] * 72, names * 9)
    assert (often.t_low, often.t_high) == pytest.approx((once.t_low, once.t_high))
    assert often.blocks == 8 and often.count == 72


def test_the_bootstrap_agrees_with_scipy():
    differences = np.random.default_rng(3).normal(0.1, 0.2, 25)
    expected = stats.bootstrap(
        (differences,), np.mean, method="percentile", n_resamples=5000, rng=4
    ).confidence_interval
    names = [str(i) for i in range(25)]
    got = bootstrap_interval(differences, names, rng(0, Purpose.BOOTSTRAP, "x"))
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


def test_the_verdict_follows_the_t_interval_and_not_the_bootstrap():
    values = [1.0, 1.0, 1.0, 9.0]
    got = compared(values, [0.0] * 4)
    assert got.bootstrap_low > 0 > got.t_low and got.verdict == "open"
    assert compared([1.0, 1.1, 1.2, 1.3], [0.0] * 4).verdict == "better"
    assert compared([1.0, 1.1, 1.2, 1.3], [0.0] * 4, better="lower").verdict == "worse"


def test_a_model_without_a_value_on_half_its_tiles_gets_no_verdict():
    values, baseline = [2.0, NAN] * 20, [1.0, 0.5] * 20
    got = compared(values, baseline)
    assert (got.mean, got.count, got.left_out) == (1.0, 20, 20)
    assert got.verdict == "none" and got.note == "no verdict: finite on 20 of 40 tiles"
    assert got.t_low is got.t_high is got.bootstrap_low is None and got.over == ""
    assert compared(baseline, values).verdict == "none"
    assert compared([NAN], [1.0]).mean is None


def test_a_tile_undefined_for_both_is_left_out_and_does_not_matter():
    values, baseline = [2.0, 2.1, 2.2, 2.3], [1.0] * 4
    whole, more = compared(values, baseline), compared([*values, NAN, INF], [*baseline, NAN, INF])
    assert (more.t_low, more.t_high, more.verdict) == (whole.t_low, whole.t_high, "better")
    assert (more.count, more.left_out, more.blocks) == (4, 2, 4)
    # A third method has a value there: it was not the truth that left none.
    third = [*baseline, 1.0, INF]
    mask = undefined_alike([[*values, NAN, INF], [*baseline, NAN, INF], third])
    assert mask.tolist() == [False] * 5 + [True]
    masked = compared([*values, NAN, INF], [*baseline, NAN, INF], undefined=mask)
    assert masked.verdict == "none"


def test_a_tile_perfect_on_one_side_only_leaves_no_verdict():
    values, baseline = [2.0, 2.1, 2.2, 2.3, 2.4], [1.0, 1.0, 1.0, 1.0, INF]
    assert compared(values, baseline).note == "no verdict: finite on 4 of 5 tiles"


@pytest.mark.parametrize(
    ("blocks", "scenes", "over", "note"),
    [
        (4, 4, "4 blocks and 4 scenes", ""),
        (4, 3, "4 blocks", "for these 3 scenes only"),
        (6, 2, "6 blocks", "for these 2 scenes only"),
        (4, 1, "4 blocks", "for this scene only"),
        (3, 3, "", "no verdict below 4 blocks (3 here)"),
        (3, 9, "", "no verdict below 4 blocks (3 here)"),
        (1, 1, "", "no verdict below 4 blocks (1 here)"),
    ],
)
def test_few_clusters_limit_the_interval_or_leave_none(blocks, scenes, over, note):
    groups = crossed(blocks, scenes)
    values = [1.0 + 0.01 * i for i in range(blocks * scenes)]
    got = compared(values, [0.0] * len(values), *groups)
    assert (got.over, got.note, got.blocks, got.scenes) == (over, note, blocks, scenes)
    assert got.verdict == ("better" if over else "none")
    assert (got.t_low is None) == (got.bootstrap_low is None) == (not over)


def test_scenes_alone_are_the_clusters_where_each_block_lies_in_one():
    blocks, scenes = list("abcdefgh"), list("sstuuvvv")
    assert clusters_of(blocks, scenes) == {"scene": scenes}
    values = [float(i) for i in range(8)]
    got = compared(values, [0.0] * 8, blocks, scenes)
    assert got.over == "4 scenes"
    expected = t_interval(np.array(values), [scenes])
    assert (got.t_low, got.t_high, got.degrees_of_freedom) == pytest.approx(
        tuple(float(value) for value in expected)
    )


def test_blocks_alone_are_the_clusters_where_each_scene_lies_in_one():
    """Sites of their own overpasses: both kinds counted the spread of the scenes twice.

    Such intervals covered 99 % instead of 95, being up to 1.3 times as wide.
    """
    blocks, scenes = (np.repeat(np.arange(n), 24 // n * 4).tolist() for n in (8, 24))
    assert clusters_of(blocks, scenes) == {"block": blocks}
    draw = np.random.default_rng(5)
    of_scene = draw.normal(size=(2000, 24))[:, scenes]
    values = of_scene + draw.normal(size=of_scene.shape)
    low, high, _ = t_interval(values, list(clusters_of(blocks, scenes).values()))
    assert 0.93 <= ((low <= 0) & (high >= 0)).mean() <= 0.97


def test_clusters_are_counted_among_the_tiles_compared():
    blocks, scenes = list("abcd"), list("stuv")
    got = compared([1.0, 2.0, 3.0, NAN], [0.0, 0.0, 0.0, NAN], blocks, scenes)
    assert (got.blocks, got.scenes, got.note) == (3, 3, "no verdict below 4 blocks (3 here)")
