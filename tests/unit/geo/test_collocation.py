"""Collocation: against brute force on the ellipsoid, at the pole, at 180 degrees, with gaps."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod, Transformer

from sensor2sensor.geo.collocation import (
    SwathIndex,
    SwathSteps,
    find_window,
    geocentric_m,
    grid_geocentric_m,
    local_grid,
    pixel_table,
    search_radius_m,
    spacing_m,
)
from sensor2sensor.geo.grids import Grid

PLACES = [
    (32617, 499980.0, 8100000.0),
    (32601, 300000.0, 7000000.0),  # crosses 180 E
    (32633, 480000.0, 9800000.0),  # 88 N
]


def swath(epsg: int, x: float, y: float, n: int = 40, step: float = 300.0, angle: float = 0.3):
    """A rotated swath of n x n pixels around a UTM point: latitude, longitude, metres."""
    row, column = np.meshgrid(np.arange(n) - n / 2, np.arange(n) - n / 2, indexing="ij")
    jitter = np.random.default_rng(0).uniform(-20, 20, (2, n, n))
    east = x + step * (np.cos(angle) * column + np.sin(angle) * row) + jitter[0]
    north = y + step * (np.sin(angle) * column - np.cos(angle) * row) + jitter[1]
    lon, lat = Transformer.from_crs(f"EPSG:{epsg}", 4326, always_xy=True).transform(east, north)
    return lat, lon, np.stack([east, north], axis=-1)


def fine_grid(epsg: int, x: float, y: float, size: int = 48) -> Grid:
    return Grid(epsg, x - 240.0, y + 240.0, 10.0, size, size)


@pytest.mark.parametrize("place", PLACES)
def test_geocentric_grid_equals_pyproj(place):
    grid = fine_grid(*place, size=70)
    x, y = np.meshgrid(*grid.xy_centres())
    lon, lat = Transformer.from_crs(f"EPSG:{grid.epsg}", 4326, always_xy=True).transform(x, y)
    geocentric = Transformer.from_crs(4979, 4978, always_xy=True)
    expected = np.stack(geocentric.transform(lon, lat, np.zeros_like(lon)), axis=-1)
    assert np.abs(geocentric_m(lon, lat) - expected).max() < 1e-6
    assert np.abs(grid_geocentric_m(grid) - expected).max() < 1e-3


@pytest.mark.parametrize("place", PLACES)
def test_chosen_pixel_is_the_nearest_on_the_ellipsoid(place):
    lat, lon, _ = swath(*place)
    grid = fine_grid(*place)
    index, _ = SwathIndex(lat, lon).nearest(grid_geocentric_m(grid), 400.0)
    x, y = np.meshgrid(*grid.xy_centres())
    to_degrees = Transformer.from_crs(f"EPSG:{grid.epsg}", 4326, always_xy=True)
    point_lon, point_lat = to_degrees.transform(x[::7, ::7], y[::7, ::7])
    geod = Geod(ellps="WGS84")
    for plon, plat, chosen in zip(
        point_lon.ravel(), point_lat.ravel(), index[::7, ::7].ravel(), strict=True
    ):
        many = np.full(lat.size, plon), np.full(lat.size, plat)
        distance = geod.inv(*many, lon.ravel(), lat.ravel())[2]
        assert distance[chosen] <= distance.min() + 1.0


def test_pixels_without_a_position_are_never_chosen():
    lat, lon, _ = swath(*PLACES[0])
    lat[18:22], lon[18:22] = np.nan, np.nan
    index, distance = SwathIndex(lat, lon).nearest(grid_geocentric_m(fine_grid(*PLACES[0])), 400.0)
    rows = index[index >= 0] // 40
    assert not np.isin(rows, [18, 19, 20, 21]).any()
    assert np.isinf(distance[index < 0]).all()


def test_nothing_within_the_radius_is_minus_one():
    lat, lon, _ = swath(*PLACES[0])
    far = grid_geocentric_m(Grid(32617, 560000.0, 8100000.0, 10.0, 8, 8))
    index, distance = SwathIndex(lat, lon).nearest(far, 400.0)
    assert (index == -1).all() and np.isinf(distance).all()
    empty = SwathIndex(np.full((4, 4), np.nan), np.full((4, 4), np.nan))
    assert (empty.nearest(far, 400.0)[0] == -1).all()


def test_spacing_and_radius_follow_the_swath():
    lat, lon, _ = swath(*PLACES[0], step=300.0)
    index = SwathIndex(lat, lon)
    found = spacing_m(index.xyz)
    assert found == pytest.approx((300.0, 300.0), rel=0.12)
    assert 0.5 * np.hypot(300, 300) < search_radius_m(found) < np.hypot(300, 300)
    block = index.near(grid_geocentric_m(fine_grid(*PLACES[0])))
    assert 0 < block.shape[0] < 40 and 0 < block.shape[1] < 40


def test_the_block_around_points_is_the_smallest_wherever_it_lies():
    lat, lon, _ = swath(*PLACES[0], n=150)  # more than two of the blocks it is looked for in
    lat[60:70, :80] = np.nan
    index = SwathIndex(lat, lon)
    for row, column in [(2, 2), (58, 64), (64, 130), (149, 75)]:
        points = index.xyz[row, column] + np.array([[-300.0, 0.0, 900.0], [400.0, 100.0, 0.0]])
        low, high = points.min(axis=0) - 2000.0, points.max(axis=0) + 2000.0
        inside = ((index.xyz >= low) & (index.xyz <= high)).all(axis=-1)
        rows, columns = np.nonzero(inside)
        wanted = index.xyz[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert np.array_equal(index.near(points), wanted, equal_nan=True)
    assert index.near(np.zeros((1, 3))).size == 0


def test_positions_of_some_pixels_are_searched_alone():
    lat, lon, _ = swath(*PLACES[0])
    lat[0] = np.nan
    some = np.zeros(lat.shape, bool)
    some[0], some[7, 9] = True, True
    part = SwathIndex(lat, lon).of(some)
    found, _ = part.nearest(grid_geocentric_m(fine_grid(*PLACES[0])), np.inf)
    assert not part.empty and (found == 7 * 40 + 9).all()
    some[7, 9] = False
    assert part.of(some).empty


def test_pixel_table_numbers_each_used_pixel_once():
    index = np.array([[7, 7, -1], [3, 7, 3]])
    used, number = pixel_table(index)
    assert used.tolist() == [3, 7]
    assert number.tolist() == [[2, 2, 0], [1, 2, 1]]
    used, number = pixel_table(np.array([[5, 2]]))
    assert used.tolist() == [2, 5] and number.tolist() == [[2, 1]]


def test_window_from_the_tie_grid_holds_every_pixel_within_reach():
    lat, lon, xy = swath(32601, 300000.0, 7000000.0, n=257)
    columns = np.arange(0, 257, 64)
    window = find_window(
        (lon[:, columns], lat[:, columns]), (1, 64), lat.shape, (lon[128, 128], lat[128, 128]), 5e3
    )
    inside = np.hypot(*np.moveaxis(xy - xy[128, 128], -1, 0)) <= 5e3
    rows, cols = np.nonzero(inside)
    assert window.rows.start <= rows.min() and rows.max() < window.rows.stop
    assert window.columns.start <= cols.min() and cols.max() < window.columns.stop
    assert window.shape[0] < 257
    far = find_window((lon[:, columns], lat[:, columns]), (1, 64), lat.shape, (20.0, 10.0), 5e3)
    assert far is None


def test_swath_positions_invert_the_geometry():
    lat, lon, xy = swath(*PLACES[0])
    middle = 0.25 * xy[20, 20] + 0.25 * xy[21, 20] + 0.25 * xy[20, 21] + 0.25 * xy[21, 21]
    at_lon, at_lat = Transformer.from_crs(32617, 4326, always_xy=True).transform(*middle)
    index, _ = SwathIndex(lat, lon).nearest(geocentric_m(at_lon, at_lat)[None], 400.0)
    rows, columns = SwathSteps(xy).positions(index, middle[None])
    assert (rows[0], columns[0]) == pytest.approx((20.5, 20.5), abs=0.15)
    assert np.isnan(SwathSteps(xy).positions(np.array([-1]), middle[None])[0]).all()


@pytest.mark.filterwarnings("error")
def test_positions_are_found_between_pixels_at_one_place():
    """Native OLCI: a quarter of the columns repeat the position of the next one."""
    _, _, single = swath(*PLACES[0], n=12)
    column = np.array([0, 0, 1, 2, 2, 3, 4, 5, 5, 5, 6, 7, 8, 9, 10, 11, 11])
    doubled = single[:, column]
    rng = np.random.default_rng(1)
    points = single[2:9, 1:10].reshape(-1, 2) + rng.uniform(-120, 120, (63, 2))
    flat = np.linalg.norm(points[:, None] - doubled.reshape(-1, 2), axis=-1)
    nearest = [np.flatnonzero(np.isclose(away, away.min())) for away in flat]
    wanted = SwathSteps(single).positions(_nearest(points, single), points)
    for choice in (0, -1):  # whichever of the equally near pixels the search finds
        index = np.array([found[choice] for found in nearest])
        rows, columns = SwathSteps(doubled).positions(index, points)
        assert rows == pytest.approx(wanted[0], abs=1e-9)
        assert np.interp(columns, np.arange(17), column) == pytest.approx(wanted[1], abs=1e-9)
    edge = SwathSteps(doubled).positions(np.array([0, 16]), doubled[0, [0, 16]])
    assert edge[0] == pytest.approx([0, 0]) and np.isfinite(edge[1]).all()
    one_place = np.repeat(single[:, :1], 3, axis=1)
    assert np.isnan(SwathSteps(one_place).positions(np.array([1]), one_place[0, :1])[0]).all()


def _nearest(points, positions):
    return np.linalg.norm(points[:, None] - positions.reshape(-1, 2), axis=-1).argmin(axis=1)


def test_local_grid_is_the_utm_zone():
    lat, lon, xy = swath(*PLACES[0])
    east, north = local_grid(32617, lon, lat)
    assert np.abs(east - xy[..., 0]).max() < 1e-3 and np.abs(north - xy[..., 1]).max() < 1e-3


def doubled(lat, lon):
    """As native rows have it: every fifth pixel shown twice, at one position."""
    at = np.repeat(np.arange(lat.shape[1]), np.where(np.arange(lat.shape[1]) % 5 == 2, 2, 1))
    return lat[:, at], lon[:, at]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", [1, 3, 48, 130])
@pytest.mark.parametrize("radius_m", [90.0, 250.0, 400.0])
def test_blocks_between_equal_corners_are_what_every_pixel_alone_gives(place, size, radius_m):
    lat, lon, _ = swath(*place)
    for positions in ((lat, lon), doubled(lat, lon)):
        index = SwathIndex(*positions)
        points = grid_geocentric_m(fine_grid(*place, size=size))
        np.testing.assert_array_equal(
            index.nearest_on(points, radius_m), index.nearest(points, radius_m)[0]
        )


@pytest.mark.parametrize("none", [0.0, 0.3, 1.0])
def test_pixels_are_numbered_as_sorting_them_would(none):
    rng = np.random.default_rng(1)
    index = np.where(rng.random((20, 30)) < none, -1, rng.integers(500, 560, (20, 30)))
    used, number = pixel_table(index)
    np.testing.assert_array_equal(used, np.unique(index[index >= 0]))
    assert np.array_equal(number == 0, index < 0) and number.dtype == np.int32
    np.testing.assert_array_equal(used[number[number > 0] - 1], index[index >= 0])
