"""Theia's level 2A: found in folders and zips, read x 10000, refused with a reason."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import rasterio

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.theia import open_theia_scene
from sensor2sensor.predictors.card import Card
from sensor2sensor.predictors.exported import card_form
from sensor2sensor.products.theia import open_theia
from tests.fakes.theia import NAME, NODATA, ground, write_theia

GAP = (slice(4, 6), slice(7, 10))


@pytest.mark.parametrize("zipped", [False, True])
def test_pixels_come_back_negative_ones_and_gaps_included(tmp_path, zipped):
    product = open_theia(write_theia(tmp_path, side_px=40, gap=GAP, zipped=zipped))
    assert product.name == NAME and len(product.members) == 10
    assert product.grid("B2") == Grid(32631, 399960.0, 4800000.0, 10.0, 40, 40)
    assert product.grid("B8A").shape == (20, 20)
    wanted = ground("B8A", 20, 0).astype(np.float32)
    wanted[GAP] = np.nan
    assert wanted[~np.isnan(wanted)].min() < 0
    window = PixelWindow(3, 2, 12, 15)
    np.testing.assert_array_equal(product.read("B8A", window), wanted[window.rows, window.columns])


def test_a_folder_around_the_product_is_no_matter(tmp_path):
    write_theia(tmp_path / "unpacked", side_px=20)
    assert open_theia(tmp_path / "unpacked").grid("B2").width_px == 20


def test_the_metadata_say_how_numbers_are_stored(tmp_path):
    product = write_theia(tmp_path, side_px=20)
    path = product / f"{NAME}_MTD_ALL.xml"
    text = path.read_text().replace(">10000<", ">1000<").replace(f">{NODATA}<", ">1500<")
    path.write_text(text)
    stored = ground("B2", 20, 0)
    read = open_theia(product).read("B2", PixelWindow(0, 0, 20, 20))
    np.testing.assert_array_equal(np.isnan(read), stored == 1500)
    there = stored != 1500
    np.testing.assert_allclose(read[there], stored[there] * 10.0)


def _without(pattern):
    def change(product):
        for path in product.rglob(pattern):
            path.unlink()

    return change


def _moved(product):
    path = product / f"{NAME}_FRE_B5.tif"
    with rasterio.open(path, "r+") as file:
        file.transform = rasterio.Affine(20, 0, 400000, 0, -20, 4800000)


def _truncated(product):
    path = product / f"{NAME}_FRE_B5.tif"
    path.write_bytes(path.read_bytes()[:200])


def _beside_another(product):
    name = NAME.replace("20190531", "20190610")
    other = write_theia(product.parent / "b", side_px=20, name=name) / f"{name}_FRE_B5.tif"
    shutil.copy(other, product)


def _twice(product):
    (product / "copy").mkdir()
    shutil.copy(product / f"{NAME}_FRE_B5.tif", product / "copy")


@pytest.mark.parametrize(("change", "said"), [
    (_beside_another, r"images of SENTINEL2B_20190610-\S+ beside the metadata of \S+_20190531-"),
    (_twice, r"two images of one band, SENT\S+_FRE_B5.tif and copy/SENT\S+_FRE_B5.tif"),
    (_without("*MTD_ALL.xml"), "no level 2A product of Theia"),
    (_without("*FRE*"), "has no FRE images"),
    (_without("*FRE_B5.tif"), "no FRE image of B5"),
    (_moved, "B5 does not lie on the grid"),
    (_truncated, "B5.tif: unreadable|B5.tif: is on no north-up grid"),
    (lambda product: shutil.rmtree(product), "no such product"),
])  # fmt: skip
def test_what_is_wrong_is_one_line(tmp_path, change, said):
    product = write_theia(tmp_path, side_px=20)
    change(product)
    form = card_form(Card(tmp_path / "m.yaml", tmp_path / "m.onnx", ("B2", "B5"), 2, 4))
    with pytest.raises(ProductError, match=said) as caught:
        open_theia_scene(product, form, SceneOptions()).window(PixelWindow(0, 0, 40, 40))
    assert "\n" not in str(caught.value)


def test_a_product_of_esa_is_called_one(tmp_path):
    (tmp_path / "S2A_MSIL2A_X.SAFE").mkdir()
    (tmp_path / "S2A_MSIL2A_X.SAFE" / "MTD_MSIL2A.xml").write_text("<a/>")
    with pytest.raises(ProductError, match="ESA's format"):
        open_theia(tmp_path / "S2A_MSIL2A_X.SAFE")
