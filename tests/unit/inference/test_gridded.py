"""Scenes on grids: what lies beyond the edge, what fills gaps, and that no window decides on it."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.inference.scenes.gridded import (
    Blocks,
    GriddedScene,
    Layer,
    layers_of,
)
from sensor2sensor.inference.scenes.reading import filled, mirrored
from sensor2sensor.inference.scenes.scene import frame_of
from tests.unit.inference.forms import degraded, paired

IMAGE = np.random.default_rng(1).normal(1000, 300, (11, 14)).astype(np.float32)


def reader(image):
    def read(window: PixelWindow) -> np.ndarray:
        assert window.inside(image.shape[1], image.shape[0])
        return image[window.rows, window.columns]

    return read


@pytest.mark.parametrize("halo", [0, 3, 25])  # 25: mirrored more than once
def test_beyond_the_edge_the_image_is_mirrored(halo):
    wide = np.pad(IMAGE, halo, mode="reflect")
    window = PixelWindow(5, 2, 9, 6).expanded(halo)
    wanted = wide[2 : 8 + 2 * halo, 5 : 14 + 2 * halo]
    np.testing.assert_array_equal(mirrored(reader(IMAGE), window, IMAGE.shape), wanted)


def test_a_gap_takes_its_nearest_value_and_nothing_else_changes():
    image = IMAGE.copy()
    image[3, 2:5] = image[2, 2] = np.nan
    made, there = filled(image), ~np.isnan(image)
    np.testing.assert_array_equal(made[there], image[there])
    assert made[3, 3] in (image[2, 3], image[4, 3])
    assert made[2, 2] in (image[1, 2], image[2, 1], image[2, 3])
    assert (filled(np.full((2, 2), np.nan, np.float32)) == 0).all()
    both = filled(np.stack([image, IMAGE], axis=-1))  # a gap of one band is none of the other
    np.testing.assert_array_equal(both[..., 0], made)
    np.testing.assert_array_equal(both[..., 1], IMAGE)


def gappy(rows: int, columns: int, bands: int, seed: int) -> np.ndarray:
    """Noise with holes of several sizes, and a whole corner without a value."""
    draw = np.random.default_rng(seed)
    image = draw.random((rows, columns, bands)).astype(np.float32)
    for _ in range(12):
        y, x, side = draw.integers(rows), draw.integers(columns), draw.integers(1, 7)
        image[y : y + side, x : x + side] = np.nan
    image[draw.random((rows, columns)) < 0.02] = np.nan
    image[: rows // 3, : columns // 3] = np.nan
    return image


def of_two_sizes() -> GriddedScene:
    """Bands of 10 and 20 m, and a model of factor 2."""
    fine, coarse = gappy(44, 60, 2, 1), gappy(22, 30, 1, 2)
    grids = [Grid(32631, 0.0, 0.0, float(m), 600 // m, 440 // m) for m in (10, 20, 10)]
    images = {"B02": fine[..., :1], "B05": coarse, "B03": fine[..., 1:]}

    def read(some):
        return reader(np.concatenate([images[band] for band in some], axis=-1))

    form = paired(2, tuple(images), native_px=(1, 2, 1))
    frame = frame_of(Grid(32631, 0.0, 0.0, 5.0, 120, 88))
    return GriddedScene("two", form, frame, layers_of(list(images), grids, grids[0], read))


def of_blocks(method: str) -> GriddedScene:
    """A product of a size that no whole number of blocks has."""
    form, image = degraded(4, method=method), gappy(90, 121, 3, 3)
    blocks = Blocks(reader(image), (90, 121), form.degradation)
    layer = Layer((0, 1, 2), 1, blocks.shape, blocks)
    frame = frame_of(Grid(32631, 0.0, 0.0, 10.0, 121, 90))
    return GriddedScene("blocks", form, frame, (layer,), reader(image), (0, 1, 2))


def inputs(scene, found) -> np.ndarray:
    """``[h, w, C]`` of a record of either layout."""
    record = found.record
    if record.input_dense is not None:
        return record.input_dense
    height, width = record.target.shape[0] // scene.factor, record.target.shape[1] // scene.factor
    return record.input_pixels.reshape(height, width, -1)


@pytest.mark.parametrize(
    "make", [of_two_sizes, lambda: of_blocks("mean"), lambda: of_blocks("mtf")]
)
def test_within_a_halo_of_what_is_valid_no_window_decides_on_the_record(make):
    from scipy import ndimage

    scene, halo = make(), 16
    step, rows, columns = scene.align_px, *scene.frame.shape
    pad = 12 * step
    all_of_it = PixelWindow(-pad, -pad, *(-(-n // step) * step + 2 * pad for n in (columns, rows)))
    whole = scene.window(all_of_it)
    image = inputs(scene, whole)
    assert np.isfinite(image).all() and not whole.valid.all()
    seen = 0
    for y in range(0, rows, 8 * step):
        for x in range(0, columns, 8 * step):
            place = PixelWindow(x, y, 8 * step, 8 * step).expanded(halo)
            found = scene.window(place, halo)
            at = (slice(place.y + pad, None), slice(place.x + pad, None))
            valid = whole.valid[at][: place.height, : place.width]
            core = np.zeros_like(valid)
            core[halo:-halo, halo:-halo] = valid[halo:-halo, halo:-halo]
            if found is None:
                assert not core.any()
                continue
            np.testing.assert_array_equal(found.valid, valid)
            near = ndimage.binary_dilation(core, np.ones((3, 3)), iterations=halo)
            f = scene.factor
            near = near[f // 2 :: f, f // 2 :: f]
            fine = slice((place.y + pad) // f, None), slice((place.x + pad) // f, None)
            wanted = image[fine][: near.shape[0], : near.shape[1]]
            # BLAS may sum a Gaussian in another order; means of float32 are exact in float64.
            np.testing.assert_allclose(
                inputs(scene, found)[near], wanted[near], rtol=1.2e-7, atol=0
            )
            seen += 1
    assert seen > 3


def test_a_window_without_a_value_in_its_core_is_none():
    scene = of_blocks("mean")
    assert scene.window(PixelWindow(4, 4, 16, 16)) is None
    assert scene.window(PixelWindow(0, 0, 48, 36)) is not None
    assert scene.window(PixelWindow(0, 0, 48, 36), 12) is None
    with pytest.raises(ValueError, match="whole pixels of 4"):
        scene.window(PixelWindow(2, 0, 16, 16))


def test_what_is_valid_is_what_the_product_has_and_the_truth_is_the_product():
    scene = of_blocks("mean")
    image = gappy(90, 121, 3, 3)
    found = scene.window(PixelWindow(0, 0, 124, 92))
    np.testing.assert_array_equal(found.valid[:90, :121], np.isfinite(image).all(-1))
    np.testing.assert_array_equal(scene.truth(PixelWindow(40, 30, 9, 7)), image[30:37, 40:49])
    # The last block of a row reaches beyond the product: the mean of what is there.
    last = found.record.input_pixels.reshape(23, 31, 3)[-1, -1]
    np.testing.assert_allclose(last, image[88:90, 120:].mean((0, 1)), rtol=1e-6)


def test_a_coarse_band_is_repeated_pixel_by_pixel():
    scene = of_two_sizes()
    assert scene.align_px == 4
    dense = scene.window(PixelWindow(40, 40, 80, 48)).record.input_dense
    coarse = dense[::2, ::2, 1]
    np.testing.assert_array_equal(dense[..., 1], coarse.repeat(2, 0).repeat(2, 1))
    own, there = gappy(22, 30, 1, 2)[10:, 10:, 0], np.isfinite(gappy(22, 30, 1, 2)[10:, 10:, 0])
    np.testing.assert_array_equal(coarse[there], own[there])


def test_blocks_are_the_same_in_parts(monkeypatch):
    from sensor2sensor.inference.scenes import gridded

    whole, place = of_blocks("mean"), PixelWindow(0, 0, 124, 92)
    wanted = whole.window(place).record.input_pixels
    monkeypatch.setattr(gridded, "_BLOCKS_AT_ONCE", 5)
    np.testing.assert_array_equal(of_blocks("mean").window(place).record.input_pixels, wanted)
