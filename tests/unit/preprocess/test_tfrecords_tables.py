"""What step 50 says of a damaged table of tiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.preprocess.tfrecords import main
from tests.fakes_tiles import grid_tiles, own_environment, write_tiles

TILE = 16
INV = "inv_T17XNA_10h"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("missing", "no tiles"),
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
