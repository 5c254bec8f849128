"""Aerial photos and masks: what is stored of files of any size and depth, and where it lies."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources.aerial.pairs import Pair
from sensor2sensor.sources.aerial.rasters import Raster, look, read_image, read_mask
from sensor2sensor.sources.aerial.run import main
from tests.fakes.town import PIXEL_M, aerial_profile, save_tif, town, write_aerial
from tests.fakes_tiles import own_environment
from tests.real_data import data_set

pytestmark = pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
NAMES = ("austin1", "austin7", "austin9", "tyrol-w2", "tyrol-w18", "tyrol-w29")


def door(root: Path, *words: object, data: str = "inria") -> int:
    given = ["--data", root / data, *words, *own_environment(root)]
    return main([str(word) for word in given])


def records(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Photo and mask of every record by name."""
    contract = load_contract(folder)
    refs = [ref for split in ("train", "val", "test") for ref in list_records(folder, split)]
    return {r.name: (r.target, r.input_dense[..., 0]) for r in iterate_refs(refs, contract)}


def whole(size: int) -> PixelWindow:
    return PixelWindow(0, 0, size, size)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("aerial")
    write_aerial(root / "inria", NAMES, 120)
    assert door(root, "--stored-size", 60, "--split", 2) == 0
    return root / "aerial" / "60"


def test_squares_are_the_pixels_of_the_files(made: Path) -> None:
    found = records(made)
    assert len(found) == 4 * len(NAMES)
    photo, _, buildings = town(120, 120, "tyrol-w18")
    for x in (0, 60):
        for y in (0, 60):
            target, mask = found[f"inria__tyrol-w18_{x}x{y}"]
            assert np.array_equal(target, photo[y : y + 60, x : x + 60])
            assert np.array_equal(mask, buildings[y : y + 60, x : x + 60])


def test_the_mask_is_one_channel_and_the_place_is_kept(made: Path) -> None:
    contract = load_contract(made)
    assert [(b.name, b.unit, b.value_range) for b in contract.input.bands] == [
        ("building", "1", (0.0, 1.0))
    ]
    assert [band.name for band in contract.target.bands] == ["red", "green", "blue"]
    assert contract.colour() == (0, 1, 2) and contract.colour("input") is None
    assert contract.resolution_m == contract.input.pixel_m == PIXEL_M
    assert contract.split_policy.ground == "crs"
    assert contract.split_policy.ground_shared == {"val": 0.0, "test": 0.0}
    rows = {row.name: row for row in read_split(made)}
    row = rows["inria__austin7_60x0"]
    with rasterio.open(made.parents[1] / "inria" / "images" / "austin7.tif") as source:
        assert (row.epsg, row.ulx_m, row.uly_m) == (
            source.crs.to_epsg(), source.bounds.left + 60 * PIXEL_M, source.bounds.top,
        )  # fmt: skip
    assert row.overpass == "austin" and row.block == "inria__austin7"


def test_the_published_rule_gives_27_6_and_3_tiles_of_a_city(made: Path) -> None:
    dummy = Raster(Path("x.tif"))
    splits = {n: Pair(f"austin{n}", dummy, dummy).split for n in range(1, 37)}
    assert Counter(splits.values()) == {"train": 27, "val": 6, "test": 3}
    assert [n for n, split in splits.items() if split == "val"] == [7, 8, 17, 18, 27, 28]
    assert [n for n, split in splits.items() if split == "test"] == [9, 19, 29]
    assert Pair("tyrol-w12", dummy, dummy).city == "tyrol-w"
    assert {row.name.split("_")[2]: row.split for row in read_split(made)} == {
        "austin1": "train", "austin7": "val", "austin9": "test",
        "tyrol-w2": "train", "tyrol-w18": "val", "tyrol-w29": "test",
    }  # fmt: skip


