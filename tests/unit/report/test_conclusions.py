"""The lines at the top of the page: true of what they are computed from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensor2sensor.report.baselines import gained_over
from sensor2sensor.report.load import Results, Skipped
from sensor2sensor.report.page.conclusions import conclusions
from sensor2sensor.report.page.view import View
from tests.unit.report import made

WHERE = made.facts(tiles=40, blocks=8)
BICUBIC = {"bicubic": made.scores(0.5, 3, WHERE)}


def run(name, level, draw, others=None, where=WHERE, **said):
    methods = {"model": made.scores(level, draw, where), **(BICUBIC if others is None else others)}
    return made.result(name, methods, where, **said)


def told(*found):
    """Both sides of one group."""
    results = Results(Path("x"), tuple(found), ())
    (group,) = results.groups
    said = conclusions(results, [View(group, "d", "g1")])
    return " ".join(said.can), " ".join(said.cannot)


def test_the_best_of_the_models_is_not_called_best_of_all():
    can, _ = told(run("a", 0.4, 1), run("b", 0.3, 2))
    assert "d: of 2 models a has the best mean rank; it is worse than bicubic in 3 of 3" in can


def test_models_that_share_the_first_place_are_said_to():
    can, _ = told(run("a", 0.7, 1), run("b", 0.7, 1))
    assert "of 2 models 2 share the best mean rank; a among them is better than bicubic" in can


def test_a_first_model_without_the_baseline_is_named_and_not_passed_over():
    can, _ = told(run("a", 0.7, 1), run("z", 0.9, 2, others={}, reference="bicubic"))
    start = "of 2 models z has the best mean rank, and is not compared with bicubic; a is better"
    assert start in can


def test_what_came_to_no_verdict_is_parted_by_why():
    _, cannot = told(run("a", 0.5, 3), run("b", 0.7, 1))
    assert "Nothing from 3 of 6 comparisons with a baseline: 3 not significant after" in cannot
    few = made.facts(tiles=9, blocks=3, scenes=3)
    base = {"bicubic": made.scores(0.5, 3, few)}
    _, cannot = told(run("a", 0.7, 1, base, few))
    assert "Nothing from 3 of 3 comparisons with a baseline: 3 not tested, for the" in cannot
    assert "significant" not in cannot


def test_a_model_of_several_seeds_was_not_trained_once_though_one_was_scored_again():
    seeds = [run(f"a/m-s{n}", 0.7, n, seed=n, recipe="r") for n in (0, 1)]
    again = run("a/m-s0", 0.7, 0, seed=0, recipe="r", profile="extended")
    results = Results(Path("x"), (*seeds, again), ())
    views = [View(group, "d", f"g{n}") for n, group in enumerate(results.groups)]
    cannot = " ".join(conclusions(results, views).cannot)
    assert "1 of 2 models was trained once" in cannot


def test_the_strongest_baseline_comes_last_whatever_the_order_of_the_file():
    levels = {"first": 0.55, "second": 0.52, "bicubic": 0.5}
    others = {name: made.scores(level, 3, WHERE) for name, level in levels.items()}
    one = run("a", 0.7, 1, others)
    assert gained_over(made.group(one)) == ("bicubic", "second", "first")
    spoilt = {name: values.copy() for name, values in others["first"].items()}
    for values in spoilt.values():
        values[0] = np.nan
    # Who fails on a tile is the stronger of nobody.
    failing = run("a", 0.7, 1, {**others, "first": spoilt})
    assert gained_over(made.group(failing)) == ("bicubic", "first", "second")


def test_intervals_that_held_less_than_they_aim_at_are_told():
    band = {"unit": "1", "q": 0.02, "calibration_blocks": 20, "coverage": 0.77, "std": 0.04,
            "lowest": 0.6, "highest": 0.9, "width": 0.04, "blocks": 12, "pixels": 9}  # fmt: skip
    said = {"level": 0.9, "score": "absolute", "draws": 1, "called": "conformal, 20 blocks",
            "calibrated": True, "calibration_blocks": 20, "promise": "marginal", "edge_px": 0,
            "calibrated_on": "part of val", "quantile_error": 0.0, "tiles": 40, "test_blocks": 8,
            "shift": [], "bands": {"B02": band}}  # fmt: skip
    good = {**said, "bands": {"B02": {**band, "coverage": 0.95}}}
    _, cannot = told(
        run("a", 0.7, 1, intervals=said), run("b", 0.6, 2, intervals=good), run("c", 0.5, 4)
    )
    assert "as if they held 90 %: 1 of 2 runs with intervals held less of test" in cannot
    assert "the least 77 %" in cannot


def test_what_spoils_the_numbers_is_told_before_what_holds_of_every_report():
    where = made.facts(tiles=40, blocks=8, scenes=3)
    policy = {"by": "block", "ground_shared": {"test": 0.2}}
    runs = [
        made.result(
            name, {"model": made.scores(0.5, draw, where), "bicubic": made.scores(0.5, 3, where)},
            where, dataset={"split_policy": policy},
        )
        for name, draw in (("a", 1), ("b", 2))
    ]  # fmt: skip
    results = Results(Path("x"), tuple(runs), (Skipped(Path("cut.json"), "not JSON"),))
    cannot = conclusions(results, [View(results.groups[0], "d", "g1")]).cannot
    assert len(cannot) == 5
    assert "training saw part" in cannot[0] and "1 file that could not be read" in cannot[1]
