"""Comparisons of a group: seeds as one entry, Holm over a table, failures counted."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.core.clustered import t_interval
from sensor2sensor.core.errors import InputError
from sensor2sensor.report import compare, paired
from sensor2sensor.report.comparison import LEVEL
from sensor2sensor.report.load import Group
from tests.unit.report import made

WHERE = made.facts()
BASELINES = {"nearest": made.scores(0.3, 2, WHERE), "bicubic": made.scores(0.5, 3, WHERE)}
SEEDED = {"recipe": "sha256:" + "cd" * 32}
MODEL = "a/m-s* (3 seeds)"


def run(name, level=0.5, draw=1, where=WHERE, values=None, **said):
    own = made.scores(level, draw, WHERE) if values is None else values
    return made.result(name, {"model": own, **BASELINES}, where, **said)


@pytest.fixture(scope="module")
def seeds():
    return [run(f"a/m-s{n}", 0.515, 10 + n, seed=n, **SEEDED) for n in range(3)]


@pytest.fixture(scope="module")
def group(seeds):
    return made.group(run("a/good", 0.7), *seeds, run("a/bad", 0.2, 5))


def test_seeds_of_one_recipe_are_one_entry_whose_tiles_are_averaged_first(group, seeds):
    found = compare.entrants(group)
    assert [e.label for e in found] == ["nearest", "bicubic", "a/good", MODEL, "a/bad"]
    model = found[3]
    columns = [r.table[r.table["method"] == "model"]["rmse"].to_numpy() for r in seeds]
    assert np.array_equal(model.table["rmse"], np.mean(columns, axis=0))
    assert len(model.table) == made.TILES and model.seeds == (0, 1, 2)
    spread = np.std([column.mean() for column in columns], ddof=1)
    assert model.seed_spread("rmse") == pytest.approx(spread)
    cell = compare.summary_table(group).loc[MODEL].iloc[0]
    assert f"seeds ± {compare.number(spread)}" in cell
    assert found[2].seeds == () and found[2].seed_spread("rmse") is None


def test_an_interval_of_seeds_is_of_their_mean_and_not_of_more_tiles(group, seeds):
    own = compare.compared_with(group)[MODEL]["rmse"]
    columns = [r.table[r.table["method"] == "model"]["rmse"].to_numpy() for r in seeds]
    gain = BASELINES["bicubic"]["rmse"] - np.mean(columns, axis=0)
    low, high, freedom = t_interval(gain, [WHERE["block"].tolist(), WHERE["scene"].tolist()])
    assert (own.low, own.high, own.freedom) == pytest.approx((low, high, float(freedom)))
    assert own.count == made.TILES


@pytest.mark.parametrize(
    "other",
    [{"seed": 0}, {"seed": None}, {"recipe": "sha256:00"}, {"recipe": None}, {"weights": "ema 0.9"},
     {"model_is_baseline": True, "model_name": "edsr"}],
)  # fmt: skip
def test_what_is_no_other_seed_of_the_recipe_stands_alone(seeds, other):
    found = made.group(seeds[0], run("a/other", 0.6, 7, **{"seed": 9, **SEEDED, **other}))
    assert len([e for e in compare.entrants(found) if e.results]) == 2


def test_steps_of_one_run_are_no_seeds_and_seeds_of_a_step_are(seeds):
    early = [run(f"a/m-s{n}", 0.45, 20 + n, seed=n, step=100, **SEEDED) for n in range(3)]
    found = compare.entrants(made.group(*seeds, *early))
    labels = [e.label for e in found if e.results]
    assert [label.split(", recipe")[0] for label in labels] == [
        f"{MODEL} [step 300", f"{MODEL} [step 100",
    ]  # fmt: skip


def test_a_training_that_was_stopped_half_way_is_no_seed_of_a_whole_one(seeds):
    short = run("a/m-s9", 0.3, 9, seed=9, step=10, **SEEDED)
    found = [e.label for e in compare.entrants(made.group(*seeds, short)) if e.results]
    assert found == [MODEL, "a/m-s9"]


def test_seeds_at_their_best_validations_are_one_model_whatever_their_steps():
    best = [run(f"a/m-s{n}", 0.5, n, seed=n, step=100 + n, at_best=True, **SEEDED) for n in (0, 1)]
    other = run("a/m-s2", 0.5, 2, seed=2, step=300, at_best=False, **SEEDED)
    found = [e.label for e in compare.entrants(made.group(*best, other)) if e.results]
    assert found == ["a/m-s* (2 seeds), each at its best validation", "a/m-s2"]


def test_a_tile_that_one_seed_failed_on_is_a_failure_of_the_model(seeds):
    spoilt = {name: values.copy() for name, values in made.scores(0.515, 12, WHERE).items()}
    spoilt["cc"][4] = np.nan
    found = made.group(*seeds[:2], run("a/m-s2", values=spoilt, seed=2, **SEEDED))
    one = compare.compared_with(found)[MODEL]["cc"]
    assert (one.count, one.left_out, one.failed) == (made.TILES - 1, 1, (1, 0))
    assert one.verdict == "none" and one.p is None
    assert one.note == f"no verdict: finite on {made.TILES - 1} of {made.TILES} tiles"
    assert "In 1 a side failed on tiles" in compare.correction(found)


def test_an_experiment_that_is_called_as_a_baseline_is_does_not_take_its_place():
    found = made.group(run("bicubic", 0.9, 4), run("a/good", 0.7))
    gained = compare.compared_with(found)
    assert set(gained) == {"bicubic [run]", "a/good"}
    for label, level in (("bicubic [run]", 0.9), ("a/good", 0.7)):
        own = gained[label]["ssim"]
        assert own.mean == pytest.approx(level - 0.5, abs=0.02) and own.verdict == "better"


def test_what_another_evaluation_has_a_value_of_is_a_failure_of_one_without_baselines():
    spoilt = made.scores(0.7, 1, WHERE)
    for values in spoilt.values():
        values[:12] = np.nan
    alone = made.result("a/fails", {"model": spoilt}, WHERE)
    (one, *_) = [
        found
        for found in paired.pairs(made.group(alone, run("a/good", 0.6)))
        if (found.first, found.second) == ("a/fails", "bicubic")
    ]
    assert (one.left_out, one.failed, one.verdict) == (12, (12, 0), "none")


def test_what_a_model_fails_on_within_a_stratum_is_its_failure_and_no_lack_of_pixels():
    where = made.facts(tiles=60)
    own, base = (made.scores(level, 1, where)["cc"] for level in (0.7, 0.5))
    within = np.where(np.arange(len(where)) < 40, np.nan, own)
    methods = {
        "model": {"cc": own, "cc@cloudy": within},
        "bicubic": {"cc": base, "cc@cloudy": base},
    }
    stratum = {"extra": "mask", "values": [1], "columns": ["cc@cloudy"], "pixels": 9, "tiles": 60}
    one = made.result("a/m", methods, where, strata={"cloudy": stratum})
    part = Group("cloudy", (one,), "cloudy")
    assert compare.rank_table(part).index.tolist() == ["bicubic", "a/m"]
    found = [c for c in paired.over_baseline(part, "bicubic") if c.metric == "cc@cloudy"]
    assert [(c.failed, c.verdict) for c in found] == [((40, 0), "none")]


def test_seeds_scored_by_two_settings_are_two_entries_of_two_names(seeds):
    small = [run(f"a/m-s{n}", 0.3, 10 + n, seed=n, set=["batch_size=4"], **SEEDED) for n in (3, 4)]
    found = compare.compared_with(made.group(*seeds, *small))
    assert len(found) == 2
    means = [own["ssim"].mean for own in found.values()]
    assert means == pytest.approx([0.015, -0.2], abs=0.02)


def test_a_tile_that_nobody_has_a_value_on_is_no_failure():
    own = {name: values.copy() for name, values in made.scores(0.7, 1, WHERE).items()}
    others = {m: {n: v.copy() for n, v in b.items()} for m, b in BASELINES.items()}
    for values in (own, *others.values()):
        values["cc"][4] = np.nan
    found = made.group(made.result("a/good", {"model": own, **others}, WHERE))
    one = compare.compared_with(found)["a/good"]["cc"]
    assert (one.left_out, one.failed, one.verdict) == (1, (0, 0), "better")


def test_what_is_computed_anew_is_what_the_evaluation_wrote(group):
    found = compare.compared_with(group)["a/good"]
    for name, stored in group.results[0].facts.gain["bicubic"].items():
        one = found[name]
        told = [one.mean, one.low, one.high, one.freedom, one.count, one.blocks, one.over, one.note]
        wrote = [stored.mean, stored.t_low, stored.t_high, stored.degrees_of_freedom]
        wrote += [stored.count, stored.blocks, stored.over, stored.note]
        assert told[4:] == wrote[4:] and told[:4] == pytest.approx(wrote[:4])


def test_without_facts_stored_gains_are_corrected_and_the_rest_has_no_verdict(group):
    levels = {"a/good": (0.7, 1), "a/near": (0.51, 10)}
    plain = made.group(*(run(name, *level, known=False) for name, level in levels.items()))
    known = made.group(*(run(name, *level) for name, level in levels.items()))
    first, second = compare.compared_with(plain), compare.compared_with(known)
    for label in first:
        for name in first[label]:
            one, two = first[label][name], second[label][name]
            assert one.corrected == pytest.approx(two.corrected) and one.verdict == two.verdict
    alone = next(one for one in paired.pairs(plain) if one.second == "a/near")
    assert alone.verdict == "none" and "no facts per tile" in alone.note
    assert alone.count == made.TILES


def test_a_table_is_one_family_and_a_verdict_needs_its_correction(group):
    found = paired.over_baseline(group, "bicubic")
    ps = sorted(one.p for one in found)
    assert len(ps) == 9 == 3 * len(made.METRIC_NAMES)
    for one in found:
        below = [p for p in ps if p <= one.p]
        expected = min(1.0, max((len(ps) - rank) * p for rank, p in enumerate(below)))
        assert one.corrected == pytest.approx(expected)
        assert (one.verdict in ("better", "worse")) == (one.corrected < LEVEL)
    told = compare.correction(group)
    assert "Holm's correction over the 9 tests of this table (one family" in told


def test_a_gain_that_is_clear_alone_may_be_open_in_a_table():
    crowd = [run(f"a/x{n:02d}", 0.507, 30 + n) for n in range(12)]
    found = paired.over_baseline(made.group(*crowd), "bicubic")
    lost = [one for one in found if one.p < LEVEL <= one.corrected]
    assert lost and all(one.verdict == "open" for one in lost)
    cell = compare.gain_table(made.group(*crowd)).loc[lost[0].first]
    assert not all("✓" in text for text in cell)


def test_runs_are_compared_with_each_other_and_with_baselines(group):
    found = paired.pairs(group)
    named = {(one.first, one.second) for one in found}
    runs, others = ["a/good", MODEL, "a/bad"], ["nearest", "bicubic"]
    assert named == {(a, b) for i, a in enumerate(runs) for b in [*runs[i + 1 :], *others]}
    best = next(one for one in found if one.second == "a/bad" and one.metric == "rmse")
    assert best.verdict == "better" and best.mean == pytest.approx(0.5, abs=0.02)


def test_a_signed_rank_is_of_cluster_means_of_one_kind_and_at_least_ten(group):
    # Blocks and scenes cross here: clusters of neither kind are independent of each other.
    assert all(one.ranked is None for one in paired.pairs(group))
    single = made.facts(scenes=1)
    one = compare.compared_with(made.group(run("a/good", 0.7, where=single)))["a/good"]["rmse"]
    assert one.over == "12 blocks" and one.ranked == pytest.approx(2 / 2**12)
    assert one.ranked_corrected == pytest.approx(3 * 2 / 2**12)
    few = made.facts(scenes=1, blocks=9)
    one = compare.compared_with(made.group(run("a/good", 0.7, where=few)))["a/good"]["rmse"]
    assert one.ranked is None and one.verdict == "better"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"profile": "arisgan"}, "profile 'standard' and 'arisgan'"),
        ({"metrics_version": 1}, "metrics version '2' and '1'"),
        ({"dataset": {"name": "cur_21"}}, "data set 'alt6_toy' and 'cur_21'"),
        ({"dataset": {"sha256": "ef" * 32}}, "hash of the data set"),
        ({"split": "val"}, "split 'test' and 'val'"),
        ({"filters": {"exclude_suffix": "mask"}}, "filters"),
    ],
)
def test_what_must_not_share_a_table_is_refused(said, word):
    mixed = made.group(run("a/good", 0.7), run("a/bad", 0.2, **said))
    for table in (compare.summary_table, compare.gain_table, compare.rank_table, paired.pairs):
        with pytest.raises(InputError) as raised:
            table(mixed)
        assert word in str(raised.value) and "no table holds both a__good" in str(raised.value)
