"""Grids and windows against rasterio's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor2sensor.geo.grids import Grid, PixelWindow

GRID = Grid(32629, 499980.0, 5900040.0, 60.0, 40, 30)


def test_centres_bounds_and_outline_agree_with_rasterio() -> None:
    from rasterio.transform import array_bounds, xy

    x_m, y_m = GRID.xy_centres()
    assert (x_m.shape, y_m.shape) == ((40,), (30,))
    assert (x_m[7], y_m[5]) == xy(GRID.transform, 5, 7)
    assert GRID.bounds == array_bounds(30, 40, GRID.transform) == GRID.polygon().bounds
    assert GRID.shape == (30, 40)


@given(
    st.integers(-50, 60), st.integers(-50, 60), st.integers(1, 70), st.integers(1, 70)
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_clipping_is_what_slicing_does(x: int, y: int, width: int, height: int) -> None:
    window = PixelWindow(x, y, width, height)
    image = np.pad(np.ones(GRID.shape, bool), 200)
    rows = slice(y + 200, y + height + 200)
    inside = image[rows, x + 200 : x + width + 200]
    clipped = window.clipped(GRID.width_px, GRID.height_px)
    assert (clipped.width * clipped.height if clipped else 0) == inside.sum()
    assert window.inside(GRID.width_px, GRID.height_px) == bool(inside.all())


def test_the_grid_of_a_window_keeps_positions() -> None:
    part = GRID.window(3, 4, 5, 6)
    np.testing.assert_array_equal(part.xy_centres()[0], GRID.xy_centres()[0][3:8])
    np.testing.assert_array_equal(part.xy_centres()[1], GRID.xy_centres()[1][4:10])
    assert part.full_window == PixelWindow(0, 0, 5, 6)


def test_windows_grow_on_all_sides() -> None:
    grown = PixelWindow(3, 4, 5, 6).expanded(2)
    assert grown == PixelWindow(1, 2, 9, 10)
    assert (grown.rows, grown.columns) == (slice(2, 12), slice(1, 10))


def test_a_window_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        PixelWindow(0, 0, 0, 4)
