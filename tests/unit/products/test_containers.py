"""Products that are not read, and the line that says why and what to do."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sensor2sensor.core.errors import ProductError
from sensor2sensor.preprocess.inventory.scan import check_sentinel2
from sensor2sensor.products.discovery import find_s2, find_s3
from sensor2sensor.products.sentinel2 import open_s2
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
    [
        f"{LONG}.SAFE",
        LONG,
        "my summer",
        "S2A_MSIL1C_20160628T101026_N0204_R022_T17XNA_20160628T172626.SAFE",
    ],
)
def test_products_from_before_december_2016_are_named_as_such(tmp_path: Path, name: str) -> None:
    old_product(tmp_path / name)
    (line,) = told(tmp_path)
    assert name in line and "old format (before December 2016)" in line
    assert "Collection 1" in line
    assert len(find_s2(tmp_path, "T17XNA")[1]) == 1
    assert find_s2(tmp_path, "T33XWJ")[1] == []
    assert find_s3(tmp_path) == ([], [])


def test_a_zip_of_the_old_format_is_named_as_such(tmp_path: Path) -> None:
    pack(old_product(tmp_path / "tmp"), tmp_path / f"{LONG}.zip", f"{LONG}.SAFE/")
    (line,) = told(tmp_path)
    assert "old format" in line


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
    [(9, "Deflate64"), (93, "Zstandard"), (95, "xz")],
)
def test_a_compression_that_is_not_read_in_place_is_named(
    safe: Path, method: int, name: str
) -> None:
    path = pack(safe, safe.parent / f"{NAME}.zip")
    data = bytearray(path.read_bytes())
    for entry in re.finditer(b"PK\x01\x02", bytes(data)):
        struct.pack_into("<H", data, entry.start() + 10, method)
    path.write_bytes(data)
    (line,) = told(safe.parent)
    assert f"is compressed with {name}; read are Deflate, bzip2 and LZMA; unpack it" in line


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


def two_in_one(safe: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for top in ("a.SAFE", "b.SAFE"):
            for file in safe.rglob("*.xml"):
                archive.write(file, f"{top}/{file.relative_to(safe).as_posix()}")


def cut_short(safe: Path, path: Path) -> None:
    whole = pack(shutil.copytree(safe, path.with_name("copy")), path, "x/").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def a_zip_inside(safe: Path, path: Path) -> None:
    inner = pack(shutil.copytree(safe, path.with_name("copy")), path.with_name("inner"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, f"bulk/{NAME}.SAFE.zip")
    inner.unlink()


def zstd(safe: Path, path: Path) -> None:
    with tarfile.open(path.with_name("x.tar"), "w") as archive:
        archive.add(safe, safe.name)
    path.write_bytes(b"\x28\xb5\x2f\xfd" + path.with_name("x.tar").read_bytes())
    path.with_name("x.tar").unlink()


def tar(mode: str) -> Callable[[Path, Path], None]:
    def make(safe: Path, path: Path) -> None:
        with tarfile.open(path, mode) as archive:
            archive.add(safe, safe.name)
            (safe / "link").symlink_to("/etc/passwd")
            archive.add(safe / "link", f"{safe.name}/link")

    return make


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (two_in_one, "both.zip", "holds 2 products (a.SAFE, b.SAFE)"),
        (cut_short, "scene1.zip", "not a readable zip archive"),
        (a_zip_inside, "bulk.zip", "holds another archive inside"),
        (zstd, f"{NAME}.tar.zst", "is a Zstandard archive; read are zip, and tar"),
        (tar("w"), "scene1.tar", "link' is a link"),
        (tar("w:gz"), "scene1.tgz", "link' is a link"),
    ],
)
def test_an_unread_product_under_a_name_of_the_user_is_told(
    safe: Path, make: Callable[[Path, Path], None], name: str, says: str
) -> None:
    make(safe, safe.parent / name)
    shutil.rmtree(safe)
    (line,) = told(safe.parent)
    assert f"{name}: " in line and says in line
    assert find_s3(safe.parent) == ([], [])
    if make is not two_in_one:  # its members bear no tile beside those of the metadata
        assert len(find_s2(safe.parent, "T17XNA")[1]) == 1
        assert find_s2(safe.parent, "T33XWJ")[1] == []


def test_a_zip_that_cannot_be_opened_and_is_nothing_known_is_passed_over_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "thesis.zip").write_text("<html>")
    (tmp_path / "S2.csv.gz").write_bytes(gzip.compress(f"{NAME}.SAFE,1\n".encode()))
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as archive:
        archive.writestr("../a.jpg", "x")
    assert find_s2(tmp_path) == ([], [])
    (record,) = caplog.records
    assert "thesis.zip: passed over (" in record.message and "not a readable zip" in record.message


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        *((f"{NAME}.SAFE", True), (f"{NAME}.zip", True), (NAME, True), ("my.SAFE", True)),
        *((f"{NAME}.tar", True), (f"{NAME}_TCI.jpg", False), ("manifest.safe", False)),
        ("notes", False),
    ],
)
def test_a_link_that_leads_nowhere_is_told_where_it_is_called_a_product(
    tmp_path: Path, name: str, is_told: bool
) -> None:
    (tmp_path / name).symlink_to("/nowhere/annex/key")
    lines = told(tmp_path)
    assert len(lines) == is_told
    assert all(f"{name}: is a link to /nowhere/annex/key, where nothing is" in one for one in lines)


@pytest.mark.parametrize("name", ["a\\b.SAFE", " x.SAFE", "x.SAFE ", "x\u00a0"])
def test_a_path_that_no_inventory_can_name_is_told(
    safe: Path, s3_product: Maker, name: str
) -> None:
    room = safe.parent.parent / "room"
    room.mkdir()
    shutil.copytree(s3_product(), room / name)
    (line,) = told(room, find_s3)
    assert "rename it" in line
    assert told(room) == []
    shutil.rmtree(room / name)
    safe.rename(room / name)
    (line,) = told(room)
    assert "rename it" in line and ("backslash" in line) == ("\\" in name)
    (room / name).rename(room / "in between .SAFE")
    assert only(room)


def test_a_product_without_its_metadata_says_which_file_is_lacking(safe: Path) -> None:
    (safe / "MTD_MSIL1C.xml").unlink()
    (line,) = told(safe.parent)
    assert f"{safe.name}: no MTD_MSIL1C.xml: " in line
    for name in ("renamed.SAFE", "arctic summer"):
        safe = safe.rename(safe.with_name(name))
        (line,) = told(safe.parent)
        assert f"{name}: no MTD_MSIL1C.xml: " in line
        assert told(safe.parent, find_s3) == []


def test_pipes_keep_nobody_waiting(safe: Path) -> None:
    for name in (f"{NAME}x", f"{NAME}y.zip", "z.zip"):
        os.mkfifo(safe.parent / name)
    assert only(safe.parent).path == safe
    (safe / "MTD_MSIL1C.xml").unlink()
    os.mkfifo(safe / "MTD_MSIL1C.xml")
    (line,) = told(safe.parent)
    assert f"{safe.name}/MTD_MSIL1C.xml: is no regular file" in line
    with pytest.raises(ProductError, match="neither a folder nor a file"):
        open_s2(safe.parent / "z.zip")


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_a_product_lies_in_folders_of_its_own_name(safe: Path, levels: int) -> None:
    inner = safe.rename(safe.with_name("tmp"))
    for _ in range(levels - 1):
        room = safe.with_name(f"room{_}")
        room.mkdir()
        inner.rename(room / safe.name)
        inner = room
    inner.rename(safe)
    assert only(safe.parent).path == safe.joinpath(*[safe.name] * (levels - 1))


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_checksums_are_found_where_all_names_are_in_one_case(
    safe: Path, change: Callable[[str], str]
) -> None:
    for path in sorted(safe.rglob("*"), key=lambda one: -len(one.parts)):
        path.rename(path.with_name(change(path.name)))
    product = only(safe.parent)
    members = product.members_for(("B02", "B03"), 10)
    assert product.verify(members) == []
    check = {"bands": ("B02", "B03"), "resolution_m": 10, "verify": False}
    assert check_sentinel2(product, **check) == []
    xml = safe / change("MTD_MSIL1C.xml")
    xml.write_bytes(xml.read_bytes() + b"\n")
    assert "differs from the manifest's" in " ".join(product.verify(members))
    assert "bytes instead of" in " ".join(check_sentinel2(product, **check))
