"""Bands of open buckets in folders that hold other things, too: nothing hides anything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sensor2sensor.products.discovery import find_s2, find_s3
from sensor2sensor.products.sentinel2 import open_s2
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import make_s2


@pytest.fixture(scope="module")
def safes(tmp_path_factory) -> dict[str, Path]:
    """SAFEs by level."""
    root = tmp_path_factory.mktemp("safe")
    return {
        level: make_s2(root, level=level, baseline=baseline, size_px=192, bands=["B02", "B04"],
                       resolutions=(10, 20), quality_masks=False)
        for level, baseline in (("L2A", "05.09"), ("L1C", "04.00"))
    }  # fmt: skip


STRAY = {
    "pictures": ("settings.json", "mosaic_red.tif"),
    "an XML": ("metadata.xml", "B02.tif"),
    "a folder": ("catalog.json", "R10m/B02.jp2"),
}


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_products_beside_stray_pictures_are_found(safes, tmp_path, caplog, stray, packed, count):
    """A folder of them looks like a product of a bucket by its names alone."""
    month = tmp_path / "archive" / "2022" / "07"
    month.mkdir(parents=True)
    for safe in [safes["L2A"], safes["L1C"]][:count]:
        if packed:
            shutil.make_archive(str(month / safe.stem), "zip", safe.parent, safe.name)
        else:
            shutil.copytree(safe, month / safe.name)
    for name in STRAY[stray]:
        (month / name).parent.mkdir(exist_ok=True)
        (month / name).write_text("<a/>" if name.endswith("xml") else "{}")
    found, failures = find_s2(tmp_path / "archive", "T17XNA")
    assert len(found) == count and {one.path.parent for one in found} == {month}
    if packed or count == 2 or stray == "an XML":
        assert not failures and "07: passed over: images of bands, but no STAC item" in caplog.text
    assert find_s3(tmp_path / "archive") == ([], [])


def test_a_product_within_one_is_found_beside_it(safes, tmp_path):
    """What was made of a SAFE lies around it: neither hides the other."""
    cogs = as_cogs(safes["L2A"], tmp_path / "archive", applied=True)
    shutil.copytree(safes["L1C"], cogs / safes["L1C"].name)
    found, failures = find_s2(tmp_path / "archive")
    assert sorted(one.layout for one in found) == ["COG", "SAFE"] and not failures
    assert open_s2(cogs).layout == "COG"


def test_bands_beside_a_whole_safe_are_none_of_it(safes, tmp_path):
    safe = safes["L2A"]
    shutil.copytree(safe, tmp_path / safe.name)
    for path in as_cogs(safe, tmp_path / "cogs", applied=True).iterdir():
        shutil.copy(path, tmp_path / safe.name / path.name)
    product = open_s2(tmp_path / safe.name)
    assert product.layout == "SAFE" and product.images == open_s2(safe).images


def test_patches_of_a_data_set_are_no_failures(safes, tmp_path, caplog):
    """BigEarthNet calls its folders by products, and lays labels as JSON beside their bands."""
    for number in range(3):
        name = f"S2A_MSIL2A_20170717T113321_87_{number}"
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_B02.tif").write_bytes(b"II*")
        (tmp_path / name / f"{name}_labels_metadata.json").write_text("{}")
    assert find_s2(tmp_path) == ([], [])
    (record,) = caplog.records
    assert "and 2 others: passed over: images of bands" in record.message
    assert find_s3(tmp_path) == ([], [])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["COG", "L1C", "L2A", "deep"])
def test_bands_that_nothing_describes_are_named(safes, tmp_path, caplog, form, packed):
    """A copy without its item or metadata: the only product, and nothing said a word of it."""
    root = tmp_path / "archive"
    into = tmp_path / "in" if packed else root
    if form == "COG":
        lost = as_cogs(safes["L2A"], into, applied=True)
    else:
        lost = as_tile(safes.get(form, safes["L2A"]), into / ("a" * (form == "deep")))
    for one in [*lost.rglob("*.json"), *lost.rglob("*.xml")]:
        one.unlink()
    named = lost
    if packed:
        root.mkdir()
        shutil.make_archive(str(root / "bands"), "zip", lost.parent, lost.name)
        named = root / "bands.zip"
    assert find_s2(root, "T17XNA") == ([], [])
    (record,) = caplog.records
    what = "passed over: images of bands, but no STAC item or metadata.xml"
    assert record.message.startswith(f"{named}: {what}")
    assert find_s3(root) == ([], [])


def test_an_archive_that_is_itself_a_folder_of_bands_is_named(safes, tmp_path, caplog):
    (tmp_path / "B02.tif").write_bytes(b"II*")
    assert find_s2(tmp_path) == ([], [])
    assert f"{tmp_path}: passed over: images of bands" in caplog.text


def test_previews_masks_and_other_pictures_are_no_bands_alone(safes, tmp_path, caplog):
    tile, name = as_tile(safes["L1C"], tmp_path), "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
    shutil.copytree(safes["L2A"], tmp_path / safes["L2A"].name)
    beside = ("preview/B01.jp2", "preview/more/B02.jp2")  # reduced images of the open bucket
    others = (f"clouds/{safes['L2A'].stem}_SCL.tif", f"bigearthnet/{name}_26_57_B01.tif",
              "pictures/mosaic_red.tif")  # fmt: skip
    for path in [*(tile / one for one in beside), *(tmp_path / one for one in others)]:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"II*")
    found, failures = find_s2(tmp_path)
    assert sorted(one.level for one in found) == ["L1C", "L2A"] and not failures
    assert "images of bands" not in caplog.text


def test_packed_together_they_are_told_of(safes, tmp_path, caplog):
    for name in ("a", "b"):
        as_cogs(safes["L2A"], tmp_path / "in" / name, applied=True)
    shutil.make_archive(str(tmp_path / "archive" / "both"), "zip", tmp_path / "in")
    found, failures = find_s2(tmp_path / "archive")
    assert not found and "holds 2 products" in failures[0].reason
    for path in (tmp_path / "in").rglob("*.json"):
        path.rename(path.with_name("item.json"))
    shutil.make_archive(str(tmp_path / "archive" / "both"), "zip", tmp_path / "in")
    assert find_s2(tmp_path / "archive") == ([], [])
    assert "both.zip: passed over (holds 2 products" in caplog.text
