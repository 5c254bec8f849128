"""What makes a product unusable for an inventory."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.preprocess.inventory_scan import (
    check_sentinel2,
    check_sentinel3,
    one_level,
    scan_sentinel3,
)
from tests.scripts.step_archive import BANDS, SCENES, overpass, scene


def check2(product, *, bands=BANDS, verify=False):
    return check_sentinel2(product, bands=bands, resolution_m=10, verify=verify)


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
    assert check_sentinel3(product, verify=True) == []
    (product / "Oa21_radiance.nc").unlink()
    assert check_sentinel3(product, verify=False) == ["missing Oa21_radiance.nc"]


def test_passes_are_chosen_by_their_start(tmp_path):
    start = datetime(2023, 1, 1, 0, 0, 5, tzinfo=UTC)
    overpass(tmp_path, "S3A", start)
    late = (start, datetime(2023, 1, 2, tzinfo=UTC))
    assert len(scan_sentinel3(tmp_path, late, "EFR", verify=False, workers=1).sightings) == 1
    # It is still being sensed a second after its start, but it began before.
    after = (start.replace(second=6), datetime(2023, 1, 2, tzinfo=UTC))
    assert scan_sentinel3(tmp_path, after, "EFR", verify=False, workers=1).sightings == []
