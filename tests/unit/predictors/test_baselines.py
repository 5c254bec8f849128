"""Baselines start from the native low-resolution pixels and know nothing of the test split."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.upsampling import regular_index
from sensor2sensor.metrics import compute
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.bilinear_fit import bilinear, fit_lines, nearest_bands
from sensor2sensor.predictors.registry import baselines, find
from tests.unit.evaluation import toys
from tests.unit.predictors import pairs


def scattered(count=60, seed=0, size_m=640.0):
    """Pixel centres around and inside a 64-pixel tile, and the index of the nearest."""
    xy = np.random.default_rng(seed).uniform(-100, size_m + 100, (count, 2))
    grid = (np.arange(64) + 0.5) * 10
    x, y = np.meshgrid(grid, grid)
    distance = (x[..., None] - xy[:, 0]) ** 2 + (y[..., None] - xy[:, 1]) ** 2
    return xy, (distance.argmin(-1) + 1).astype(np.int32), x, y


def test_bilinear_reproduces_a_plane():
    xy, index, x, y = scattered()
    plane = 3 + 0.02 * xy[:, :1] - 0.01 * xy[:, 1:]
    got = bilinear(xy, plane, index, 10.0)[..., 0]
    expected = 3 + 0.02 * x - 0.01 * y
    close = np.isclose(got, expected, atol=1e-9)
    assert close.mean() > 0.9  # all but the corners outside the hull
    outside = ~close
    assert np.array_equal(got[outside], plane[index[outside] - 1, 0])


def test_bilinear_falls_back_to_the_nearest_pixel():
    _, index, _, _ = scattered(count=2)
    xy, values = np.array([[0.0, 0.0], [600.0, 600.0]]), np.array([[1.0], [2.0]])
    assert np.array_equal(bilinear(xy, values, index, 10.0), values[index - 1])
    line = np.array([[0.0, 0.0], [300.0, 300.0], [600.0, 600.0]])
    three = np.array([[1.0], [2.0], [3.0]])
    assert set(np.unique(bilinear(line, three, index, 10.0))) <= {1.0, 2.0}


def test_the_bands_nearest_in_wavelength_are_taken():
    contract = toys.dataset("sentinel3")[1]
    names = [contract.input.bands[i].name for i in nearest_bands(contract)]
    assert names == ["Oa04", "Oa06", "Oa08"]  # 490, 560, 665 nm for B02, B03, B04


def test_bands_without_wavelength_are_named_as_the_problem():
    contract = toys.dataset("sentinel3")[1]
    blind = tuple(band.model_copy(update={"wavelength_nm": None}) for band in contract.target.bands)
    target = contract.target.model_copy(update={"bands": blind})
    with pytest.raises(DatasetError, match="wavelength"):
        nearest_bands(contract.model_copy(update={"target": target}))


def test_the_fit_recovers_a_line():
    contract = toys.dataset("sentinel3")[1]
    xy, index, _, _ = scattered()
    radiance = np.random.default_rng(1).uniform(20, 300, (60, 21)).astype(np.float32)
    slopes, offsets = np.array([0.001, 0.002, 0.0005]), np.array([0.03, -0.01, 0.2])
    sources = list(nearest_bands(contract))
    target = (offsets + slopes * radiance[:, sources])[index - 1].astype(np.float32)
    fit = fit_lines(contract, [TileRecord("t", target, radiance, xy, index)])
    assert [line.slope for line in fit.lines] == pytest.approx(slopes, rel=1e-4)
    assert [line.offset for line in fit.lines] == pytest.approx(offsets, abs=1e-5)
    assert all(line.correlation == pytest.approx(1.0, abs=1e-6) for line in fit.lines)
    assert fit.lines[0].pixels == len(np.unique(index))


def test_the_fit_weighs_pixels_by_what_they_cover_and_survives_a_constant():
    contract = toys.dataset("sentinel3")[1]
    index = np.ones((64, 64), np.int32)
    index[:16] = 2
    radiance = np.full((2, 21), 5.0, np.float32)
    target = np.where(index[..., None] == 1, 0.1, 0.3).repeat(3, -1).astype(np.float32)
    fit = fit_lines(contract, [TileRecord("t", target, radiance, np.zeros((2, 2)), index)])
    assert [line.slope for line in fit.lines] == [0.0] * 3
    assert [line.offset for line in fit.lines] == pytest.approx([0.15] * 3)


def test_the_fit_reads_the_train_split_alone(monkeypatch):
    folder, contract = toys.dataset("sentinel3")
    seen = []

    def watched(*args, **kwargs):
        seen.append(args[2])
        return iterate_tiles(*args, **kwargs)

    monkeypatch.setattr("sensor2sensor.pipeline.reader.iterate_tiles", watched)
    assert list(baselines(folder, contract)) == ["bilinear_fit"]
    assert seen == ["train"]


def test_the_fit_reads_the_tiles_that_the_model_was_trained_on():
    folder, contract = toys.dataset("sentinel3")
    names = [tile.name for tile in iterate_tiles(folder, contract, "train")]
    whole = baselines(folder, contract)["bilinear_fit"]
    less = baselines(folder, contract, exclude_suffix=names[0][-6:])["bilinear_fit"]
    kept = [t for t in iterate_tiles(folder, contract, "train") if t.name[-6:] != names[0][-6:]]
    assert 0 < len(kept) < len(names)
    assert less == fit_lines(contract, kept)
    assert less.lines[0].pixels < whole.lines[0].pixels


def test_the_sentinel3_baseline_predicts_reflectance():
    folder, contract = toys.dataset("sentinel3")
    baseline = baselines(folder, contract)["bilinear_fit"]
    tiles = list(iterate_tiles(folder, contract, "test"))
    guess = baseline(tiles)
    assert guess.shape == (5, 64, 64, 3) and np.isfinite(guess).all()
    flat = np.stack([np.broadcast_to(t.target.mean((0, 1)), t.target.shape) for t in tiles])
    error = np.abs(guess - toys.truth(tiles)).mean()
    assert error < np.abs(flat - toys.truth(tiles)).mean()
    assert {line["target"] for line in baseline.describe()["lines"]} == {"B02", "B03", "B04"}


def test_nearest_and_bicubic_start_from_the_low_resolution_grid():
    folder, contract = toys.dataset()
    known = baselines(folder, contract)
    assert list(known) == ["nearest", "bicubic"]
    tiles = list(iterate_tiles(folder, contract, "test"))
    nearest = known["nearest"](tiles)
    assert len(np.unique(nearest[0, :, :, 0])) <= 11 * 11  # 64 pixels hold 11 blocks of 6
    block = tiles[0].target[6:12, 12:18].mean((0, 1))
    np.testing.assert_allclose(
        nearest[0, 6:12, 12:18], np.broadcast_to(block, (6, 6, 3)), atol=1e-5
    )
    options = {"value_ranges": contract.target_ranges(), "factor": 6.0, "names": ["hp_l1"]}
    errors = [compute(toys.truth(tiles), known[m](tiles), **options)["hp_l1"] for m in known]
    assert np.mean(errors[1]) < np.mean(errors[0])


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_starts_from_the_pixels_that_a_band_has_of_its_own(factor, dense):
    """A band of 20 m beside 10 m, stored repeated: 2 x factor, by Pillow's kernel of the same a."""
    image = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    image[..., 1] = image[::2, ::2, 1].repeat(2, axis=0).repeat(2, axis=1)
    spec = pairs.contract().input
    bands = [b.model_copy(update={"native_px": 1 + (n == 1)}) for n, b in enumerate(spec.bands)]
    coarse = {"grid": (16, 16), "bands": tuple(bands)}
    contract = pairs.contract(factor=float(factor), tile_px=16 * factor, input=coarse)
    target = np.zeros((16 * factor, 16 * factor, 3), np.float32)
    index = regular_index(*target.shape[:2], factor)
    tile = pairs.tile(image, target, dense=dense, index=index)
    made = find("bicubic").make(contract, None)([tile])[0]
    inner = slice(4 * factor, -4 * factor)  # Pillow has another rule for the border
    for band in range(3):
        own = image[::2, ::2, band] if band == 1 else image[..., band]
        wanted = np.asarray(Image.fromarray(own).resize(target.shape[:2], Image.Resampling.BICUBIC))
        np.testing.assert_allclose(made[inner, inner, band], wanted[inner, inner], atol=1e-5)


def test_input_bands_are_found_by_name():
    folder, contract = toys.dataset()
    turned = contract.input.model_copy(update={"bands": contract.input.bands[::-1]})
    known = baselines(folder, contract.model_copy(update={"input": turned}))
    assert known["nearest"].bands == (2, 1, 0)
    less = contract.input.model_copy(update={"bands": contract.input.bands[:2]})
    with pytest.raises(DatasetError, match="B04"):
        baselines(folder, contract.model_copy(update={"input": less}))
