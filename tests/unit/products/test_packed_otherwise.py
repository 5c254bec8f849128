"""Products in tars, and in zips of methods that Python inflates for GDAL."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import tars
from sensor2sensor.preprocess.inventory.scan import _checked, check_sentinel2
from sensor2sensor.products.discovery import find, find_s2, find_s3
from sensor2sensor.products.examination import Closer, Search
from sensor2sensor.products.s2_images import kept_open
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.fakes.open_buckets import as_cogs, as_tile
from tests.fakes.s2 import make_s2
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


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of the open buckets' forms, whose first image is larger than 1 MiB."""
    root = tmp_path_factory.mktemp("opened")
    bands = ("B02", "B03")
    safe = make_s2(root, level="L2A", baseline="05.09", size_px=192, bands=bands, resolutions=(10,))
    tile, cogs = as_tile(safe, root), as_cogs(safe, root, applied=True)
    named = cogs.rename(root / "unnamed")
    shutil.copytree(named, root / cogs.name)
    noise = np.random.default_rng(1).bytes(3 * 2**20)
    for first in (tile / "R10m/AOT.jp2", named / "AOT.tif", root / cogs.name / "AOT.tif"):
        first.write_bytes(noise)
    return {"tile": tile, "cogs": root / cogs.name, "unnamed cogs": named}


@pytest.mark.parametrize("form", ["tile", "cogs", "unnamed cogs"])
def test_open_forms_are_found_in_tars_whatever_comes_first(opened, tmp_path, form, caplog):
    folder = opened[form]
    for suffix, mode in {**TARS, "tar.gz": "w:gz"}.items():
        path = tmp_path / suffix / f"{folder.name}.{suffix}"
        path.parent.mkdir()
        with tarfile.open(path, mode) as tar:
            tar.add(folder, folder.name)
        found, failures = find_s2(path.parent, "T17XNA")
        assert [one.path for one in found] == [path] and not failures, suffix
        os.truncate(path, path.stat().st_size * 9 // 10)
        found, failures = find_s2(path.parent, "T17XNA")
        assert not found and [one.item for one in failures] in ([path], []), suffix
        # Chips of a data set may have names like these, and are nobody's failure.
        chips = form == "unnamed cogs" and f"unnamed.{suffix}: passed over (" in caplog.text
        assert failures or chips, suffix


def test_a_packed_tar_of_other_things_is_not_inflated_to_its_end(tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "0.tar.xz", "w:xz") as tar:
        other = tmp_path / "table.bin"
        for number in range(3):
            other.write_bytes(bytes([number]) * 2**24)
            tar.add(other, f"0/{number}.bin")
    whole = []
    monkeypatch.setattr(tars.TarFiles, "__init__", lambda *args: whole.append(args))
    assert tars.first_names(tmp_path / "0.tar.xz") == ["0/0.bin"]
    assert find_s2(tmp_path) == ([], []) and not whole


def packed_as(folder: Path, path: Path) -> Path:
    """A tar of a folder, packed if its name says so."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        tar.add(folder, folder.name)
    return path


def test_a_damaged_archive_is_told_of_though_another_folder_has_its_name_sound(opened, tmp_path):
    """Every tile of an open bucket is called `0`."""
    days = [tmp_path / "tiles/17/X/NA/2022/7" / day for day in ("14", "20")]
    for day in days:
        day.mkdir(parents=True)
    shutil.copytree(opened["tile"], days[0] / "0")
    tar = packed_as(opened["tile"], days[1] / "0.tar.gz")
    os.truncate(tar, tar.stat().st_size - 200)
    assert [one.item for one in find_s2(tmp_path, "T17XNA")[1]] == [tar]
    shutil.copytree(opened["tile"], days[1] / "0")
    found, failures = find_s2(tmp_path, "T17XNA")
    assert [one.path for one in found] == [day / "0" for day in days] and not failures


def test_a_download_of_a_whole_name_is_spare_wherever_the_product_lies(safe):
    (safe.parent / "loading").mkdir()
    (safe.parent / "loading" / f"{NAME}.zip.part").write_bytes(b"PK")
    (safe.parent / "loading" / f"{NAME.replace('T17XNA', 'T17XNB')}.zip.part").write_bytes(b"PK")
    assert [one.item.name.split("_")[5] for one in find_s2(safe.parent)[1]] == ["T17XNB"]


@pytest.mark.parametrize("form", ["tile", "cogs"])
def test_a_tar_of_an_open_form_is_read_where_its_folder_is_not_whole(opened, tmp_path, form):
    folder = Path(shutil.copytree(opened[form], tmp_path / opened[form].name))
    tar = packed_as(folder, tmp_path / f"{folder.name}.tar")
    check = partial(check_sentinel2, bands=("B02", "B03"), resolution_m=10, verify=False)
    search = Search(
        tmp_path, "S2", "T17XNA", (Closer("c", lambda _: True, partial(_checked, check)),)
    )
    assert [one.product.path for one in find(search)[0]] == [folder]
    next(folder.rglob("B03.*")).unlink()
    seen, failures = find(search)
    assert {one.product.path: one.looks["c"][0] for one in seen} == {folder: False, tar: True}
    for described in (*folder.glob("*.json"), *folder.glob("metadata.xml")):
        described.write_bytes(b"<")
    seen, failures = find(search)
    assert [one.product.path for one in seen] == [tar] and failures[0].item == folder


def test_damage_of_another_tile_by_its_folders_is_none_of_this_one(opened, tmp_path):
    for place, name in (("17/X/NA", "T17XNA"), ("8/X/NA", "T08XNA"), ("18/X/VA", "T18XVA")):
        folder = Path(shutil.copytree(opened["tile"], tmp_path / "tiles" / place / "2022/7/14/0"))
        (folder / "tileInfo.json").unlink()
        (folder / "metadata.xml").write_bytes(b"<")
        assert [one.item for one in find_s2(tmp_path, name)[1]] == [folder]
    assert len(find_s2(tmp_path)[1]) == 3 and not find_s2(tmp_path, "T29UNU")[1]
