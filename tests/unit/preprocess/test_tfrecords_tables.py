"""Step 50 and the table of tiles: it reads those listed, and names a damaged table."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.preprocess.records.run import main
from tests.fakes_tiles import grid_tiles, own_environment, write_tiles

TILE = 16
INV = "inv_T17XNA_10h"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("missing", "step 40 was not finished"),
        ("column", "lacks the columns epsg"),
        ("twice", "lists a tile twice"),
        ("level", "mixes Level-1C and Level-2A"),
    ],
)
def test_a_bad_tile_table_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, wanted: str
) -> None:
    table = write_tiles(tmp_path, grid_tiles(2, 2, TILE)) / "tiles.csv"
    lines = table.read_text().splitlines()
    if change == "missing":
        table.unlink()
    elif change == "column":
        table.write_text("\n".join(lines).replace("epsg", "crs"))
    elif change == "twice":
        table.write_text("\n".join([*lines, lines[1]]) + "\n")
    else:
        table.write_text("\n".join([*lines[:2], lines[2].replace("MSIL1C", "MSIL2A"), *lines[3:]]))
    options = ["--tilesize", str(TILE), "--factors", "3", *own_environment(tmp_path)]
    assert main(["--inventory", INV, "--dataset", "toy", *options]) == 2
    assert wanted in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time_gap_h", "inf"),
        ("shift_m", "nan"),
        ("shift_quality", "nan"),
        ("ulx_m", "nan"),
        ("uly_m", "-Infinity"),
        ("resolution_m", "nan"),
    ],
)
def test_what_is_not_finite_is_no_number_of_a_tile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, value: str
) -> None:
    """A comparison with nan is False, so that a limit on it would hold for every tile."""
    table = write_tiles(tmp_path, grid_tiles(2, 2, TILE)) / "tiles.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row.setdefault(column, "0.5")
    rows[1][column] = value
    files.write_csv(table, list(rows[0]), [list(row.values()) for row in rows])
    options = ["--tilesize", str(TILE), "--factors", "3", *own_environment(tmp_path)]
    assert main(["--inventory", INV, "--dataset", "toy", *options]) == 2
    assert f"{table}:3: damaged line ('{value}' is no finite number)" in capsys.readouterr().err


@pytest.mark.parametrize("line", [0, 2])
def test_a_cell_without_end_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: int
) -> None:
    table = write_tiles(tmp_path, grid_tiles(2, 2, TILE)) / "tiles.csv"
    lines = table.read_text().splitlines()
    lines[line] = "x" * 200_000 + lines[line]
    table.write_text("\n".join(lines))
    options = ["--tilesize", str(TILE), "--factors", "3", *own_environment(tmp_path)]
    assert main(["--inventory", INV, "--dataset", "toy", *options]) == 2
    told = capsys.readouterr().err
    assert f"{table}:{line + 1}: damaged line (field larger than field limit" in told


def test_only_listed_tiles_are_read(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path, grid_tiles(5, 5, 20 * TILE))
    (folder / "99999_0x0.tif").write_bytes((folder / "00000_0x0.tif").read_bytes())
    (folder / "00000_0x0.tif.aux.xml").write_text("<PAMDataset/>")
    options = ["--tilesize", str(TILE), "--factors", "3", "--block-tiles", "24"]
    options += ["--train_ratio", "0.6", "--val_ratio", "0.4", *own_environment(tmp_path)]
    assert main(["--inventory", INV, "--dataset", "toy", *options]) == 0
    names = [row.name for row in read_split(tmp_path / "alt3_toy" / str(TILE))]
    assert len(names) == 25 and not any("99999" in name for name in names)


def test_a_split_table_with_a_cell_without_end_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("x" * 200_000)
    with pytest.raises(InputError, match=r"split\.csv: cannot be read \(field larger"):
        read_split(tmp_path)
