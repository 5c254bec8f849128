"""``--limit N`` through the steps: the first N, and a run without it goes on from there."""

from __future__ import annotations

import pytest

from sensor2sensor.preprocess.records import run as records
from tests.fakes_tiles import grid_tiles, own_environment, write_tiles
from tests.scripts.step_archive import fresh_copy, tree
from tests.scripts.test_step20 import ALL_PAIRS, pairs, step20
from tests.scripts.test_step30 import config, step30
from tests.unit.preprocess.tifs_archive import folder_of, rows_of, scenes, select, step40


def test_an_inventory_begun_with_a_limit_ends_as_one_without(tmp_path, capsys):
    env, file = fresh_copy(tmp_path / "a")
    whole, other = fresh_copy(tmp_path / "b")
    assert step20(file, "--limit", "1", "--dry-run") == 0
    assert "would hold rows: 2 (0 kept, 2 new)" in capsys.readouterr().out
    assert step20(file, "--limit", "1") == 0
    assert pairs(env) == ALL_PAIRS[:2]
    assert "--limit 1: 1 scenes more are there, not listed yet" in capsys.readouterr().out
    assert step20(file, "--limit", "1") == 0 and pairs(env) == ALL_PAIRS[:2]
    assert step20(file) == step20(other) == 0
    assert tree(env.inventory_dir) == tree(whole.inventory_dir)
    assert step20(file, "--limit", "1") == 0  # what is listed stays
    assert pairs(env) == ALL_PAIRS


def test_pictures_beyond_the_limit_stay_as_they_are(tmp_path, capsys):
    env, file = fresh_copy(tmp_path)
    assert step20(file) == 0 == step30(file, "--limit", "1")
    folder = env.inventory_dir / "inv_T17XNA_2.5h"
    assert [path.name for path in folder.glob("*.png")] == ["0.png"]
    assert step30(file) == 0
    capsys.readouterr()
    for how in (("--dry-run",), ()):
        assert step30(file, "--limit", "1", *how) == 0
        said = capsys.readouterr().out
        assert "scenes to show: 1 (--limit, of 2)" in said and "removed" not in said
    page = (folder / "index.html").read_text()
    assert 'src="0.png"' in page and 'src="2.png"' not in page
    assert (folder / "2.png").is_file() and set(config(env)["scenes"]) == {"0", "2"}
    assert step30(file) == 0
    assert "0 done, 2 already there" in capsys.readouterr().out


def test_scenes_beyond_the_limit_are_cut_later_and_never_removed(both, capsys):
    first = scenes(both)[0]
    assert step40(both, "--quantity", "1", "--limit", "1", "--dry-run") == 0
    assert "1 would be done" in capsys.readouterr().out
    assert step40(both, "--quantity", "1", "--limit", "1") == 0
    assert [int(row["scene"]) for row in rows_of(folder_of(both))] == [first]
    assert step40(both, "--quantity", "1") == 0
    full = tree(folder_of(both))
    assert len(rows_of(folder_of(both))) == 2
    assert step40(both, "--quantity", "1", "--limit", "1") == 0
    assert tree(folder_of(both)) == full
    # In the order of the ids, whatever the order of the file.
    select(both, *reversed(scenes(both)))
    assert step40(both, "--quantity", "1", "--limit", "1", "--tilesize", "32", "--dry-run") == 0
    assert f"scene {first:05d}" in capsys.readouterr().out


def test_a_limit_that_leaves_a_split_empty_is_one_line(tmp_path, capsys):
    write_tiles(tmp_path, grid_tiles(5, 5, 320), tile_px=16)
    environment = own_environment(tmp_path)
    words = ["--inventory", "inv_T17XNA_10h", "--dataset", "toy", "--tilesize", "16"]
    words += ["--factors", "3", *environment, "--dry-run"]
    with pytest.raises(SystemExit):
        records.main([*words, "--limit", "0"])
    assert "0 is not 1 or more" in capsys.readouterr().err
    assert records.main([*words, "--limit", "2"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "split would be empty" in said[0]
    assert "a larger --limit (2 of 25 items are taken)" in said[0]
