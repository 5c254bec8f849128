"""What makes a product unusable for an inventory."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sensor2sensor.core import xml
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.times import utc_from
from sensor2sensor.geo.footprints import unproject
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.inventory.options import arguments_parser, parse_options
from sensor2sensor.preprocess.inventory.scan import (
    How,
    check_sentinel2,
    check_sentinel3,
    one_level,
    scan,
    scan_sentinel3,
)
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.scripts.step_archive import BANDS, PASSES, SCENES, fresh_copy, overpass, scene


def check2(product, *, bands=BANDS, verify=False):
    return check_sentinel2(open_s2(product), bands=bands, resolution_m=10, verify=verify)


def test_one_level_is_taken_and_two_are_refused():
    assert one_level(["L1C", "L1C"], "T17XNA", None) == "L1C"
    assert one_level(["L1C", "L2A"], "T17XNA", "L2A") == "L2A"
    assert one_level([], "T17XNA", None) is None
    with pytest.raises(InputError, match="2 L1C and 1 L2A products; give --level"):
        one_level(["L2A", "L1C", "L1C"], "T17XNA", None)
    with pytest.raises(InputError, match="no L2A product; there are 1 L1C"):
        one_level(["L1C"], "T17XNA", "L2A")


def test_a_whole_product_has_no_problem(tmp_path):
    assert check2(scene(tmp_path, SCENES[0]), verify=True) == []
    assert check2(scene(tmp_path, SCENES[0], baseline="02.07", zip=True), verify=True) == []


def test_files_missing_empty_cut_short_or_altered_are_named(tmp_path):
    product = scene(tmp_path, SCENES[0])
    files = {band: next(product.rglob(f"*_{band}.jp2")) for band in BANDS}
    files["B02"].write_bytes(b"")
    files["B03"].write_bytes(files["B03"].read_bytes()[:-1])
    empty, short = check2(product)
    assert "_B02.jp2 is empty" in empty
    assert "_B03.jp2 has" in short
    assert check2(product, bands=("B04",), verify=True) == []
    data = files["B04"].read_bytes()
    files["B04"].write_bytes(data[:-30] + bytes([data[-30] ^ 1]) + data[-29:])
    assert check2(product, bands=("B04",)) == []
    (altered,) = check2(product, bands=("B04",), verify=True)
    assert "_B04.jp2: SHA3-256 differs" in altered
    files["B04"].unlink()
    (missing,) = check2(product, bands=("B04",))
    assert missing.startswith("missing ")


def test_a_sentinel3_product_without_a_band_is_incomplete(tmp_path):
    product = overpass(tmp_path, "S3A", SCENES[0])
    assert check_sentinel3(open_s3(product), verify=True) == []
    (product / "Oa21_radiance.nc").unlink()
    assert check_sentinel3(open_s3(product), verify=False) == ["missing Oa21_radiance.nc"]


def test_passes_are_chosen_by_their_sensing_period(tmp_path):
    start = datetime(2023, 1, 1, 0, 0, 5, tzinfo=UTC)
    overpass(tmp_path, "S3A", start)
    end = datetime(2023, 1, 2, tzinfo=UTC)
    # 33 rows of 44 ms: it is still being sensed a second after its start, and not after two.
    for seconds, count in ((0, 1), (1, 1), (2, 0)):
        between = (start + timedelta(seconds=seconds), end)
        found = scan_sentinel3(tmp_path, between, "EFR", How())
        assert len(found.sightings) == count
        assert (found.seen, len(found.periods)) == (1, 1)


def test_a_frame_is_timed_by_its_row_over_the_tile_and_others_by_their_start(tmp_path):
    start = datetime(2023, 1, 1, tzinfo=UTC)
    far, near = tmp_path / "far", tmp_path / "near"
    overpass(far, "S3B", start, centre_lonlat=(20.0, -40.0))
    product = overpass(near, "S3A", start, rows=301, columns=257)
    grid = Grid(32617, 499980.0, 8100000.0, 10.0, 192, 192)
    between = (start, start + timedelta(hours=1))
    found = scan_sentinel3(tmp_path, between, "EFR", How(), grid=grid)
    times = {one.path.split("/")[0]: one.time for one in found.sightings}
    assert times["far"] == start
    middle = unproject(grid.polygon().centroid, grid.epsg)
    with open_s3(product).open() as reader:
        lat, lon = reader.geolocation(slice(0, 301), slice(0, 257))
        row_times = open_s3(product).row_times(reader, slice(0, 301))
    away = np.hypot(lat - middle.y, (lon - middle.x) * np.cos(np.radians(middle.y)))
    exact = utc_from(row_times[np.unravel_index(away.argmin(), away.shape)[0]])
    assert abs(times["near"] - exact) <= timedelta(milliseconds=45)
    assert exact > start + timedelta(seconds=5)


def test_each_metadata_file_is_parsed_once(tmp_path, monkeypatch):
    env, file = fresh_copy(tmp_path)
    asked = ["--environment", file, "--tile", "T17XNA", "--timediff", "2.5", "--verify"]
    options = parse_options(arguments_parser("").parse_args(asked))
    parse, parsed = xml.parse, Counter()

    def counted(data, where, *more):
        parsed[where] += 1
        return parse(data, where, *more)

    monkeypatch.setattr(xml, "parse", counted)
    s2, s3 = scan(env, options, verify=True, workers=1)
    assert (len(s2.sightings), len(s3.sightings)) == (len(SCENES), len(PASSES))
    assert len(parsed) == 3 * len(SCENES) + len(PASSES)
    assert set(parsed.values()) == {1}


def test_a_frame_whose_positions_cannot_be_read_is_named(tmp_path):
    start = datetime(2023, 1, 1, tzinfo=UTC)
    product = overpass(tmp_path, "S3A", start)
    file = product / "tie_geo_coordinates.nc"
    data = bytearray(file.read_bytes())
    data[: len(data) // 2] = bytes(len(data) // 2)
    file.write_bytes(data)
    grid = Grid(32617, 499980.0, 8100000.0, 10.0, 192, 192)
    found = scan_sentinel3(tmp_path, (start, start), "EFR", How(), grid=grid)
    assert found.sightings == []
    assert [(path, "tie_geo_coordinates.nc" in why) for path, why in found.failures] == [
        (product.name, True)
    ]
