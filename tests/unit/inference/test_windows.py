"""Windows: what covers a grid, what lies beyond it, what fills a gap, what is enlarged."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.windows import cores, enlarged, filled, mirrored

IMAGE = np.random.default_rng(1).normal(1000, 300, (11, 14)).astype(np.float32)


def read(window: PixelWindow) -> np.ndarray:
    assert window.inside(IMAGE.shape[1], IMAGE.shape[0])
    return IMAGE[window.rows, window.columns]


@pytest.mark.parametrize("side", [1, 4, 11, 100])
def test_windows_cover_every_pixel_once(side):
    seen = np.zeros(IMAGE.shape, int)
    for window in cores(*IMAGE.shape, side):
        seen[window.rows, window.columns] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("halo", [0, 3, 25])  # 25: mirrored more than once
def test_beyond_the_edge_the_image_is_mirrored(halo):
    wide = np.pad(IMAGE, halo, mode="reflect")
    window = PixelWindow(5, 2, 9, 6).expanded(halo)
    wanted = wide[2 : 8 + 2 * halo, 5 : 14 + 2 * halo]
    np.testing.assert_array_equal(mirrored(read, window, IMAGE.shape), wanted)


def test_a_gap_takes_its_nearest_value_and_nothing_else_changes():
    image = IMAGE.copy()
    image[3, 2:5] = np.nan
    image[3, 2], image[2, 2] = np.nan, np.nan
    made = filled(image)
    there = ~np.isnan(image)
    np.testing.assert_array_equal(made[there], image[there])
    assert made[3, 3] in (image[2, 3], image[4, 3]) and made[2, 2] in (
        image[1, 2],
        image[2, 1],
        image[2, 3],
    )
    assert (filled(np.full((2, 2), np.nan, np.float32)) == 0).all()


@pytest.mark.parametrize("window", [PixelWindow(4, 6, 10, 8), PixelWindow(5, 7, 9, 7)])
def test_a_band_of_20_m_is_enlarged_as_gdal_does(window):
    """Within GDAL's own border of two pixels, where it weighs what there is."""
    from rasterio.enums import Resampling
    from rasterio.io import MemoryFile

    rows, columns = IMAGE.shape
    profile = {"driver": "GTiff", "height": rows, "width": columns, "count": 1, "dtype": "float32"}
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(IMAGE, 1)
        with memory.open() as file:
            shape = (2 * rows, 2 * columns)
            wanted = file.read(1, out_shape=shape, resampling=Resampling.cubic)
    made = enlarged(read, window, IMAGE.shape)
    np.testing.assert_allclose(made, wanted[window.rows, window.columns], rtol=1e-5)


def test_a_slope_is_enlarged_to_itself():
    ramp = np.add.outer(3.0 * np.arange(11), 2.0 * np.arange(14)).astype(np.float32)
    made = enlarged(lambda w: ramp[w.rows, w.columns], PixelWindow(4, 4, 12, 10), ramp.shape)
    fine = (np.arange(4, 16) + 0.5) / 2 - 0.5
    wanted = np.add.outer(3.0 * ((np.arange(4, 14) + 0.5) / 2 - 0.5), 2.0 * fine)
    np.testing.assert_allclose(made, wanted, atol=1e-4)
