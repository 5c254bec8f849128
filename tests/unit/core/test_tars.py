"""Hostile and damaged tars are refused by name, and nothing is written or read beyond bounds."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import pytest

from sensor2sensor.core import tars
from sensor2sensor.core.archive_limits import ArchiveLimits
from sensor2sensor.core.archives import open_files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.tars import TarFiles
from tests.unit.core.test_archives import BOMBS, FILES, TARS, write_tar

MODES = sorted(set(TARS.values()))


def refused(path: Path) -> str:
    with pytest.raises(ProductError) as caught:
        open_files(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return str(caught.value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/../../evil", "a\\..\\b", "D:/evil"])
def test_names_that_leave_the_archive_are_refused(tmp_path, mode, name):
    path = write_tar(tmp_path / "x.tar", {"good": b"1", name: b"2"}, mode)
    assert "leaves the product" in refused(path)


SPECIAL = {
    tarfile.SYMTYPE: "is a link", tarfile.LNKTYPE: "is a link", tarfile.FIFOTYPE: "special file",
    tarfile.CHRTYPE: "special file", tarfile.BLKTYPE: "special file",
}  # fmt: skip


@pytest.mark.parametrize("kind", SPECIAL)
def test_links_and_devices_are_refused(tmp_path, kind):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("g/pointer")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert SPECIAL[kind] in refused(path)


def test_sparse_members_are_refused(tmp_path):
    """Their size is that of holes: a kilobyte of tar stands for gigabytes."""
    headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"}
    headers["GNU.sparse.realsize"] = str(2**33)
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("GNUSparseFile.0/x")
        info.pax_headers, data = headers, b"1\n0\n512\n".ljust(512, b"\0") + bytes(512)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    assert "is sparse" in refused(path)


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_cut_off_between_two_members_is_refused(tmp_path, packed):
    path = write_tar(tmp_path / "x.tar", FILES)
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1].offset
    data = path.read_bytes()[:last]
    path.write_bytes(gzip.compress(data) if packed else data)
    assert f"cut off: it ends at byte {last}" in refused(path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [kind for kind in BOMBS if kind != "ratio"])
def test_bombs_are_refused(tmp_path, kind, mode):
    limits, _ = BOMBS[kind]
    path = write_tar(tmp_path / "x.tar", FILES, mode)
    with pytest.raises(ProductError, match="archive refused: "):
        TarFiles(path, limits)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "w"])
def test_a_real_bomb_is_refused_before_it_is_inflated(tmp_path, mode, monkeypatch):
    path = write_tar(tmp_path / "x.tar.gz", {"zeros": bytes(64 * 2**20)}, mode)
    furthest = []
    bound = tars._Inspection._bound

    def seen(self: tars._Inspection, reached: int) -> None:
        furthest.append(self._stream.tell())
        bound(self, reached)

    monkeypatch.setattr(tars._Inspection, "_bound", seen)
    assert "inflates" in refused(path) and "times" in refused(path)
    assert max(furthest) <= 2**20


def test_a_header_that_claims_gigabytes_is_refused(tmp_path):
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    assert "a header of it claims" in refused(path)


def test_a_name_held_twice_and_two_products_are_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a"))
    assert "holds 'a' twice" in refused(path)
    path.unlink()
    names = {"a.SAFE/MTD_MSIL1C.xml": b"x", "b.SAFE/MTD_MSIL1C.xml": b"x"}
    assert "holds 2 products" in refused(write_tar(path, names))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cut", [0.4, 0.8])
def test_a_truncated_tar_is_damaged(tmp_path, mode, cut):
    files = {f"g/{n}.bin": bytes(range(256)) * 64 for n in range(4)}
    whole = write_tar(tmp_path / "x.tar", files, mode).read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[: int(len(whole) * cut)])
    assert "not a readable tar archive" in refused(tmp_path / "x.tar")


def test_a_damaged_header_is_no_end_of_the_archive(tmp_path):
    """Python's reader ends quietly there: half of the members would be missing, without a word."""
    path = write_tar(tmp_path / "x.tar", {f"{n}": bytes(600) for n in range(4)})
    data = bytearray(path.read_bytes())
    data[2 * 1536 : 2 * 1536 + 8] = b"\xff" * 8
    path.write_bytes(data)
    assert "no header at byte 3072" in refused(path)


def test_a_flipped_bit_in_a_gzip_is_found(tmp_path):
    path = write_tar(tmp_path / "x.tar.gz", FILES, "w:gz")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert "not a readable tar archive" in refused(path)


def test_other_packed_files_are_no_tars(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a table, say" * 100))
    assert "not a readable tar archive" in refused(path)


def test_names_that_are_no_utf8_are_shown(tmp_path):
    info = tarfile.TarInfo("M\udcfcnchen")
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + bytes(1024))
    assert "member name 'M\\xfcnchen' is no UTF-8" in refused(path)


def test_what_describes_a_product_is_read_once(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "x.tar.gz", {"big.jp2": bytes(range(256)) * 99, **FILES}, "w:gz")
    files = pickle.loads(pickle.dumps(open_files(path)))
    monkeypatch.setattr(tars, "_stream", None)  # nothing is opened any more
    assert files.read("MTD.xml", 99) == FILES["MTD.xml"]


def test_limits_are_those_of_zips():
    assert TarFiles.__init__.__defaults__ == (ArchiveLimits(),)
