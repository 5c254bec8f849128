"""The simulation of benchmarks.coverage, small and seeded: intervals keep their word."""

from __future__ import annotations

import pytest

from benchmarks import coverage
from sensor2sensor.core import files

RUNS = 400  # a coverage of 95 % is then known to 1.1 %, so the bounds here are two of these wider


@pytest.mark.parametrize("shape", coverage.SHAPES)
@pytest.mark.parametrize("effect", ["block", "scene", "both"])
def test_intervals_of_equal_cells_cover_as_often_as_they_say(shape, effect) -> None:
    row = coverage.simulate(coverage.design(*shape), effect, runs=RUNS)
    assert 0.91 <= row["coverage"] <= 0.985


@pytest.mark.parametrize("shape", [(12, 4), (12, 12)])
def test_blocks_alone_cover_far_too_seldom_where_scenes_differ(shape) -> None:
    row = coverage.simulate(coverage.design(*shape), "scene", runs=RUNS)
    assert 0.15 < row["blocks_alone"] < 0.32 and row["coverage"] > 0.91


@pytest.mark.parametrize("effect", list(coverage.EFFECTS))
def test_unequal_cells_cover_nearly_as_often(effect) -> None:
    where = coverage.design(12, 12, equal=False)
    assert coverage.simulate(where, effect, runs=RUNS)["coverage"] >= 0.91


@pytest.mark.parametrize("kind", coverage.NESTED)
@pytest.mark.parametrize("effect", list(coverage.EFFECTS))
def test_nested_groups_are_counted_once(kind, effect) -> None:
    row = coverage.simulate(coverage.nested(kind), effect, runs=RUNS)
    assert 0.91 <= row["coverage"] <= 0.985
    # Blocks within scenes alone do not see what the scenes of them have in common.
    blind = kind == "blocks in scenes" and effect in ("scene", "both")
    assert (row["blocks_alone"] < 0.85) == blind


def test_two_scenes_are_labelled_and_covered_for_themselves() -> None:
    row = coverage.few_scenes(runs=RUNS)
    assert row["label"] == "for these 2 scenes only"
    assert 0.91 <= row["coverage_in_these_scenes"] and row["coverage_in_any_scene"] < 0.9


def test_the_results_are_those_of_the_whole_simulation() -> None:
    results = files.read_json(coverage.RESULTS)
    assert results["runs"] == coverage.RUNS == 2000
    designs = 2 * len(coverage.SHAPES) + len(coverage.NESTED)
    assert len(results["designs"]) == designs * len(coverage.EFFECTS)
    assert all(row["holds"] for row in [*results["designs"], results["few_scenes"]])
    first, last = results["designs"][0], results["designs"][-1]
    again = coverage.simulate(coverage.design(first["blocks"], first["scenes"]), first["effect"])
    assert again["coverage"] == pytest.approx(first["coverage"], abs=0.005)
    again = coverage.simulate(coverage.nested(last["cells"]), last["effect"])
    assert again["coverage"] == pytest.approx(last["coverage"], abs=0.005)
