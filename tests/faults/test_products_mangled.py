"""Whatever is cut from, or written into, a product's metadata: it opens or is one named error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor2sensor.core import xml
from sensor2sensor.core.errors import ProductError
from sensor2sensor.products.discovery import find_s2
from sensor2sensor.products.reading import read_xml
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.fakes import make_s2, make_s3

VALUES = (
    "",
    "x",
    "-1",
    "1e400",
    "nan",
    "0,5",
    "2022-13-45T99:00:00Z",
    "../../etc",
    "\u202e",
    "9" * 40,
)


@pytest.fixture(scope="module")
def s2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_s2(tmp_path_factory.mktemp("s2"), size_px=192, bands=("B02",), resolutions=(10,))
    folder = tmp_path_factory.mktemp("copy") / "x.SAFE"
    for name in ("MTD_MSIL1C.xml", "GRANULE/*/MTD_TL.xml"):
        source = next(made.glob(name))
        target = folder / source.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return folder


@pytest.fixture(scope="module")
def s3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_s3(tmp_path_factory.mktemp("s3"), rows=20, columns=257)
    folder = tmp_path_factory.mktemp("copy") / "x.SEN3"
    folder.mkdir()
    shutil.copy(made / "xfdumanifest.xml", folder)
    return folder


def survives(folder: Path, opener: Callable[[Path], object], file: Path, data: bytes) -> bool:
    """Open with `data` in place of a metadata file; True when it opened."""
    whole = file.read_bytes()
    file.write_bytes(data)
    try:
        opener(folder)
    except ProductError as error:
        assert str(error).startswith((folder.name, str(folder))), error
        assert "\n" not in str(error)
        return False
    finally:
        file.write_bytes(whole)
    return True


def variants(file: Path) -> Iterator[bytes]:
    """Each element in turn given an odd value, without attributes, or removed."""
    from defusedxml.ElementTree import tostring

    data = file.read_bytes()
    count = len(list(xml.parse(data, "f").node.iter()))
    # The tables of angles and of files further down are all alike.
    for index in range(1, min(count, 150)):
        root = xml.parse(data, "f").node
        parents = {child: parent for parent in root.iter() for child in parent}
        node = list(root.iter())[index]
        if index % 3 == 0:
            parents[node].remove(node)
        elif index % 3 == 1:
            node.attrib.clear()
        node.text = VALUES[index // 3 % len(VALUES)] if index % 3 != 1 else node.text
        yield tostring(root)


@pytest.mark.parametrize("name", ["MTD_MSIL1C.xml", "GRANULE/*/MTD_TL.xml"])
def test_any_mangled_sentinel2_metadata(s2_folder: Path, name: str) -> None:
    file = next(s2_folder.glob(name))
    opened = [survives(s2_folder, open_s2, file, data) for data in variants(file)]
    assert 0 < sum(opened) < len(opened)


def test_any_mangled_manifest(s3_folder: Path) -> None:
    file = s3_folder / "xfdumanifest.xml"
    text = file.read_text(encoding="utf-8")
    # What matters of a manifest lies in its metadata section.
    start, end = text.index("<metadataSection"), text.index("</metadataSection>")
    lines = text[start:end].splitlines()
    opened = []
    for number in range(1, len(lines)):
        for line in ("", lines[number].replace(">", ">?", 1), lines[number].replace("I", "X")):
            broken = "\n".join([*lines[:number], line, *lines[number + 1 :]])
            data = (text[:start] + broken + text[end:]).encode()
            opened.append(survives(s3_folder, open_s3, file, data))
    assert 0 < sum(opened) < len(opened)


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_in_the_metadata(s2_folder: Path, data: st.DataObject) -> None:
    file = s2_folder / "MTD_MSIL1C.xml"
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=12))
    survives(s2_folder, open_s2, file, whole[:at] + junk + whole[at + len(junk) :])
    survives(s2_folder, open_s2, file, whole[:at])


def test_a_damaged_product_never_ends_the_search(s2_folder: Path, tmp_path: Path) -> None:
    for number in range(4):
        shutil.copytree(s2_folder, tmp_path / f"{number}.SAFE")
    (tmp_path / "1.SAFE" / "MTD_MSIL1C.xml").write_bytes(b"\x00" * 100)
    next((tmp_path / "2.SAFE").rglob("MTD_TL.xml")).unlink()
    found, failures = find_s2(tmp_path)
    assert [product.path.name for product in found] == ["0.SAFE", "3.SAFE"]
    assert sorted(failure.item.name for failure in failures) == ["1.SAFE", "2.SAFE"]
    assert read_xml(found[0].files, "MTD_MSIL1C.xml").name == "Level-1C_User_Product"
