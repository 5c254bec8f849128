"""Numbers of an open bucket that carry an offset which what describes them denies: warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sensor2sensor.preprocess.inventory.scan import check_sentinel2
from sensor2sensor.products import s2_coding
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.open_buckets import as_cogs
from tests.fakes.s2 import make_s2
from tests.unit.products.test_open_buckets import edited


@pytest.fixture(scope="module")
def safes(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("safe")
    how = {"level": "L2A", "size_px": 192, "bands": ["B02", "B04"], "quality_masks": False}
    return {one: make_s2(root, baseline=one, **how) for one in ("05.09", "02.14")}


def still_carrying(folder: Path, how: str) -> Path:
    """Numbers with the offset in them, of an item that says that there is none."""
    flag = {"earthsearch:boa_offset_applied": True if how == "flag" else None}
    edited(folder, lambda content: content["properties"].update(flag))
    if how == "raster:bands":
        edited(folder, without_offset)
    return folder


def without_offset(content: dict[str, Any]) -> None:
    del content["properties"]["earthsearch:boa_offset_applied"]
    for asset in content["assets"].values():
        for one in asset.get("raster:bands", []):
            one["offset"] = 0
    content["assets"]["green"] = {**content["assets"]["red"], "href": "B03.tif"}


@pytest.mark.parametrize("how", ["flag", "raster:bands"])
def test_numbers_that_still_carry_the_offset_are_warned_of(safes, tmp_path, caplog, how):
    """Of each product, in each run, with the way out; whichever bands are asked for."""
    folder = still_carrying(as_cogs(safes["05.09"], tmp_path, applied=False), how)
    (folder / "B03.tif").write_bytes(b"II*\0")  # nobody asks for it
    for _ in range(2):
        caplog.clear()
        assert check_sentinel2(open_s2(folder), bands=["B02"], resolution_m=10, verify=False) == []
        (line,) = [one for one in caplog.messages if "hardly a pixel is darker than 0.1" in one]
        assert line.startswith(f"{folder.name}: ") and s2_coding.SIDECAR in line
    (folder / s2_coding.SIDECAR).write_text('{"offset": 0}')
    caplog.clear()
    s2_coding.warn_moved_up(open_s2(folder))
    assert not caplog.messages


@pytest.mark.parametrize("baseline", ["05.09", "02.14"])
def test_sound_products_and_snow_are_not_warned_of(safes, tmp_path, caplog, baseline):
    for applied in (True, False):
        folder = as_cogs(safes[baseline], tmp_path / str(applied), applied=applied)
        s2_coding.warn_moved_up(open_s2(folder))
    if baseline < "04.00":  # no offset ever was in these numbers
        return assert_silent(caplog)
    still_carrying(folder, "flag")
    for name in ("B02.tif", "B04.tif"):
        with rasterio.open(folder / name, "r+") as image:
            image.write(np.where(image.read() == 0, 0, np.uint16(7000)))
    s2_coding.warn_moved_up(open_s2(folder))
    return assert_silent(caplog)


def assert_silent(caplog) -> None:
    assert "darker" not in caplog.text
