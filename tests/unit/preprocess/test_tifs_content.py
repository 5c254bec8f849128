"""What is in a tile: radiometry against satpy, collocation against brute force, the margin."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer

from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.tiles import run as tifs
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.quality import Quality
from tests.fakes import World, make_s2, make_s3
from tests.unit.preprocess.tifs_archive import (
    BANDS,
    CENTRE,
    FIRST,
    archive,
    folder_of,
    rows_of,
    select,
    step40,
)
from tests.unit.products.oracle import satpy_olci, satpy_reflectance

MARGIN = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Tiles of the scene that lies in folders (the oracle reads no zip)."""
    made = archive(tmp_path_factory.mktemp("tiles"))
    select(made, 0)
    assert step40(made, "--quantity", "3") == 0
    return made


def product(root: Path, pattern: str) -> Path:
    return next(root.rglob(pattern))


def tile(root: Path, stem: str) -> tuple[np.ndarray, dict[str, np.ndarray], rasterio.DatasetReader]:
    with rasterio.open(folder_of(root) / f"{stem}.tif") as source:
        data = source.read()
    with np.load(folder_of(root) / f"{stem}_olci.npz", allow_pickle=False) as table:
        return data, dict(table), source


def stems(root: Path) -> list[str]:
    return [row["tile"] for row in rows_of(folder_of(root))]


def test_bands_are_described_with_units_on_the_sentinel2_grid(root):
    for row in rows_of(folder_of(root)):
        with rasterio.open(folder_of(root) / f"{row['tile']}.tif") as source:
            assert source.descriptions == ("quality", "collocation", *BANDS, *OLCI_BANDS)
            assert source.units[2:5] == ("reflectance",) * 3
            assert set(source.units[5:]) == {"mW m-2 sr-1 nm-1"}
            assert source.crs.to_epsg() == 32617 and np.isnan(source.nodata)
            x, y = int(row["x"]), int(row["y"])
            assert source.transform[2] == 499980.0 + 10 * x == float(row["ulx_m"])
            assert source.transform[5] == 8100000.0 - 10 * y == float(row["uly_m"])
            assert source.dtypes[0] == "float32" and source.compression.name == "deflate"
            assert source.tags(3)["wavelength_nm"] == "492.7"


def test_every_tile_names_its_overpass(root):
    found = product(root / "s2", "S2A*.SAFE").name.split("_")  # S2A_MSIL1C_<datatake start>_...
    assert {row["overpass"] for row in rows_of(folder_of(root))} == {f"{found[0]}_{found[2]}"}


def test_sentinel2_bands_equal_satpy(root):
    expected = satpy_reflectance(product(root / "s2", "S2A*.SAFE"), "L1C", BANDS, 10)
    for row in rows_of(folder_of(root)):
        data, _, _ = tile(root, row["tile"])
        x, y = int(row["x"]), int(row["y"])
        for number, band in enumerate(BANDS):
            want = expected[band][y : y + 64, x : x + 64]
            np.testing.assert_allclose(data[2 + number], want, rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("level", "baseline"), [("L2A", "05.11"), ("L2A", "02.07"), ("L1C", "02.07")]
)
def test_other_levels_and_baselines_equal_satpy(tmp_path, level, baseline):
    made = make_s2(
        tmp_path / "s2", world=World(0), sensing=FIRST, level=level, baseline=baseline,
        size_px=192, bands=BANDS, resolutions=(10, 60), cloud=0.0, quality_masks=False,
    )  # fmt: skip
    sentinel2_alone(tmp_path, "--margin", "0", "--quantity", "1")
    expected = satpy_reflectance(made, level, BANDS, 10)
    row = rows_of(folder_of(tmp_path, name="inv_T17XNA_s2"))[0]
    with rasterio.open(folder_of(tmp_path, name="inv_T17XNA_s2") / f"{row['tile']}.tif") as source:
        assert source.count == 5 and source.descriptions[2:] == BANDS
        assert (source.read(2) == 0).all()
        x, y = int(row["x"]), int(row["y"])
        for number, band in enumerate(BANDS, start=3):
            want = expected[band][y : y + 64, x : x + 64]
            np.testing.assert_allclose(source.read(number), want, rtol=0, atol=2e-7)
    assert row["s3"] == row["shift_m"] == row["olci_pixels"] == ""


