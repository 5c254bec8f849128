"""Level-2A that users made with sen2cor, at 20 m or 60 m alone, now and in 2016."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.preprocess.inventory.scan import check_sentinel2
from sensor2sensor.products.discovery import find_s2
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.s2 import make_s2
from tests.fakes.sen2cor import sen2cor

BANDS = ("B02", "B8A")


@pytest.mark.parametrize("resolutions, old", [((20,), False), ((60,), False), ((20, 60), True)])
def test_it_is_read_at_the_resolutions_it_was_made_at(tmp_path, resolutions, old):
    sen2cor(tmp_path / "a", *resolutions, old=old)
    baseline = "02.04" if old else "05.09"
    whole = open_s2(
        make_s2(tmp_path / "b", level="L2A", baseline=baseline, size_px=192, quality_masks=False)
    )
    (product,), failures = find_s2(tmp_path / "a", "T17XNA")
    assert failures == [] and product.resolutions == resolutions
    assert product.grids == whole.grids and product.level == "L2A"
    for size in resolutions:
        wanted = whole.read_reflectance(BANDS, size)[0]
        found, _ = product.read_reflectance(BANDS, size)
        assert np.array_equal(found, wanted, equal_nan=True)
        word, source = product.read_quality(size)
        assert source == "SCL" and np.array_equal(word, whole.read_quality(size)[0])
        assert check_sentinel2(product, bands=BANDS, resolution_m=size, verify=False) == []
    told = " or ".join(str(size) for size in resolutions)
    problems = check_sentinel2(product, bands=BANDS, resolution_m=10, verify=False)
    assert problems[-1] == f"--resolution {told} has them"


def test_its_baseline_is_no_known_one_and_its_own_offsets_count(tmp_path, caplog):
    product = open_s2(sen2cor(tmp_path, 20))
    assert product.baseline == "99.99" and product.name.split("_")[3] == "N9999"
    assert product.offsets["B02"] == -1000.0
    assert "unknown processing baseline 99.99; offsets found: B01 -1000" in caplog.text
    assert open_s2(sen2cor(tmp_path, 20, old=True)).offsets["B02"] == 0.0
