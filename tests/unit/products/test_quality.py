"""The quality word: bits, sources, and masks brought onto any grid."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.products.quality import (
    CLOUD_MASK_TYPES,
    GIVEN_BY,
    Quality,
    from_classi,
    from_olci_flags,
    from_scl,
)
from sensor2sensor.products.sentinel2 import S2Product, open_s2

Maker = Callable[..., Path]


def test_every_bit_fits_a_float32_exactly() -> None:
    everything = int(sum(Quality))
    assert everything < 2**24
    assert int(np.float32(everything)) == everything
    assert len({int(bit) for bit in Quality}) == 21


def stored_classes(product: S2Product, resolution_m: int) -> np.ndarray:
    with rasterio.open(product.files.gdal_path(product.band_member("SCL", resolution_m))) as source:
        return source.read(1)


SCL_MEANING = {
    "S2_NODATA": [0],
    "S2_DEFECTIVE": [1],
    "S2_SHADOW": [3],
    "S2_WATER": [6],
    "S2_CLOUD": [8, 9],
    "S2_CIRRUS": [10],
    "S2_SNOW": [11],
}


@pytest.mark.parametrize("bit", SCL_MEANING)
def test_scene_classes_become_bits(bit: str) -> None:
    classes = np.arange(12, dtype=np.uint8)
    set_by = np.flatnonzero(from_scl(classes) & int(Quality[bit]))
    assert set_by.tolist() == SCL_MEANING[bit]


def test_level_2a_takes_its_own_classification(s2_product: Maker) -> None:
    product = open_s2(s2_product(level="L2A", cloud=0.3, nodata_wedge=0.2))
    classes = stored_classes(product, 20)
    word, source = product.read_quality(20)
    assert source == product.quality_source(20) == "SCL"
    np.testing.assert_array_equal(word, from_scl(classes))
    fine, _ = product.read_quality(10, PixelWindow(31, 40, 57, 63))
    rows, columns = (40 + np.arange(63)) // 2, (31 + np.arange(57)) // 2
    np.testing.assert_array_equal(fine, word[np.ix_(rows, columns)])
    outside, _ = product.read_quality(10, PixelWindow(-4, 0, 8, 4))
    assert (outside[:, :4] == Quality.S2_NODATA).all()


def test_the_real_product_is_as_cloudy_as_its_metadata_say(real_data: Path) -> None:
    product = open_s2(next((real_data / "s2_safe").glob("S2A_MSIL2A*")))
    word, source = product.read_quality(60)
    assert source == "SCL"
    seen = word & Quality.S2_NODATA == 0
    cloudy = word[seen] & (Quality.S2_CLOUD | Quality.S2_CIRRUS) > 0
    assert cloudy.mean() == pytest.approx(product.cloud_fraction, abs=0.002)


@pytest.mark.parametrize(("baseline", "kind"), [("04.00", "MSK_CLASSI"), ("03.01", "MSK_CLOUDS")])
def test_level_1c_takes_the_mask_of_its_baseline(
    s2_product: Maker, baseline: str, kind: str
) -> None:
    product = open_s2(s2_product(level="L1C", baseline=baseline, cloud=0.3))
    word, source = product.read_quality(10)
    assert source == kind
    cloudy = (word & (Quality.S2_CLOUD | Quality.S2_CIRRUS) > 0).mean()
    assert cloudy == pytest.approx(product.cloud_fraction, abs=0.1)
    assert product.masks[kind] in product.members_for(("B02",), 10)


def test_both_masks_show_the_same_clouds(s2_product: Maker) -> None:
    words = []
    for baseline in ("04.00", "03.01"):
        product = open_s2(s2_product(level="L1C", baseline=baseline, cloud=0.3))
        words.append(product.read_quality(60)[0] & Quality.S2_CLOUD > 0)
    assert words[0].any()
    assert (words[0] != words[1]).mean() < 0.05


def test_cloud_polygons_have_holes_and_types(s2_product: Maker, tmp_path: Path) -> None:
    folder = shutil.copytree(s2_product(level="L1C", baseline="03.01"), tmp_path / "x.SAFE")
    product = open_s2(folder)
    (folder / product.masks["MSK_CLOUDS"]).write_text(_GML, encoding="utf-8")
    word, _ = product.read_quality(10, PixelWindow(0, 0, 30, 20))
    cloud = np.zeros((20, 30), bool)
    cloud[2:12, 3:13] = True
    cloud[5:8, 6:9] = False
    np.testing.assert_array_equal(word & Quality.S2_CLOUD > 0, cloud)
    cirrus = np.zeros((20, 30), bool)
    cirrus[10:14, 20:25] = True
    np.testing.assert_array_equal(word & Quality.S2_CIRRUS > 0, cirrus)


def test_a_damaged_cloud_mask_is_named(s2_product: Maker, tmp_path: Path) -> None:
    folder = shutil.copytree(s2_product(level="L1C", baseline="03.01"), tmp_path / "x.SAFE")
    product = open_s2(folder)
    broken = _GML.replace(">CIRRUS<", ">UFO<")
    (folder / product.masks["MSK_CLOUDS"]).write_text(broken, encoding="utf-8")
    with pytest.raises(ProductError, match=r"MSK_CLOUDS_B00\.gml: element maskType is 'UFO'"):
        product.read_quality(10)


def test_without_any_mask_the_source_is_none(s2_product: Maker, tmp_path: Path) -> None:
    folder = shutil.copytree(s2_product(level="L1C", baseline="03.01"), tmp_path / "x.SAFE")
    product = open_s2(folder)
    (folder / product.masks["MSK_CLOUDS"]).unlink()
    word, source = product.read_quality(20, PixelWindow(0, 0, 5, 4))
    assert source == "none"
    assert word.shape == (4, 5)
    assert not word.any()


OLD = [f"saturated@Oa{number:02d}" for number in range(1, 22)]
COMMON = {
    "land": (31, "OLCI_LAND"),
    "coastline": (30, "OLCI_COAST"),
    "fresh_inland_water": (29, "OLCI_FRESH_WATER"),
    "tidal_region": (28, "OLCI_TIDAL"),
    "bright": (27, "OLCI_BRIGHT"),
    "straylight_risk": (26, "OLCI_STRAYLIGHT"),
    "invalid": (25, "OLCI_INVALID"),
    "cosmetic": (24, "OLCI_COSMETIC"),
    "duplicated": (23, "OLCI_DUPLICATED"),
    "sun-glint_risk": (22, "OLCI_SUN_GLINT"),
    "dubious": (21, "OLCI_DUBIOUS"),
}


@pytest.mark.parametrize("saturation", [OLD, ["saturated", "partially_saturated"]])
def test_olci_flags_are_read_by_name(saturation: list[str]) -> None:
    masks = {name: 1 << bit for name, (bit, _) in COMMON.items()}
    masks |= {name: 1 << (20 - index) for index, name in enumerate(saturation)}
    for name, (bit, ours) in COMMON.items():
        word = from_olci_flags(np.array([0, 1 << bit], np.uint32), masks)
        assert word.tolist() == [0, int(Quality[ours])], name
    for index, name in enumerate(saturation):
        word = from_olci_flags(np.array([1 << (20 - index)], np.uint32), masks)
        assert word.tolist() == [int(Quality.OLCI_SATURATED)], name


def test_the_flags_of_a_real_scene(real_data: Path) -> None:
    """A full scene sampled 1:100; its flag names carry SNAP's underscores."""
    path = next((real_data / "olci" / "snap_export").glob("S3A_OL_1_EFR*.nc"))  # classic netCDF
    with xarray.open_dataset(path, engine="scipy", decode_cf=False) as file:
        stored = file["quality_flags"]
        words = stored.values.astype(np.int32).view(np.uint32)
        meanings = str(stored.attrs["flag_meanings"]).split()
        masks = np.asarray(stored.attrs["flag_masks"], np.int32).view(np.uint32)
    quality = from_olci_flags(words, dict(zip(meanings, masks.tolist(), strict=True)))
    share = {bit: float((quality & bit > 0).mean()) for bit in Quality}
    assert 0.20 < share[Quality.OLCI_DUPLICATED] < 0.27
    assert 0.01 < share[Quality.OLCI_INVALID] < 0.05
    assert share[Quality.OLCI_LAND] == pytest.approx(float((words >> 31 > 0).mean()))
    assert share[Quality.OLCI_SUN_GLINT] == pytest.approx(float((words & 1 << 22 > 0).mean()))
    assert share[Quality.S2_CLOUD] == 0.0


