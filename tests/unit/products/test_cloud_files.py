"""A mask of clouds beside a product is that of the product whose name it bears."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.s2_clouds import masked
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.s2 import make_s2

NAMES = ("tile29_scene1", "tile29_scene10", "tile29_scene1_b", "tile29_scene1-c")


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Products whose names begin with each other's, as folders."""
    safe = make_s2(tmp_path_factory.mktemp("made"), size_px=192, bands=["B02"], quality_masks=False)
    root = tmp_path_factory.mktemp("archive")
    for name in NAMES:
        shutil.copytree(safe, root / name)
    return root


def taken(archive: Path, name: str, pattern: str) -> str | None:
    mask = masked(open_s2(archive / name), pattern, 0.0, archive).cloud_mask
    return None if mask is None else mask.member


@pytest.mark.parametrize("there", NAMES)
@pytest.mark.parametrize("pattern", ["*_CLD.tif", "{name}*.tif"])
def test_a_mask_is_taken_by_its_own_product_alone(archive, tmp_path, there, pattern):
    root = Path(shutil.copytree(archive, tmp_path / "archive"))
    (root / f"{there}_CLD.tif").touch()
    found = {name: taken(root, name, pattern) for name in NAMES}
    assert found == {name: f"{name}_CLD.tif" if name == there else None for name in NAMES}


def test_each_takes_its_own_mask(archive, tmp_path):
    root = Path(shutil.copytree(archive, tmp_path / "archive"))
    shutil.make_archive(str(root / NAMES[3]), "zip", root, NAMES[3])
    shutil.rmtree(root / NAMES[3])
    for name in NAMES:
        (root / f"{name}_CLD.tif").touch()
    here = (*NAMES[:3], f"{NAMES[3]}.zip")
    assert [taken(root, name, "*_CLD.tif") for name in here] == [
        f"{name}_CLD.tif" for name in NAMES
    ]
    assert taken(root, NAMES[0], f"{NAMES[1]}*") is None
    (root / "tile29_scene1_more_CLD.tif").touch()  # of no other product
    with pytest.raises(ProductError, match="2 files fit the cloud mask"):
        taken(root, NAMES[0], "*_CLD.tif")
    # What has a mask's name and is no product claims nothing.
    (root / "tile29_scene10_CLD").mkdir()
    (root / "tile29_scene10_CLD.zip").touch()
    assert taken(root, NAMES[1], "*_CLD.tif") == "tile29_scene10_CLD.tif"
