"""Resizing against Pillow's antialiased filters, and against what areas give by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.sources.resampling import axis_weights, resampled

SIZES = [(75, 32), (50, 28), (5, 12), (37, 36), (64, 16), (9, 1)]


def picture(side: int, bands: int = 2) -> np.ndarray:
    return np.random.default_rng(side).uniform(0, 255, (side, side, bands))


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_pictures_are_resized_as_pillow_does(source: int, target: int) -> None:
    values = picture(source)
    made = resampled([values], source, target)
    for band in range(2):
        grey = Image.fromarray(values[..., band].astype(np.float32))
        pillow = np.asarray(grey.resize((target, target), Image.Resampling.BILINEAR))
        assert np.abs(made[..., band] - pillow).max() < 1e-2


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_areas_are_shares_of_the_pixels_they_cover(source: int, target: int) -> None:
    values = picture(source, 1)
    made = resampled([values], source, target, area=True)
    along = np.repeat(values[..., 0], target, axis=0).reshape(target, source, source).mean(axis=1)
    both = np.repeat(along, target, axis=1).reshape(target, target, source).mean(axis=2)
    assert np.allclose(made[..., 0], both)
    assert made.mean() == pytest.approx(values.mean())


def test_stripes_give_what_the_whole_gives() -> None:
    values = picture(50)
    parts = [values[:7], values[7:8], values[8:44], values[44:]]
    for area in (False, True):
        whole = resampled([values], 50, 23, area=area)
        assert np.allclose(resampled(iter(parts), 50, 23, area=area), whole, rtol=0, atol=1e-10)


@pytest.mark.parametrize("area", [False, True])
def test_the_same_size_changes_nothing(area: bool) -> None:
    values = picture(31)
    assert np.array_equal(resampled([values], 31, 31, area=area), values)


def test_fine_stripes_leave_no_pattern_of_their_own() -> None:
    # Every second row is white: a filter that skips rows would give bands of black and white.
    values = np.tile(np.array([0.0, 255.0])[:, None, None], (300, 600, 1))
    assert np.ptp(resampled([values], 600, 35)[2:-2]) < 16
    assert axis_weights(600, 35).shape == (35, 600)
