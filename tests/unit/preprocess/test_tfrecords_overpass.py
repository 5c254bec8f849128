"""The overpass of each tile on its way from step 40's table to the data set's."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.dataset.ledger import overpass_in, read_split
from sensor2sensor.preprocess.records.run import main
from tests.fakes_tiles import grid_tiles, own_environment, write_tiles

TILE, STEP = 16, 320
INV = "inv_T17XNA_10h"


def step50(root: Path, *more: str, inventory: str = INV) -> int:
    options = ["--tilesize", str(TILE), "--factors", "3", "--block-tiles", "24"]
    options += ["--train_ratio", "0.6", "--val_ratio", "0.4", *own_environment(root)]
    return main(["--inventory", inventory, "--dataset", "toy", *options, *more])


def test_tiles_of_two_inventories_share_their_overpass(tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    write_tiles(tmp_path, grid_tiles(5, 5, STEP, scene=7), inventory="inv_other_2h", seed=9)
    assert step50(tmp_path) == 0
    assert step50(tmp_path, "--add", inventory="inv_other_2h") == 0
    rows = read_split(tmp_path / "cur_toy" / str(TILE))
    assert {row.inventory for row in rows} == {INV, "inv_other_2h"}
    assert {row.overpass for row in rows} == {row.seen_by for row in rows}
    assert {row.overpass for row in rows} == {"S2A_20221005T115411"}


def test_tiles_of_an_earlier_step_40_have_the_overpass_of_their_product(tmp_path: Path) -> None:
    table = write_tiles(tmp_path, grid_tiles(5, 5, STEP)) / "tiles.csv"
    lines = [line.rpartition(",")[0] for line in table.read_text().splitlines()]
    assert lines[0].endswith(",sha256")
    table.write_text("\n".join(lines) + "\n")
    assert step50(tmp_path) == 0
    rows = read_split(tmp_path / "cur_toy" / str(TILE))
    assert {row.overpass for row in rows} == {"S2A_20221005T115411"}


def test_a_split_table_without_overpasses_is_read(tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    text = (tmp_path / "cur_toy" / str(TILE) / "split.csv").read_text()
    lines = [line.rpartition(",")[0] for line in text.splitlines()]
    (tmp_path / "split.csv").write_text("\n".join(lines) + "\n")
    (row, *_) = rows = read_split(tmp_path)
    assert len(rows) == 25 and row.overpass == "" and row.seen_by == f"{INV}/0"
    named = type(row)(**{**vars(row), "name": "x__S2B_MSIL2A_20230102T030405_N0509_T17XNA"})
    assert named.seen_by == overpass_in(named.name) == "S2B_20230102T030405"
