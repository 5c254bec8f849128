"""The contact sheet, in a real browser from the disk: what a user clicks is what is saved."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.selection import load_selection
from sensor2sensor.preprocess.quicklooks.contact_sheet import Card, Partner, contact_sheet, gap_text
from sensor2sensor.preprocess.quicklooks.render import png
from tests.browser import browser as found_browser
from tests.browser import downloaded

NASTY = (
    """S2A"><img src=x onerror="window.pwned=1"></script><script>pwned=1</script>&amp;'{{cards}}"""
)
CLOUDS = (0.05, 0.6, None, 0.3, 0.9, 0.0)


@pytest.fixture(scope="module")
def browser():
    return found_browser()


def cards():
    """Six scenes with ids 0, 10, ... 50, a day apart, the latest first.

    Scene 30 has a partner that is gone, and scene 40 one beside its own that is near and whole.
    """
    partners = [Partner("S3B_plain", 2.0, None), Partner(f"S3A_{NASTY}", -1.25, 0.5)]
    gone = [Partner("S3A_GONE", 0.1, 1.0, "not in the archive any more")]
    return [
        Card(
            10 * n,
            NASTY if n == 1 else f"S2A_SCENE_{n}",
            f"{10 * n}.png",
            datetime(2022, 12, 31, 17, tzinfo=UTC) - timedelta(days=n),
            cloud,
            [*partners[len(partners) - n % 3 :], *(gone if n in (3, 4) else [])],
        )
        for n, cloud in enumerate(CLOUDS)
    ]


def write_page(folder):
    """The sheet on disk with its pictures."""
    for card in cards():
        image = np.full((4, 20, 20), 40 + card.scene, np.uint8)
        (folder / card.picture).write_bytes(png(image))
    path = folder / "index.html"
    path.write_text(contact_sheet("inv_T17XNA_10h", cards(), sentinel2_only=False))
    return path


@pytest.fixture
def page(tmp_path):
    return write_page(tmp_path)


# What a visitor does, one deed after the other; each starts with nothing selected or filtered.
DEEDS = """
const $ = (id) => document.getElementById(id);
const shown = () => Array.from(document.querySelectorAll("article"))
  .filter((a) => !a.hidden).map((a) => Number(a.dataset.id));
const chosen = () => Array.from(document.querySelectorAll(".selected"))
  .map((a) => Number(a.dataset.id)).sort((a, b) => a - b);
const card = (id) => document.querySelector(`[data-id='${id}'] .card`);
const count = () => $("count").textContent;
const set = (id, value, kind) => { $(id).value = value; $(id).dispatchEvent(new Event(kind)); };
const press = (key) => {
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  return Number(document.activeElement.closest("article").dataset.id);
};
const memory = () => JSON.parse(localStorage.getItem("sensor2sensor selection inv_T17XNA_10h"));
const deeds = {
  reload() { const seen = [chosen()]; card(30).click(); return [...seen, memory()]; },
  click() {
    const before = [count(), $("save").disabled];
    card(30).click(); card(10).click(); card(0).click(); card(0).click();
    return { before, chosen: chosen(), count: count(), disabled: $("save").disabled,
      pressed: [10, 0].map((id) => card(id).getAttribute("aria-pressed")) };
  },
  filter() {
    card(10).click(); set("cloud", "30", "input");
    const seen = [shown(), count()];
    $("all").click(); seen.push(chosen());
    set("cloud", "100", "input"); seen.push(shown().length);
    $("none").click();
    return [...seen, chosen()];
  },
  sort() {
    const seen = [shown()];
    for (const key of ["cloud", "id"]) { set("sort", key, "change"); seen.push(shown()); }
    return seen;
  },
  pairs() {
    const seen = [];
    for (const [gap, overlap] of [["1", "0"], ["2", "60"], ["1.5", "60"], ["1.5", "50"]]) {
      set("gap", gap, "input"); set("overlap", overlap, "input"); seen.push(shown());
    }
    const off = Array.from(document.querySelectorAll("[data-id='20'] .pairs li"))
      .map((item) => item.classList.contains("off"));
    set("gap", "2", "input"); set("overlap", "0", "input");
    for (const key of ["gap", "overlap"]) { set("sort", key, "change"); seen.push(shown()); }
    const text = document.querySelector("[data-id='20'] .pairs").checkVisibility();
    const lost = Array.from(document.querySelectorAll("[data-id='30'] .pairs li")).map((item) =>
      [item.classList.contains("lost"), item.classList.contains("off"),
        getComputedStyle(item.querySelector(".s3")).textDecorationLine]);
    return [...seen, off, text, lost];
  },
  keyboard() {
    set("sort", "id", "change"); set("cloud", "50", "input"); card(0).focus();
    const path = ["ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home"].map(press);
    return [path, card(0).tagName, card(0).tabIndex];
  },
  pictures() { return Array.from(document.images).map((i) => i.naturalWidth); },
  escape() {
    return { pwned: window.pwned === undefined, name: card(10).parentElement.dataset.product };
  },
};
const images = Array.from(document.images);
images.forEach((image) => { image.loading = "eager"; });
Promise.all(images.map((image) => image.decode().catch(() => null))).then(() => {
  const results = {};
  for (const [name, act] of Object.entries(deeds)) {
    try { results[name] = act(); } catch (error) { results[name] = String(error); }
    $("none").click(); set("cloud", "100", "input"); set("sort", "time", "change");
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(results)]));
  link.download = "observed.json";
  link.click();
});
"""


