"""Products that are not read, and the line that says why and what to do."""

from __future__ import annotations

import re
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sensor2sensor.products.discovery import find_s2, find_s3
from tests.unit.products.packed import NAME, only, pack, told

Maker = Callable[..., Path]
LONG = "S2A_OPER_PRD_MSIL1C_PDMC_20160628T172626_R022_V20160628T101026_20160628T101026"
OLD_XML = "S2A_OPER_MTD_SAFL1C_PDMC_20160628T172626_R022_V20160628T101026_20160628T101026.xml"
TILES = [
    f"S2A_OPER_MSI_L1C_TL_SGS__20160628T152456_A005124_{t}_N02.04" for t in ("T17XNA", "T17XNB")
]


def old_product(folder: Path) -> Path:
    for tile in TILES:
        image = folder / "GRANULE" / tile / "IMG_DATA" / f"{tile.removesuffix('_N02.04')}_B02.jp2"
        image.parent.mkdir(parents=True)
        image.write_bytes(b"x")
    (folder / OLD_XML).write_text("<n1:Level-1C_User_Product xmlns:n1='x'/>")
    return folder


@pytest.mark.parametrize(
    "name",
    [f"{LONG}.SAFE", LONG, "S2A_MSIL1C_20160628T101026_N0204_R022_T17XNA_20160628T172626.SAFE"],
)
def test_products_from_before_december_2016_are_named_as_such(tmp_path: Path, name: str) -> None:
    old_product(tmp_path / name)
    (line,) = told(tmp_path)
    assert name in line and "old format (before December 2016)" in line
    assert "Collection 1" in line
    assert len(find_s2(tmp_path, "T17XNA")[1]) == 1
    assert find_s2(tmp_path, "T33XWJ")[1] == []


def test_a_zip_of_the_old_format_is_named_as_such(tmp_path: Path) -> None:
    pack(old_product(tmp_path / "tmp"), tmp_path / f"{LONG}.zip", f"{LONG}.SAFE/")
    (line,) = told(tmp_path)
    assert "old format" in line


@pytest.mark.parametrize(
    ("suffix", "kind"), [("tar", "tar"), ("tar.gz", "gzip"), ("tgz", "gzip"), ("zip", "tar")]
)
def test_tars_are_named_with_the_way_out(safe: Path, suffix: str, kind: str) -> None:
    with tarfile.open(safe.parent / f"{NAME}.{suffix}", "w:gz" if kind == "gzip" else "w") as tar:
        tar.add(safe, safe.name)
    shutil.rmtree(safe)
    (line,) = told(safe.parent)
    assert f"is a {kind} archive, only .zip is read in place; unpack it" in line


@pytest.mark.parametrize(
    ("suffix", "content", "says"),
    [
        (".7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7-Zip archive"),
        (".rar", b"Rar!\x1a\x07" + bytes(99), "is a RAR archive"),
        (".zip.part", b"PK\x03\x04" + bytes(99), "is an unfinished download"),
        (".zip.crdownload", b"", "is an unfinished download"),
        (".z01", bytes(99), "is one part of a split archive; join the parts"),
        (".zip.001", bytes(99), "is one part of a split archive; join the parts"),
        (".zip", b"", "is an empty file; fetch it again"),
        (".zip", b"<html>", "not a readable zip archive"),
    ],
)
def test_other_containers_are_named_with_the_way_out(
    tmp_path: Path, suffix: str, content: bytes, says: str
) -> None:
    (tmp_path / f"{NAME}{suffix}").write_bytes(content)
    (line,) = told(tmp_path)
    assert says in line and f"{NAME}{suffix}" in line
    (tmp_path / f"{NAME}{suffix}").rename(tmp_path / f"holiday{suffix}")
    assert told(tmp_path) == []


def test_a_download_kept_beside_what_was_unpacked_from_it_is_nothing_to_tell(safe: Path) -> None:
    for suffix in (".tar.gz", ".zip.part"):
        (safe.parent / f"{NAME}{suffix}").write_bytes(b"\x1f\x8b")
    assert only(safe.parent).path == safe


