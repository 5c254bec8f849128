"""Pictures: the stretch ignores nodata and outliers, transparency is nodata and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.io import MemoryFile

from sensor2sensor.core.errors import ProductError
from sensor2sensor.dataset.display import (
    GAMMA,
    LEAST_CLEAR_SHARE,
    MIN_SPAN,
    clear_range,
    rgba,
)
from sensor2sensor.preprocess.quicklooks.render import (
    decimation,
    display_bands,
    png,
    render,
    scene_picture,
)
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes import World, make_s2


@pytest.mark.parametrize(
    ("bands", "shown"),
    [
        (["B02", "B03", "B04"], ("B04", "B03", "B02")),
        (["B08", "B04", "B03", "B02"], ("B04", "B03", "B02")),
        (["B11", "B08", "B05", "B01"], ("B11", "B08", "B05")),
        (["B05", "B8A", "B11"], ("B11", "B8A", "B05")),
        (["B08", "B04"], ("B08",)),
        (["B09"], ("B09",)),
    ],
)
def test_true_colour_where_possible(bands, shown):
    assert display_bands(bands) == shown


@pytest.mark.parametrize(
    ("downsample", "resolution_m", "factor"),
    [(20, 10, 20), (20, 20, 10), (20, 60, 3), (1, 60, 1), (1, 10, 1), (60, 60, 10)],
)
def test_a_picture_is_as_large_at_every_resolution(downsample, resolution_m, factor):
    assert decimation(downsample, resolution_m) == factor


def test_the_stretch_ignores_nodata_and_a_few_bright_pixels():
    ramp = np.linspace(0.1, 0.3, 10_000, dtype=np.float32).reshape(100, 100, 1)
    ramp[0, :50] = np.nan
    ramp[-1, -50:] = 9.0
    (low, high), *_ = clear_range(ramp)
    assert low == pytest.approx(0.1 + 0.2 * 0.025, abs=0.002)
    assert high == pytest.approx(0.3 - 0.2 * 0.02, abs=0.002)


def test_a_flat_scene_is_shown_mid_grey_and_not_as_noise():
    flat = np.full((8, 8, 3), 0.05, np.float32)
    limits = clear_range(flat)
    assert limits == [[pytest.approx(0.05 - MIN_SPAN / 2), pytest.approx(0.05 + MIN_SPAN / 2)]] * 3
    assert np.unique(rgba(flat, limits)[:3]).tolist() == [round(255 * 0.5**GAMMA)]


def test_cloud_does_not_set_the_range_of_the_ground():
    """Half a scene of cloud left land at a hundredth of its range: almost black."""
    ramp = np.linspace(0.02, 0.06, 10_000, dtype=np.float32).reshape(100, 100, 1)
    scene = np.concatenate([ramp, np.full_like(ramp, 1.6)])
    cloudy = scene[..., 0] > 1.0
    assert clear_range(scene, cloudy) == clear_range(ramp)
    assert clear_range(scene)[0][1] == pytest.approx(1.6)
    assert (rgba(scene, clear_range(scene, cloudy))[:3, 100:] == 255).all()


def test_a_remnant_beside_a_mask_of_cloud_sets_no_range():
    scene = np.linspace(0.1, 0.9, 10_000, dtype=np.float32).reshape(100, 100, 1)
    whole, cloudy = clear_range(scene), np.ones((100, 100), bool)
    assert clear_range(scene, cloudy) == whole
    cloudy.flat[: round(10_000 * LEAST_CLEAR_SHARE) - 1] = False
    assert clear_range(scene, cloudy) == whole
    cloudy.flat[: round(10_000 * LEAST_CLEAR_SHARE)] = False
    assert clear_range(scene, cloudy) != whole
    scene[50:] = np.nan  # the share is one of the valid pixels
    cloudy.flat[round(5_000 * LEAST_CLEAR_SHARE) - 1 :] = True
    assert clear_range(scene, cloudy) == clear_range(scene)


@pytest.mark.parametrize(
    "product",
    [
        {"level": "L2A", "resolutions": (10, 20, 60)},
        {"level": "L2A", "resolutions": (10, 20)},
        {"baseline": "04.00"},
        {"baseline": "02.09"},
    ],
    ids=["SCL", "SCL at 20 m", "MSK_CLASSI", "MSK_CLOUDS"],
)
@pytest.mark.parametrize("factor", [1, 4])
def test_the_cloud_of_a_product_is_left_out_whichever_mask_it_has(tmp_path, product, factor):
    given = {"resolutions": (10,), "quality_masks": True, **product}
    path = make_s2(tmp_path, world=World(0), size_px=384, cloud=0.5, **given)
    made = open_s2(path)
    bands = ("B04", "B03", "B02")
    word = made.quality_overview(10, (384 // factor,) * 2)
    fine, _ = made.read_quality(10)
    clouds = np.uint32(Quality.S2_CLOUD | Quality.S2_CIRRUS)
    share = ((word & clouds) != 0).mean()
    assert 0.2 < share < 0.8
    assert share == pytest.approx(((fine & clouds) != 0).mean(), abs=0.04)
    image, _ = made.read_reflectance(bands, 10, overview=factor)
    shown, limits = scene_picture(made, bands, 10, factor)
    assert limits == clear_range(image, (word & clouds) != 0) != clear_range(image)
    assert np.array_equal(shown, rgba(image, limits))


def test_black_white_and_nodata_of_a_picture():
    reflectance = np.full((2, 2, 3), 0.2, np.float32)
    reflectance[0, 0] = [-0.1, 0.0, 0.1]
    reflectance[0, 1] = [1.5, 1.0, 0.5]
    reflectance[1, 1, 2] = np.nan
    shown = rgba(reflectance, [[0.0, 1.0]] * 3)
    assert shown.dtype == np.uint8
    assert shown[:, 0, 0].tolist() == [0, 0, round(255 * 0.1**GAMMA), 255]
    assert shown[:, 0, 1].tolist() == [255, 255, round(255 * 0.5**GAMMA), 255]
    assert shown[:, 1, 1].tolist() == [0, 0, 0, 0]


def test_one_band_is_shown_grey():
    shown = rgba(np.array([[[0.25]]], np.float32), [[0.0, 1.0]])
    assert shown[:, 0, 0].tolist() == [round(255 * 0.25**GAMMA)] * 3 + [255]


def test_png_is_lossless_and_equal_each_time():
    rgba = np.random.default_rng(3).integers(0, 256, (4, 7, 5), np.uint8)
    data = png(rgba)
    assert data == png(rgba)
    with MemoryFile(data) as memory, memory.open() as source:
        assert source.driver == "PNG"
        assert np.array_equal(source.read(), rgba)


class _Empty:
    name = "S2A_EMPTY"

    def read_reflectance(self, bands, resolution_m, *, overview):
        return np.full((4, 4, len(bands)), np.nan, np.float32), None

    def quality_overview(self, resolution_m, shape):
        return np.zeros(shape, np.uint32)


def test_a_scene_without_data_is_an_error_that_names_it():
    with pytest.raises(ProductError, match="S2A_EMPTY: no pixel holds data"):
        render(_Empty(), ("B04", "B03", "B02"), 10, 1)
