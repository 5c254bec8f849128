"""Products in tars, and in zips of methods that Python inflates for GDAL."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.preprocess.inventory.scan import _checked, check_sentinel2
from sensor2sensor.products.discovery import find, find_s3
from sensor2sensor.products.examination import Closer, Search
from sensor2sensor.products.s2_images import kept_open
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.unit.products.packed import NAME, only, pack

Maker = Callable[..., Path]
TARS = {
    "tar": "w", "tgz": "w:gz", "tar.bz2": "w:bz2",
    "txz": "w:xz", "zip": "w",
}  # fmt: skip


@pytest.mark.parametrize("suffix", TARS)
def test_tars_are_read_in_place(safe: Path, suffix: str) -> None:
    before = open_s2(safe).read_reflectance(("B02",), 10)[0]
    with tarfile.open(safe.parent / f"{NAME}.{suffix}", TARS[suffix]) as tar:
        tar.add(safe, safe.name)
    if suffix != "zip":  # a tar beside what was unpacked from it is a copy
        assert only(safe.parent).path == safe
    shutil.rmtree(safe)
    product = only(safe.parent)
    assert np.array_equal(product.read_reflectance(("B02",), 10)[0], before, equal_nan=True)
    with kept_open():
        assert np.array_equal(product.read_reflectance(("B02",), 10)[0], before, equal_nan=True)
    assert [path.name for path in safe.parent.iterdir()] == [f"{NAME}.{suffix}"]


def test_sentinel_3_in_a_tar_is_read(tmp_path: Path, s3_product: Maker) -> None:
    folder = s3_product()
    with tarfile.open(tmp_path / f"{folder.name}.tar.gz", "w:gz") as tar:
        tar.add(folder, folder.name)
    plain = open_s3(folder)
    (product,), failures = find_s3(tmp_path)
    assert failures == [] and product.name == plain.name and product.verify() == []
    with product.open() as reader:
        assert np.isfinite(reader.tie_geolocation()[0]).any()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_inflates_is_read_for_gdal(safe: Path, method: int) -> None:
    before = open_s2(safe).read_reflectance(("B02",), 10)[0]
    pack(safe, safe.parent / f"{NAME}.zip", method=method)
    found = only(safe.parent).read_reflectance(("B02",), 10)[0]
    assert np.array_equal(found, before, equal_nan=True)


def test_a_tar_is_read_where_what_was_unpacked_from_it_is_not_whole(safe: Path) -> None:
    with tarfile.open(safe.parent / f"{NAME}.tar", "w") as tar:
        tar.add(safe, safe.name)
    check = partial(check_sentinel2, bands=("B02",), resolution_m=10, verify=False)
    closer = Closer("check", lambda _: True, partial(_checked, check))
    for tile, looked in (("T17XNA", 2), ("T29UNU", 0)):
        whole, _ = find(Search(safe.parent, "S2", tile, (closer,)))
        assert len(whole) == min(looked, 1)
    next(safe.glob("GRANULE/*/IMG_DATA/*_B02.jp2")).unlink()
    seen, failures = find(Search(safe.parent, "S2", "T17XNA", (closer,)))
    sound = {one.product.path.suffix: one.looks["check"][0] for one in seen}
    assert sound == {".SAFE": False, ".tar": True} and not failures
    # Unpacking that had just begun.
    shutil.rmtree(safe)
    (safe / "GRANULE").mkdir(parents=True)
    (one, *_), _ = find(Search(safe.parent, "S2", "T17XNA", (closer,)))
    assert one.product.path.suffix == ".tar"
