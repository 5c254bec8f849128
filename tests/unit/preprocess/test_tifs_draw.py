"""Positions of tiles: seeded, complete, without duplicates; the coarse screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.shift import GroundShift
from sensor2sensor.preprocess.tiles.draw import (
    MAX_DRAWS,
    CoarseMap,
    Favoured,
    Screen,
    band_maps,
    mask_maps,
    positions,
)
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.preprocess.tiles.pair import overview_reduction, red_band
from sensor2sensor.preprocess.tiles.plan import Pair
from sensor2sensor.preprocess.tiles.tile import CutTile, tile_row
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.sentinel2 import open_s2
from tests.unit.preprocess.tifs_archive import FIRST, scene

OPTIONS = TileOptions(
    tile_px=64,
    quantity=5,
    overlap=0.5,
    seed=0,
    grid=False,
    max_cloud=0.1,
    max_nodata=0.0,
    margin_px=0,
    masks=(),
    resolution_m=10,
    bands=("B02", "B03", "B04"),
    level=None,
)


def grid(width: int, height: int | None = None, resolution: float = 10.0) -> Grid:
    return Grid(32617, 499980.0, 8100000.0, resolution, width, height or width)


def drawn(size: Grid, options: TileOptions = OPTIONS) -> list[tuple[int, int]]:
    return list(positions(size, options, "inv_a", 3))


def test_small_scene_is_tried_at_every_position_to_the_last_row_and_column():
    found = drawn(grid(70, 66))
    assert sorted(found) == [(x, y) for x in range(7) for y in range(3)]


def test_large_scene_is_drawn_without_duplicates_inside_the_grid():
    found = drawn(grid(10980))
    assert len(found) == len(set(found)) == MAX_DRAWS
    x, y = np.array(found).T
    assert x.min() >= 0 and x.max() <= 10980 - 64 and y.max() <= 10980 - 64
    # Uniform: the mean of 20 000 draws lies within four standard errors of the middle.
    middle = (10980 - 64) / 2
    assert abs(x.mean() - middle) < 4 * 10916 / np.sqrt(12 * MAX_DRAWS)
    assert abs(y.mean() - middle) < 4 * 10916 / np.sqrt(12 * MAX_DRAWS)


def test_draw_depends_on_seed_inventory_and_scene_alone():
    size = grid(500)
    first = list(islice(positions(size, OPTIONS, "inv_a", 3), 20))
    more = replace(OPTIONS, quantity=50, max_cloud=0.5)
    assert list(islice(positions(size, more, "inv_a", 3), 20)) == first
    assert list(islice(positions(size, replace(OPTIONS, seed=1), "inv_a", 3), 20)) != first
    assert list(islice(positions(size, OPTIONS, "inv_b", 3), 20)) != first
    assert list(islice(positions(size, OPTIONS, "inv_a", 4), 20)) != first


def test_grid_is_regular_complete_and_shuffled():
    options = replace(OPTIONS, grid=True)
    found = drawn(grid(300, 200), options)
    assert sorted(found) == [(x, y) for x in (0, 64, 128, 192) for y in (0, 64, 128)]
    assert found != sorted(found)
    assert drawn(grid(300, 200), replace(options, seed=7)) != found


def test_scene_smaller_than_a_tile_has_none():
    assert drawn(grid(63)) == []


def test_share_of_a_tile_is_bounded_from_below():
    share = np.zeros((10, 10), np.float32)
    share[2:4, 2] = 1.0
    coarse = CoarseMap(share, 16.0)
    assert coarse.at_least(32, 32, 64) == pytest.approx(2 / 16)
    assert coarse.at_least(33, 32, 64) == 0.0


def test_maps_count_every_pixel_of_bands_and_mask(tmp_path):
    made = open_s2(scene(tmp_path, FIRST, cloud=0.3, nodata_wedge=0.3))
    words = made.read_reflectance(OPTIONS.bands, 10)[1], made.read_quality(10)[0]
    bits = {"nodata": 1, "saturated": 2, "cloud": 4 | 32}
    for word, maps in zip(words, (band_maps, mask_maps), strict=True):
        for name, found in maps(made, OPTIONS):
            want = ((word & bits[name]) != 0).reshape(24, 16, 24, 16).mean(axis=(1, 3))
            np.testing.assert_allclose(found.share, want, atol=1e-6)
    assert dict(band_maps(made, OPTIONS))["nodata"].share.max() == 1.0
    assert dict(mask_maps(made, OPTIONS))["cloud"].share.max() == 1.0


@dataclass(frozen=True)
class Ground:
    """The grids of a scene: all that judging a position by what is known needs."""

    grids: dict[int, Grid]


def screen(**changes) -> Screen:
    size = grid(640)
    parts = {"footprints": {"outside Sentinel-2": size.polygon()}, "options": OPTIONS, **changes}
    return Screen(product=Ground({10: size}), **parts)


@pytest.mark.parametrize("reason", ["nodata", "cloud", "saturated"])
def test_screen_names_the_reason(reason):
    half = np.zeros((64, 64), np.float32)
    half[:, 32:] = 1.0
    assert screen().reason(0, 0) is None
    known = screen(exact={"bands": [(reason, CoarseMap(half, 10.0))]})
    assert known.reason(0, 0) is None
    assert known.reason(300, 0) == reason


def test_pixels_of_a_tile_decide_and_names_come_in_order():
    word = np.zeros((64, 64), np.uint32)
    assert screen().mask_reason(word) is screen().data_reason(word) is None
    word[0, 0] = Quality.S2_SATURATED
    assert screen().data_reason(word) == "saturated" and screen().mask_reason(word) is None
    word[0, 1] = Quality.S2_NODATA
    assert screen().data_reason(word) == screen().mask_reason(word) == "nodata"
    cloudy = np.full((64, 64), Quality.S2_CIRRUS, np.uint32)
    assert screen().mask_reason(cloudy) == "cloud"
    cloudy[:, :-6] = 0
    assert screen().mask_reason(cloudy) is None  # 6 of 64: below a tenth


@pytest.mark.parametrize(("covered", "reason"), [(0.94, "outside Sentinel-3"), (0.96, None)])
def test_footprints_must_cover_95_per_cent(covered, reason):
    outline = grid(640).window(0, 0, 64, 64).polygon()
    west, south, east, north = outline.bounds
    part = shapely.box(west, south, west + covered * (east - west), north)
    found = screen(footprints={"outside Sentinel-3": part}).reason(0, 0)
    assert found == reason


@pytest.mark.parametrize(
    ("shares", "inside"), [((0.79,), False), ((0.81,), True), ((0.5, 0.9), True)]
)
def test_one_mask_must_cover_80_per_cent(shares, inside):
    west, south, east, north = grid(640).window(0, 0, 64, 64).polygon().bounds
    masks = [shapely.box(west, south, west + share * (east - west), north) for share in shares]
    options = replace(OPTIONS, masks=tuple("abc"[: len(shares)]))
    assert screen(options=options, masks=masks).inside_mask(0, 0) is inside
    assert screen().inside_mask(0, 0) is None


def test_overview_keeps_enough_pixels():
    assert overview_reduction(grid(10980)) == 16
    assert overview_reduction(grid(5490, resolution=20.0)) == 8
    assert overview_reduction(grid(1830, resolution=60.0)) == 2
    assert overview_reduction(grid(384)) == 1


def test_red_band_is_b04_or_the_nearest_target():
    assert red_band(("B02", "B03", "B04")) == "B04"
    assert red_band(("B02", "B8A", "B05")) == "B05"


def test_no_cell_of_a_table_is_minus_zero():
    word = np.zeros((64, 64), np.uint32)
    image = np.zeros((64, 64, 3), np.float32)
    drift = GroundShift(-0.0001, 0.0002, 0.9)
    made = CutTile(0, 0, grid(64), image, image, word, None, drift=drift, time_gap_h=-1e-9)
    scene = SimpleNamespace(
        task=SimpleNamespace(scene=3),
        names=Pair("S2A.SAFE", "2022", "S3A.SEN3", "2022"),
        options=OPTIONS,
        cloud_known=True,
        cloud_source=None,
        s2=SimpleNamespace(overpass=""),
    )
    row = tile_row(made, scene, sha256="")
    assert (str(row.shift_east_m), str(row.time_gap_h)) == ("0.0", "0.0")


def test_options_of_before_say_what_they_said():
    """Fingerprints of finished tiles hang on every key: late ones are told where they are used."""
    known = "version tile_px quantity overlap seed grid max_cloud max_nodata margin_px masks"
    known += " resolution_m bands level unknown_cloud"
    assert list(OPTIONS.as_json()) == known.split()
    used = replace(OPTIONS, min_valid=0.5, max_timediff_h=1.0, max_shift_m=9.0)
    late = {"min_valid", "max_timediff_h", "max_shift_m", "shift_quality", "unknown_shift"}
    assert used.as_json().keys() - OPTIONS.as_json().keys() == late
    assert replace(OPTIONS, oversample={"a": 2.0}).as_json()["oversample"] == {"a": 2.0}


@given(most=st.floats(1.0, 50.0), rare=st.integers(0, 30), seed=st.integers(0, 2**31))
def test_favoured_places_are_all_places_once_and_rare_ones_come_earlier(most, rare, seed):
    places = [(x, 0) for x in range(400)]

    def order(most: float) -> list[tuple[int, int]]:
        generator = np.random.default_rng(seed)
        return list(Favoured(places, lambda x, _: most if x < rare else 1.0, most, generator))

    found = order(most)
    assert sorted(found) == places and order(most) == found and order(1.0) == places
    # None of the favoured waits: they come in the order they had, none later than it was.
    assert [place for place in found if place[0] < rare] == places[:rare]
    assert all(found.index(place) <= place[0] for place in places[:rare])


def test_the_share_of_favoured_places_is_that_of_their_weight():
    generator, size, most = np.random.default_rng(5), 20_000, 8.0
    inside = generator.random(size) < 0.05
    places = [(x, 0) for x in range(size)]
    weights = {x: most if inside[x] else 1.0 for x, _ in places}
    order = Favoured(places, lambda x, _: weights[x], most, generator)
    first = [weights[x] > 1.0 for x, _ in islice(order, 2000)]
    # 8 * 0.05 / (8 * 0.05 + 0.95) = 0.296, and four standard errors of 2000 draws.
    assert abs(np.mean(first) - 0.296) < 4 * np.sqrt(0.296 * 0.704 / 2000)


@pytest.mark.parametrize("quantity", [60, 100, 150, 230])
def test_weights_undo_the_choice_when_masks_run_out_and_places_are_rejected(quantity):
    """Of 400 places 240 can be tiles, 26 in one mask and 74 in the other."""
    times = np.repeat([12.0, 3.0, 1.0], [40, 80, 280])
    fit = np.arange(400) % 12 != 0
    fit[:40] = np.arange(40) % 3 != 0
    fit[120:] = np.arange(280) % 2 != 0
    found = []
    for seed in range(250):
        generator = np.random.default_rng(seed)
        places = [(int(x), 0) for x in generator.permutation(400)]
        order = Favoured(places, lambda x, _: times[x], 12.0, generator)
        tiles = list(islice((x for x, _ in order if fit[x]), quantity))
        weights = np.array([1.0 / order.weight(x, 0) for x in tiles])
        found.append([weights[times[tiles] == t].sum() / weights.sum() for t in (12.0, 3.0)])
    true = [(fit & (times == t)).sum() / fit.sum() for t in (12.0, 3.0)]
    assert np.abs(np.mean(found, axis=0) - true).max() < 0.015
    assert order.late > 0.0 or quantity == 60


def test_a_draw_that_came_to_its_end_needs_no_weights():
    for most, count in ((9.0, 50), (9.0, 5), (9.0, 0)):
        places, generator = [(x, 0) for x in range(count)], np.random.default_rng(1)
        order = Favoured(places, lambda x, _: 9.0 if x < 5 else 1.0, most, generator)
        assert len(list(order)) == count and order.weight(0, 0) == 1.0


def test_a_place_in_several_masks_counts_as_the_one_drawn_most():
    box, far = shapely.box(499980.0, 8099000.0, 500980.0, 8100000.0), shapely.box(0, 0, 1, 1)
    options = replace(OPTIONS, masks=("a", "b", "c"), oversample={"a": 3.0, "b": 5.0, "c": 9.0})
    judged = screen(options=options, masks=[box, box, far])
    assert judged.times(0, 0) == 5.0 and judged.times(500, 500) == 1.0
    # The first place has 64 of 64 columns inside, the second 50: less than 80 %.
    assert judged.times(36, 0) == 5.0 and judged.times(50, 0) == 1.0
