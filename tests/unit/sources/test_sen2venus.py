"""Patches of SEN2VENµS: what is stored of them, and which site is for what."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensor2sensor.dataset.contract import SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.recordfile import list_records, read_record
from sensor2sensor.dataset.records import TileRecord, decode
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.sen2venus.layout import patches_of
from sensor2sensor.sources.sen2venus.run import main
from tests.fakes.sen2venus import COLUMNS, DATE, TILE, ground, write_sites
from tests.fakes_tiles import own_environment

SIDE = 32
SITES = {"ARM": 2, "FR-LAM": 2, "SO1": 1, "SO2": 1}
TEST = ("--test-sites", "FR-LAM")


def door(data: Path, tmp_path: Path, *words: object) -> int:
    given = [str(word) for word in words]
    given = given if "--test-sites" in given else [*given, *TEST]
    return main(["--data", str(data), *own_environment(tmp_path), *given])


def records(folder: Path) -> tuple[DatasetContract, dict[str, TileRecord]]:
    contract = load_contract(folder)
    found = (decode(read_record(ref), contract) for s in SPLITS for ref in list_records(folder, s))
    return contract, {record.name: record for record in found}


def rows_of(folder: Path) -> dict[str, SplitRow]:
    return {row.name: row for row in read_split(folder)}


def name_of(site: str, number: int, column: str = "b2b3b4b8_05m") -> str:
    return f"{site}__{site}_{TILE}_{DATE}_{number:04d}_{column}"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sites(tmp_path_factory.mktemp("venus") / "SEN2VENUS", SITES, side_px=SIDE)


@pytest.fixture(scope="module")
def everything(sites: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("all")
    assert door(sites, root, "--bands", "all") == 0
    verify_dataset(root / "sen2venus_x2_all" / str(SIDE))
    return root / "sen2venus_x2_all" / str(SIDE)


def test_ten_bands_are_stored_on_two_grids(everything: Path) -> None:
    contract, found = records(everything)
    names = ["B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12"]
    assert [b.name for b in contract.input.bands] == names
    assert [b.name for b in contract.target.bands] == names
    assert [b.native_px for b in contract.input.bands] == [1] * 4 + [2] * 6
    assert [b.reference for b in contract.target.bands] == [True] * 8 + [False] * 2
    assert {b.nodata for b in contract.input.bands} == {-10000.0}
    assert (contract.factor, contract.resolution_m, contract.input.pixel_m) == (2.0, 5.0, 10.0)
    assert contract.input.grid == (SIDE // 2, SIDE // 2)
    assert (contract.input.dtype, contract.target.dtype) == ("int16", "int16")
    record, made = found[name_of("ARM", 1)], ground("ARM", 1, SIDE)
    assert record.input_dense is not None
    low = np.rint(record.input_dense * 10000).astype(int)
    high = np.rint(record.target * 10000).astype(int)
    np.testing.assert_array_equal(low[..., :4], np.moveaxis(made["b2b3b4b8_10m"], 0, -1))
    np.testing.assert_array_equal(high[..., :4], np.moveaxis(made["b2b3b4b8_05m"], 0, -1))
    np.testing.assert_array_equal(high[..., 4:8], np.moveaxis(made["b5b6b7b8a_05m"], 0, -1))
    # Every second pixel is the 20 m band as it was, and each value stands there 2 x 2 times.
    twenty = np.concatenate([made["b5b6b7b8a_20m"], made["b11b12_20m"]])
    for row in (0, 1):
        for column in (0, 1):
            np.testing.assert_array_equal(low[row::2, column::2, 4:], np.moveaxis(twenty, 0, -1))
    for row, column in ((0, 0), (3, 3), (1, 2)):
        np.testing.assert_array_equal(
            high[row::4, column::4, 8:], np.moveaxis(made["b11b12_20m"], 0, -1)
        )


def test_a_site_is_a_group_in_one_split(everything: Path) -> None:
    rows = rows_of(everything).values()
    of_site = {row.block: set[str]() for row in rows}
    for row in rows:
        of_site[row.block].add(row.split)
    assert of_site.keys() == SITES.keys() and of_site["FR-LAM"] == {"test"}
    assert all(len(found) == 1 for found in of_site.values())
    assert {"train", "val"} <= {split for found in of_site.values() for split in found}
    assert {row.overpass for row in rows} == {f"{s}_{TILE}_20180304" for s in SITES}
    contract = load_contract(everything)
    assert contract.split_policy.ground == "crs"
    assert contract.split_policy.ground_shared == {"val": 0.0, "test": 0.0}
    assert contract.provenance["inventories"][0]["sites"]["FR-LAM"] == "test"


@pytest.mark.parametrize(
    ("bands", "name", "grid", "names"),
    [
        ("10m", "sen2venus_x2", SIDE // 2, ["B2", "B3", "B4", "B8"]),
        ("20m", "sen2venus_x4", SIDE // 4, ["B5", "B6", "B7", "B8A"]),
    ],
)
def test_each_resolution_has_its_own_grid(
    sites: Path, tmp_path: Path, bands: str, name: str, grid: int, names: list[str]
) -> None:
    assert door(sites, tmp_path, "--bands", bands) == 0
    contract, found = records(tmp_path / name / str(SIDE))
    assert contract.input.grid == (grid, grid) and contract.factor == SIDE / grid
    assert [band.name for band in contract.input.bands] == names
    assert "native_px" not in (tmp_path / name / str(SIDE) / "dataset.json").read_text()
    column = "b2b3b4b8_05m" if bands == "10m" else "b5b6b7b8a_05m"
    record = found[name_of("SO1", 0, column)]
    stored = np.rint(record.target * 10000).astype(int)
    np.testing.assert_array_equal(stored, np.moveaxis(ground("SO1", 0, SIDE)[column], 0, -1))


def test_negative_and_bright_reflectances_are_kept(tmp_path: Path) -> None:
    def odd(site: str, number: int, side_px: int, seed: int) -> dict[str, Any]:
        made = ground(site, number, side_px, seed)
        made["b2b3b4b8_10m"][0, 0, :3] = (-946, 19684, -1)
        made["b2b3b4b8_05m"][3, 1, :2] = (-9999, 32767)
        return made

    write_sites(tmp_path / "V", SITES, patch=odd)
    assert door(tmp_path / "V", tmp_path) == 0
    _, found = records(tmp_path / "sen2venus_x2" / str(SIDE))
    record = found[name_of("FR-LAM", 0)]
    assert record.input_dense is not None
    np.testing.assert_allclose(record.input_dense[0, :3, 0], [-0.0946, 1.9684, -0.0001])
    np.testing.assert_allclose(record.target[1, :2, 3], [-0.9999, 3.2767])


def _gappy(site: str, number: int, side_px: int, seed: int) -> dict[str, Any]:
    made = ground(site, number, side_px, seed)
    if (site, number) == ("FR-LAM", 1):
        made["b2b3b4b8_10m"][2, 1, 3] = -10000  # four pixels of 5 m
        made["b2b3b4b8_05m"][0, 9, 9] = -10000
    return made


def test_a_patch_with_gaps_is_left_out_or_marked(tmp_path: Path) -> None:
    write_sites(tmp_path / "V", SITES, patch=_gappy)
    assert door(tmp_path / "V", tmp_path) == 0
    row = rows_of(tmp_path / "sen2venus_x2" / str(SIDE))[name_of("FR-LAM", 1)]
    assert (row.split, row.reason) == ("dropped", "99.51% of its pixels have data in every band")
    assert door(tmp_path / "V", tmp_path, "--min-valid", 0.99, "--force") == 0
    contract, found = records(tmp_path / "sen2venus_x2" / str(SIDE))
    record, made = found[name_of("FR-LAM", 1)], _gappy("FR-LAM", 1, SIDE, 0)
    assert [extra.name for extra in contract.extras] == ["gaps"]
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[2:4, 6:8] = expected[9, 9] = 1
    np.testing.assert_array_equal(record.extras["gaps"], expected)
    known = np.sort(made["b2b3b4b8_05m"][0][made["b2b3b4b8_05m"][0] != -10000])
    assert round(record.target[9, 9, 0] * 10000) == known[(len(known) - 1) // 2]
    assert record.target.min() > -0.5 and record.input_dense is not None
    assert record.input_dense.min() > -0.5


def test_the_exact_name_of_a_folder_is_its_site(tmp_path: Path) -> None:
    """A path with spaces, and sites whose names begin alike: none may slip into training."""
    data = write_sites(tmp_path / "my data" / "v 2", {"SO": 1, "SO1": 1, "SO 2": 1, "ARM": 1})
    assert door(data, tmp_path, "--test-sites", "SO", "SO 2") == 0
    rows = rows_of(tmp_path / "sen2venus_x2" / str(SIDE)).values()
    splits = {row.block: row.split for row in rows}
    assert splits["SO"] == splits["SO 2"] == "test"
    assert sorted(splits[s] for s in ("SO1", "ARM")) == ["train", "val"]


def test_named_sites_validate_and_a_cap_is_drawn(sites: Path, tmp_path: Path) -> None:
    words = ("--val-sites", "ARM", "--per-site", 1)
    assert door(sites, tmp_path, *words) == 0
    rows = list(rows_of(tmp_path / "sen2venus_x2" / str(SIDE)).values())
    assert len(rows) == len(SITES)
    assert {r.block: r.split for r in rows} == {
        "ARM": "val", "FR-LAM": "test", "SO1": "train", "SO2": "train",
    }  # fmt: skip


def test_what_others_test_on_is_left_out(sites: Path, tmp_path: Path, capsys) -> None:
    listed = tmp_path / "opensr.csv"
    listed.write_text(f"vns_site,s2_tile,date\nSO1,{TILE},{DATE}\nSO2,{TILE},2019-01-01\n")
    assert door(sites, tmp_path, "--exclude", listed) == 0
    rows = rows_of(tmp_path / "sen2venus_x2" / str(SIDE))
    assert rows[name_of("SO1", 0)].split == "dropped"
    assert rows[name_of("SO1", 0)].reason == "excluded by opensr.csv:2"
    assert rows[name_of("SO2", 0)].split != "dropped"
    told = (
        "1 of 2 entries of --exclude are not in the data and leave nothing out: opensr.csv:3 (SO2"
    )
    assert told in capsys.readouterr().out
    (facts,) = load_contract(tmp_path / "sen2venus_x2" / str(SIDE)).provenance["inventories"]
    assert facts["exclusions_unmatched"] == 1


def test_a_list_of_other_ground_stops(sites: Path, tmp_path: Path, capsys) -> None:
    listed = tmp_path / "opensr.csv"
    listed.write_text("vns_site\nSO_3\n")
    assert door(sites, tmp_path, "--exclude", listed) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "opensr.csv: none of its 1 entries is in the data: opensr.csv:2 (SO_3); nearest" in line


def test_a_patch_beyond_the_cap_is_no_misspelt_entry(sites: Path, tmp_path: Path, capsys) -> None:
    listed = tmp_path / "opensr.csv"
    listed.write_text("SO1\n")
    words = ("--per-site", 1, "--val-sites", "ARM", "--exclude", listed)
    assert door(sites, tmp_path, *words, "--dry-run") == 0
    assert "of --exclude are not in" not in capsys.readouterr().out


def test_a_repeat_after_a_copy_keeps_every_record(sites: Path, tmp_path: Path, capsys) -> None:
    """Records are known by the CRC of a member, not by the time of the zip."""
    shutil.copytree(sites, tmp_path / "SEN2VENUS", copy_function=shutil.copyfile)
    assert door(sites, tmp_path) == 0
    capsys.readouterr()
    assert door(tmp_path / "SEN2VENUS", tmp_path) == 0
    assert "0 done, 6 already there" in capsys.readouterr().out


def test_indices_with_carriage_returns_and_files_beside_them(tmp_path: Path) -> None:
    data = write_sites(tmp_path / "V", SITES, newline="\r\n", columns=tuple(COLUMNS)[:2])
    folder = data / "ARM"
    # Unpacked, as some keep it: the index names plain files then.
    for zipped in folder.glob("*.zip"):
        shutil.unpack_archive(zipped, folder / zipped.stem)
        zipped.unlink()
    index = folder / "index.csv"
    index.write_text(index.read_text().replace(".zip/", "/"))
    assert door(data, tmp_path) == 0
    assert len(rows_of(tmp_path / "sen2venus_x2" / str(SIDE))) == 6


@pytest.mark.parametrize("cell", ["V/{site}/{zip}/{name}", "{name}", "/vsizip/./{zip}/{name}"])
def test_an_index_may_name_members_in_several_ways(sites: Path, tmp_path: Path, cell: str) -> None:
    """Which way the published index takes is not verified: what they name is the same."""
    folder = Path(shutil.copytree(sites / "ARM", tmp_path / "V" / "ARM"))
    plain = patches_of(folder, ["b2b3b4b8_05m"])
    index = folder / "index.csv"
    whole = re.compile(r"(ARM_\w+\.zip)/(\S+)")
    index.write_text(
        whole.sub(lambda m: cell.format(site="ARM", zip=m[1], name=m[2]), index.read_text())
    )
    found = patches_of(folder, ["b2b3b4b8_05m"])
    assert [p.members for p in found] == [p.members for p in plain]
    assert [p.name for p in found] == [name_of("ARM", n) for n in range(2)]


def test_files_of_one_name_in_several_zips_are_told_apart(sites: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sites / "ARM", tmp_path / "ARM"))
    index = folder / "index.csv"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines, lines[1]]) + "\n")
    names = [patch.name for patch in patches_of(folder, ["b2b3b4b8_05m"])]
    first = name_of("ARM", 0)
    assert names == [f"{first}__00000", name_of("ARM", 1), f"{first}__00002"]
