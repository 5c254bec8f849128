"""A tile that two inventories of a data set list counts once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.verification import verify_dataset
from tests.fakes_tiles import FakeTile, grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import INV, STEP, TILE, all_files, step50

OTHER, THIRD = "inv_T17XNA_2h", "inv_T17XNA_1h"
TILES, FRESH = grid_tiles(5, 5, STEP), [FakeTile(c * STEP, 5 * STEP) for c in range(5)]


def table(root: Path, inventory: str, name: str = "cur_toy") -> dict[str, SplitRow]:
    """The lines of an inventory by the names of its tiles."""
    rows = read_split(root / name / str(TILE))
    return {r.name.partition("__")[2]: r for r in rows if r.inventory == inventory}


def in_use(rows: dict[str, SplitRow]) -> set[str]:
    return {name for name, row in rows.items() if row.split in SPLITS}


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles of one inventory, then those of another: the same files and one row more of them."""
    root = tmp_path_factory.mktemp("joined")
    write_tiles(root, TILES)
    assert step50(root) == 0
    write_tiles(root, [*TILES, *FRESH], inventory=OTHER)
    assert step50(root, "--add", inventory=OTHER) == 0
    return root


def test_tiles_of_equal_files_count_once_and_the_table_says_why(joined: Path, capsys) -> None:
    for name in ("cur_toy", "alt3_toy"):
        first, second = table(joined, INV, name), table(joined, OTHER, name)
        doubles = {stem for stem, row in second.items() if row.double_of}
        assert doubles == in_use(first) and len(doubles) > 10
        for stem in doubles:
            row = second[stem]
            assert (row.split, row.file) == ("dropped", "")
            assert row.reason == f"double: the same tile as {INV}__{stem}"
        contract = load_contract(joined / name / str(TILE))
        assert sum(contract.splits[s].count for s in SPLITS) == len(first | second) - sum(
            row.split not in SPLITS and not row.double_of for row in second.values()
        )
        verify_dataset(joined / name / str(TILE))
    # A repeat changes nothing and says it again.
    before = all_files(joined)
    assert step50(joined, "--add", inventory=OTHER) == step50(joined) == 0
    assert all_files(joined) == before
    told = f"{OTHER}: {len(doubles)} of 30 tiles are in the data set already, by other inventories"
    assert told in capsys.readouterr().out


def test_the_tiles_that_stay_go_where_they_would_without_the_doubles(
    joined: Path, tmp_path: Path, capsys
) -> None:
    write_tiles(tmp_path, TILES)
    assert step50(tmp_path) == 0
    alone = table(tmp_path, INV)
    write_tiles(tmp_path, FRESH, inventory=OTHER)
    assert step50(tmp_path, "--add", inventory=OTHER) == 0
    assert "already, by other" not in capsys.readouterr().out
    assert table(joined, INV) == table(tmp_path, INV) == alone
    fresh, beside = table(tmp_path, OTHER), table(joined, OTHER)
    assert {stem: (row.split, row.block) for stem, row in fresh.items()} == {
        stem: (row.split, row.block) for stem, row in beside.items() if stem in fresh
    }


def test_one_look_at_one_place_is_a_double_whatever_its_bytes(tmp_path: Path, capsys) -> None:
    def brighter(layers: dict[str, np.ndarray]) -> None:
        layers["radiance"] += 1

    write_tiles(tmp_path, TILES)
    assert step50(tmp_path) == 0
    again = grid_tiles(5, 5, STEP, scene=3, damage=brighter)
    write_tiles(tmp_path, [*again, *FRESH], inventory=OTHER)
    write_tiles(tmp_path, TILES, inventory=THIRD, seed=5)  # of another pass of Sentinel-3
    capsys.readouterr()
    assert step50(tmp_path, "--add", "--dry-run", inventory=OTHER) == 0
    foretold = capsys.readouterr().out
    for part in ("1/2", "2/2"):
        assert step50(tmp_path, "--add", "--part", part, inventory=OTHER) == 0
    assert step50(tmp_path, "--add", "--merge", "2", inventory=OTHER) == 0
    first, second = table(tmp_path, INV), table(tmp_path, OTHER)
    doubles = [row for row in second.values() if row.double_of]
    assert len(doubles) == len(in_use(first)) > 10
    assert not set(first.values()) & {row.source_sha256 for row in doubles}
    assert f"{len(doubles)} of 30 tiles are in the data set already" in foretold
    assert step50(tmp_path, "--add", inventory=THIRD) == 0
    assert in_use(table(tmp_path, THIRD)) == in_use(first)


def test_a_tile_that_is_no_double_any_more_comes_back(tmp_path: Path) -> None:
    write_tiles(tmp_path, TILES)
    assert step50(tmp_path) == 0
    write_tiles(tmp_path, TILES, inventory=OTHER)
    assert step50(tmp_path, "--add", inventory=OTHER) == 0
    assert not in_use(table(tmp_path, OTHER))
    gone = next(row.name for row in table(tmp_path, INV).values() if row.split == "train")
    stem = gone.partition("__")[2]
    # Step 40 was run anew.
    write_tiles(tmp_path, [tile for tile in TILES if stem != f"00000_{tile.x}x{tile.y}"])
    assert step50(tmp_path, "--add") == 0
    assert stem not in table(tmp_path, INV) and not in_use(table(tmp_path, OTHER))
    assert step50(tmp_path, "--add", inventory=OTHER) == 0
    assert in_use(table(tmp_path, OTHER)) == {stem}


def test_what_a_run_takes_out_is_said(tmp_path: Path, capsys) -> None:
    write_tiles(tmp_path, TILES)
    assert step50(tmp_path) == 0
    write_tiles(tmp_path, FRESH, inventory=OTHER)
    capsys.readouterr()
    assert step50(tmp_path, "--add", "--dry-run", inventory=OTHER) == 0
    foretold = capsys.readouterr().out
    assert step50(tmp_path, "--add", inventory=OTHER) == 0
    splits = load_contract(tmp_path / "cur_toy" / str(TILE)).splits
    numbers = ", ".join(f"{splits[split].count} {split}" for split in SPLITS)
    assert f"would write cur_toy: {numbers}" in foretold
    # Fewer tiles of an inventory that is in it.
    write_tiles(tmp_path, FRESH[:2], inventory=OTHER)
    used = in_use(table(tmp_path, OTHER))
    kept = used & {f"{tile.scene:05d}_{tile.x}x{tile.y}" for tile in FRESH[:2]}
    told = f"{len(used - kept)} samples of before are taken out: {OTHER} lists them no more"
    for words in (["--dry-run"], []):
        capsys.readouterr()
        assert step50(tmp_path, "--add", *words, inventory=OTHER) == 0
        assert used - kept and told in capsys.readouterr().out
    told = f"--force removes {len(in_use(table(tmp_path, OTHER)))} samples of {OTHER} too"
    for words in (["--dry-run"], []):
        capsys.readouterr()
        assert step50(tmp_path, "--force", *words) == 0
        assert told in capsys.readouterr().out