@pytest.fixture(scope="module")
def observed(browser, tmp_path_factory):
    """What the page does in the browser, by deed."""
    page = write_page(tmp_path_factory.mktemp("sheet"))
    kept = json.dumps({"0": "S2A_SCENE_0", "20": "S2A_ANOTHER_PRODUCT"})
    key = "sensor2sensor selection inv_T17XNA_10h"
    before = f"<script>localStorage.setItem({json.dumps(key)}, {json.dumps(kept)})</script>"
    source = page.read_text().replace("<body", f"{before}<body", 1)
    page.write_text(source.replace("</body>", f"<script>{DEEDS}</script></body>"))
    return downloaded(browser, page, "observed.json")


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.articles = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "article":
            self.articles.append(dict(attrs))


def test_product_names_are_escaped_and_no_placeholder_is_filled_twice(page):
    reader = _Reader()
    reader.feed(page.read_text())
    assert [a["data-product"] for a in reader.articles] == [card.product for card in cards()]
    assert reader.tags.count("script") == 1
    assert reader.tags.count("img") == len(CLOUDS)


def test_the_page_asks_nothing_of_the_network(page):
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page.read_text())
    assert sorted(addresses) == sorted(card.picture for card in cards())


def test_a_click_selects_and_a_second_one_rejects(observed):
    assert observed["click"] == {
        "before": ["0 of 6 selected, 6 shown", True],
        "chosen": [10, 30],
        "count": "2 of 6 selected, 6 shown",
        "disabled": False,
        "pressed": ["true", "false"],
    }


def test_every_picture_loads_and_nothing_in_a_product_name_runs(observed):
    assert observed["pictures"] == [20] * len(CLOUDS)
    assert observed["escape"] == {"pwned": True, "name": NASTY}


def test_the_cloud_filter_hides_cards_and_says_what_it_hides(observed):
    # Where the product gives no cloud figure the scene stays in view.
    assert observed["filter"] == [
        [50, 30, 20, 0],
        "1 of 6 selected, 4 shown (1 selected not shown)",
        [0, 10, 20, 30, 50],
        6,
        [],
    ]


def test_gap_and_overlap_filter_by_one_partner_and_sort(observed):
    assert observed["pairs"] == [
        # Without any partner a scene stays in view, like one of unknown cloud; one that is gone is
        # none, and does not keep scene 40 in view.
        [30, 0],
        [50, 30, 20, 0],  # an unknown overlap hides nothing
        [30, 0],  # the near partner overlaps too little, the other is too late
        [50, 40, 30, 20, 10, 0],
        [10, 20, 40, 50, 0, 30],
        [10, 20, 40, 50, 0, 30],
        [False, True],
        True,
        [[True, False, "line-through"]],
    ]


