"""The picture of a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.build import dense_input
from sensor2sensor.dataset.contract import TargetSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.inference.cog import write_cog
from sensor2sensor.inference.output import output_bands
from sensor2sensor.inference.quicklook import QUICKLOOK_PX, colours, write_quicklook
from sensor2sensor.inference.scenes.scene import Frame
from sensor2sensor.sources.pictures import COLOURS, picture_band


def form(bands: tuple, dtype: Any = "float32", ranges: tuple = ()) -> Form:
    spec = dense_input(bands, dtype, 64, pixel_m=None)
    target = TargetSpec(bands=bands, dtype=dtype)
    return Form(
        name="d", kind="paired", tile_px=64, resolution_m=None, factor=1.0, input=spec,
        target=target, target_ranges=ranges,
    )  # fmt: skip


SATELLITE = form(
    tuple(
        float_band(name, "reflectance", nm)
        for name, nm in (("B02", 492.4), ("B03", 559.8), ("B04", 664.6), ("B08", 832.8))
    ),
    ranges=((0.0, 1.5),) * 4,
)
PHOTO = form(tuple(picture_band(name, "photo") for name in COLOURS), "uint8")


def shown(tmp_path, of: Form, image: np.ndarray, **options: Any) -> np.ndarray:
    cog, png = tmp_path / "a.tif", tmp_path / "a.png"
    frame = Frame(image.shape[1], image.shape[0])
    write_cog(cog, frame, output_bands(of), [image], colour=colours(of.target), **options)
    write_quicklook(png, cog, of)
    return np.asarray(Image.open(png))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_a_dark_scene_is_stretched_to_itself_and_gaps_are_clear(tmp_path, dtype):
    image = np.random.default_rng(2).uniform(0.02, 0.12, (80, 50, 4)).astype(np.float32)
    image[:, :25, 2] += 0.1  # the left half is red
    image[:10] = np.nan
    made = shown(tmp_path, SATELLITE, image, dtype=dtype)
    assert made.shape == (80, 50, 4)
    assert (made[:10] == 0).all() and (made[10:, :, 3] == 255).all()
    left, right = made[10:, :25].astype(float), made[10:, 25:].astype(float)
    assert left[..., 0].mean() > right[..., 0].mean() + 60
    assert abs(left[..., 2].mean() - right[..., 2].mean()) < 15
    assert made[10:, :, 1].max() == 255 and made[10:, :, 1].min() == 0


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_photo_is_shown_as_it_is(tmp_path):
    image = np.random.default_rng(3).integers(0, 256, (40, 60, 3)).astype(np.float32)
    made = shown(tmp_path, PHOTO, image, dtype="uint8")
    np.testing.assert_array_equal(made[..., :3], image)
    assert (made[..., 3] == 255).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_large_scene_is_shown_by_its_means(tmp_path):
    image = np.full((30, 2 * QUICKLOOK_PX + 2, 3), 40, np.float32)
    image[::2] = 80
    made = shown(tmp_path, PHOTO, image, dtype="uint8")
    assert made.shape == (10, (2 * QUICKLOOK_PX + 2) // 3, 4)
    assert 50 <= made[..., 0].min() and made[..., 0].max() <= 70


def test_colours_of_fewer_than_three_bands_are_one_grey():
    assert colours(form(SATELLITE.target.bands[:2]).target) == (0,)
    assert colours(SATELLITE.target) == (2, 1, 0)