def test_cities_and_blocks_of_ground_are_other_ways_to_split(tmp_path: Path, capsys) -> None:
    names = [f"{city}{n}" for city in ("a", "b", "c", "d", "e") for n in (1, 2)]
    write_aerial(tmp_path / "inria", names, 60)
    words = ("--stored-size", 10, "--train-ratio", 0.6, "--val-ratio", 0.4, "--dry-run")
    assert door(tmp_path, "--stored-size", 10, "--dry-run") == 2
    assert "give it --split-by city or block, or samples of every" in capsys.readouterr().err
    assert door(tmp_path, *words, "--split-by", "city", "--seed", 2) == 0
    assert "would write aerial: 4 train, 4 val, 2 test, 0 dropped" in capsys.readouterr().out
    block = ("--split-by", "block", "--split", 6, "--block-tiles", 4, "--dataset", "b")
    assert door(tmp_path, *words[:-1], *block) == 0
    contract = load_contract(tmp_path / "b" / "10")
    counts = [contract.splits[split].count for split in ("train", "val", "test")]
    assert min(counts) > 0 and sum(counts) + contract.split_policy.dropped == 360
    assert contract.split_policy.ground_shared == {"val": 0.0, "test": 0.0}
    assert contract.split_policy.block_m == pytest.approx(4 * 10 * PIXEL_M)


@pytest.mark.parametrize(("split", "ground"), [(1, "unknown"), (2, "group")])
def test_ground_without_a_place_is_known_by_images_of_several_squares(
    tmp_path: Path, split: int, ground: str
) -> None:
    write_aerial(tmp_path / "inria", NAMES[:3], 60, placed=False)
    write_aerial(tmp_path / "inria", ["tyrol-w2"], 60, placed=False)
    torn = tmp_path / "inria" / "images" / "tyrol-w2.tif"
    torn.write_bytes(torn.read_bytes()[:100])
    assert door(tmp_path, "--stored-size", 32, "--split", split) == 1
    assert load_contract(tmp_path / "aerial" / "32").split_policy.ground == ground


def test_oblong_images_give_as_many_squares_as_fit(tmp_path: Path) -> None:
    write_aerial(tmp_path / "inria", NAMES[:3], (80, 125))
    assert door(tmp_path, "--stored-size", 40, "--split", 2) == 0
    found = records(tmp_path / "aerial" / "40")
    assert len(found) == 3 * 2 * 3
    photo, _, _ = town(80, 125, "austin9")
    assert np.array_equal(found["inria__austin9_80x40"][0], photo[40:, 80:120])


def test_as_many_squares_as_asked_for_though_more_would_fit(tmp_path: Path, capsys) -> None:
    write_aerial(tmp_path / "inria", NAMES[:3], 70)
    assert door(tmp_path, "--stored-size", 16, "--split", 13, "--dry-run") == 0  # 70 / 5 is 14
    out = capsys.readouterr().out
    assert "would write aerial: 169 train, 169 val, 169 test" in out
    assert "squares of 5 pixels are enlarged to 16" in out


@pytest.mark.parametrize("stored", [40, 43, 200])
def test_photos_are_antialiased_and_masks_stay_two_values(tmp_path: Path, stored: int) -> None:
    write_aerial(tmp_path, ["austin1"], 120)
    photo, _, buildings = town(120, 120, "austin1")
    values, lost = read_image(look(tmp_path / "images/austin1.tif"), whole(120), stored)
    size, bilinear = (stored, stored), Image.Resampling.BILINEAR
    pillow = np.asarray(Image.fromarray(photo).resize(size, bilinear))
    assert lost == 0 and np.abs(values - pillow).max() <= 1
    mask, density, _ = read_mask(look(tmp_path / "gt/austin1.tif"), whole(120), stored)
    assert set(np.unique(mask)) == {0, 1} and density == pytest.approx(buildings.mean())
    if stored == 40:
        shares = buildings.reshape(40, 3, 40, 3).mean(axis=(1, 3))
        assert np.array_equal(mask, shares >= 0.5)


