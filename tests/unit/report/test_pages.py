"""Pages stand alone, say what they leave out, and never run what a name contains."""

from __future__ import annotations

import base64
import io
import json
import math
import re

import numpy as np
import pytest
from PIL import Image

from sensor2sensor import report
from sensor2sensor.report import plots
from tests.unit.report import folders


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    folders.add(folder, "sis2/good", 0.7)
    folders.add(folder, "sis2/bad", 0.2)
    folders.add(folder, "sis2/good", 0.7, profile="arisgan")
    (folder / "cut.json").write_text("{")
    return report.load(folder)


def text(page):
    return page._repr_html_()


def images(page):
    return re.findall(r'src="data:image/png;base64,([^"]+)"', text(page))


def test_the_overview_names_runs_and_what_was_skipped(results):
    shown = text(report.overview(results))
    assert "sis2/good" in shown and "300" in shown and "alt6_toy (64 px, factor 6)" in shown
    assert "cut.json" in shown and "Skipped" in shown


def test_every_table_holds_one_profile(results):
    shown = text(report.summary(results))
    standard, arisgan = (shown.index(f"profile &#x27;{name}") for name in ("standard", "arisgan"))
    assert standard < arisgan
    assert shown.count("<table>") == 2
    assert "radians" not in shown[:arisgan] and "degrees" not in shown[arisgan:]


def test_the_summary_marks_the_best_and_states_the_ground(results):
    shown = text(report.summary(results))
    row = re.search(r"<tr><th>sis2/good</th>(.*?)</tr>", shown).group(1)
    assert row.count('class="best"') == 12
    assert '<tr class="baseline"><th>nearest</th>' in shown
    assert "0.0 % of the scored ground was seen in training" in shown


def test_the_gains_say_for_which_scenes_only(results):
    shown = text(report.gains(results))
    assert "6 blocks, for these 3 scenes only" in shown
    assert "A scene is told from others by inventory and index" in shown


def test_a_run_that_lacks_values_is_never_bold(tmp_path):
    folders.add(tmp_path, "sis2/half", 0.9, spoil=[(1, "hpsi", math.nan)])
    shown = text(report.summary(report.load(tmp_path)))
    row = re.search(r"<tr><th>sis2/half</th>(.*?)</tr>", shown).group(1)
    assert row.count('class="best"') == 11 and "(11 of 12)" in row
    assert '<td class="best">0.500' in re.search(r"<th>bicubic</th>(.*?)</tr>", shown).group(1)


def test_plots_are_embedded_and_not_blank(results):
    for page in (report.boxes(results), report.gains(results)):
        found = images(page)
        assert len(found) == 2
        for code in found:
            picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("L"))
            assert picture.shape[1] > 800 and (picture < 128).mean() > 0.002


def test_box_plots_have_a_panel_per_metric_with_unit_and_direction(results):
    figure = plots.box_plots(results.groups[0])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    titles = {axes.get_title(loc="left"): axes.get_xlabel() for axes in shown}
    assert len(titles) == 12
    assert titles["PSNR ↑"] == "dB" and titles["SAM ↓"] == "degrees" and titles["SSIM ↑"] == ""
    labels = [tick.get_text() for tick in shown[0].get_yticklabels()]
    assert labels == ["nearest", "bicubic", "sis2/bad", "sis2/good"]


def test_a_panel_without_a_mark_says_why(tmp_path):
    spoilt = [(tile, "cc", math.nan) for tile in range(folders.TILES)]
    folders.add(tmp_path, "sis2/flat", 0.7, undefined=["lsd_hf"], spoil=spoilt)
    (group,) = report.load(tmp_path).groups
    for figure, empty, words in (
        (plots.box_plots(group), {"HF-LSD"}, "finite on no tile"),
        (plots.gain_plot(group), {"HF-LSD", "CC"}, "finite for both on no tile"),
    ):
        titles = {axes: axes.get_title(loc="left").split(" ")[0] for axes in figure.axes}
        said = {
            name for axes, name in titles.items() if words in [t.get_text() for t in axes.texts]
        }
        bare = {
            name
            for axes, name in titles.items()
            if axes.get_visible() and not len(axes.get_xticks())
        }
        assert said == bare == empty


def test_the_gallery_embeds_pictures_of_this_folder_only(results, tmp_path):
    assert len(images(report.gallery(results))) == 3
    path = folders.add(tmp_path / "in", "a/b", 0.7)
    content = json.loads(path.read_text())
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.png")
    content["gallery"][0]["file"] = "../outside.png"
    path.write_text(json.dumps(content))
    page = report.gallery(report.load(tmp_path / "in"))
    assert not images(page) and "is missing" in text(page)


def test_an_empty_folder_says_what_to_do(tmp_path):
    empty = report.load(tmp_path)
    pages = (
        report.overview,
        report.summary,
        report.ranks,
        report.gains,
        report.boxes,
        report.scenes,
    )
    for page in (*pages, report.gallery):
        assert "Train and evaluate an experiment first" in text(page(empty))


def test_names_are_text_and_never_markup(tmp_path):
    path = folders.add(tmp_path, "a/b", 0.7)
    content = json.loads(path.read_text())
    content["experiment"] = "<script>alert(1)</script>"
    path.write_text(json.dumps(content))
    results = report.load(tmp_path)
    for page in (report.overview, report.summary, report.ranks, report.gains, report.gallery):
        assert "<script>" not in text(page(results))


def test_colours_of_runs_differ_and_baselines_are_grey(results):
    from sensor2sensor.report.compare import entrants

    colours = plots.colours(entrants(results.groups[0]))
    assert colours[:2] == [plots.BASELINE] * 2
    assert len(set(colours[2:])) == 2 and plots.BASELINE not in colours[2:]
