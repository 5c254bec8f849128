"""OLCI facts and pixels, from generated products and from the real samples."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest

from sensor2sensor.core.archives import open_files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.bands import OLCI_BANDS, OLCI_WAVELENGTHS_NM
from sensor2sensor.products.s3_reader import S3Reader
from sensor2sensor.products.sentinel3 import S3Product, open_s3
from tests.unit.products.oracle import satpy_olci

Maker = Callable[..., Path]
ROWS, COLS = slice(7, 49), slice(50, 201)
MANIFESTS = {
    "olci/manifests/S3A_OL_1_EFR____20211021T073827_20211021T074112_20211021T091357_0164_077_334"
    "_4320_LN1_O_NR_002.SEN3.xfdumanifest.xml": (
        *("S3A", "OL_1_EFR", "NR", "002", 3749, 4865),
        *("2021-10-21T07:38:27.254946", "2021-10-21T07:41:12.194233", "2021-10-21T09:13:57"),
    ),
    "olci/S3B_OL_1_ERR_sample.SEN3/xfdumanifest.xml": (
        *("S3B", "OL_1_ERR", "NR", "003", 1023, 1217),
        *("2023-05-06T01:53:16.095030", "2023-05-06T01:56:15.974792", "2023-07-11T06:58:04"),
    ),
}


def as_product(real_data: Path, manifest: str, tmp_path: Path) -> S3Product:
    folder = tmp_path / "x.SEN3"
    folder.mkdir()
    shutil.copy(real_data / manifest, folder / "xfdumanifest.xml")
    return open_s3(folder)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_facts_of_real_manifests(real_data: Path, tmp_path: Path, manifest: str) -> None:
    product = as_product(real_data, manifest, tmp_path)
    platform, kind, timeliness, collection, rows, columns, start, stop, made = MANIFESTS[manifest]
    assert (product.platform, product.product_type) == (platform, kind)
    assert (product.timeliness, product.collection) == (timeliness, collection)
    assert (product.rows, product.columns) == (rows, columns)
    times = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, stop, made)]
    assert [product.start, product.stop, product.creation_time] == times
    assert product.acquisition == (platform, times[0].replace(microsecond=0), kind)
    assert len(product.missing()) == 26


def test_the_newest_collection_opens_too(real_data: Path, tmp_path: Path) -> None:
    manifest = "olci/manifests/optical_toolbox_olci_xfdumanifest.xml"
    product = as_product(real_data, manifest, tmp_path)
    assert (product.collection, product.name[:12]) == ("004", "S3A_OL_1_EFR")
    assert product.start.date().isoformat() == "2024-05-26"


def test_the_footprint_is_in_longitude_and_latitude(real_data: Path, tmp_path: Path) -> None:
    product = as_product(real_data, next(iter(MANIFESTS)), tmp_path)
    assert next(iter(product.footprint.exterior.coords)) == (-44.0441, -72.343)
    assert product.footprint.bounds[1] == pytest.approx(-83.51)


def test_wavelengths_are_those_of_the_real_manifest(real_data: Path, tmp_path: Path) -> None:
    from sensor2sensor.products.reading import read_xml

    product = as_product(real_data, next(iter(MANIFESTS)), tmp_path)
    bands = list(read_xml(product.files, "xfdumanifest.xml").descendants("band"))
    named = {one.attributes["name"]: one.number("centralWavelength") for one in bands}
    assert named == OLCI_WAVELENGTHS_NM


@pytest.mark.parametrize(
    ("kind", "collection"), [("OL_1_EFR", "002"), ("OL_1_EFR", "003"), ("OL_1_ERR", "004")]
)
def test_values_equal_satpy(s3_product: Maker, kind: str, collection: str) -> None:
    folder = s3_product(product_type=kind, collection=collection)
    bands = ("Oa01", "Oa08", "Oa21")
    expected = satpy_olci(folder, bands, "radiance")
    geometry = satpy_olci(folder, ("latitude", "longitude", "solar_zenith_angle"))
    with open_s3(folder).open() as reader:
        radiance = reader.radiances(ROWS, COLS, bands)
        assert radiance.dtype == np.float32
        for band, ours in zip(bands, radiance, strict=True):
            np.testing.assert_allclose(ours, expected[band][ROWS, COLS], rtol=2e-7)
        latitude, longitude = reader.geolocation(ROWS, COLS)
        np.testing.assert_allclose(latitude, geometry["latitude"][ROWS, COLS], atol=1e-9)
        np.testing.assert_allclose(longitude, geometry["longitude"][ROWS, COLS], atol=1e-9)
        zenith = reader.sun_zenith(ROWS, COLS)
        np.testing.assert_allclose(zenith, geometry["solar_zenith_angle"][ROWS, COLS], atol=1e-3)


def test_reflectance_equals_satpy_but_for_the_sun(s3_product: Maker) -> None:
    """satpy leaves the division by cos(SZA) to a modifier."""
    folder = s3_product()
    expected = satpy_olci(folder, ("Oa08",), "reflectance")["Oa08"][ROWS, COLS] / 100.0
    with open_s3(folder).open() as reader:
        cosine = np.cos(np.deg2rad(reader.sun_zenith(ROWS, COLS).astype(np.float64)))
        ours = reader.reflectance(ROWS, COLS, ("Oa08",))[0]
    np.testing.assert_allclose(ours, expected / cosine, rtol=1e-6)


def test_flags_are_the_stored_words_by_name(s3_product: Maker) -> None:
    for collection, count in (("002", 32), ("003", 13)):
        folder = s3_product(collection=collection)
        with h5py.File(folder / "qualityFlags.nc") as stored, open_s3(folder).open() as reader:
            words = stored["quality_flags"][()]
            flags = reader.flags(ROWS, COLS)
            np.testing.assert_array_equal(flags, words[ROWS, COLS])
            assert len(reader.flag_masks) == count
            assert reader.flag_masks["land"] == 1 << 31
            assert reader.flag_masks["duplicated"] == 1 << 23
            quality = reader.quality(flags)
        assert ((quality & (1 << 14) > 0) == (words[ROWS, COLS] & (1 << 31) > 0)).all()


def test_flag_meanings_are_those_of_real_products(real_data: Path, s3_product: Maker) -> None:
    for collection, name in (("002", "S3A_OL_1_EFR____20180407T004637"), ("003", None)):
        name = name or "S3B_OL_1_EFR____20231214T092214"
        text = (real_data / f"olci/reference_pixels/{name}.json").read_text(encoding="utf-8")
        coding = json.loads(text)["expectedContent"]["flagCodings"][0]["samples"]
        real = {one["name"]: int(one["value"]) for one in coding}
        with open_s3(s3_product(collection=collection)).open() as reader:
            ours = {
                key.replace("@", "_").replace("-", "_"): value
                for key, value in reader.flag_masks.items()
            }
        assert ours == real


def test_solar_flux_is_that_of_the_detector(s3_product: Maker) -> None:
    folder = s3_product()
    with h5py.File(folder / "instrument_data.nc") as stored, open_s3(folder).open() as reader:
        index = stored["detector_index"][ROWS, COLS]
        table = stored["solar_flux"][()]
        flux = reader.solar_flux(ROWS, COLS, ("Oa03", "Oa17"))
        np.testing.assert_array_equal(reader.detector_index(ROWS, COLS), index)
    np.testing.assert_array_equal(flux, table[[2, 16]][:, index])


@pytest.fixture
def damaged(s3_product: Maker, tmp_path: Path) -> Path:
    """A copy with known fill in a few places."""
    folder = Path(shutil.copytree(s3_product(), tmp_path / "x.SEN3"))
    with h5py.File(folder / "instrument_data.nc", "r+") as file:
        file["detector_index"][10, 60] = -1
        file["detector_index"][10, 61] = 3700
        file["solar_flux"][4, file["detector_index"][11, 62]] = -1.0
    with h5py.File(folder / "geo_coordinates.nc", "r+") as file:
        file["latitude"][12, 63] = -2147483648
        file["longitude"][12, 64] = 181_000_000
    with h5py.File(folder / "Oa05_radiance.nc", "r+") as file:
        file["Oa05_radiance"][13, 65] = 65535
        file["Oa05_radiance"][13, 66] = 65534
        file["Oa05_radiance"][13, 67] = 0
    return folder


def test_fill_becomes_nan_and_never_detector_zero(damaged: Path) -> None:
    with open_s3(damaged).open() as reader:
        flux = reader.solar_flux(ROWS, COLS)
        assert np.isnan(flux[:, 3, 10:12]).all()
        assert np.isnan(flux[4, 4, 12])
        assert np.isfinite(flux[3, 4, 12])
        assert reader.detector_index(ROWS, COLS)[3, 10] == -1
        reflectance = reader.reflectance(ROWS, COLS, ("Oa05",))
        assert np.isnan(reflectance[0, 3, 10:12]).all()
        latitude, longitude = reader.geolocation(ROWS, COLS)
        for position in ((5, 13), (5, 14)):
            assert np.isnan(latitude[position])
            assert np.isnan(longitude[position])
        assert np.isfinite(latitude).sum() == latitude.size - 2
        radiance = reader.radiances(ROWS, COLS, ("Oa05",))[0]
    assert np.isnan(radiance[6, 15])
    assert radiance[6, 16] == pytest.approx(65534 * 0.010095260106027126)
    assert radiance[6, 17] == 0.0


def test_the_sun_below_the_horizon_gives_no_reflectance(damaged: Path) -> None:
    with h5py.File(damaged / "tie_geometries.nc", "r+") as file:
        file["SZA"][:] = 95_000_000
    with open_s3(damaged).open() as reader:
        assert np.isnan(reader.reflectance(ROWS, COLS, ("Oa08",))).all()


def test_sun_zenith_is_bilinear_between_tie_points(s3_product: Maker, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(s3_product(), tmp_path / "x.SEN3"))
    rows, columns = np.mgrid[0:60, 0:5].astype(np.float64)
    with h5py.File(folder / "tie_geometries.nc", "r+") as file:
        file["SZA"][:] = np.round((30.0 + 0.1 * rows + 2.0 * columns) * 1e6).astype(np.uint32)
    with open_s3(folder).open() as reader:
        zenith = reader.sun_zenith(slice(0, 60), slice(0, 257))
        part = reader.sun_zenith(ROWS, COLS)
    y, x = np.mgrid[0:60, 0:257]
    np.testing.assert_allclose(zenith, 30.0 + 0.1 * y + 2.0 * x / 64.0, atol=2e-5)
    np.testing.assert_allclose(part, zenith[ROWS, COLS], atol=1e-5)


def test_an_unknown_tie_point_empties_the_pixels_that_depend_on_it(
    s3_product: Maker, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(s3_product(), tmp_path / "x.SEN3"))
    window = slice(0, 60), slice(0, 257)
    with open_s3(folder).open() as reader:
        zenith, shown = reader.sun_zenith(*window), reader.reflectance(*window, ("Oa08",))[0]
    with h5py.File(folder / "tie_geometries.nc", "r+") as file:
        file["SZA"][14, 2] = file["SZA"].attrs["_FillValue"]
    zenith[14, 65:192] = shown[14, 65:192] = np.nan  # between the tie points beside it
    with open_s3(folder).open() as reader:
        np.testing.assert_array_equal(reader.sun_zenith(*window), zenith)
        np.testing.assert_array_equal(reader.reflectance(*window, ("Oa08",))[0], shown)


def test_the_tie_grid_lies_on_the_image(s3_product: Maker) -> None:
    for kind, step in (("OL_1_EFR", 64), ("OL_1_ERR", 16)):
        collection = "003" if kind == "OL_1_EFR" else "004"
        folder = s3_product(product_type=kind, collection=collection)
        with open_s3(folder).open() as reader:
            tie_lat, tie_lon, row_step, col_step = reader.tie_geolocation()
            latitude, longitude = reader.geolocation(slice(0, 60), slice(0, 257))
        assert (row_step, col_step) == (1, step)
        # The image is orthorectified, the tie grid lies on the ellipsoid: a few pixels apart.
        np.testing.assert_allclose(tie_lat, latitude[:, ::step], atol=0.05)
        np.testing.assert_allclose(tie_lon, longitude[:, ::step], atol=0.2)


def test_packing_and_chunks_change_no_value(s3_product: Maker) -> None:
    values = []
    for path in (s3_product(), s3_product(zip=True, single_chunk=True)):
        product = open_s3(path)
        assert product.verify() == []
        with product.open() as reader:
            values.append(reader.radiances(ROWS, COLS, ("Oa01", "Oa10")))
            values.append(reader.flags(ROWS, COLS))
    np.testing.assert_array_equal(values[0], values[2])
    np.testing.assert_array_equal(values[1], values[3])


def test_each_file_is_opened_once(s3_product: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    original = S3Reader._open

    def counting(self: S3Reader, name: str) -> object:
        opened.append(name)
        return original(self, name)

    monkeypatch.setattr(S3Reader, "_open", counting)
    with open_s3(s3_product()).open() as reader:
        for _ in range(2):
            reader.radiances(ROWS, COLS)
            reader.reflectance(ROWS, COLS, OLCI_BANDS[:2])
            reader.geolocation(ROWS, COLS)
    assert len(opened) == len(set(opened)) == 24


def test_a_window_costs_a_window(tmp_path: Path) -> None:
    """Whatever a chunk inflates to, only the window becomes numbers in Python."""
    import tracemalloc

    side = 3000
    with h5netcdf.File(tmp_path / "Oa01_radiance.nc", "w") as file:
        file.dimensions = {"rows": side, "columns": side}
        options = {"chunks": (side, side), "compression": "gzip", "compression_opts": 1}
        stored = file.create_variable("Oa01_radiance", ("rows", "columns"), "u2", **options)
        stored[:] = np.arange(side * side, dtype=np.uint32).reshape(side, side).astype(np.uint16)
        stored.attrs["_FillValue"] = np.uint16(65535)
        stored.attrs["scale_factor"] = 0.01
        stored.attrs["add_offset"] = 0.0
    reader = S3Reader(open_files(tmp_path), "x", side, side)
    reader.radiances(slice(0, 2), slice(0, 2), ("Oa01",))
    tracemalloc.start()
    values = reader.radiances(slice(1000, 1100), slice(2000, 2100), ("Oa01",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.close()
    assert values[0, 0, 0] == pytest.approx(((1000 * side + 2000) % 65536) * 0.01)
    # The chunk (18 MB) is inflated whole, whoever does it, with a buffer or two for that: but the
    # image is never made floating-point whole (36 MB more, and again for its mask).
    assert values.nbytes < peak < 3.5 * side * side * 2


def test_a_window_outside_the_image_is_a_mistake_of_the_caller(s3_product: Maker) -> None:
    with open_s3(s3_product()).open() as reader:
        for rows in (slice(60, 70), slice(5, 5), slice(0, 10, 2)):
            with pytest.raises(ValueError, match="no window"):
                reader.flags(rows, COLS)
        with pytest.raises(ProductError, match="no band 'Oa22'; nearest: 'Oa2"):
            reader.radiances(ROWS, COLS, ("Oa22",))


@pytest.mark.filterwarnings("error", "ignore:Duplicate dimension names")
def test_the_real_instrument_file_reads(real_data: Path) -> None:
    """Native file, sub-sampled: 103 x 122 pixels where the manifest says 1023 x 1217."""
    files = open_files(real_data / "olci/S3B_OL_1_ERR_sample.SEN3")
    reader = S3Reader(files, "sample", 103, 122)
    index = reader.detector_index(slice(0, 103), slice(0, 122))
    # HDF5 wants one file opened in one way: the reader asks for no locks.
    path = real_data / "olci/S3B_OL_1_ERR_sample.SEN3/instrument_data.nc"
    with h5py.File(path, locking=False) as stored:
        np.testing.assert_array_equal(index, stored["detector_index"][()])
    with pytest.raises(ProductError, match=r"instrument_data\.nc: solar_flux has shape \(5, 37\)"):
        reader.solar_flux(slice(0, 2), slice(0, 2))
    reader.close()


def test_a_product_travels_to_workers(s3_product: Maker) -> None:
    product = open_s3(s3_product(zip=True, single_chunk=True))
    assert pickle.loads(pickle.dumps(product)) == product


def _copy(product: Path, folder: Path) -> Path:
    return Path(shutil.copytree(product, folder / product.name))


def test_row_times_are_the_products_own_stamps(s3_product: Maker) -> None:
    product = open_s3(s3_product())
    with h5py.File(product.path / "time_coordinates.nc") as stored:
        stamps = stored["time_stamp"][()]
    with product.open() as reader:
        times = product.row_times(reader, slice(7, 12))
    assert (times == np.datetime64("2000-01-01", "us") + stamps[7:12].astype("m8[us]")).all()
    assert times[0] > np.datetime64(product.start.replace(tzinfo=None), "us")


@pytest.mark.parametrize("harm", ["missing", "senseless"])
def test_without_good_stamps_rows_lie_evenly_between_start_and_stop(
    s3_product: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    folder = _copy(s3_product(), tmp_path)
    with h5py.File(folder / "time_coordinates.nc", "r+") as stored:
        exact = stored["time_stamp"][()]
        stored["time_stamp"][3] = -1
    if harm == "missing":
        (folder / "time_coordinates.nc").unlink()
    product = open_s3(folder)
    with product.open() as reader:
        times = product.row_times(reader, slice(0, product.rows))
    expected = np.datetime64("2000-01-01", "us") + exact.astype("m8[us]")
    assert (np.abs(times - expected) < np.timedelta64(50_000, "us")).all()
    assert times[0] == expected[0] and (np.diff(times) > np.timedelta64(0, "us")).all()
    said = "time_coordinates.nc: has time stamps outside the sensing period" in caplog.text
    assert said == (harm == "senseless")