def half_white(folder: Path) -> Path:
    mask = np.zeros((1, 90, 90), np.uint8)
    mask[:, :45] = 255
    save_tif(folder / "half.tif", mask, aerial_profile(90, 90, None))
    return folder / "half.tif"


def test_half_a_white_mask_has_a_density_of_one_half(tmp_path: Path) -> None:
    for stored in (90, 45, 28, 300):
        assert read_mask(look(half_white(tmp_path)), whole(90), stored)[1] == pytest.approx(0.5)


def test_squares_with_too_few_buildings_are_dropped_with_their_share(tmp_path: Path) -> None:
    write_aerial(tmp_path / "inria", NAMES, 90)
    mask = rasterio.open(half_white(tmp_path)).read()
    save_tif(tmp_path / "inria/gt/austin1.tif", mask, aerial_profile(90, 90, None))
    words = ("--stored-size", 30, "--split", 3, "--min-density", 0.45)
    assert door(tmp_path, *words) == 0
    rows = {row.name: row for row in read_split(tmp_path / "aerial" / "30")}
    own = [rows[f"inria__austin1_{x}x{y}"] for y in (0, 30, 60) for x in (0, 30, 60)]
    assert [row.split for row in own] == ["train"] * 6 + ["dropped"] * 3
    assert own[8].reason == "0.00% of it is building, less than 45.00%"


def planes(count: int, dtype: str, top: float, size: int = 60) -> np.ndarray:
    grey = np.random.default_rng(count).uniform(0, top, (count, size, size))
    return grey.astype(dtype)


@pytest.mark.parametrize(("dtype", "count", "stored_as"), [
    ("uint8", 1, "uint8"), ("uint16", 4, "uint16"),
    ("int16", 2, "float32"), ("float32", 5, "float32"),
])  # fmt: skip
def test_files_of_any_depth_and_number_of_bands(
    tmp_path: Path, dtype: str, count: int, stored_as: str
) -> None:
    write_aerial(tmp_path / "inria", NAMES[:3], 60)
    values = planes(count, dtype, 200)
    for name in NAMES[:3]:
        path = tmp_path / "inria" / "images" / f"{name}.tif"
        with rasterio.open(path) as old:
            profile = {**aerial_profile(60, 60, (old.bounds.left, old.bounds.top)), "dtype": dtype}
        save_tif(path, values, profile)
    bands = ",".join(["nir", "red", "green", "blue", "swir"][:count])
    assert door(tmp_path, "--stored-size", 60, "--bands", bands) == 0
    contract = load_contract(tmp_path / "aerial" / "60")
    assert contract.target.dtype == stored_as
    assert [band.name for band in contract.target.bands] == bands.split(",")
    assert contract.colour() == ((1, 2, 3) if count > 3 else None)
    photo, _ = records(tmp_path / "aerial" / "60")["inria__austin7"]
    assert np.array_equal(photo, np.moveaxis(values, 0, -1))


def test_bands_are_called_as_the_file_calls_them(tmp_path: Path) -> None:
    path = tmp_path / "named.tif"
    how = {"photometric": "MINISBLACK", "alpha": "NO"}
    save_tif(path, planes(4, "uint8", 200), aerial_profile(60, 60, None), **how)
    assert look(path).bands == ("band1", "band2", "band3", "band4")
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("red", "green", "blue", "nir")
    assert look(path).bands == ("red", "green", "blue", "nir")


def test_alpha_is_no_band_and_what_it_hides_has_no_data(tmp_path: Path) -> None:
    path, values = tmp_path / "rgba.tif", planes(4, "uint8", 200)
    values[3] = 255
    values[3, 10:16, :10] = 0
    save_tif(path, values, aerial_profile(60, 60, None), photometric="RGB", alpha="YES")
    raster = look(path)
    assert raster.bands == ("red", "green", "blue") and raster.numbers == (1, 2, 3)
    assert read_image(raster, whole(60), 30)[1] == pytest.approx(60 / 3600)
    assert read_image(raster, PixelWindow(0, 16, 30, 30), 30)[1] == 0
    named = look(path, named=4)
    assert named.numbers == (1, 2, 3, 4) and not named.alpha and raster.alpha
    assert read_image(named, whole(60), 30)[1] == 0


