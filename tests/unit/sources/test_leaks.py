"""Pictures that would pass for what they are not: leaks, other bands, pixels without data."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources.aerial.rasters import look, read_image, read_mask
from tests.fakes.town import aerial_profile, save_tif, side_by_side, town, write_aerial, write_maps
from tests.unit.sources import test_aerial as aerial
from tests.unit.sources import test_maps as maps

pytestmark = pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
PROFILE = aerial_profile(40, 40, None)
WHOLE = PixelWindow(0, 0, 40, 40)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


def list_of(root: Path) -> list[str]:
    return [path.name for path in (root / "maps" / "32").iterdir()]


def test_tiles_numbered_by_row_and_column_are_of_one_city(tmp_path: Path, capsys) -> None:
    names = [
        f"{city}_{row}_{c}" for city in ("graz", "linz", "wels") for row in (1, 2) for c in (1, 3)
    ]
    write_aerial(tmp_path / "inria", names, 40)
    options = (
        "--stored-size",
        40,
        "--split-by",
        "city",
        "--train_ratio",
        0.7,
        "--val_ratio",
        0.5,
        "--seed",
        3,
    )
    assert aerial.door(tmp_path, *options) == 0
    assert "cities, by their names: graz (4), linz (4), wels (4)" in said(capsys)
    splits = {(row.block, row.split) for row in read_split(tmp_path / "aerial" / "40")}
    assert sorted(split for _, split in splits) == ["test", "train", "val"]


def test_numbers_alone_name_no_city(tmp_path: Path, capsys) -> None:
    write_aerial(tmp_path / "inria", ["1_1", "1_2", "2_1"], 40)
    assert aerial.door(tmp_path, "--stored-size", 40, "--split-by", "city") == 2
    assert "names that are numbers alone: 3, first of them 1_1; put the city before" in said(capsys)


def test_one_city_cannot_fill_three_splits_and_the_advice_says_so(tmp_path: Path, capsys) -> None:
    write_aerial(tmp_path / "inria", ["graz_1", "graz_2", "graz_3"], 40)
    assert aerial.door(tmp_path, "--stored-size", 40, "--split-by", "city") == 2
    assert "give it at least 3 groups" in (words := said(capsys)) and "ratio" not in words


def test_a_file_that_cannot_be_read_stops_no_split_by_ground(tmp_path: Path, capsys) -> None:
    write_aerial(tmp_path / "inria", [f"graz{n}" for n in range(1, 10)], 40)
    for kind in ("images", "gt"):
        (tmp_path / "inria" / kind / "junk.tif").write_text("a page that says 404")
    options = ("--stored-size", 10, "--split", 4, "--split-by", "block", "--block-tiles", 3)
    ratios = ("--train_ratio", 0.7, "--val_ratio", 0.4, "--seed", 1)
    assert aerial.door(tmp_path, *options, *ratios) == 1
    assert "junk.tif: is no GeoTIFF that can be read" in said(capsys)
    assert len(aerial.records(tmp_path / "aerial" / "10")) >= 3


def test_one_picture_in_two_splits_is_refused(tmp_path: Path, capsys) -> None:
    write_maps(tmp_path / "maps", maps.SIDE, train=12, val=3)
    shutil.copy(tmp_path / "maps/val/2.jpg", tmp_path / "maps/train/13.jpg")
    assert maps.door(tmp_path) == 2
    words = said(capsys)
    assert "4 samples are of files that another split has, too" in words
    assert "train_13" in words and "val_2" in words and not (tmp_path / "maps" / "32").exists()
    # Saved once more: other bytes, the same pixels.
    twin = tmp_path / "maps/train/13.jpg"
    twin.write_bytes(twin.read_bytes() + b"again")
    assert maps.door(tmp_path) == 2
    words = said(capsys)
    assert "two splits hold one picture, pixel by pixel: maps__train_13_0x0 (train) and" in words
    assert "maps__val_2_0x0 (test)" in words and "dataset.json" not in list_of(tmp_path)
    twin.unlink()
    assert maps.door(tmp_path) == 0
    # The same folder by another name draws anew, and by name.
    assert maps.door(tmp_path, "--name", "again", "--add") == 2
    assert "another split has, too" in said(capsys)


def test_bands_in_another_order_are_refused_unless_they_are_named(tmp_path: Path, capsys) -> None:
    names = ["town1", "town7", "town9", "town3"]
    write_aerial(tmp_path / "inria", names, 40)
    photo = np.moveaxis(town(40, 40, "town3")[0], -1, 0)
    path = tmp_path / "inria/images/town3.tif"
    save_tif(path, photo[::-1], PROFILE)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("blue", "green", "red")
    assert aerial.door(tmp_path, "--stored-size", 40) == 1
    assert "bands are blue, green, red, of most images red, green, blue" in said(capsys)
    assert "inria__town3" not in aerial.records(tmp_path / "aerial" / "40")
    named = ("--dataset", "named", "--bands", "red,green,blue")
    assert aerial.door(tmp_path, "--stored-size", 40, *named) == 0


def test_a_mask_that_is_not_known_is_no_building(tmp_path: Path) -> None:
    mask = np.zeros((1, 40, 40), np.uint8)
    mask[0, :4] = 255
    save_tif(tmp_path / "a.tif", mask, {**PROFILE, "nodata": 255})
    assert read_mask(look(tmp_path / "a.tif"), WHOLE, 40)[2] == pytest.approx(0.1)
    save_tif(tmp_path / "b.tif", mask, {**PROFILE, "nodata": 0})
    stored, density, unknown = read_mask(look(tmp_path / "b.tif"), WHOLE, 40)
    assert (int(stored.sum()), density, unknown) == (160, 0.1, 0.0)


def test_a_pixel_without_data_in_one_band_has_none(tmp_path: Path) -> None:
    photo = np.full((3, 40, 40), 500, np.int16)
    photo[1, :4, :10] = -9999
    save_tif(tmp_path / "a.tif", photo, {**PROFILE, "dtype": "int16", "nodata": -9999})
    assert read_image(look(tmp_path / "a.tif"), WHOLE, 20)[1] == 40 / 1600
    # 0 in one band is a colour, in all of them the fill.
    photo = np.full((3, 40, 40), 90, np.uint8)
    photo[1, :4], photo[:, 39, :8] = 0, 0
    save_tif(tmp_path / "b.tif", photo, {**PROFILE, "nodata": 0})
    assert read_image(look(tmp_path / "b.tif"), WHOLE, 20)[1] == 8 / 1600


@pytest.mark.parametrize("size", [250, 286, 500, 572, 1000])
def test_a_density_is_a_count_and_half_an_area_is_a_building(tmp_path: Path, size: int) -> None:
    mask = np.zeros((1, size, size), np.uint8)
    mask[:, :, : size * 2 // 5] = 1
    save_tif(tmp_path / "a.tif", mask, aerial_profile(size, size, None))
    raster, window = look(tmp_path / "a.tif"), PixelWindow(0, 0, size, size)
    assert read_mask(raster, window, 286)[1] == (size * 2 // 5) / size
    # Against areas in whole numbers: a stored pixel is size x size of 286 x 286 parts.
    stored = read_mask(raster, window, 286)[0]
    edges = np.minimum(np.arange(1, 287) * size, 286 * (size * 2 // 5)) - np.arange(286) * size
    assert np.array_equal(stored[0], (2 * np.clip(edges, 0, size) >= size).astype(np.uint8))


def png(path: Path, pixels: np.ndarray, transparent: tuple[int, int, int] | None = None) -> None:
    """Write an RGB PNG of any depth by hand: Pillow writes none of 16 bits."""
    height, width, _ = pixels.shape
    depth = pixels.dtype.itemsize
    rows = b"".join(b"\0" + row.astype(f">u{depth}").tobytes() for row in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * depth, 2, 0, 0, 0))]
    if transparent is not None:
        chunks.append((b"tRNS", struct.pack(">HHH", *transparent)))
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + made)


def test_pngs_of_16_bits_and_with_a_colour_that_stands_for_none_are_refused(
    tmp_path: Path, capsys
) -> None:
    write_maps(tmp_path / "maps", maps.SIDE, train=12, val=3)
    pixels = side_by_side(maps.SIDE, "png").copy()
    pixels[:10, :10] = 0
    png(tmp_path / "maps/train/20.png", pixels)
    png(tmp_path / "maps/train/21.png", pixels.astype(np.uint16) * 16)
    png(tmp_path / "maps/train/22.png", np.maximum(pixels, 1), (0, 0, 0))
    png(tmp_path / "maps/train/23.png", pixels, (0, 0, 0))
    assert maps.door(tmp_path, "--val-from-train", 3) == 1
    words = said(capsys)
    assert "has 16 bits a band" in words and "transparent in places" in words
    found = {name.split("_")[3] for name in maps.records(tmp_path / "maps" / "32")}
    assert {"20", "22"} <= found and not {"21", "23"} & found