def sentinel2_alone(root: Path, *arguments: str) -> None:
    """Steps 20 and 40 on the scenes below `root`, without Sentinel-3."""
    env = root / "environment.json"
    env.write_text(json.dumps({"data_root": "data", "s2_root": "s2", "s3_root": "s3"}))
    assert inventory.main(["--environment", str(env), "--tile", "T17XNA", "--s2-only"]) == 0
    chosen = {"inventory": "inv_T17XNA_s2", "s2_indices": [0]}
    (root / "data" / "_inventory" / "sel.json").write_text(json.dumps(chosen))
    common = ["--environment", str(env), "--selection", "sel", "--tilesize", "64"]
    assert tifs.main([*common, *arguments]) == 0


def test_radiances_equal_satpy_at_the_chosen_pixel(root):
    expected = satpy_olci(product(root / "s3", "S3B*.SEN3"), OLCI_BANDS, "radiance")
    for stem in stems(root):
        data, table, _ = tile(root, stem)
        row, column = table["rowcol"].T
        index = data[1].astype(int) - 1
        assert index.min() >= 0 and index.max() < len(row)
        for number, band in enumerate(OLCI_BANDS):
            want = expected[band][row, column]
            np.testing.assert_allclose(table["radiance"][:, number], want, rtol=1e-6)
            np.testing.assert_array_equal(data[5 + number], table["radiance"][index, number])


def test_table_ends_with_usable_neighbours_for_interpolation(root):
    for row in rows_of(folder_of(root)):
        data, table, _ = tile(root, row["tile"])
        used = int(row["olci_pixels"])
        assert sorted(set(data[1].astype(int).ravel())) == list(range(1, used + 1))
        assert len(table["rowcol"]) > used
        beyond = table["quality"][used:]
        assert not (beyond & np.uint32(Quality.OLCI_INVALID | Quality.OLCI_DUPLICATED)).any()
        assert np.isfinite(table["radiance"][used:]).all()
        own = table["rowcol"][:used]
        distance = np.abs(table["rowcol"][used:, None] - own[None]).max(axis=-1).min(axis=1)
        assert (distance == 1).all()


def test_chosen_pixel_is_within_a_metre_of_the_brute_force_nearest(root):
    found = satpy_olci(product(root / "s3", "S3B*.SEN3"), ("latitude", "longitude"))
    lat, lon = found["latitude"].ravel(), found["longitude"].ravel()
    columns = found["latitude"].shape[1]
    geod = Geod(ellps="WGS84")
    data, table, source = tile(root, stems(root)[0])
    index = data[1].astype(int) - 1
    to_degrees = Transformer.from_crs(32617, 4326, always_xy=True)
    for y, x in [(0, 0), (63, 63), (0, 63), (31, 17), (40, 55), (12, 8), (55, 3)]:
        point = to_degrees.transform(*(source.transform @ (x + 0.5, y + 0.5)))
        distance = geod.inv(*(np.full(lat.size, c) for c in point), lon, lat)[2]
        row, column = table["rowcol"][index[y, x]]
        assert distance[row * columns + column] <= distance.min() + 1.0
    xy = np.stack(to_degrees.transform(*table["xy_m"].T), axis=-1)
    flat = table["rowcol"][:, 0] * columns + table["rowcol"][:, 1]
    np.testing.assert_allclose(xy, np.stack([lon[flat], lat[flat]], axis=-1), atol=1e-7)


def test_quality_word_is_exact_and_combines_both_sensors(root):
    for stem in stems(root):
        data, table, _ = tile(root, stem)
        word = data[0].astype(np.uint32)
        assert (word == data[0]).all() and word.max() < 2**24
        olci = table["quality"][data[1].astype(int) - 1]
        np.testing.assert_array_equal(word & ~np.uint32(255), olci)
        assert not (word & np.uint32(Quality.S2_NODATA | Quality.OLCI_NONE)).any()


def test_margin_holds_the_tile_and_is_empty_outside_the_scene(root):
    rows = rows_of(folder_of(root))
    for row in rows:
        data, _, source = tile(root, row["tile"])
        with rasterio.open(folder_of(root) / f"{row['tile']}_margin.tif") as around:
            assert around.descriptions == BANDS and around.shape == (64 + 2 * MARGIN,) * 2
            values = around.read()
            assert around.transform[2] == source.transform[2] - 10 * MARGIN
        np.testing.assert_array_equal(values[:, MARGIN:-MARGIN, MARGIN:-MARGIN], data[2:5])
        x = int(row["x"]) - MARGIN + np.arange(64 + 2 * MARGIN)
        np.testing.assert_array_equal(np.isnan(values[0]).all(axis=0), (x < 0) | (x >= 384))


