"""The preview page: what it holds, and what it does in a real browser from the disk."""

from __future__ import annotations

import json
import re
from html import escape
from html.parser import HTMLParser
from typing import ClassVar

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec, float_band, reflectance_band
from sensor2sensor.dataset.contract import InputSpec, TargetSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.inference import preview, preview_page
from sensor2sensor.inference.cog import write_cog
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import output_bands
from sensor2sensor.inference.preview import means, write_preview
from sensor2sensor.inference.preview_page import pixel_size_m
from sensor2sensor.inference.scenes.scene import Frame, SceneWindow
from sensor2sensor.predictors.tiling import Tiling
from tests.browser import browser, downloaded

NASTY = """S2A"><img src=x onerror="pwned=1"></script><script>pwned=1</script>&amp;{{facts}}"""
BANDS = tuple(reflectance_band(n, w) for n, w in (("B02", 492.4), ("B03", 559.8), ("B04", 664.6)))
HEIGHT, WIDTH, FACTOR = 98, 131, 4  # neither a multiple of the factor
UTM = Frame(WIDTH, HEIGHT, (10.0, 0.0, 500000.0, 0.0, -10.0, 6000000.0), "EPSG:32629")


def form(**given) -> Form:
    said = {"layout": "dense", "bands": BANDS, "dtype": "uint16", "index_dtype": "int32"}
    said |= {"max_pixels": 1, "grid": (16, 16), "pixel_m": 40.0, **given}
    return Form(
        name="rural", kind="degraded", tile_px=64, resolution_m=10.0, factor=FACTOR,
        input=InputSpec(**said), target=TargetSpec(bands=BANDS, dtype="uint16"),
    )  # fmt: skip


class Held:
    """A scene held whole: its truth, and blocks of it as input; a corner has no data."""

    align_px, frame, name = FACTOR, UTM, NASTY
    notices = ("level L2A, trained on L1C",)
    facts: ClassVar = {"product": NASTY, "level": "L2A", "offsets": {"B02": -1000}}

    def __init__(self) -> None:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        green = 0.1 + 0.001 * columns
        town = (rows >= 40) & (rows < 72) & (columns >= 88) & (columns < 120)
        houses = np.where((rows // 6 + columns // 6) % 2, 0.25, 1.0)
        green[town] = (np.where((rows + columns) % 2, 0.05, 0.4) * houses)[town]
        other = np.where(town, 0.5, 0.02)  # black beside the town, which is some 8 % of all
        self.values = np.stack([other, green, other], -1).astype(np.float32)
        self.values[:20, :24] = np.nan
        edge = [(0, -HEIGHT % FACTOR), (0, -WIDTH % FACTOR), (0, 0)]
        self.coarse = means(np.pad(self.values, edge, mode="edge"), FACTOR)
        self.asked = []

    def window(self, place, halo_px=0):
        self.asked.append(place)
        assert not any(n % FACTOR for n in (place.x, place.y, place.width, place.height))
        part = self.coarse[
            place.y // FACTOR : (place.y + place.height) // FACTOR,
            place.x // FACTOR : (place.x + place.width) // FACTOR,
        ]
        valid = np.isfinite(part).all(-1)
        if not valid.any():
            return None
        blank = np.zeros((place.height, place.width, 3), np.float32)
        grown = valid.repeat(FACTOR, 0).repeat(FACTOR, 1)
        return SceneWindow(dense_record("w", blank, np.nan_to_num(part)), grown)

    def truth(self, place):
        assert place.inside(WIDTH, HEIGHT)
        return self.values[place.rows, place.columns]


class Unknown(Held):
    def truth(self, place):
        return None


def method(of=None, **provenance) -> Method:
    return Method("edsr", [], of or form(), Tiling(8), 1, {"step": 100, **provenance})


@pytest.fixture(scope="module")
def cog(tmp_path_factory):
    """The prediction: red all over, but for what has no data; stored as int16."""
    values = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    values[..., 2] = 0.3
    values[:20, :24] = np.nan
    path = tmp_path_factory.mktemp("cog") / "out.tif"
    write_cog(path, UTM, output_bands(form()), [values[:50], values[50:]], dtype="int16")
    return path


@pytest.fixture
def small(monkeypatch):
    """Whole scenes are shown in few pixels, details in less."""
    monkeypatch.setattr(preview, "OVERVIEW_PX", 50)
    monkeypatch.setattr(preview, "DETAIL_PX", 32)
    monkeypatch.setattr(preview, "_READ_PX", 48)


def written(folder, cog, scene=None, of=None):
    path = folder / "out.html"
    write_preview(path, scene or Held(), cog, of or method())
    return path


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.pictures, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))

    def handle_data(self, data):
        self.texts.append(data)


