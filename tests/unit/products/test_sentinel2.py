"""Sentinel-2 facts and pixels, from generated products and from the real samples."""

from __future__ import annotations

import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.archives import open_files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.reading import read_xml
from sensor2sensor.products.s2_metadata import product_facts
from sensor2sensor.products.sentinel2 import S2Product, open_s2
from tests.unit.products.oracle import satpy_reflectance

Maker = Callable[..., Path]
PACKINGS = (False, True)
T29UNU = "s2_safe/S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE"
T48PVS = "s2_safe/S2C_MSIL1C_20250228T031721_N0511_R118_T48PVS_20250228T065233.SAFE"

# Read by eye from the XML of the real samples.
REAL_FACTS = {
    "s2_metadata/S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE": (
        *("L1C", "S2A", "03.01", "T46RER", 0.882972, 0.0, 32646, 499980.0, 3100020.0),
    ),
    "s2_metadata/S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE": (
        *("L2A", "S2A", "02.12", "T07HFE", 0.51580326, 0.0, 32707, 600000.0, 6500020.0),
    ),
    "s2_metadata/S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE": (
        *("L2A", "S2B", "04.00", "T33XWJ", 0.98944211, -1000.0, 32633, 499980.0, 8900040.0),
    ),
    T29UNU: ("L2A", "S2A", "04.00", "T29UNU", 0.59769726, -1000.0, 32629, 499980.0, 5900040.0),
    T48PVS: ("L1C", "S2C", "05.11", "T48PVS", 0.0174293, -1000.0, 32648, 399960.0, 1200000.0),
}


