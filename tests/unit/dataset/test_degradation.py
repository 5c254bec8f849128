"""Degradation and its way back, held against block means, closed forms and Pillow."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.degradation import degrade, sigma_px
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.upsampling import regular_index, upsample


def _picture(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (size, size, 3)).astype(np.float32)


@pytest.mark.parametrize(("tile", "factor"), [(16, 4), (64, 6), (64, 30), (20, 3), (12, 12)])
def test_block_means_equal_those_of_numpy(tile: int, factor: int) -> None:
    pad = factor
    wide = _picture(tile + 2 * pad)
    low = degrade(wide[pad:-pad, pad:-pad], factor, resolution_m=10.0, margin=wide)
    n = -(-tile // factor)
    area = wide[pad : pad + n * factor, pad : pad + n * factor].astype(np.float64)
    wanted = area.reshape(n, factor, n, factor, 3).mean(axis=(1, 3)).reshape(n * n, 3)
    np.testing.assert_allclose(low.pixels, wanted, rtol=2e-7)
    assert low.incomplete == 0
    assert low.index.max() == n * n and low.index[0, 0] == 1


def test_missing_pixels_do_not_take_part_and_are_counted() -> None:
    wide = _picture(10 + 2 * 3)
    wide[:, -2:] = np.nan  # the last block of 4 covers columns 8 to 11 of the tile: one is missing
    low = degrade(wide[3:13, 3:13], 4, resolution_m=10.0, margin=wide)
    wanted = np.nanmean(wide[3:7, 11:15].astype(np.float64), axis=(0, 1))
    np.testing.assert_allclose(low.pixels[2], wanted, rtol=2e-7)
    assert low.incomplete == 3


def test_without_a_margin_the_edge_is_the_mean_of_what_is_there() -> None:
    tile = _picture(10)
    low = degrade(tile, 4, resolution_m=10.0)
    np.testing.assert_allclose(low.pixels[-1], tile[8:, 8:].mean(axis=(0, 1)), rtol=1e-6)
    assert low.incomplete == 5


def test_block_centres_are_in_metres() -> None:
    low = degrade(_picture(10), 4, resolution_m=20.0)
    assert low.xy[0].tolist() == [40.0, 40.0] and low.xy[1].tolist() == [120.0, 40.0]
    assert low.xy[3].tolist() == [40.0, 120.0]


@pytest.mark.parametrize("mtf", [0.1, 0.2, 0.35])
def test_the_gaussian_has_the_asked_transfer_at_nyquist(mtf: float) -> None:
    factor, size = 6, 240
    # A wave at the Nyquist frequency of the coarse grid, its crests on the block centres.
    x = np.arange(-120, size + 120) + 0.5
    wave = np.cos(np.pi * (x - factor / 2) / factor)
    wide = np.repeat(wave[None, :, None], size + 240, axis=0).astype(np.float32)
    tile = wide[120:-120, 120:-120]
    low = degrade(tile, factor, resolution_m=10.0, margin=wide, method="mtf", mtf_nyquist=mtf)
    amplitude = np.abs(low.pixels.reshape(40, 40)[20]).mean()
    assert amplitude == pytest.approx(mtf, abs=0.006)
    assert sigma_px(factor, mtf) == pytest.approx(factor / np.pi * np.sqrt(-2 * np.log(mtf)))


def test_a_constant_stays_constant_under_both_methods() -> None:
    tile = np.full((20, 20, 1), 0.3, np.float32)
    for method in ("mean", "mtf"):
        low = degrade(tile, 6, resolution_m=10.0, method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(low.pixels, 0.3, rtol=1e-6)


def _record(tile: int, factor: int) -> TileRecord:
    n = -(-tile // factor)
    grid = _picture(n, 3).reshape(n * n, 3)
    return TileRecord(
        "t", _picture(tile), grid, np.zeros((n * n, 2)), regular_index(tile, tile, factor)
    )


@pytest.mark.parametrize(("tile", "factor"), [(48, 6), (64, 6), (32, 5), (30, 30)])
def test_bicubic_equals_pillow_on_a_continued_grid(tile: int, factor: int) -> None:
    from PIL import Image

    record = _record(tile, factor)
    n = -(-tile // factor)
    ours = upsample(record, "bicubic")
    # Pillow drops taps beyond the border; continued by its edge, the grid has none inside.
    pad = 3
    grid = np.pad(record.input_pixels.reshape(n, n, 3), ((pad, pad), (pad, pad), (0, 0)), "edge")
    size = (n + 2 * pad) * factor
    bands = [
        Image.fromarray(np.ascontiguousarray(grid[..., band])).resize((size, size), Image.BICUBIC)
        for band in range(3)
    ]
    theirs = np.stack([np.asarray(band) for band in bands], axis=-1)
    theirs = theirs[pad * factor : pad * factor + tile, pad * factor : pad * factor + tile]
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_nearest_shows_each_block() -> None:
    record = _record(10, 4)
    wanted = np.repeat(np.repeat(record.input_pixels.reshape(3, 3, 3), 4, 0), 4, 1)[:10, :10]
    assert np.array_equal(upsample(record, "nearest"), wanted)


def test_bicubic_reproduces_a_straight_slope_inside() -> None:
    n, factor = 8, 4
    centre = (np.arange(n) + 0.5) * factor
    grid = np.broadcast_to(centre[None, :, None], (n, n, 1)).astype(np.float32)
    record = TileRecord(
        "t",
        np.zeros((32, 32, 1), np.float32),
        grid.reshape(-1, 1),
        np.zeros((64, 2)),
        regular_index(32, 32, factor),
    )
    inside = upsample(record, "bicubic")[16, 8:24, 0]
    np.testing.assert_allclose(inside, np.arange(8, 24) + 0.5, atol=1e-4)


def test_an_irregular_index_and_a_typo_are_refused() -> None:
    record = _record(12, 4)
    swath = TileRecord(
        record.name,
        record.target,
        record.input_pixels,
        record.input_xy,
        record.input_index.T.copy(),
    )
    with pytest.raises(ConfigError, match="regular low-resolution grid"):
        upsample(swath, "bicubic")
    with pytest.raises(ConfigError, match="bicubic"):
        upsample(record, "bicubik")
