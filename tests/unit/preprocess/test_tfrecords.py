"""Step 50 on tiles written by the contract of step 40: membership, restarts, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.preprocess.records.run import main
from tests.fakes_tiles import FakeTile, grid_tiles, own_environment, snapshot, write_tiles

TILE = 16
STEP = 20 * TILE  # 3.2 km: every tile has ground of its own beyond the guard of 450 m
INV = "inv_T17XNA_10h"
COMMON = ["--tilesize", str(TILE), "--factors", "3,5", "--block-tiles", "24"]
COMMON += ["--train_ratio", "0.6", "--val_ratio", "0.4"]


def step50(root: Path, *more: str, inventory: str = INV, dataset: str = "toy") -> int:
    named = ["--inventory", inventory, "--dataset", dataset, *own_environment(root)]
    return main([*named, *COMMON, *more])


def all_files(root: Path) -> dict[str, bytes]:
    return snapshot(root, "cur_toy", "alt3_toy", "alt5_toy")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("built")
    write_tiles(root, grid_tiles(5, 5, STEP))
    assert step50(root) == 0
    return root


def test_writes_cur_and_alts_with_identical_membership(built: Path) -> None:
    members = {}
    for name in ("cur_toy", "alt3_toy", "alt5_toy"):
        folder = built / name / str(TILE)
        verify_dataset(folder)
        members[name] = [(row.name, row.split, row.block) for row in read_split(folder)]
        assert len(members[name]) == 25
        for split in SPLITS:
            assert load_contract(folder).splits[split].count > 0
    assert members["cur_toy"] == members["alt3_toy"] == members["alt5_toy"]


def test_files_on_disk_are_exactly_those_listed(built: Path) -> None:
    folder = built / "alt3_toy" / str(TILE)
    listed = {row.file for row in read_split(folder) if row.file}
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == listed | {
        "split.csv",
        "dataset.json",
        "dataset.sha256",
        "quality.csv",
        "quality.html",
        "products.csv",
    }


def test_targets_equal_the_tif_bit_for_bit(built: Path) -> None:
    import rasterio

    folder = built / "cur_toy" / str(TILE)
    contract = load_contract(folder)
    for record in iterate_refs(list_records(folder, "train")[:3], contract):
        stem = record.name.removeprefix(f"{INV}__")
        with rasterio.open(built / "_tif" / INV / str(TILE) / f"{stem}.tif") as source:
            wanted = np.moveaxis(source.read([3, 4, 5]), 0, -1)
            radiance = np.moveaxis(source.read(list(range(6, 27))), 0, -1)
        assert np.array_equal(record.target, wanted)
        assert np.array_equal(record.input_pixels[record.input_index - 1], radiance)


def test_blocks_reach_into_the_margin_with_exactly_the_factor(built: Path) -> None:
    import rasterio

    folder = built / "alt5_toy" / str(TILE)
    contract = load_contract(folder)
    assert contract.factor == 5.0 and contract.input.grid == (4, 4)
    record = next(iterate_refs(list_records(folder, "test"), contract))
    stem = record.name.removeprefix(f"{INV}__")
    with rasterio.open(built / "_tif" / INV / str(TILE) / f"{stem}_margin.tif") as source:
        wide = np.moveaxis(source.read(), 0, -1)[8:28, 8:28].astype(np.float64)
    wanted = wide.reshape(4, 5, 4, 5, 3).mean(axis=(1, 3)).reshape(16, 3)
    np.testing.assert_allclose(record.input_pixels, wanted, rtol=1e-6)
    assert contract.degradation.incomplete_blocks == 0


def test_input_positions_are_metres_from_the_upper_left_corner(built: Path) -> None:
    for name, centre in (("cur_toy", 40.0), ("alt5_toy", 25.0)):
        folder = built / name / str(TILE)
        contract = load_contract(folder)
        record = next(iterate_refs(list_records(folder, "val"), contract))
        assert record.input_xy[0] == pytest.approx([centre, centre])
        assert (record.input_xy > 0).all()


def test_statistics_are_those_of_the_train_split(built: Path) -> None:
    folder = built / "alt3_toy" / str(TILE)
    contract = load_contract(folder)
    records = list(iterate_refs(list_records(folder, "train"), contract))
    for side, values in (
        ("target", np.concatenate([r.target.reshape(-1, 3) for r in records])),
        ("input", np.concatenate([r.input_pixels for r in records])),
    ):
        low, high = np.quantile(values.astype(np.float64), [0.001, 0.999], axis=0)
        for band, statistics in enumerate(contract.statistics[side]):
            assert statistics.low == pytest.approx(low[band], abs=1e-9)
            assert statistics.high == pytest.approx(high[band], abs=1e-9)
            assert statistics.mean == pytest.approx(values[:, band].mean(dtype=np.float64))
            assert statistics.std == pytest.approx(values[:, band].std(dtype=np.float64))


def test_a_repeat_changes_nothing_and_says_so(built: Path, capsys) -> None:
    before = {k: (built / k).stat().st_mtime_ns for k in all_files(built)}
    kept = sum(s.count for s in load_contract(built / "cur_toy" / str(TILE)).splits.values())
    for option, done in (["--dry-run"], "would be done"), ([], "done"):
        assert step50(built, *option) == 0
        said = capsys.readouterr().out
        assert said == f"step 50: 0 {done}, {kept} already there, 0 failed\n"
    assert before == {k: (built / k).stat().st_mtime_ns for k in all_files(built)}


def test_two_builds_give_equal_bytes_whatever_the_workers(built: Path, tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    assert all_files(tmp_path) == all_files(built)


def test_other_options_are_refused_with_the_difference(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step50(built, "--val_ratio", "0.3") == 2
    error = capsys.readouterr().err
    assert "val_ratio: 0.4 (there) against 0.3 (asked)" in error and "--force" in error
    assert step50(built, "--factors", "3") == 2


def test_force_removes_exactly_what_was_listed(tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    mine = tmp_path / "alt3_toy" / str(TILE) / "train" / "notes.txt"
    mine.write_text("kept")
    assert step50(tmp_path, "--force", "--factors", "3") == 0
    assert mine.read_text() == "kept"
    assert not (tmp_path / "alt5_toy" / str(TILE) / "dataset.json").exists()
    assert not list((tmp_path / "alt5_toy").rglob("*.tfrecord"))
    verify_dataset(tmp_path / "alt3_toy" / str(TILE))


def _nan_target(layers: dict) -> None:
    layers["target"][3, 4, 1] = np.nan


def _nan_radiance(layers: dict) -> None:
    layers["radiance"][2, 7] = np.nan


@pytest.mark.parametrize(
    ("damage", "words"),
    [(_nan_target, "NaN or infinity in B03"), (_nan_radiance, "no valid Sentinel-3 value")],
)
def test_tiles_with_nan_are_refused_by_name_in_every_data_set(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage, words: str
) -> None:
    tiles = grid_tiles(5, 5, STEP)
    name = next(r.name for r in read_split(built / "cur_toy" / str(TILE)) if r.split == "train")
    at = next(i for i, t in enumerate(tiles) if name.endswith(f"_{t.x}x{t.y}"))
    tiles[at] = FakeTile(tiles[at].x, tiles[at].y, damage=damage)
    write_tiles(tmp_path, tiles)
    assert step50(tmp_path) == 1
    assert name in (out := capsys.readouterr().out) and words in out
    for dataset in ("cur_toy", "alt3_toy", "alt5_toy"):
        row = {r.name: r for r in read_split(tmp_path / dataset / str(TILE))}[name]
        assert row.split == "refused" and words in row.reason and not row.file
        assert row.reason.startswith(f"{name}: ")  # as ever: equal tables from equal tiles
        verify_dataset(tmp_path / dataset / str(TILE))


def test_a_changed_tif_is_refused(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    name = next(r.name for r in read_split(built / "cur_toy" / str(TILE)) if r.split == "train")
    tif = folder / f"{name.removeprefix(INV + '__')}.tif"
    damaged = bytearray(tif.read_bytes())
    damaged[-40] ^= 1
    tif.write_bytes(bytes(damaged))
    assert step50(tmp_path) == 1
    assert f"{tif.name} changed since step 40" in capsys.readouterr().out


def test_an_empty_split_states_counts_and_what_to_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path, grid_tiles(1, 1, TILE))
    assert step50(tmp_path) == 2
    error = capsys.readouterr().err
    assert "split would be empty" in error and "train" in error and "--train_ratio" in error
    assert not (tmp_path / "cur_toy").exists()


def test_sentinel2_alone_makes_no_cur(tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP), inventory="inv_T17XNA_s2", with_s3=False)
    assert step50(tmp_path, inventory="inv_T17XNA_s2") == 0
    assert not (tmp_path / "cur_toy").exists()
    verify_dataset(tmp_path / "alt3_toy" / str(TILE))


def test_without_a_margin_edge_blocks_are_means_of_what_is_there(tmp_path: Path) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP), margin_px=0)
    assert step50(tmp_path) == 0
    folder = tmp_path / "alt5_toy" / str(TILE)
    contract = load_contract(folder)
    record = next(iterate_refs(list_records(folder, "train"), contract))
    corner = record.target[15:, 15:].astype(np.float64).mean(axis=(0, 1))
    np.testing.assert_allclose(record.input_pixels[-1], corner, rtol=1e-6)
    kept = sum(contract.splits[split].count for split in SPLITS)
    assert contract.degradation.incomplete_blocks == 7 * kept
    assert contract.degradation.tiles_with_incomplete_blocks == kept


def test_adding_an_inventory_moves_no_block_and_collides_with_no_name(tmp_path: Path) -> None:
    other = "inv_T17XNA_3h"
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    before = {
        r.name: (r.split, r.block, r.sha256) for r in read_split(tmp_path / "alt3_toy" / str(TILE))
    }
    write_tiles(tmp_path, grid_tiles(6, 5, STEP), inventory=other, seed=5)
    assert step50(tmp_path, inventory=other) == 2
    assert step50(tmp_path, "--add", inventory=other) == 0
    after = {
        r.name: (r.split, r.block, r.sha256) for r in read_split(tmp_path / "alt3_toy" / str(TILE))
    }
    assert {name: after[name] for name in before} == before
    assert len(after) == 25 + 30
    for name in (n for n in before if f"{other}__{n.split('__')[1]}" in after):
        assert after[f"{other}__{name.split('__')[1]}"][:2] == before[name][:2]
    contract = load_contract(tmp_path / "alt3_toy" / str(TILE))
    assert [i["name"] for i in contract.provenance["inventories"]] == [INV, other]
    assert contract.statistics["target"][0].count == contract.splits["train"].count * TILE**2
    verify_dataset(tmp_path / "alt3_toy" / str(TILE))
    assert step50(tmp_path) == 0


def test_bound_blocks_keep_their_split_even_against_the_hash(tmp_path: Path) -> None:
    from sensor2sensor.dataset.ledger import write_split

    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    moved = None
    for name in ("cur_toy", "alt3_toy", "alt5_toy"):
        folder = tmp_path / name / str(TILE)
        rows = read_split(folder)
        moved = moved or next(r.block for r in rows if r.split == "train" and "+" not in r.block)
        swapped = [
            r
            if moved not in r.block.split("+") or r.split == "dropped"
            else type(r)(**{**vars(r), "split": "test"})
            for r in rows
        ]
        write_split(folder, swapped)
        text = json.loads((folder / "dataset.json").read_text())
        text["split_csv_sha256"] = files.sha256(folder / "split.csv")
        files.write_json(folder / "dataset.json", text)
    write_tiles(tmp_path, grid_tiles(5, 5, STEP), inventory="inv_other_2h", seed=9)
    assert step50(tmp_path, "--add", inventory="inv_other_2h") == 0
    rows = read_split(tmp_path / "cur_toy" / str(TILE))
    new = [r for r in rows if r.inventory == "inv_other_2h" and r.block == moved]
    assert new and {r.split for r in new} == {"test"}


@pytest.mark.parametrize("change", ["options", "inventory", "tiles", "unfinished"])
def test_add_is_advised_only_where_it_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    if change == "unfinished":
        with pytest.raises(files.SimulatedCrash), files.crash_at_write(4):
            step50(tmp_path)
    else:
        assert step50(tmp_path) == 0
    inventory = INV if change in ("options", "tiles") else "inv_other_2h"
    write_tiles(tmp_path, grid_tiles(5, 5, STEP), inventory=inventory, seed=change == "tiles")
    more = ["--val-ratio", "0.3"] if change == "options" else []
    capsys.readouterr()
    assert step50(tmp_path, *more, inventory=inventory) == 2
    advised = "give --add" in capsys.readouterr().err
    assert advised == (change in ("inventory", "tiles"))
    with_add = step50(tmp_path, *more, "--add", inventory=inventory)
    assert (with_add == 0) == advised


def test_by_acquisition_records_the_ground_seen_on_both_sides(tmp_path: Path) -> None:
    dates = [f"2022-10-{day:02d}T11:54:11.024Z" for day in range(1, 11)]
    tiles = [FakeTile(16 * (i % 2), 0, scene=i // 2, s2date=dates[i // 2]) for i in range(20)]
    write_tiles(tmp_path, tiles)
    assert step50(tmp_path, "--split-by", "acquisition", "--seed", "1") == 0
    folder = tmp_path / "cur_toy" / str(TILE)
    rows = read_split(folder)
    by_date = {row.block: {r.split for r in rows if r.block == row.block} for row in rows}
    assert all(len(splits) == 1 for splits in by_date.values())
    assert load_contract(folder).split_policy.ground_shared == {"val": 1.0, "test": 1.0}


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "would write cur_toy" in said
    assert not (tmp_path / "cur_toy").exists()
    assert step50(tmp_path) == 0
    made = capsys.readouterr().out.splitlines()[-1]
    assert said.splitlines()[-1] == made.replace(" done,", " would be done,")
    assert " 0 done" not in made
    assert step50(tmp_path, "--dry-run") == 0
    again = capsys.readouterr().out.splitlines()[-1]
    assert step50(tmp_path) == 0
    made = capsys.readouterr().out.splitlines()[-1]
    assert again == made.replace(" done,", " would be done,")


def test_the_contract_declares_true_colour_where_all_three_bands_are(built: Path) -> None:
    stored = [
        json.loads((built / name / str(TILE) / "dataset.json").read_text())["target"]["display"]
        for name in ("cur_toy", "alt3_toy")
    ]
    assert stored == [["B04", "B03", "B02"]] * 2
