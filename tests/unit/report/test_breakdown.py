"""Scores by scene, season, clouds and shift: parts, terciles, counts, and what has no interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sensor2sensor.core.clustered import t_interval
from sensor2sensor.core.errors import InputError
from sensor2sensor.report import breakdown
from tests.unit.report import made

WHERE = made.facts()
BASELINES = {"nearest": made.scores(0.3, 2, WHERE), "bicubic": made.scores(0.5, 3, WHERE)}
GOOD, BAD = made.scores(0.7, 1, WHERE), made.scores(0.2, 5, WHERE)


@pytest.fixture(scope="module")
def group():
    runs = {"a/good": GOOD, "a/bad": BAD}
    found = [made.result(name, {"model": own, **BASELINES}, WHERE) for name, own in runs.items()]
    return made.group(*found)


def test_facts_in_which_tiles_differ_break_down(group):
    found = breakdown.facts(group)
    assert found == ["scene", "season", "cloud_share", "shift_px", "inside_mask"]
    own = made.group(*group.results)
    own.results[0].tile_facts.table["same"] = "x"
    assert breakdown.facts(own) == found
    del own.results[0].tile_facts.table["same"]


def test_every_tile_stands_in_one_part_and_unknown_ones_are_told(group):
    for by in breakdown.facts(group):
        parts = breakdown.breakdown(group, by).parts
        names = [name for part in parts for name in part.tiles]
        assert sorted(names) == list(WHERE.index)
    last = breakdown.breakdown(group, "shift_px").parts[-1]
    assert last.label == breakdown.UNKNOWN and len(last.tiles) == 6 and last.blocks == 6


def test_numbers_are_parted_at_the_terciles_of_the_tiles(group):
    found = breakdown.breakdown(group, "shift_px")
    known = WHERE["shift_px"].dropna()
    assert found.edges == pytest.approx(np.quantile(known, [1 / 3, 2 / 3]))
    assert [len(part.tiles) for part in found.parts[:3]] == [18, 18, 18]
    low, high = found.edges
    for part, inside in zip(
        found.parts, (known <= low, (known > low) & (known <= high), known > high), strict=False
    ):
        assert set(part.tiles) == set(known.index[inside])


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([0.0] * 8 + [0.5, 0.9], (0.0,)),  # clouds on few tiles
        ([0.0, 0.9] + [1.0] * 8, (0.0,)),  # most of them at the largest value
        ([1.0, 2.0], (4 / 3, 5 / 3)),
    ],
)
def test_shared_values_make_fewer_parts(values, edges):
    assert breakdown.terciles(pd.Series(values)) == pytest.approx(edges)


def test_a_cell_is_the_gain_on_its_tiles_alone_and_all_cells_are_one_family(group):
    found = breakdown.breakdown(group, "season", "ssim")
    cell = next(c for c in found.cells if c.label == "a/good" and c.part.label == "winter")
    inside = (WHERE["season"] == "winter").to_numpy()
    gain = (GOOD["ssim"] - BASELINES["bicubic"]["ssim"])[inside]
    blocks = WHERE["block"][inside].tolist()
    low, high, _ = t_interval(gain, [blocks])  # two scenes say nothing of others
    one = cell.comparison
    assert (one.low, one.high, one.mean) == pytest.approx((low, high, gain.mean()))
    assert one.note == "for these 2 scenes only" and one.blocks == len(set(blocks))
    assert cell.mean == pytest.approx(GOOD["ssim"][inside].mean()) and cell.count == inside.sum()
    ps = sorted(c.p for c in found.comparisons())
    assert len(ps) == 4
    below = [p for p in ps if p <= one.p]
    assert one.corrected == pytest.approx(max((4 - k) * p for k, p in enumerate(below)))
    assert all(c.comparison is None for c in found.cells if c.label in BASELINES)


def test_a_part_of_too_few_blocks_has_a_mean_and_no_interval():
    where = WHERE.assign(season=np.where(WHERE["block"] < "b03", "spring", "summer"))
    run = made.result("a/good", {"model": GOOD, **BASELINES}, where)
    found = breakdown.breakdown(made.group(run), "season")
    cell = next(c for c in found.cells if c.label == "a/good" and c.part.label == "spring")
    assert cell.part.blocks == 3 and cell.mean is not None
    assert cell.comparison.low is None and cell.comparison.verdict == "none"
    assert cell.comparison.note == "no verdict below 4 blocks (3 here)"
    frame = breakdown.frame(found)
    (heading,) = (name for name in frame.columns if name.startswith("spring"))
    assert heading == f"spring\n({len(cell.part.tiles)} tiles, 3 blocks)"
    assert "to" not in frame.loc["a/good", heading]


def test_failed_tiles_are_counted_where_they_lie():
    own = {name: values.copy() for name, values in GOOD.items()}
    own["cc"][:2] = np.nan
    run = made.result("a/good", {"model": own, **BASELINES}, WHERE)
    found = breakdown.breakdown(made.group(run), "season", "cc")
    told = {c.part.label: c for c in found.cells if c.label == "a/good"}
    assert told["summer"].comparison.failed == (2, 0)
    assert told["summer"].comparison.verdict == "none" and told["summer"].count == 34
    assert told["winter"].comparison.failed == (0, 0)
    assert told["winter"].comparison.verdict == "better"


def test_without_facts_or_with_a_misspelt_one_it_is_refused_with_a_way_out(group):
    with pytest.raises(InputError) as raised:
        breakdown.breakdown(group, "sason")
    assert "nearest: 'season'" in str(raised.value)
    plain = made.result("a/good", {"model": GOOD, **BASELINES}, WHERE, known=False)
    assert breakdown.facts(made.group(plain)) == []
    with pytest.raises(InputError) as raised:
        breakdown.breakdown(made.group(plain), "season")
    assert "no facts per tile" in str(raised.value)


def test_a_value_that_is_called_unknown_is_a_part_beside_the_tiles_without_a_value():
    where = made.facts().assign(ice=["unknown", "old", ""] * (made.TILES // 3))
    one = made.result("a", {"model": made.scores(0.7, 1, where)}, where)
    parts = breakdown.breakdown(made.group(one), "ice").parts
    told = {part.label: len(part.tiles) for part in parts}
    assert told == {"old": 20, "unknown": 20, "unknown (no value)": 20}
