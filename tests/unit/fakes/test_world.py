"""The ground truth is one function of place and time, seen alike by both sensors."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.registration import phase_cross_correlation

from tests.fakes import World, make_archive, make_pair, make_s2, make_s3
from tests.fakes.__main__ import main
from tests.fakes.landscape import View
from tests.fakes.s2 import DEFAULT_SENSING
from tests.fakes.sky import Sky, sun
from tests.unit.fakes.helpers import read_dn, tree_hash

CLEAR = Sky(0, float("inf"))


def _view(x_m: float, y_m: float, side_px: int, pixel_m: float) -> View:
    steps = (np.arange(side_px) + 0.5) * pixel_m
    return View(x_m + steps, y_m - steps, pixel_m)


def _olci_reflectance(product: Path, band: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    def raw(file: str, name: str) -> np.ndarray:
        with h5py.File(product / f"{file}.nc") as source:
            return source[name][()]

    index = int(band[2:]) - 1
    with h5py.File(product / f"{band}_radiance.nc") as source:
        scale = float(np.ravel(source[f"{band}_radiance"].attrs["scale_factor"])[0])
    stored = raw(f"{band}_radiance", f"{band}_radiance")
    flux = raw("instrument_data", "solar_flux")[index]
    detectors = raw("instrument_data", "detector_index")
    zenith = np.deg2rad(raw("tie_geometries", "SZA").mean() * 1e-6)
    value = np.pi * stored * scale / (flux[np.maximum(detectors, 0)] * np.cos(zenith))
    value[stored == 65535] = np.nan
    lat, lon = (raw("geo_coordinates", n) * 1e-6 for n in ("latitude", "longitude"))
    return value, lon, lat


def test_both_sensors_see_the_same_ground(tmp_path: Path) -> None:
    """Sentinel-2 red blurred to 300 m equals OLCI Oa08, up to band width and duplicates."""
    world = World(0)
    s2 = make_s2(
        tmp_path, world=world, size_px=960, cloud=0.0, bands=("B04",), resolutions=(10,),
        quality_masks=False,
    )  # fmt: skip
    s3 = make_s3(tmp_path, world=world, start=DEFAULT_SENSING, cloud=0.0)
    red = (read_dn(s2, "B04").astype(np.float64) - 1000) / 10000
    blurred = gaussian_filter(np.clip(red, 0, 1.5), 300 / 2.3548 / 10)
    value, lon, lat = _olci_reflectance(s3, "Oa08")
    x, y = Transformer.from_crs(4326, 32617, always_xy=True).transform(lon, lat)
    column, row = (x - 499985) / 10, (8099995 - y) / 10
    inside = (column > 40) & (column < 920) & (row > 40) & (row < 920) & ~np.isnan(value)
    assert inside.sum() > 600
    seen = map_coordinates(blurred, [row[inside], column[inside]], order=1)
    # A duplicated pixel shows its neighbour, so the agreement cannot be perfect.
    assert np.corrcoef(seen, value[inside])[0, 1] > 0.96
    assert abs(np.median(seen - value[inside])) < 0.01


def test_a_window_equals_the_same_part_of_a_larger_view() -> None:
    world, time = World(0), DEFAULT_SENSING
    large = world.reflectance(_view(500000, 8099000, 300, 10.0), 560.0, time)
    small = world.reflectance(_view(501000, 8098500, 100, 10.0), 560.0, time)
    difference = np.abs(large[50:150, 100:200] - small)[2:-2, 2:-2]
    assert (difference > 1e-3).mean() < 0.002


def test_coarse_pixels_are_averages_of_fine_ones() -> None:
    world, time = World(0), DEFAULT_SENSING
    fine = world.reflectance(_view(500040, 8095980, 600, 10.0), 665.0, time)
    coarse = world.reflectance(_view(500040, 8095980, 100, 60.0), 665.0, time)
    mean = fine.reshape(100, 6, 100, 6).mean(axis=(1, 3))
    assert np.corrcoef(mean.ravel(), coarse.ravel())[0, 1] > 0.97
    assert abs((mean - coarse).mean()) < 0.02


@pytest.mark.parametrize("vector_m", [(400.0, -250.0), (-120.0, 310.0)])
def test_ice_drifts_by_the_vector_asked_for(vector_m: tuple[float, float]) -> None:
    world = World(0).drifting(*vector_m, hours_between=3.0)
    view = _view(500000, 8090000, 512, 10.0)
    before = world.scene(view, DEFAULT_SENSING, CLEAR)
    after = world.scene(view, DEFAULT_SENSING + timedelta(hours=3), CLEAR)
    assert before.land.max() == 0, "the test needs open sea"
    ice = [s.weights[9] for s in (before, after)]
    shift, _, _ = phase_cross_correlation(ice[1], ice[0], upsample_factor=10)
    assert shift[1] * 10 == pytest.approx(vector_m[0], abs=8)
    assert -shift[0] * 10 == pytest.approx(vector_m[1], abs=8)


def test_land_stays_where_it_is() -> None:
    world = World(0)
    view = _view(513000, 8094000, 200, 10.0)
    first = world.scene(view, DEFAULT_SENSING, CLEAR)
    second = world.scene(view, DEFAULT_SENSING + timedelta(minutes=20), CLEAR)
    assert first.land.min() == 1
    still = np.corrcoef(first.weights.ravel(), second.weights.ravel())[0, 1]
    assert still > 0.995  # the sun moves five degrees: slopes change a little, places do not


def test_shadows_fall_away_from_the_sun() -> None:
    """The shadow of a cloud at height h lies h tan(zenith) from it, opposite the azimuth."""
    world, time = World(0), DEFAULT_SENSING
    view = _view(500000, 8098000, 400, 20.0)
    sky = world.sky(time, 0.3, view)
    seen = world.scene(view, time, sky)
    zenith, azimuth = (np.deg2rad(a) for a in world.sun(time, *world.centre_m))
    length = sky.height_m * np.tan(zenith)
    east, north = -length * np.sin(azimuth), -length * np.cos(azimuth)
    moved = sky.opacity(view.shifted(-east, -north), time)
    assert np.corrcoef(moved.ravel(), seen.shadow.ravel())[0, 1] > 0.9999
    assert abs((seen.cloud > 0.08).mean() - 0.3) < 0.02


@pytest.mark.parametrize(
    ("month", "day", "latitude", "noon_zenith"),
    [(6, 21, 0, 23.44), (3, 20, 50, 50), (12, 21, 0, 23.44)],
)
def test_sun_at_noon(month: int, day: int, latitude: float, noon_zenith: float) -> None:
    time = DEFAULT_SENSING.replace(year=2022, month=month, day=day, hour=12, minute=0, second=0)
    longitudes = np.linspace(-10, 10, 201)
    zenith, _ = sun(time, longitudes, np.full(201, latitude))
    assert zenith.min() == pytest.approx(noon_zenith, abs=0.5)


@pytest.mark.slow
def test_archive_layout_and_repeatability(tmp_path: Path) -> None:
    made = make_archive(tmp_path / "a", scenes=4, size_px=192)
    again = make_archive(tmp_path / "b", scenes=2, size_px=192, workers=2)
    for root in ("s2_root", "s3_root"):
        first, second = tree_hash(made[root]), tree_hash(again[root])
        assert second
        assert second.items() <= first.items()
    s2 = sorted(p.relative_to(made["s2_root"]).as_posix() for p in made["s2_root"].glob("*/*/*"))
    assert len(s2) == 5, "four acquisitions, one of them reprocessed"
    assert all(f"/S2{n.split('/S2')[1]}" in n and "_T17XNA_" in n for n in s2)
    years = {n[:7]: n.split("_")[2][:6] for n in s2}
    assert all(folder.replace("/", "") == month for folder, month in years.items())
    s3 = [p.name for p in made["s3_root"].glob("*/*/*.SEN3")]
    assert sum("_NR_" in n for n in s3) == 1
    assert len(s3) == 6


def test_archive_frames_cover_the_tile(tmp_path: Path) -> None:
    made = make_archive(tmp_path, scenes=1, size_px=192)
    with rasterio.open(next(made["s2_root"].rglob("*_B02.jp2"))) as image:
        west, south, east, north = image.bounds
    lon, lat = Transformer.from_crs(32617, 4326, always_xy=True).transform(
        [west, east, east, west], [south, south, north, north]
    )
    product = next(made["s3_root"].glob("*/*/*.SEN3"))
    _, seen_lon, seen_lat = _olci_reflectance(product, "Oa08")
    from shapely import MultiPoint, Point

    hull = MultiPoint(np.column_stack([seen_lon.ravel(), seen_lat.ravel()])).convex_hull
    assert all(hull.contains(Point(p)) for p in zip(lon, lat, strict=True))


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--scenes", "1", "--size", "192", "--workers", "1"]) == 0
    said = capsys.readouterr().out
    assert "1/1 acquisitions" in said
    assert "tile T17XNA" in said


def test_benchmark_pair_shares_its_clouds_and_ground(tmp_path: Path) -> None:
    s2, s3 = make_pair(tmp_path, size_px=192, rows=33, columns=33, workers=1)
    with h5py.File(s3 / "Oa08_radiance.nc") as source:
        assert source["Oa08_radiance"].chunks == (33, 33)
    _, lon, lat = _olci_reflectance(s3, "Oa08")
    x, y = Transformer.from_crs(4326, 32617, always_xy=True).transform(lon.mean(), lat.mean())
    with rasterio.open(next(s2.rglob("*_B02.jp2"))) as image:
        west, south, east, north = image.bounds
    assert (x, y) == pytest.approx(((west + east) / 2, (south + north) / 2), abs=60)