def parsed(path):
    reader = _Reader()
    reader.feed(path.read_text())
    return reader


def data_of(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(), re.S)[1])


def test_the_page_needs_nothing_else_and_names_run_nothing(tmp_path, cog, small):
    reader = parsed(written(tmp_path, cog))
    assert reader.tags.count("script") == 2
    assert all(p["src"].startswith("data:image/webp;base64,") for p in reader.pictures)
    assert not re.search(r"https?://|url\(", (tmp_path / "out.html").read_text())
    assert NASTY in reader.texts[reader.texts.index("edsr ") + 1 :]
    looks, places, sides = 4, len(data_of(tmp_path / "out.html")["places"]), 3
    assert places > 1
    assert len({p["id"] for p in reader.pictures}) == looks * places * sides


def test_equal_scenes_give_equal_bytes(tmp_path, cog, small):
    first = written(tmp_path, cog).read_bytes()
    assert written(tmp_path, cog).read_bytes() == first


def test_sides_are_means_of_the_same_ground_and_gaps_stay_gaps(tmp_path, cog, small):
    import rasterio

    from sensor2sensor.geo.grids import PixelWindow

    scene, whole = Held(), PixelWindow(0, 0, 129, 96)
    with rasterio.open(cog) as source:
        sides = preview._read(scene, form(), source, whole, 3)
    assert len(scene.asked) > 4
    np.testing.assert_array_equal(sides["truth"], means(scene.values, 3))
    blocks = scene.coarse.repeat(FACTOR, 0).repeat(FACTOR, 1)
    np.testing.assert_array_equal(sides["input"], means(blocks[:96, :129], 3))
    assert np.isnan(sides["prediction"][:6, :8]).all()
    np.testing.assert_allclose(sides["prediction"][7:, :, 2], 0.3, atol=1e-6)


def test_means_leave_out_what_is_not_there():
    values = np.array([[1.0, np.nan], [3.0, np.nan]], np.float32)[..., None].repeat(2, 1)
    assert means(values, 2)[0, 0, 0] == 2.0
    assert np.isnan(means(values, 2)[0, 1, 0])


def test_details_lie_where_the_truth_has_texture(tmp_path, cog, small):
    places = data_of(written(tmp_path, cog))["places"]
    assert places[0] == {"name": "Whole scene", "x": 0, "y": 0, "w": 129, "h": 96}
    # The town of 32 x 32 pixels from (88, 40) on: no window that holds most of it is farther.
    assert abs(places[1]["x"] - 88) <= 8 and abs(places[1]["y"] - 40) <= 8
    assert places[1]["w"] == places[1]["h"] == 32


def test_one_stretch_from_the_truth_for_all_sides(tmp_path, cog):
    data = data_of(written(tmp_path, cog))
    values = Held().values[..., 1]
    low, high = np.nanpercentile(values, (2, 98))
    assert data["looks"][0]["label"] == "True colour (B04, B03, B02)"
    shown = data["looks"][2]
    assert shown["label"] == "B03, 560 nm"
    ends = f"B03 {low:.3g}\u2013{high:.3g} reflectance, gamma 0.5"
    assert shown["stretch"] == f"Black to white, the same for all sides: {ends}"


def test_without_a_truth_there_are_two_sides_and_the_prediction_sets_the_stretch(tmp_path, cog):
    path = written(tmp_path, cog, Unknown())
    data = data_of(path)
    assert data["looks"][0]["sides"] == ["input", "prediction"]
    assert "B04 0.29\u20130.31" in data["looks"][0]["stretch"]
    assert "input at 40 m and prediction at 10 m" in path.read_text().lower()


def test_other_quantities_have_a_stretch_of_their_own(tmp_path, cog):
    mask = BandSpec(
        name="mask", unit="1", wavelength_nm=None, scale=1.0, offset=0.0, nodata=None,
        value_range=(0.0, 1.0),
    )  # fmt: skip
    given = form(bands=(mask, float_band("VV", "dB", None)), dtype="float32")
    overview = {"input": np.zeros((4, 4, 2), np.float32), "prediction": Held().values}
    look = preview._looks(given, ["B02", "B03", "B04"], overview)[0]
    assert look.bands == {"input": (0,), "prediction": (2, 1, 0)}
    assert look.limits["input"] == [[0.0, 1.0]]
    assert preview_page._stretch(look, method(given)).startswith("Black to white: input mask 0")


