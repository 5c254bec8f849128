"""What a stack's file does not say of its gaps, or says wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes import rasters
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.rasters import Resampled
from tests.unit.inference.test_stack import TWO, numbers, stack


@pytest.mark.parametrize("scale", [None, 1e-4])
def test_a_number_for_no_data_that_no_tag_tells_is_refused(tmp_path: Path, scale: Any) -> None:
    values = numbers().astype(np.int16) if scale else (numbers() / 1e4).astype(np.float32)
    values[:, 3:6, 4:9] = -9999
    path = stack(tmp_path / "a.tif", values, ("B02", "B8A"))
    with pytest.raises(InputError, match=r"a\.tif: holds values of -\S+, which are no reflectance"):
        open_scene(path, TWO, SceneOptions(scale=scale))
    with rasterio.open(path, "r+") as file:
        file.nodata = -9999
    found = open_scene(path, TWO, SceneOptions(scale=scale)).window(PixelWindow(0, 0, 24, 24))
    assert found is not None and (~found.valid).sum() == 15


def test_such_a_number_between_the_places_that_are_looked_at_stops_the_prediction(
    tmp_path: Path,
) -> None:
    values = np.full((2, 400, 400), 0.1, np.float32)
    values[1, 70:74, 70:74] = -9999  # the places end at 64 and begin again at 84
    scene = open_scene(stack(tmp_path / "a.tif", values, ("B02", "B8A")), TWO, SceneOptions())
    assert scene.window(PixelWindow(0, 0, 64, 64)) is not None
    with pytest.raises(InputError, match="holds values of -9999, which are no reflectance"):
        scene.window(PixelWindow(64, 64, 64, 64))


@pytest.mark.parametrize("says", ["B08", "NIR", "--bands", "alpha", "opacity", "valid pixels", "A"])
def test_a_named_band_that_gdal_marks_as_alpha_is_none(tmp_path: Path, says: str) -> None:
    values = numbers(4).astype(np.uint8)
    values[:3] |= 1
    values[3, :12] = 0  # water, in the infrared
    names = ("B02", "B8A", "B03", "B08" if says == "--bands" else says)
    path = stack(tmp_path / "a.tif", values, () if says == "--bands" else names)
    with rasterio.open(path) as file:
        assert file.colorinterp[3].name == "alpha"
    options = SceneOptions(scale=1e-3, bands=names if says == "--bands" else ())
    found = open_scene(path, TWO, options).window(PixelWindow(0, 0, 24, 24))
    # What is not called as a band is, is one.
    assert found is not None and found.valid[:12].all() == (says in {"B08", "NIR", "--bands"})
    assert found.valid[12:].all()


def test_a_mask_of_its_own_counts_beside_a_band_that_is_marked_as_alpha(tmp_path: Path) -> None:
    values = numbers(4).astype(np.uint8) | 1
    path = stack(tmp_path / "a.tif", values, ("B02", "B8A", "B03", "B08"))
    own = np.full(values.shape[1:], 255, np.uint8)
    own[:, :6] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(own)
    found = open_scene(path, TWO, SceneOptions(scale=1e-3)).window(PixelWindow(0, 0, 24, 24))
    assert found is not None and (found.valid == (own[:24, :24] > 0)).all()


@pytest.mark.parametrize("mask", [True, False])
def test_a_large_image_is_resampled_strip_by_strip(
    monkeypatch: pytest.MonkeyPatch, mask: bool
) -> None:
    """A preview asks for all of it: 5000 x 5000 photos took 1.8 GB at once."""
    image = np.random.default_rng(3).integers(0, 2 if mask else 256, (90, 70, 2)).astype(np.float32)
    image[40:44, 9] = np.nan
    asked: list[int] = []

    def read(window: PixelWindow) -> np.ndarray:
        asked.append(window.height * window.width)
        return image[window.rows, window.columns]

    made = Resampled(read, (90, 70), (31, 24), mask)
    once = made(PixelWindow(0, 0, 24, 31))
    monkeypatch.setattr(rasters, "_AT_ONCE_PX", 1000)
    np.testing.assert_array_equal(made(PixelWindow(0, 0, 24, 31)), once)
    assert asked[0] == 6300 and max(asked[1:]) < 1600  # 1,000 and what the filter sees beyond