@pytest.mark.parametrize("path", REAL_FACTS)
def test_facts_of_real_products(real_data: Path, path: str) -> None:
    product = open_s2(real_data / path)
    level, platform, baseline, tile, cloud, offset, epsg, ulx_m, uly_m = REAL_FACTS[path]
    assert product.name == Path(path).stem
    assert (product.level, product.platform, product.baseline) == (level, platform, baseline)
    assert product.tile == tile
    assert product.cloud_fraction == pytest.approx(cloud, abs=1e-6)
    assert dict(product.offsets) == dict.fromkeys(S2_BANDS, offset)
    assert (product.quantification, product.nodata, product.saturated) == (10000.0, 0, 65535)
    assert product.grids[10] == Grid(epsg, ulx_m, uly_m, 10.0, 10980, 10980)
    assert product.grids[60] == Grid(epsg, ulx_m, uly_m, 60.0, 1830, 1830)
    start = datetime.strptime(product.name[11:26], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    assert product.acquisition == (platform, start, tile)
    assert 0.0 <= (product.tile_time - start).total_seconds() < 1800.0
    assert product.warnings == ()


def test_the_footprint_is_in_longitude_and_latitude(real_data: Path) -> None:
    west, south, east, north = open_s2(real_data / T48PVS).footprint.bounds
    assert 103.9 < west < east < 105.2
    assert 9.8 < south < north < 10.9


def test_the_real_product_is_complete_at_60_m_only(real_data: Path) -> None:
    product = open_s2(real_data / T29UNU)
    assert product.missing(("B02", "B03", "B04"), 60) == []
    lacking = product.missing(("B02",), 10)
    assert [Path(name).name for name in lacking] == ["T29UNU_20221005T115411_B02_10m.jp2"]
    assert product.missing(("B08",), 60) == ["B08 at 60 m"]
    assert product.resolutions == (10, 20, 60)


@pytest.mark.parametrize("path", [T29UNU, T48PVS])
def test_the_real_files_agree_with_their_checksums(real_data: Path, path: str) -> None:
    product = open_s2(real_data / path)
    assert product.verify() == []
    bands = ("B02", "B03", "B04") if product.level == "L2A" else ("B01",)
    members = product.members_for(bands, 60)
    assert set(product.metadata_files) < set(members)
    assert product.verify(members) == []


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_a_commissioning_baseline_of_a_real_product_is_a_warning(
    real_data: Path, level: str
) -> None:
    name = f"S2C_MTD_MSI{level}.xml"
    files = open_files(real_data / "s2_metadata" / "product_xml_only")
    facts = product_facts(read_xml(files, name))
    assert (facts.level, facts.platform, facts.baseline) == (level, "S2C", "99.04")
    assert set(facts.offsets.values()) == {-1000.0}
    assert facts.warnings[0].startswith("unknown processing baseline 99.04; offsets found: B01 -10")
    assert facts.tile == {"L1C": "T33TTG", "L2A": "T38SLG"}[level]


def test_the_real_product_reads_the_same_from_a_zip(real_data: Path, tmp_path: Path) -> None:
    folder = open_s2(real_data / T29UNU)
    path = tmp_path / "T29UNU.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member in [*folder.members_for(("B02",), 60), "manifest.safe"]:
            archive.write(folder.path / member, f"{folder.path.name}/{member}")
    packed = open_s2(path)
    assert packed.verify() == []
    window = PixelWindow(900, 1000, 300, 200)
    for one, other in zip(
        [*folder.read_reflectance(("B02",), 60, window), folder.read_quality(60, window)[0]],
        [*packed.read_reflectance(("B02",), 60, window), packed.read_quality(60, window)[0]],
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def assert_equals_satpy(product: S2Product, folder: Path, bands: tuple, resolution_m: int) -> None:
    reflectance, quality = product.read_reflectance(bands, resolution_m)
    expected = satpy_reflectance(folder, product.level, bands, resolution_m)
    assert reflectance.dtype == np.float32
    saturated = np.zeros(quality.shape, bool)
    for index, band in enumerate(bands):
        full = np.isposinf(expected[band])
        saturated |= full
        want = np.where(full, np.nan, expected[band])
        ours = np.where(full, np.nan, reflectance[..., index])
        np.testing.assert_allclose(ours, want, rtol=0.0, atol=2e-7)
    np.testing.assert_array_equal(quality & Quality.S2_SATURATED > 0, saturated)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize("baseline", ["03.01", "04.00", "05.11"])
def test_reflectance_equals_satpy(s2_product: Maker, level: str, baseline: str) -> None:
    folder = s2_product(level=level, baseline=baseline, nodata_wedge=0.2)
    product = open_s2(folder)
    assert product.offsets["B04"] == (-1000.0 if baseline >= "04.00" else 0.0)
    assert_equals_satpy(product, folder, ("B02", "B03", "B04"), 10)
    assert_equals_satpy(product, folder, ("B05", "B8A"), 20)


@pytest.mark.slow
def test_reflectance_of_the_real_product_equals_satpy(real_data: Path) -> None:
    folder = real_data / T29UNU
    product = open_s2(folder)
    assert_equals_satpy(product, folder, ("B02", "B04"), 60)
    reflectance, quality = product.read_reflectance(("B04",), 60)
    nodata = np.isnan(reflectance[..., 0])
    assert nodata.mean() == pytest.approx(0.404, abs=0.001)
    np.testing.assert_array_equal(quality & Quality.S2_NODATA > 0, nodata)
    assert np.nanmin(reflectance) < 0.0, "negative reflectance is kept"


def test_the_three_baselines_give_the_same_ground(s2_product: Maker) -> None:
    """The same scene processed before and after 04.00 differs by noise and rounding alone."""
    values: list[np.ndarray] = []
    for baseline in ("03.01", "04.00", "05.11"):
        product = open_s2(s2_product(level="L2A", baseline=baseline))
        values.append(product.read_reflectance(("B04",), 10)[0].astype(np.float64))
    # Before 04.00 nothing below DN 1 could be written: compare where all are well above.
    bright = np.min(values, axis=0) > 0.05
    assert bright.sum() > 500
    medians = [np.median(one[bright]) for one in values]
    assert np.ptp(medians) < 0.002, medians


def test_numbers_become_reflectance_by_the_stated_formula(s2_product: Maker) -> None:
    product = open_s2(s2_product(level="L1C", baseline="04.00"))
    numbers = np.array([[0, 1, 999, 1000], [1001, 11000, 65534, 65535]], np.uint16)
    values = product.to_reflectance(numbers, "B03")
    exact = (numbers.astype(np.float64) - 1000.0) / 10000.0
    exact[0, 0] = np.nan
    np.testing.assert_allclose(values, exact, rtol=1e-7, atol=1e-8)
    assert values[0, 1] < 0.0


def test_offsets_belong_to_bands_by_their_id(s2_product: Maker, tmp_path: Path) -> None:
    source = s2_product(level="L1C")
    folder = Path(shutil.copytree(source, tmp_path / source.name))
    path = folder / "MTD_MSIL1C.xml"
    text = path.read_text(encoding="utf-8")
    pattern = r'(<RADIO_ADD_OFFSET band_id="(\d+)">)[^<]*(</RADIO_ADD_OFFSET>)'
    lines = [f"{m[1]}{-100 * int(m[2])}{m[3]}" for m in re.finditer(pattern, text)]
    listed = "<Radiometric_Offset_List>" + "".join(lines[::-1]) + "</Radiometric_Offset_List>"
    whole = r"<Radiometric_Offset_List>.*</Radiometric_Offset_List>"
    path.write_text(re.sub(whole, listed, text, flags=re.DOTALL), encoding="utf-8")
    product = open_s2(folder)
    assert product.offsets == {band: -100.0 * index for index, band in enumerate(S2_BANDS)}
    assert_equals_satpy(product, folder, ("B02", "B03", "B04"), 10)


@pytest.mark.parametrize("packed", PACKINGS)
def test_zip_and_folder_read_the_same(s2_product: Maker, packed: bool) -> None:
    first = open_s2(s2_product(level="L1C", nodata_wedge=0.2))
    again = open_s2(s2_product(level="L1C", nodata_wedge=0.2, zip=packed))
    window = PixelWindow(5, 60, 90, 80)
    for one, other in zip(
        first.read_reflectance(("B02", "B04"), 10, window),
        again.read_reflectance(("B02", "B04"), 10, window),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert again.verify() == []
    assert again.files.gdal_path(again.band_member("B02", 10)).startswith("/vsizip/") == packed


def test_a_zip_without_its_top_folder_reads_the_same(s2_product: Maker, tmp_path: Path) -> None:
    folder = s2_product(level="L1C", nodata_wedge=0.2)
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    product = open_s2(path)
    assert product.name == open_s2(folder).name
    assert product.missing(("B02",), 10) == []


@pytest.mark.parametrize(
    "window",
    [
        PixelWindow(0, 0, 192, 192),
        PixelWindow(17, 101, 33, 20),
        PixelWindow(-10, -20, 50, 60),
        PixelWindow(180, 170, 40, 40),
        PixelWindow(500, 500, 8, 8),
    ],
)
def test_windows_are_cut_from_the_whole_and_padded_with_nodata(
    s2_product: Maker, window: PixelWindow
) -> None:
    product = open_s2(s2_product(level="L1C"))
    whole = np.pad(product.read_dn("B03", 10), 400)
    at = (slice(window.y + 400, window.y + window.height + 400),)
    at += (slice(window.x + 400, window.x + window.width + 400),)
    np.testing.assert_array_equal(product.read_dn("B03", 10, window), whole[at])
    reflectance, quality = product.read_reflectance(("B03", "B02"), 10, window)
    assert reflectance.shape == (window.height, window.width, 2)
    np.testing.assert_array_equal(np.isnan(reflectance[..., 0]), whole[at] == 0)
    outside = np.isnan(reflectance).any(axis=-1)
    np.testing.assert_array_equal(quality & Quality.S2_NODATA > 0, outside)


def test_overviews_come_from_the_image_pyramid(real_data: Path) -> None:
    product = open_s2(real_data / T29UNU)
    full = product.read_reflectance(("B8A",), 60)[0][..., 0]
    small, _ = product.read_reflectance(("B8A",), 60, overview=4)
    assert small.shape == (458, 458, 1)
    blocks = full[:1828, :1828].reshape(457, 4, 457, 4).mean(axis=(1, 3))
    reduced = small[:457, :457, 0]
    good = np.isfinite(blocks) & np.isfinite(reduced)
    assert good.mean() > 0.55
    assert np.corrcoef(blocks[good], reduced[good])[0, 1] > 0.98


def test_an_overview_of_a_window_beyond_the_edge(s2_product: Maker) -> None:
    product = open_s2(s2_product(level="L1C"))
    whole, _ = product.read_reflectance(("B03",), 10, overview=2)
    window = PixelWindow(160, -32, 64, 64)
    part, quality = product.read_reflectance(("B03",), 10, window, overview=2)
    assert part.shape == (32, 32, 1)
    assert np.isnan(part[:16]).all()
    assert np.isnan(part[:, 16:]).all()
    np.testing.assert_allclose(part[16:, :16], whole[:16, 80:96], atol=0.02)
    assert (quality[:16] & Quality.S2_NODATA > 0).all()


def test_asking_for_an_unknown_band_names_the_nearest(s2_product: Maker) -> None:
    product = open_s2(s2_product(level="L1C"))
    with pytest.raises(ProductError, match="lists no B2 at 10 m; nearest: 'B0"):
        product.band_member("B2", 10)


def test_a_product_travels_to_workers(s2_product: Maker) -> None:
    product = open_s2(s2_product(level="L1C", zip=True))
    copy = pickle.loads(pickle.dumps(product))
    assert copy == product
    np.testing.assert_array_equal(copy.read_dn("B02", 10), product.read_dn("B02", 10))
