"""Which images are bands of a product of an open bucket, and that they lie where it lies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from sensor2sensor.core import watched
from sensor2sensor.core.errors import ProductError
from sensor2sensor.preprocess.inventory.scan import check_sentinel2
from sensor2sensor.preprocess.tiles.pair import OpenPair
from sensor2sensor.products.discovery import find
from sensor2sensor.products.examination import Search
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import make_s2
from tests.unit.products.test_open_buckets import BANDS, SIZE, edited, reflectance, unknown


@pytest.fixture(scope="module")
def safe(tmp_path_factory) -> Path:
    return make_s2(
        tmp_path_factory.mktemp("safe"), level="L2A", baseline="05.09", size_px=SIZE,
        bands=[*BANDS, "B05", "B8A"], cloud=0.3, nodata_wedge=0.1, quality_masks=False,
    )  # fmt: skip


def moved(path: Path, by_px: float = 10980.0, crs: str | None = None) -> None:
    """Let an image say that it lies elsewhere."""
    import rasterio
    from rasterio.transform import Affine

    with rasterio.open(path, "r+") as image:
        image.transform = image.transform @ Affine.translation(by_px, 0)
        image.crs = crs or image.crs


@pytest.mark.parametrize("band", ["B02", "B04", "B05", "SCL"])
def test_an_image_of_another_place_is_refused_with_both_places(safe, tmp_path, band):
    folder = as_cogs(safe, tmp_path, applied=True)
    moved(folder / f"{band}.tif", 1.0)
    size = 10 if band in BANDS else 20
    with pytest.raises(ProductError) as caught:
        check_sentinel2(open_s2(folder), bands=BANDS, resolution_m=10, verify=False)
        reflectance(open_s2(folder))
    here, there = f"lies at {499980 + size}, 8100000 ", "its tile at 499980, 8100000 (EPSG:32617"
    assert f"{band}.tif: {here}" in str(caught.value) and there in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_of_another_zone_is_refused(safe, tmp_path):
    folder = as_cogs(safe, tmp_path, applied=True)
    moved(folder / "B04.tif", 0.0, "EPSG:32618")
    with pytest.raises(ProductError, match=r"B04\.tif: lies at 499980, 8100000 \(EPSG:32618"):
        reflectance(open_s2(folder))


def test_images_that_nothing_describes_are_held_against_each_other(safe, tmp_path):
    """An item without proj:transform: the sizes among each other, bands of one size when read."""
    folder = as_cogs(safe, tmp_path, applied=True)
    edited(folder, lambda c: [one.pop("proj:transform") for one in c["assets"].values()])
    assert check_sentinel2(open_s2(folder), bands=BANDS, resolution_m=10, verify=False) == []
    for name in ("B05.tif", "B8A.tif", "SCL.tif"):
        moved(folder / name, 5490.0)
    assert "lies at 609780, 8100000" in unknown(folder)
    for name in ("B02.tif", "B04.tif"):
        moved(folder / name)
    # All agree now, but not with what the item says was seen.
    assert "geometry reaches over 499980, 8098080" in unknown(folder)
    edited(folder, lambda c: c["assets"]["red"].update({"proj:transform": [10, 0, 5, 0, -10, 7]}))
    assert "its tile at 5, 7 (EPSG:32617" in unknown(folder)
    edited(folder, lambda c: c["assets"]["blue"].update({"proj:transform": [10, 0, 6, 0, -10, 7]}))
    assert "proj:transform of blue and red are of different places" in unknown(folder)
    edited(folder, lambda c: c["assets"]["blue"].update({"proj:transform": [10, 0, "x"]}))
    assert "assets.blue proj:transform is 'x', not a number" in unknown(folder)


def test_a_band_is_of_one_kind_at_every_size(safe, tmp_path):
    """The ground segment's JPEG 2000 in R10m to R60m carry the offset that its COGs have lost."""
    folder, tile = as_cogs(safe, tmp_path, applied=True), as_tile(safe, tmp_path / "tile")
    alone = open_s2(folder)
    for name in ("R10m", "R20m", "R60m"):
        shutil.copytree(tile / name, folder / name)
    product = open_s2(folder)
    assert product.images == alone.images and product.offsets == alone.offsets
    assert np.array_equal(reflectance(product), reflectance(alone), equal_nan=True)
    # Of a band that is there as JPEG 2000 alone the flag is not believed.
    (folder / "B05.tif").unlink()
    assert "these are JPEG 2000" in unknown(folder)
    # A tile's metadata speak of its own images.
    whole = open_s2(tile)
    shutil.copy(folder / "B02.tif", tile / "B02.tif")
    assert open_s2(tile).images == whole.images and open_s2(tile).offsets["B02"] == -1000.0


@pytest.mark.parametrize("papers", ["xml", "jsons"])
def test_images_of_a_tile_lie_where_its_papers_say(safe, tmp_path, papers):
    folder = as_tile(safe, tmp_path, xml=papers == "xml", jsons=papers == "jsons")
    if papers == "xml":
        text = (folder / "metadata.xml").read_text()
        (folder / "metadata.xml").write_text(text.replace(">499980<", ">609780<"))
    else:
        info = json.loads((folder / "tileInfo.json").read_text())
        info["tileOrigin"] = {"type": "Point", "coordinates": [609780, 8100000]}
        (folder / "tileInfo.json").write_text(json.dumps(info))
    assert "lies at 499980, 8100000 " in unknown(folder)
    assert "its tile at 609780, 8100000 " in unknown(folder)


