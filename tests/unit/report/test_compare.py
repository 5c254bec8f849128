"""Tables: directions, ranks, gains, and what is left out of a mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensor2sensor.report import compare, load
from sensor2sensor.report.file import Gain
from tests.unit.report import folders

GOOD, BAD = "sis2/good", "sis2/bad"


@pytest.fixture
def group(tmp_path):
    folders.add(tmp_path, GOOD, 0.7)
    folders.add(tmp_path, BAD, 0.2)
    return load(tmp_path).groups[0]


def test_baselines_stand_once_beside_every_run(group):
    assert [e.label for e in compare.entrants(group)] == ["nearest", "bicubic", BAD, GOOD]


def test_the_summary_is_mean_and_sample_standard_deviation(group):
    values = [s["rmse"] for s in folders.scores(0.7, 1, ("rmse",))]
    cell = compare.summary_table(group).loc[GOOD, "RMSE ↓\n(reflectance)"]
    mean, std = cell.split("\n± ")
    assert float(mean) == pytest.approx(np.mean(values), abs=5e-4)
    assert float(std) == pytest.approx(np.std(values, ddof=1), abs=5e-5)


def test_ranks_follow_each_metrics_direction(group):
    table = compare.rank_table(group)
    assert list(table.index) == [GOOD, "bicubic", "nearest", BAD]
    assert set(table.loc[GOOD]) == {1} and set(table.loc[BAD]) == {4}
    assert {"RMSE ↓", "HPSI (colour) ↑"} <= set(table.columns)


def test_ranks_compare_on_the_same_tiles(tmp_path):
    # The bad run has no value on most tiles and a splendid one on the single tile that is easy.
    spoil = [(tile, "cc", math.nan) for tile in range(1, folders.TILES)]
    folders.add(tmp_path, GOOD, 0.7)
    folders.add(tmp_path, BAD, 0.6, spoil=[*spoil, (0, "cc", 0.65)])
    table = compare.rank_table(load(tmp_path).groups[0])
    assert table.loc[GOOD, "CC ↑"] == 1 and table.loc[BAD, "CC ↑"] == 2


def test_undefined_and_infinite_values_are_counted_not_averaged(tmp_path):
    folders.add(tmp_path, GOOD, 0.7, spoil=[(0, "psnr", math.inf), (1, "cc", math.nan)])
    group = load(tmp_path).groups[0]
    table = compare.summary_table(group)
    assert list(table.loc[GOOD, ["tiles", "undefined", "infinite"]]) == ["12", "1", "1"]
    assert math.isfinite(compare.means(group).loc[GOOD, "psnr"])


def test_an_entrant_without_any_value_ranks_last(tmp_path):
    spoil = [(tile, "cc", math.nan) for tile in range(folders.TILES)]
    folders.add(tmp_path, GOOD, 0.7)
    folders.add(tmp_path, BAD, 0.9, spoil=spoil)
    group = load(tmp_path).groups[0]
    assert compare.rank_table(group).loc[BAD, "CC ↑"] == 4
    assert compare.summary_table(group).loc[BAD, "CC ↑"].startswith("–")


def test_the_gain_is_over_the_strongest_baseline(group):
    table = compare.gain_table(group)
    good, bad = table.loc[GOOD, "RMSE ↓\n(reflectance)"], table.loc[BAD, "HPSI (colour) ↑"]
    assert good.startswith("+0.2") and "✓" in good
    assert bad.startswith("-0.29") and "✗" in bad
    assert compare.independent_groups(group) == "6 blocks"


def test_scenes_are_averaged_apart(group):
    table = compare.scene_table(group)
    assert list(table.columns) == ["inv/0", "inv/1", "inv/2"]
    first = [v["hpsi"] for t, v in enumerate(folders.scores(0.7, 1, ("hpsi",))) if t % 3 == 0]
    assert float(table.loc[GOOD, "inv/0"]) == pytest.approx(np.mean(first), abs=5e-4)


def interval(t, bootstrap):
    return Gain(
        mean=0.1, t_low=t[0], t_high=t[1], bootstrap_low=bootstrap[0],
        bootstrap_high=bootstrap[1], better_share=1.0, count=9, left_out=0, clusters=3,
        cluster_unit="block",
    )  # fmt: skip


def test_the_wider_interval_decides():
    assert compare.verdict(interval((0.01, 0.2), (0.02, 0.18))) == "better"
    assert compare.verdict(interval((-0.01, 0.2), (0.02, 0.18))) == "open"
    assert compare.verdict(interval((-0.3, -0.1), (-0.25, -0.12))) == "worse"
    assert compare.verdict(interval((None, None), (None, None))) == "open"
    assert compare.interval(interval((0.01, 0.2), (0.02, 0.25))) == (0.01, 0.25)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (math.inf, "–"), (123.456, "123.5"), (23.456, "23.46"), (0.5, "0.500"),
     (0.01234, "0.0123"), (0.00042, "4.2e-04"), (0.0, "0.0000")],
)  # fmt: skip
def test_numbers_keep_the_digits_that_matter(value, text):
    assert compare.number(value) == text
