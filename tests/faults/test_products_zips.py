"""Damaged and awkwardly placed zip archives of products (fault rows 4 and 5)."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes import make_s2

BANDS = ("B01", "B02", "B03", "B04")


@pytest.fixture(scope="module")
def s2_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s2(tmp_path_factory.mktemp("s2"), size_px=192, bands=BANDS, baseline="04.00")


def test_a_truncated_or_flipped_zip(s2_source: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(s2_source.rglob("*")):
            archive.write(file, file.relative_to(s2_source.parent))
    whole = path.read_bytes()
    product = open_s2(path)
    image = (s2_source / product.band_member("B02", 10)).read_bytes()
    at = whole.index(image) + len(image) // 2
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert len(open_s2(path).verify(product.members_for(("B02", "B03"), 10))) == 1
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProductError, match=r"x\.zip: not a readable zip archive"):
        open_s2(path)


def test_an_archive_on_a_read_only_share_is_read_in_place(s2_source: Path, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    archive = shutil.make_archive(str(share / "x"), "zip", s2_source.parent, s2_source.name)
    share.chmod(0o555)
    try:
        values, _ = open_s2(Path(archive)).read_reflectance(("B02",), 10)
    finally:
        share.chmod(0o755)
    assert np.isfinite(values).any()
    assert [one.name for one in share.iterdir()] == ["x.zip"]
