"""Tiles of a data set are predicted as the same place of a scene is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.dataset.upsampling import regular_index
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.tile import TileScene
from sensor2sensor.inference.tiles import edge_px, inner, predicted
from sensor2sensor.predictors.tiling import Tiling
from tests.unit.inference.arrays import ArrayScene, Smoothing, Standardising, form, ground, method
from tests.unit.inference.test_strips import closed  # noqa: F401
from tests.unit.inference.test_strips import predicted as of_scene

SIDE = 48


def cut_of(image: np.ndarray, x: int, y: int, factor: int) -> TileRecord:
    """A tile of a scene as a data set holds it; ``x`` and ``y`` in target pixels."""
    rows, columns = (slice(start // factor, (start + SIDE) // factor) for start in (y, x))
    target = np.full((SIDE, SIDE, 2), x + y, np.float32)
    return dense_record(f"tile {x} {y}", target, image[rows, columns])


@pytest.mark.parametrize("factor", [1, 4])
def test_inside_its_halo_a_tile_is_predicted_as_the_scene_is(factor):
    image = ground(160 // factor, 200 // factor)
    scene, using = ArrayScene(image, factor), method(Smoothing(4), tiling=Tiling(4), factor=factor)
    whole = of_scene(scene, using, window_px=40)
    places = [(40, 24), (8, 96), (100, 40)]
    made = list(predicted(using, [cut_of(image, x, y, factor) for x, y in places]))
    for (x, y), tile in zip(places, made, strict=True):
        edge = 4
        there = whole[y + edge : y + SIDE - edge, x + edge : x + SIDE - edge]
        np.testing.assert_allclose(tile.made, there, atol=1e-6)
        assert tile.truth.shape == there.shape and (tile.truth == x + y).all()
    assert using.predictors[0].calls[-2:] == [2, 1]  # as many tiles at once as windows


def test_where_the_halo_leaves_too_little_all_of_a_tile_is_taken():
    image = ground(SIDE, SIDE)
    wide = method(Smoothing(20), tiling=Tiling(20))
    tile = TileScene(cut_of(image, 0, 0, 1), form())
    assert (edge_px(wide, tile), edge_px(method(Smoothing(18), tiling=Tiling(18)), tile)) == (0, 18)
    (made,) = predicted(wide, [tile.record])
    # As of a product that ends there: mirrored beyond its edge.
    np.testing.assert_allclose(made.made, of_scene(ArrayScene(image), wide), atol=1e-6)
    assert inner(wide, tile) is tile


@pytest.mark.parametrize("window", [SIDE, 32])
def test_windows_of_one_size_are_blended_as_over_a_scene(window):
    using = method(Standardising(), tiling=Tiling(None, (window, window), 4, 8), factor=4)
    images = [ground(12, 12, seed) for seed in range(3)]
    records = [replace(cut_of(image, 0, 0, 4), name=str(n)) for n, image in enumerate(images)]
    for image, tile in zip(images, predicted(using, records), strict=True):
        np.testing.assert_allclose(tile.made, of_scene(ArrayScene(image, 4), using), atol=1e-6)


def test_a_table_of_a_regular_grid_is_read_as_its_image_is():
    image = ground(12, 12)
    dense = TileScene(cut_of(image, 0, 0, 4), form(4, SIDE))
    table = TileRecord(
        "t", dense.record.target, image.reshape(144, 2), np.zeros((144, 2)),
        regular_index(SIDE, SIDE, 4),
    )  # fmt: skip
    scene = TileScene(table, form(4, SIDE))
    assert scene.align_px == dense.align_px == 4
    for place in (PixelWindow(8, 12, 16, 20), PixelWindow(-8, -4, 64, 56)):
        wanted, found = dense.window(place).record, scene.window(place).record
        held = found.input_pixels.reshape(*wanted.input_dense.shape)
        np.testing.assert_array_equal(held, wanted.input_dense)
        shown = found.input_pixels[found.input_index - 1]
        np.testing.assert_array_equal(shown, wanted.input_dense.repeat(4, 0).repeat(4, 1))


def test_a_window_of_a_swath_keeps_the_pixels_around_it():
    index = regular_index(SIDE, SIDE, 16)
    xy = np.array([(c * 160 + 80, r * 160 + 80) for r in range(3) for c in range(3)], float)
    record = TileRecord("t", np.zeros((SIDE, SIDE, 2), "f4"), np.eye(9, 2, dtype="f4"), xy, index)
    swath = form(4, SIDE).model_copy(update={"kind": "sentinel3"})
    window = TileScene(record, swath).window(PixelWindow(16, 20, 8, 4)).record
    assert len(window.input_pixels) == 9 and window.target.shape == (4, 8, 2)
    np.testing.assert_array_equal(window.input_index, index[20:24, 16:24])
    assert window.input_xy[0].tolist() == [80 - 160, 80 - 200]  # from the window's own corner
