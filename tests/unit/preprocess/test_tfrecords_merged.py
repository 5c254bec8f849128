"""A data set of several inventories says of each what it came from, and refuses what cannot mix."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.preprocess.tiles.table import read_table, write_table
from tests.fakes_tiles import grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import INV, STEP, TILE, step50

OTHER = "inv_T17XNA_3h"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of one inventory, and the tiles of another beside it."""
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    write_tiles(tmp_path, grid_tiles(6, 5, STEP, scene=4), inventory=OTHER, seed=5)
    return tmp_path


def options(root: Path, **changed: object) -> None:
    """Make the other inventory's tiles such as step 40 makes with other options."""
    path = root / "_tif" / OTHER / str(TILE) / "manifest.json"
    manifest = files.read_json(path)
    files.write_json(path, {**manifest, "options": {**manifest["options"], **changed}})


def products(root: Path, name: str = "cur_toy") -> list[dict[str, str]]:
    with (root / name / str(TILE) / "products.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_inventory_keeps_options_versions_and_products(root: Path, capsys) -> None:
    options(root, max_cloud=0.3, version=7)
    assert step50(root, "--add", inventory=OTHER) == 0
    told = capsys.readouterr().out
    assert f"tiles of {INV} (there) and {OTHER} differ: " in told
    assert "max_cloud: nothing (there) against 0.3 (asked)" in told
    for name in ("cur_toy", "alt3_toy", "alt5_toy"):
        first, second = load_contract(root / name / str(TILE)).provenance["inventories"]
        assert (first["name"], first["tiles"], second["name"], second["tiles"]) == (
            INV,
            25,
            OTHER,
            30,
        )
        assert "max_cloud" not in first["step40"] and second["step40"]["max_cloud"] == 0.3
        assert second["step40"]["version"] == 7
        for facts in (first, second):
            table = root / "_tif" / facts["name"] / str(TILE) / "tiles.csv"
            assert facts["tiles_csv_sha256"] == files.sha256(table)
        counts = {row["inventory"]: 0 for row in products(root, name)}
        for row in products(root, name):
            assert "S2" in row["s2"] and "OL_1_EFR" in row["s3"]
            counts[row["inventory"]] += int(row["tiles"])
        assert counts == {INV: 25, OTHER: 30}


def test_a_repeat_writes_the_products_anew_where_they_are_gone_and_only_then(root: Path) -> None:
    path = root / "alt3_toy" / str(TILE) / "products.csv"
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns
    assert step50(root) == 0 and path.stat().st_mtime_ns == stamp
    path.unlink()
    assert step50(root) == 0 and path.read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"level": "L2A"}, "level: L1C (there) against L2A (asked)"),
        ({"bands": ["B02", "B03", "B08"]}, "bands: "),
    ],
)
def test_tiles_whose_options_matter_are_refused_and_nothing_is_changed(
    root: Path, capsys, changed: dict[str, object], said: str
) -> None:
    options(root, **changed)
    before = (root / "cur_toy" / str(TILE) / "dataset.json").read_bytes()
    assert step50(root, "--add", inventory=OTHER) == 2
    assert said in capsys.readouterr().err
    assert (root / "cur_toy" / str(TILE) / "dataset.json").read_bytes() == before
    assert {row["inventory"] for row in products(root)} == {INV}


def test_products_that_were_joined_are_named_together(root: Path) -> None:
    folder = root / "_tif" / OTHER / str(TILE)
    rows = [replace(row, s3_joined="2022/10/NEXT.SEN3") for row in read_table(folder / "tiles.csv")]
    write_table(folder, rows)
    assert step50(root, "--add", inventory=OTHER) == 0
    joined = {row["s3"] for row in products(root) if row["inventory"] == OTHER}
    assert joined == {f"{rows[0].s3} // 2022/10/NEXT.SEN3"}
