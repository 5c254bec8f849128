"""The preview page: what it holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import BandSpec, float_band
from sensor2sensor.inference import preview, preview_page
from sensor2sensor.inference.cog import write_cog
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import output_bands
from sensor2sensor.inference.preview import means
from sensor2sensor.inference.preview_page import pixel_size_m
from sensor2sensor.inference.scenes.scene import Frame
from sensor2sensor.predictors.tiling import Tiling
from tests.unit.inference.held import (
    FACTOR,
    HEIGHT,
    NASTY,
    UTM,
    WIDTH,
    Held,
    Unknown,
    form,
    method,
    red,
    written,
)  # fmt: skip


@pytest.fixture(scope="module")
def cog(tmp_path_factory):
    return red(tmp_path_factory.mktemp("cog") / "out.tif")


@pytest.fixture
def small(monkeypatch):
    """Whole scenes are shown in few pixels, details in less."""
    monkeypatch.setattr(preview, "OVERVIEW_PX", 50)
    monkeypatch.setattr(preview, "DETAIL_PX", 32)
    monkeypatch.setattr(preview, "_READ_PX", 48)


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
    assert len(scene.asked) > 4  # never the whole at once
    assert all(max(place.width, place.height) <= 48 for place in scene.asked)
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
    assert places[0] == {"name": "Whole", "x": 0, "y": 0, "w": 129, "h": 96}
    # The town of 32 x 32 pixels from (88, 40) on: no window that holds most of it is farther.
    assert abs(places[1]["x"] - 88) <= 8 and abs(places[1]["y"] - 40) <= 8
    assert places[1]["w"] == places[1]["h"] == 32


def test_one_stretch_for_all_sides_that_holds_truth_and_prediction(tmp_path, cog):
    data = data_of(written(tmp_path, cog))
    values = Held().values[..., 1]
    both = np.concatenate([values, np.where(np.isfinite(values), 0.0, np.nan)])
    low, high = np.nanpercentile(both, (2, 98))
    assert data["looks"][0]["label"] == "True colour (B04, B03, B02)"
    shown = data["looks"][2]
    assert shown["label"] == "B03, 560 nm"
    ends = f"B03 {low:.3g} to {high:.3g} reflectance, gamma 0.5"
    assert shown["stretch"] == f"Black to white, the same for all sides: {ends}"


def test_without_a_truth_there_are_two_sides_and_the_prediction_sets_the_stretch(tmp_path, cog):
    path = written(tmp_path, cog, Unknown())
    data = data_of(path)
    assert data["looks"][0]["sides"] == ["input", "prediction"]
    assert "B04 0.29 to 0.31" in data["looks"][0]["stretch"]
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
    olci = tuple(
        float_band(n, "mW m-2 sr-1 nm-1", w) for n, w in (("Oa04", 490.0), ("Oa08", 665.0))
    )
    given = form(bands=olci, dtype="float32")
    assert [preview._counterpart(given, band) for band in range(3)] == [0, None, 1]
    assert [preview._counterpart(form(), band) for band in range(3)] == [0, 1, 2]


def test_the_table_tells_whose_weights_and_of_what_unit(tmp_path, cog, small):
    scene = Held()
    scene.facts = {
        "input_m": 60.0, "resolution_m": 10.0, "cloud_fraction": 0.04995728,
        "quantification": 10000.0, "level": "L2A",
    }  # fmt: skip
    runs = [{"experiment": "a/edsr", "run": run, "step": 15} for run in ("0101-0000", "0102-0000")]
    for said, run in (
        (runs[0], "0101-0000"),
        ({"members": runs}, "0101-0000, 0102-0000"),
        ({"sensor2sensor": runs[1]}, "0102-0000"),
    ):
        made = Method("edsr", [], form(), Tiling(8), 1, said)
        rows = rows_of(written(tmp_path, cog, scene, made))
        assert (rows["Experiment"], rows["Run"], rows["Step of the weights"]) == (
            "a/edsr",
            run,
            "15",
        )
        assert (rows["Input"], rows["Resolution"]) == ("60 m", "10 m")
        assert rows["Cloud fraction"] == "5 %" and rows["Level"] == "L2A"
        assert "Quantification" not in rows


def rows_of(page):
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.read_text()))


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
        ((0.001, 0, 10.0, 0, -0.001, 60.05), "EPSG:4326", 55.80),  # WGS 84 at 60 degrees
        ((2.0, 0, 1e6, 0, -2.0, 8_399_738 + 100), "EPSG:3857", 1.0028),  # 60 degrees: half, and
        # 0.3 % for the ellipsoid
        (None, None, None),
        ((10.0, 0, 0, 0, -10.0, 0), None, None),
    ],
)
def test_the_scale_bar_knows_the_pixel(transform, crs, metres):
    found = pixel_size_m(Frame(100, 100, transform, crs))
    assert found == (metres if metres is None else pytest.approx(metres, rel=1e-3))
