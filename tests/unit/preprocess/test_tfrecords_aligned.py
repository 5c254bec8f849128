"""``--correct-shift`` of step 50: train is given aligned inputs, what is scored never is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.form import form_of
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from tests.fakes_tiles import FakeTile, grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import STEP, TILE, all_files, step50

MOVED = (300.0, -120.0)


def records(root: Path, split: str) -> dict[str, tuple[np.ndarray, ...]]:
    folder = root / "cur_toy" / str(TILE)
    found = iterate_refs(list_records(folder, split), load_contract(folder))
    return {r.name: (r.target, r.input_pixels, r.input_xy, r.input_index) for r in found}


def kept_as_they_come(root: Path) -> set[str]:
    """Tiles of train whose inputs were not aligned, by the table of splits."""
    rows = read_split(root / "cur_toy" / str(TILE))
    return {row.name for row in rows if row.reason.startswith("not aligned")}


def corner_m(name: str) -> np.ndarray:
    x, y = name.rsplit("_", 1)[1].split("x")
    return np.array([int(x) * 10.0, -int(y) * 10.0])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data sets of the same tiles as they come and aligned, all tiles but one moved."""
    roots = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("aligned")
    moved = grid_tiles(5, 5, STEP, moved_m=MOVED)
    moved[7] = FakeTile(2 * STEP, STEP)
    for root in roots:
        write_tiles(root, moved)
    assert step50(roots[0]) == 0
    assert step50(roots[1], "--correct-shift") == 0
    return roots


def test_train_alone_is_given_aligned_inputs_and_values_stay(both: tuple[Path, Path]) -> None:
    plain, aligned = both
    kept = kept_as_they_come(aligned)
    for split in SPLITS:
        there, here = records(plain, split), records(aligned, split)
        assert there.keys() == here.keys()
        for name, (target, pixels, xy, index) in there.items():
            same = split != "train" or name.endswith("640x320") or name in kept
            wanted = (target, pixels, xy, index)
            if not same:
                # The fake's table is turned round: northing falls, y of a record grows.
                wanted = target, pixels[::-1], xy[::-1] - [MOVED[0], -MOVED[1]], index[::-1]
            for found, value in zip(here[name], wanted, strict=True):
                np.testing.assert_array_equal(found, value)


def test_the_contract_says_so_and_only_where_it_is_so(both: tuple[Path, Path]) -> None:
    plain, aligned = (
        files.read_json(root / "cur_toy" / str(TILE) / "dataset.json") for root in both
    )
    assert "aligned" not in json.dumps(plain) and aligned["input"]["aligned"] == ["train"]
    assert aligned["provenance"]["options"]["correct_shift"] is True
    assert "--correct-shift" in aligned["provenance"]["command"]
    loaded = load_contract(both[1] / "cur_toy" / str(TILE))
    assert form_of(loaded).input.alignment == "input aligned with the target (train)"
    degraded = load_contract(both[1] / "alt3_toy" / str(TILE))
    assert not degraded.input.aligned  # made of its own target, which never moved


def test_without_the_option_records_are_those_of_tiles_without_it(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    own, there = (
        {name: data for name, data in all_files(root).items() if name.endswith(".tfrecord")}
        for root in (tmp_path, both[0])
    )
    assert own == there


def test_a_repeat_keeps_them_and_one_without_the_option_is_refused(
    both: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = both[1]
    before, rows = all_files(root), read_split(root / "cur_toy" / str(TILE))
    assert step50(root, "--correct-shift") == 0
    members = sum(row.split in SPLITS for row in rows)
    said = capsys.readouterr().out
    assert f"0 done, {members} already there" in said
    assert "step 40 found a sure shift for 24 of 25 tiles; inputs of those in train are" in said
    assert step50(root) == 2
    assert "correct_shift: True (there) against nothing (asked)" in capsys.readouterr().err
    assert all_files(root) == before


def test_tiles_cut_without_it_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path, "--correct-shift") == 2
    said = capsys.readouterr().err
    assert "its tiles were cut without" in said and "run step 40 with --correct-shift" in said


@pytest.mark.parametrize("moved_m", [(1200.0, 0.0), (-700.0, 3200.0)])
def test_no_aligned_input_is_of_ground_of_another_split(
    tmp_path: Path, moved_m: tuple[float, float], capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path, grid_tiles(12, 12, STEP // 2, moved_m=moved_m))
    assert step50(tmp_path, "--correct-shift", "--factors", "3") == 0
    kept = kept_as_they_come(tmp_path)
    told = capsys.readouterr().out
    assert f"{len(kept)} of train keep their inputs as they come" in told
    members = {split: set(records(tmp_path, split)) for split in SPLITS}
    assert kept and kept < members["train"]
    # Where OLCI saw what the inputs are of: the two guards of 450 m lie between any two splits.
    seen = {name: corner_m(name) + moved_m for name in members["train"] - kept}
    seen |= {name: corner_m(name) for name in kept | members["val"] | members["test"]}
    apart_m = 900.0 + TILE * 10.0 - 2.0  # metres of UTM are not quite those of the ground
    assert not [
        (one, other)
        for one in members["train"]
        for other in members["val"] | members["test"]
        if np.abs(seen[one] - seen[other]).max() < apart_m
    ]


def test_by_acquisition_the_same_ground_is_on_both_sides_and_all_are_aligned(
    tmp_path: Path,
) -> None:
    days = [f"2022-10-{day:02d}T11:54:11.024Z" for day in range(1, 13)]
    tiles = [FakeTile(0, 0, scene=n, s2date=day, moved_m=MOVED) for n, day in enumerate(days)]
    write_tiles(tmp_path, tiles)
    assert step50(tmp_path, "--correct-shift", "--split-by", "acquisition", "--seed", "1") == 0
    assert not kept_as_they_come(tmp_path)
