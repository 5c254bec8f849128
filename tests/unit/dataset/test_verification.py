"""What a start of a training looks at: sizes every time, contents once, all where asked."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from sensor2sensor import verify
from sensor2sensor.core import files
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.verification import cache_folder, promised, verify_dataset
from sensor2sensor.sources.writer.options import WriteOptions
from tests.fakes_source import toy_dataset


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sensor2sensor" / "verified"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A packed data set written a while ago: 3 files of train, 2 of val, 2 of test."""
    folder = toy_dataset(tmp_path, write_with=WriteOptions(shard=5))
    for path in folder.rglob("*.tfrecord"):
        os.utime(path, ns=(10**18, 10**18))
    return folder


def test_contents_are_hashed_once_a_machine_and_all_where_asked(packed: Path, cache: Path) -> None:
    assert verify_dataset(packed) == {"train": 12, "val": 6, "test": 6, "files": 7, "hashed": 7}
    assert verify_dataset(packed)["hashed"] == 0
    assert verify_dataset(packed, thorough=True)["hashed"] == 7
    assert len(list(cache.iterdir())) == 1


def test_what_another_machine_saw_is_hashed_again(
    packed: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_dataset(packed)
    monkeypatch.setattr(platform, "node", lambda: "another")
    assert verify_dataset(packed)["hashed"] == 7


def test_the_sizes_of_packed_files_follow_from_the_table(packed: Path) -> None:
    found = {name: promise.size for name, promise in promised(read_split(packed)).items()}
    assert found == {name: (packed / name).stat().st_size for name in found}


@pytest.mark.parametrize("damage", ["cut", "grown", "flip", "gone"])
def test_what_changed_since_is_seen_at_the_next_start(
    packed: Path, cache: Path, damage: str
) -> None:
    verify_dataset(packed)
    path = sorted((packed / "train").iterdir())[1]
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        changed = {"cut": content[:-1], "grown": content + b"\0"}
        path.write_bytes(
            changed.get(damage, content[:99] + bytes([content[99] ^ 1]) + content[100:])
        )
    with pytest.raises(DatasetError, match=rf"{path.name}: (changed|listed).*59_toy\.py --force"):
        verify_dataset(packed)


def test_a_flipped_bit_of_equal_size_and_time_is_seen_by_a_thorough_look(
    packed: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify_dataset(packed)
    path = sorted((packed / "train").iterdir())[0]
    content = bytearray(path.read_bytes())
    content[99] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(10**18, 10**18))
    assert verify_dataset(packed)["hashed"] == 0
    with pytest.raises(DatasetError, match="SHA-256 differs"):
        verify_dataset(packed, thorough=True)
    assert verify.main([str(packed)]) == 1  # the command always looks thoroughly
    assert f"{path.name}: changed since it was written (SHA-256" in capsys.readouterr().out


def test_the_command_names_every_file_at_fault_and_those_that_nothing_reads(
    packed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = sorted((packed / "train").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    (packed / "val" / "other.tfrecord").write_bytes(b"")
    assert verify.main([str(packed)]) == 1
    out = capsys.readouterr().out
    assert f"train/{first.name}: listed in split.csv but missing" in out
    assert f"train/{second.name}: changed since it was written (" in out
    assert "val/other.tfrecord: not in split.csv, nothing reads it" in out
    assert "2 of 7 files are not what was promised; copy the named files again from" in out
    assert "or rebuild it with: " in out and "cut off" not in out
    (packed / "building.json").write_text("{}")
    verify.main([str(packed)])
    assert "or repeat the command that was cut off, or rebuild it" in capsys.readouterr().out
    monkeypatch.setattr(verify, "MOST_LINES", 1)
    verify.main([str(packed)])
    out = capsys.readouterr().out
    assert second.name not in out and "and 1 more\n" in out


@pytest.mark.parametrize("change", ["a number", "a space", "its digest"])
def test_a_contract_that_was_changed_is_seen_though_it_is_valid(
    packed: Path, cache: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, digest = packed / "dataset.json", packed / "dataset.sha256"
    assert digest.read_text() == f"{files.sha256(path)}  dataset.json\n"
    content = files.read_json(path)
    if change == "a number":
        content["target"]["bands"][0]["scale"] = 5.0
        files.write_json(path, content)
    elif change == "a space":
        path.write_text(path.read_text() + " ")
    else:
        digest.write_bytes(b"\xff" + digest.read_bytes()[1:])
    words = (
        r"dataset\.json: changed since it was written .*59_toy\.py --force; if the change is meant"
    )
    with pytest.raises(DatasetError, match=words):
        verify_dataset(packed, split="test")
    assert verify.main([str(packed)]) == 1
    assert "delete dataset.sha256 beside it" in capsys.readouterr().out


def test_data_sets_of_before_have_no_digest_of_their_contract(
    packed: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(packed)]) == 0
    assert "without dataset.sha256" not in capsys.readouterr().out
    (packed / "dataset.sha256").unlink()
    assert verify.main([str(packed)]) == 0
    out = capsys.readouterr().out
    assert "in order" in out and "a change of dataset.json would not show" in out


def test_a_file_of_this_moment_is_not_remembered(packed: Path, cache: Path) -> None:
    path = sorted((packed / "train").iterdir())[0]
    os.utime(path)
    assert verify_dataset(packed)["hashed"] == 7
    assert verify_dataset(packed)["hashed"] == 1


@pytest.mark.parametrize("state", ["damaged", "blocked", "other", "no home"])
def test_without_a_cache_it_is_only_slower(
    packed: Path, cache: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_dataset(packed)
    (kept,) = cache.iterdir()
    if state == "damaged":
        kept.write_text('{"folder": 3')
    elif state == "other":
        kept.write_text(kept.read_text().replace('"split_csv_sha256":"', '"split_csv_sha256":"0'))
    elif state == "blocked":
        monkeypatch.setenv("XDG_CACHE_HOME", str(kept))  # a file where a folder should be
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", _nobody)
        assert cache_folder() is None
    assert verify_dataset(packed)["hashed"] == 7
    assert verify_dataset(packed)["hashed"] == (0 if state in ("damaged", "other") else 7)


def _nobody() -> Path:
    raise RuntimeError("Could not determine home directory.")