@pytest.mark.parametrize("name", [f"{NAME}.zip.part", f"{NAME}.SAFE.PARTIAL", f"{NAME}.tmp"])
def test_an_unfinished_download_is_none_although_it_opens(safe: Path, name: str) -> None:
    shutil.copytree(safe, safe.parent / "copy")
    pack(safe.parent / "copy", safe.parent / name)
    assert only(safe.parent).path == safe
    shutil.rmtree(safe)
    (line,) = told(safe.parent)
    assert f"{name}: is an unfinished download; finish it, or delete it" in line
    (safe.parent / name).rename(safe.parent / f"{NAME}.zip")
    assert only(safe.parent)


@pytest.mark.parametrize("ending", [".aria2", ".part", ".crdownload"])
def test_a_zip_beside_the_notes_of_its_download_is_unfinished(safe: Path, ending: str) -> None:
    shutil.copytree(safe, safe.parent / "copy")
    path = pack(safe.parent / "copy", safe.parent / f"{NAME}.zip")
    path.with_name(path.name + ending).write_bytes(b"x")
    assert only(safe.parent).path == safe
    shutil.rmtree(safe)
    (line,) = told(safe.parent)
    assert f"{path.name}: is an unfinished download ({path.name}{ending} lies beside it)" in line


def test_a_folder_that_is_still_fetched_is_no_product(safe: Path, s3_product: Maker) -> None:
    half = safe.rename(safe.with_name(f"{safe.name}.part"))
    (line,) = told(safe.parent)
    assert f"{half.name}: is an unfinished download" in line
    half.rename(safe)
    (safe.parent / f"{safe.name}.aria2").touch()
    assert "lies beside it" in told(safe.parent)[0]
    olci = safe.parent / f"{s3_product().name}.tmp"
    shutil.copytree(s3_product(), olci)
    assert [f"{olci}: is an unfinished download; finish it, or delete it"] == told(
        safe.parent, find_s3
    )


def test_a_zip_in_the_folder_of_its_download_is_unfinished(safe: Path) -> None:
    path = pack(safe, safe.parent / "tmp")
    room = path.with_name(f"{NAME}.zip.download")
    room.mkdir()
    path.rename(room / f"{NAME}.zip")
    (line,) = told(safe.parent)
    assert "is an unfinished download" in line


@pytest.mark.parametrize("first_part_there", [True, False])
def test_the_last_part_of_a_split_zip_is_no_damage(safe: Path, first_part_there: bool) -> None:
    path = pack(safe, safe.parent / f"{NAME}.zip", method=zipfile.ZIP_STORED)
    whole = path.read_bytes()
    path.write_bytes(whole[len(whole) // 2 :])
    if first_part_there:
        path.with_suffix(".z01").write_bytes(whole[: len(whole) // 2])
    lines = told(safe.parent)
    assert lines and all("is one part of a split archive; join the parts" in one for one in lines)


@pytest.mark.parametrize(
    ("method", "name"),
    [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA"), (9, "Deflate64"), (93, "Zstandard")],
)
def test_a_compression_that_is_not_read_in_place_is_named(
    safe: Path, method: int, name: str
) -> None:
    real = method if method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA) else 8
    path = pack(safe, safe.parent / f"{NAME}.zip", method=real)
    if real != method:
        data = bytearray(path.read_bytes())
        for entry in re.finditer(b"PK\x01\x02", bytes(data)):
            struct.pack_into("<H", data, entry.start() + 10, method)
        path.write_bytes(data)
    (line,) = told(safe.parent)
    assert f"is compressed with {name}, only Deflate is read in place; unpack it" in line


def test_a_zip_in_a_zip_is_named(safe: Path) -> None:
    inner = pack(safe, safe.parent / "inner.zip")
    with zipfile.ZipFile(safe.parent / f"{NAME}.zip", "w") as archive:
        archive.write(inner, f"{NAME}.SAFE.zip")
    inner.unlink()
    (line,) = told(safe.parent)
    assert f"holds another archive inside ({NAME}.SAFE.zip); unpack the outer one" in line


def test_a_sen3_folder_without_its_manifest_says_what_is_lacking(tmp_path: Path) -> None:
    (tmp_path / "x.SEN3").mkdir()
    (line,) = told(tmp_path, find_s3)
    assert "no xfdumanifest.xml" in line