def test_unknown_flag_names_are_left_out() -> None:
    assert from_olci_flags(np.array([7], np.uint32), {"novel": 7}).tolist() == [0]


# Corner of the generated tile: 499980, 8100000; pixels of 10 m.
_GML = """<?xml version="1.0"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2">
 <eop:maskMembers>
  <eop:MaskFeature gml:id="OPAQUE.0"><eop:maskType>OPAQUE</eop:maskType><eop:extentOf>
   <gml:Polygon><gml:exterior><gml:LinearRing><gml:posList srsDimension="3">
     500010 8099980 0 500110 8099980 0 500110 8099880 0 500010 8099880 0 500010 8099980 0
   </gml:posList></gml:LinearRing></gml:exterior><gml:interior><gml:LinearRing><gml:posList>
     500040 8099950 500070 8099950 500070 8099920 500040 8099920 500040 8099950
   </gml:posList></gml:LinearRing></gml:interior></gml:Polygon>
  </eop:extentOf></eop:MaskFeature>
  <eop:MaskFeature gml:id="CIRRUS.0"><eop:maskType>CIRRUS</eop:maskType><eop:extentOf>
   <gml:Polygon><gml:exterior><gml:LinearRing><gml:posList srsDimension="2">
     500180 8099900 500230 8099900 500230 8099860 500180 8099860 500180 8099900
   </gml:posList></gml:LinearRing></gml:exterior></gml:Polygon>
  </eop:extentOf></eop:MaskFeature>
 </eop:maskMembers>
</eop:Mask>
"""


@pytest.mark.parametrize(
    ("source", "absent"),
    [
        ("SCL", Quality.S2_SATURATED),
        ("MSK_CLASSI", Quality.S2_SHADOW | Quality.S2_WATER | Quality.S2_DEFECTIVE),
        ("MSK_CLOUDS", Quality.S2_SHADOW | Quality.S2_WATER | Quality.S2_SNOW),
        ("none", Quality.S2_CLOUD | Quality.S2_CIRRUS),
    ],
)
def test_what_a_source_can_say_is_what_its_reader_can_give(source, absent):
    """Every class, plane and polygon type once: no bit beyond those named, all of them reached."""
    every = {
        "SCL": from_scl(np.arange(256, dtype=np.uint8)),
        "MSK_CLASSI": from_classi(np.ones((3, 1, 1), np.uint8)),
        "MSK_CLOUDS": np.array([int(bits) for bits in CLOUD_MASK_TYPES.values()]),
        "none": np.zeros(1, int),
    }[source]
    assert np.bitwise_or.reduce(every.ravel()) == int(GIVEN_BY[source])
    assert not GIVEN_BY[source] & absent
