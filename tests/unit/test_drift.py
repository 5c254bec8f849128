"""The thresholds of ``--correct-shift`` are those that its simulation found."""

from __future__ import annotations

import pytest

from benchmarks import drift
from sensor2sensor.core import files

COLUMNS = ("number", "gap_h", "cloud", "quality", "size_m")


@pytest.fixture(scope="module")
def stored():
    return files.read_json(drift.RESULTS)


def test_the_constants_are_the_percentiles_found_rounded_up(stored):
    assert stored["pairs"] == len(stored["still"]) == drift.PAIRS
    still = [dict(zip(COLUMNS, row, strict=True)) for row in stored["still"]]
    assert drift.thresholds(still) == stored["classes"]
    assert drift.holds(stored)


def test_a_constant_that_is_not_what_was_found_is_seen(stored):
    (first, *others) = stored["classes"]
    for change in ({"used_m": first["used_m"] + 10.0}, {"pairs": drift.LEAST_PAIRS - 1}):
        assert not drift.holds({**stored, "classes": [{**first, **change}, *others]})


def test_clouds_in_the_wind_are_what_is_faster_than_ground(stored):
    still = [dict(zip(COLUMNS, row, strict=True)) for row in stored["still"]]
    sure = [one for one in still if one["quality"] and one["quality"] >= drift.SURE[0][0]]
    fast = [one for one in sure if drift.faster(one)]
    assert fast and all(one["cloud"] > 0.0 for one in fast)
    assert all(5.0 < one["size_m"] / (3600.0 * abs(one["gap_h"])) < 7.5 for one in fast)


def test_most_of_a_known_drift_is_corrected_and_little_of_it_left(stored):
    for row in stored["drifts"]:
        assert row["corrected"] >= 0.5 * row["pairs"] and row["most_left_m"] < row["drift_m"]


def test_a_pair_measures_today_what_is_stored(stored):
    number, gap_h, cloud, quality, size_m = stored["still"][1]
    again = drift.measured(drift.Pair(number))
    assert (again["gap_h"], again["cloud"]) == (gap_h, cloud)
    assert again["quality"] == pytest.approx(quality, abs=0.02)
    assert again["size_m"] == pytest.approx(size_m, abs=10.0)
