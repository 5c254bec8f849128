"""What step 50 says of tiles that are not there, and of names that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core import files
from tests.fakes_tiles import grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import TILE, step50


def test_a_name_that_is_not_plain_is_told_what_plain_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step50(tmp_path, dataset="arc tic") == 2
    error = capsys.readouterr().err
    assert "'arc tic' is no plain name (letters, digits, . and -, and single _ between" in error


def test_a_size_without_tiles_names_the_sizes_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiles(tmp_path, grid_tiles(1, 1, TILE))
    write_tiles(tmp_path, grid_tiles(1, 1, TILE), inventory="inv_T17XNA_3h")
    assert step50(tmp_path, "--tilesize", "128") == 2
    error = capsys.readouterr().err
    assert "no tiles of 128 pixels" in error and f"there are tiles of {TILE}:" in error
    assert "check the name" not in error
    assert step50(tmp_path, inventory="inv_T17XNA_1h") == 2
    assert "check the name (nearest: 'inv_T17XNA_" in capsys.readouterr().err
    # A run with --force that was killed before its first scene was through.
    (folder / "tiles.csv").unlink()
    assert step50(tmp_path) == 2
    assert "step 40 was not finished; repeat its command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scenes", "words"),
    [
        (
            {"3": {"rejected": {}, "exhausted": True}},
            "lower --tilesize (scenes smaller than 16 pixels: 1)",
        ),
        (
            {"3": {"rejected": {"cloud": 4}}},
            "relax the limits of step 40 (it rejected every position: cloud 4)",
        ),
        ({}, "no scene gave a tile: repeat step 40 and see its reasons"),
    ],
)
def test_a_table_without_a_tile_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scenes: dict, words: str
) -> None:
    folder = write_tiles(tmp_path, grid_tiles(1, 1, TILE))
    table = folder / "tiles.csv"
    table.write_text(table.read_text().splitlines(keepends=True)[0])
    manifest = files.read_json(folder / "manifest.json")
    files.write_json(folder / "manifest.json", {**manifest, "scenes": scenes})
    assert step50(tmp_path) == 2
    error = capsys.readouterr().err
    assert "lists no tile; " in error and words in error
