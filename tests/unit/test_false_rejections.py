"""The simulation of benchmarks.false_rejections, small and seeded: what it shows holds."""

from __future__ import annotations

from benchmarks import false_rejections
from sensor2sensor.core import files

RUNS = 1000  # a share of 5 % is then known to 0.7 %


def test_a_signed_rank_of_tiles_rejects_true_nulls_and_ours_do_not() -> None:
    row = false_rejections.rejections(12, 8, 0.5, runs=RUNS)
    assert row["signed_rank_of_tiles"] > 0.15
    assert row["signed_rank_of_block_means"] < 0.075 and row["t"] < 0.075


def test_where_scenes_cross_blocks_only_the_t_keeps_its_word() -> None:
    row = false_rejections.crossed(runs=RUNS)
    assert row["signed_rank_of_block_means"] > 0.1 and row["t"] < 0.075


def test_blocks_of_unequal_size_are_no_more_than_they_are() -> None:
    sizes = (9, 8, 6, 4, 2, 1)
    values, groups = false_rejections._drawn(sizes, 0.5, RUNS, seed=0)
    p = false_rejections.p_value(*false_rejections.t_interval(values, [groups]))
    assert (p < 0.05).mean() < 0.07  # 8 % with G - 1 degrees of freedom


def test_a_table_without_correction_has_a_false_verdict_and_with_it_has_none() -> None:
    row = false_rejections.tables((4,) * 16, 0.3, runs=200)
    false = row["tables_with_a_false_verdict"]
    assert false["uncorrected"] > 0.5 and false["holm"] <= 0.085
    assert row["real_gain_found"]["holm"] > 0.8


def test_the_results_are_those_of_the_whole_simulation() -> None:
    results = files.read_json(false_rejections.RESULTS)
    assert (results["runs"], results["families"]) == (4000, 1000)
    rows = [*results["tests"], results["crossed"], *results["unequal"], *results["tables"]]
    assert len(rows) == 9 + 1 + 6 + 3 and all(row["holds"] for row in rows)
    by_tile = [row["signed_rank_of_tiles"] for row in results["tests"]]
    assert 0.10 < min(by_tile) and max(by_tile) < 0.23
    again = false_rejections.rejections(10, 8, results["tests"][0]["effect"])
    assert again["t"] == results["tests"][0]["t"]
