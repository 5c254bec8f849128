"""Clouds of scenes without a mask of their own: their percentage, or a raster from a file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.preprocess.tiles.table import read_table
from sensor2sensor.products.quality import CLOUD
from sensor2sensor.products.s2_clouds import masked
from sensor2sensor.products.s2_parts import together
from sensor2sensor.products.sentinel2 import open_s2
from tests.unit.preprocess.tifs_archive import archive, folder_of, select, step40


@pytest.fixture
def unmasked(tmp_path: Path) -> Path:
    """The archive with its first scene selected, which has no mask of clouds."""
    root = archive(tmp_path)
    for path in (root / "s2").glob("*.SAFE/GRANULE/*/QI_DATA/MSK_*"):
        path.unlink()
    select(root, 0)
    return root


def safe(root: Path) -> Path:
    (found,) = (root / "s2").glob("*.SAFE")
    return found


def percentage(root: Path, text: str) -> None:
    xml = safe(root) / "MTD_MSIL1C.xml"
    name = "Cloud_Coverage_Assessment"
    xml.write_text(re.sub(f"<{name}>.*</{name}>", text, xml.read_text()))


def raster(path: Path, values: np.ndarray, size_m: float = 20.0, **profile) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"crs": "EPSG:32617", "transform": Affine(size_m, 0, 499980, 0, -size_m, 8100000)}
    with rasterio.open(
        path, "w", driver="GTiff", dtype=values.dtype, count=1, height=values.shape[0],
        width=values.shape[1], **{**given, **profile},
    ) as target:  # fmt: skip
        target.write(values, 1)
    return path


def west(value: int = 1, dtype: type = np.uint8) -> np.ndarray:
    """Cloud over the western half of the scene of 3.84 km, in pixels of 20 m."""
    values = np.zeros((192, 192), dtype)
    values[:, :96] = value
    return values


def run(root: Path, *more: str) -> int:
    return step40(root, "--quantity", "4", "--no-verify", *more)


def test_a_scenes_own_percentage_lets_it_in_or_not(unmasked, capsys):
    percentage(unmasked, "<Cloud_Coverage_Assessment>7.5</Cloud_Coverage_Assessment>")
    assert run(unmasked) == 1 and "--unknown-cloud scene" in capsys.readouterr().out
    assert run(unmasked, "--unknown-cloud", "scene") == 0
    rows = read_table(folder_of(unmasked) / "tiles.csv")
    assert {row.cloud_source for row in rows} == {"scene 7.5 %"}
    assert {row.cloud_fraction for row in rows} == {None}
    manifest = json.loads((folder_of(unmasked) / "manifest.json").read_text())
    assert manifest["scenes"]["0"]["cloud_source"] == "scene 7.5 %"
    assert manifest["scenes"]["0"]["quality_source"] == "none"
    assert run(unmasked, "--unknown-cloud", "scene") == 0
    assert "1 already there" in capsys.readouterr().out
    # It let scenes out, so those may come now; the other way round tiles would have to go.
    assert run(unmasked, "--unknown-cloud", "accept") == 0
    assert run(unmasked, "--unknown-cloud", "scene") == 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("<Cloud_Coverage_Assessment>12</Cloud_Coverage_Assessment>", "cloudy by 12 % as it says"),
        ("", "neither a cloud mask nor a cloud percentage"),
    ],
)
def test_a_scene_too_cloudy_or_silent_fails_in_one_line(unmasked, capsys, text, message):
    percentage(unmasked, text)
    assert run(unmasked, "--unknown-cloud", "scene") == 1
    said = capsys.readouterr().out
    assert message in said and not list(folder_of(unmasked).glob("*.tif"))


@pytest.mark.parametrize(
    "place, pattern",
    [
        ("{name}_CLD.tif", "*_CLD.tif"),
        ("{name}.SAFE/masks/CLD.tif", "CLD*.tif"),
        ("clouds/{name}/prob.tif", "clouds/{name}/*.tif"),
    ],
)
def test_a_mask_from_a_file_keeps_tiles_clear(unmasked, place, pattern):
    name = safe(unmasked).name.removesuffix(".SAFE")
    raster(unmasked / "s2" / place.format(name=name), west(80))
    raster(unmasked / "s2" / "S2A_MSIL1C_of_another_CLD.tif", np.ones((192, 192), np.uint8))
    options = ("--cloud-mask", pattern, "--cloud-mask-above", "40", "--max-cloud", "0")
    assert run(unmasked, *options) == 0
    rows = read_table(folder_of(unmasked) / "tiles.csv")
    assert len(rows) == 4 and all(row.x >= 192 and row.cloud_fraction == 0.0 for row in rows)
    (source,) = {row.cloud_source for row in rows}
    assert source == f"{place.format(name=name).rpartition('/')[2]} > 40"
    manifest = json.loads((folder_of(unmasked) / "manifest.json").read_text())
    facts = manifest["scenes"]["0"]
    assert facts["cloud_source"] == source and "S2_CLOUD" in facts["quality_bits"]
    assert facts["rejected"]["cloud"] > 0
    assert manifest["options"]["cloud_mask"] == pattern


def test_the_band_that_says_where_a_mask_counts_is_looked_at_too(unmasked, capsys):
    name = safe(unmasked).name.removesuffix(".SAFE")
    raster(unmasked / "s2" / f"{name}_CLD.tif", west())
    given = ("--bands", "B04", "--cloud-mask", "*_CLD.tif", "--cloud-mask-above", "0")
    for said in ("1 done, 0 already there", "0 done, 1 already there"):
        capsys.readouterr()
        assert run(unmasked, *given) == 0 and said in capsys.readouterr().out
    (first,) = safe(unmasked).rglob("*_B02.jp2")
    os.utime(first, (1, 1))
    assert run(unmasked, *given) == 0 and "1 done, 0 already" in capsys.readouterr().out


def test_another_mask_makes_other_tiles_and_none_leaves_all_as_it_was(unmasked, capsys):
    name = safe(unmasked).name.removesuffix(".SAFE")
    mask = raster(unmasked / "s2" / f"{name}_CLD.tif", west())
    options = ("--cloud-mask", "*_CLD.tif", "--max-cloud", "0")
    assert run(unmasked, *options) == 0
    assert run(unmasked, *options) == 0 and "1 already there" in capsys.readouterr().out
    raster(mask, west()[:, ::-1].copy())
    assert run(unmasked, *options) == 0
    assert all(row.x < 192 for row in read_table(folder_of(unmasked) / "tiles.csv"))
    mask.unlink()  # finished tiles outlive it, new ones are not cut
    assert run(unmasked, *options) == 0
    assert "its 4 tiles of before stay" in capsys.readouterr().out
    # A product's own mask serves where the pattern finds none.
    select(unmasked, 2)
    assert run(unmasked, *options) == 0
    row = read_table(folder_of(unmasked) / "tiles.csv")[0]
    assert row.cloud_source is None and row.cloud_fraction == 0.0
    header = (folder_of(unmasked) / "tiles.csv").read_text().partition("\n")[0]
    assert "cloud_source" not in header


def test_patterns_that_leave_the_archive_are_refused(unmasked, capsys):
    for pattern in ("/etc/*.tif", "../*.tif", ""):
        assert run(unmasked, "--cloud-mask", pattern) == 2
        assert "must be a pattern of files below s2_root" in capsys.readouterr().err


def word(root: Path, path: Path, above: float = 0.0, x: int = 0, **window) -> np.ndarray:
    product = masked(open_s2(safe(root)), f"{path.parent.name}/{path.name}", above, root / "s2")
    if product.cloud_mask is None:
        product = masked(open_s2(safe(root)), path.name, above, root / "s2")
    got, _ = product.read_quality(10, PixelWindow(x, 0, 384, 384))
    return (got & np.uint32(CLOUD)) != 0


def test_what_a_mask_does_not_say_is_cloud(unmasked):
    name = safe(unmasked).name.removesuffix(".SAFE")
    path = unmasked / "s2" / f"{name}_M.tif"
    half = np.zeros((384, 384), np.bool_)
    half[:, :192] = True
    for values, profile in (
        (west(), {}),
        (west(), {"nodata": 0}),  # masks of 0 and 1 are often written so
        (west(255), {"nodata": 255}),
        (np.where(west() > 0, np.nan, 0.0).astype(np.float32), {"nodata": np.nan}),
        (west(-9, np.int16), {"nodata": -9}),
    ):
        assert (word(unmasked, raster(path, values, **profile)) == half).all()
    # Half a raster, a coarse one, and a window that leaves the tile.
    east = {"transform": Affine(20.0, 0, 501900, 0, -20.0, 8100000)}
    assert (word(unmasked, raster(path, west()[:, 96:] * 0, **east)) == half).all()
    assert word(unmasked, raster(path, np.ones((64, 64), np.uint8), 60.0)).all()
    beyond = word(unmasked, raster(path, west() * 0), x=-10)
    assert not beyond.any(), "beyond the tile there is no data, and no data is no cloud"


def test_masks_that_cannot_be_used_are_named(unmasked):
    name = safe(unmasked).name.removesuffix(".SAFE")
    path = unmasked / "s2" / f"{name}_M.tif"
    with pytest.raises(ProductError, match=r"mask has EPSG:32618, its tile EPSG:32617"):
        word(unmasked, raster(path, west(), crs="EPSG:32618"))
    path.write_bytes(b"II*\0")
    with pytest.raises(ProductError, match=r"_M\.tif: unreadable"):
        word(unmasked, path)
    path.unlink()
    raster(path, west())
    raster(path.with_name(f"{name}_N.tif"), west())
    with pytest.raises(ProductError, match="2 files fit the cloud mask"):
        masked(open_s2(safe(unmasked)), "*_?.tif", 0.0, unmasked / "s2")


def test_parts_of_a_tile_have_masks_of_their_own(unmasked):
    product = open_s2(safe(unmasked))
    both = together([product, product])
    raster(unmasked / "s2" / f"{product.name}_M.tif", west())
    made = masked(both, "*_M.tif", 0.0, unmasked / "s2")
    assert all(part.cloud_mask is not None for part in made.parts)
    assert made.quality_given(10) & CLOUD


def test_a_pattern_that_fits_nothing_is_said_and_one_that_fits_no_raster_is_named(both, capsys):
    assert step40(both, "--quantity", "1", "--cloud-mask", "*_NOPE.tif") == 0
    told = "fits no file of these scenes, whose own masks were taken (2): scene 0000"
    assert told in capsys.readouterr().out
    assert step40(both, "--quantity", "1", "--force", "--cloud-mask", "*MTD_TL.xml") == 2
    said = capsys.readouterr().err
    assert "MTD_TL.xml" in said and "see whether --cloud-mask names what it should" in said
    assert "fetch" not in said
