"""Damaged products end in one error that names product, file and element (fault rows 4 to 12)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.fakes import make_s2, make_s3

ROWS, COLS = slice(5, 25), slice(10, 60)


@pytest.fixture(scope="module")
def s2_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bands = ("B01", "B02", "B03", "B04")
    return make_s2(tmp_path_factory.mktemp("s2"), size_px=192, bands=bands, baseline="04.00")


@pytest.fixture(scope="module")
def s3_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s3(tmp_path_factory.mktemp("s3"), rows=40, columns=257)


@pytest.fixture
def s2_copy(s2_source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(s2_source, tmp_path / "x.SAFE"))


@pytest.fixture
def s3_copy(s3_source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(s3_source, tmp_path / "x.SEN3"))


def edit(folder: Path, name: str, pattern: str, replacement: str) -> None:
    file = next(folder.rglob(name))
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert count, f"{pattern} is not in {name}"
    file.write_text(text, encoding="utf-8")


# Row 6: hostile XML in every metadata file.
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>'


@pytest.mark.parametrize("name", ["MTD_MSIL1C.xml", "MTD_TL.xml"])
def test_hostile_sentinel2_xml(s2_copy: Path, name: str) -> None:
    next(s2_copy.rglob(name)).write_text(BOMB, encoding="utf-8")
    with pytest.raises(ProductError, match=rf"x\.SAFE/.*{name}: hostile XML refused"):
        open_s2(s2_copy)


def test_hostile_manifests(s2_copy: Path, s3_copy: Path) -> None:
    (s2_copy / "manifest.safe").write_text(BOMB, encoding="utf-8")
    with pytest.raises(ProductError, match=r"x\.SAFE/manifest\.safe: hostile"):
        open_s2(s2_copy).verify()
    (s3_copy / "xfdumanifest.xml").write_text(BOMB, encoding="utf-8")
    with pytest.raises(ProductError, match=r"x\.SEN3/xfdumanifest\.xml: hostile"):
        open_s3(s3_copy)


def test_a_manifest_that_points_outside_the_product(s2_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s", encoding="utf-8")
    edit(s2_copy, "manifest.safe", r'href="[^"]*MTD_MSIL1C\.xml"', 'href="../secret"')
    with pytest.raises(ProductError, match=r"'\.\./secret' leaves the product"):
        open_s2(s2_copy).verify()


def test_an_image_that_lies_outside_the_product(s2_copy: Path) -> None:
    edit(s2_copy, "MTD_MSIL1C.xml", r"<IMAGE_FILE>GRANULE/[^<]*_B02<", "<IMAGE_FILE>../a_B02<")
    with pytest.raises(ProductError, match="leaves the product"):
        open_s2(s2_copy)


# Row 7: a field is absent or senseless. (file, pattern, replacement, what the error says)
INFO = "General_Info/Product_Info"
METADATA = {
    "no name": ("MTD_MSIL1C.xml", "<PRODUCT_URI>.*?</PRODUCT_URI>", "", f"{INFO}/PRODUCT_URI is m"),
    "empty name": ("MTD_MSIL1C.xml", "<PRODUCT_URI>[^<]*", "<PRODUCT_URI>", "PRODUCT_URI is empty"),
    "name with a path": (
        *("MTD_MSIL1C.xml", "<PRODUCT_URI>[^<]*", "<PRODUCT_URI>../../x"),
        "PRODUCT_URI is '../../x', no name of a product",
    ),
    "odd baseline": (
        *("MTD_MSIL1C.xml", "<PROCESSING_BASELINE>[^<]*", "<PROCESSING_BASELINE>4"),
        "PROCESSING_BASELINE is '4', not like 04.00",
    ),
    "no platform": (
        *("MTD_MSIL1C.xml", "Sentinel-2A</SPACECRAFT_NAME>", "Landsat-8</SPACECRAFT_NAME>"),
        "SPACECRAFT_NAME is 'Landsat-8', no Sentinel-2",
    ),
    "comma decimal": (
        *("MTD_MSIL1C.xml", "(<QUANTIFICATION_VALUE[^>]*>)10000", r"\g<1>10000,0"),
        "QUANTIFICATION_VALUE is '10000,0', not a number",
    ),
    "zero quantification": (
        *("MTD_MSIL1C.xml", "(<QUANTIFICATION_VALUE[^>]*>)10000", r"\g<1>0"),
        "QUANTIFICATION_VALUE is 0.0, not positive",
    ),
    "no offsets": (
        *("MTD_MSIL1C.xml", "<Radiometric_Offset_List>.*</Radiometric_Offset_List>", ""),
        "RADIO_ADD_OFFSET is missing for B01, B02",
    ),
    "one offset short": (
        *("MTD_MSIL1C.xml", '<RADIO_ADD_OFFSET band_id="2">[^<]*</RADIO_ADD_OFFSET>', ""),
        "RADIO_ADD_OFFSET is missing for B03 (",
    ),
    "offset of band 13": (
        *("MTD_MSIL1C.xml", 'RADIO_ADD_OFFSET band_id="2"', 'RADIO_ADD_OFFSET band_id="13"'),
        "RADIO_ADD_OFFSET has band_id '13', not 0..12",
    ),
    "two granules": (
        *("MTD_MSIL1C.xml", "(<Granule .*?</Granule>)", r"\1\1"),
        "Granule occurs 2 times, expected once",
    ),
    "no footprint": ("MTD_MSIL1C.xml", "EXT_POS_LIST", "OTHER", "EXT_POS_LIST is missing"),
    "half a footprint": (
        *("MTD_MSIL1C.xml", "<EXT_POS_LIST>[^<]*", "<EXT_POS_LIST>72.0 -81.0 73.0"),
        "EXT_POS_LIST holds no polygon",
    ),
    "no time": (
        *("MTD_MSIL1C.xml", "<DATATAKE_SENSING_START>[^<]*", "<DATATAKE_SENSING_START>noon"),
        "DATATAKE_SENSING_START is 'noon', not a time",
    ),
    "odd grid": ("MTD_TL.xml", "<XDIM>10<", "<XDIM>0<", "XDIM and YDIM are no north-up grid"),
    "no grid": ("MTD_TL.xml", "Geoposition", "Other", "Tile_Geocoding/Geoposition is missing"),
    "no projection": (
        *("MTD_TL.xml", "EPSG:32617", "UTM 17"),
        "HORIZONTAL_CS_CODE is 'UTM 17'",
    ),
    "no sensing time": ("MTD_TL.xml", "SENSING_TIME", "OTHER", "SENSING_TIME is missing"),
}


@pytest.mark.parametrize("fault", METADATA)
def test_sentinel2_metadata(s2_copy: Path, fault: str) -> None:
    name, pattern, replacement, message = METADATA[fault]
    edit(s2_copy, name, pattern, replacement)
    with pytest.raises(ProductError) as caught:
        open_s2(s2_copy)
    assert re.search(rf"x\.SAFE/(GRANULE/[^/]+/)?{re.escape(name)}: ", str(caught.value))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


S3_METADATA = {
    "no rows": ("rows>", "lines>", "rows is missing"),
    "odd type": ("OL_1_EFR___<", "OL_2_LFR___<", "productType is 'OL_2_LFR___'"),
    "odd timeliness": ("timeliness>NT<", "timeliness>XX<", "timeliness is 'XX', expected one of"),
    "no section": ("acquisitionPeriod", "period", "metadataObject ID=acquisitionPeriod is missing"),
    "no footprint": ("gml:posList", "gml:other", "posList is missing"),
    "comma": (r"(posList>)[^<]*", r"\g<1>72,5 1 2 3 4 5", "posList is '72,5', not a number"),
    "odd time": ("startTime>[^<]*<", "startTime>soon<", "startTime is 'soon', not a time"),
}


@pytest.mark.parametrize("fault", S3_METADATA)
def test_sentinel3_metadata(s3_copy: Path, fault: str) -> None:
    pattern, replacement, message = S3_METADATA[fault]
    edit(s3_copy, "xfdumanifest.xml", pattern, replacement)
    with pytest.raises(ProductError) as caught:
        open_s3(s3_copy)
    assert "x.SEN3/xfdumanifest.xml: " in str(caught.value)
    assert message in str(caught.value)


def test_an_unknown_baseline_is_a_warning_with_its_offsets(
    s2_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edit(s2_copy, "MTD_MSIL1C.xml", "<PROCESSING_BASELINE>[^<]*", "<PROCESSING_BASELINE>07.31")
    product = open_s2(s2_copy)
    assert product.offsets["B03"] == -1000.0
    assert "unknown processing baseline 07.31; offsets found: B01 -1000" in product.warnings[0]
    assert product.warnings[0] in caplog.text


def test_missing_metadata_files(s2_copy: Path, s3_copy: Path) -> None:
    next(s2_copy.rglob("MTD_TL.xml")).unlink()
    with pytest.raises(ProductError, match=r"x\.SAFE: no MTD_TL\.xml"):
        open_s2(s2_copy)
    (s3_copy / "xfdumanifest.xml").unlink()
    with pytest.raises(ProductError, match=r"x\.SEN3: no xfdumanifest\.xml"):
        open_s3(s3_copy)


# Rows 9 and 10: images.
def band_path(product: S2Product, band: str = "B02") -> Path:
    return product.path / product.band_member(band, 10)


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.95])
def test_a_truncated_image_is_named(s2_copy: Path, keep: float) -> None:
    product = open_s2(s2_copy)
    path = band_path(product)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(ProductError, match=r"x\.SAFE/.*_B02\.jp2: unreadable"):
        product.read_reflectance(("B04", "B02"), 10)
    product.read_reflectance(("B04", "B03"), 10)


def test_a_web_page_instead_of_an_image(s2_copy: Path) -> None:
    product = open_s2(s2_copy)
    band_path(product).write_text("<html>Service unavailable</html>", encoding="utf-8")
    with pytest.raises(ProductError, match=r"_B02\.jp2: unreadable"):
        product.read_dn("B02", 10)


def test_a_missing_image_is_named(s2_copy: Path) -> None:
    product = open_s2(s2_copy)
    band_path(product).unlink()
    assert product.missing(("B02", "B03"), 10) == [product.band_member("B02", 10)]
    with pytest.raises(ProductError, match=r"_B02\.jp2: file is missing"):
        product.read_dn("B02", 10)


def test_an_image_of_another_size_is_refused(s2_copy: Path) -> None:
    product = open_s2(s2_copy)
    shutil.copy(product.path / product.band_member("B01", 60), band_path(product))
    with pytest.raises(ProductError, match=r"image is 32 x 32 pixels, its metadata say 192 x 192"):
        product.read_dn("B02", 10)


def test_flipped_bits_are_found_by_the_checksums_alone(s2_copy: Path, s3_copy: Path) -> None:
    product = open_s2(s2_copy)
    path = band_path(product)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    members = product.members_for(("B02", "B03"), 10)
    problems = product.verify(members)
    assert len(problems) == 1
    assert re.search(r"_B02\.jp2: SHA3-256 differs", problems[0])
    assert product.verify() == problems
    assert product.verify([one for one in members if "B02" not in one]) == []

    olci = open_s3(s3_copy)
    with h5py.File(s3_copy / "Oa07_radiance.nc", "r+") as file:
        file["Oa07_radiance"][0, 0] = 1
    problems = olci.verify(olci.members_for())
    assert len(problems) == 1
    assert problems[0].startswith("x.SEN3/Oa07_radiance.nc: MD5 differs")


def test_the_case_of_checksums_does_not_matter(s2_copy: Path) -> None:
    manifest = s2_copy / "manifest.safe"
    text = manifest.read_text(encoding="utf-8")
    other = re.sub(r"[0-9a-fA-F]{64}", lambda match: match[0].swapcase(), text)
    assert other != text
    manifest.write_text(other, encoding="utf-8")
    assert open_s2(s2_copy).verify() == []


def test_a_file_without_checksum_and_a_missing_one_are_problems(s2_copy: Path) -> None:
    product = open_s2(s2_copy)
    edit(s2_copy, "manifest.safe", r"_B03\.jp2", "_X03.jp2")
    band_path(product).unlink()
    problems = product.verify(product.members_for(("B02", "B03"), 10))
    assert [problem.rsplit(": ", 1)[1] for problem in problems] == [
        "file is missing",
        "the manifest gives no checksum",
    ]


# Row 11: netCDF.
@pytest.mark.parametrize("how", ["empty", "one byte short", "half", "page"])
@pytest.mark.parametrize("name", ["Oa05_radiance.nc", "geo_coordinates.nc", "qualityFlags.nc"])
def test_a_damaged_netcdf_is_named(s3_copy: Path, name: str, how: str) -> None:
    path = s3_copy / name
    data = path.read_bytes()
    broken = {"empty": b"", "one byte short": data[:-1], "half": data[: len(data) // 2]}
    path.write_bytes(broken.get(how, b"<html>Service unavailable</html>"))
    with open_s3(s3_copy).open() as reader:
        with pytest.raises(ProductError, match=rf"x\.SEN3/{re.escape(name)}: unreadable"):
            reader.radiances(ROWS, COLS)
            reader.geolocation(ROWS, COLS)
            reader.flags(ROWS, COLS)
        assert np.isfinite(reader.radiances(ROWS, COLS, ("Oa06",))).any()


def test_a_flipped_bit_in_a_deflated_chunk_is_no_silent_value(s3_copy: Path) -> None:
    path = s3_copy / "Oa05_radiance.nc"
    with h5py.File(path) as file:
        chunk = file["Oa05_radiance"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    middle = chunk.byte_offset + chunk.size // 2
    data[middle : middle + 40] = bytes(255 - one for one in data[middle : middle + 40])
    path.write_bytes(data)
    product = open_s3(s3_copy)
    with (
        product.open() as reader,
        pytest.raises(ProductError, match=r"Oa05_radiance\.nc: unreadable"),
    ):
        reader.radiances(slice(0, 40), slice(0, 257), ("Oa05",))
    assert len(product.verify(["Oa05_radiance.nc"])) == 1


def test_a_missing_netcdf_and_a_missing_variable(s3_copy: Path) -> None:
    (s3_copy / "Oa05_radiance.nc").unlink()
    with h5py.File(s3_copy / "tie_geometries.nc", "r+") as file:
        del file["SZA"]
    product = open_s3(s3_copy)
    assert product.missing() == ["Oa05_radiance.nc"]
    with product.open() as reader:
        with pytest.raises(ProductError, match=r"Oa05_radiance\.nc: file is missing"):
            reader.radiances(ROWS, COLS)
        with pytest.raises(ProductError, match=r"tie_geometries\.nc: has no variable SZA"):
            reader.sun_zenith(ROWS, COLS)


def test_an_image_smaller_than_the_manifest_says(s3_copy: Path) -> None:
    edit(s3_copy, "xfdumanifest.xml", "rows>40<", "rows>41<")
    with (
        open_s3(s3_copy).open() as reader,
        pytest.raises(ProductError, match=r"has shape \(40, 257\), the manifest says \(41, 257\)"),
    ):
        reader.radiances(ROWS, COLS, ("Oa05",))


# Rows 4 and 5: archives.