def test_what_is_told_beside_a_prediction_can_be_looked_at_alone(tmp_path):
    path = tmp_path / "out.tif"
    values = np.full((HEIGHT, WIDTH, 6), 0.2, np.float32)
    write_cog(path, UTM, output_bands(form(), ("mean", "std")), [values])
    looks = data_of(written(tmp_path, path))["looks"]
    assert [look["label"] for look in looks[4:]] == ["B02_std", "B03_std", "B04_std"]
    assert looks[4]["sides"] == ["prediction"]


def test_a_band_stands_beside_the_one_of_its_name_or_colour():
    olci = tuple(float_band(n, "reflectance", w) for n, w in (("Oa04", 490.0), ("Oa08", 665.0)))
    given = form(bands=olci, dtype="float32")
    assert [preview._counterpart(given, band) for band in range(3)] == [0, None, 1]
    assert [preview._counterpart(form(), band) for band in range(3)] == [0, 1, 2]


def test_a_page_stays_within_its_size_and_says_what_it_left(tmp_path, cog, monkeypatch):
    whole = written(tmp_path, cog)
    assert "whole scene without loss" in whole.read_text()
    pictures = [len(p["src"]) * 3 // 4 for p in parsed(whole).pictures]
    monkeypatch.setattr(preview_page, "_PICTURE_BYTES", sum(pictures[:3]) + 100)
    less = written(tmp_path, cog)
    assert "Single bands do not fit" in less.read_text()
    assert [p["id"] for p in parsed(less).pictures] == [
        "p0-0-input",
        "p0-0-prediction",
        "p0-0-truth",
    ]


def test_another_scenes_file_is_refused(tmp_path, cog):
    scene = Held()
    scene.frame = Frame(WIDTH + 1, HEIGHT)
    with pytest.raises(InputError, match=r"131 x 98 pixels.*3 of 132 x 98"):
        written(tmp_path, cog, scene)


@pytest.mark.parametrize(
    ("transform", "crs", "metres"),
    [
        ((10.0, 0, 5e5, 0, -10.0, 6e6), "EPSG:32629", 10.0),
        ((6.0, 8.0, 5e5, 8.0, -6.0, 6e6), "EPSG:32629", 10.0),  # rotated
        ((10.0, 0, 0, 0, -10.0, 0), "EPSG:2263", 10.0 * 1200 / 3937),  # feet
        ((0.001, 0, 10.0, 0, -0.001, 60.05), "EPSG:4326", 55.66),
        (None, None, None),
        ((10.0, 0, 0, 0, -10.0, 0), None, None),
    ],
)
def test_the_scale_bar_knows_the_pixel(transform, crs, metres):
    found = pixel_size_m(Frame(100, 100, transform, crs))
    assert found == (metres if metres is None else pytest.approx(metres, rel=1e-3))


# What a visitor does; colours are read off the canvas. The truth is green, the prediction red.
DEEDS = """
const $ = (id) => document.getElementById(id);
const stage = $("stage"), canvas = document.querySelector("canvas"), divider = $("divider");
const drawn = () => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
const box = () => stage.getBoundingClientRect();
const pixel = (x, y) => {
  const ratio = canvas.width / box().width, pen = canvas.getContext("2d");
  return Array.from(pen.getImageData(x * ratio, y * ratio, 1, 1).data.slice(0, 3));
};
const colour = (x, y) => {
  const [r, g] = pixel(x, y);
  return r > g + 40 ? "red" : g > r + 40 ? "green" : "grey";
};
const row = () => [0.35, 0.65].map((x) => colour(box().width * x, box().height * 0.8));
const point = (on, kind, x, y, id) => on.dispatchEvent(new PointerEvent("pointer" + kind,
  { pointerId: id, clientX: box().left + x, clientY: box().top + y, bubbles: true, button: 0 }));
const drag = (on, from, to) => {
  point(on, "down", from, 90, 1); point(stage, "move", to, 90, 1); point(stage, "up", to, 90, 1);
  return drawn();
};
const press = (on, key) => {
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  return drawn();
};
const click = (box, n) => { $(box).children[n].click(); return drawn(); };
const split = () => Number(divider.getAttribute("aria-valuenow"));
const scale = () => $("readout").textContent.match(/([\\d.]+) %/)[1] / 100;
const change = (id, kind) => { $(id).dispatchEvent(new Event(kind)); return drawn().then(drawn); };
const deeds = {
  async start() {
    return { row: row(), labels: [$("left").textContent, $("right").textContent], split: split() };
  },
  async drag() {
    const w = box().width;
    await drag(divider, w / 2, w * 0.2);
    const left = [row(), split()];
    point(stage, "move", w * 0.9, 90, 1); await drawn();  // nothing is held any more
    left.push(split());
    await drag(divider, w * 0.2, w * 0.8);
    return [left, [row(), split()]];
  },
  async keys() {
    const seen = [];
    for (const key of [" ", " ", "]", "["]) { await press(stage, key); seen.push(split()); }
    for (const key of ["Home", "ArrowRight", "End"]) {
      await press(divider, key); seen.push(split());
    }
    return seen;
  },
  async pairs() {
    await click("pairs", 1);
    const seen = [row(), $("left").textContent, $("right").textContent];
    await click("pairs", 2);
    return [...seen, row()];
  },
  async band() {
    $("looks").selectedIndex = 2; await change("looks", "change");
    return [row(), $("stretch").textContent.includes("B03")];
  },
  async zoom() {
    const start = scale(), seen = [], bar = $("bar").textContent;
    stage.dispatchEvent(new WheelEvent("wheel",
      { deltaY: -400, clientX: box().left + 50, clientY: box().top + 50, cancelable: true }));
    await drawn(); seen.push(scale() / start);
    await press(stage, "0"); seen.push(scale() / start);
    await press(stage, "+"); seen.push(scale() / start);
    await press(stage, "0");
    point(stage, "down", 100, 100, 1); point(stage, "down", 200, 100, 2);
    point(stage, "move", 400, 100, 2);
    point(stage, "up", 400, 100, 2); point(stage, "up", 100, 100, 1);
    await drawn(); seen.push(scale() / start);
    return [seen, bar, $("bar").textContent];
  },
  async detail() {
    await click("pairs", 1); await press(divider, "Home"); await click("places", 1);
    const at = () => pixel(box().width / 2 + 3, box().height / 2 + 3)[1];
    const seen = [at()];
    await drag(stage, 300, 300 + scale()); seen.push(at());
    return [seen, scale()];
  },
  async nothing() {
    const to = (from, half, whole) => whole / 2 + (from - half) * scale();
    return pixel(to(8, 64.5, box().width), to(8, 48, box().height));
  },
  async light() {
    $("light").value = 1; await change("light", "input");
    return canvas.style.filter;
  },
  async safe() { return [typeof window.pwned, document.querySelector("h1 small").textContent]; },
  async size() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return { inner: window.innerWidth, content: document.documentElement.scrollWidth, dark,
      stage: box().width, page: getComputedStyle(document.body).backgroundColor,
      store: $("store").checkVisibility() };
  },
};
async function all() {
  const results = {};
  for (const [name, act] of Object.entries(deeds)) {
    await press(stage, "0"); await press(divider, "Home");
    for (let n = 0; n < 5; n += 1) {
      divider.dispatchEvent(new KeyboardEvent("keydown",
        { key: "ArrowRight", shiftKey: true, bubbles: true }));
    }
    $("looks").selectedIndex = 0; await change("looks", "change"); await click("pairs", 0);
    try { results[name] = await act(); } catch (error) { results[name] = String(error); }
  }
  results.errors = window.seen;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(results)]));
  link.download = "observed.json";
  link.click();
}
const ready = setInterval(() => {
  if (!document.documentElement.dataset.ready) return;
  clearInterval(ready); all();
}, 20);
"""
WATCH = """<script>window.seen = []; addEventListener("error", (e) => seen.push(e.message));
addEventListener("unhandledrejection", (e) => seen.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => seen.push(e.violatedDirective));</script>"""


DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def visited(tmp_path_factory, cog):
    """A page as a browser sees it: at a desk, and on a phone that is set to dark."""
    program = browser()
    folder = tmp_path_factory.mktemp("preview")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "OVERVIEW_PX", 50)
        patch.setattr(preview, "DETAIL_PX", 32)
        page = written(folder, cog)
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


def test_brightness_is_that_of_all_sides(visited):
    assert visited[0]["light"] == "brightness(2)"


def test_a_phone_scrolls_in_one_direction_and_dark_is_dark(visited):
    desk, phone = (observed["size"] for observed in visited)
    assert not desk["dark"] and desk["page"] == "rgb(244, 246, 248)"
    assert phone["dark"] and phone["page"] == "rgb(18, 23, 28)"
    assert phone["inner"] == phone["content"] == 390 and 340 < phone["stage"] <= 390
    assert not desk["store"] and not phone["store"]
