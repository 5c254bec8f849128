"""Stacks of version 1: read without running a pickle, and converted to the layout of version 2."""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.sources.sen2venus.convert import main
from sensor2sensor.sources.sen2venus.stacks import look, patches
from tests.fakes.sen2venus import DATE, TILE, ground, pt_bytes, pt_pickle, write_stacks
from tests.unit.sources.test_sen2venus import SIDE, SITES, door, name_of, records

pytestmark = pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)
STACK = np.arange(-30, 3 * 4 * 6 * 6 - 30, dtype=np.int16).reshape(3, 4, 6, 6)


def _file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "stack.pt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_stack_comes_back_patch_by_patch(tmp_path: Path, dtype: str) -> None:
    path = _file(tmp_path, pt_bytes(STACK.astype(dtype)))
    stack = look(path)
    assert stack.shape == STACK.shape
    np.testing.assert_array_equal(np.stack(list(patches(path, stack))), STACK)


def test_the_opcodes_are_those_of_torch() -> None:
    """As torch's ``_save`` and ``Tensor.__reduce_ex__`` order them, written by Python's pickler."""
    silent = ("BINPUT", "PROTO")
    listed = [(op.name, arg) for op, arg, _ in pickletools.genops(pt_pickle((300, 4, 64, 64)))]
    assert [token for token in listed if token[0] not in silent] == [
        ("GLOBAL", "torch._utils _rebuild_tensor_v2"), ("MARK", None), ("MARK", None),
        ("BINUNICODE", "storage"), ("GLOBAL", "torch ShortStorage"), ("BINUNICODE", "0"),
        ("BINUNICODE", "cpu"), ("BININT", 4915200), ("TUPLE", None), ("BINPERSID", None),
        ("BININT1", 0), ("MARK", None), ("BININT2", 300), ("BININT1", 4), ("BININT1", 64),
        ("BININT1", 64), ("TUPLE", None), ("MARK", None), ("BININT2", 16384), ("BININT2", 4096),
        ("BININT1", 64), ("BININT1", 1), ("TUPLE", None), ("NEWFALSE", None),
        ("GLOBAL", "collections OrderedDict"), ("EMPTY_TUPLE", None), ("REDUCE", None),
        ("TUPLE", None), ("REDUCE", None), ("STOP", None),
    ]  # fmt: skip


class _Trap:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('a pickle was run')",))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (pt_bytes(STACK, pickle.dumps(_Trap(), 2)), "has GLOBAL __builtin__ exec where GLOBAL"),
        (pt_bytes(STACK, pt_pickle(STACK.shape, call=("os", "system"))), "has GLOBAL os system"),
        (pt_bytes(STACK, pt_pickle(STACK.shape, kind="DoubleStorage")), "torch DoubleStorage"),
        (pt_bytes(STACK, pt_pickle(STACK.shape, offset=1)), "has a view of"),
        (pt_bytes(STACK, pt_pickle(STACK.shape, strides=(1, 3, 12, 72))), "with strides"),
        (pt_bytes(STACK, pt_pickle((2, 4, 6, 6))), "holds 864 bytes of numbers, not 576"),
        (pt_bytes(STACK, pt_pickle((12, 6, 6))), "is [12, 6, 6], not patches, bands"),
        (pt_bytes(STACK, pt_pickle(STACK.shape)[:-1]), "ends or breaks off"),
        (pt_bytes(STACK, pt_pickle(STACK.shape)[:-1] + b"0."), "has POP"),
        (pt_bytes(STACK, b""), "ends or breaks off"),
        (pt_bytes(STACK, pickle.dumps([1], 2)), "has EMPTY_LIST"),
        (pt_bytes(STACK)[:-40], "is no whole stack"),
        (pt_bytes(STACK, pt_pickle((0, 4, 6, 6))), "is [0, 4, 6, 6], which is no stack"),
        (pt_bytes(STACK, pt_pickle((1, 4, 16000, 16000))), "which is no stack of patches"),
        (pt_bytes(STACK, pt_pickle(STACK.shape, kind="Odd\x1b")), "torch Odd\\x1b where"),
        (pickle.dumps(_Trap(), 2), "is a bare pickle, as of before torch 1.6"),
        (b"", "is no whole stack"),
    ],
)
def test_anything_but_a_plain_tensor_is_refused_and_never_run(
    tmp_path: Path, data: bytes, says: str
) -> None:
    with pytest.raises(DatasetError) as refused:
        look(_file(tmp_path, data))
    assert says in str(refused.value) and "\n" not in str(refused.value)


