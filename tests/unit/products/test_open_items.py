"""What an item says is held against itself: a SAFE, scales, bounds, names, saturation, parts."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.acquisitions import acquisitions
from sensor2sensor.products.discovery import find_s2
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.s2_coding import SIDECAR
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import DEFAULT_SENSING, make_s2

BANDS = ("B02", "B04")


def edited(folder: Path, change) -> Path:
    (path,) = folder.glob("S2*.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(ProductError) as caught:
        open_s2(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_safe_is_one_whatever_lies_on_top_of_it(l2a, tmp_path):
    """An item and a quick look, as some download tools leave them in the product."""
    cogs = as_cogs(l2a, tmp_path, applied=True)
    both = tmp_path / l2a.name
    shutil.copytree(l2a, both)
    shutil.copy(cogs / f"{cogs.name}.json", both / "item.json")
    shutil.copy(cogs / "B04.tif", both / "quicklook_red.tif")
    product = open_s2(both)
    assert product.layout == "SAFE" and product.images == open_s2(l2a).images
    # A product XML alone, beside COGs, makes no SAFE of them.
    shutil.copy(l2a / "MTD_MSIL2A.xml", cogs)
    assert open_s2(cogs).layout == "COG"


def coded(key: str = "red", **values):
    return lambda item: item["assets"][key].update({"raster:bands": [values]})


@pytest.mark.parametrize("applied", [True, False, None])
def test_bands_of_one_product_are_coded_alike(l2a, tmp_path, applied):
    folder = edited(as_cogs(l2a, tmp_path, applied=applied), coded(scale=1e-5, offset=-0.1))
    assert "raster:bands gives several scales" in refused(folder)


def test_an_offset_of_some_bands_alone_is_none(l2a, tmp_path):
    """It would put one band 0.1 beside the others, in a product that has one offset or none."""
    folder = as_cogs(l2a, tmp_path, applied=None)
    assert open_s2(folder).offsets["B04"] == -1000.0
    edited(folder, coded(scale=1e-4, offset=0))
    assert "raster:bands gives several offsets" in refused(folder) and SIDECAR in refused(folder)


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize(
    "given", [{"scale": 1e-320}, {"offset": -1000}, {"scale": 1e-4, "offset": 5}]
)
def test_codings_that_no_product_has_are_refused(l2a, tmp_path, applied, given):
    folder = as_cogs(l2a, tmp_path, applied=applied)
    for key in ("red", "blue"):
        edited(folder, coded(key, **given))
    assert "raster:bands of B0" in refused(folder)
    edited(folder, lambda item: item["assets"].update(
        wvp={"href": "WVP.tif", "raster:bands": [{"scale": 1.0, "offset": 0}]},
        red={**item["assets"]["red"], "raster:bands": [{"scale": 1e-4, "offset": -0.1}]},
        blue={**item["assets"]["blue"], "raster:bands": [{"scale": 1e-4, "offset": -0.1}]},
    ))  # fmt: skip
    assert open_s2(folder).quantification == 10_000.0


@pytest.mark.parametrize("name", [
    "S2A_MSIL2A_20220714T171911_N0509_R026_T31UFU_20220714T212611",
    "S2A_MSIL1C_20220714T171911_N0509_R026_T17XNA_20220714T212611",
    "S2B_MSIL2A_20220714T171911_N0509_R026_T17XNA_20220714T212611",
    "S2A_MSIL2A_20220713T171911_N0509_R026_T17XNA_20220713T212611",
])  # fmt: skip
def test_an_item_that_names_another_product_is_refused(l2a, tmp_path, name):
    folder = as_cogs(l2a, tmp_path, applied=True, item={"s2:product_uri": f"{name}.SAFE"})
    assert f"names the product {name}" in refused(folder)


def test_numbers_beyond_all_bounds_are_no_numbers(l2a, tmp_path):
    folder = as_cogs(l2a, tmp_path, applied=True)
    edited(folder, lambda item: item["properties"].update({"eo:cloud_cover": 10**400}))
    assert "eo:cloud_cover is" in refused(folder) and "not a number" in refused(folder)
    assert len(refused(folder)) < 400
    (folder / SIDECAR).write_text('{"offset": 1' + "0" * 400 + "}")
    edited(folder, lambda item: item["properties"].update({"eo:cloud_cover": 1}))
    assert "no offset of digital numbers" in refused(folder)


@pytest.mark.parametrize("baseline, applied, by", [
    ("05.09", True, "boa_offset_applied"), ("05.09", False, "raster:bands"),
    ("05.09", True, SIDECAR), ("02.14", True, "boa_offset_applied"),
])  # fmt: skip
def test_saturated_pixels_are_saturated_in_every_form(tmp_path, baseline, applied, by):
    """Numbers from which 1000 was taken off reach 64535 alone."""
    of = make_s2(
        tmp_path, level="L2A", baseline=baseline, size_px=192, bands=BANDS, cloud=0.3,
        quality_masks=False,
    )  # fmt: skip
    folder = as_cogs(of, tmp_path / "cogs", applied=applied)
    if by == SIDECAR:
        (folder / SIDECAR).write_text('{"offset": 0}')
    full = []
    for product in (open_s2(of), open_s2(folder)):
        word = product.read_reflectance(BANDS, 10)[1]
        full.append((word & np.uint32(Quality.S2_SATURATED)) != 0)
    assert open_s2(folder).offset_source == by
    assert full[0].any() and (full[0] == full[1]).all()


@pytest.mark.parametrize("info", [True, False])
def test_parts_of_a_tile_are_parts_whether_an_outline_is_given_or_not(tmp_path, info):
    """Without `tileInfo.json` nothing but the pixels says which part of the tile was seen."""
    for number, part in enumerate([(0.0, 0.43), (0.43, 1.0)]):
        one = make_s2(
            tmp_path / f"l2a{number}", level="L1C", baseline="04.00", part=part, size_px=192,
            bands=BANDS, quality_masks=False, strip=DEFAULT_SENSING + timedelta(seconds=4 + number),
        )  # fmt: skip
        tile = as_tile(one, tmp_path / "archive" / str(number))
        if not info:
            (tile / "tileInfo.json").unlink()
        said, seen = open_s2(one).footprint, open_s2(tile).footprint
        assert said.symmetric_difference(seen).area < 0.03 * said.area
    found, failures = find_s2(tmp_path / "archive")
    assert [len(group) for group in acquisitions(found)] == [1, 1] and not failures


@pytest.mark.parametrize("stamp", ["99999999T999999", "00010101T000000"])
def test_senseless_times_in_names_are_named(l2a, tmp_path, stamp):
    name = open_s2(l2a).name
    for number, right in enumerate(("20220714T171911", "20220714T212611")):
        wrong = name.replace(right, stamp)
        said = {"s2:product_uri": f"{wrong}.SAFE", "s2:generation_time": None}
        cogs = as_cogs(l2a, tmp_path / f"cogs{number}", applied=True, item=said)
        tile = as_tile(l2a, tmp_path / f"tile{number}")
        for path in tile.glob("*Info.json"):
            path.write_text(path.read_text().replace(name, wrong))
        assert all(f"is '{stamp}', n" in refused(folder) for folder in (cogs, tile))


GEOMETRIES = (
    *(None, {"type": 3}, {"type": "Point", "coordinates": [0, 0]}),
    {"type": "Polygon", "coordinates": [[[0, 99]] * 4]},
)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_footprint_that_is_none_is_named(l2a, tmp_path, geometry):
    folder = as_cogs(l2a, tmp_path, applied=True)
    edited(folder, lambda content: content.update(geometry=geometry))
    assert "geometry" in refused(folder)


def test_a_footprint_without_an_area_is_none(l2a, tmp_path):
    folder = as_cogs(l2a, tmp_path, applied=True)
    line = {"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 1], [1, 1]]]}
    edited(folder, lambda item: item.update(geometry=line))
    assert "geometry has no area" in refused(folder)