def placed_by_side_files(folder: Path) -> Path:
    """Let `.aux.xml` files alone say where the images of 10 m lie."""
    import rasterio

    for name in ("B02", "B04"):
        with rasterio.open(folder / f"{name}.tif") as image:
            numbers, transform = image.read(1), image.transform
        (folder / f"{name}.tif").unlink()
        with rasterio.open(folder / f"{name}.tif", "w", driver="GTiff", count=1, dtype="uint16",
                           width=SIZE, height=SIZE, TFW="NO", PROFILE="BASELINE",
                           crs="EPSG:32617", transform=transform) as image:  # fmt: skip
            image.write(numbers, 1)
    return folder


def test_a_place_in_a_side_file_counts_too(safe, tmp_path):
    folder = placed_by_side_files(as_cogs(safe, tmp_path, applied=True))
    side = folder / "B04.tif.aux.xml"
    assert side.is_file() and len(reflectance(open_s2(folder))) == SIZE
    text = side.read_text()
    side.write_text(text.replace("4.9998", "6.0978"))
    assert side.read_text() != text
    with pytest.raises(ProductError, match=r"B04\.tif: lies at 609780, 8100000"):
        reflectance(open_s2(folder))


def test_a_side_file_that_is_altered_is_no_news_of_before(safe, tmp_path, monkeypatch):
    """Neither for what an inventory remembers nor for tiles that were cut."""
    monkeypatch.setattr(watched, "SETTLED_S", -1e6)
    folder = placed_by_side_files(as_cogs(safe, tmp_path / "archive", applied=True))
    for name in ("B05", "B8A", "SCL"):
        (folder / f"{name}.tif").unlink()
    edited(folder, lambda c: [one.pop("proj:transform") for one in c["assets"].values()])
    options = SimpleNamespace(resolution_m=10)

    def found(memory: Path | None = tmp_path / "_inventory") -> tuple[object, object]:
        ((product,), failures) = find(Search(folder.parent, "S2", "T17XNA"), memory=memory)
        assert not failures
        pair = SimpleNamespace(options=options, _members_of=lambda _: [])
        return product.product.grids, OpenPair._marks_of(cast("OpenPair", pair), product.product)

    before = found()
    assert found() == before
    for side in folder.glob("*.aux.xml"):
        side.write_text(side.read_text().replace("4.9998", "5.0004"))
    grids, marks = found()
    assert (grids, marks) == found(None) and grids != before[0] and marks != before[1]


def test_an_image_of_a_safe_lies_where_its_xml_says(safe, tmp_path):
    copy = Path(shutil.copytree(safe, tmp_path / safe.name))
    (xml,) = copy.glob("GRANULE/*/MTD_TL.xml")
    xml.write_text(xml.read_text().replace(">499980<", ">609780<"))
    with pytest.raises(ProductError, match=r"B02_10m\.jp2: lies at 499980, 8100000"):
        reflectance(open_s2(copy))
    with pytest.raises(ProductError, match=r"SCL_20m\.jp2: lies at 499980, 8100000"):
        open_s2(copy).read_quality(10)


DERIVED = (
    *("ndvi_without_red.tif", "mask_B04.tif", "DETFOO_B04.tif", "T17XNA_B04.tif", "x-red.tif"),
    *("S2A_17XNA_20220714_0_L2A_ndvi_red.tif", "T17XNA_20220714T171911_DETFOO_B04.tif"),
)


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_called_after_a_band_is_none(safe, tmp_path, name):
    folder = as_cogs(safe, tmp_path, applied=True)
    shutil.copy(folder / "B02.tif", folder / name)
    assert open_s2(folder).images["B04", 10] == "B04.tif"
    (folder / "B04.tif").unlink()
    assert open_s2(folder).bands_at(10) == ("B02",)
    assert "missing B04 at 10 m" in check_sentinel2(
        open_s2(folder), bands=BANDS, resolution_m=10, verify=False
    )


@pytest.mark.parametrize("name", ["DETFOO_B04.jp2", "MSK_DETFOO_B04.jp2", "ndvi_red.jp2"])
def test_masks_among_the_bands_of_a_tile_are_none(safe, tmp_path, name):
    folder = as_tile(safe, tmp_path)
    (folder / "R10m" / "B04.jp2").rename(folder / "R10m" / name)
    assert open_s2(folder).bands_at(10) == ("B02",)


NAMES = (
    *("B04.tif", "b04_10m.tif", "red.tif", "T17XNA_20220714T171911_B04.tif", "Red-10m.TIFF"),
    *("L2A_T17XNA_20170714T171911_B04_10m.tif", "S2A_17XNA_20220714_0_L2A_B04.tif"),
    "S2A_T17XNA_20220714T171911_L2A_red.tif",
    "S2A_OPER_MSI_L1C_TL_SGS__20151126T164434_A002222_T17XNA_B04.tif",
    "S2A_USER_MSI_L2A_TL_EPA__20151126T164434_A002222_T17XNA_B04_10m.tif",
    "S2A_MSIL2A_20220714T171911_N0400_R112_T17XNA_20220714T202020_B04_10m.tif",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_band_is_known_by_the_names_of_the_buckets(safe, tmp_path, name):
    folder = as_cogs(safe, tmp_path, applied=True)
    (folder / "B04.tif").rename(folder / name)
    assert open_s2(folder).images["B04", 10] == name


def test_an_item_may_call_its_bands_what_it_likes(safe, tmp_path):
    folder = as_cogs(safe, tmp_path, applied=True)
    (folder / "B04.tif").rename(folder / "scene_B02_B03_red.tif")
    (folder / "B05.tif").rename(folder / "five.tif")
    hrefs = {"red": "x/scene_B02_B03_red.tif", "rededge1": "https://example.org/five.tif"}
    edited(folder, lambda c: [c["assets"][key].update(href=one) for key, one in hrefs.items()])
    product = open_s2(folder)
    assert product.images["B04", 10] == "scene_B02_B03_red.tif"
    assert product.images["B05", 20] == "five.tif"