def _zipped(tmp_path: Path, method: int, **members: bytes) -> Path:
    every = {"data.pkl": pt_pickle(STACK.shape), "byteorder": b"little", "data/0": STACK.tobytes()}
    with zipfile.ZipFile(tmp_path / "stack.pt", "w", method) as archive:
        for name, data in {**every, **members}.items():
            archive.writestr(f"a/{name}", data)
    return tmp_path / "stack.pt"


def test_bombs_are_refused_by_their_headers(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"member 'a/data.pkl', which is not stored as it is"):
        look(_zipped(tmp_path, zipfile.ZIP_DEFLATED))
    assert look(_zipped(tmp_path, zipfile.ZIP_STORED)).shape == STACK.shape
    with pytest.raises(DatasetError, match="not of little-endian"):
        look(_zipped(tmp_path, zipfile.ZIP_STORED, byteorder=b"little".ljust(17)))
    lying = _zipped(tmp_path, zipfile.ZIP_STORED)
    # Sizes of the last member in the list at the end: larger than the file, though "stored".
    data = bytearray(lying.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 20
    data[at : at + 8] = (1 << 30).to_bytes(4, "little") * 2
    lying.write_bytes(data)
    with pytest.raises(DatasetError, match=r"'a/data/0', which is not stored"):
        look(lying)


@pytest.mark.parametrize(("at", "value"), [(8, 1), (42, 2), (10, 8), (10, 99)])
def test_damage_of_the_list_of_members_is_one_error(tmp_path: Path, at: int, value: int) -> None:
    """Encrypted, begun elsewhere, deflated, of an unknown method."""
    path = _zipped(tmp_path, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    begin = data.index(b"PK\x01\x02")
    data[begin + at] ^= value
    path.write_bytes(data)
    with pytest.raises(DatasetError) as refused:
        list(patches(path, look(path)))
    assert "\n" not in str(refused.value)


def test_a_member_that_begins_behind_the_end_is_one_error(tmp_path: Path) -> None:
    path = _zipped(tmp_path, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 42
    data[at : at + 4] = (len(data) - 7).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="is no whole stack"):
        list(patches(path, look(path)))


def test_damaged_numbers_are_seen_by_their_crc(tmp_path: Path) -> None:
    data = bytearray(pt_bytes(STACK))
    data[data.index(STACK.tobytes()) + 5] ^= 1
    path = _file(tmp_path, bytes(data))
    with pytest.raises(DatasetError, match="Bad CRC-32"):
        list(patches(path, look(path)))


def test_converted_stacks_give_the_data_set_of_version_2(tmp_path: Path, capsys) -> None:
    write_stacks(tmp_path / "v1", SITES, side_px=SIDE)
    words = ["--data", str(tmp_path / "v1"), "--out", str(tmp_path / "v2")]
    assert main(words) == 0
    index = (tmp_path / "v2" / "ARM" / "index.csv").read_text().splitlines()
    assert index[0].split("\t")[-1] == "b5b6b7b8a_20m" and len(index) == 1 + SITES["ARM"]
    capsys.readouterr()
    assert main(words) == 0
    assert "0 done, 4 already there, 0 failed" in capsys.readouterr().out
    assert door(tmp_path / "v2", tmp_path, "--bands", "10m20m") == 0
    contract, found = records(tmp_path / "sen2venus_x2_10m20m" / str(SIDE))
    assert len(found) == sum(SITES.values())
    record = found[f"ARM__ARM_{TILE}_{DATE}_00001_b2b3b4b8_05m"]
    # The files called b4b5b6b8a hold B5 B6 B7 B8A.
    assert [b.name for b in contract.target.bands[4:]] == ["B5", "B6", "B7", "B8A"]
    high = np.rint(record.target[..., 4:] * 10000).astype(int)
    made = ground("ARM", 1, SIDE)["b5b6b7b8a_05m"]
    np.testing.assert_array_equal(high, np.moveaxis(made, 0, -1))
    assert name_of("ARM", 1) not in found


def test_a_pair_that_does_not_fit_is_refused_alone(tmp_path: Path, capsys) -> None:
    write_stacks(tmp_path / "v1", {"ARM": 2}, side_px=SIDE)
    names = {
        "05m_b2b3b4b8": STACK.repeat(2, 2).repeat(2, 3), "10m_b2b3b4b8": STACK[:2],
    }  # fmt: skip
    for name, stack in names.items():
        (tmp_path / "v1" / "ARM" / f"ARM_{TILE}_2019-01-01_{name}.pt").write_bytes(pt_bytes(stack))
    half = np.full((1, 4, 6, 6), 0.5, np.float32)
    (tmp_path / "v1" / f"ODD_{TILE}_2019-01-01_10m_b2b3b4b8.pt").write_bytes(pt_bytes(half))
    assert main(["--data", str(tmp_path / "v1"), "--out", str(tmp_path / "v2")]) == 1
    out = capsys.readouterr().out
    assert "stacks of one date differ at 5 m: ARM_31TCJ_2019-01-01_05m_b2b3b4b8.pt 3 of 12" in out
    assert "holds numbers that are none of int16" in out
    assert [path.name for path in (tmp_path / "v2").glob("*/index.csv")] and not list(
        (tmp_path / "v2").glob("ODD/*.zip")
    )
    zipped = tmp_path / "v2" / "ARM" / "ARM_b2b3b4b8_05m.zip"
    with zipfile.ZipFile(zipped) as archive:
        assert len(archive.namelist()) == 2
        first = archive.namelist()[0]
    with rasterio.open(f"/vsizip/{zipped}/{first}") as source:
        assert (source.dtypes[0], source.nodata) == ("int16", -10000)


def _second_date(root: Path, date: str) -> list[Path]:
    made = []
    for path in sorted(root.rglob(f"*{DATE}*.pt")):
        made.append(path.with_name(path.name.replace(DATE, date)))
        made[-1].write_bytes(path.read_bytes())
    return made


def _lines(folder: Path) -> list[str]:
    return (folder / "ARM" / "index.csv").read_text().splitlines()[1:]


def test_what_failed_or_came_later_is_converted_by_the_next_run(tmp_path: Path, capsys) -> None:
    write_stacks(tmp_path / "v1", {"ARM": 2, "SO1": 1}, side_px=8)
    words = ["--data", str(tmp_path / "v1"), "--out", str(tmp_path / "v2")]
    damaged = _second_date(tmp_path / "v1" / "ARM", "2019-05-05")[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    assert main(words) == 1 and len(_lines(tmp_path / "v2")) == 2
    damaged.write_bytes(whole)
    capsys.readouterr()
    assert main(words) == 0 and len(_lines(tmp_path / "v2")) == 4
    assert "2 done, 1 already there, 0 failed" in capsys.readouterr().out
    _second_date(tmp_path / "v1" / "ARM", "2019-06-06")
    assert main(words) == 0 and len(_lines(tmp_path / "v2")) == 6
    capsys.readouterr()
    assert main(words) == 0
    assert "0 done, 2 already there, 0 failed" in capsys.readouterr().out


def test_dates_whose_stacks_are_gone_are_not_lost(tmp_path: Path, capsys) -> None:
    write_stacks(tmp_path / "v1", {"ARM": 2}, side_px=8)
    words = ["--data", str(tmp_path / "v1"), "--out", str(tmp_path / "v2")]
    old = sorted((tmp_path / "v1").rglob("*.pt"))
    assert main(words) == 0
    _second_date(tmp_path / "v1", "2019-05-05")
    for path in old:
        path.unlink()
    capsys.readouterr()
    assert main(words) == 1 and len(_lines(tmp_path / "v2")) == 2
    told = f"ARM: holds 1 dates whose stacks are gone (ARM_{TILE}_{DATE}); unpack them again"
    assert told in capsys.readouterr().out
    assert main([*words, "--force"]) == 0
    assert {line.split("\t")[2] for line in _lines(tmp_path / "v2")} == {"2019-05-05"}


def test_a_kill_leaves_no_site_that_is_half_there(tmp_path: Path) -> None:
    write_stacks(tmp_path / "v1", {"ARM": 1}, side_px=SIDE)
    words = ["--data", str(tmp_path / "v1"), "--out", str(tmp_path / "v2")]
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(3):
        main(words)
    assert not list((tmp_path / "v2").rglob("index.csv"))
    assert main(words) == 0
    assert (tmp_path / "v2" / "ARM" / "index.csv").is_file()


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "holds no stack of SEN2VENµS"),
        (("notes.pt",), "holds no stack of SEN2VENµS"),
        (("A_31TCJ_2018-03-04_05m_b4b5b6b8a.pt", "A_31TCJ_2018-03-04_05m_b5b6b7b8a.pt"),
         "holds what A_31TCJ_2018-03-04_05m_b4b5b6b8a.pt holds"),
    ],
)  # fmt: skip
def test_a_folder_without_stacks_is_one_line(
    tmp_path: Path, capsys, names: tuple[str, ...], says: str
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(pt_bytes(STACK))
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert says in capsys.readouterr().err
