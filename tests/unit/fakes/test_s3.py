"""Generated OLCI products have the files, packing, flags and geometry of real ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from pyproj import Geod
from shapely import Polygon, contains_xy

from tests.fakes import make_s3
from tests.fakes.swath import Swath
from tests.unit.fakes.helpers import tree_hash, xml

BANDS = [f"Oa{i:02d}" for i in range(1, 22)]
OTHERS = {
    "geo_coordinates", "instrument_data", "qualityFlags", "removed_pixels", "tie_geo_coordinates",
    "tie_geometries", "tie_meteo", "time_coordinates",
}  # fmt: skip


def _read(product: Path, file: str, variable: str):
    with h5py.File(product / f"{file}.nc") as source:
        stored = source[variable]
        return stored[()], {k: stored.attrs[k] for k in stored.attrs if k != "DIMENSION_LIST"}


def test_two_runs_are_identical_byte_for_byte(tmp_path: Path) -> None:
    first, second = (make_s3(tmp_path / n, rows=33, columns=33) for n in "ab")
    assert tree_hash(first) == tree_hash(second)


def test_files_of_the_collections(efr: Path, old_efr: Path) -> None:
    radiances = {f"{b}_radiance" for b in BANDS}
    assert {p.stem for p in old_efr.glob("*.nc")} == radiances | OTHERS
    uncertainties = {f"{b}_radiance_unc" for b in BANDS}
    assert {p.stem for p in efr.glob("*.nc")} == radiances | uncertainties | OTHERS


def test_radiances_are_packed_as_documented(efr: Path) -> None:
    for band, scale in (("Oa01", 0.013946459628641605), ("Oa21", 0.0032411799766123295)):
        raw, attributes = _read(efr, f"{band}_radiance", f"{band}_radiance")
        assert raw.dtype == np.uint16
        assert raw.shape == (65, 97)
        assert float(np.ravel(attributes["scale_factor"])[0]) == pytest.approx(scale, rel=1e-7)
        assert int(np.ravel(attributes["_FillValue"])[0]) == 65535
        value = np.where(raw == 65535, np.nan, raw * scale)
        assert 0 < np.nanmin(value) < np.nanmax(value) < 700
        assert 0.005 < (raw == 65535).mean() < 0.04


@pytest.mark.parametrize(
    ("file", "variable", "kind", "fill"),
    [
        ("geo_coordinates", "latitude", "int32", -2147483648),
        ("geo_coordinates", "altitude", "int16", -32768),
        ("time_coordinates", "time_stamp", "int64", None),
        ("tie_geometries", "SZA", "uint32", 4294967295),
        ("tie_geometries", "SAA", "int32", -2147483648),
        ("tie_meteo", "humidity", "float32", -1),
        ("instrument_data", "detector_index", "int16", -1),
        ("instrument_data", "frame_offset", "int8", -128),
        ("instrument_data", "solar_flux", "float32", -1),
        ("qualityFlags", "quality_flags", "uint32", None),
    ],
)
def test_types_and_fill_values(efr: Path, file: str, variable: str, kind: str, fill) -> None:
    raw, attributes = _read(efr, file, variable)
    assert raw.dtype == np.dtype(kind)
    if fill is not None:
        assert np.ravel(attributes["_FillValue"])[0] == fill


def test_times_advance_by_the_row_period(efr: Path) -> None:
    stamps, _ = _read(efr, "time_coordinates", "time_stamp")
    assert set(np.diff(stamps).tolist()) == {44001}
    assert stamps.min() > 2**32


@pytest.mark.parametrize(("name", "count"), [("efr", 13), ("old_efr", 32)])
def test_flags_by_name(name: str, count: int, request: pytest.FixtureRequest) -> None:
    product: Path = request.getfixturevalue(name)
    flags, attributes = _read(product, "qualityFlags", "quality_flags")
    meaning = attributes["flag_meanings"]
    names = (meaning.decode() if isinstance(meaning, bytes) else str(meaning)).split()
    masks = dict(zip(names, np.ravel(attributes["flag_masks"]).tolist(), strict=True))
    assert len(masks) == count
    assert masks["land"] == 1 << 31
    assert masks["invalid"] == 1 << 25
    assert masks["dubious"] == 1 << 21
    assert ("saturated@Oa21" in masks) == (count == 32)
    raw, _ = _read(product, "Oa08_radiance", "Oa08_radiance")
    assert (((flags & masks["invalid"]) > 0) == (raw == 65535)).all()
    assert 0.2 < ((flags & masks["duplicated"]) > 0).mean() < 0.27
    assert 0.05 < ((flags & masks["land"]) > 0).mean() < 0.95
    assert ((flags & masks["bright"]) > 0).any()


def test_duplicates_repeat_the_pixel_beside_them(efr: Path) -> None:
    raw, _ = _read(efr, "Oa10_radiance", "Oa10_radiance")
    detectors, _ = _read(efr, "instrument_data", "detector_index")
    same = detectors[:, 1:] == detectors[:, :-1]
    same[:, :2] = same[:, -2:] = False
    assert (raw[:, 1:] == raw[:, :-1])[same].all()
    assert (raw[:, 1:] == raw[:, :-1])[~same].mean() < 0.1


def test_manifest_tells_files_times_and_footprint(efr: Path) -> None:
    root = xml(efr / "xfdumanifest.xml")
    for stream in root.iter("byteStream"):
        data = (efr / stream.find("fileLocation").get("href")).read_bytes()
        assert stream.find("checksum").text == hashlib.md5(data).hexdigest()
        assert int(stream.get("size")) == len(data)
    assert len(list(root.iter("byteStream"))) == len(list(efr.glob("*.nc")))
    assert next(root.iter("startTime")).text == "2022-07-14T16:02:27.254946Z"
    latlon = np.array(next(root.iter("posList")).text.split(), float).reshape(-1, 2)
    outline = Polygon(latlon[:, ::-1]).buffer(0.01)
    lat, _ = _read(efr, "geo_coordinates", "latitude")
    lon, _ = _read(efr, "geo_coordinates", "longitude")
    assert contains_xy(outline, lon.ravel() * 1e-6, lat.ravel() * 1e-6).all()


def test_pixels_lie_270_by_294_metres_apart(efr: Path) -> None:
    lat, lon = (_read(efr, "geo_coordinates", n)[0] * 1e-6 for n in ("latitude", "longitude"))
    geod = Geod(ellps="WGS84")
    heading, _, along = geod.inv(lon[:-1, 40], lat[:-1, 40], lon[1:, 40], lat[1:, 40])
    _, _, across = geod.inv(lon[30, :-1], lat[30, :-1], lon[30, 1:], lat[30, 1:])
    assert along == pytest.approx(np.full(64, 294.0), abs=0.3)
    assert across == pytest.approx(np.full(96, 270.0), abs=0.3)
    assert np.mean(heading % 360) == pytest.approx(192.0, abs=1.0)


def test_large_frames_are_placed_as_exactly_as_small_ones() -> None:
    swath = Swath(200, 4865, (-80.8, 72.9))
    exact = swath.lonlat(np.arange(200)[:, None], np.arange(4865)[None, :])
    near = swath._interpolated()
    _, _, error = Geod(ellps="WGS84").inv(*exact, *near)
    assert error.max() < 0.05
    assert swath.tie_step == 64


def test_one_chunk_per_variable_on_request(tmp_path: Path) -> None:
    product = make_s3(tmp_path, rows=600, columns=33, single_chunk=True, cloud=0.0)
    with h5py.File(product / "Oa08_radiance.nc") as source:
        assert source["Oa08_radiance"].chunks == (600, 33)
        assert source["Oa08_radiance"].compression == "gzip"


@pytest.mark.parametrize("name", ["efr", "old_efr"])
def test_satpy_reads_radiance_and_reflectance(name: str, request: pytest.FixtureRequest) -> None:
    import satpy

    product: Path = request.getfixturevalue(name)
    files = [str(f) for f in product.glob("*.nc") if not f.stem.endswith("_unc")]
    scene = satpy.Scene(files, reader="olci_l1b")
    scene.load(["Oa08"], calibration="radiance")
    scene.load(["solar_zenith_angle", "latitude"])
    raw, attributes = _read(product, "Oa08_radiance", "Oa08_radiance")
    expected = raw * np.float32(attributes["scale_factor"])
    seen = scene["Oa08"].values
    assert (np.isnan(seen) == (raw == 65535)).all()
    assert np.allclose(seen[raw < 65535], expected[raw < 65535], rtol=1e-6)
    zenith = scene["solar_zenith_angle"].values
    assert zenith.shape == raw.shape
    assert 50 < zenith.min() < zenith.max() < 60


def test_reduced_resolution(tmp_path: Path) -> None:
    product = make_s3(tmp_path, product_type="OL_1_ERR", rows=17, columns=33, cloud=0.0)
    lat, lon = (_read(product, "geo_coordinates", n)[0] * 1e-6 for n in ("latitude", "longitude"))
    _, _, across = Geod(ellps="WGS84").inv(lon[8, :-1], lat[8, :-1], lon[8, 1:], lat[8, 1:])
    assert across == pytest.approx(np.full(32, 1080.0), abs=2)
    assert product.name.startswith("S3A_OL_1_ERR____2022")
