"""``--max-shift`` of step 50: what is too far, and what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import read_split
from tests.fakes_tiles import FakeTile, grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import INV, STEP, TILE, step50


def test_shifted_tiles_are_left_out(tmp_path: Path) -> None:
    tiles = grid_tiles(5, 5, STEP)
    tiles[3] = FakeTile(3 * STEP, 0, shift_m=80.0)
    tiles[7] = FakeTile(2 * STEP, STEP, shift_m=None)
    write_tiles(tmp_path, tiles)
    assert step50(tmp_path, "--max-shift", "50") == 0
    reasons = {r.name: r.reason for r in read_split(tmp_path / "cur_toy" / str(TILE))}
    assert reasons[f"{INV}__00000_960x0"] == "shift of 80 m"
    assert reasons[f"{INV}__00000_640x320"] == "shift between the sensors not known"


def test_a_split_emptied_by_the_shift_says_so_and_how_to_get_it_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = grid_tiles(5, 5, STEP, shift_m=80.0)
    for at in (0, 1, 2):
        tiles[at] = FakeTile(at * STEP, 0, shift_m=None)
    tiles[24] = FakeTile(4 * STEP, 4 * STEP)
    write_tiles(tmp_path, tiles)
    assert step50(tmp_path, "--max-shift", "50") == 2
    error = capsys.readouterr().err
    assert (
        "split would be empty" in error and "; 24 of 25 tiles are left out by --max-shift" in error
    )
    assert "give it a larger --max-shift (21 tiles lie beyond 50 m)" in error
    assert "or --unknown-shift keep (3 tiles are of unknown shift)" in error
    assert step50(tmp_path, "--max-shift", "50", "--unknown-shift", "keep") == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    write_tiles(alone, grid_tiles(1, 1, TILE))
    assert step50(alone) == 2
    assert "--max-shift" not in capsys.readouterr().err


def test_of_sentinel_2_alone_no_shift_is_known_or_limited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP, shift_m=None), with_s3=False)
    assert step50(tmp_path, "--max-shift", "50") == 0
    said = capsys.readouterr().out
    assert f"--max-shift has no meaning here: {INV} is of Sentinel-2 alone" in said
    assert "shift between the sensors" not in said
    assert step50(tmp_path, "--correct-shift", "--force") == 2
    said = capsys.readouterr().err
    assert "leave it out: the inventory is of Sentinel-2 alone" in said and "step 40" not in said


def _doubtful_tiles(root: Path) -> str:
    """Tiles of a good shift, one of them of a low quality; returns the name of that one."""
    tiles = grid_tiles(5, 5, STEP, shift_quality=0.8)
    tiles[3] = FakeTile(3 * STEP, 0, shift_m=12.0, shift_quality=0.15)
    tiles[4] = FakeTile(4 * STEP, 0, shift_m=12.0, shift_quality=0.25)
    write_tiles(root, tiles)
    return f"{INV}__00000_960x0"


def test_a_shift_of_low_quality_is_unknown_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = _doubtful_tiles(tmp_path)
    assert step50(tmp_path, "--max-shift", "50") == 0
    rows = {r.name: r for r in read_split(tmp_path / "cur_toy" / str(TILE))}
    assert rows[name].split == "dropped"
    assert rows[name].reason == "shift not known: quality 0.15 is below 0.25"
    assert [r.name for r in rows.values() if "not known" in r.reason] == [name]
    said = "0 tiles beyond 50 m left out, 1 of unknown shift left out"
    assert said in capsys.readouterr().out


def test_tiles_of_unknown_shift_are_kept_on_request_and_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = _doubtful_tiles(tmp_path)
    assert step50(tmp_path) == 0  # without a limit the shift decides nothing
    plain = {r.name: r.split for r in read_split(tmp_path / "cur_toy" / str(TILE))}
    limits = ("--max-shift", "50", "--unknown-shift", "keep", "--force")
    assert step50(tmp_path, *limits) == 0
    rows = {r.name: r for r in read_split(tmp_path / "cur_toy" / str(TILE))}
    assert {r.name: r.split for r in rows.values()} == plain
    assert plain[name] in SPLITS and rows[name].reason.startswith("kept: shift not known")
    assert "1 of unknown shift kept" in capsys.readouterr().out
    assert step50(tmp_path, "--max-shift", "50", "--shift-quality", "0.1", "--force") == 0
    rows = {r.name: r for r in read_split(tmp_path / "cur_toy" / str(TILE))}
    assert rows[name].split in SPLITS and rows[name].reason == ""