@pytest.mark.parametrize(
    ("gap_h", "text"),
    [
        (2 / 3, "S3 40 min after S2"),
        (-0.25, "S3 15 min before S2"),
        (-3.34, "S3 3 h 20 min before S2"),
        (0.001, "S3 within a minute of S2"),
        (None, "time gap unknown"),
    ],
)
def test_the_gap_is_told_with_its_sign(gap_h, text):
    assert gap_text(gap_h) == text


def test_gap_and_overlap_stand_openly_and_what_is_not_known_says_so(page):
    text = page.read_text()
    assert "<details" not in text[text.index("<article") :]
    shown = re.sub(r"<[^>]+>", " ", text.split("<article")[3])
    told = " ".join(shown.split())
    assert "S3 75 min before S2 50 % overlap" in told
    assert "S3 2 h 00 min after S2 overlap unknown" in told
    assert "platform unknown, baseline unknown" in told
    alone = contact_sheet("inv_T17XNA_s2", cards(), sentinel2_only=True)
    assert 'id="gap"' not in alone and "S3 75 min" not in alone


def test_scenes_are_sorted_by_date_cloud_or_id(observed):
    assert observed["sort"] == [
        [50, 40, 30, 20, 10, 0],
        [50, 0, 30, 10, 40, 20],
        [0, 10, 20, 30, 40, 50],
    ]


def test_the_keyboard_reaches_and_moves_between_scenes(observed):
    assert observed["keyboard"] == [[20, 50, 50, 30, 0], "BUTTON", 0]


def test_the_choice_survives_a_reload_unless_the_product_changed(observed):
    assert observed["reload"] == [[0], {"0": "S2A_SCENE_0", "30": "S2A_SCENE_3"}]


def test_the_button_downloads_the_selection_that_step_40_reads(browser, page, tmp_path):
    hook = (
        "<script>for (const id of [30, 10])"
        " document.querySelector(`[data-id='${id}'] .card`).click();"
        "document.getElementById('save').click();</script></body>"
    )
    page.write_text(page.read_text().replace("</body>", hook))
    name = "inv_T17XNA_10h_selection.json"
    assert downloaded(browser, page, name) == {
        "inventory": "inv_T17XNA_10h",
        "s2_indices": [10, 30],
        "products": {"10": NASTY, "30": "S2A_SCENE_3"},
    }
    (tmp_path / "environment.json").write_text("{}")
    env = load_environment(tmp_path / "environment.json")
    selection = load_selection(str(next(tmp_path.rglob(name))), env)
    assert selection.s2_indices == (10, 30)
    assert selection.products == {10: NASTY, 30: "S2A_SCENE_3"}


def test_the_overview_counts_what_the_cards_say_and_leaves_out_what_is_gone(page):
    shown = page.read_text()
    assert "<summary>Overview of 6 scenes</summary>" in shown
    # Of five clouds the third; of eight partners two are gone; four scenes have S3A at 1.25 h.
    assert "<b>30 %</b>median cloud" in shown
    assert "<b>6</b>pairs" in shown and "<b>4</b>scenes with one within 3 h" in shown
    assert "Cloud of the scenes: 5 scenes, median 30 %" in shown
    assert "Scenes by month: 2022-12 6" in shown
    assert "Overview of" not in contact_sheet("inv", cards()[:1], sentinel2_only=False)


def test_the_overview_draws_the_ground_of_scenes_that_know_it():
    ring = [[500000.0, 8000000.0], [510000.0, 8000000.0], [510000.0, 7990000.0]]
    known = [replace(card, outline_m=[ring]) for card in cards()]
    shown = contact_sheet("inv", known, sentinel2_only=True)
    assert "Map of Ground the scenes show: 6 footprint" in shown
    assert "Overlap of the pairs" not in contact_sheet("inv", cards()[:2], sentinel2_only=True)
