"""Robust scores: what is odd among tiles, and what only looks so."""

from __future__ import annotations

import numpy as np

from sensor2sensor.preprocess.quality.measured import Measured, numbers_of
from sensor2sensor.preprocess.quality.outliers import LIMIT, outliers, robust_z, typical
from sensor2sensor.preprocess.quality.parts import months, regions, share


def measured(means: np.ndarray, std: np.ndarray | None = None) -> Measured:
    values = np.zeros((len(means), 1, 4))
    values[:, 0, 0] = means
    values[:, 0, 1] = 0.1 if std is None else std
    names = tuple(f"t{number:04d}" for number in range(len(means)))
    return Measured(("B04",), names, names, values)


def test_score_of_normal_values_is_their_standard_score() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, (20_000, 1))
    np.testing.assert_allclose(robust_z(values), (values - 5.0) / 2.0, atol=0.15)


def test_up_to_one_in_twenty_does_not_hide_itself() -> None:
    values = np.random.default_rng(0).normal(0.0, 1.0, 400)
    values[:16] = 40.0
    found = outliers(measured(values))
    assert {one.tile for one in found} == {f"t{number:04d}" for number in range(16)}


def test_ground_of_two_kinds_is_hardly_odd() -> None:
    """Ice and water: by the median deviation alone every tile of the smaller part were odd."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0.05, 0.003, 300), rng.normal(0.8, 0.05, 120)])
    assert len(outliers(measured(values))) <= 5
    apart = np.abs(values - np.median(values))
    assert (0.6745 * apart / np.median(apart) > LIMIT).sum() >= 120


def test_a_tile_of_one_colour_is_odd_and_columns_that_do_not_vary_are_not() -> None:
    std = np.random.default_rng(0).uniform(0.05, 0.2, 40)
    std[7] = 0.0
    found = outliers(measured(np.ones(40), std))
    assert [one.tile for one in found] == ["t0007"]
    assert found[0].score < -LIMIT and found[0].reason.startswith("B04 deviation 0.0000, median")
    assert 7 not in typical(measured(np.ones(40), std), 30)


def test_one_other_value_among_equal_ones_is_odd() -> None:
    values = np.ones(40)
    values[3] = 2.0
    assert [one.place for one in outliers(measured(values))] == [3]


def test_missing_values_and_few_tiles_are_no_outliers() -> None:
    values = np.random.default_rng(0).normal(0.0, 1.0, 30)
    values[4] = np.nan
    assert outliers(measured(values)) == []
    assert np.isfinite(robust_z(np.full((5, 2), np.nan))).all()
    assert outliers(measured(np.array([1.0, 1.0, 90.0]))) == []


def test_numbers_leave_out_what_is_not_finite() -> None:
    found = numbers_of(np.array([[1.0, np.nan], [3.0, np.nan]] * 8 + [[np.inf, np.nan]]))
    np.testing.assert_allclose(found[0], [2.0, 1.0, 1.0, 3.0])
    np.testing.assert_allclose(numbers_of(np.array([[1.0], [3.0]])), [[2.0, np.nan, 1.0, 3.0]])
    assert np.isnan(found[1]).all()


def test_regions_part_what_lies_far_away() -> None:
    corners = np.array([[0.0, 0.0], [140e3, 0.0], [280e3, 0.0], [2000e3, 0.0], [0.0, 0.0]])
    assert regions([32617] * 4 + [32618], corners) == [[0, 1, 2], [3], [4]]


def test_months_become_years_where_there_are_many() -> None:
    assert months(["2021-07-01", "2021-06-30", "2021-07-30"]) == {"2021-06": 1, "2021-07": 2}
    assert months(f"{2000 + n // 12}-{n % 12 + 1:02d}-01" for n in range(36)) == {
        "2000": 12,
        "2001": 12,
        "2002": 12,
    }


def test_shares_never_round_to_none_or_all() -> None:
    assert [share(1, 1000), share(999, 1000), share(1, 2), share(0, 5)] == [
        "< 1 %",
        "> 99 %",
        "50 %",
        "0 %",
    ]
