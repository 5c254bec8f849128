"""Copies of the pixel beside them: in its place they stay, elsewhere they are no measurement."""

from __future__ import annotations

import copy
from datetime import timedelta

import numpy as np
import pytest

from sensor2sensor.geo.grids import block_means
from sensor2sensor.preprocess.tiles.draw import olci_maps
from sensor2sensor.preprocess.tiles.shift import DriftMeter, Overview
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.olci import OlciWindow
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.unit.preprocess.tifs_archive import FIRST, overpass, scene


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """The swath over a scene, copies in place or not, made when asked for."""
    root, made = tmp_path_factory.mktemp("olci"), {}
    ground = open_s2(scene(root, cloud=0.0, size_px=960))

    def get(in_place: bool) -> tuple[OlciWindow, np.ndarray, np.ndarray]:
        if in_place not in made:
            start = FIRST + timedelta(minutes=5 + in_place)
            size = {"rows": 97, "columns": 97, "cloud": 0.0, "copies_in_place": in_place}
            swath = open_s3(overpass(root, start, **size))
            made[in_place] = OlciWindow(swath, ground.grids[10])
        olci = made[in_place]
        copied = (olci.quality & np.uint32(Quality.OLCI_DUPLICATED)) != 0
        assert 0.2 < copied.mean() < 0.3
        return olci, copied, olci.radiance[OLCI_BANDS.index("Oa08")]

    return ground, get


@pytest.mark.parametrize("in_place", [True, False])
def test_a_copy_is_interpolated_only_where_it_is_displaced(window, in_place):
    olci, copied, measured = window[1](in_place)
    red, known = olci.red_radiance(), np.isfinite(measured)
    assert np.array_equal(red[known & ~copied], measured[known & ~copied])
    inner = np.s_[:, 1:-1]  # the window may cut a pair
    equal = (red == measured)[inner][(known & copied)[inner]].mean()
    assert equal == 1.0 if in_place else equal < 0.1


@pytest.mark.parametrize("in_place", [True, False])
def test_the_pixels_around_a_tile_lie_at_other_places_and_on_every_side(window, in_place):
    ground, get = window
    olci, copied, _ = get(in_place)
    tile = olci.tile(ground.grids[10].window(300, 300, 256, 256))
    used, around = tile.table.xy_m[: tile.used], tile.table.xy_m[tile.used :]
    apart = np.linalg.norm(around[:, None] - used[None], axis=-1).min(axis=1)
    assert apart.min() > 200.0
    (west, south), (east, north) = used.min(axis=0), used.max(axis=0)
    assert (around.min(axis=0) < (west, south)).all() and (around.max(axis=0) > (east, north)).all()
    # Within reach of a used pixel, every place of the swath that is not used is there.
    flagged = (tile.table.quality[tile.used :] & np.uint32(Quality.OLCI_DUPLICATED)) != 0
    assert flagged.any() == in_place
    places = olci.xy_m[~copied]
    near = np.linalg.norm(places[:, None] - used[None], axis=-1).min(axis=1)
    beside = places[(near > 200.0) & (near < 300.0)]
    missing = np.linalg.norm(beside[:, None] - around[None], axis=-1).min(axis=1)
    assert missing.max() < 1.0


@pytest.mark.parametrize("in_place", [True, False])
def test_no_drift_is_found_where_hardly_anything_moved(window, in_place):
    ground, get = window
    olci = get(in_place)[0]
    overview, _ = ground.read_reflectance(("B04",), 10, overview=2)
    meter = DriftMeter(Overview(overview[..., 0], 2, 0.25), olci)
    found = meter.measure(ground.grids[10].window(352, 352, 256, 256))
    assert found is not None and found.length_m < 40.0
    assert found.quality > (0.92 if in_place else 0.9)


@pytest.mark.parametrize("reduction", [2, 8])
def test_means_of_blocks_find_the_same_drift_as_the_reduced_images_of_jpeg_2000(window, reduction):
    ground, get = window
    olci, tile = get(True)[0], ground.grids[10].window(352, 352, 256, 256)
    whole, _ = ground.read_reflectance(("B04",), 10)
    reduced, _ = ground.read_reflectance(("B04",), 10, overview=reduction)
    means = block_means(whole[..., 0], reduction)
    assert means.shape == reduced.shape[:2]
    ours = DriftMeter(Overview(means, reduction, 0.5), olci).measure(tile)
    theirs = DriftMeter(Overview(reduced[..., 0], reduction, 0.5 / reduction), olci).measure(tile)
    assert abs(ours.east_m - theirs.east_m) < 12.0 and abs(ours.north_m - theirs.north_m) < 12.0


def test_means_of_blocks_are_those_of_their_known_pixels():
    image = np.arange(30, dtype=np.float32).reshape(5, 6)
    image[0, 0] = image[4, 4] = image[4, 5] = np.nan
    found = block_means(image, 2)
    assert found.shape == (3, 3) and found.dtype == np.float32
    np.testing.assert_array_equal(found[0], np.float32([14 / 3, 5.5, 7.5]))
    np.testing.assert_array_equal(found[2], [24.5, 26.5, np.nan])


def test_what_is_known_of_a_swath_bounds_the_share_of_any_tile_without_a_valid_pixel(window):
    """Half of the scene flagged invalid, and single pixels of the other half."""
    ground, get = window
    grid, olci = ground.grids[10], copy.copy(get(True)[0])
    rng = np.random.default_rng(3)
    flagged = rng.random(olci.quality.shape) < 0.03
    flagged |= olci.xy_m[..., 0] < grid.ulx_m + 4_800.0
    olci.quality = np.where(flagged, olci.quality | np.uint32(Quality.OLCI_INVALID), olci.quality)
    vars(olci).pop("valid", None)
    ((reason, known),) = olci_maps(olci, grid)
    assert reason == "no OLCI"
    bounds, shares = [], []
    for x, y in rng.integers(0, 960 - 64, (40, 2)):
        bounds.append(known.at_least(x, y, 64))
        shares.append(1.0 - olci.tile(grid.window(int(x), int(y), 64, 64)).valid_fraction)
    bounds, shares = np.array(bounds), np.array(shares)
    assert (bounds <= shares + 1e-9).all()
    # Most tiles that have none at all are known to have next to none.
    assert (shares == 1.0).sum() > 5 and np.median(bounds[shares == 1.0]) > 0.5
    assert not bounds[shares < 0.05].any()