def test_sun_angle_and_solar_flux_give_satpys_reflectance(root):
    expected = satpy_olci(product(root / "s3", "S3B*.SEN3"), ("Oa08",), "reflectance")["Oa08"]
    _, table, _ = tile(root, stems(root)[0])
    cosine = np.cos(np.radians(table["sun_zenith_deg"].astype(float)))
    ours = np.pi * table["radiance"][:, 7] / (table["solar_flux"][:, 7] * cosine)
    row, column = table["rowcol"].T
    plain = np.pi * table["radiance"][:, 7] / table["solar_flux"][:, 7]
    theirs = expected[row, column] / 100.0
    # satpy leaves the sun angle to a modifier (style.md E.4): its number is pi L / F0.
    np.testing.assert_allclose(plain, theirs, rtol=1e-5)
    assert (ours > plain).all()


@pytest.mark.slow
def test_known_drift_is_found(tmp_path):
    """A world of drifting ice alone: two hours apart, its floes have moved by a known vector."""
    east, north = 780.0, -450.0
    world = World(0).drifting(east, north, 2.0)
    # Out in the pack, so that no coast holds still.
    corner = {"ulx": 499980.0 - 12770.0, "uly": 8100000.0 + 17770.0}
    to_degrees = Transformer.from_crs(32617, 4326, always_xy=True)
    centre = to_degrees.transform(corner["ulx"] + 4800.0, corner["uly"] - 4800.0)
    make_s2(
        tmp_path / "s2", world=world, sensing=FIRST, size_px=960, bands=BANDS, resolutions=(10,),
        cloud=0.0, quality_masks=False, **corner,
    )  # fmt: skip
    make_s3(
        tmp_path / "s3", world=world, start=FIRST + timedelta(hours=2), rows=65, columns=65,
        centre_lonlat=centre, cloud=0.0,
    )  # fmt: skip
    row = first_tile_of_the_pair(tmp_path)
    assert float(row["shift_quality"]) > 0.5
    assert float(row["shift_east_m"]) == pytest.approx(east, abs=40.0)
    assert float(row["shift_north_m"]) == pytest.approx(north, abs=40.0)
    moved = np.hypot(float(row["shift_east_m"]), float(row["shift_north_m"]))
    assert float(row["shift_m"]) == pytest.approx(moved, abs=0.01)


def first_tile_of_the_pair(root: Path) -> dict[str, str]:
    """Steps 20 and 40 with one tile."""
    env = root / "environment.json"
    env.write_text(json.dumps({"data_root": "data", "s2_root": "s2", "s3_root": "s3"}))
    arguments = ["--environment", str(env)]
    assert inventory.main([*arguments, "--tile", "T17XNA", "--timediff", "3"]) == 0
    select(root, 0)
    assert step40(root, "--quantity", "1", "--max-cloud", "1", "--no-verify") == 0
    return rows_of(folder_of(root))[0]


T29UNU = "s2_safe/S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454.SAFE"


@pytest.mark.slow
def test_clear_tiles_of_the_real_product_equal_satpy(real_data, tmp_path):
    """60 % cloud, 40 % nodata: some 80 clear tiles of 64 pixels on the grid at 60 m."""
    env = tmp_path / "environment.json"
    env.write_text(json.dumps({"data_root": "data", "s2_root": str(real_data / "s2_safe")}))
    common = ["--environment", str(env)]
    asked = [*common, "--tile", "T29UNU", "--s2-only", "--resolution", "60"]
    assert inventory.main(asked) == 0
    name = "inv_T29UNU_s2_60m"
    chosen = {"inventory": name, "s2_indices": [0]}
    (tmp_path / "data" / "_inventory" / "sel.json").write_text(json.dumps(chosen))
    asked = [*common, "--selection", "sel", "--tilesize", "64", "--margin", "0"]
    assert tifs.main([*asked, "--grid", "--quantity", "80"]) == 0
    folder = folder_of(tmp_path, name=name)
    rows = rows_of(folder)
    assert len(rows) >= 75 and {row["nodata_fraction"] for row in rows} == {"0.0"}
    assert (
        json.loads((folder / "manifest.json").read_text())["scenes"]["0"]["quality_source"] == "SCL"
    )
    expected = satpy_reflectance(real_data / T29UNU, "L2A", BANDS, 60)
    for row in rows[::8]:
        with rasterio.open(folder / f"{row['tile']}.tif") as source:
            data = source.read()
        x, y = int(row["x"]), int(row["y"])
        for number, band in enumerate(BANDS):
            want = expected[band][y : y + 64, x : x + 64]
            np.testing.assert_allclose(data[2 + number], want, rtol=0, atol=2e-7)


def test_centre_of_the_archive_is_inside_the_scene():
    x, y = Transformer.from_crs(4326, 32617, always_xy=True).transform(*CENTRE)
    assert 499980.0 < x < 499980.0 + 3840.0 and 8100000.0 - 3840.0 < y < 8100000.0
