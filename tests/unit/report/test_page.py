"""The report as one page in a real browser from the disk: what a reader does and sees."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sensor2sensor import report
from sensor2sensor.config.exclusion import read_excluded
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.page import boxes, svg
from sensor2sensor.report import compare
from sensor2sensor.report.page import page, pictures, tiles, write_page
from tests.browser import browser, downloaded
from tests.unit.report import made

DEEDS = Path(__file__).with_name("page_deeds.js").read_text(encoding="utf-8")
WATCH = """<script>window.seen = []; addEventListener("error", (e) => seen.push(e.message));
addEventListener("unhandledrejection", (e) => seen.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => seen.push(e.violatedDirective));</script>"""
DARK = "--blink-settings=preferredColorScheme=0"
NASTY = "<script>window.hacked = 1</script>"
GOOD = "sis2/good (2 seeds)"


LEVELS = {"nearest": 0.3, "bicubic": 0.5}
INTERVALS = {
    "level": 0.9, "score": "absolute", "draws": 1, "called": "conformal, 20 blocks",
    "calibrated": True, "calibration_blocks": 20, "promise": "marginal coverage of a new block",
    "calibrated_on": "part of val", "edge_px": 0, "quantile_error": 0.0, "tiles": 60,
    "test_blocks": 12, "shift": ["another season"],
    "bands": {"B02": {
        "unit": "reflectance", "q": 0.02, "calibration_blocks": 20, "coverage": 0.913,
        "std": 0.04, "lowest": 0.81, "highest": 0.97, "width": 0.04, "blocks": 12, "pixels": 9000,
    }},
}  # fmt: skip


ODD = {"model": {"not_finite": 3, "ordinary": 57}}


def picture(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (0, 90, 160)).save(path)
    return f"{path.parent.name}/{path.name}"


def evaluated(folder, name, level, where, number, **said):
    """A result whose pictures lie in the folder."""
    shown, first = folder / f"{number}_gallery", where.index[0]
    gallery = [{"file": picture(shown / "best.png", (60, 20)), "rank": "best", "tile": first}]
    gallery[0]["caption"] = f"best tile of {name}"
    fixed = [
        {"file": picture(shown / f"fixed-{tile}-{panel}.png", (16, 16)), "rank": "fixed",
         "tile": tile, "caption": panel, "panel": panel}
        for tile in where.index[:2]
        for panel in ("input", "model", "bicubic", "truth")
    ]  # fmt: skip
    methods = {"model": made.scores(level, number, where)}
    methods |= {m: made.scores(own, 90 + n, where) for n, (m, own) in enumerate(LEVELS.items())}
    one = made.result(name, methods, where, gallery=gallery, fixed=fixed, **said)
    placed = replace(one, path=folder / f"{number}.json")
    placed.__dict__["tile_facts"] = one.tile_facts
    return placed


TRUST = {
    "distance": "nd", "distance_in_words": "normalised difference", "as_coded": False,
    "quantile": 0.75, "gamma": 0.05, "temperature": None, "border_px": 0, "shift_limit_px": 5.0,
    "matched": [{"target": "B02", "input": "Oa04", "by": "wavelength"}], "left_out": ["B12"],
    "unmeasured": [], "unit": "reflectance", "up": "bicubic", "down": "mean", "lines": None,
    "maps": [],
}  # fmt: skip
# Their shares, and built-in metrics of the same directions that lend them their definitions.
SHARES = {"improvement": 0.6, "omission": 0.3, "hallucination": 0.1}
LENT = {"cc": "improvement_nd", "rmse": "omission_nd", "l1": "hallucination_nd"}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    """The page of one evaluation of profile trust."""
    where = made.facts()
    shares = zip(LENT, SHARES.values(), strict=True)
    columns = {name: np.full(len(where), share) for name, share in shares}
    methods = {"model": columns, "bicubic": columns}
    one = made.result("sis2/trusted", methods, where, profile="trust", trust=TRUST)

    def named(row):
        return {LENT[name]: value for name, value in row.items()}

    changes = {
        "metrics": named(one.facts.metrics),
        "summary": {method: named(row) for method, row in one.facts.summary.items()},
        "gain": {method: named(row) for method, row in one.facts.gain.items()},
    }
    facts, table = one.facts.model_copy(update=changes), one.table.rename(columns=LENT)
    changed = replace(one, facts=facts, table=table)
    changed.__dict__["tile_facts"] = one.tile_facts
    return page(report.Results(tmp_path_factory.mktemp("trust"), (changed,), ()))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder, where = tmp_path_factory.mktemp("evaluation"), made.facts()
    seeds = {"recipe": "ab", "profile": "standard"}
    found = (
        evaluated(folder, "sis2/good", 0.7, where, 1, seed=1, intervals=INTERVALS, **seeds),
        evaluated(folder, "sis2/good", 0.7, where, 2, seed=2, timestamp="0716-0930", **seeds),
        evaluated(folder, "sis2/bad", 0.2, where, 3, states=ODD),
        evaluated(folder, NASTY, 0.7, where, 4, profile="arisgan"),
    )
    return report.Results(folder, found, (report.Skipped(folder / "cut.json", "not JSON"),))


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
        assert was == third[1] == ["nearest", "bicubic", GOOD, "sis2/bad"]
        assert first == ["descending", [GOOD, "bicubic", "nearest", "sis2/bad"]]
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
        assert seen["open"] and seen["closed"]
        assert (seen["said"], seen["next"]) == ("input: tile000", "truth: tile000")
        assert seen["wheel"] > 1.2 and seen["key"] == pytest.approx(1.5, abs=0.01)
        assert seen["panned"] == pytest.approx(-80) and seen["dragged"] == pytest.approx([30, 15])
        assert seen["pinch"] == pytest.approx(2.5, rel=0.01)


def test_ten_lines_at_the_top_are_those_of_the_results(source):
    top = source[source.index('<header id="top">') : source.index("</header>")]
    lines = [unescape(re.sub("<.*?>", "", line)) for line in re.findall("<li>(.*?)</li>", top)]
    assert 6 <= len(lines) <= 10
    assert lines[0].startswith("4 evaluations of 4 runs on 1 data set, in 2 groups")
    first = f"of 2 models {GOOD} has the best mean rank; it is better than bicubic in 3 of 3"
    assert lines[1].startswith(f"alt6_toy: {first} metrics (intervals over 12 blocks and 5 scenes")
    assert lines[2] == f"alt6_toy: {GOOD} is better than sis2/bad in 3 of 3 metrics."
    assert any("2 of 3 models were trained once" in line for line in lines)
    assert any("Nothing about 1 file that could not be read" in line for line in lines)


def test_models_are_columns_of_the_same_tiles_and_each_picture_is_there_once(source):
    wall = re.search(r'id="g1-wall".*?</table>', source, re.S)[0]
    heads = [re.sub("<.*?>", "", head) for head in re.findall("<th scope=.col.*?</th>", wall)]
    assert heads[:4] == ["tile", "input", "truth", "bicubic"] and len(heads) == 7
    # Input, truth and baseline of two tiles once for all runs, then those of three runs.
    assert wall.count("data:image/webp") == 2 * (3 + 3)


def test_parts_coverage_and_what_was_skipped_are_shown(source):
    shown = unescape(re.sub("<[^>]*>", " ", source))
    for by in ("Scene", "Season", "Cloud", "Shift", "Inside a mask of step 40"):
        assert re.search(rf"\n?{by}\s", shown), by
    assert "a shifted domain (another season), where nothing is promised" in shown
    assert "91.3" in shown
    assert "cut.json" in shown and "not JSON" in shown


def test_images_that_failed_are_counted(source):
    table = re.search(r"<details><summary>Failed and unusual tiles.*?</details>", source, re.S)[0]
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table)
    counts = {re.sub("<.*?>", "", name): re.sub("<.*?>", " ", row).split() for name, row in rows}
    assert counts["sis2/bad"][-1] == "3" and counts[GOOD][-1] == "0"


def test_trust_is_a_bar_of_what_was_improved_left_out_and_made_up(trusted):
    section = re.search(r'id="g1-trust".*?</section>', trusted, re.S)[0]
    bars = re.findall(r'class="k-(\w+)" x="[\d.]+" y="[\d.]+" width="([\d.]+)"', section)
    wide = sum(float(width) for _, width in bars[:3])
    for (name, width), (known, share) in zip(bars, [*SHARES.items()] * 2, strict=True):
        assert name == known and float(width) / wide == pytest.approx(share, abs=0.002)
    assert "normalised difference" in section and "B02 of Oa04" in section and "B12" in section


def test_what_adds_nothing_is_tested_against_nobody(trusted):
    gains = re.search(r'id="g1-gain".*?</section>', trusted, re.S)[0]
    assert "holds by definition" in unescape(gains)


def test_tiles_to_tick_are_hard_for_every_run_and_a_perfect_one_is_not():
    where = made.facts(tiles=10)
    columns = {"model": np.linspace(0.1, 1.0, 10), "other": np.linspace(0.9, 0.8, 10)}
    columns["model"][3], columns["other"][[3, 5]] = np.inf, np.nan
    columns["model"][5] = np.nan
    base = {"bicubic": {"cc": np.full(10, 0.5)}}
    group = made.group(
        *(made.result(name, {"model": {"cc": own}, **base}, where) for name, own in columns.items())
    )
    worst = tiles.worst_tiles(group, compare.entrants(group), "cc")
    # Without a value first; then where even the better of the two is worst.
    assert worst.index.tolist() == ["tile005", "tile007"]
    assert worst.loc["tile007", "best"] == pytest.approx(columns["other"][7])


def test_the_page_is_written_beside_the_evaluations_or_where_it_is_asked_for(results, tmp_path):
    path, size = write_page(results)
    assert path == results.folder / "report.html" and path.stat().st_size == size
    with pytest.raises(InputError, match="cannot write the page"):
        (tmp_path / "file").write_text("")
        write_page(results, tmp_path / "file" / "report.html")


def test_axes_have_round_numbers_and_boxes_are_those_of_tukey():
    assert svg.ticks(0.0, 1.0) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert svg.ticks(0.6, 7.4, whole=True) == [1.0, 2, 4, 6]
    assert svg.told_apart(["a/b/one", "a/b/two"]) == ["one", "two"]
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 100])
    box = boxes.box(values)
    assert (box.first, box.median, box.third) == tuple(np.percentile(values, (25, 50, 75)))
    assert (box.low, box.high, box.beyond.tolist()) == (1.0, 9.0, [100.0])


def test_an_empty_folder_says_what_to_do(tmp_path):
    assert "Train and evaluate an experiment first" in page(report.load(tmp_path))


def test_a_picture_that_was_cut_is_named_and_the_page_goes_on(results, tmp_path):
    one = results.results[2]
    entry = one.facts.gallery[0]
    file = tmp_path / entry.file
    file.parent.mkdir()
    file.write_bytes((one.path.parent / entry.file).read_bytes()[:60])
    album = pictures.Album()
    told = album.image(replace(one, path=tmp_path / "x.json"), entry, "")
    assert "cannot be read; run evaluate.py again" in told and album.missing == [entry.file]
