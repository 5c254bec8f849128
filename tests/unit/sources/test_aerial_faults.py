"""Pairs that do not fit, files that are damaged, and lists that changed: each is one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources.aerial.rasters import look, read_image
from tests.fakes.town import aerial_profile, save_jpeg, save_tif, town, write_aerial
from tests.unit.sources.test_aerial import NAMES, door, records

pytestmark = pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
CORNER = (400_000.0, 5_000_000.0)
SIZE = 64
PROFILE = aerial_profile(SIZE, SIZE, CORNER)


def photo(size: int = SIZE) -> np.ndarray:
    return np.moveaxis(town(size, size, "odd")[0], -1, 0)


def mask(size: int = SIZE) -> np.ndarray:
    return town(size, size, "odd")[2][None].astype(np.uint8)


def image_of(bands: np.ndarray, **how: Any):
    return lambda root, name: save_tif(root / "images" / name, bands, PROFILE, **how)


def mask_of(bands: np.ndarray, profile: dict[str, Any] = PROFILE, **how: Any):
    return lambda root, name: save_tif(root / "gt" / name, bands, profile, **how)


def cut(kind: str, share: float, **how: Any):
    def damage(root: Path, name: str) -> None:
        path = root / kind / name
        save_tif(path, photo() if kind == "images" else mask(), PROFILE, **how)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return damage


def text(kind: str, words: str):
    return lambda root, name: (root / kind / name).write_text(words)


def cmyk(root: Path, name: str) -> None:
    four = np.concatenate([photo(), mask()])
    save_tif(root / "images" / name, four, PROFILE, photometric="CMYK")


def palette(root: Path, name: str) -> None:
    save_tif(root / "images" / name, mask(), PROFILE, photometric="PALETTE")
    with rasterio.open(root / "images" / name, "r+") as file:
        file.write_colormap(1, {0: (0, 0, 0, 255), 1: (9, 99, 9, 255)})


def elsewhere(metres: float, pixel: float = 1.0):
    def damage(root: Path, name: str) -> None:
        a = PROFILE["transform"]
        moved = rasterio.Affine(a.a * pixel, 0, a.c + metres, 0, a.e * pixel, a.f)
        save_tif(root / "gt" / name, mask(), {**PROFILE, "transform": moved})

    return damage


TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}
JPEG = {**TILED, "compress": "jpeg", "photometric": "YCBCR", "interleave": "pixel"}
VRT = '<VRTDataset rasterXSize="64" rasterYSize="64"></VRTDataset>'
FAULTS = {
    "bands": (image_of(photo()[:1]), "images/", "bands: 1 of uint8, most images 3 of uint8"),
    "depth": (image_of(photo(), dtype="uint16"), "images/", "bands: 3 of uint16, most images 3"),
    "cmyk": (cmyk, "images/", "is CMYK, not of bands; convert it first"),
    "palette": (palette, "images/", "is of a palette, not of bands; convert it first"),
    "tripled": (mask_of(photo()), "gt/", "has 3 bands, a mask has one"),
    "grey": (mask_of(photo()[:1]), "gt/", "a mask has 0 and one other; is it stored without loss?"),
    "float": (mask_of(np.where(mask(), np.nan, 0), dtype="float32"), "gt/", "the values 0, nan, a"),
    "small": (mask_of(mask(60), aerial_profile(60, 60, CORNER)), "gt/", "has 60 x 60 pixels, its"),
    "moved": (elsewhere(0.6), "gt/", "lies 0.6 m from its image"),
    "coarse": (elsewhere(0, 1.02), "gt/", "has pixels of 0.306 m, its image others"),
    "zone": (mask_of(mask(), crs="EPSG:32634"), "gt/", "is in EPSG:32634, its image in EPSG:32633"),
    "text": (text("images", "no picture"), "images/", "it does not begin as a TIFF does"),
    "vrt": (text("images", VRT), "images/", "it does not begin as a TIFF does"),
    "header": (cut("images", 0.001), "images/", "is no GeoTIFF that can be read"),
    "strips": (cut("images", 0.6), "images/", "cannot be read, or is cut short"),
    "tiles": (cut("images", 0.7, **JPEG), "images/", "cannot be read, or is cut short"),
    "lzw": (cut("images", 0.7, compress="lzw"), "images/", "cannot be read, or is cut short"),
    "mask": (cut("gt", 0.8, compress="lzw"), "gt/", "cannot be read, or is cut short"),
}  # fmt: skip


def test_each_pair_that_cannot_be_used_is_named(tmp_path: Path, capsys) -> None:
    root = write_aerial(tmp_path / "inria", NAMES, SIZE)
    for city, (damage, _, _) in FAULTS.items():
        save_tif(root / "images" / f"{city}1.tif", photo(), PROFILE)
        save_tif(root / "gt" / f"{city}1.tif", mask(), PROFILE)
        damage(root, f"{city}1.tif")
    assert door(tmp_path, "--stored-size", 32, "--split", 2) == 1
    out = capsys.readouterr().out
    rows = read_split(tmp_path / "aerial" / "32")
    for city, (_, kind, says) in FAULTS.items():
        told = [row.reason for row in rows if f"__{city}1" in row.name and row.split == "refused"]
        assert told and all(t.startswith(f"{kind}{city}1.tif: ") and says in t for t in told), (
            city, told,
        )  # fmt: skip
        assert f"{city}1.tif" in out
    assert not any(str(tmp_path) in row.reason for row in rows)
    assert verify_dataset(tmp_path / "aerial" / "32")["files"] >= 4 * len(NAMES)


def test_half_of_a_pair_is_told_and_left_alone(tmp_path: Path, capsys) -> None:
    root = write_aerial(tmp_path / "inria", [*NAMES, "chicago3"], SIZE)
    (root / "gt" / "chicago3.tif").unlink()
    (root / "images" / "tyrol-w2.tif").unlink()
    (root / "images" / "._austin1.tif").write_bytes(b"macOS")
    assert door(tmp_path, "--stored-size", SIZE, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "images without a mask (1) left alone: chicago3\n" in out
    assert "masks without an image (1) left alone: tyrol-w2\n" in out
    assert "5 would be done" in out


@pytest.mark.parametrize(("words", "says"), [
    (("--split", 0, "--min-density", 1), "--split 0 is less than 1; --min-density 1 is not in [0"),
    (("--bands", "red,red"), "--bands red,red has a name twice, or none"),
    (("--bands", "red,nir"), "--bands names 2 bands, the images have 3"),
    (("--train_ratio", 0.8, "--val-ratio", 0.2), "--train_ratio and --val_ratio would do nothing"),
    (("--stored-size", 4), "--stored-size 4 is less than 8; see --help"),
    (("--split-by", "block"), "pairs that do not say where they lie: 2, first of them nowhere1"),
    ((), "that end in no number: 2, first of them lone; give --split-by city or block"),
])  # fmt: skip
def test_wrong_words_are_one_line(tmp_path: Path, capsys, words, says: str) -> None:
    root = write_aerial(tmp_path / "inria", NAMES[:2], SIZE)
    if not words:
        write_aerial(root, ["lone", "other"], SIZE)
    write_aerial(root, ["nowhere1", "nowhere2"], SIZE, placed=False)
    assert door(tmp_path, "--stored-size", 32, *words, "--dry-run") == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_folders_that_lack_something_are_one_line(tmp_path: Path, capsys) -> None:
    root = write_aerial(tmp_path / "inria", NAMES[:1], SIZE)
    assert door(tmp_path, data="inria/gt") == 2
    assert "gt: has no images/ folder; --data names the folder that" in capsys.readouterr().err
    (root / "gt" / "austin1.tif").rename(root / "gt" / "austin2.tif")
    assert door(tmp_path) == 2
    assert "no image and mask of one name (1 images, 1 masks)" in capsys.readouterr().err
    (root / "gt" / "austin2.tif").rename(root / "gt" / "austin1.tif")
    (root / "images" / "austin1.tif").write_bytes(b"II*\0")
    assert door(tmp_path) == 2
    assert "has no image that can be read; first of them austin1: is n" in capsys.readouterr().err
    for ending in ("tif", "TIFF"):
        (root / "images" / f"austin1.{ending}").write_bytes(b"II*\0")
    assert door(tmp_path) == 2
    assert "are one name" in capsys.readouterr().err


def test_a_folder_named_train_is_called_as_the_one_above(tmp_path: Path) -> None:
    write_aerial(tmp_path / "Inria" / "train", NAMES[:3], SIZE)
    for data in ("Inria", "Inria/train"):
        assert door(tmp_path, "--stored-size", 32, data=data) == 0
        assert {row.inventory for row in read_split(tmp_path / "aerial" / "32")} == {"Inria"}


def test_another_folder_joins_and_a_repeat_keeps_what_is_current(tmp_path: Path, capsys) -> None:
    write_aerial(tmp_path / "inria", NAMES[:3], SIZE)
    write_aerial(tmp_path / "more", ["vienna4", "vienna7"], SIZE)
    assert door(tmp_path, "--stored-size", 32) == 0
    assert door(tmp_path, "--stored-size", 32, "--add", data="more") == 0
    capsys.readouterr()
    assert door(tmp_path, "--stored-size", 32) == 0
    assert "step 52: 0 done, 3 already there, 0 failed" in capsys.readouterr().out
    assert len(records(tmp_path / "aerial" / "32")) == 5
    assert door(tmp_path, "--stored-size", 32, "--min-density", 0.1) == 2
    assert "min_density: 0.0 (there) against 0.1 (asked)" in capsys.readouterr().err


@pytest.mark.parametrize("how", [
    JPEG, {"compress": "deflate", "predictor": 2}, {"BIGTIFF": "YES"}, {"interleave": "band"},
    {**TILED, "ENDIANNESS": "BIG"},
])  # fmt: skip
def test_tiffs_of_every_layout_are_read(tmp_path: Path, how: dict[str, Any]) -> None:
    save_tif(tmp_path / "x.tif", photo(), PROFILE, **{"photometric": "RGB", **how})
    raster = look(tmp_path / "x.tif")
    assert raster.bands == ("red", "green", "blue") and raster.place is not None
    values, lost = read_image(raster, PixelWindow(0, 0, SIZE, SIZE), SIZE)
    loss = 8 if how is JPEG else 0
    assert lost == 0 and np.abs(values - np.moveaxis(photo(), 0, -1)).mean() <= loss


def test_a_jpeg_called_tif_is_read_with_the_place_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    save_jpeg(path, np.moveaxis(photo(), 0, -1), quality=95)
    with rasterio.open(path, "r+", driver="JPEG") as file:  # into x.tif.aux.xml
        file.crs, file.transform = PROFILE["crs"], PROFILE["transform"]
    raster = look(path)
    assert raster.bands == ("red", "green", "blue") and raster.place is not None
    assert (raster.place.ulx_m, raster.place.uly_m) == CORNER
    values, _ = read_image(raster, PixelWindow(0, 0, SIZE, SIZE), SIZE)
    assert np.abs(values - np.moveaxis(photo(), 0, -1)).mean() < 8


@pytest.mark.parametrize(("crs", "grid"), [
    ("EPSG:4326", (1e-6, 0, 85.5, 0, -1e-6, 27.6)),  # degrees
    ("EPSG:2277", (1, 0, 3e6, 0, -1, 1e7)),  # feet of Texas
    ("EPSG:32633", (0.3, 0.1, 4e5, 0.1, -0.3, 5e6)),  # turned
    ("EPSG:32633", (0.3, 0, 4e5, 0, -0.4, 5e6)),  # oblong pixels
    (None, (0.3, 0, 4e5, 0, -0.3, 5e6)),
])  # fmt: skip
def test_grids_without_square_metres_have_no_place(tmp_path: Path, crs, grid) -> None:
    profile = {**PROFILE, "crs": crs, "transform": rasterio.Affine(*grid)}
    save_tif(tmp_path / "x.tif", photo(), profile)
    raster = look(tmp_path / "x.tif")
    assert raster.place is None and not raster.fault and raster.shape == (SIZE, SIZE)
