"""Data sets of chips: which place goes where, what a digital number means, the way to the grid."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from benchmarks import chips
from benchmarks.chips import Chip
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.pipeline.reader import iterate_tiles

SIDE = 140
CHIPS = (
    Chip("here", "here.tif", (2, 3, 4)),
    Chip("there", "there.tif", (2, 3, 4), offset=-1000),
    Chip("far", "far.tif", (3, 2, 1), epsg=32633),
)


def numbers(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1200, 4000, (4, SIDE, SIDE))


def write(path: Path, data: np.ndarray, *, degrees: bool = False) -> None:
    step, corner = (9e-5, (13.2, 53.9)) if degrees else (10.0, (647360.0, 5656480.0))
    options = {"width": data.shape[2], "height": data.shape[1], "count": len(data)}
    options |= {"crs": "EPSG:4326" if degrees else "EPSG:32633", "dtype": data.dtype}
    options |= {"nodata": np.nan} if data.dtype.kind == "f" else {}
    options |= {"transform": from_origin(*corner, step, step)}
    with rasterio.open(path, "w", "GTiff", **options) as target:
        target.write(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("chips")
    write(root / "here.tif", numbers(0).astype(np.uint16))
    holed = numbers(1).astype(np.float32)
    holed[:, 0, 0] = np.nan  # the grid of tiles has to start beside it
    write(root / "there.tif", holed)
    flat = np.ones((4, SIDE, 2 * SIDE), np.uint16) * np.array([300, 200, 100, 900])[:, None, None]
    write(root / "far.tif", flat.astype(np.uint16), degrees=True)
    return root


def test_reflectance_is_number_and_offset_over_ten_thousand(folder: Path) -> None:
    expected = numbers(0)[1:4].transpose(1, 2, 0) / 10000
    np.testing.assert_allclose(chips.read(folder, CHIPS[0]), expected)
    there = chips.read(folder, CHIPS[1])
    assert np.isnan(there[0, 0]).all() and np.isfinite(there[0, 1:]).all()
    np.testing.assert_allclose(there[1], (numbers(1)[1:4, 1].T - 1000) / 10000)


def test_degrees_are_brought_to_ten_metres_and_corners_outside_are_missing(folder: Path) -> None:
    image = chips.read(folder, CHIPS[2])
    # 9e-5 degrees are 10.0 m of latitude and at 53.9 degrees north 5.9 m of longitude.
    assert image.shape[0] == pytest.approx(SIDE * 1.0, abs=8)
    assert image.shape[1] == pytest.approx(2 * SIDE * 0.591, abs=8)
    there = np.isfinite(image[..., 0])
    assert np.allclose(image[there], [0.01, 0.02, 0.03])
    assert 0.9 < there.mean() < 1.0


@pytest.fixture(scope="module")
def dataset(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    name = chips.make(folder, root, "there", CHIPS[:2])
    return root / name / "64"


def test_the_tested_place_is_in_no_other_split(dataset: Path) -> None:
    counts = Counter((row.split, row.block) for row in read_split(dataset))
    assert counts == {("test", "there"): 4, ("train", "here"): 2, ("val", "here_last"): 2}
    assert load_contract(dataset).factor == 6.0


def test_records_hold_the_reflectance_and_its_block_means(dataset: Path, folder: Path) -> None:
    image = chips.read(folder, CHIPS[1])
    for tile in iterate_tiles(dataset, load_contract(dataset), "test"):
        x, y = map(int, tile.name.rsplit("_", 1)[1].split("x"))
        truth = image[y : y + 64, x : x + 64]
        np.testing.assert_allclose(tile.target, truth, atol=1e-6)
        grid = tile.input_pixels.reshape(11, 11, 3)
        np.testing.assert_allclose(grid[2, 3], truth[12:18, 18:24].mean((0, 1)), rtol=1e-5)
        # The last block reaches two pixels beyond the tile, into real pixels of the picture.
        beyond = image[y + 60 : y + 66, x : x + 6]
        np.testing.assert_allclose(grid[10, 0], np.nanmean(beyond, (0, 1)), rtol=1e-5)
