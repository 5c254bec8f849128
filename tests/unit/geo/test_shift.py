"""Displacement by phase correlation: known shifts are found, silence is admitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter
from skimage.registration import phase_cross_correlation

from sensor2sensor.geo.shift import (
    Shift,
    bilinear,
    box_average,
    common_grid,
    ground_shift,
    phase_shift,
)


def landscape(n: int = 160, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((n, n))
    return gaussian_filter(noise, 1.5, mode="wrap") * 5.0 + gaussian_filter(noise, 6.0, mode="wrap")


def shifted(image: np.ndarray, rows: float, columns: float) -> np.ndarray:
    return np.fft.ifft2(fourier_shift(np.fft.fft2(image), (rows, columns))).real


def centre(image: np.ndarray, n: int = 66) -> np.ndarray:
    start = (image.shape[0] - n) // 2
    return image[start : start + n, start : start + n]


@pytest.mark.parametrize("move", [(0.0, 0.0), (2.0, -3.0), (0.4, 0.7), (-4.26, 1.62)])
def test_known_shift_is_found_whatever_the_gain(move):
    image = landscape()
    moved = centre(shifted(image, *move)) * 37.0 + 12.0
    found = phase_shift(centre(image), moved, limit_px=10)
    assert (found.rows, found.columns) == pytest.approx(move, abs=0.1)
    assert found.quality > 0.4


def test_agrees_with_scikit_image():
    image = landscape(seed=3)
    reference, moved = centre(image), centre(shifted(image, 1.3, -2.2))
    expected = phase_cross_correlation(moved, reference, upsample_factor=50, normalization=None)[0]
    found = phase_shift(reference, moved, limit_px=10)
    assert (found.rows, found.columns) == pytest.approx(tuple(expected), abs=0.15)


def test_noise_has_a_low_peak():
    a, b = landscape(seed=1), landscape(seed=2)
    assert phase_shift(centre(a), centre(b), limit_px=10).quality < 0.25


def test_holes_and_gradients_do_not_pull_to_zero():
    image = landscape(seed=5)
    reference, moved = centre(image).copy(), centre(shifted(image, 3.0, 2.0)).copy()
    reference[:12, :] = np.nan
    moved += np.linspace(0.0, 50.0, 66)[:, None]
    found = phase_shift(reference, moved, limit_px=10)
    assert (found.rows, found.columns) == pytest.approx((3.0, 2.0), abs=0.15)


def test_nothing_known_or_nothing_to_see_is_none():
    image = centre(landscape())
    holes = np.where(np.arange(66)[:, None] < 40, np.nan, image)
    assert phase_shift(holes, image, limit_px=10) is None
    assert phase_shift(np.ones((66, 66)), np.ones((66, 66)), limit_px=10) is None


def test_common_grid_is_north_up_and_centred():
    x, y = common_grid((1000.0, 5000.0), 3000.0, 300.0)
    assert x.shape == (10, 10)
    assert x.mean() == pytest.approx(1000.0) and y.mean() == pytest.approx(5000.0)
    assert x[0, 1] - x[0, 0] == 300.0 and y[1, 0] - y[0, 0] == -300.0


def test_rows_down_are_south():
    moved = ground_shift(Shift(rows=2.0, columns=1.0, quality=0.9), 300.0)
    assert (moved.east_m, moved.north_m) == (300.0, -600.0)
    assert moved.length_m == pytest.approx(np.hypot(300.0, 600.0))


def test_box_average_is_the_mean_of_known_pixels():
    image = np.arange(81, dtype=float).reshape(9, 9)
    assert box_average(image, 3.0)[4, 4] == pytest.approx(image[3:6, 3:6].mean())
    image[4, 4] = np.nan
    rest = np.delete(image[3:6, 3:6].ravel(), 4)
    assert box_average(image, 3.0)[4, 4] == pytest.approx(rest.mean())
    assert np.isnan(box_average(np.full((9, 9), np.nan), 3.0)).all()


def test_bilinear_is_linear_inside_and_unknown_outside():
    rows, columns = np.indices((6, 6), dtype=float)
    image = 2.0 * rows + 3.0 * columns
    assert bilinear(image, np.array([1.25]), np.array([2.5]))[0] == pytest.approx(10.0)
    assert np.isnan(bilinear(image, np.array([7.0]), np.array([2.5]))[0])
    image[1, 2] = np.nan
    assert np.isnan(bilinear(image, np.array([1.25]), np.array([2.5]))[0])
