"""Frames of one pass joined: number for number what a single product of the pass gives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.footprints import bridged, overlap_fraction, project
from sensor2sensor.geo.grids import Grid
from sensor2sensor.products.olci import OlciWindow
from sensor2sensor.products.s3_pass import SEAM_M, S3Pass, joined
from sensor2sensor.products.s3_reader import S3Reader
from sensor2sensor.products.sentinel3 import S3Product, open_s3
from tests.fakes import World, make_frames
from tests.fakes.swath import Swath

ROWS, COLUMNS = 44, 65
OPTIONS = {"rows": ROWS, "columns": COLUMNS, "world": World(0)}
# Rows of the frames of a pass: abutting ones, three that share rows.
CUTS = {
    "abutting": (slice(0, 21), slice(21, 44)),
    "sharing": (slice(0, 20), slice(18, 24), slice(23, 44)),
}
Pair = tuple[S3Product, S3Product | S3Pass]


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """The pass as one product, and as joined frames of each cut."""
    cuts = [slice(0, ROWS), *(one for frames in CUTS.values() for one in frames)]
    made = make_frames(tmp_path_factory.mktemp("pass"), cuts, **OPTIONS)
    whole, *frames = (open_s3(one) for one in made)
    two = len(CUTS["abutting"])
    return {
        "abutting": (whole, joined(frames[:two])),
        "sharing": (whole, joined(frames[:-4:-1])),
    }


@pytest.fixture(scope="module")
def readers(passes: dict[str, Pair]) -> Iterator[dict[str, tuple[S3Reader, S3Reader]]]:
    with ExitStack() as stack:
        yield {
            cut: tuple(stack.enter_context(one.open()) for one in pair)
            for cut, pair in passes.items()
        }


def all_of(reader: S3Reader, rows: slice, columns: slice) -> dict[str, object]:
    flags = reader.flags(rows, columns)
    return {
        "flags": flags,
        "quality": reader.quality(flags),
        "radiances": reader.radiances(rows, columns, ("Oa08", "Oa02")),
        "geolocation": np.stack(reader.geolocation(rows, columns)),
        "detector_index": reader.detector_index(rows, columns),
        "solar_flux": reader.solar_flux(rows, columns),
        "sun_zenith": reader.sun_zenith(rows, columns),
        "reflectance": reader.reflectance(rows, columns, ("Oa03",)),
        "time_stamps": reader.time_stamps(rows),
    }


@settings(max_examples=12, deadline=None)
@given(
    cut=st.sampled_from(list(CUTS)),
    rows=st.tuples(st.integers(0, ROWS - 1), st.integers(1, ROWS)),
    columns=st.tuples(st.integers(0, COLUMNS - 1), st.integers(1, 40)),
)
def test_any_window_is_that_of_the_single_product(
    passes: dict[str, Pair],
    readers: dict[str, tuple[S3Reader, S3Reader]],
    cut: str,
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> None:
    window = [
        slice(start, min(start + size, most))
        for (start, size), most in ((rows, ROWS), (columns, COLUMNS))
    ]
    (whole, parts), (one, other) = passes[cut], readers[cut]
    expected, found = all_of(one, *window), all_of(other, *window)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name, strict=True)
    times = parts.row_times(other, window[0])
    np.testing.assert_array_equal(times, whole.row_times(one, window[0]))


@pytest.mark.parametrize("cut", list(CUTS))
def test_what_holds_for_all_rows_is_that_of_the_single_product(
    readers: dict[str, tuple[S3Reader, S3Reader]], cut: str
) -> None:
    one, other = readers[cut]
    assert one.shape == other.shape == (ROWS, COLUMNS)
    assert one.flag_masks == other.flag_masks
    assert one.quality_given() == other.quality_given()
    for ours, theirs in zip(other.tie_geolocation(), one.tie_geolocation(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("cut", list(CUTS))
def test_a_tile_across_the_seam_is_that_of_the_single_product(
    passes: dict[str, Pair], cut: str
) -> None:
    whole, parts = passes[cut]
    grid = grid_over(whole)
    scene, other = OlciWindow(whole, grid), OlciWindow(parts, grid)
    assert scene.window == other.window
    np.testing.assert_array_equal(scene.red_radiance(), other.red_radiance())
    assert np.unique(other.row_times).size == other.window.shape[0]
    for place in ((0, 0), (128, 128), (256, 256)):
        one, two = (made.tile(grid.window(*place, 256, 256)) for made in (scene, other))
        for name in ("collocation", "quality", "radiance"):
            np.testing.assert_array_equal(getattr(two, name), getattr(one, name), err_msg=name)
        assert (two.used, two.radius_m, two.time) == (one.used, one.radius_m, one.time)
        for name, values in vars(one.table).items():
            np.testing.assert_array_equal(getattr(two.table, name), values, err_msg=name)
    rows = other.tile(grid.window(128, 128, 256, 256)).table.rowcol[:, 0]
    assert rows.min() < 18 and rows.max() > 24, "on both sides of every seam"


def grid_over(product: S3Product) -> Grid:
    """A scene of 5 km around the middle of the frame."""
    middle = project(product.footprint, "EPSG:32617").centroid
    west, north = (round(v / 10.0) * 10.0 for v in (middle.x - 2560.0, middle.y + 2560.0))
    return Grid(32617, west, north, 10.0, 512, 512)


def test_the_footprint_has_no_gap_between_frames(passes: dict[str, Pair]) -> None:
    ends = [project(one.footprint, "EPSG:32617") for one in passes["abutting"][1].frames]
    assert ends[0].distance(ends[1]) > 200.0
    for whole, parts in passes.values():
        one, other = (project(made.footprint, "EPSG:32617") for made in (whole, parts))
        assert other.geom_type == "Polygon" and len(other.interiors) == 0
        assert one.symmetric_difference(other).area < 1e-3 * one.area
        assert overlap_fraction(whole.footprint, parts.footprint) > 0.999


@pytest.mark.parametrize("middle", [(179.99, 66.0), (30.0, 89.95), (-80.0, 0.0)])
def test_footprints_are_joined_at_the_antimeridian_and_over_the_pole(
    middle: tuple[float, float],
) -> None:
    lon, lat = Swath(400, 33, middle).lonlat(np.arange(400)[:, None], np.arange(33)[None, :])

    def outline(first: int, last: int) -> Polygon:
        rows = np.linspace(first, last, 13).round().astype(int)
        ring = [(rows[0], c) for c in range(0, 33, 8)] + [(r, 32) for r in rows[1:]]
        ring += [(rows[-1], c) for c in range(24, -8, -8)] + [(r, 0) for r in rows[-2:0:-1]]
        return Polygon([(lon[place], lat[place]) for place in ring])

    whole, parts = outline(0, 399), bridged([outline(0, 170), outline(171, 399)], SEAM_M)
    assert overlap_fraction(whole, parts) > 0.9999, "with a row between them: 0.9975"
    assert overlap_fraction(parts, whole) > 0.999


def _copies(passes: dict[str, Pair], folder: Path, cut: str = "abutting") -> list[S3Product]:
    """The frames of a cut that may be changed."""
    paths = [frame.path for frame in passes[cut][1].frames]
    return [open_s3(Path(shutil.copytree(one, folder / one.name))) for one in paths]


def test_each_frame_is_read_by_its_own_scale_and_solar_table(
    passes: dict[str, Pair], tmp_path: Path
) -> None:
    whole, _ = passes["abutting"]
    first, second = _copies(passes, tmp_path)
    with h5py.File(second.path / "Oa08_radiance.nc", "r+") as file:
        stored = file["Oa08_radiance"]
        raw = stored[...]
        stored[...] = np.where(raw == 65535, raw, raw // 2)
        stored.attrs["scale_factor"] = np.float32(2.0 * stored.attrs["scale_factor"])
    with h5py.File(second.path / "instrument_data.nc", "r+") as file:
        file["solar_flux"][...] = 2.0 * file["solar_flux"][...]
    rows, columns = slice(11, 31), slice(5, 50)
    with whole.open() as one, joined([second, first]).open() as other:
        true, found = (made.radiances(rows, columns, ("Oa08",))[0] for made in (one, other))
        np.testing.assert_array_equal(found[:10], true[:10])
        assert np.abs(found[10:] - true[10:]).max() < 0.01, "a number's step, halved"
        true, found = (made.solar_flux(rows, columns, ("Oa08",))[0] for made in (one, other))
        np.testing.assert_array_equal(found[:10], true[:10])
        np.testing.assert_array_equal(found[10:], 2.0 * true[10:])


def test_rows_without_time_stamps_are_joined_by_start_and_stop(
    passes: dict[str, Pair], tmp_path: Path
) -> None:
    frames = _copies(passes, tmp_path)
    for frame in frames:
        (frame.path / "time_coordinates.nc").unlink()
    parts = joined([open_s3(frame.path) for frame in frames])
    with parts.open() as reader:
        assert reader.shape == (ROWS, COLUMNS)
        assert reader.time_stamps(slice(16, 26)) is None
        times = parts.row_times(reader, slice(16, 26))
    steps = np.diff(times).astype(int)
    assert (steps >= 0).all() and abs(int(steps.mean()) - 44_001) < 5_000


def test_time_stamps_that_contradict_the_sensing_period_lose_no_row_in_silence(
    passes: dict[str, Pair], tmp_path: Path
) -> None:
    first, second = _copies(passes, tmp_path)
    with h5py.File(second.path / "time_coordinates.nc", "r+") as file:
        file["time_stamp"][...] -= 1_000_000
    with (
        pytest.raises(ProductError, match="23 of its 23 rows are in the frame before") as caught,
        joined([first, second]).open(),
    ):
        pass
    assert second.path.name in str(caught.value)


@pytest.mark.parametrize("cut", list(CUTS))
@pytest.mark.parametrize("seconds", [-0.35, -0.1])
def test_time_stamps_tenths_of_a_second_early_lose_no_row_in_silence(
    passes: dict[str, Pair], tmp_path: Path, cut: str, seconds: float
) -> None:
    first, *others = _copies(passes, tmp_path, cut)
    with h5py.File(others[-1].path / "time_coordinates.nc", "r+") as file:
        file["time_stamp"][...] += int(seconds * 1e6)
    with (
        pytest.raises(ProductError, match=r"by its times .*, by its positions") as caught,
        joined([first, *others]).open(),
    ):
        pass
    assert others[-1].name in str(caught.value)


@pytest.mark.parametrize("damage", [slice(None), slice(2, None)], ids=["all", "but two columns"])
def test_damaged_positions_tell_of_no_gap(
    passes: dict[str, Pair], tmp_path: Path, damage: slice
) -> None:
    first, second = _copies(passes, tmp_path)
    with h5py.File(first.path / "tie_geo_coordinates.nc", "r+") as file:
        for name in ("latitude", "longitude"):
            file[name][:, damage] = 0
    with joined([first, second]).open() as reader:
        assert reader.shape == (ROWS, COLUMNS)


@pytest.mark.parametrize("later_us", [-44_000, 44_000, 350_000])
@pytest.mark.parametrize("cut", list(CUTS))
def test_time_stamps_a_row_early_or_some_late_are_taken(
    passes: dict[str, Pair], tmp_path: Path, cut: str, later_us: int
) -> None:
    """Late ones leave rows between, or have shared ones twice: pixels go by their positions."""
    first, *others = _copies(passes, tmp_path, cut)
    with h5py.File(others[-1].path / "time_coordinates.nc", "r+") as file:
        file["time_stamp"][...] += later_us
    with joined([first, *others]).open() as reader:
        assert reader.shape[0] == ROWS + round(later_us / 44_000)


@pytest.mark.parametrize(
    ("later", "other", "said"),
    [
        (2.0, {}, "does not go on where"),
        (-0.5, {}, "does not go on where"),
        (0.0, {"platform": "S3B"}, "does not go on where"),
        (0.0, {"collection": "002"}, "is of collection 002"),
        (0.0, {"columns": 49}, "has 49 columns"),
    ],
    ids=["gap", "shares most", "other satellite", "other flags", "other width"],
)
def test_what_is_no_next_frame_is_refused_by_name(
    passes: dict[str, Pair], later: float, other: dict[str, object], said: str
) -> None:
    first, second = passes["abutting"][1].frames
    times = {name: getattr(second, name) + timedelta(seconds=later) for name in ("start", "stop")}
    with pytest.raises(ProductError, match=said) as caught:
        joined([first, replace(second, **{**times, **other})])
    assert "repeat step 20" in str(caught.value)


def test_a_damaged_frame_is_named(passes: dict[str, Pair], tmp_path: Path) -> None:
    first, second = _copies(passes, tmp_path)
    (second.path / "Oa05_radiance.nc").write_bytes(b"no netCDF")
    parts = joined([first, second])
    with parts.open() as reader:
        reader.radiances(slice(0, 21), slice(0, 5), ("Oa05",))
        with pytest.raises(ProductError, match=f"{second.path.name}/Oa05_radiance.nc"):
            reader.radiances(slice(20, 40), slice(0, 5), ("Oa05",))


def test_time_stamps_a_second_after_the_sensing_period_are_refused(
    passes: dict[str, Pair], tmp_path: Path
) -> None:
    first, second = _copies(passes, tmp_path)
    with h5py.File(second.path / "time_coordinates.nc", "r+") as file:
        file["time_stamp"][...] += 30_000_000
    with (
        pytest.raises(ProductError, match=r"begins 30\.0 s too late") as caught,
        joined([first, second]).open(),
    ):
        pass
    assert second.path.name in str(caught.value)


@pytest.mark.parametrize("order", [slice(None, None, -1), [5] * 23], ids=["reversed", "constant"])
def test_time_stamps_out_of_order_tell_of_no_gap(
    passes: dict[str, Pair], tmp_path: Path, order: object
) -> None:
    first, second = _copies(passes, tmp_path)
    with h5py.File(second.path / "time_coordinates.nc", "r+") as file:
        file["time_stamp"][...] = file["time_stamp"][...][order]
    parts = joined([first, second])
    with parts.open() as reader:
        assert reader.shape == (ROWS, COLUMNS)
        assert (np.diff(parts.row_times(reader, slice(None))).astype(int) > 40_000).all()


def test_a_damaged_time_stamp_costs_no_row(passes: dict[str, Pair], tmp_path: Path) -> None:
    first, second = _copies(passes, tmp_path)
    with h5py.File(second.path / "time_coordinates.nc", "r+") as file:
        file["time_stamp"][7] = np.iinfo(np.int64).min
    early = replace(second, start=second.start - timedelta(milliseconds=44))
    with joined([first, early]).open() as reader:
        assert reader.shape == (ROWS, COLUMNS), "its start may be said a row too early"
