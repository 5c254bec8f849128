"""Runs by data sets, and the tiles that a method failed on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.report.entrants import refuse_mixtures
from sensor2sensor.report.failures import failures
from sensor2sensor.report.kinds import kind
from sensor2sensor.report.load import Results
from sensor2sensor.report.matrix import matrix
from tests.unit.report import made

WHERE = made.facts(tiles=20, blocks=5, scenes=4)
BASE = {"bicubic": made.scores(0.5, 2, WHERE)}
HOME, OTHER = {"name": "d", "sha256": "aa"}, {"name": "o", "sha256": "bb"}


def scored_on(there, trained, seen=0):
    """What a result says that is not of the data set trained on."""
    ground = {"ground": "unknown" if seen is None else "crs", "tiles": 20, "seen_tiles": seen}
    return {"scored_on": {**there, "trained_on": trained, **ground}, "dataset": there}


def run(name, level, *, seed=1, at=HOME, trained=HOME, seen=0, **said):
    """One evaluation, at home where it is of the data set trained on."""
    said = {"recipe": f"sha256:{name}", "seed": seed, "dataset": at, **said}
    said |= {} if at is trained else scored_on(at, trained, seen)
    return made.result(
        f"{name}/{seed}", {"model": made.scores(level, seed, WHERE), **BASE}, WHERE, **said
    )


def found(*results, metrics=("ssim",)):
    return matrix(Results(Path("_evaluation"), tuple(results), ()), metrics)


@pytest.fixture(scope="module")
def everywhere():
    """Two seeds trained on d and scored on both; a run trained on o alone, scored at home."""
    both = [run("a", 0.8, seed=s, at=at, seen=5) for s in (1, 2) for at in (HOME, OTHER)]
    return [*both, run("b", 0.9, at=OTHER, trained=OTHER)]


def test_results_elsewhere_stand_in_groups_of_their_own(everywhere):
    groups = Results(Path(), tuple(everywhere), ()).groups
    told = [(group.facts.dataset.name, len(group.results)) for group in groups]
    assert told == [("d", 2), ("o", 1), ("o", 2)]
    assert "by runs trained on d (aa)" in groups[2].title and "trained" not in groups[1].title
    assert kind(everywhere[1].facts) != kind(everywhere[4].facts)


def test_a_row_is_a_run_with_its_seeds_and_a_column_a_data_set(everywhere):
    (table,) = found(*everywhere)
    assert table.columns == ("d at 64 px", "o at 64 px")
    assert table.rows == ("bicubic", "a/* (2 seeds)", "b/1")
    home, away = (table.cells["a/* (2 seeds)", column] for column in table.columns)
    values = np.mean([made.scores(0.8, seed, WHERE)["ssim"] for seed in (1, 2)], axis=0)
    assert home.mean == pytest.approx(values.mean()) == away.mean
    means = [made.scores(0.8, seed, WHERE)["ssim"].mean() for seed in (1, 2)]
    assert home.spread == pytest.approx(np.std(means, ddof=1)) and home.seeds == 2
    gain = values.mean() - BASE["bicubic"]["ssim"].mean()
    assert home.gain == pytest.approx(gain) and home.verdict == "better"
    assert (home.home, home.seen, away.home, away.seen) == (True, None, False, 0.25)
    assert table.cells["bicubic", "o at 64 px"].home is None
    assert ("b/1", "d at 64 px") not in table.cells
    numbers = table.means()
    assert np.isnan(numbers.loc["b/1", "d at 64 px"]) and numbers.notna().sum().sum() == 5
    assert list(table.gains().index) == ["a/* (2 seeds)", "b/1"]
    words = table.table()
    assert words.loc["b/1", "d at 64 px"] == "–"
    cell = words.loc["a/* (2 seeds)", "o at 64 px"]
    assert "25 % seen" in cell and "✓" in cell and "*" not in cell
    assert "*" in words.loc["b/1", "o at 64 px"]
    assert any("5 of 20 tiles of o at 64 px show ground" in note for note in table.notes)


def test_without_a_run_elsewhere_there_is_no_matrix_and_profiles_never_share_one(everywhere):
    assert found(everywhere[0], everywhere[4]) == ()
    val = run("a", 0.8, at=OTHER, split="val")
    assert found(everywhere[0], val) == ()
    assert len(found(*everywhere, metrics=None)) == len(made.METRIC_NAMES)


def test_trainings_on_two_builds_of_a_data_set_are_no_row():
    again = {**HOME, "sha256": "cc"}
    assert found(run("a", 0.8), run("a", 0.7, at=again, trained=again)) == ()
    # Beside a run that was scored on both each training has a row of its own.
    away = run("b", 0.9, at=again)
    (table,) = found(run("a", 0.8), run("a", 0.7, at=again, trained=again), run("b", 0.9), away)
    assert table.rows == ("bicubic", "a/1", "b/1", "a/1 [2]")


def test_a_row_is_of_one_step_and_says_where_its_seeds_differ():
    home = [run("a", 0.8, step=step) for step in (300, 100)]
    (table,) = found(*home, run("a", 0.6, at=OTHER, step=100))
    rows = {row for row, column in table.cells if column == "o at 64 px" and "step" in row}
    assert rows == {"a/1 (0715-0930, step 100)"}
    (table,) = found(run("a", 0.8), run("a", 0.8, at=OTHER), run("a", 0.6, seed=2, at=OTHER))
    assert any("(1 on d at 64 px, 1, 2 on o at 64 px)" in note for note in table.notes)


def test_what_is_lacking_or_unknown_is_said():
    results = run("a", 0.8), run("a", 0.8, seed=2), run("a", 0.8, at=OTHER, seen=None)
    (table,) = found(*results)
    told = " ".join(table.notes)
    assert "not the same seeds everywhere (1, 2 on d at 64 px, 1 on o at 64 px)" in told
    assert "nobody knows how much of o at 64 px it was trained on" in told
    assert table.cells["a/* (2 seeds)", "o at 64 px"].seen is None
    # A data set that was built anew is another column.
    again = {"name": "o", "sha256": "cc"}
    (table,) = found(*results, run("a", 0.8, at=again))
    assert table.columns == ("d at 64 px", "o at 64 px (bb)", "o at 64 px (cc)")


def test_a_run_without_a_recipe_is_known_by_itself_and_a_plain_baseline_is_at_home_nowhere():
    old = [run("a", 0.8, recipe=None, at=at) for at in (HOME, OTHER)]
    plain = run("c", 0.6, model_name="nearest", model_is_baseline=True, at=OTHER)
    (table,) = found(*old, plain)
    assert table.rows == ("bicubic", "nearest", "a/1")
    cell = table.cells["nearest", "o at 64 px"]
    assert (cell.home, cell.seen, cell.gain) == (None, None, None)


def test_tiles_that_a_method_failed_on_are_counted_for_each():
    scores = made.scores(0.8, 1, WHERE)
    scores["cc"][:3] = np.nan
    scores["ssim"][2] = np.nan
    base = {name: column.copy() for name, column in BASE["bicubic"].items()}
    base["rmse"][5] = np.inf
    # The truth has no correlation there, whoever predicts it.
    scores["cc"][7] = base["cc"][7] = np.nan
    states = {"model": {"not_finite": 3, "ordinary": 17}, "bicubic": {"ordinary": 20}}
    one = made.result("a", {"model": scores, "bicubic": base}, WHERE, states=states)
    told = failures(made.group(one))
    assert list(told["failed"]) == [1, 3] and list(told["tiles"]) == [20, 20]
    assert list(told["failed in"]) == ["RMSE 1", "SSIM 1, CC 3"]
    assert list(told["not finite"]) == [0, 3] and "ordinary" not in told


def test_of_seeds_a_tile_counts_that_any_failed_on_and_perfect_is_no_failure():
    results = []
    for seed in (1, 2):
        scores = made.scores(0.8, seed, WHERE)
        scores["ssim"][seed] = np.nan
        scores["cc"][4] = np.inf  # of a metric where higher is better: as a perfect PSNR
        states = {"model": {"constant_prediction": 1, "ordinary": 19}}
        said = {"recipe": "r", "seed": seed, "states": states}
        results.append(made.result(f"a/{seed}", {"model": scores, **BASE}, WHERE, **said))
    told = failures(made.group(*results)).loc["a/* (2 seeds)"]
    assert (told["failed"], told["failed in"]) == (2, "SSIM 2")
    assert told["constant prediction"] == 2 and told["tiles"] == 20


def test_gains_of_a_column_are_over_one_baseline():
    nearest = {"nearest": made.scores(0.4, 3, WHERE)}
    home = made.result(
        "b/1", {"model": made.scores(0.9, 1, WHERE), **nearest}, WHERE,
        recipe="sha256:b", seed=1, dataset=OTHER,
    )  # fmt: skip
    (table,) = found(run("a", 0.8), run("a", 0.8, at=OTHER), home)
    over = {row: table.cells[row, "o at 64 px"].gain for row in ("a/1", "b/1")}
    assert table.references["o at 64 px"] == "nearest"
    assert over["a/1"] is None and over["b/1"] == pytest.approx(0.5, abs=0.02)


def test_runs_trained_on_aligned_inputs_stand_in_tables_of_their_own():
    """Scored on one and the same data set, too: a shift measured on the target helped them."""
    plain, moved = run("a", 0.8, at=OTHER), run("b", 0.9, at=OTHER, aligned=["train"])
    told = "trained with input aligned with the target (train)"
    assert told in kind(moved.facts)[1] and told not in kind(plain.facts)[1]
    assert len(Results(Path("_evaluation"), (plain, moved), ()).groups) == 2
    home = run("a", 0.8), run("b", 0.9, aligned=["train"])
    parts = found(plain, moved, *home)
    assert [told in one.title for one in parts] == [False, True]
    trained = [[row for row in one.rows if row != "bicubic"] for one in parts]
    assert [len(rows) for rows in trained] == [1, 1] and trained[0] != trained[1]
    with pytest.raises(InputError, match="no table holds both"):
        refuse_mixtures([plain, moved])
