"""The preview page in a real browser from the disk: what a visitor does and sees."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest

from sensor2sensor.inference import preview
from tests.browser import browser, downloaded
from tests.unit.inference.held import NASTY, red, written

DEEDS = Path(__file__).with_name("preview_deeds.js").read_text(encoding="utf-8")
WATCH = """<script>window.seen = []; addEventListener("error", (e) => seen.push(e.message));
addEventListener("unhandledrejection", (e) => seen.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => seen.push(e.violatedDirective));</script>"""


DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def visited(tmp_path_factory):
    """A page as a browser sees it: at a desk, and on a phone that is set to dark."""
    program = browser()
    folder = tmp_path_factory.mktemp("preview")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "OVERVIEW_PX", 50)
        patch.setattr(preview, "DETAIL_PX", 32)
        page = written(folder, red(folder / "out.tif"))
    source = page.read_text().replace("<title>", f"{WATCH}<title>", 1)
    page.write_text(source.replace("</body>", f"<script>{DEEDS}</script></body>"))

    desk = downloaded(program, page, "observed.json", "--window-size=1280,1000")
    # No window is narrower than 500 pixels, a frame within one is.
    held = f'<iframe width="390" height="844" srcdoc="{escape(page.read_text())}"></iframe>'
    page.write_text(held)
    return desk, downloaded(program, page, "observed.json", "--hide-scrollbars", DARK)


def test_no_script_fails_and_no_name_runs(visited):
    for observed in visited:
        assert observed["errors"] == []
        assert observed["safe"] == ["undefined", NASTY]


def test_the_divider_moves_the_edge_between_both_sides(visited):
    for observed in visited:
        assert observed["start"] == {
            "row": ["green", "red"], "labels": ["Input, 40 m", "Prediction, 10 m"], "split": 50,
        }  # fmt: skip
        left, right = observed["drag"]
        assert left == [["red", "red"], 20, 20]
        assert right == [["green", "green"], 80]


def test_keys_slide_and_flip(visited):
    assert visited[0]["keys"] == [100, 0, 2, 0, 0, 2, 100]


def test_any_two_of_three_sides_are_compared(visited):
    seen = visited[0]["pairs"]
    assert seen == [["red", "green"], "Prediction, 10 m", "Truth, 10 m", ["green", "green"]]


def test_a_single_band_is_grey_and_its_stretch_is_told(visited):
    assert visited[0]["band"] == [["grey", "grey"], True]


def test_wheel_keys_and_fingers_zoom(visited):
    (wheel, fitted, key, pinch), before, after = visited[0]["zoom"]
    assert wheel > 1.5 and fitted == 1 and key == pytest.approx(1.6, abs=0.02)
    assert pinch == pytest.approx(3, rel=0.1)
    assert before != after and before.endswith(" m")


def test_details_show_single_pixels(visited):
    for observed in visited:
        (before, after), scale = observed["detail"]
        assert abs(before - after) > 60  # by one pixel of a chessboard
        assert scale > 8


def test_no_data_is_hatched_not_black(visited):
    desk, phone = (observed["nothing"] for observed in visited)
    assert min(desk) > 180  # the light grey of the page
    assert 30 < min(phone) < max(phone) < 80  # the dark one


def test_brightness_is_that_of_what_is_known(visited):
    (ground, none), (lighter, same) = visited[0]["light"]
    assert 90 < ground[1] < 200 and lighter[1] == pytest.approx(2**0.3 * ground[1], abs=3)
    assert same == none


def test_a_phone_scrolls_in_one_direction_and_dark_is_dark(visited):
    desk, phone = (observed["size"] for observed in visited)
    assert not desk["dark"] and desk["page"] == "rgb(244, 246, 248)"
    assert phone["dark"] and phone["page"] == "rgb(18, 23, 28)"
    assert phone["inner"] == phone["content"] == 390 and 340 < phone["stage"] <= 390
    assert not desk["store"] and not phone["store"]