def test_infrared_that_gdal_marks_as_alpha_is_a_band_once_named(tmp_path: Path, capsys) -> None:
    write_aerial(tmp_path / "inria", NAMES[:3], 60)
    values = planes(4, "uint8", 200)
    for n, name in enumerate(NAMES[:3]):
        path = tmp_path / f"inria/images/{name}.tif"
        save_tif(path, np.roll(values, n, axis=-1), aerial_profile(60, 60, None))
    assert door(tmp_path, "--stored-size", 60) == 2
    dark = (values[3] == 0).mean()
    words = f"first inria__austin1: {dark:.2%} of it has no data, by its alpha band"
    assert dark > 0 and words in capsys.readouterr().err
    assert door(tmp_path, "--stored-size", 60, "--dry-run", "--force") == 0
    assert "marked as alpha, which is none of theirs; name it in --b" in capsys.readouterr().out
    words = ("--bands", "red,green,blue,nir", "--dataset", "nir")
    assert door(tmp_path, "--stored-size", 60, *words) == 0
    assert "alpha" not in capsys.readouterr().out
    photo, _ = records(tmp_path / "nir" / "60")["inria__austin1"]
    assert np.array_equal(photo, np.moveaxis(values, 0, -1))


def test_pixels_without_data_leave_their_square_out(tmp_path: Path) -> None:
    write_aerial(tmp_path / "inria", NAMES, 60)
    path = tmp_path / "inria" / "images" / "austin1.tif"
    with rasterio.open(path, "r+") as file:
        values = file.read().clip(1)
        values[:, 50:, 50:] = 0
        file.write(values)
        file.nodata = 0
    assert door(tmp_path, "--stored-size", 30, "--split", 2) == 0
    rows = {row.name: row for row in read_split(tmp_path / "aerial" / "30")}
    assert rows["inria__austin1_30x30"].reason == "11.11% of it has no data"
    assert rows["inria__austin1_30x0"].split == "train"


def test_a_whole_tile_is_read_in_little_memory(tmp_path: Path) -> None:
    side = 5000
    block = np.moveaxis(town(50, side, "row")[0], -1, 0)
    values = np.tile(block, (1, side // 50, 1))
    save_tif(tmp_path / "big.tif", values, aerial_profile(side, side, None), interleave="pixel")
    del values
    raster = look(tmp_path / "big.tif")
    assert raster.path.stat().st_size > 75_000_000
    tracemalloc.start()
    made, _ = read_image(raster, whole(side), 286)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 75_000_000 and made.shape == (286, 286, 3)
    assert made.mean() == pytest.approx(block.mean(), abs=1.5)


def test_the_real_tiles_are_split_by_block(tmp_path: Path, capsys) -> None:
    data = data_set("INRIA_PATH")
    words = ["--data", str(data), "--dry-run", "--stored-size", "256", "--split", "6"]
    words += ["--split-by", "block", "--seed", "1", *own_environment(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert ", 0 failed" in out and " 0 test" not in out


def test_a_real_tile_comes_back_at_its_own_size() -> None:
    data = data_set("INRIA_PATH")
    path = min((data / "train" / "images").glob("*.tif"))
    values, _ = read_image(look(path), PixelWindow(64, 32, 256, 256), 256)
    mask, density, _ = read_mask(look(data / "train" / "gt" / path.name), whole(256), 256)
    with rasterio.open(path) as source:
        there = source.read(window=rasterio.windows.Window(64, 32, 256, 256))
    assert np.array_equal(values, np.moveaxis(there, 0, -1))
    assert density == mask.mean()
