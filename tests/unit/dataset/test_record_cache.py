"""Records kept in memory or on disk: the same batches, within a limit, whatever happens."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigErrors
from sensor2sensor.dataset import record_cache
from sensor2sensor.dataset.contract import CONTRACT_FILE, load_contract
from sensor2sensor.dataset.record_cache import CacheOptions, DiskShelf, reading
from sensor2sensor.dataset.recordfile import RecordRef, list_records, read_record
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.reader import training_batches
from tests.fakes_dataset import make_dataset

AMPLE = 10**9


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    record_cache._in_memory.cache_clear()
    return make_dataset(tmp_path / "data", tile_px=16, factor=4, train=5, val=1, test=1)


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.tfrecord"))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _kept(folder))


def _filled(toy: Path, options: CacheOptions) -> list[RecordRef]:
    refs = list_records(toy, "train")
    read = reading(toy, refs, options)
    assert [read(ref) for ref in refs] == [read_record(ref) for ref in refs]
    return refs


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_batches_are_the_same_and_the_second_epoch_does_without_the_files(
    toy: Path, tmp_path: Path, kind: str
) -> None:
    plain = ReaderOptions(batch_size=5, random_resize=1.3)
    kept = replace(plain, cache=CacheOptions(kind, AMPLE, tmp_path / "near"), reads=5)

    def take(options: ReaderOptions, n: int) -> list[dict[str, np.ndarray]]:
        batches = training_batches(toy, load_contract(toy), None, options)
        return list(batches.take(n).as_numpy_iterator())

    wanted = take(plain, 3)
    take(kept, 1)
    shutil.rmtree(toy / "train")
    for found, want in zip(take(kept, 3), wanted, strict=True):
        for key in want:
            np.testing.assert_array_equal(found[key], want[key])


def test_what_finds_no_room_is_read_every_time_and_a_line_says_so(
    toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A second run beside the first, which takes other records, has no room of its own."""
    folder, refs = tmp_path / "near", list_records(toy, "train")
    limit = sum(ref.length + 16 for ref in refs) - 100
    options = CacheOptions("disk", limit, folder)
    first, second = (reading(toy, refs, options) for _ in range(2))
    for read, order in ((first, refs[:2]), (second, refs[::-1]), (first, refs)):
        assert [read(ref) for ref in order] == [read_record(ref) for ref in order]
    assert len(_kept(folder)) == 4 and _bytes(folder) <= limit
    assert "cache: there is room for" in caplog.text and "cache_gib" in caplog.text
    caplog.clear()
    limit -= 16 * len(refs)
    _filled(toy, CacheOptions("memory", limit))
    shutil.rmtree(toy / "train")
    held = record_cache._in_memory(toy, limit, files.sha256(toy / CONTRACT_FILE))
    assert sum(ref in held for ref in refs) == 4 and 0 <= held.room < min(r.length for r in refs)
    assert "cache: there is room for" in caplog.text


def test_of_memory_at_most_half_of_what_is_free_is_taken(
    toy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(record_cache, "available_bytes", lambda: 1000)
    _filled(toy, CacheOptions("memory", AMPLE))
    held = record_cache._in_memory(toy, AMPLE, files.sha256(toy / CONTRACT_FILE))
    assert held.room <= 500 and "half of the memory that is free" in caplog.text


def test_a_data_set_that_was_built_anew_replaces_what_was_kept_of_it(
    toy: Path, tmp_path: Path
) -> None:
    options = CacheOptions("disk", AMPLE, tmp_path / "near")
    _filled(toy, options)
    old = _kept(tmp_path / "near")
    other = make_dataset(tmp_path / "other", tile_px=16, factor=4, train=2, val=1, test=1)
    _filled(other, options)
    shutil.rmtree(toy)
    make_dataset(tmp_path / "data", tile_px=16, factor=4, train=5, val=1, test=1, seed=9)
    refs = _filled(toy, options)
    left = _kept(tmp_path / "near")
    assert not set(old) & set(left) and len(left) == len(refs) + 2


def test_a_kill_leaves_whole_records_or_none_and_damage_is_read_over(
    toy: Path, tmp_path: Path
) -> None:
    folder, refs = tmp_path / "near", list_records(toy, "train")
    options = CacheOptions("disk", AMPLE, folder)
    with files.crash_at_write(2), pytest.raises(files.SimulatedCrash):
        _filled(toy, options)
    assert len(_kept(folder)) == 1
    (kept,) = _kept(folder)
    kept.write_bytes(kept.read_bytes()[:-100])
    (folder / record_cache.USED).write_text("")  # killed between making and writing it
    shelf = DiskShelf(folder, toy, AMPLE)
    assert not list(folder.rglob("*.part")) and shelf.room == AMPLE - _bytes(folder)
    _filled(toy, options)
    assert len(_kept(folder)) == len(refs)
    assert DiskShelf(folder, toy, AMPLE).room == AMPLE - _bytes(folder)


@pytest.mark.parametrize("at", [0, 40, -2])
def test_flipped_bits_are_read_over_and_mended(toy: Path, tmp_path: Path, at: int) -> None:
    """In the frame, the data or its checksum: what is trained on is what the data set holds."""
    refs = list_records(toy, "train")
    read = reading(toy, refs, CacheOptions("disk", AMPLE, tmp_path / "near"))
    wanted = [read(ref) for ref in refs]
    kept = sorted((tmp_path / "near").rglob("*.tfrecord"))
    whole = [path.read_bytes() for path in kept]
    for path, data in zip(kept, whole, strict=True):
        damaged = bytearray(data)
        damaged[at] ^= 4
        path.write_bytes(damaged)
    assert [read(ref) for ref in refs] == wanted
    assert [path.read_bytes() for path in kept] == whole
    assert DiskShelf(tmp_path / "near", toy, AMPLE).room == AMPLE - _bytes(tmp_path / "near")


def test_a_folder_that_cannot_be_used_is_done_without(
    toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "near").write_text("a file")
    _filled(toy, CacheOptions("disk", AMPLE, tmp_path / "near"))
    assert "cannot be used" in caplog.text
    caplog.set_level(logging.WARNING)
    caplog.clear()
    reading(toy, list_records(toy, "train"), CacheOptions("disk", AMPLE, tmp_path / "gone"))
    assert not caplog.text


def test_a_disk_cache_needs_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "environment.json"
    file.write_text('{"cache": "disk"}')
    with pytest.raises(ConfigErrors, match="cache_dir"):
        load_environment(file)
    file.write_text('{"cache": "disk", "cache_dir": "near", "cache_gib": 0.5}')
    assert load_environment(file).cache_dir == tmp_path / "near"
