"""Tables: directions, ranks, gains, and what is left out of a mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.core import files
from sensor2sensor.report import compare, entrants, load
from tests.unit.report import folders

GOOD, BAD = "sis2/good", "sis2/bad"


@pytest.fixture
def group(tmp_path):
    folders.add(tmp_path, GOOD, 0.7)
    folders.add(tmp_path, BAD, 0.2)
    return load(tmp_path).groups[0]


def test_baselines_stand_once_beside_every_run(group):
    assert [e.label for e in compare.entrants(group)] == ["nearest", "bicubic", BAD, GOOD]


def test_a_baseline_with_a_run_of_its_own_stands_there_only(tmp_path):
    folders.add(tmp_path, "a/bicubic", 0.5, itself="bicubic")  # the first of the folder
    folders.add(tmp_path, GOOD, 0.7)
    group = load(tmp_path).groups[0]
    found = [(entrant.label, entrant.baseline) for entrant in compare.entrants(group)]
    assert found == [("nearest", True), ("a/bicubic = bicubic", True), (GOOD, False)]
    assert group.reference == "bicubic"
    # Its own gain over itself would be 0 and tell nothing.
    assert list(compare.gain_table(group).index) == [GOOD]
    assert set(compare.rank_table(group).loc[GOOD]) == {1}


def test_baselines_alone_are_compared_with_the_strongest_left(tmp_path):
    folders.add(tmp_path, "a/bicubic", 0.5, itself="bicubic")
    group = load(tmp_path).groups[0]
    assert group.reference == "nearest"
    assert list(compare.gain_table(group).index) == ["a/bicubic = bicubic"]


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
    group = load(tmp_path).groups[0]
    table = compare.rank_table(group)
    assert table.loc[GOOD, "CC ↑"] == 1 and table.loc[BAD, "CC ↑"] == 4
    assert math.isnan(compare.means(group).loc[BAD, "cc"])
    assert "(1 of 12)" in compare.summary_table(group).loc[BAD, "CC ↑"]
    # The others keep all of their tiles.
    every = [values["cc"] for values in folders.scores(0.7, 1, ("cc",))]
    assert compare.means(group).loc[GOOD, "cc"] == pytest.approx(np.mean(every), abs=0.01)


def half(tmp_path, **places):
    """GOOD is NaN or infinite on every second tile, in every metric; BAD is whole."""
    odd = [(tile, metric, math.nan if tile % 4 else -math.inf)
           for tile in range(0, folders.TILES, 2) for metric in METRICS]  # fmt: skip
    folders.add(tmp_path, GOOD, 0.9, spoil=odd, **places)
    folders.add(tmp_path, BAD, 0.2, **places)
    return load(tmp_path).groups[0]


def test_a_run_without_a_value_on_half_its_tiles_has_no_verdict_no_bold_and_the_last_rank(tmp_path):
    group = half(tmp_path)
    gains = compare.gain_table(group)
    for cell in gains.loc[GOOD]:
        assert "6 of 12" in cell and "✓" not in cell and "no verdict" in cell
    assert compare.means(group).loc[GOOD].isna().all()
    assert set(compare.rank_table(group).loc[GOOD]) == {4}
    assert all("(6 of 12)" in compare.summary_table(group).loc[GOOD, heading]
               for heading in map(compare.heading, group.facts.metrics.values()))  # fmt: skip
    assert all("✗" in cell for cell in gains.loc[BAD])


def test_a_tile_undefined_for_everyone_is_left_out_for_all_alike(tmp_path):
    folders.add(tmp_path, GOOD, 0.7)
    group = load(tmp_path).groups[0]
    found = compare.entrants(group)
    first = found[0].table.index[0]
    for entrant in found:
        entrant.table.loc[first, "cc"] = math.nan
    columns = compare.compared(group, found, "cc")
    assert [len(column) for column in columns] == [folders.TILES - 1] * 3
    found[-1].table.loc[found[-1].table.index[1], "cc"] = math.nan
    assert [len(c) for c in compare.compared(group, found, "cc")][-1] == 0


def test_a_perfect_tile_is_left_out_for_all_and_makes_no_one_last(tmp_path):
    folders.add(tmp_path, GOOD, 0.7, spoil=[(0, "psnr", math.inf), (0, "rmse", math.inf)])
    group = load(tmp_path).groups[0]
    ranks = compare.rank_table(group)
    assert ranks.loc[GOOD, "PSNR ↑"] == 1
    assert ranks.loc[GOOD, "RMSE ↓"] == 3  # an infinite error is no perfection


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


def test_what_nobody_has_a_value_of_ranks_nobody(group, monkeypatch):
    found = compare.entrants(group)
    for entrant in found:
        entrant.table["cc"] = math.nan
    monkeypatch.setattr(entrants, "entrants", lambda _: found)
    table = compare.rank_table(group)
    assert set(table["CC ↑"]) == {compare.NOTHING}
    others = table.drop(columns=["mean rank", "CC ↑"]).astype(int)
    assert list(table["mean rank"]) == list(others.mean(axis=1).round(2))


def test_the_gain_is_over_the_strongest_baseline(group):
    table = compare.gain_table(group)
    good, bad = table.loc[GOOD, "RMSE ↓\n(reflectance)"], table.loc[BAD, "HPSI (colour) ↑"]
    assert good.startswith("+0.2") and "✓" in good
    assert bad.startswith("-0.29") and "✗" in bad
    assert good.endswith(" for these 3 scenes only")
    assert compare.independent_groups(group) == "intervals over 6 blocks, for these 3 scenes only"


def test_four_scenes_need_no_label_and_three_blocks_give_no_verdict(tmp_path):
    folders.add(tmp_path / "a", GOOD, 0.7, scenes=4)
    group = load(tmp_path / "a").groups[0]
    assert compare.independent_groups(group) == "intervals over 6 blocks and 4 scenes"
    cell = compare.gain_table(group).loc[GOOD, "HPSI (colour) ↑"]
    assert "✓" in cell and "only" not in cell
    folders.add(tmp_path / "b", GOOD, 0.7, scenes=4, blocks=3)
    group = load(tmp_path / "b").groups[0]
    assert (
        compare.gain_table(group)
        .loc[GOOD, "HPSI (colour) ↑"]
        .endswith("no verdict below 4 blocks (3 here)")
    )
    assert compare.independent_groups(group) == "no interval"


def test_an_evaluation_from_before_scenes_counted_loads_without_a_verdict(tmp_path):
    path = folders.add(tmp_path, GOOD, 0.7)
    content = files.read_json(path)
    for gains in content["gain"].values():
        for gain in gains.values():
            for key in ("degrees_of_freedom", "blocks", "scenes", "over", "verdict", "note"):
                del gain[key]
            gain |= {"clusters": 6, "cluster_unit": "block"}
    del content["scene_unit"]
    files.write_json(path, content)
    results = load(tmp_path)
    assert not results.skipped
    cell = compare.gain_table(results.groups[0]).loc[GOOD, "HPSI (colour) ↑"]
    assert cell.startswith("+0.2") and "✓" not in cell and "run evaluate.py again" in cell


def test_scenes_are_averaged_apart(group):
    table = compare.scene_table(group)
    assert list(table.columns) == ["inv/0", "inv/1", "inv/2"]
    first = [v["hpsi"] for t, v in enumerate(folders.scores(0.7, 1, ("hpsi",))) if t % 3 == 0]
    assert float(table.loc[GOOD, "inv/0"]) == pytest.approx(np.mean(first), abs=5e-4)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (math.inf, "–"), (123.456, "123.5"), (23.456, "23.46"), (0.5, "0.500"),
     (0.01234, "0.0123"), (0.00042, "4.2e-04"), (0.0, "0.0000")],
)  # fmt: skip
def test_numbers_keep_the_digits_that_matter(value, text):
    assert compare.number(value) == text
