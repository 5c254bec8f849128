"""Which runs stand in one table: those with a metric of their own too, but never two meanings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sensor2sensor import report
from sensor2sensor.config.vocabulary import METRICS, MetricInfo
from sensor2sensor.core import files
from sensor2sensor.report import compare, load, pages, plots, terminal
from tests.unit.report import folders, made

PLAIN, OWN, OTHER = "a/plain", "b/own", "c/other"
BIAS = MetricInfo("bias", "Bias", "reflectance", "lower", "mean difference")


def add(monkeypatch, folder, name, metric=None, **options):
    """One evaluation whose experiment has a metric of its own."""
    with monkeypatch.context() as patch:
        if metric is not None:
            patch.setitem(METRICS, metric.name, metric)
        return folders.add(folder, name, 0.7, **options)


@pytest.fixture
def mixed(monkeypatch, tmp_path):
    """A folder with a run of bias and one without, which comes first."""
    add(monkeypatch, tmp_path, PLAIN)
    add(monkeypatch, tmp_path, OWN, BIAS)
    return tmp_path


def titles(folder):
    found = [group.title for group in load(folder).groups]
    assert len(set(found)) == len(found)
    return found


def test_runs_are_compared_on_what_they_share_and_a_metric_of_ones_own_stands_beside_it(mixed):
    (group,) = load(mixed).groups
    assert [r.facts.experiment for r in group.results] == [PLAIN, OWN]
    assert list(group.metrics)[-1] == "bias" and "bias" not in group.shared
    heading = "Bias ↓\n(reflectance)"
    summary, gains = compare.summary_table(group), compare.gain_table(group)
    assert summary.loc[PLAIN, heading] == gains.loc[PLAIN, heading] == "–"
    # The baselines stand once, with the numbers that only the second run has of them.
    assert summary.loc["bicubic", heading].startswith("0.70")
    assert "✓" in gains.loc[OWN, heading]
    assert list(summary.loc[PLAIN, ["undefined", "infinite"]]) == ["0", "0"]
    ranks = compare.rank_table(group)
    assert ranks.loc[PLAIN, "Bias ↓"] == "–" and ranks.loc[OWN, "Bias ↓"] == 1
    assert ranks.loc[PLAIN, "mean rank"] == ranks.loc[OWN, "mean rank"] == 1


def test_a_page_in_a_folder_that_is_not_there_is_refused_and_makes_none(mixed, tmp_path, capsys):
    page = tmp_path / "slip" / "report.html"
    assert terminal.main(["--evaluation", str(mixed), "--page", str(page)]) == 2
    said = capsys.readouterr()
    assert f"--page {page}: its folder is not there; make {page.parent} first" in said.err
    assert not said.out and not page.parent.exists()


def test_what_a_run_lacks_is_said_once_on_page_and_terminal(mixed, capsys):
    said = f"No Bias of {PLAIN}: not among the metrics of these runs"
    results = load(mixed)
    assert report.summary(results)._repr_html_().count(said) == 1
    assert all(PLAIN in page(results).body for page in (report.ranks, report.gains, report.scenes))
    assert "<img" in report.boxes(results).body
    assert terminal.main(["--evaluation", str(mixed)]) == 0
    assert capsys.readouterr().out.count(said) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unit": "percent"}, "bias of unit 'percent'"),
        ({"better": "higher"}, "bias of better 'higher'"),
        ({"unit": "%", "paper": "median"}, "bias of unit '%' and paper 'median'"),
    ],
)
def test_one_name_for_two_metrics_keeps_runs_apart_and_the_titles_say_why(
    monkeypatch, mixed, change, words
):
    add(monkeypatch, mixed, OTHER, replace(BIAS, **change))
    first, second = titles(mixed)
    assert words in second and words not in first and "bias of " in first
    names = [[r.facts.experiment for r in group.results] for group in load(mixed).groups]
    assert names == [[PLAIN, OWN], [OTHER]]


def test_another_label_or_new_words_for_a_built_in_metric_keep_nothing_apart(monkeypatch, mixed):
    path = add(monkeypatch, mixed, OTHER, replace(BIAS, label="Offset"))
    content = json.loads(path.read_text())
    content["metrics"]["ssim"]["paper"] = "Wang et al. 2004"
    files.write_json(path, content)
    assert len(titles(mixed)) == 1


def test_two_metrics_of_one_label_have_a_column_each(monkeypatch, mixed):
    add(monkeypatch, mixed, OTHER, replace(BIAS, name="skew"))
    (group,) = load(mixed).groups
    columns = compare.summary_table(group).loc[:, lambda t: t.columns.str.contains("Bias")]
    assert list(columns) == ["bias: Bias ↓\n(reflectance)", "skew: Bias ↓\n(reflectance)"]
    assert (columns.loc[[OWN, OTHER]] == "–").to_numpy().tolist() == [[False, True], [True, False]]
    assert report.summary(load(mixed)).body.count("Bias ↓") == 2
    for draw, ending in ((plots.box_plots, " ↓"), (plots.gain_plot, "")):
        titles = {axes.get_title(loc="left") for axes in draw(group).axes}
        assert {f"bias: Bias{ending}", f"skew: Bias{ending}"} <= titles
    assert f"No bias: Bias of {PLAIN}, {OTHER}; no skew: Bias of" in compare.lacking(group)


def test_data_sets_whose_hashes_begin_alike_have_titles_of_their_own(monkeypatch, mixed):
    add(monkeypatch, mixed, OTHER, sha="ab" * 31 + "cd")
    assert [title[-4:] for title in titles(mixed)] == ["abab", "abcd"]


def test_a_run_that_is_a_baseline_says_so_in_every_table(tmp_path, capsys):
    folders.add(tmp_path, "a/bic", 0.5, itself="bicubic")
    folders.add(tmp_path, "a/bic", 0.5, itself="bicubic", timestamp="0801-1200")
    folders.add(tmp_path, PLAIN, 0.7)
    named = [f"a/bic ({stamp}) = bicubic" for stamp in ("0715-0930", "0801-1200")]
    results = load(tmp_path)
    (group,) = results.groups
    for table in (compare.summary_table, compare.rank_table, compare.scene_table):
        assert set(named) <= set(table(group).index)
    assert f"<th>{named[0]}</th>" in report.summary(results)._repr_html_()
    assert terminal.main(["--evaluation", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "= bicubic" in said
    # Not over that of the first result, a baseline's, whose next strongest is another.
    assert results.results[0].facts.reference == "nearest" and "Gain over bicubic" in said


def test_an_evaluation_with_settings_of_its_own_is_read(tmp_path):
    path = folders.add(tmp_path, PLAIN, 0.7)
    content = json.loads(path.read_text())
    files.write_json(path, {**content, "set": ["batch_size=4"]})
    results = load(tmp_path)
    assert not results.skipped and results.results[0].facts.options == ["batch_size=4"]


def test_a_group_of_another_data_set_says_what_the_runs_have_seen_of_it():
    where = made.facts(tiles=10)
    there = {"name": "o", "sha256": "bb", "trained_on": {"name": "d", "sha256": "aa"},
             "differs": ["level L1C, not L2A"], "ground": "crs", "tiles": 10}  # fmt: skip
    runs = [
        made.result(
            f"a/{seen}", {"model": made.scores(0.7, 1, where)}, where,
            scored_on={**there, "seen_tiles": seen, "val_tiles": 2},
        )
        for seen in (4, 1)
    ]  # fmt: skip
    told = pages.ground(made.group(*runs))
    assert "1 to 4 of 10 tiles show ground that the runs were trained on" in told
    assert "2 more show ground that val shows" in told and "level L1C, not L2A" in told
    assert "0.0 %" not in told
