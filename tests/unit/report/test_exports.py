"""Tables as files: which there are, what their captions say, and that numbers are the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sensor2sensor.report import compare, exports, paired, printed, sheets
from sensor2sensor.report.load import Results
from tests.unit.report import made

WHERE = made.facts(tiles=40, blocks=8)
BASELINES = {"nearest": made.scores(0.3, 2, WHERE), "bicubic": made.scores(0.5, 3, WHERE)}


def run(name, level, draw, **said):
    return made.result(name, {"model": made.scores(level, draw, WHERE), **BASELINES}, WHERE, **said)


@pytest.fixture(scope="module")
def found():
    seeded = {"recipe": "sha256:" + "cd" * 32}
    seeds = [run(f"a/m_s{n}", 0.52, 10 + n, seed=n, **seeded) for n in range(2)]
    return Results(Path("x"), (run("a/good_1", 0.7, 1), *seeds), ())


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    assert {p.name for p in exports.write_tables(found, place)} == {p.name for p in place.iterdir()}
    return place


def test_every_table_is_there_thrice_and_listed(folder):
    stems = {path.stem for path in folder.iterdir()} - {"README"}
    tables = ("scores", "ranks", "gain_over_bicubic", "pairs", "by_scene", "by_season",
              "by_cloud_share", "by_shift_px", "by_inside_mask")  # fmt: skip
    assert stems == {f"alt6-toy_{name}" for name in tables}
    listed = (folder / "README.md").read_text(encoding="utf-8")
    for stem in stems:
        for kind in ("csv", "md", "tex"):
            assert (folder / f"{stem}.{kind}").is_file() and f"({stem}.{kind})" in listed


def test_a_csv_has_every_digit_of_every_comparison(folder, found):
    table = pd.read_csv(folder / "alt6-toy_gain_over_bicubic.csv", keep_default_na=False)
    own = paired.over_baseline(found.groups[0], "bicubic")
    assert table["p_holm"].tolist() == [one.corrected for one in own]
    assert table["low_95"].tolist() == [one.low for one in own]
    assert table["verdict"].tolist() == [one.verdict for one in own]
    assert set(table["tests_in_family"]) == {6} and set(table["failed_first"]) == {0}
    seeds = table[table["first"] == "a/m_s* (2 seeds)"]["seeds_first"]
    assert set(seeds) == {"0 1"}
    scores = pd.read_csv(folder / "alt6-toy_scores.csv", keep_default_na=False)
    model = scores[(scores["entry"] == "a/m_s* (2 seeds)") & (scores["metric"] == "cc")].iloc[0]
    means = [float(text) for text in model["means_of_seeds"].split()]
    assert model["mean"] == pytest.approx(sum(means) / 2)
    assert float(model["std_of_seeds"]) == pytest.approx(abs(means[0] - means[1]) / 2**0.5)


def test_captions_say_what_is_behind(folder):
    for name in ("scores", "gain_over_bicubic", "pairs", "by_season"):
        text = (folder / f"alt6-toy_{name}.tex").read_text(encoding="utf-8")
        for words in ("40 tiles in 8 blocks of ground and 5 scenes", "metrics of version 2",
                      "profile 'standard'", "ground was seen in training",
                      r"a/m\_s* (2 seeds): 0, 1"):  # fmt: skip
            assert words in text, (name, words)
    gains = (folder / "alt6-toy_gain_over_bicubic.md").read_text(encoding="utf-8")
    assert "Holm's correction over the 6 tests of this table" in gains
    assert "one family: all its parts and methods" in (folder / "alt6-toy_by_season.md").read_text(
        encoding="utf-8"
    )


def test_the_best_mean_is_bold_and_it_alone(folder, found):
    lines = (folder / "alt6-toy_scores.md").read_text(encoding="utf-8").splitlines()
    bold = [line for line in lines if "**" in line]
    assert len(bold) == 1 and bold[0].startswith(r"| a/good\_1 |")
    group = found.groups[0]
    marks = compare.best_cells(group, compare.summary_table(group))
    assert marks.loc["a/good_1"].sum() == len(made.METRIC_NAMES) == marks.to_numpy().sum()


def test_the_pairs_are_the_same_from_both_sides(folder):
    lines = (folder / "alt6-toy_pairs.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| a/")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0][4] == "3 : 0 of 3" and cells[1][3] == "0 : 3 of 3"


def test_where_nothing_is_tested_the_list_says_why_there_are_no_pairs(tmp_path):
    few = made.facts(tiles=40, blocks=3)
    levels = {"a/good": (0.7, 1), "a/near": (0.51, 10)}
    runs = tuple(
        made.result(name, {"model": made.scores(*level, few), **BASELINES}, few)
        for name, level in levels.items()
    )
    made_of = exports.write_tables(Results(Path("x"), runs, ()), tmp_path)
    assert not any("pairs" in path.name for path in made_of)
    listed = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "Models against each other: no verdict below 4 blocks (3 here)" in listed
    gains = (tmp_path / "alt6-toy_gain_over_bicubic.md").read_text(encoding="utf-8")
    assert "No comparison of this table was tested" in gains


def test_every_group_has_files_of_its_own_that_any_file_system_takes(tmp_path):
    sets = [("d", "aa"), ("d", "bb"), ("d-2", "cc"), ("D", "dd"), ("e" * 240, "ee")]
    found = [run("a/m", 0.7, 1, dataset={"name": n, "sha256": digest}) for n, digest in sets]
    paths = exports.write_tables(Results(Path("x"), tuple(found), ()), tmp_path)
    assert len({path.name.lower() for path in paths}) == len(paths)
    assert all(path.is_file() for path in paths)


def test_a_sign_of_money_beside_one_of_mathematics_stays():
    assert sheets.escaped("a$<b") == r"a\$$<$b"
    assert sheets.escaped("<>") == "$<>$"


def test_who_was_scored_without_the_baseline_is_named_beside_the_gains():
    alone = made.result(
        "b/alone", {"model": made.scores(0.6, 4, WHERE), "nearest": BASELINES["nearest"]}, WHERE
    )
    sheet = printed.gains(made.group(run("a/good_1", 0.7, 1), alone), "bicubic")
    assert "Not compared, since scored without bicubic: b/alone." in sheet.caption
