"""What archives really hold: companions, nesting, other names, older products."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.archives import open_files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.discovery import find_s2, find_s3
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.unit.products.packed import NAME, members, only, pack, told

Maker = Callable[..., Path]
APPLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(400)


def add_companions(root: Path) -> None:
    for path in [*root.rglob("*")]:
        path.with_name(f"._{path.name}").write_bytes(APPLE)
    (root / ".DS_Store").write_bytes(b"x")
    (root / "._folder.SAFE").mkdir()
    shutil.copytree(root / f"{NAME}.SAFE", root / "@eaDir" / f"{NAME}.SAFE")


def test_companions_of_macs_and_nas_systems_are_passed_over(safe: Path) -> None:
    add_companions(safe.parent)
    assert only(safe.parent).path == safe


def test_companions_inside_a_zip_are_passed_over(safe: Path) -> None:
    data = dict(members(safe))
    with zipfile.ZipFile(safe.parent / "x.zip", "w") as archive:
        for name, content in data.items():
            archive.writestr(f"{safe.name}/{name}", content)
            folder, _, file = name.rpartition("/")
            archive.writestr(f"{safe.name}/{folder}/._{file}".replace("//", "/"), APPLE)
            archive.writestr(f"__MACOSX/{safe.name}/{name}", APPLE)
        archive.writestr(f"._{safe.name}", APPLE)
        archive.writestr(".DS_Store", b"x")
    shutil.rmtree(safe)
    assert only(safe.parent).files.names() == sorted(data)


@pytest.mark.parametrize("name", [f"{NAME}.SAFE", "renamed by hand", "x.safe"])
def test_a_product_inside_a_folder_of_its_name_is_read(safe: Path, name: str) -> None:
    inner = safe.rename(safe.with_name("tmp"))
    safe.mkdir()
    inner.rename(safe / name)
    assert only(safe.parent).path == safe / name
    assert open_s2(safe).tile == "T17XNA"  # named by its outer folder


@pytest.mark.parametrize(
    "top",
    [
        "",
        f"{NAME}.SAFE/",
        f"{NAME}.SAFE/{NAME}.SAFE/",
        f"{NAME.lower()}.safe/",
        "my product/",
        "downloads/2022/x/",
    ],
)
@pytest.mark.parametrize("name", [f"{NAME}.SAFE.zip", "T17XNA_20220714_L2A.zip"])
def test_a_zip_is_read_whatever_folders_lead_to_the_product(
    safe: Path, top: str, name: str
) -> None:
    pack(safe, safe.parent / name, top)
    assert only(safe.parent).path.name == name


def test_a_zip_inside_a_product_folder_is_found(safe: Path) -> None:
    inner = safe.rename(safe.with_name("tmp"))
    safe.mkdir()
    pack(inner, safe / f"{NAME}.zip", f"{NAME}.SAFE/")
    assert only(safe.parent).path == safe / f"{NAME}.zip"


def test_several_products_in_a_folder_called_a_product_are_all_found(safe: Path) -> None:
    wrapper = safe.parent / "all.SAFE"
    wrapper.mkdir()
    shutil.copytree(safe, wrapper / "one.SAFE")
    safe.rename(wrapper / "two")
    found, failures = find_s2(safe.parent)
    assert sorted(one.path.name for one in found) == ["one.SAFE", "two"]
    assert failures == []


def test_a_zip_of_several_products_is_refused_with_their_names(safe: Path) -> None:
    data = dict(members(safe))
    with zipfile.ZipFile(safe.parent / f"{NAME}.zip", "w") as archive:
        for top in ("a/one", "b"):
            for name, content in data.items():
                archive.writestr(f"{top}/{name}", content)
    shutil.rmtree(safe)
    (line,) = told(safe.parent)
    assert "holds 2 products (a/one, b)" in line


def test_backslashes_in_a_zip_are_separators(safe: Path) -> None:
    names = [name for name, _ in members(safe)]
    path = pack(safe, safe.parent / "x.zip", f"{NAME}.SAFE/", separator="\\")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{NAME}.SAFE\\EMPTY\\", b"")
    assert only(safe.parent).files.names() == names


@pytest.mark.parametrize("name", ["..\\x", "a\\..\\..\\x", "\\x", "\\\\server\\x", "C:\\x"])
def test_backslashes_that_leave_the_archive_stay_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("MTD_MSIL1C.xml", b"<a/>")
        archive.writestr(name, b"2")
    with pytest.raises(ProductError, match="leaves the product"):
        open_files(tmp_path / "x.zip")


def test_one_name_under_two_separators_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/b", b"1")
        archive.writestr("a\\b", b"2")
    with pytest.raises(ProductError, match="twice"):
        open_files(tmp_path / "x.zip")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_names_all_in_one_case_are_read(safe: Path, packed: bool, case: Callable) -> None:
    other = safe.parent / case(f"{NAME}.SAFE")
    for name, data in list(members(safe)):
        target = safe.parent / "tmp" / case(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    shutil.rmtree(safe)
    (safe.parent / "tmp").rename(other)
    if packed:
        pack(other, safe.parent / "x.zip", f"{other.name}/")
    assert only(safe.parent).tile == "T17XNA"


@pytest.mark.parametrize("packed", [False, True])
def test_a_granule_folder_of_another_name_is_read(safe: Path, packed: bool) -> None:
    granule = next(safe.glob("GRANULE/*"))
    granule.rename(granule.with_name("L1C_short"))
    if packed:
        pack(safe, safe.parent / "x.zip")
    product = only(safe.parent)
    assert product.band_member("B02", 10).startswith("GRANULE/L1C_short/IMG_DATA/")
    assert product.verify(product.members_for(("B02",), 10)) == []


def test_masks_in_a_granule_folder_of_another_name_are_read(s2_product: Maker, tmp_path: Path):
    source = s2_product(baseline="04.00")
    wanted = open_s2(source)
    assert wanted.quality_source(10) == "MSK_CLASSI"
    copy = Path(shutil.copytree(source, tmp_path / "x.SAFE"))
    granule = next(copy.glob("GRANULE/*"))
    granule.rename(granule.with_name("L1C_short"))
    found, source_name = open_s2(copy).read_quality(10)
    assert source_name == "MSK_CLASSI"
    np.testing.assert_array_equal(found, wanted.read_quality(10)[0])


OLD_NAMES = {
    "Product_Info": "L2A_Product_Info",
    "Product_Organisation": "L2A_Product_Organisation",
    "IMAGE_FILE": "IMAGE_FILE_2A",
    "PRODUCT_URI": "PRODUCT_URI_2A",
    "Product_Image_Characteristics": "L2A_Product_Image_Characteristics",
    "QUANTIFICATION_VALUES_LIST": "L1C_L2A_Quantification_Values_List",
    "BOA_QUANTIFICATION_VALUE": "L2A_BOA_QUANTIFICATION_VALUE",
    "TILE_ID": "TILE_ID_2A",
    "DATASTRIP_ID": "DATASTRIP_ID_2A",
    "Pixel_Level_QI": "L2A_Pixel_Level_QI",
}


def test_level_2a_with_the_element_names_of_2017_gives_the_same_values(
    s2_product: Maker, tmp_path: Path
) -> None:
    source = s2_product(level="L2A", baseline="02.07", resolutions=(10, 20))
    copy = Path(shutil.copytree(source, tmp_path / "old.SAFE"))
    for file in (copy / "MTD_MSIL2A.xml", next(copy.glob("GRANULE/*/MTD_TL.xml"))):
        text = file.read_text(encoding="utf-8").replace("02.07", "02.05")
        for new, old in OLD_NAMES.items():
            text = re.sub(rf"(</?(?:\w+:)?){new}(?=[ >])", rf"\g<1>{old}", text)
        file.write_text(text, encoding="utf-8")
    assert "<IMAGE_FILE_2A>" in (copy / "MTD_MSIL2A.xml").read_text(encoding="utf-8")
    new, old = open_s2(source), open_s2(copy)
    assert old.baseline == "02.05"
    assert (old.name, old.images, old.masks) == (new.name, new.images, new.masks)
    for product in (new, old):
        assert product.quality_source(10) == "SCL"
    np.testing.assert_array_equal(
        old.read_reflectance(("B02", "B04"), 10)[0], new.read_reflectance(("B02", "B04"), 10)[0]
    )


@pytest.mark.parametrize("packed", [False, True])
def test_sentinel_3_products_are_read_nested_and_with_companions(
    s3_product: Maker, tmp_path: Path, packed: bool
) -> None:
    source = s3_product()
    inner = tmp_path / "s3" / source.name / source.name
    shutil.copytree(source, inner)
    for path in [*inner.rglob("*"), inner]:
        path.with_name(f"._{path.name}").write_bytes(APPLE)
    if packed:
        pack(tmp_path / "s3" / source.name, tmp_path / "s3" / "x.zip", f"{source.name}/")
    found, failures = find_s3(tmp_path / "s3")
    assert failures == []
    (product,) = found
    assert product.name == open_s3(source).name and product.verify() == []
    with product.open() as reader:
        assert np.isfinite(reader.radiances(slice(0, 5), slice(0, 20))).any()
