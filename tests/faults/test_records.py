"""Rows 17, 18 and 24-29 of the fault table: records, data sets and what may go wrong with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, DatasetError, InputError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import list_records, read_record, scan_file
from sensor2sensor.dataset.records import decode, encode
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.pipeline.reader import training_batches
from sensor2sensor.preprocess.records.run import main
from tests.fakes_dataset import make_dataset
from tests.fakes_tiles import grid_tiles, own_environment, snapshot, write_tiles

TILE = 8


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path, tile_px=16, train=3, val=1, test=1)


def _first(dataset: Path) -> Path:
    return dataset / next(row.file for row in read_split(dataset) if row.split == "train")


@pytest.mark.parametrize("damage", ["inside", "boundary", "flip", "gone", "gzip", "extra"])
def test_damaged_files_are_seen_before_training(dataset: Path, damage: str) -> None:
    path = _first(dataset)
    content = path.read_bytes()
    changed = {
        "inside": content[: len(content) // 2],
        "boundary": b"",
        "flip": content[:100] + bytes([content[100] ^ 4]) + content[101:],
        "gzip": gzip.compress(content),
        "extra": content + content,
    }
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(changed[damage])
    with pytest.raises(DatasetError) as caught:
        verify_dataset(dataset)
    assert path.name in str(caught.value) and "its step (50 to 55)" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 20, 500])
def test_a_cut_record_is_named_when_read(dataset: Path, keep: int) -> None:
    ref = list_records(dataset, "train")[0]
    ref.path.write_bytes(ref.path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=ref.path.name):
        read_record(ref)
    assert keep == 0 or scan_file(ref.path) is None


def test_no_record_file_is_compressed(dataset: Path) -> None:
    for path in dataset.rglob("*.tfrecord"):
        assert path.read_bytes()[:2] != b"\x1f\x8b"


def test_a_record_of_another_form_is_named(dataset: Path, tmp_path: Path) -> None:
    contract = load_contract(dataset)
    data = read_record(list_records(dataset, "train")[0])
    other = load_contract(make_dataset(tmp_path / "b", tile_px=32, train=2, val=1, test=1))
    with pytest.raises(DatasetError, match="'target' does not hold"):
        decode(data, other)
    with pytest.raises(DatasetError, match=r"target is \[16, 16, 3\], the contract says \[32"):
        encode(decode(data, contract), other)


def test_garbage_is_no_record(dataset: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be parsed"):
        decode(b"\xff\xff\xffgarbage", load_contract(dataset))


def test_a_data_set_without_its_last_file_is_none(dataset: Path) -> None:
    (dataset / "dataset.json").unlink()
    with pytest.raises(DatasetError, match="no finished data set"):
        load_contract(dataset)


@pytest.mark.parametrize("edit", ["unknown", "type", "cut", "table"])
def test_a_damaged_contract_or_table_is_named(dataset: Path, edit: str) -> None:
    path = dataset / "dataset.json"
    contents = json.loads(path.read_text())
    if edit == "unknown":
        path.write_text(json.dumps({**contents, "tilesize": 16}))
    elif edit == "type":
        path.write_text(json.dumps({**contents, "tile_px": "16"}))
    elif edit == "cut":
        path.write_text(path.read_text()[:200])
    else:
        table = dataset / "split.csv"
        table.write_text(table.read_text().replace("train", "test", 1))
    with pytest.raises(DatasetError, match=r"dataset\.json|split\.csv"):
        verify_dataset(dataset)


def test_nothing_left_after_the_filters_says_what_names_look_like(dataset: Path) -> None:
    with pytest.raises(InputError, match=r"no train record is left of 3.*names look like"):
        list_records(dataset, "train", enforce_suffix="_nosuch")


def test_bicubic_needs_a_regular_grid(tmp_path: Path) -> None:
    folder = make_dataset(
        tmp_path, name="cur_toy", kind="sentinel3", tile_px=32, train=2, val=1, test=1
    )
    options = ReaderOptions(batch_size=2, input_upsampling="bicubic")
    with pytest.raises(ConfigError, match="regular low-resolution grid"):
        training_batches(folder, load_contract(folder), None, options)


def test_fewer_samples_than_a_batch_still_fill_it(dataset: Path) -> None:
    contract = load_contract(dataset)
    batch = next(iter(training_batches(dataset, contract, None, ReaderOptions(batch_size=8))))
    assert sorted(np.unique(batch["index"].numpy())) == [0, 1, 2]
    assert batch["input"].shape == (8, 16, 16, 3)


def _step50(root: Path, *more: str, inventory: str = "inv_a_1h") -> int:
    common = ["--tilesize", str(TILE), "--factors", "3", "--block-tiles", "48", "--seed", "11"]
    common += ["--train_ratio", "0.6", "--val_ratio", "0.4", *own_environment(root)]
    return main(["--inventory", inventory, "--dataset", "toy", *common, *more])


def _snapshot(root: Path) -> dict[str, bytes]:
    return snapshot(root, "cur_toy", "alt3_toy")


def _tiles(root: Path) -> None:
    write_tiles(root, grid_tiles(4, 1, 96 * TILE), inventory="inv_a_1h", tile_px=TILE, margin_px=2)
    write_tiles(
        root, grid_tiles(2, 1, 96 * TILE), inventory="inv_b_1h", tile_px=TILE, margin_px=2, seed=3
    )


def _crash_everywhere(tmp_path: Path, prepare: list[list[str]], last: list[str]) -> int:
    """Every write of the last command breaks off once; returns how many writes there are."""
    import shutil

    calm = tmp_path / "calm"
    calm.mkdir()
    _tiles(calm)
    for command in prepare:
        assert _step50(calm, *command[1:], inventory=command[0]) == 0
    start = tmp_path / "start"
    shutil.copytree(calm, start)
    assert _step50(calm, *last[1:], inventory=last[0]) == 0
    wanted, n = _snapshot(calm), 0
    while True:
        n += 1
        root = tmp_path / f"crash{n}"
        shutil.copytree(start, root)
        try:
            with files.crash_at_write(n):
                assert _step50(root, *last[1:], inventory=last[0]) == 0
        except files.SimulatedCrash:
            assert _step50(root, *last[1:], inventory=last[0]) == 0
            assert _snapshot(root) == wanted, f"differs after a crash at write {n}"
            continue
        return n - 1


def test_a_build_cut_off_at_any_write_and_repeated_equals_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    writes = _crash_everywhere(tmp_path, [], ["inv_a_1h"])
    assert writes >= 2 * (1 + 3 + 2 + 1)


@pytest.mark.slow
def test_an_addition_cut_off_at_any_write_and_repeated_equals_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    assert _crash_everywhere(tmp_path, [["inv_a_1h"]], ["inv_b_1h", "--add"]) >= 2 * (1 + 1 + 3)


@pytest.mark.slow
def test_a_replacement_cut_off_at_any_write_and_repeated_equals_an_undisturbed_one(
    tmp_path: Path,
) -> None:
    assert _crash_everywhere(tmp_path, [["inv_a_1h"]], ["inv_a_1h", "--force", "--shard", "2"]) > 10


def test_other_inputs_are_not_taken_for_finished_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _tiles(tmp_path)
    assert _step50(tmp_path) == 0
    write_tiles(
        tmp_path,
        grid_tiles(4, 1, 96 * TILE),
        inventory="inv_a_1h",
        tile_px=TILE,
        margin_px=2,
        seed=8,
    )
    assert _step50(tmp_path) == 2
    assert "tiles.csv of inv_a_1h has changed" in capsys.readouterr().err
    assert _step50(tmp_path, "--add") == 0
    verify_dataset(tmp_path / "cur_toy" / str(TILE))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    write_tiles(
        fresh, grid_tiles(4, 1, 96 * TILE), inventory="inv_a_1h", tile_px=TILE, margin_px=2, seed=8
    )
    assert _step50(fresh) == 0
    assert _snapshot(fresh) == _snapshot(tmp_path)


def test_a_lost_record_is_written_again(tmp_path: Path) -> None:
    _tiles(tmp_path)
    assert _step50(tmp_path) == 0
    wanted = _snapshot(tmp_path)
    _first(tmp_path / "cur_toy" / str(TILE)).unlink()
    assert _step50(tmp_path) == 0
    assert _snapshot(tmp_path) == wanted
