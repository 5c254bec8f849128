"""The report as one page in a real browser from the disk: what a reader does and sees."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path

import pytest

from sensor2sensor import report
from sensor2sensor.config.exclusion import read_excluded
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.report.page import page
from tests.browser import browser, downloaded
from tests.unit.report import folders

DEEDS = Path(__file__).with_name("page_deeds.js").read_text(encoding="utf-8")
WATCH = """<script>window.seen = []; addEventListener("error", (e) => seen.push(e.message));
addEventListener("unhandledrejection", (e) => seen.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => seen.push(e.violatedDirective));</script>"""
DARK = "--blink-settings=preferredColorScheme=0"
NASTY = "<script>window.hacked = 1</script>"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    folders.add(folder, "sis2/good", 0.7)
    folders.add(folder, "sis2/bad", 0.2)
    named = folders.add(folder, "sis2/good", 0.7, profile="arisgan")
    content = json.loads(named.read_text())
    named.write_text(json.dumps({**content, "experiment": NASTY}))
    (folder / "cut.json").write_text("{")
    return report.load(folder)


@pytest.fixture(scope="module")
def source(results):
    return page(results)


@pytest.fixture(scope="module")
def visited(source, tmp_path_factory):
    """The page as a browser sees it: at a desk, and on a phone that is set to dark."""
    program = browser()
    shown = tmp_path_factory.mktemp("page") / "report.html"
    watched = source.replace("<title>", f"{WATCH}<title>", 1)
    shown.write_text(watched.replace("</body>", f"<script>{DEEDS}</script></body>"))
    desk = downloaded(program, shown, "observed.json", "--window-size=1400,1000")
    # No window is narrower than 500 pixels, a frame within one is.
    held = f'<iframe width="390" height="844" srcdoc="{escape(shown.read_text())}"></iframe>'
    shown.write_text(held)
    return desk, downloaded(program, shown, "observed.json", "--hide-scrollbars", DARK)


def test_it_needs_nothing_else_and_equal_results_give_equal_bytes(source, results):
    assert not re.search(r"""(src|href)=["'](?!data:|\#)|@import|url\(""", source)
    assert page(results) == source
    assert NASTY not in source


def test_no_script_fails_and_no_name_runs(visited):
    for observed in visited:
        assert observed["errors"] == [] and observed["safe"] == "undefined"


def test_contents_lead_somewhere_and_headings_are_in_order(visited):
    for observed in visited:
        links = observed["links"]
        assert links.pop("count") > 12
        assert links == {"dead": 0, "twice": 0, "jumps": 0, "first": 1, "unnamed": 0}


def test_nothing_is_wider_than_the_window_and_dark_is_dark(visited):
    desk, phone = (observed["size"] for observed in visited)
    assert phone["inner"] == phone["content"] == 390 and desk["content"] <= desk["inner"]
    assert phone["wide"] == desk["wide"] == []
    assert (desk["side"], phone["side"]) == ("visible", "hidden")
    assert desk["page"] != phone["page"] == "rgb(19, 22, 25)"


def test_the_section_that_is_read_is_marked(visited):
    assert visited[0]["marked"] == ["#g1-scores", "#made"]


def test_on_a_phone_the_contents_come_in_and_go(visited):
    out, back, chosen = visited[1]["drawer"]
    assert out == ["visible", "true"]
    assert back == chosen == ["hidden", "false"]


def test_tables_sort_the_better_end_first_and_go_back(visited):
    for observed in visited:
        was, first, second, third = observed["sorting"]["seen"]
        assert was == third[1] == ["nearest", "bicubic", "sis2/bad", "sis2/good"]
        assert first == ["descending", ["sis2/good", "bicubic", "nearest", "sis2/bad"]]
        assert second == ["ascending", first[1][::-1]] and third[0] is None
        assert observed["sorting"]["right"] == "right"


def test_ticked_tiles_become_the_file_that_an_experiment_reads(visited, tmp_path):
    seen = visited[0]["ticking"]
    assert seen["hidden"] and seen["together"] and seen["cleared"] and seen["twice"] > 1
    assert seen["told"] == "2 tiles of alt6_toy"
    file = tmp_path / "exclude_tiles.txt"
    file.write_text(seen["text"])
    (tmp_path / "experiment.json").write_text("{}")
    read = read_excluded(str(file), load_jsonc(tmp_path / "experiment.json"))
    assert read.names == {seen["tile"], seen["other"]}


def test_a_picture_opens_larger_zooms_and_moves(visited):
    for observed in visited:
        seen = observed["light"]
        assert seen["open"] and seen["closed"] and seen["next"] and "best tile" in seen["said"]
        assert seen["wheel"] > 1.2 and seen["key"] == pytest.approx(1.5, abs=0.01)
        assert seen["panned"] == pytest.approx(-80) and seen["dragged"] == pytest.approx([30, 15])
        assert seen["pinch"] == pytest.approx(2.5, rel=0.01)


def test_ten_lines_at_the_top_are_those_of_the_results(source):
    top = source[source.index('<header id="top">') : source.index("</header>")]
    lines = [re.sub("<.*?>", "", line) for line in re.findall("<li>(.*?)</li>", top)]
    assert 4 <= len(lines) <= 10
    assert lines[0].startswith("3 evaluations of 3 runs on 1 data set, in 2 groups")
    assert "sis2/good has the best mean rank and is better than bicubic in" in lines[1]
    assert any("Nothing about other scenes in 2 of 2 groups" in line for line in lines)


def test_an_empty_folder_says_what_to_do(tmp_path):
    assert "Train and evaluate an experiment first" in page(report.load(tmp_path))
