"""Product files read the same from a folder and a zip, in place; hostile zips are refused."""

from __future__ import annotations

import io
import pickle
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.archive_limits import ArchiveLimits
from sensor2sensor.core.archives import open_files, safe_name
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.zips import ZipFiles

FILES = {"MTD.xml": b"<a/>", "GRANULE/g/band.jp2": bytes(range(256)) * 50, "empty.txt": b""}


def write_zip(path: Path, files: dict[str, bytes], top: str = "", method: int = 8) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(f"{top}{name}", data)
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return path


ZIPS = {"stored zip": 0, "zip with top folder": 8, "bzip2 zip": 12, "LZMA zip": 14}
TARS = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w", top: str = "") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{top}{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(params=["folder", "zip", *ZIPS, *TARS])
def product(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "folder":
        return write_folder(tmp_path / "x.SAFE", FILES)
    if request.param in TARS:
        path = tmp_path / f"x (1) é,{{.{request.param}"
        return write_tar(path, FILES, TARS[request.param], "./x.SAFE/")
    top = "x.SAFE/" if request.param == "zip with top folder" else ""
    return write_zip(tmp_path / "x (1) é.zip", FILES, top, ZIPS.get(request.param, 8))


def test_names_and_content_are_the_same_however_the_product_is_packed(product: Path) -> None:
    before = sorted(product.parent.rglob("*"))
    files = open_files(product)
    assert files.names() == sorted(FILES)
    for name, data in FILES.items():
        assert files.exists(f"./{name}")
        assert files.size(name) == len(data)
        assert files.read(name, 10**6) == data
        assert b"".join(files.chunks(name, 7)) == data
        with files.open(name) as stream:
            stream.seek(3)
            assert stream.read() == data[3:]
    assert sorted(product.parent.rglob("*")) == before, "nothing may be unpacked"


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
@pytest.mark.parametrize("packing", ["folder", "zip", "zip with top folder"])
def test_gdal_opens_members_by_their_path(tmp_path: Path, packing: str) -> None:
    import rasterio
    from rasterio.io import MemoryFile

    pixels = np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", width=4, height=3, count=1, dtype="uint16") as image:
            image.write(pixels)
        content = {"g/image.tif": memory.read(), "top.txt": b""}
    path = tmp_path / "a (1) é.SAFE"
    if packing == "folder":
        write_folder(path, content)
    else:
        write_zip(path, content, "a.SAFE/" if "top" in packing else "")
    with rasterio.open(open_files(path).gdal_path("g/image.tif")) as image:
        np.testing.assert_array_equal(image.read(), pixels)


def test_a_missing_file_is_named(product: Path) -> None:
    files = open_files(product)
    assert not files.exists("absent.jp2")
    for call in (files.size, files.open, lambda name: files.read(name, 10)):
        with pytest.raises(ProductError, match=r"absent\.jp2: file is missing"):
            call("absent.jp2")


def test_a_file_larger_than_its_kind_is_refused(product: Path) -> None:
    with pytest.raises(ProductError, match=r"band\.jp2: holds 12800 bytes, more than the 100"):
        open_files(product).read("GRANULE/g/band.jp2", 100)


def test_a_reader_travels_to_worker_processes(product: Path) -> None:
    copy = pickle.loads(pickle.dumps(open_files(product)))  # our own object, made here
    assert copy.read("MTD.xml", 100) == b"<a/>"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a\\b", "C:/x", "C:x", "", "a\0b"])
def test_names_that_leave_the_product_are_refused(name: str) -> None:
    with pytest.raises(ProductError, match="leaves the product"):
        safe_name(name, "here")


@pytest.mark.parametrize("name", ["../../evil.txt", "/evil.txt", "a\\..\\evil.txt", "D:/evil"])
def test_an_archive_with_such_a_member_is_refused_whole(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "x.zip", {"good.txt": b"1", name: b"2"})
    with pytest.raises(ProductError, match="leaves the product") as caught:
        open_files(path)
    assert str(path) in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize(("mode", "word"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "special")])
def test_links_and_special_files_are_refused(tmp_path: Path, mode: int, word: str) -> None:
    info = zipfile.ZipInfo("pointer")
    info.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ProductError, match=word):
        open_files(tmp_path / "x.zip")


BOMBS = {
    "too many": (ArchiveLimits(members=2), "holds 3 members"),
    "one too large": (ArchiveLimits(member_bytes=12_000), "inflates to 12800 bytes"),
    "all too large": (ArchiveLimits(total_bytes=12_801), "more than 12801"),
    "ratio": (ArchiveLimits(ratio=3.0, ratio_from_bytes=100), "times"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_refused(tmp_path: Path, kind: str) -> None:
    limits, message = BOMBS[kind]
    path = write_zip(tmp_path / "x.zip", FILES)
    with pytest.raises(ProductError, match=message):
        ZipFiles(path, limits)


def test_a_real_bomb_is_refused_by_the_standard_limits(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"zeros": bytes(8 * 2**20)})
    with pytest.raises(ProductError, match=r"'zeros' inflates \d+ times"):
        open_files(path)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a": bytes(range(256)) * 9}, method=zipfile.ZIP_STORED)
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    second = bytearray(entry)
    second[46:47] = b"b"
    tail = bytearray(data[end:])
    tail[8:12] = (2).to_bytes(2, "little") * 2
    tail[12:16] = (2 * len(entry)).to_bytes(4, "little")
    path.write_bytes(data[:end] + bytes(second) + bytes(tail))
    with pytest.raises(ProductError, match="overlap"):
        open_files(path)


def test_a_name_held_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", "2")
    with pytest.raises(ProductError, match="holds 'a' twice"):
        open_files(tmp_path / "x.zip")


def test_two_products_in_one_archive_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"a.SAFE/m": b"1", "b.SAFE/m": b"2"})
    with pytest.raises(ProductError, match=r"holds 2 products \(a\.SAFE, b\.SAFE\)"):
        open_files(path)


def test_what_a_packing_tool_adds_is_left_out(tmp_path: Path) -> None:
    members = {"x.SAFE/m": b"1", "__MACOSX/x.SAFE/._m": b"2", "readme.txt": b"3"}
    assert open_files(write_zip(tmp_path / "x.zip", members)).names() == ["m"]


def test_a_flipped_bit_is_found_by_the_crc(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", FILES, method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(bytes(range(100, 150)))] ^= 1
    path.write_bytes(data)
    files = open_files(path)
    with pytest.raises(ProductError, match=r"x\.zip/GRANULE/g/band\.jp2: damaged archive member"):
        files.read("GRANULE/g/band.jp2", 10**6)


def test_no_such_product(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="no such product"):
        open_files(tmp_path / "nowhere.zip")
