"""The page of runs and the time-lapse in a real browser from the disk: what a reader does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from sensor2sensor.core.errors import InputError
from sensor2sensor.report.runs import timelapse
from sensor2sensor.report.runs.found import find_runs
from sensor2sensor.report.runs.notes import add_note
from sensor2sensor.report.runs.page import page, write_page
from tests.browser import browser, downloaded
from tests.unit.report.made_runs import make_run
from tests.unit.report.test_page import DARK, WATCH

HERE = Path(__file__).parent
NASTY = "x<img src=x onerror=hacked=1>'\"&</script><script>window.hacked=1<!--"
NOW = datetime(2026, 7, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages") / "experiments"
    make_run(root, "a/one", level=0.5, sheets=(20, 40, 60))
    make_run(root, "a/two", "0716-0930", level=0.6, sheets=(100,))
    failed = make_run(root, "b", "0717-0930", "failed", step=40, reason=NASTY, tag=NASTY)
    add_note(failed, NASTY, NOW)
    make_run(root, NASTY.replace("/", "|"), "0718-0930", level=0.7)
    make_run(root, "gone", "0719-0930", sheets=(100,))
    for number in range(12):  # older ones, which are not drawn at first
        make_run(root, f"old/{number}", "0101-0000", started="2026-01-01T00:00:00Z")
    return root


def runs(root):
    return find_runs(root, root / "_evaluation")


def watched(path: Path, deeds: str) -> Path:
    source = path.read_text(encoding="utf-8").replace("<title>", f"{WATCH}<title>", 1)
    script = (HERE / deeds).read_text(encoding="utf-8")
    path.write_text(source.replace("</body>", f"<script>{script}</script></body>"))
    return path


@pytest.fixture(scope="module")
def visited(root):
    """As a browser sees it: at a desk, and on a phone that is set to dark."""
    program, path = browser(), root / "runs.html"
    write_page(runs(root), path, NOW)
    (root / "gone" / "samples" / "0719-0930" / "step-0000100.png").unlink()
    desk = downloaded(
        program, watched(path, "runs_deeds.js"), "observed.json", "--window-size=1400,1000"
    )
    held = root / "phone.html"
    held.write_text(f'<iframe width="390" height="844" src="{path.name}"></iframe>')
    return desk, downloaded(program, held, "observed.json", "--hide-scrollbars", DARK)


pytestmark = pytest.mark.slow


def test_no_script_fails_and_no_name_runs(visited):
    for observed in visited:
        assert observed["errors"] == [] and observed["safe"] == "undefined"


def test_curves_of_the_newest_are_drawn_and_all_can_be(visited):
    desk, _ = visited
    # Twelve of seventeen; the failed one has two validations, too.
    assert desk["first"] == {
        "ssim": 12, "dots": 12, "best": 12, "loss": 24, "ticked": 12, "runs": 17,
    }  # fmt: skip
    assert desk["ticks"] == {"none": [0, "0 of 17 drawn"], "one": 1, "all": 17}


def test_filters_leave_what_fits_everywhere(visited):
    desk, _ = visited
    assert desk["filter"] == {"named": [1, 1, 1, 1], "failed": [1, 1], "back": 12}


def test_scales_and_smoothing_draw_anew(visited):
    desk, _ = visited
    assert desk["scales"] == {"log": True, "soft": [True, 12, "0.80"], "back": True}


def test_the_pointer_tells_every_run_at_a_step(visited):
    pointed = visited[0]["pointer"]
    assert pointed["told"] == 12 and re.fullmatch(r"step (80|60|100)", pointed["step"])
    assert pointed["strong"] == 2 and pointed["hair"] and pointed["gone"]
    assert NASTY.replace("/", "|") in pointed["names"]


def test_sheets_are_linked_enlarged_and_told_where_they_are_gone(visited):
    assert visited[0]["sheets"] == {
        "last": ["a/one/0715-0930, step 60", 80],
        "first": ["a/one/0715-0930, step 20", 80, "step 20"],
        "large": [True, "a/one/0715-0930, step 20"],
        "gone": "this sheet is not there any more",
    }


def test_the_table_sorts_by_numbers_and_choices_outlive_a_reload(visited):
    told = [re.search(r"[\d.]+", cell) for cell in visited[0]["sorting"]]
    numbers = [float(found[0]) for found in told if found]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 17
    assert visited[0]["kept"]["find"] == "two" and visited[0]["kept"]["smooth"] == 0.5


def test_it_fits_desk_and_phone_and_is_dark_where_asked(visited):
    desk, phone = visited
    assert [desk["size"]["wide"], phone["size"]["wide"]] == [[], []]
    assert phone["size"]["inner"] == phone["size"]["content"] == 390
    assert desk["size"]["page"] != phone["size"]["page"] == "rgb(19, 22, 25)"


def test_without_scripts_curves_sheets_and_table_are_there(root):
    source = page(runs(root), root, NOW)
    drawn = source.split('data-panel="ssim"')[1].split("</svg>")[0]
    assert drawn.count('<path class="s ') == 12
    assert source.count("<tr data-run=") == 17 and 'src="a/one/samples/0715-0930/step-' in source
    assert NASTY not in source and page(runs(root), root, NOW) == source
    assert not re.search(r"""(src|href)=["'](/|https?:)|@import|url\(""", source)


def test_a_page_of_very_many_curves_stays_small(root, monkeypatch):
    monkeypatch.setattr("sensor2sensor.report.runs.curves.IN_ALL", 17 * 5 * 24)
    many = runs(root)
    longer = make_run(root.parent / "long", "a", steps=10_000, step=10_000)
    monkeypatch.setattr(type(many[0].run), "logs_dir", longer.logs_dir)
    source = page(many, root, NOW)
    assert len(source) < 400_000  # of logs of 17 times 150 kB


def test_a_time_lapse_plays_by_button_slider_and_keys(root):
    (seen,) = [one for one in runs(root) if one.experiment == "a/one"]
    cut = seen.run.samples_dir / "step-0000050.png"
    cut.write_bytes((seen.run.samples_dir / "step-0000040.png").read_bytes()[:60])
    path = root / "lapse.html"
    assert timelapse.write_timelapse(seen, path) == (3, path.stat().st_size)
    found = downloaded(browser(), watched(path, "lapse_deeds.js"), "observed.json")
    assert found["errors"] == [] and not found["wide"] and found["widths"] == [80, 80, 80]
    assert found["begun"] == ["step 60", 1] and found["reading"] == "  SSIM ↑ 0.58"
    assert found["home"] == ["step 20", 1] and found["right"] == ["step 40", 1]
    assert found["playing"] == "Pause" and found["ended"] == ["step 60", 1]
    (two,) = [one for one in runs(root) if one.experiment == "b"]
    with pytest.raises(InputError, match="no sample sheet; sheets are drawn every sample_freq"):
        timelapse.write_timelapse(two, root / "none.html")


def test_a_time_lapse_of_many_large_sheets_is_bounded(tmp_path, monkeypatch):
    noise = Image.effect_noise((900, 700), 90).convert("RGB")
    paths = [tmp_path / f"step-{step:07d}.png" for step in range(300)]
    for path in paths:
        path.symlink_to(tmp_path / "noise.png")
    noise.save(tmp_path / "noise.png")
    chosen = timelapse.evenly(paths, 5)
    assert [path.name[9:12] for path in chosen] == ["000", "075", "150", "224", "299"]
    monkeypatch.setattr(timelapse, "MOST_BYTES", 400_000)
    frames = timelapse.encoded(chosen)
    assert sum(len(data) for _, _, data in frames) < 600_000 and frames[0][1][0] < 900
